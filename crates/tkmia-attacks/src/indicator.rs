//! [`Indicator`]: signs that an attack failed for reasons of its own.

use tkmia_core::Bounds;

use crate::readback::Seen;

named! {
    /// A sign that an attack, not the classifier's robustness, is why there is no success.
    ///
    /// After Pintor et al., "Indicators of Attack Failure: Debugging and Improving Optimization of
    /// Adversarial Examples", NeurIPS 2022. What is called loss is the criterion's margin for attacks that have
    /// none. Most are told of attacks that ran out alone.
    #[derive(PartialOrd, Ord)]
    pub enum Indicator {
        /// A step's gradient was 0 everywhere.
        ZeroGradient,
        /// The attack ran out, and at half of its steps or more the gradient was so small that, to first order,
        /// crossing the whole box would have lowered the loss by less than 1 %. Of attacks with a loss, and of
        /// min-norm.
        VanishingGradient,
        /// A step's loss or gradient had a value that isn't finite, or a norm too large for `f32`; the attack on the
        /// image ended there.
        NonFiniteGradient,
        /// A score of the image, or of one on the way, wasn't finite.
        NonFiniteScore,
        /// The attack ran out, and its loss had stayed where it was, to one part in a million, for the last
        /// ten passes or more; or it ended where its steps led nowhere any more.
        FlatLoss,
        /// The attack ran out, and no loss was below the first one, to one part in a million.
        NoDescent,
        /// The attack ran out while its loss was falling: the last tenth of the passes brought more than 1 % of the
        /// whole descent.
        StillImproving,
        /// The attack ran out with the image on the border of its box: of the values that weren't black or
        /// white already, at least half have become so.
        OnBoxBorder,
        /// The attack ended in success, but the returned image, evaluated again, isn't one.
        SuccessLost,
    }
}

impl Indicator {
    /// What it says of a result, in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::ZeroGradient => {
                "A gradient was zero everywhere: the scores don't depend on the image there, or the network hides how."
            }
            Self::VanishingGradient => {
                "Gradients were so small that crossing the whole box would hardly have changed the loss: scores saturate."
            }
            Self::NonFiniteGradient => {
                "A loss or gradient was not finite, and the attack ended there."
            }
            Self::NonFiniteScore => "A score was not finite: nothing can be said of the image.",
            Self::FlatLoss => {
                "The loss stood still at the end: more iterations would not have helped, another loss or start might."
            }
            Self::NoDescent => {
                "The loss never fell below its first value: the steps are too long, or lead elsewhere."
            }
            Self::StillImproving => {
                "The loss was still falling when the iterations were used up: more of them might succeed."
            }
            Self::OnBoxBorder => {
                "Most pixels ended black or white: the range of the image held the attack back, not the network."
            }
            Self::SuccessLost => {
                "The attack ended in success, but its image, evaluated again, is none."
            }
        }
    }
}

/// Passes over which a loss must stay where it is to be called flat.
const FLAT: usize = 10;
/// By how much it may move, relative to its size, or to 1 where it is smaller.
const STILL: f32 = 1e-6;
/// The share of the loss that crossing the whole box must be worth.
const WORTH: f32 = 0.01;
/// The share of the passes that are the last ones, and the share of the descent that is going on.
const LAST: f32 = 0.1;
const GOING_ON: f32 = 0.01;
/// The share of the values on the border of the box.
const ON_BORDER: f32 = 0.5;

/// What was seen of one image on its way.
#[derive(Debug, Clone)]
pub(crate) struct Trail {
    /// The L2 norm of the longest step that stays in the box.
    diameter: f32,
    losses: Vec<f32>,
    steps: usize,
    weak: usize,
    zero: bool,
    non_finite: bool,
    rests: bool,
}

impl Trail {
    /// Of an image with so many values within these bounds.
    pub fn new(values: usize, Bounds { low, high }: Bounds) -> Self {
        Self {
            diameter: (high - low) * (values as f32).sqrt(),
            losses: Vec::new(),
            steps: 0,
            weak: 0,
            zero: false,
            non_finite: false,
            rests: false,
        }
    }

    /// Takes note of a pass, and of the step that led to it; the margin stands in for a loss that isn't there.
    pub fn note(&mut self, seen: &Seen, margin: impl FnOnce() -> f32) {
        if let Some(slope) = seen.slope {
            self.step(slope, seen.loss.is_some());
        }
        self.rests |= seen.moved == Some(0.0);
        self.non_finite |= seen.loss.is_some_and(|loss| !loss.is_finite());
        self.reach(seen.loss.unwrap_or_else(margin));
    }

    /// Takes note of a loss.
    pub fn reach(&mut self, loss: f32) {
        self.losses.push(loss);
    }

    /// Takes note of the norm of the gradient of a step from there, and whether it is the loss's own.
    pub fn step(&mut self, slope: f32, is_of_loss: bool) {
        self.steps += 1;
        self.zero |= slope == 0.0;
        self.non_finite |= !slope.is_finite();
        let loss = self.losses.last().copied().unwrap_or_default();
        let is_weak = is_of_loss && slope > 0.0 && slope * self.diameter < WORTH * loss;
        self.weak += usize::from(is_weak);
    }

    /// Whether there is no going on.
    pub fn is_over(&self) -> bool {
        self.non_finite || self.rests
    }

    /// The indicators, given whether the attack ran out without success.
    pub fn indicators(&self, exhausted: bool) -> Vec<Indicator> {
        let ran_out = exhausted && !self.non_finite;
        let signs = [
            (self.zero, Indicator::ZeroGradient),
            (ran_out && self.weak > 0 && 2 * self.weak >= self.steps, Indicator::VanishingGradient),
            (self.non_finite, Indicator::NonFiniteGradient),
            (ran_out && self.is_flat(), Indicator::FlatLoss),
            (ran_out && self.is_no_descent(), Indicator::NoDescent),
            (ran_out && self.is_still_improving(), Indicator::StillImproving),
        ];
        signs.into_iter().filter_map(|(shows, indicator)| shows.then_some(indicator)).collect()
    }

    fn is_flat(&self) -> bool {
        // A loss, and how many passes since it was left.
        let (mut at, mut passes) = (f32::NAN, 0);
        for &loss in &self.losses {
            (at, passes) = match is_still(loss, at) {
                true => (at, passes + 1),
                false => (loss, 1),
            };
        }
        self.rests || passes >= FLAT
    }

    fn is_no_descent(&self) -> bool {
        let Some((&first, others)) = self.losses.split_first() else { return false };
        !others.is_empty() && others.iter().all(|&loss| loss >= first || is_still(loss, first))
    }

    fn is_still_improving(&self) -> bool {
        let passes = self.losses.len();
        let last = ((LAST * passes as f32) as usize).max(1);
        let Some((before, end)) = self.losses.split_at_checked(passes.saturating_sub(last)) else {
            return false;
        };
        let lowest = |losses: &[f32]| losses.iter().copied().fold(f32::INFINITY, f32::min);
        let Some(first) = before.first() else { return false };
        let (before, end) = (lowest(before), lowest(end));
        !self.rests && !is_still(end, before) && before - end > GOING_ON * (first - end)
    }
}

fn is_still(loss: f32, at: f32) -> bool {
    (loss - at).abs() <= STILL * at.abs().max(1.0)
}

/// Whether an image is on the border of its box, given how many of its values were off it before and how many
/// of these are on it now.
pub(crate) fn is_on_border(moved: f32, free: f32) -> bool {
    free > 0.0 && moved >= ON_BORDER * free
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    /// The indicators of an attack that ran out with these losses.
    fn of(losses: &[f32]) -> Vec<Indicator> {
        let mut trail = Trail::new(4, Bounds::SYMMETRIC);
        losses.iter().for_each(|&loss| trail.reach(loss));
        trail.indicators(true)
    }

    fn falling(passes: usize, by: f32) -> Vec<f32> {
        (0..passes).map(|at| 10.0 - by * at as f32).collect()
    }

    #[test]
    fn a_loss_is_flat_if_it_rests_until_the_end() {
        let flat = |losses: &[f32]| of(losses).contains(&Indicator::FlatLoss);
        assert!(flat(&[3.0; 10]) && !flat(&[3.0; 9]));
        assert!(flat(&[[3.0; 10], [2.0; 10]].concat()));
        assert!(!flat(&[&[3.0_f32; 10][..], &[2.0]].concat()));
        // Small steps add up.
        assert!(!flat(&falling(20, 1e-3)));
    }

    #[test]
    fn a_loss_that_is_never_below_its_first_has_not_descended() {
        let stuck = |losses: &[f32]| of(losses).contains(&Indicator::NoDescent);
        assert!(stuck(&[2.0, 3.0, 2.0, 5.0]) && stuck(&[2.0, 2.0]));
        assert!(!stuck(&[2.0, 3.0, 1.9, 5.0]) && !stuck(&[2.0]) && !stuck(&[]));
    }

    #[test]
    fn a_loss_is_still_improving_if_its_last_passes_bring_something() {
        let improving = |losses: &[f32]| of(losses).contains(&Indicator::StillImproving);
        assert!(improving(&falling(50, 0.1)) && improving(&[3.0, 2.0]));
        assert!(!improving(&[falling(50, 0.1), vec![5.1; 10]].concat()));
        // Half of what is left in each pass: the last tenth brings a thousandth.
        let halved: Vec<f32> = (0..20).map(|pass| 0.5_f32.powi(pass)).collect();
        assert!(!improving(&halved));
        assert!(!improving(&[3.0]) && !improving(&[]));
    }

    #[test]
    fn gradients_leave_their_signs() {
        let mut trail = Trail::new(4, Bounds::SYMMETRIC);
        assert!(!trail.is_over() && trail.indicators(true).is_empty());
        trail.step(0.0, true);
        trail.step(f32::NAN, true);
        assert!(trail.is_over());
        let signs = [Indicator::ZeroGradient, Indicator::NonFiniteGradient];
        assert_eq!(trail.indicators(false), signs);
    }

    #[test]
    fn a_gradient_vanishes_where_the_whole_box_is_worth_nothing() {
        // The box's diameter is 4: at a loss of 2 the border is a norm of 0.005.
        let vanishing = |slopes: &[f32], is_of_loss| {
            let mut trail = Trail::new(4, Bounds::SYMMETRIC);
            trail.reach(2.0);
            slopes.iter().for_each(|&slope| trail.step(slope, is_of_loss));
            trail.indicators(true).contains(&Indicator::VanishingGradient)
        };
        assert!(vanishing(&[0.004, 0.006], true));
        assert!(!vanishing(&[0.004, 0.006, 0.006], true) && !vanishing(&[0.004], false));
        assert!(!vanishing(&[0.0], true) && !vanishing(&[], true));
    }

    #[test]
    fn half_of_the_values_that_can_move_make_a_border() {
        assert!(is_on_border(2.0, 4.0) && !is_on_border(1.0, 4.0) && !is_on_border(0.0, 0.0));
    }

    #[test]
    fn each_has_a_sentence_of_its_own() {
        let sentences: std::collections::BTreeSet<&str> =
            Indicator::iter().map(Indicator::sentence).collect();
        assert_eq!(sentences.len(), Indicator::iter().count());
        assert!(sentences.iter().all(|sentence| sentence.ends_with('.')));
    }
}
