//! [`RoundingLinf`]: an L∞ perturbation that succeeds after its image was stored in 8 bits, too.

use super::super::task::{Found, Task};
use super::pixels::{OVER, rounded_perturbation};

/// Brings the largest elements to a whole number of pixel steps.
///
/// In L∞ most elements are as large as the largest, and rounding takes these to the same number of steps. The
/// perturbation is stretched until that is a number of steps at which its rounding, an image that is its
/// own, succeeds. Elements may then be cut off at little more than half a step below, where they round to the
/// same pixels: the lowest such radius at which the image itself succeeds is searched for by bisection.
#[derive(Debug, Default)]
pub(crate) struct RoundingLinf {
    /// Pixel steps that the largest element is stretched to; 0 as long as the best one itself is rounded.
    steps: f64,
    stretches: usize,
    /// What is left of a stretched perturbation by rounding, if it succeeded.
    held: Option<Vec<f32>>,
    /// The smallest perturbation of whose rounding success was seen, and of itself.
    pub survivor: Option<Vec<f32>>,
    /// Of the cut, in pixel steps: a radius that fails, the one looked at, and one that holds.
    radius: [f64; 3],
}

/// Stretches by one step more that are tried.
const STRETCHES: usize = 4;
/// In pixel steps: a difference of radii that isn't worth a pass.
const NOT_WORTH: f64 = 0.05;

impl RoundingLinf {
    /// What to look at first: what is left of the best perturbation by rounding.
    pub fn first(task: &Task, best: &Found) -> Vec<f32> {
        rounded_perturbation(task, &best.perturbation)
    }

    /// What to look at after a look at `at`, `None` where that's all.
    pub fn next(&mut self, task: &Task, best: &Found, at: &[f32], met: bool) -> Option<Vec<f32>> {
        let per_unit = task.bounds.pixels_per_unit();
        match &self.held {
            None if met && self.steps == 0.0 => {
                self.survivor = Some(best.perturbation.clone());
                return None;
            }
            None if met => {
                self.survivor = Some(at.to_vec());
                self.held = Some(at.to_vec());
                let border = self.steps - 0.5;
                self.radius = [border, border + OVER, task.norm(at) * per_unit];
            }
            None => return self.stretched(task, best),
            Some(held) => {
                let [fails, now, holds] = self.radius;
                let [fails, holds] = match met && same_pixels(task, at, held) {
                    true => {
                        self.survivor = Some(at.to_vec());
                        [fails, now]
                    }
                    false => [now, holds],
                };
                if holds - fails < NOT_WORTH {
                    return None;
                }
                self.radius = [fails, 0.5 * (fails + holds), holds];
            }
        }
        let radius = (self.radius[1] / per_unit) as f32;
        let cut = |held: &Vec<f32>| held.iter().map(|by| by.clamp(-radius, radius)).collect();
        self.held.as_ref().map(cut)
    }

    /// The rounding of the best perturbation stretched to a number of pixel steps, one more each time.
    fn stretched(&mut self, task: &Task, best: &Found) -> Option<Vec<f32>> {
        let size = best.norm * task.bounds.pixels_per_unit();
        self.stretches += 1;
        self.steps = if self.steps == 0.0 { size.ceil() } else { self.steps + 1.0 };
        let factor = (self.steps / size) as f32;
        let stretched: Vec<f32> = best.perturbation.iter().map(|by| by * factor).collect();
        (self.stretches <= STRETCHES).then(|| rounded_perturbation(task, &stretched))
    }
}

/// Whether a perturbation rounds to one that is its own rounding.
fn same_pixels(task: &Task, perturbation: &[f32], rounded: &[f32]) -> bool {
    let much = 0.1 / task.bounds.pixels_per_unit() as f32;
    let ours = rounded_perturbation(task, perturbation);
    ours.iter().zip(rounded).all(|(ours, theirs)| (ours - theirs).abs() < much)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tkmia_metrics::Ranking;

    use super::super::super::task::grey;
    use super::*;
    use crate::Norm;
    use crate::readback::Scored;

    const PIXELS: usize = 16;

    fn task() -> Task {
        grey(PIXELS, Norm::Linf, 100)
    }

    proptest! {
        #[test]
        fn what_survives_holds_before_and_after_rounding_and_is_as_small_as_that_allows(
            row in prop::collection::vec(prop_oneof![-3.0_f32..-0.1, 0.1_f32..3.0], PIXELS),
            steps in 0.05_f64..5.0,
        ) {
            let task = task();
            // `row · ε` must come to what the smallest perturbation has, so many steps of each element.
            let effect = |by: &[f32]| -> f64 {
                row.iter().zip(by).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let size = (steps / 127.5) as f32;
            let perturbation: Vec<f32> = row.iter().map(|value| size * value.signum()).collect();
            let enough = effect(&perturbation) * (1.0 - 1e-4);
            let scores = vec![0.0, 1.0, 2.0];
            let ranking = Ranking::new(&scores).unwrap();
            let (norm, seen) = (task.norm(&perturbation), Scored { scores, ranking });
            let best = Found { perturbation, norm, seen };

            let mut whole = RoundingLinf::default();
            let mut look = Some(RoundingLinf::first(&task, &best));
            let mut passes = 0;
            while let Some(at) = look {
                passes += 1;
                look = whole.next(&task, &best, &at, effect(&at) >= enough);
            }
            prop_assert!(passes <= 14, "{passes} passes");
            let survivor = whole.survivor.expect("a whole number of steps more has the effect");
            prop_assert!(effect(&survivor) >= enough);
            prop_assert!(effect(&rounded_perturbation(&task, &survivor)) >= enough);
            // Its own size where that rounds up, half a step below the next whole number where it doesn't.
            let least = steps.max(steps.ceil() - 0.5);
            let size = task.norm(&survivor) * 127.5;
            prop_assert!(size <= least + 2.0 * NOT_WORTH, "{size} for {least}");
        }
    }
}
