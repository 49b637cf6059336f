//! [`criterion`]: a criterion by its name, for command lines and configurations.

use std::sync::Arc;

use super::{
    AllRelevantOut, Criterion, Imperceptible, MeasurePreserving, PrecisionPreserved, SpecifiedOut,
    TargetReached,
};

/// The names that [`criterion`] knows, the paper's evaluation first.
pub const CRITERION_NAMES: [&str; 6] = [
    "excluded",
    "imperceptible",
    "measure-preserving",
    "precision-preserved",
    "all-relevant-out",
    "target-reached",
];

/// A criterion name that isn't one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown criterion `{0}`: expected one of {names}", names = CRITERION_NAMES.join(", "))]
pub struct UnknownCriterion(String);

/// The criterion of that name, one of [`CRITERION_NAMES`].
///
/// `delta` is how many specified labels must leave, see [`SpecifiedOut::delta`]; only `excluded`
/// counts, the others have no use for it.
///
/// # Errors
/// [`UnknownCriterion`], which lists the names.
///
/// # Example
///
/// ```
/// use tkmia_attacks::criterion;
///
/// assert!(criterion("excluded", Some(2)).is_ok());
/// let error = criterion("invisible", None).unwrap_err().to_string();
/// assert!(error.contains("`invisible`") && error.contains("imperceptible"));
/// ```
pub fn criterion(name: &str, delta: Option<usize>) -> Result<Arc<dyn Criterion>, UnknownCriterion> {
    let criterion: Arc<dyn Criterion> = match name {
        "excluded" => Arc::new(SpecifiedOut { delta }),
        "imperceptible" => Arc::new(Imperceptible),
        "measure-preserving" => Arc::new(MeasurePreserving),
        "precision-preserved" => Arc::new(PrecisionPreserved),
        "all-relevant-out" => Arc::new(AllRelevantOut),
        "target-reached" => Arc::new(TargetReached),
        _ => return Err(UnknownCriterion(name.to_owned())),
    };
    Ok(criterion)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ONE_OUT, weigh};
    use super::*;

    #[test]
    fn every_name_of_the_list_is_known() {
        for name in CRITERION_NAMES {
            assert!(criterion(name, None).is_ok(), "{name}");
        }
    }

    #[test]
    fn delta_reaches_the_criterion_that_counts() {
        let verdict = |delta| weigh(&criterion("excluded", delta).unwrap(), &[0, 1], ONE_OUT);
        assert_eq!((verdict(Some(1)), verdict(None)), ((true, -3.0), (false, 2.0)));
    }
}
