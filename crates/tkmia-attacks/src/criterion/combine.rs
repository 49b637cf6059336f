//! [`And`], [`Or`] and [`Not`]: criteria made of criteria.

use std::sync::Arc;

use super::{Criterion, Standing};

/// All of these hold; met where there is none.
///
/// Margin: the largest one (`−∞` of none). Where parts differ in unit, as [`MeasureBudget`] does from
/// the others, only its sign has a meaning.
///
/// [`MeasureBudget`]: super::MeasureBudget
///
/// # Example: the specified labels leave, and AP@k drops by at most 0.05
///
/// ```
/// use tkmia_attacks::{Criterion, Measure, MeasureBudget, SpecifiedOut};
///
/// let budget = MeasureBudget { measure: Measure::AveragePrecision, at_most: 0.05 };
/// let criterion = SpecifiedOut::default().and(budget);
/// assert_eq!(criterion.0.len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct And(pub Vec<Arc<dyn Criterion>>);

impl Criterion for And {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        self.0.iter().all(|part| part.is_met(standing))
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        self.0.iter().map(|part| part.margin(standing)).fold(f64::NEG_INFINITY, f64::max)
    }

    fn leaving(&self) -> Option<usize> {
        self.0.iter().filter_map(|part| part.leaving()).max()
    }
}

/// At least one of these holds; not met where there is none.
///
/// Margin: the smallest one (`∞` of none), with the reserve of [`And`] about units.
#[derive(Debug, Clone)]
pub struct Or(pub Vec<Arc<dyn Criterion>>);

impl Criterion for Or {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        self.0.iter().any(|part| part.is_met(standing))
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        self.0.iter().map(|part| part.margin(standing)).fold(f64::INFINITY, f64::min)
    }
}

/// This one doesn't hold. Margin: the negative of its margin.
#[derive(Debug, Clone)]
pub struct Not(pub Arc<dyn Criterion>);

impl Criterion for Not {
    fn is_met(&self, standing: &Standing<'_>) -> bool {
        !self.0.is_met(standing)
    }

    fn margin(&self, standing: &Standing<'_>) -> f64 {
        -self.0.margin(standing)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ONE_OUT, weigh};
    use super::super::{PrecisionPreserved, SpecifiedOut};
    use super::*;

    // Alone: (false, 2) and (true, −1).
    const OUT: SpecifiedOut = SpecifiedOut { delta: None };
    const KEPT: PrecisionPreserved = PrecisionPreserved;

    #[test]
    fn and_is_as_far_as_its_farthest_part_and_or_as_its_nearest() {
        let weigh = |criterion: &dyn Criterion| weigh(criterion, &[1], ONE_OUT);
        assert_eq!((weigh(&OUT), weigh(&KEPT)), ((false, 2.0), (true, -1.0)));
        assert_eq!(weigh(&OUT.and(KEPT)), (false, 2.0));
        assert_eq!(weigh(&OUT.or(KEPT)), (true, -1.0));
        assert_eq!(weigh(&OUT.not()), (true, -2.0));
        assert_eq!(weigh(&OUT.not().and(KEPT)), (true, -1.0));
    }

    #[test]
    fn nothing_to_fulfil_is_fulfilled_and_nothing_to_choose_from_is_not() {
        assert_eq!(weigh(&And(vec![]), &[1], ONE_OUT), (true, f64::NEG_INFINITY));
        assert_eq!(weigh(&Or(vec![]), &[1], ONE_OUT), (false, f64::INFINITY));
    }
}
