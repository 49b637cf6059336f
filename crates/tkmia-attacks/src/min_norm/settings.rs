//! [`MinNorm`]: the settings of the minimum-norm form.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MinNormAttack;
use crate::error::check;
use crate::{AttackError, AttackName, Keep, Limits, Norm, Stop, Variant};

/// The smallest perturbation under the tight constraints: it has no learning rate, no α and no momentum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct MinNorm {
    /// Norm of the ball that pgd, mi-fgsm, auto-pgd, square and universal attacks stay in, and what min-norm makes small
    pub norm: Norm,
    /// How the minimum-norm form gets to its constraints
    pub solver: Solver,
    /// Searches of the minimum-norm form at most [default: as long as passes are left]
    pub rounds: Option<usize>,
    /// What the minimum-norm form keeps of the clean ranking, or more where --stop needs it
    pub keep: Keep,
    /// How many times the clean image's margin of rank k over k + 1 the minimum-norm form leaves at least [default: any
    /// margin will do]
    pub border_margin: Option<f64>,
}

named! {
    /// How the minimum-norm form reaches the tight constraints.
    #[derive(Default)]
    pub enum Solver {
        /// Sequential quadratic programmes for a target set chosen by its linearised cost; with passes to spare
        /// first-order steps too, and the programmes again from the better of both
        #[default]
        Sequential,
        /// The same for the target set that the clean scores suggest
        SequentialByScore,
        /// One gradient a pass on the most violated contest: decoupled direction and norm (Rony et al. 2019); in
        /// linf steps along its sign, clipped to a radius that follows success (Pintor et al. 2021)
        FirstOrder,
    }
}

impl MinNorm {
    /// The runnable attack.
    pub(crate) fn init(&self, limits: Limits, stop: &Stop) -> Result<MinNormAttack, AttackError> {
        // What the criterion needs is kept, whatever the knob says.
        let keep = stop.leaving(None).and_then(|_| stop.keeps());
        let keep =
            keep.map(|needed| needed.max(self.keep)).ok_or_else(|| AttackError::NotSearched {
                method: format!("{} ({})", AttackName::Tkmia, Variant::MinNorm),
                criterion: stop.to_string(),
            })?;
        let Self { norm, solver, rounds, border_margin, .. } = *self;
        check("rounds", "at least 1", rounds.unwrap_or(1) as f64, rounds != Some(0))?;
        let margin = border_margin.unwrap_or_default();
        check(
            "border margin",
            "a number of at least 0",
            margin,
            (0.0..f64::INFINITY).contains(&margin),
        )?;
        let Limits { max_iterations, max_forward, max_backward } = limits;
        let caps = [max_forward, max_backward].into_iter().flatten();
        let max_passes = caps.fold(max_iterations, usize::min);
        check("max backward passes", "at least 1", max_passes as f64, max_passes > 0)?;
        let stop = stop.clone();
        Ok(MinNormAttack { norm, solver, rounds, keep, border_margin, stop, max_passes })
    }
}

/// What records call it beside its name: what isn't at its default.
impl fmt::Display for MinNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { norm, solver, rounds, keep, border_margin } = self;
        if *keep != Keep::default() {
            write!(f, ", keep {keep}")?;
        }
        if let Some(margin) = border_margin {
            write!(f, ", border margin {margin}")?;
        }
        if *norm != Norm::default() {
            write!(f, ", {norm}")?;
        }
        if *solver != Solver::default() {
            write!(f, ", {solver}")?;
        }
        rounds.map_or(Ok(()), |rounds| write!(f, ", {rounds} rounds"))
    }
}
