//! [`By`]: a criterion, and how far an attack goes beyond it.

use std::fmt;
use std::sync::Arc;

use super::{Criterion, Leaving, SampleState};

/// An attack goes on until a criterion holds by a margin: the confidence κ of Carlini & Wagner, S&P 2017. What counts as success is the
/// criterion itself.
///
/// An image that just fulfils it on a surrogate does so on hardly any other network. Descents and Square take on samples too of which no
/// specified label is in the clean top-k, as on a surrogate that doesn't see one.
///
/// # Example
///
/// ```
/// use tkmia_attacks::Stop;
///
/// let stop: Stop = "excluded by 2.5".parse()?;
/// assert_eq!(stop.to_string(), "excluded by 2.5");
/// assert_eq!(stop.wanted().map(ToString::to_string), Some("excluded".to_owned()));
/// # Ok::<(), tkmia_attacks::UnknownCriterion>(())
/// ```
#[derive(Debug, Clone)]
pub struct By {
    /// What counts.
    pub criterion: Arc<dyn Criterion>,
    /// In the unit of its [margin](Criterion::margin), above 0.
    pub margin: f64,
}

impl Criterion for By {
    fn is_met(&self, state: &SampleState<'_>) -> bool {
        self.criterion.is_met(state) && self.margin(state) <= 0.0
    }

    fn margin(&self, state: &SampleState<'_>) -> f64 {
        self.criterion.margin(state) + self.margin
    }

    fn leaving(&self, delta: Option<usize>) -> Option<Leaving> {
        self.criterion.leaving(delta)
    }

    fn needs_target(&self) -> bool {
        self.criterion.needs_target()
    }

    fn wanted(&self) -> Option<&dyn Criterion> {
        Some(&*self.criterion)
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { criterion, margin } = self;
        write!(f, "{criterion} by {margin}")
    }
}
