//! [`Setting`]: what is attacked, whatever the method.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is attacked, whatever the method.
///
/// # Example
///
/// ```
/// use tkmia_experiment::{Selection, Setting};
///
/// let setting = Setting {
///     dataset: "VOC 2012".to_owned(),
///     selection: Selection::Random(2),
///     k: 3,
///     delta: Some(2),
/// };
/// assert_eq!(setting.to_string(), "random |S| = 2, k = 3, δ = 2");
/// let json = r#"{"dataset":"VOC 2012","random":2,"k":3,"delta":2}"#;
/// assert_eq!(serde_json::to_string(&setting)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Setting {
    /// The name of the data set.
    pub dataset: String,
    /// Which labels are specified.
    #[serde(flatten)]
    pub selection: Selection,
    /// Size of the predicted set.
    pub k: usize,
    /// How many specified labels must leave the top-k; all that are in it, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<usize>,
}

/// Which labels of a sample are specified.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Selection {
    /// The global scheme (S1): those of a type of labels, such as `Animals`.
    #[serde(rename = "types")]
    Global(String),
    /// The random scheme (S2): so many, drawn from the relevant ones in the clean top-k.
    #[serde(rename = "random")]
    Random(usize),
}

impl Setting {
    /// How many different `S` an image has at most in so many draws: no more than there are choices of so many labels
    /// out of k.
    pub(crate) fn different(&self, draws: usize) -> usize {
        let Selection::Random(count) = self.selection else { return 1 };
        let Some(left) = self.k.checked_sub(count) else { return 0 };
        let mut choices = 1.0;
        for at in 0..count.min(left) {
            choices *= (self.k - at) as f64 / (at + 1) as f64;
            // They only become more.
            if choices >= draws as f64 {
                return draws;
            }
        }
        draws.min(choices.round() as usize)
    }
}

/// How labels are specified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// S1: those of a type.
    #[default]
    Global,
    /// S2: drawn for each sample.
    Random,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global(types) => write!(f, "{types}"),
            Self::Random(specified) => write!(f, "random |S| = {specified}"),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, k = {}", self.selection, self.k)?;
        self.delta.map_or(Ok(()), |delta| write!(f, ", δ = {delta}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_one_of_the_choices_that_there_are() {
        let setting = |selection, k| Setting { dataset: String::new(), selection, k, delta: None };
        let random = |k| setting(Selection::Random(2), k).different(5);
        assert_eq!([2, 3, 4].map(random), [1, 3, 5]);
        assert_eq!(setting(Selection::Global("a".to_owned()), 3).different(5), 1);
    }

    #[test]
    fn a_setting_is_read_as_it_is_written() {
        let random = Selection::Random(2);
        for (selection, delta) in [(random, Some(2)), (Selection::Global("a".to_owned()), None)] {
            let setting = Setting { dataset: "toy".to_owned(), selection, k: 3, delta };
            let json = serde_json::to_string(&setting).unwrap();
            assert_eq!(serde_json::from_str::<Setting>(&json).unwrap(), setting, "{json}");
        }
    }
}
