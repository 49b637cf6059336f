//! [`Shrinking`]: the best perturbation, as short as it still holds.

use super::model::Model;
use super::sample::{Found, Start};

/// Looks along the way to the unattacked image.
#[derive(Debug, Default)]
pub(super) struct Shrinking {
    tries: usize,
    /// The largest scale that was seen to fail, in units of the best perturbation.
    fails: f64,
    scale: f64,
}

const SHRINKS: usize = 1;
/// A gain in norm that isn't worth a pass.
const NOT_WORTH: f64 = 1e-3;
/// Of the spread: the margin that is left.
const LEFT: f64 = 2e-4;

impl Shrinking {
    /// The first scale to look at, if it pays.
    pub fn first(&mut self, start: &Start, best: &Found, model: &Model) -> Option<Vec<f32>> {
        self.propose(start, best, model)
    }

    /// The next one, after the last either held (and is the best now) or didn't.
    pub fn next(
        &mut self,
        start: &Start,
        best: &Found,
        model: &Model,
        met: bool,
    ) -> Option<Vec<f32>> {
        self.tries += 1;
        self.fails = match met {
            // In units of the new best.
            true => self.fails / self.scale,
            false => self.scale,
        };
        self.propose(start, best, model)
    }

    fn propose(&mut self, start: &Start, best: &Found, model: &Model) -> Option<Vec<f32>> {
        let mut scale = 0.0_f64;
        for pair in start.tight.pairs(&best.target, &best.seen.ranking) {
            let gap = pair.gap(&best.seen.scores) + LEFT * start.spread;
            let slope = model.change(pair.sinks, &best.perturbation)
                - model.change(pair.rises, &best.perturbation);
            if gap >= 0.0 {
                scale = 1.0;
            } else if slope < 0.0 {
                scale = scale.max(1.0 - gap / slope);
            }
        }
        if scale == 0.0 {
            // Without a model: a guess, and then the middle.
            scale = 0.97;
        }
        self.scale = match self.fails > 0.0 {
            true => scale.max(0.5 * (1.0 + self.fails)),
            false => scale,
        };
        if self.tries >= SHRINKS || self.scale > 1.0 - NOT_WORTH {
            return None;
        }
        Some(best.perturbation.iter().map(|value| value * self.scale as f32).collect())
    }
}
