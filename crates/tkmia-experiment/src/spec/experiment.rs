//! [`Experiment`]: what is to be run, as one TOML file says it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tkmia_data::DatasetKind;

use super::error::SpecError;
use super::method::MethodSpec;
use super::table::{Table, TableSpec};
use super::values::at_least_one;
use super::victim::VictimSpec;

/// An experiment: a victim, its images, tables of settings, and the methods that fill them.
///
/// Every method is run on every setting of every table. Fields that aren't known are refused.
///
/// # Example
///
/// ```
/// use tkmia_experiment::Experiment;
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
/// assert_eq!(experiment.expand("VOC 2012")?[0].settings.len(), 6);
/// # Ok::<(), tkmia_experiment::SpecError>(())
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
    /// The classifier; one of several, see [`parse_each`](Self::parse_each).
    #[serde(default, skip_serializing_if = "VictimSpec::is_default")]
    pub victim: VictimSpec,
    /// Its images.
    pub data: DataSpec,
    /// How much is done at most.
    #[serde(default)]
    pub budget: Budget,
    /// How hyper-parameters are chosen; without it every point of a grid is a method of its own.
    pub tuning: Option<TuningSpec>,
    /// Where universal perturbations are fitted; without it, to what the settings leave over of the images.
    #[serde(default, skip_serializing_if = "FitSpec::is_default")]
    pub fit: FitSpec,
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
    /// Images in a setting, the first eligible ones in the data set's order; in the paper 1000.
    pub samples: usize,
    /// How often the random scheme draws `S` for each image, 5 by default; in the paper once. What is drawn again
    /// isn't attacked again.
    pub draws: usize,
    /// A run ends after so many minutes as if it were interrupted, and continues when it is started again.
    pub minutes: Option<f64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { samples: 1000, draws: 5, minutes: None }
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
    /// The split that the samples are from, if it is another one than `[data]` has.
    pub split: Option<String>,
    /// Its folder, if it is another one.
    pub root: Option<PathBuf>,
    /// Which share of `[data]`'s own images is kept for this, and not reported: in place of another split, which is often
    /// the one that the victim was trained on.
    pub share: Option<f64>,
    /// Samples in a setting at most.
    pub samples: usize,
}

/// `[fit]`: the images that universal perturbations are fitted to. None is a reported sample of its setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FitSpec {
    /// The split that the images are from, if it is another one than `[data]` has.
    pub split: Option<String>,
    /// Its folder, if it is another one.
    pub root: Option<PathBuf>,
    /// Images for a setting at most, drawn by the experiment's seed.
    pub samples: usize,
}

impl FitSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for FitSpec {
    fn default() -> Self {
        Self { split: None, root: None, samples: 1000 }
    }
}

/// Attacks on settings at most: lists of a few values multiply.
const MOST_ATTACKS: usize = 1 << 14;

impl Experiment {
    /// Every method on every setting of every table, on at most 1000 samples each; without a tuning.
    pub fn new(
        title: impl Into<String>,
        data: DataSpec,
        tables: Vec<TableSpec>,
        methods: Vec<MethodSpec>,
    ) -> Self {
        Self {
            title: title.into(),
            output: None,
            seed: default_seed(),
            pictures: default_pictures(),
            victim: VictimSpec::default(),
            data,
            budget: Budget::default(),
            tuning: None,
            fit: FitSpec::default(),
            tables,
            methods,
        }
    }

    /// Reads an experiment from its TOML.
    ///
    /// # Errors
    /// [`SpecError::Toml`] and [`SpecError::VictimField`], which name the line and an unknown field.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        Ok(toml::from_str(text)?)
    }

    /// Takes relative paths as relative to this folder, that of the experiment's file.
    pub fn anchor(&mut self, folder: &Path) {
        let tuning = self.tuning.as_mut().and_then(|tuning| tuning.root.as_mut());
        let fit = self.fit.root.as_mut();
        let paths = [self.victim.model.as_mut(), self.data.root.as_mut(), tuning, fit];
        for path in paths.into_iter().flatten().chain(&mut self.victim.surrogate) {
            *path = folder.join(&path);
        }
    }

    /// Settings of all tables times points of all grids.
    fn attacks(&self) -> usize {
        let sum = |counts: &mut dyn Iterator<Item = usize>| counts.fold(0, usize::saturating_add);
        let points = sum(&mut self.methods.iter().map(MethodSpec::points));
        sum(&mut self.tables.iter().map(TableSpec::settings_at_most)).saturating_mul(points)
    }

    /// The tables with their settings and grids, checked: one for each combination of `[[table]]`,
    /// `delta` and `max-iterations`.
    ///
    /// # Errors
    /// [`SpecError`], naming the part of the file and the field.
    pub fn expand(&self, dataset: &str) -> Result<Vec<Table>, SpecError> {
        for (field, empty) in
            [("table", self.tables.is_empty()), ("method", self.methods.is_empty())]
        {
            if empty {
                let place = "the experiment".to_owned();
                return Err(SpecError::Field { place, field, fault: "is an empty list" });
            }
        }
        let attacks = self.attacks();
        if attacks > MOST_ATTACKS {
            return Err(SpecError::OutOfRange {
                place: "the experiment".to_owned(),
                field: "table",
                expected: format!("settings times methods of at most {MOST_ATTACKS}"),
                found: attacks.to_string(),
            });
        }
        at_least_one("budget", "samples", self.budget.samples)?;
        at_least_one("budget", "draws", self.budget.draws)?;
        if let Some(minutes) = self.budget.minutes
            && !(minutes > 0.0 && minutes.is_finite())
        {
            return Err(SpecError::OutOfRange {
                place: "budget".to_owned(),
                field: "minutes",
                expected: "a number above 0".to_owned(),
                found: minutes.to_string(),
            });
        }
        if let Some(tuning) = &self.tuning {
            at_least_one("tuning", "samples", tuning.samples)?;
            let place = || "tuning".to_owned();
            match (tuning.split.is_some() || tuning.root.is_some(), tuning.share) {
                (false, None) => {
                    let fault = "is missing, or a `split`: the samples must be others than the reported ones";
                    return Err(SpecError::Field { place: place(), field: "share", fault });
                }
                (true, Some(_)) => {
                    let fault = "is of the reported images, and goes with no `split` or `root`";
                    return Err(SpecError::Field { place: place(), field: "share", fault });
                }
                (false, Some(share)) if !(share > 0.0 && share < 1.0) => {
                    return Err(SpecError::OutOfRange {
                        place: place(),
                        field: "share",
                        expected: "a number between 0 and 1".to_owned(),
                        found: share.to_string(),
                    });
                }
                _ => {}
            }
        }
        at_least_one("fit", "samples", self.fit.samples)?;
        let mut tables = Vec::new();
        for (number, table) in (1..).zip(&self.tables) {
            tables.extend(table.expand(&format!("table {number}"), dataset, &self.methods)?);
        }
        let mut seen = Vec::new();
        for table in &tables {
            for pair in table.attacks() {
                if seen.contains(&pair) {
                    let (setting, run) = (pair.0.to_string(), pair.1.to_string());
                    return Err(SpecError::Twice { run, setting });
                }
                seen.push(pair);
            }
        }
        Ok(tables)
    }
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
        let tables = Experiment::parse(text).unwrap().expand("VOC 2012").unwrap();
        let sizes: Vec<_> =
            tables.iter().map(|table| (table.settings.len(), table.grids.len())).collect();
        // At k = 2 there is no |S| = 3.
        assert_eq!(sizes, [(12, 3), (3, 3), (3, 3), (3, 3)]);
        assert_eq!(tables[0].grids.iter().map(Vec::len).collect::<Vec<_>>(), [16, 2, 1]);
    }

    #[test]
    fn mini_voc_has_the_settings_of_the_three_tables() {
        let experiment = Experiment::parse(&repository("experiments/mini-voc.toml")).unwrap();
        let tables = experiment.expand("mini-VOC").unwrap();
        assert_eq!(
            tables.iter().map(|table| table.paper.clone()).collect::<Vec<_>>(),
            [[15], [16], [17]]
        );
        for table in tables {
            for setting in &table.settings {
                for grid in &table.grids {
                    let printed = table.printed(setting, grid[0].name());
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

    #[test]
    fn an_experiment_is_read_as_it_is_written() {
        let experiment = Experiment::parse(&repository("experiments/mini-voc.toml")).unwrap();
        let text = toml::to_string(&experiment).unwrap();
        assert_eq!(Experiment::parse(&text).unwrap(), experiment, "{text}");
    }
}
