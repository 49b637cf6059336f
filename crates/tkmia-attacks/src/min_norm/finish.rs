//! What is done with the best perturbation: shrunk as far as it holds, and made to survive rounding.

use tkmia_core::Bounds;
use tkmia_core::objective::Pair;

use super::sample::{Found, Search, Start, Task};
use crate::host::Scored;

/// Looks along the way to the unattacked image.
#[derive(Debug, Default)]
pub(super) struct Shrinking {
    tries: usize,
    /// The largest scale that was seen to fail, in units of the best perturbation.
    fails: f64,
    scale: f64,
}

const SHRINKS: usize = 3;
/// A gain in norm that isn't worth a pass.
const NOT_WORTH: f64 = 1e-3;
/// Of the spread: the margin that is left.
const LEFT: f64 = 2e-4;

impl Shrinking {
    /// The first scale to look at, if it pays.
    pub fn first(&mut self, start: &Start, best: &Found, search: &dyn Search) -> Option<Vec<f32>> {
        self.propose(start, best, search)
    }

    /// The next one, after the last either held (and is the best now) or didn't.
    pub fn next(
        &mut self,
        start: &Start,
        best: &Found,
        search: &dyn Search,
        met: bool,
    ) -> Option<Vec<f32>> {
        self.tries += 1;
        self.fails = match met {
            // In units of the new best.
            true => self.fails / self.scale,
            false => self.scale,
        };
        self.propose(start, best, search)
    }

    fn propose(&mut self, start: &Start, best: &Found, search: &dyn Search) -> Option<Vec<f32>> {
        let mut scale = 0.0_f64;
        for pair in start.tight.pairs(&best.target, &best.seen.ranking) {
            let gap = pair.gap(&best.seen.scores) + LEFT * start.spread;
            let slope = search.change(pair.sinks, &best.perturbation)
                - search.change(pair.rises, &best.perturbation);
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

/// Each value as its nearest 8-bit pixel has it.
pub(super) fn round(image: &[f32], bounds: Bounds) -> Vec<f32> {
    let per_unit = bounds.pixels_per_unit() as f32;
    let pixel =
        |value: &f32| ((value - bounds.low) * per_unit).round_ties_even() / per_unit + bounds.low;
    image.iter().map(|value| pixel(value).clamp(bounds.low, bounds.high)).collect()
}

/// Moves elements over the border between two pixel values, until the rounded image succeeds too.
///
/// An element just short of the border rounds back to the clean pixel; pushed over it, it rounds away
/// and counts for a whole step, which costs next to nothing in norm. Those with the most effect for
/// their cost are pushed first. The image that is returned is the pushed one, not the rounded one.
#[derive(Debug, Default)]
pub(super) struct Rounding {
    tries: usize,
    ratio: f64,
    scale: f64,
    verify: bool,
}

/// Of the spread: the margin aimed at, more at each try.
const AIM: f64 = 2e-3;
/// Growth of the ratio in the search for one that the model believes to suffice.
const GROWTH: f64 = 1.15;
/// In pixel steps: how far over the border.
const OVER: f64 = 2e-3;

impl Rounding {
    /// Whether the last look was at a pushed image itself, and not at its rounding.
    pub fn verifies(&self) -> bool {
        self.verify
    }

    /// What to look at next, `None` where that's all.
    pub fn next(
        &mut self,
        task: &Task,
        start: &Start,
        best: &Found,
        search: &dyn Search,
        now: &Scored,
        met: bool,
    ) -> Option<Vec<f32>> {
        self.tries += 1;
        if self.verify {
            if met {
                return None;
            }
            self.verify = false;
            self.ratio *= 1.5;
            return Some(self.pushed(task, best));
        }
        if met {
            if self.ratio == 0.0 {
                return None;
            }
            self.verify = true;
            return Some(self.pushed(task, best));
        }
        // What the model says of this rounding, pair by pair, against what came of it.
        let pairs = start.tight.pairs(&best.target, &now.ranking);
        let predicted = |perturbation: &[f32], pair: &Pair| {
            let change =
                |label| f64::from(best.seen.scores[label]) + search.change(label, perturbation);
            change(pair.sinks) - change(pair.rises)
        };
        let last = self.rounding_step(task, best);
        let bias: Vec<f64> =
            pairs.iter().map(|pair| pair.gap(&now.scores) - predicted(&last, pair)).collect();
        let aim = -AIM * start.spread * self.tries as f64;
        self.scale = 0.01 * self.tries.saturating_sub(3) as f64;
        let reached = (0..60).any(|_| {
            self.ratio = match self.ratio == 0.0 {
                true => 0.02 / task.bounds.pixels_per_unit(),
                false => GROWTH * self.ratio,
            };
            let step = self.rounding_step(task, best);
            let gaps = pairs.iter().zip(&bias).map(|(pair, bias)| predicted(&step, pair) + bias);
            gaps.fold(f64::NEG_INFINITY, f64::max) <= aim
        });
        if !reached {
            return None;
        }
        Some(self.pushed(task, best))
    }

    /// From the best perturbation to the rounding of the pushed one.
    fn rounding_step(&self, task: &Task, best: &Found) -> Vec<f32> {
        let rounded = round(&task.image(&self.pushed(task, best)), task.bounds);
        let from = task.origin.iter().zip(&best.perturbation);
        rounded.iter().zip(from).map(|(to, (x, by))| to - x - by).collect()
    }

    /// The best perturbation, with each element pushed over its border for which
    /// `Δ(2|ε| + Δ)/|ε| ≤ ratio`: what it adds to the squared norm for what it adds to the effect.
    fn pushed(&self, task: &Task, best: &Found) -> Vec<f32> {
        let Bounds { low, high } = task.bounds;
        let per_unit = task.bounds.pixels_per_unit();
        let push = |(&by, &x): (&f32, &f32)| {
            let by = by * (1.0 + self.scale as f32);
            let size = f64::from(by.abs());
            let sign = f64::from(by.signum());
            let place = sign * f64::from(x + by - low) * per_unit;
            let border = place.floor() + 0.5;
            let missing = (border - place + OVER) / per_unit;
            let dear = missing * (2.0 * size + missing) > self.ratio * size;
            let to = if size == 0.0 || place >= border || dear { 0.0 } else { sign * missing };
            (x + (f64::from(by) + to) as f32).clamp(low, high) - x
        };
        best.perturbation.iter().zip(&task.origin).map(push).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_agrees_with_that_of_tensors() {
        let image: Vec<f32> = (0..2001).map(|at| at as f32 / 1000.0 - 1.0).collect();
        let data = burn::tensor::TensorData::new(image.clone(), [1, 1, 1, 2001]);
        let tensor = burn::tensor::Tensor::<4>::from_data(data, &burn::tensor::Device::default());
        let expected = tkmia_core::pixels::round_to_pixels(tensor, Bounds::SYMMETRIC);
        for (ours, theirs) in
            round(&image, Bounds::SYMMETRIC).iter().zip(crate::host::values(expected))
        {
            assert!((ours - theirs).abs() < 1e-6);
        }
    }
}
