//! [`TableSpec`], settings that belong together as the file has them, and [`Table`], what they expand to.

use serde::{Deserialize, Serialize};
use tkmia_attacks::{AttackName, AttackSettings, Stop};

use super::error::SpecError;
use super::method::MethodSpec;
use super::values::{Values, at_least_one};
use crate::paper::{self, Printed};
use crate::setting::{Scheme, Selection, Setting};

/// A `[[table]]`: settings that belong together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    pub stop: Option<Stop>,
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
    pub grids: Vec<Vec<AttackSettings>>,
}

impl Table {
    /// All points of all grids.
    pub fn runs(&self) -> impl Iterator<Item = &AttackSettings> {
        self.grids.iter().flatten()
    }

    /// Every setting with every point of every grid.
    pub fn attacks(&self) -> impl Iterator<Item = (&Setting, &AttackSettings)> {
        self.settings.iter().flat_map(|setting| self.runs().map(move |run| (setting, run)))
    }

    /// What the paper's tables print for a setting and an attack.
    pub fn printed(&self, setting: &Setting, attack: AttackName) -> Option<&'static Printed> {
        paper::printed(&self.paper, self.max_iterations, setting, attack)
    }
}

impl TableSpec {
    /// Labels of these types out of the top `k`, for each `k`.
    pub fn global(types: impl IntoIterator<Item = impl Into<String>>, k: &[usize]) -> Self {
        let types = Some(types.into_iter().map(Into::into).collect());
        Self { scheme: Scheme::Global, types, k: k.to_vec(), ..Self::default() }
    }

    /// So many labels, drawn for each sample, out of the top `k`, for each `k`.
    pub fn random(specified: &[usize], k: &[usize]) -> Self {
        let specified = Some(specified.to_vec());
        Self { scheme: Scheme::Random, specified, k: k.to_vec(), ..Self::default() }
    }

    /// How many settings it has, of all its tables; those that are left out are counted.
    pub(super) fn settings_at_most(&self) -> usize {
        fn given<T>(values: Option<&[T]>) -> usize {
            values.map_or(1, <[T]>::len)
        }
        [
            given(self.types.as_deref()),
            given(self.specified.as_deref()),
            given(self.delta.as_ref().map(Values::as_slice)),
            given(self.max_iterations.as_ref().map(Values::as_slice)),
            self.k.len(),
        ]
        .into_iter()
        .fold(1, usize::saturating_mul)
    }

    pub(super) fn expand(
        &self,
        place: &str,
        dataset: &str,
        methods: &[MethodSpec],
    ) -> Result<Vec<Table>, SpecError> {
        let wrong = |field, fault| Err(SpecError::Field { place: place.to_owned(), field, fault });
        let empty = |field| wrong(field, "is an empty list");
        let selections = self.selections(place)?;
        for &k in &self.k {
            at_least_one(place, "k", k)?;
        }
        let stop = self.stop.clone().unwrap_or_default();
        let deltas: Vec<Option<usize>> = match &self.delta {
            None => vec![None],
            Some(_) if stop.leaving(Some(1)) == stop.leaving(None) => {
                return wrong("delta", "is of no use: the criterion counts no labels");
            }
            Some(deltas) => deltas.as_slice().iter().copied().map(Some).collect(),
        };
        let iterations = self.max_iterations.clone().unwrap_or(Values::One(300));
        let mut tables = Vec::new();
        for &max_iterations in iterations.as_slice() {
            at_least_one(place, "max-iterations", max_iterations)?;
            for &delta in &deltas {
                let grids = methods.iter().map(|method| method.grid(max_iterations, &stop));
                let grids = grids.collect::<Result<_, _>>()?;
                let settings = self.settings(&selections, delta, dataset);
                for setting in &settings {
                    check_delta(place, setting)?;
                }
                if settings.is_empty() {
                    return empty("k");
                }
                let (paper, scheme) = (self.paper(max_iterations, delta)?, self.scheme);
                tables.push(Table { paper, scheme, max_iterations, delta, settings, grids });
            }
        }
        match tables.is_empty() {
            true if deltas.is_empty() => empty("delta"),
            true => empty("max-iterations"),
            false => Ok(tables),
        }
    }

    fn selections(&self, place: &str) -> Result<Vec<Selection>, SpecError> {
        let wrong = |field, fault| Err(SpecError::Field { place: place.to_owned(), field, fault });
        match (self.scheme, &self.types, &self.specified) {
            (Scheme::Global, Some(types), None) => {
                Ok(types.iter().map(|name| Selection::Global(name.trim().to_owned())).collect())
            }
            (Scheme::Random, None, Some(counts)) => {
                counts.iter().try_for_each(|&count| at_least_one(place, "specified", count))?;
                Ok(counts.iter().map(|&count| Selection::Random(count)).collect())
            }
            (Scheme::Global, _, Some(_)) => wrong("specified", "is for the random scheme"),
            (Scheme::Random, Some(_), _) => wrong("types", "is for the global scheme"),
            (Scheme::Global, None, None) => {
                wrong("types", "is missing: the global scheme needs it")
            }
            (Scheme::Random, None, None) => {
                wrong("specified", "is missing: the random scheme needs it")
            }
        }
    }

    /// Those of the paper's tables that these settings are those of.
    fn paper(&self, max_iterations: usize, delta: Option<usize>) -> Result<Vec<u32>, SpecError> {
        let mut paper = Vec::new();
        for &found in self.paper.as_ref().map_or(&[][..], Values::as_slice) {
            let rows = paper::table(found);
            let first = rows.first().ok_or(SpecError::NoTable { found })?;
            let this = (self.scheme, max_iterations, delta);
            if (first.scheme, first.max_iterations, first.delta) == this {
                paper.push(found);
            }
        }
        Ok(paper)
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
        let of_selection = |selection| self.k.iter().map(move |&k| setting(selection, k));
        let of_k = |&k| selections.iter().map(move |selection| setting(selection, k));
        let mut settings: Vec<Setting> = match self.scheme {
            Scheme::Global => selections.iter().flat_map(of_selection).collect(),
            Scheme::Random => self.k.iter().flat_map(of_k).collect(),
        };
        settings.retain(|Setting { selection, k, .. }| match selection {
            Selection::Random(specified) => specified <= k,
            Selection::Global(_) => true,
        });
        settings
    }
}

/// More labels than are specified can't leave.
fn check_delta(place: &str, setting: &Setting) -> Result<(), SpecError> {
    let Some(delta) = setting.delta else { return Ok(()) };
    let most = match setting.selection {
        Selection::Random(specified) => specified,
        Selection::Global(_) => setting.k,
    };
    if (1..=most).contains(&delta) {
        return Ok(());
    }
    Err(SpecError::OutOfRange {
        place: format!("{place}, {setting}"),
        field: "delta",
        expected: format!("in 1..={most}"),
        found: delta.to_string(),
    })
}
