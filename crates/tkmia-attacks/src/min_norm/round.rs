//! [`Rounding`]: a perturbation that succeeds after its image was stored in 8 bits, too.

use tkmia_core::Bounds;
use tkmia_core::objective::Pair;

use super::model::Model;
use super::sample::{Found, Start, Task, norm};
use crate::host::Scored;

/// Each value as its nearest 8-bit pixel has it.
pub(super) fn round(image: &[f32], bounds: Bounds) -> Vec<f32> {
    let per_unit = bounds.pixels_per_unit() as f32;
    let pixel =
        |value: &f32| ((value - bounds.low) * per_unit).round_ties_even() / per_unit + bounds.low;
    image.iter().map(|value| pixel(value).clamp(bounds.low, bounds.high)).collect()
}

/// Chooses the pixel that each element rounds to, and then a small perturbation that rounds to these
/// pixels.
///
/// Most elements are less than half a pixel step and round back to the clean pixel. Just over the
/// border an element rounds away from it: it counts for a whole step and costs half a one. Elements
/// with the most effect for their cost are pushed over theirs until the rounded image succeeds. The
/// image itself then has more effect than it needs, so that the other elements can become smaller,
/// within what rounds to the same pixels. It is the image itself that is returned.
#[derive(Debug, Default)]
pub(super) struct Rounding {
    tries: usize,
    /// The best perturbation with elements pushed, as last looked at.
    pushed: Option<Vec<f32>>,
    /// The smallest such one of whose rounding success was seen.
    held: Option<Vec<f32>>,
    look: Look,
}

/// What was looked at last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// The rounded image.
    #[default]
    Rounded,
    /// The image itself, of whose rounding success was seen.
    Itself,
    /// A smaller one with the same rounding, for the so manieth time.
    Smaller(usize),
}

/// Of the spread: the margin aimed at after rounding, more at each try, and before it.
const AIM: f64 = 2e-3;
const LEFT: f64 = 4e-4;
/// Of the spread: a rounded image that holds by more has had too much pushed.
const LOOSE: f64 = 8e-3;
/// Looks at rounded images, if one of them holds.
const CHOICES: usize = 5;
/// Looks in all.
const MOST: usize = 14;
/// Of what the last one was short by, the next is likely to be short by so much again.
const SHORT: f64 = 0.3;
/// In pixel steps: how far over the border.
const OVER: f64 = 2e-3;
/// Between these ratios, in pixel steps, no element is pushed and nearly all are.
const RATIOS: [f64; 2] = [0.01, 20.0];
const BISECTIONS: usize = 12;
/// Pushes along what would repair the rounded image, between two looks.
const REPAIRS: usize = 24;
/// Smaller perturbations that are tried.
const SMALLER: usize = 3;
/// A gain in norm that isn't worth a pass.
const NOT_WORTH: f64 = 2e-3;
/// The norm may grow by this share, and by so many pixel steps where that is more.
const DEAR: f64 = 0.15;
const DEAR_STEPS: f64 = 6.0;

impl Rounding {
    /// Whether the look is at an image itself, and not at its rounding.
    pub fn is_unrounded(&self) -> bool {
        self.look != Look::Rounded
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
        let pairs = start.tight.pairs(&best.target, &now.ranking).into_iter();
        let pairs: Vec<Pair> =
            pairs.filter(|pair| model.knows(pair.sinks) && model.knows(pair.rises)).collect();
        // Without a model nothing says what to push.
        if !met && (pairs.is_empty() || self.tries >= MOST) {
            return None;
        }
        let forecast = Forecast { best, model, pairs };
        let at = self.pushed.as_ref().unwrap_or(&best.perturbation);
        let violation = start.tight.margin(&now.scores, &now.ranking);
        let left = LEFT * start.spread;
        let no_bias = vec![0.0; forecast.pairs.len()];
        let next = match self.look {
            // The best image survives as it is.
            Look::Rounded if met && self.pushed.is_none() => return None,
            Look::Rounded => {
                if met && self.held.as_ref().is_none_or(|held| norm(at) < norm(held)) {
                    self.held = Some(at.clone());
                }
                let done = met && violation > -LOOSE * start.spread || self.tries >= CHOICES;
                match &self.held {
                    Some(held) if done => {
                        self.look = Look::Itself;
                        nearest(task, &forecast, &no_bias, left, held, held)
                    }
                    _ => {
                        let bias = forecast.bias(&rounded_perturbation(task, at), now);
                        // What was too little once is likely to be too little again.
                        let again =
                            if self.pushed.is_some() { SHORT * violation.max(0.0) } else { 0.0 };
                        choose(
                            task,
                            &forecast,
                            &bias,
                            AIM * start.spread * self.tries as f64 + again,
                        )
                    }
                }
            }
            Look::Itself if !met => {
                let bias = forecast.bias(at, now);
                nearest(task, &forecast, &bias, left + SHORT * violation.max(0.0), at, at)
            }
            Look::Smaller(SMALLER) => return None,
            look => {
                self.look =
                    Look::Smaller(if let Look::Smaller(number) = look { number + 1 } else { 1 });
                let bias = forecast.bias(at, now);
                let margin = left + SHORT * violation.max(0.0);
                let nothing = vec![0.0; at.len()];
                let next = nearest(task, &forecast, &bias, margin, at, &nothing);
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

/// The best perturbation with elements pushed until the forecast for the rounded image is good.
fn choose(task: &Task, forecast: &Forecast<'_>, bias: &[f64], margin: f64) -> Vec<f32> {
    let gaps = |at: &[f32]| forecast.gaps(&rounded_perturbation(task, at), bias, margin);
    let worst = |gaps: &[f64]| gaps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // The perturbation is a combination of the pairs' gradients: where it is large, the effect is.
    let per_unit = task.bounds.pixels_per_unit();
    let [mut fails, mut holds] = RATIOS.map(|ratio| ratio / per_unit);
    for _ in 0..BISECTIONS {
        let ratio = (fails * holds).sqrt();
        match worst(&gaps(&by_size(task, forecast.best, ratio))) <= 0.0 {
            true => holds = ratio,
            false => fails = ratio,
        }
    }
    // Where pushing by size alone can't do, the repairs choose.
    let [none, all] = RATIOS.map(|ratio| ratio / per_unit);
    let mut at = by_size(task, forecast.best, if holds < all { holds } else { none });
    let mut found = (f64::INFINITY, at.clone());
    let mut moved = vec![false; at.len()];
    for _ in 0..REPAIRS {
        let gaps = gaps(&at);
        let violation = worst(&gaps);
        if violation < found.0 {
            found = (violation, at.clone());
        }
        if violation <= 0.0 {
            break;
        }
        let image = task.image(&at);
        let repair = forecast.model.repair(&forecast.pairs, &gaps, &image, &task.limits());
        push(task, &mut at, &repair.step, &mut moved);
    }
    found.1
}

/// What the model says of perturbations near the best one, pair by pair.
struct Forecast<'a> {
    best: &'a Found,
    model: &'a Model,
    pairs: Vec<Pair>,
}

impl Forecast<'_> {
    /// The pairs' gaps at a perturbation, with what a look has shown to be missing and a margin.
    fn gaps(&self, perturbation: &[f32], bias: &[f64], margin: f64) -> Vec<f64> {
        let way = perturbation.iter().zip(&self.best.perturbation);
        let step: Vec<f32> = way.map(|(to, from)| to - from).collect();
        let mut scores = vec![None; self.best.seen.scores.len()];
        let mut score = |label: usize| {
            *scores[label].get_or_insert_with(|| {
                f64::from(self.best.seen.scores[label]) + self.model.change(label, &step)
            })
        };
        let pairs = self.pairs.iter().zip(bias);
        pairs.map(|(pair, bias)| score(pair.sinks) - score(pair.rises) + bias + margin).collect()
    }

    /// What came of a perturbation less what was forecast.
    fn bias(&self, perturbation: &[f32], now: &Scored) -> Vec<f64> {
        let nothing = vec![0.0; self.pairs.len()];
        let forecast = self.gaps(perturbation, &nothing, 0.0);
        self.pairs.iter().zip(forecast).map(|(pair, gap)| pair.gap(&now.scores) - gap).collect()
    }
}

/// The perturbation nearest to `from` for which the pairs hold, of those that round as `chosen` does.
fn nearest(
    task: &Task,
    forecast: &Forecast<'_>,
    bias: &[f64],
    margin: f64,
    chosen: &[f32],
    from: &[f32],
) -> Vec<f32> {
    let Bounds { low, high } = task.bounds;
    let per_unit = task.bounds.pixels_per_unit();
    let limits = task.image(chosen).into_iter().map(|value| {
        let pixel = (f64::from(value - low) * per_unit).round_ties_even();
        [-1.0, 1.0].map(|sign| {
            let border = (pixel + sign * (0.5 - OVER)) / per_unit + f64::from(low);
            (border as f32).clamp(low, high)
        })
    });
    let limits: Vec<[f32; 2]> = limits.collect();
    let gaps = forecast.gaps(from, bias, margin);
    let step = forecast.model.repair(&forecast.pairs, &gaps, &task.image(from), &limits).step;
    from.iter().zip(step).map(|(from, by)| from + by).collect()
}

fn rounded_perturbation(task: &Task, perturbation: &[f32]) -> Vec<f32> {
    let rounded = round(&task.image(perturbation), task.bounds);
    rounded.iter().zip(&task.origin).map(|(to, x)| to - x).collect()
}

/// The best perturbation, with each element pushed over its next border for which
/// `Δ(2|ε| + Δ)/|ε| ≤ ratio`: what it adds to the squared norm for what it adds to the effect.
fn by_size(task: &Task, best: &Found, ratio: f64) -> Vec<f32> {
    let Bounds { low, high } = task.bounds;
    let per_unit = task.bounds.pixels_per_unit();
    let push = |(&by, &x): (&f32, &f32)| {
        let (size, sign) = (f64::from(by.abs()), f64::from(by.signum()));
        let place = sign * f64::from(x + by - low) * per_unit;
        let border = place.floor() + 0.5;
        let missing = (border - place + OVER) / per_unit;
        let dear = missing * (2.0 * size + missing) > ratio * size;
        let to = if size == 0.0 || place >= border || dear { 0.0 } else { sign * missing };
        (x + (f64::from(by) + to) as f32).clamp(low, high) - x
    };
    best.perturbation.iter().zip(&task.origin).map(push).collect()
}

/// Pushes elements that weren't moved yet over their next border in the direction of `along`, until
/// what their rounding moves has as much effect as the whole of `along`.
fn push(task: &Task, perturbation: &mut [f32], along: &[f32], moved: &mut [bool]) {
    let Bounds { low, high } = task.bounds;
    let per_unit = task.bounds.pixels_per_unit();
    let elements = perturbation.iter().zip(&task.origin).zip(along).enumerate();
    let mut moves: Vec<(f64, f64, usize, f32)> = elements
        .filter_map(|(index, ((&by, &x), &along))| {
            let (sign, size) = (f64::from(along.signum()), f64::from(along.abs()));
            let place = f64::from(x + by - low) * per_unit;
            // The border beyond the pixel value that this rounds to.
            let border = place.round_ties_even() + 0.5 * sign;
            let to = (border + OVER * sign) / per_unit + f64::from(low) - f64::from(x);
            let fits = (f64::from(low)..=f64::from(high)).contains(&(f64::from(x) + to));
            let cost = to * to - f64::from(by) * f64::from(by);
            (size > 0.0 && fits && !moved[index])
                .then(|| (cost / size, size / per_unit, index, to as f32))
        })
        .collect();
    moves.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut missing: f64 = along.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    for (_, effect, index, to) in moves {
        if missing <= 0.0 {
            break;
        }
        // What is left to do is for smaller ones.
        if effect > 2.0 * missing {
            continue;
        }
        moved[index] = true;
        perturbation[index] = to;
        missing -= effect;
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
