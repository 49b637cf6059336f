//! [`RoundingL2`]: a perturbation that succeeds after its image was stored in 8 bits, too.

use super::super::forecast::Forecast;
use super::super::model::Model;
use super::super::task::{Found, Start, Task, norm};
use super::pixels::{choose, nearest, rounded_perturbation};
use crate::readback::Scored;

/// Chooses the pixel that each element rounds to, and then a small perturbation that rounds to these
/// pixels.
///
/// Most elements are less than half a pixel step and round back to the clean pixel. Just over the
/// border an element rounds away from it: it counts for a whole step and costs half a one. Elements
/// with the most effect for their cost are pushed over theirs until the rounded image succeeds. The
/// image itself then has more effect than it needs, so that the other elements can become smaller,
/// within what rounds to the same pixels. It is the image itself that is returned.
#[derive(Debug, Default)]
pub(crate) struct RoundingL2 {
    tries: usize,
    /// The best perturbation with elements pushed, as last looked at.
    pushed: Option<Vec<f32>>,
    /// The smallest such one of whose rounding success was seen.
    held: Option<Vec<f32>>,
    look: Looked,
}

/// What was looked at last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// The rounded image.
    #[default]
    Rounded,
    /// The image itself, of whose rounding success was seen, and how many such looks have failed.
    Itself(usize),
    /// A smaller one with the same rounding, and how many there have been.
    Smaller(usize),
}

/// Of the spread: the margin aimed at after rounding, more at each try, and before it.
const AIM: f64 = 2e-3;
const LEFT: f64 = 4e-4;
/// Of the spread: a rounded image that holds by more has had too much pushed.
const LOOSE: f64 = 8e-3;
/// Looks at rounded images, if one of them holds.
const CHOICES: usize = 5;
/// Looks in all, if the last one fails.
const MOST: usize = 14;
/// Share of what the last one was short by that is added to the margin.
const SHORT: f64 = 0.3;
/// Smaller perturbations that are tried.
const SMALLER: usize = 3;
/// A gain in norm that isn't worth a pass.
const NOT_WORTH: f64 = 2e-3;
/// Looks at the image itself that may fail before it goes towards its rounding, which is known to hold.
const PATIENCE: usize = 2;
/// The norm may grow by this share, and by so many pixel steps where that is more.
const DEAR: f64 = 1.0;
const DEAR_STEPS: f64 = 6.0;

impl Looked {
    fn smaller(self) -> Self {
        match self {
            Self::Smaller(number) => Self::Smaller(number + 1),
            _ => Self::Smaller(1),
        }
    }
}

impl RoundingL2 {
    /// Whether the look is at an image itself, and not at its rounding.
    pub fn is_unrounded(&self) -> bool {
        self.look != Looked::Rounded
    }

    /// Whether surviving is worth so large a norm.
    pub fn is_worth(task: &Task, best: &Found, norm: f64) -> bool {
        let steps = DEAR_STEPS / task.bounds.pixels_per_unit();
        norm <= best.norm + steps.max(DEAR * best.norm)
    }

    /// What to look at next, `None` where that's all.
    pub fn next(
        &mut self,
        task: &Task,
        start: &Start,
        best: &Found,
        model: &Model,
        now: &Scored,
        met: bool,
    ) -> Option<Vec<f32>> {
        self.tries += 1;
        let forecast = Forecast::new(start, best, model, now);
        // Without a model nothing says what to push.
        if !met && (forecast.pairs.is_empty() || self.tries >= MOST) {
            return None;
        }
        let at = self.pushed.as_ref().unwrap_or(&best.perturbation);
        let violation = start.tight.margin(&now.scores, &now.ranking);
        let left = LEFT * start.spread;
        // What was too little once is likely to be too little again.
        let again = SHORT * violation.max(0.0);
        let next = match self.look {
            // The best image survives as it is.
            Looked::Rounded if met && self.pushed.is_none() => return None,
            Looked::Rounded => {
                if met && self.held.as_ref().is_none_or(|held| norm(at) < norm(held)) {
                    self.held = Some(at.clone());
                }
                let done = met && violation > -LOOSE * start.spread || self.tries >= CHOICES;
                if let Some(held) = self.held.as_ref().filter(|_| done) {
                    self.look = Looked::Itself(0);
                    nearest(task, &forecast, &vec![0.0; forecast.pairs.len()], left, held, held)
                } else {
                    let bias = forecast.bias(&rounded_perturbation(task, at), now);
                    let again = if self.pushed.is_some() { again } else { 0.0 };
                    let margin = AIM * start.spread * self.tries as f64 + again;
                    choose(task, &forecast, &bias, margin)
                }
            }
            Looked::Itself(failures) if !met => {
                self.look = Looked::Itself(failures + 1);
                match (&self.held, failures) {
                    (Some(held), PATIENCE..) => {
                        let rounded = rounded_perturbation(task, held);
                        at.iter().zip(rounded).map(|(from, to)| 0.5 * (from + to)).collect()
                    }
                    _ => nearest(task, &forecast, &forecast.bias(at, now), left + again, at, at),
                }
            }
            Looked::Smaller(SMALLER) => return None,
            Looked::Itself(_) | Looked::Smaller(_) => {
                self.look = self.look.smaller();
                let (bias, nothing) = (forecast.bias(at, now), vec![0.0; at.len()]);
                let next = nearest(task, &forecast, &bias, left + again, at, &nothing);
                if met && norm(&next) > (1.0 - NOT_WORTH) * norm(at) {
                    return None;
                }
                next
            }
        };
        self.pushed = Some(next.clone());
        Some(next)
    }
}
