//! [`Stop`]: a criterion as settings hold it.

use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::parse::parse;
use super::{Criterion, SpecifiedOut, UnknownCriterion};

/// When an image is done, and what counts as success.
///
/// It is written as names, with their arguments in parentheses, joined by `and`, `or` and `not`:
/// `excluded`, `imperceptible`, `measure-preserving`, `precision-preserved`, `all-relevant-out`,
/// `target-reached`, `target-in-order`, `target-set(1, 2)`, `ordered-top-k(2, 1)`, `measure-budget(ndcg, 0.05)`; and at the end [`by`](super::By) a margin. Labels are
/// indices. The default is the paper's evaluation, `excluded`.
///
/// # Example
///
/// ```
/// use tkmia_attacks::Stop;
///
/// let stop: Stop = "excluded and not(all-relevant-out or ordered-top-k(3, 1))".parse()?;
/// assert_eq!(stop.to_string(), "excluded and not(all-relevant-out or ordered-top-k(3, 1))");
/// let error = "invisible".parse::<Stop>().unwrap_err().to_string();
/// assert!(error.contains("`invisible`") && error.contains("imperceptible"));
/// # Ok::<(), tkmia_attacks::UnknownCriterion>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize, derive_more::Display)]
#[serde(into = "String", try_from = "String")]
pub struct Stop(pub Arc<dyn Criterion>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(SpecifiedOut))
    }
}

impl Deref for Stop {
    type Target = dyn Criterion;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

impl PartialEq for Stop {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl<C: Criterion + 'static> From<C> for Stop {
    fn from(criterion: C) -> Self {
        Self(Arc::new(criterion))
    }
}

impl From<Stop> for String {
    fn from(stop: Stop) -> Self {
        stop.to_string()
    }
}

impl FromStr for Stop {
    type Err = UnknownCriterion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self)
    }
}

impl TryFrom<String> for Stop {
    type Error = UnknownCriterion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
