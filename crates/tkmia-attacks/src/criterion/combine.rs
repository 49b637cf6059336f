//! [`And`], [`Or`] and [`Not`]: criteria made of criteria.

use std::fmt;
use std::sync::Arc;

use super::{Criterion, Keep, Leaving, SampleState};

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
/// use tkmia_attacks::{Criterion, MeasureBudget, SpecifiedOut};
/// use tkmia_metrics::Measure;
///
/// let measure = Measure::named("ap").expect("a measure's name");
/// let budget = MeasureBudget { measure, at_most: 0.05 };
/// let criterion = SpecifiedOut.and(budget);
/// assert_eq!(criterion.to_string(), "excluded and measure-budget(ap, 0.05)");
/// ```
#[derive(Debug, Clone)]
pub struct And(pub Vec<Arc<dyn Criterion>>);

impl Criterion for And {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        self.0.iter().all(|part| part.is_met(state))
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        self.0.iter().map(|part| part.margin(state)).fold(f64::NEG_INFINITY, f64::max)
    }

    fn leaving(&self, delta: Option<usize>) -> Option<Leaving> {
        self.0.iter().filter_map(|part| part.leaving(delta)).max()
    }

    fn keeps(&self) -> Option<Keep> {
        let parts = self.0.iter().map(|part| part.keeps());
        parts.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    fn needs_target(&self) -> bool {
        self.0.iter().any(|part| part.needs_target())
    }
}

impl fmt::Display for And {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(&self.0, "and", f)
    }
}

/// Parts with a word between them; parts that have several words stand in parentheses.
fn joined(parts: &[Arc<dyn Criterion>], word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if parts.is_empty() {
        return write!(f, "nothing {word} nothing");
    }
    for (at, part) in parts.iter().enumerate() {
        let part = part.to_string();
        let before = if at > 0 { format!(" {word} ") } else { String::new() };
        match is_joined(&part) {
            true => write!(f, "{before}({part})")?,
            false => write!(f, "{before}{part}")?,
        }
    }
    Ok(())
}

/// Whether a word joins parts outside all parentheses.
fn is_joined(text: &str) -> bool {
    let mut depth = 0;
    text.split(' ').any(|word| {
        let outside = depth == 0;
        depth += word.matches('(').count();
        depth -= word.matches(')').count().min(depth);
        outside && ["and", "or"].contains(&word)
    })
}

/// At least one of these holds; not met where there is none.
///
/// Margin: the smallest one (`∞` of none), with the caveat of [`And`] about units.
#[derive(Debug, Clone)]
pub struct Or(pub Vec<Arc<dyn Criterion>>);

impl Criterion for Or {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        self.0.iter().any(|part| part.is_met(state))
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        self.0.iter().map(|part| part.margin(state)).fold(f64::INFINITY, f64::min)
    }

    fn needs_target(&self) -> bool {
        self.0.iter().any(|part| part.needs_target())
    }
}

impl fmt::Display for Or {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(&self.0, "or", f)
    }
}

/// This one doesn't hold. Margin: the negative of its margin.
#[derive(Debug, Clone, derive_more::Display)]
#[display("not({_0})")]
pub struct Not(pub Arc<dyn Criterion>);

impl Criterion for Not {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        !self.0.is_met(state)
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        -self.0.margin(state)
    }

    fn needs_target(&self) -> bool {
        self.0.needs_target()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ONE_OUT, weigh};
    use super::super::{PrecisionPreserved, SpecifiedOut};
    use super::*;

    // Alone: (false, 2) and (true, −1).
    const OUT: SpecifiedOut = SpecifiedOut;
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
