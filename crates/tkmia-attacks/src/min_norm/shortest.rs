//! [`shortened`]: the best perturbation, as short as the model believes it to hold.

use super::model::Model;
use super::task::{Found, Start};

/// A gain in norm that isn't worth a pass.
const NOT_WORTH: f64 = 1e-3;
/// Of the spread: the margin that is left.
const LEFT: f64 = 2e-4;
/// Without a model: a guess.
const GUESS: f64 = 0.97;

/// The point to look at on the way from the best perturbation to the unattacked image, if it pays.
pub(super) fn shortened(start: &Start, best: &Found, model: &Model) -> Option<Vec<f32>> {
    let mut scale = 0.0_f64;
    let seen = (&*best.seen.scores, &best.seen.ranking);
    for pair in start.tight.pairs(best.top(start), seen, |_| true, start.reach) {
        let gap = pair.gap(&best.seen.scores) + LEFT * start.spread;
        let slope = model.change(pair.sinks, &best.perturbation)
            - model.change(pair.rises, &best.perturbation);
        if gap >= 0.0 {
            return None;
        }
        if slope < 0.0 {
            scale = scale.max(1.0 - gap / slope);
        }
    }
    let scale = if scale == 0.0 { GUESS } else { scale };
    let shorter = || best.perturbation.iter().map(|value| value * scale as f32).collect();
    (scale <= 1.0 - NOT_WORTH).then(shorter)
}
