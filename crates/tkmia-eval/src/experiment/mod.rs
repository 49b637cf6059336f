//! [`Experiment`]: what is to be run, as one TOML file says it.

mod method;
mod ready;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tkmia_attacks::UnknownCriterion;
use tkmia_data::DatasetKind;

pub(crate) use method::JUDGED;
pub use method::{Descent, InBall, MethodSpec, Run, Values, View};
pub use ready::{Exhibit, TABLES, ready_experiment};

use crate::{Selection, Setting};

/// An experiment: a victim, its images, tables of settings, and the methods that fill them.
///
/// Every method is run on every setting of every table. Fields that aren't known are refused.
///
/// # Example
///
/// ```
/// use tkmia_eval::Experiment;
///
/// let experiment = Experiment::parse(
///     r#"
///     title = "TkMIA on VOC"
///
///     [victim]
///     model = "resnet50_voc.onnx"
///
///     [data]
///     kind = "voc-2012"
///     root = "VOCdevkit/VOC2012"
///     split = "val"
///
///     [[table]]
///     scheme = "global"
///     types = ["Person", "Animals"]
///     k = [1, 2, 3]
///
///     [[method]]
///     name = "tkmia"
///     lr = 1e-3
///     "#,
/// )?;
/// assert_eq!(experiment.expand("VOC 2012")?.tables[0].settings.len(), 6);
/// # Ok::<(), tkmia_eval::ExperimentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Experiment {
    /// What reports are headed with.
    pub title: String,
    /// The folder of records and reports; relative to where the command is run.
    pub output: Option<PathBuf>,
    /// Of the random scheme's draws.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// So many samples of each setting have their images kept for figures: the first ones.
    #[serde(default = "default_pictures")]
    pub pictures: usize,
    /// The classifier.
    #[serde(default)]
    pub victim: VictimSpec,
    /// Its images.
    pub data: DataSpec,
    /// How much is done at most.
    #[serde(default)]
    pub budget: Budget,
    /// How hyper-parameters are chosen; without it every point of a grid is a method of its own.
    pub tuning: Option<TuningSpec>,
    /// The settings, table by table.
    #[serde(rename = "table")]
    pub tables: Vec<TableSpec>,
    /// The methods, in the order of their rows.
    #[serde(rename = "method")]
    pub methods: Vec<MethodSpec>,
}

fn default_seed() -> u64 {
    2023
}

fn default_pictures() -> usize {
    1
}

/// `[victim]`: the classifier and how images come to its input.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VictimSpec {
    /// Its file.
    pub model: Option<PathBuf>,
    /// Height and width of its input; needed only where the file leaves it open.
    pub input_size: Option<u32>,
    /// How an image becomes a square; by default as the paper has it for the data set.
    pub resize: Option<ResizeKind>,
}

/// How an image becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeKind {
    /// Its short side is scaled, then the middle is cut out.
    ShortSide,
    /// Both sides are scaled.
    Square,
}

/// `[data]`: the images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataSpec {
    /// What records and reports call the data, if not by their own name: for stand-ins.
    pub name: Option<String>,
    /// The layout of the files.
    pub kind: DatasetKind,
    /// The folder.
    pub root: Option<PathBuf>,
    /// The split, where the layout has some.
    pub split: Option<String>,
}

/// `[budget]`: how much is done at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Budget {
    /// Samples in a setting, the first eligible ones in the data set's order; in the paper 1000.
    pub samples: usize,
    /// A run ends after so many minutes as if it were interrupted, and goes on when it is started again.
    pub minutes: Option<f64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { samples: 1000, minutes: None }
    }
}

/// `[tuning]`: other samples, on which the best point of each method's grid is chosen.
///
/// For each table and method: the point with the highest success rate over the tuning samples of all the
/// table's settings together; of these the one with the lowest mean norm of its successes; of these the
/// first one of the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TuningSpec {
    /// The split that the samples are from; another one than `[data]` has.
    pub split: Option<String>,
    /// Its folder, if it is another one.
    pub root: Option<PathBuf>,
    /// Samples in a setting at most.
    pub samples: usize,
}

/// A `[[table]]`: settings that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TableSpec {
    /// The paper's tables whose printed values are shown beside what is measured, where scheme, iterations
    /// and δ agree.
    pub paper: Option<Values<u32>>,
    /// How labels are specified.
    pub scheme: Scheme,
    /// Types of labels to push out, for the global scheme.
    pub types: Option<Vec<String>>,
    /// Numbers of labels to draw, for the random scheme; those above a k are left out at that k.
    pub specified: Option<Vec<usize>>,
    /// Sizes of the predicted set.
    pub k: Vec<usize>,
    /// How many specified labels must leave the top-k; by default all that are in it.
    pub delta: Option<Values<usize>>,
    /// Iterations at most; by default 300. More than one value, here or of `delta`, makes more tables.
    pub max_iterations: Option<Values<usize>>,
    /// When a sample is done, and what counts as success; `excluded` by default.
    pub stop: Option<String>,
}

/// How labels are specified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// S1: those of a type.
    Global,
    /// S2: drawn for each sample.
    Random,
}

/// An experiment file that makes no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The text isn't that of an experiment; the parser says where and why.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A list has nothing in it.
    #[error("{place}: `{field}` is an empty list")]
    Empty {
        /// The part of the file.
        place: String,
        /// The field.
        field: &'static str,
    },
    /// A field is missing.
    #[error("{place}: `{field}` is missing: {why}")]
    Missing {
        /// The part of the file.
        place: String,
        /// The field.
        field: &'static str,
        /// What needs it.
        why: &'static str,
    },
    /// A field has no use here.
    #[error("{place}: `{field}` makes no sense: {why}")]
    Unused {
        /// The part of the file.
        place: String,
        /// The field.
        field: &'static str,
        /// Why.
        why: &'static str,
    },
    /// A number is out of range.
    #[error("{place}: `{field}` must be {expected}, found {found}")]
    OutOfRange {
        /// The part of the file.
        place: String,
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The same attack would be run on the same setting twice.
    #[error("`{run}` on `{setting}` is asked for twice")]
    Twice {
        /// The attack.
        run: String,
        /// The setting.
        setting: String,
    },
    /// A criterion that isn't one.
    #[error(transparent)]
    Criterion(#[from] UnknownCriterion),
    /// A number of a table that the paper hasn't, or that shows no results.
    #[error("the paper has no table {found} of results: expected one of 1-4, 13-23")]
    NoTable {
        /// The number.
        found: u32,
    },
    /// A number of a figure that the paper hasn't, or that shows no attacked images.
    #[error("the paper has no figure {found} of attacked images: expected one of 2-7")]
    NoFigure {
        /// The number.
        found: u32,
    },
}

/// An [`Experiment`] as lists of settings and of attacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expanded {
    /// One for each combination of `[[table]]`, `delta` and `max-iterations`.
    pub tables: Vec<Table>,
}

/// Settings and the attacks on each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The paper's tables to compare with.
    pub paper: Vec<u32>,
    /// How labels are specified.
    pub scheme: Scheme,
    /// Iterations at most.
    pub max_iterations: usize,
    /// How many specified labels must leave; all, where there is none.
    pub delta: Option<usize>,
    /// The settings, in the order of the rows.
    pub settings: Vec<Setting>,
    /// The points of each method's grid, in the order of the methods.
    pub grids: Vec<Vec<Run>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Global => "globally",
            Scheme::Random => "randomly",
        };
        write!(f, "{scheme} selected S, at most {} iterations", self.max_iterations)?;
        self.delta.map_or(Ok(()), |delta| write!(f, ", δ = {delta}"))
    }
}

impl Experiment {
    /// Reads an experiment from its TOML.
    ///
    /// # Errors
    /// [`ExperimentError::Toml`], which names the line and an unknown field.
    pub fn parse(text: &str) -> Result<Self, ExperimentError> {
        Ok(toml::from_str(text)?)
    }

    /// Takes relative paths as relative to this folder, that of the experiment's file.
    pub fn anchor(&mut self, folder: &Path) {
        let tuning = self.tuning.as_mut().and_then(|tuning| tuning.root.as_mut());
        let paths = [self.victim.model.as_mut(), self.data.root.as_mut(), tuning];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&path);
        }
    }

    /// Every table with its settings and grids, checked.
    ///
    /// # Errors
    /// [`ExperimentError`], naming the part of the file and the field.
    pub fn expand(&self, dataset: &str) -> Result<Expanded, ExperimentError> {
        for (field, empty) in
            [("table", self.tables.is_empty()), ("method", self.methods.is_empty())]
        {
            if empty {
                return Err(ExperimentError::Empty { place: "the experiment".to_owned(), field });
            }
        }
        at_least_one("budget", "samples", self.budget.samples)?;
        if let Some(minutes) = self.budget.minutes
            && !(minutes > 0.0 && minutes.is_finite())
        {
            return Err(ExperimentError::OutOfRange {
                place: "budget".to_owned(),
                field: "minutes",
                expected: "a number above 0".to_owned(),
                found: minutes.to_string(),
            });
        }
        if let Some(tuning) = &self.tuning {
            at_least_one("tuning", "samples", tuning.samples)?;
            if tuning.split.is_none() && tuning.root.is_none() {
                return Err(ExperimentError::Missing {
                    place: "tuning".to_owned(),
                    field: "split",
                    why: "the samples must be others than the reported ones",
                });
            }
        }
        let mut tables = Vec::new();
        for (number, table) in (1..).zip(&self.tables) {
            tables.extend(table.expand(&format!("table {number}"), dataset, &self.methods)?);
        }
        let mut seen = Vec::new();
        for table in &tables {
            for setting in &table.settings {
                for run in table.grids.iter().flatten() {
                    if seen.contains(&(setting, run)) {
                        let (run, setting) = (run.to_string(), setting.to_string());
                        return Err(ExperimentError::Twice { run, setting });
                    }
                    seen.push((setting, run));
                }
            }
        }
        Ok(Expanded { tables })
    }
}

impl TableSpec {
    fn expand(
        &self,
        place: &str,
        dataset: &str,
        methods: &[MethodSpec],
    ) -> Result<Vec<Table>, ExperimentError> {
        let here = || place.to_owned();
        let unused = |field, why| Err(ExperimentError::Unused { place: here(), field, why });
        let selections: Vec<Selection> = match (self.scheme, &self.types, &self.specified) {
            (Scheme::Global, Some(types), None) => {
                types.iter().map(|name| Selection::Global(name.trim().to_owned())).collect()
            }
            (Scheme::Random, None, Some(counts)) => {
                for &count in counts {
                    at_least_one(place, "specified", count)?;
                }
                counts.iter().map(|&count| Selection::Random(count)).collect()
            }
            (Scheme::Global, _, Some(_)) => {
                return unused("specified", "it is for the random scheme");
            }
            (Scheme::Random, Some(_), _) => {
                return unused("types", "they are for the global scheme");
            }
            (Scheme::Global, None, None) => {
                let why = "the global scheme needs it";
                return Err(ExperimentError::Missing { place: here(), field: "types", why });
            }
            (Scheme::Random, None, None) => {
                let why = "the random scheme needs it";
                return Err(ExperimentError::Missing { place: here(), field: "specified", why });
            }
        };
        for &k in &self.k {
            at_least_one(place, "k", k)?;
        }
        let stop = self.stop.as_deref().unwrap_or("excluded");
        let deltas: Vec<Option<usize>> = match &self.delta {
            None => vec![None],
            Some(_) if stop != "excluded" => {
                return unused("delta", "only the criterion `excluded` counts labels");
            }
            Some(deltas) => deltas.as_slice().iter().copied().map(Some).collect(),
        };
        let iterations = self.max_iterations.clone().unwrap_or(Values::One(300));
        let mut tables = Vec::new();
        for &max_iterations in iterations.as_slice() {
            at_least_one(place, "max-iterations", max_iterations)?;
            for &delta in &deltas {
                let mut grids = Vec::new();
                for method in methods {
                    let runs = method.runs(max_iterations, stop)?;
                    for run in &runs {
                        run.settings(delta)?;
                        at_least_one(place, "max-iterations", run.max_iterations)?;
                    }
                    grids.push(runs);
                }
                let settings = self.settings(&selections, delta, dataset);
                for setting in &settings {
                    check_delta(place, setting)?;
                }
                if settings.is_empty() {
                    return Err(ExperimentError::Empty { place: here(), field: "k" });
                }
                let mut paper = Vec::new();
                for &found in self.paper.as_ref().map_or(&[][..], Values::as_slice) {
                    let rows = crate::paper::table(found);
                    let first = rows.first().ok_or(ExperimentError::NoTable { found })?;
                    let this = (self.scheme, max_iterations, delta);
                    if (first.scheme, first.max_iterations, first.delta) == this {
                        paper.push(found);
                    }
                }
                let scheme = self.scheme;
                tables.push(Table { paper, scheme, max_iterations, delta, settings, grids });
            }
        }
        if tables.is_empty() {
            let field = if deltas.is_empty() { "delta" } else { "max-iterations" };
            return Err(ExperimentError::Empty { place: here(), field });
        }
        Ok(tables)
    }

    /// In the paper's order of rows: by type and then k, but by k and then |S|.
    fn settings(
        &self,
        selections: &[Selection],
        delta: Option<usize>,
        dataset: &str,
    ) -> Vec<Setting> {
        let setting = |selection: &Selection, k| Setting {
            dataset: dataset.to_owned(),
            selection: selection.clone(),
            k,
            delta,
        };
        let pairs: Vec<(&Selection, usize)> = match self.scheme {
            Scheme::Global => selections
                .iter()
                .flat_map(|selection| self.k.iter().map(move |&k| (selection, k)))
                .collect(),
            Scheme::Random => self
                .k
                .iter()
                .flat_map(|&k| selections.iter().map(move |selection| (selection, k)))
                .collect(),
        };
        let exists = |(selection, k): &(&Selection, usize)| match selection {
            Selection::Random(specified) => specified <= k,
            Selection::Global(_) => true,
        };
        pairs.into_iter().filter(exists).map(|(selection, k)| setting(selection, k)).collect()
    }
}

fn at_least_one(place: &str, field: &'static str, found: usize) -> Result<(), ExperimentError> {
    match found {
        0 => Err(ExperimentError::OutOfRange {
            place: place.to_owned(),
            field,
            expected: "at least 1".to_owned(),
            found: "0".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// More labels than are specified can't leave.
fn check_delta(place: &str, setting: &Setting) -> Result<(), ExperimentError> {
    let Some(delta) = setting.delta else { return Ok(()) };
    let most = match setting.selection {
        Selection::Random(specified) => specified,
        Selection::Global(_) => setting.k,
    };
    if (1..=most).contains(&delta) {
        return Ok(());
    }
    Err(ExperimentError::OutOfRange {
        place: format!("{place}, {setting}"),
        field: "delta",
        expected: format!("in 1..={most}"),
        found: delta.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn repository(path: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        fs::read_to_string(root.join(path)).unwrap()
    }

    #[test]
    fn the_file_in_the_book_is_one() {
        let page = repository("docs/src/experiments.md");
        let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let tables = Experiment::parse(text).unwrap().expand("VOC 2012").unwrap().tables;
        let sizes: Vec<_> =
            tables.iter().map(|table| (table.settings.len(), table.grids.len())).collect();
        // At k = 2 there is no |S| = 3.
        assert_eq!(sizes, [(12, 3), (3, 3), (3, 3), (3, 3)]);
        assert_eq!(tables[0].grids.iter().map(Vec::len).collect::<Vec<_>>(), [16, 2, 1]);
    }

    #[test]
    fn mini_voc_has_the_settings_of_the_three_tables() {
        let experiment = Experiment::parse(&repository("experiments/mini-voc.toml")).unwrap();
        let tables = experiment.expand("mini-VOC").unwrap().tables;
        assert_eq!(
            tables.iter().map(|table| table.paper.clone()).collect::<Vec<_>>(),
            [[15], [16], [17]]
        );
        for table in tables {
            for setting in &table.settings {
                for grid in &table.grids {
                    let printed = crate::paper::printed(&table, setting, grid[0].method);
                    assert!(printed.is_some(), "{setting}: {}", grid[0]);
                }
            }
        }
    }

    #[test]
    fn paths_are_relative_to_the_file_and_the_output_is_not() {
        let mut experiment = Experiment::parse(&repository("experiments/mini-voc.toml")).unwrap();
        experiment.anchor(Path::new("folder"));
        let root = experiment.data.root.unwrap();
        assert!(root.starts_with("folder") && root.ends_with("assets/mini-voc/VOC2012"));
        assert_eq!(experiment.output.unwrap(), Path::new("out/mini-voc"));
    }
}
