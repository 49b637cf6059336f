//! [`ready_experiment`]: the paper's tables and figures as experiments.

use std::fmt::{self, Write as _};

use super::{ExperimentError, Scheme};
use crate::paper;

/// The paper's tables of results.
pub const TABLES: [u32; 15] = [1, 2, 3, 4, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23];

/// The paper's figures of attacked images: number, the table with the same data, scheme and iterations, and k.
const FIGURES: [(u32, u32, usize); 6] =
    [(2, 2, 3), (3, 4, 5), (4, 15, 2), (5, 17, 3), (6, 1, 5), (7, 3, 5)];

/// Something that the paper shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhibit {
    /// A table of results, one of [`TABLES`].
    Table(u32),
    /// A figure of attacked images, 2 to 7.
    Figure(u32),
}

impl Exhibit {
    /// Every one, tables first.
    pub fn all() -> impl Iterator<Item = Self> {
        let figures = FIGURES.iter().map(|&(figure, ..)| Self::Figure(figure));
        TABLES.into_iter().map(Self::Table).chain(figures)
    }
}

/// `table-01`, `figure-02`: the name of its file and of its folder of results.
impl fmt::Display for Exhibit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(number) => write!(f, "table-{number:02}"),
            Self::Figure(number) => write!(f, "figure-{number:02}"),
        }
    }
}

/// Samples of each of a figure's settings, to choose from.
const PICTURED: usize = 10;

/// The paper's methods as experiments have them: those with a gradient descent over the paper's grid.
const METHODS: [(&str, bool); 4] =
    [("ml-cw-u", true), ("kfool", false), ("tkml-ap-u", true), ("tkmia", true)];

/// The experiment that one of the paper's tables or figures shows, as the text of a file.
///
/// Its settings are those of the table's rows; a figure has those of one k, and keeps the images of its first
/// samples. The paper doesn't say which type, or how many labels, its figures are of: all are run. Methods are in the form of the published code, which is
/// what printed values compare with. The victim's file and the data's folder are left to be said.
///
/// # Errors
/// [`ExperimentError::NoTable`], [`ExperimentError::NoFigure`].
///
/// # Example
///
/// ```
/// use tkmia_eval::{Exhibit, Experiment, ready_experiment};
///
/// let experiment = Experiment::parse(&ready_experiment(Exhibit::Table(16))?)?;
/// assert_eq!(experiment.tables[0].specified, Some(vec![2]));
/// # Ok::<(), tkmia_eval::ExperimentError>(())
/// ```
pub fn ready_experiment(exhibit: Exhibit) -> Result<String, ExperimentError> {
    let (table, only_k) = match exhibit {
        Exhibit::Table(table) => (table, None),
        Exhibit::Figure(found) => {
            let figure = FIGURES.iter().find(|(figure, ..)| *figure == found);
            let &(_, table, k) = figure.ok_or(ExperimentError::NoFigure { found })?;
            (table, Some(k))
        }
    };
    let rows = paper::table(table);
    let Some(first) = rows.first() else {
        return Err(ExperimentError::NoTable { found: table });
    };
    let (name, kind, split, tuning_split) = match first.dataset.as_str() {
        "VOC" => ("VOC 2012", "voc-2012", "val", "train"),
        "COCO" => ("COCO 2014", "coco-2014", "val", "train"),
        _ => ("NUS-WIDE", "nus-wide", "test", "train"),
    };
    let mut text = String::new();
    let mut line = |line: &str| {
        let _ = writeln!(text, "{line}");
    };
    let (scheme, selected) = match first.scheme {
        Scheme::Global => ("global", "globally"),
        Scheme::Random => ("random", "randomly"),
    };
    let delta = first.delta.map_or(String::new(), |delta| format!(", δ = {delta}"));
    let iterations = first.max_iterations;
    let about = format!("{name}, {selected} selected S, at most {iterations} iterations{delta}");
    let (name, option) = match exhibit {
        Exhibit::Table(number) => (format!("Table {number}"), format!("--table {number}")),
        Exhibit::Figure(number) => (format!("Figure {number}"), format!("--figure {number}")),
    };
    line(&format!("# {name} of Sun et al., ACM MM 2023: {about}."));
    line("#");
    line(&format!("#   tkmia reproduce {option} --model MODEL --root FOLDER"));
    line(&format!("#   tkmia run {exhibit}.toml --model MODEL --root FOLDER"));
    line(&format!("title = \"{name}: {about}\""));
    line(&format!("output = \"out/{exhibit}\""));
    line("seed = 2023");
    if only_k.is_some() {
        line(&format!("pictures = {PICTURED}"));
    }
    line("");
    line("[data]");
    line(&format!("kind = \"{kind}\""));
    line(&format!("split = \"{split}\""));
    line("");
    line("[budget]");
    line(&format!("samples = {}", only_k.map_or(1000, |_| PICTURED)));
    line("");
    line(
        "# The paper doesn't say on which samples its hyper-parameters were chosen; never on the reported ones here.",
    );
    line("[tuning]");
    line(&format!("split = \"{tuning_split}\""));
    line(&format!("samples = {}", only_k.map_or(20, |_| 5)));
    line("");
    line("[[table]]");
    if only_k.is_none() {
        line(&format!("paper = {table}"));
    }
    line(&format!("scheme = \"{scheme}\""));
    let mut types: Vec<&str> = Vec::new();
    let (mut ks, mut specified) = (Vec::new(), Vec::new());
    for row in &rows {
        let new_type = row.types.as_deref().filter(|name| !types.contains(name));
        types.extend(new_type);
        if !ks.contains(&row.k) && only_k.is_none_or(|k| k == row.k) {
            ks.push(row.k);
        }
        specified.extend(row.specified.filter(|count| !specified.contains(count)));
    }
    specified.sort_unstable();
    if !types.is_empty() {
        line(&format!("types = {types:?}"));
    }
    if !specified.is_empty() {
        line(&format!("specified = {specified:?}"));
    }
    line(&format!("k = {ks:?}"));
    if let Some(delta) = first.delta {
        line(&format!("delta = {delta}"));
    }
    line(&format!("max-iterations = {}", first.max_iterations));
    for (method, descends) in METHODS {
        line("");
        line("[[method]]");
        line(&format!("name = \"{method}\""));
        line("variant = \"released\"");
        if descends {
            line("lr = [1e-3, 5e-4, 1e-4, 5e-5]");
            line("alpha = [1e-3, 5e-4, 1e-4, 5e-5]");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tkmia_data::DatasetSpec;
    use tkmia_data::miniature::{Layout, Miniature};

    use super::*;
    use crate::cohort::Draw;
    use crate::{Experiment, Selection};

    #[test]
    fn the_ready_files_are_these() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
        for exhibit in Exhibit::all() {
            let path = folder.join(format!("{exhibit}.toml"));
            let text = ready_experiment(exhibit).unwrap();
            // Set once, it writes them.
            if std::env::var_os("TKMIA_WRITE_READY_FILES").is_some() {
                fs::write(&path, &text).unwrap();
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "{}", path.display());
        }
    }

    #[test]
    fn a_ready_experiment_has_the_rows_of_its_table() {
        for number in TABLES {
            let text = ready_experiment(Exhibit::Table(number)).unwrap();
            let experiment = Experiment::parse(&text).unwrap();
            let tables = experiment.expand("a data set").unwrap().tables;
            assert_eq!(tables.len(), 1);
            let table = &tables[0];
            let mut found = Vec::new();
            for setting in &table.settings {
                for grid in &table.grids {
                    let row = paper::printed(table, setting, grid[0].method);
                    found.push(row.unwrap_or_else(|| panic!("table {number}: {setting}")));
                }
            }
            assert_eq!(found, paper::table(number), "table {number}");
            let random = table.delta.is_some();
            let drawn = matches!(table.settings[0].selection, Selection::Random(_));
            assert_eq!(random, drawn);
        }
    }

    #[test]
    fn a_ready_experiment_fits_its_data() {
        let folder = tempfile::tempdir().unwrap();
        for layout in [Layout::Voc2012, Layout::Coco2014, Layout::NusWideTable] {
            let root = folder.path().join(format!("{layout:?}"));
            Miniature { layout, images: 12, seed: 0 }.write(&root).unwrap();
            for exhibit in Exhibit::all() {
                let experiment = Experiment::parse(&ready_experiment(exhibit).unwrap()).unwrap();
                let kind = experiment.data.kind;
                if kind != layout.kind() {
                    continue;
                }
                let open = |split: Option<String>| {
                    tkmia_data::open(&DatasetSpec {
                        kind,
                        root: root.clone(),
                        split: split.unwrap(),
                    })
                };
                open(experiment.tuning.clone().unwrap().split).unwrap();
                let dataset = open(experiment.data.split.clone()).unwrap();
                for table in experiment.expand(dataset.name()).unwrap().tables {
                    for setting in table.settings {
                        Draw::new(dataset.as_ref(), setting, 1000, 0).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn what_shows_no_results_is_refused() {
        let error = |exhibit| ready_experiment(exhibit).unwrap_err().to_string();
        assert_eq!(
            error(Exhibit::Table(5)),
            "the paper has no table 5 of results: expected one of 1-4, 13-23"
        );
        assert_eq!(
            error(Exhibit::Figure(1)),
            "the paper has no figure 1 of attacked images: expected one of 2-7"
        );
    }
}
