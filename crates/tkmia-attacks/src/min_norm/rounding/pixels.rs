//! Which pixel each element of a perturbation rounds to: [`choose`] and, within what it chose, [`nearest`].

use tkmia_core::Bounds;

use super::super::forecast::Forecast;
use super::super::task::{Found, Task};

/// In pixel steps: how far over the border.
pub(crate) const OVER: f64 = 2e-3;
/// Between these ratios, in pixel steps, no element is pushed and nearly all are.
const RATIOS: [f64; 2] = [0.01, 20.0];
const BISECTIONS: usize = 12;
/// Pushes along what would repair the rounded image.
const REPAIRS: usize = 24;

/// Each value as its nearest 8-bit pixel has it.
pub(crate) fn round(image: &[f32], bounds: Bounds) -> Vec<f32> {
    let per_unit = bounds.pixels_per_unit() as f32;
    let pixel =
        |value: &f32| ((value - bounds.low) * per_unit).round_ties_even() / per_unit + bounds.low;
    image.iter().map(|value| pixel(value).clamp(bounds.low, bounds.high)).collect()
}

/// What is left of a perturbation when its image is rounded.
pub(crate) fn rounded_perturbation(task: &Task, perturbation: &[f32]) -> Vec<f32> {
    let rounded = round(&task.image(perturbation), task.bounds);
    rounded.iter().zip(&task.origin).map(|(to, x)| to - x).collect()
}

/// The best perturbation with elements pushed until the forecast for the rounded image is good.
pub(crate) fn choose(task: &Task, forecast: &Forecast<'_>, bias: &[f64], margin: f64) -> Vec<f32> {
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
        let repair = forecast.repair(&gaps, &image, |i| task.limits(i));
        push(task, &mut at, &repair.step, &mut moved);
    }
    found.1
}

/// The perturbation nearest to `from` for which the pairs hold, of those that round as `chosen` does.
pub(crate) fn nearest(
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
    let image = task.image(from);
    let step = forecast.repair(&gaps, &image, |i| limits[i]).step;
    from.iter().zip(step).map(|(from, by)| from + by).collect()
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
    let mut missing: f64 = along.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    // The cheapest ones alone are put in order: seldom are more than a few needed.
    let (mut rest, mut count) = (&mut moves[..], CHEAPEST);
    while missing > 0.0 && !rest.is_empty() {
        let by_cost = |a: &(f64, f64, usize, f32), b: &(f64, f64, usize, f32)| {
            a.0.total_cmp(&b.0).then(a.2.cmp(&b.2))
        };
        count = count.min(rest.len());
        rest.select_nth_unstable_by(count - 1, by_cost);
        let (next, behind) = rest.split_at_mut(count);
        next.sort_unstable_by(by_cost);
        for &mut (_, effect, index, to) in next {
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
        (rest, count) = (behind, 4 * count);
    }
}

/// Elements that are put in order at first.
const CHEAPEST: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tkmia_metrics::Ranking;

    use super::super::super::constraints::Pair;
    use super::super::super::model::Model;
    use super::super::super::task::{grey, norm};
    use super::*;
    use crate::Norm;
    use crate::readback::Scored;

    const PIXELS: usize = 16;

    fn task() -> Task {
        grey(PIXELS, Norm::L2, 40)
    }

    /// Label 0 is to sink below label 1; at the best perturbation, the smallest one, it just does.
    fn best_of(row: &[f32], gap: f64) -> (Model, Found) {
        let mut model = Model::default();
        model.fetched(0, row);
        model.fetched(1, &vec![0.0; row.len()]);
        let squared: f64 = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
        let perturbation: Vec<f32> =
            row.iter().map(|&value| (-gap / squared) as f32 * value).collect();
        let scores = vec![0.0, 0.0, -9.0];
        let ranking = Ranking::new(&scores).unwrap();
        let (norm, seen) = (norm(&perturbation), Scored { scores, ranking });
        (model, Found { perturbation, norm, seen })
    }

    fn rows() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(prop_oneof![-3.0_f32..-0.1, 0.1_f32..3.0], PIXELS)
    }

    proptest! {
        #[test]
        fn what_is_chosen_holds_after_rounding_and_what_is_nearest_before_it_too(
            row in rows(),
            steps in 0.05_f64..3.0,
        ) {
            let task = task();
            // So large a gap that the smallest perturbation has about so many pixel steps.
            let gap = steps / 127.5 * norm(&row);
            let (model, best) = best_of(&row, gap);
            let pairs = vec![Pair { sinks: 0, rises: 1, by: 0.0 }];
            let forecast = Forecast::of_pairs(pairs, &best, &model);
            let chosen = choose(&task, &forecast, &[0.0], 0.0);
            let rounded = rounded_perturbation(&task, &chosen);
            prop_assert!(forecast.gaps(&rounded, &[0.0], 0.0)[0] <= 1e-5);
            let nothing = vec![0.0; PIXELS];
            let found = nearest(&task, &forecast, &[0.0], 0.0, &chosen, &nothing);
            prop_assert!(forecast.gaps(&found, &[0.0], 0.0)[0] <= 1e-5);
            prop_assert!(norm(&found) <= norm(&chosen) * (1.0 + 1e-5));
            for (found, chosen) in rounded_perturbation(&task, &found).iter().zip(rounded) {
                prop_assert!((found - chosen).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn rounding_agrees_with_that_of_tensors() {
        let image: Vec<f32> = (0..2001).map(|at| at as f32 / 1000.0 - 1.0).collect();
        let data = burn::tensor::TensorData::new(image.clone(), [1, 1, 1, 2001]);
        let tensor = burn::tensor::Tensor::<4>::from_data(data, &burn::tensor::Device::default());
        let expected = tkmia_core::pixels::round_to_pixels(tensor, Bounds::SYMMETRIC);
        for (ours, theirs) in
            round(&image, Bounds::SYMMETRIC).iter().zip(crate::readback::values(expected))
        {
            assert!((ours - theirs).abs() < 1e-6);
        }
    }
}
