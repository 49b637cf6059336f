//! [`UniversalPerturbation`]: one perturbation for any image, and its controls.

use burn::tensor::{Int, Tensor, TensorData};
use tkmia_core::{Bounds, Goal, LabelSet};

use super::compositional::{compose, weights};
use crate::criterion::SampleState;
use crate::descent::{Space, pick};
use crate::draw::shuffled;
use crate::eligibility::eligible;
use crate::readback::{NonFinite, Scored, scored};
use crate::{Attack, AttackError, Ball, Outcome, Passes, Perturbed, Run, Step, Stop, View};

/// `v`: one perturbation for any image of its size; or one of each label, which compose to that of an image's specified
/// labels.
#[derive(Debug, Clone)]
pub struct UniversalPerturbation {
    values: Tensor<4>,
    /// Of the composed ones.
    ball: Option<Ball>,
    view: View,
}

impl UniversalPerturbation {
    /// Of these values, in model-input units, or in tanh-space units where the classifier sees
    /// [`View::Tanh`] without a perturbation.
    ///
    /// # Errors
    /// [`AttackError::PerturbationSize`] unless they are `[1, 3, height, width]`.
    pub fn new(values: Tensor<4>, view: View) -> Result<Self, AttackError> {
        match values.dims() {
            [1, 3, _, _] => Ok(Self { values, ball: None, view }),
            [_, _, height, width] => Err(AttackError::PerturbationSize {
                expected: [1, 3, height, width],
                found: values.dims(),
            }),
        }
    }

    /// Of each label's, `u`: an image gets the sum of those of its specified labels, scaled to the ball where it is outside.
    ///
    /// # Errors
    /// [`AttackError::PerturbationSize`] unless they are `[classes, 3, height, width]`.
    pub fn of_labels(values: Tensor<4>, ball: Ball) -> Result<Self, AttackError> {
        match values.dims() {
            [_, 3, _, _] => Ok(Self { values, ball: Some(ball.checked()?), view: View::Image }),
            found => {
                let [classes, _, height, width] = found;
                let expected = [classes, 3, height, width];
                Err(AttackError::PerturbationSize { expected, found })
            }
        }
    }

    /// `[1, 3, height, width]`, or `[classes, 3, height, width]`
    pub fn values(&self) -> &Tensor<4> {
        &self.values
    }

    /// What the classifier sees without it.
    pub fn view(&self) -> View {
        self.view
    }

    /// The ball that composed perturbations stay in, where there is one of each label.
    pub fn ball(&self) -> Option<Ball> {
        self.ball
    }

    /// What the classifier is given of each image: `clip(x + v)`, or `tanh(x + v)`. The perturbations of labels ask for those
    /// that are specified.
    ///
    /// # Errors
    /// [`AttackError::PerturbationSize`] for images of another size, or labels of another number;
    /// [`AttackError::NoLabels`] where they lack.
    pub fn apply(
        &self,
        images: Tensor<4>,
        specified: Option<&LabelSet>,
        bounds: Bounds,
    ) -> Result<Tensor<4>, AttackError> {
        let [rows, channels, height, width] = images.dims();
        let (n, weights) = match (self.ball, specified) {
            (None, _) => (1, vec![1.0; rows]),
            (Some(_), Some(labels)) => (labels.classes(), weights(labels, &[], None)),
            (Some(_), None) => return Err(AttackError::NoLabels),
        };
        let (expected, found) = ([n, channels, height, width], self.values.dims());
        if expected != found {
            return Err(AttackError::PerturbationSize { expected, found });
        }
        let variable = compose(&self.values, weights, self.ball);
        Ok(Space::of(self.view).image(images, variable, bounds))
    }

    /// `−v`, a control: as large, and aimed away.
    pub fn negated(&self) -> Self {
        Self { values: self.values.clone().neg(), ..*self }
    }

    /// `v` with its pixels at other places, a control: as large, and aimed nowhere. A pixel's three values
    /// stay together.
    pub fn shuffled(&self, seed: u64) -> Self {
        let dims = self.values.dims();
        let order = shuffled(0..dims[2] * dims[3], seed, "pixels");
        let order: Vec<i64> = order.into_iter().map(|place| place as i64).collect();
        let data = TensorData::new(order, [dims[2] * dims[3]]);
        let order = Tensor::<1, Int>::from_data(data, &self.values.device());
        let pixels: Tensor<3> = self.values.clone().flatten(2, 3);
        Self { values: pixels.select(2, order).reshape(dims), ..*self }
    }

    /// The attack that adds it to each image and looks whether that is a success.
    pub fn attack(&self, stop: Stop) -> Applied {
        Applied { perturbation: self.clone(), stop }
    }
}

/// A [`UniversalPerturbation`] as an attack: nothing is searched for, and rows are independent.
#[derive(Debug)]
pub struct Applied {
    /// What is added.
    pub perturbation: UniversalPerturbation,
    /// When an image is done.
    pub stop: Stop,
}

impl Attack for Applied {
    fn perturb(&self, Run { classifier, batch, watch }: Run<'_>) -> Result<Perturbed, AttackError> {
        let (origin, goal, count) = (batch.images(), batch.goal(), batch.rows());
        let rows: Vec<usize> = (0..count).collect();
        let unattacked = self.view().of(origin.clone());
        let clean = scored(classifier.scores(unattacked.clone()));
        let applied =
            self.perturbation.apply(origin.clone(), Some(goal.specified()), classifier.bounds())?;
        let now = scored(classifier.scores(applied.clone()));
        let end = |&row: &usize| match (admitted(&clean[row], goal, row), &now[row]) {
            (Err(outcome), _) => outcome,
            (_, Err(fault)) => fault.clone().into(),
            (Ok(clean), Ok(now)) => {
                match self.stop.is_met(&SampleState::of(goal, row, clean, now)) {
                    true => Outcome::Succeeded,
                    false => Outcome::Exhausted,
                }
            }
        };
        let outcomes: Vec<Outcome> = rows.iter().map(end).collect();
        // Images that take no part, or have no finite scores, stay as they are.
        let place = |&row: &usize| match outcomes[row] {
            Outcome::Succeeded | Outcome::Exhausted => row,
            _ => count + row,
        };
        let places: Vec<usize> = rows.iter().map(place).collect();
        let images = pick(&Tensor::cat(vec![applied, unattacked.clone()], 0), &places);
        // There is nothing left to break off.
        let _ = watch.on_step(&Step { iteration: 1, rows: &rows, loss: None, finished: &rows });
        Ok(Perturbed {
            outcomes,
            iterations: vec![1; count],
            passes: vec![Passes { forward: 2, backward: 0 }; count],
            indicators: vec![Vec::new(); count],
            perturbation: Space::of(self.view()).perturbation(origin.clone(), images.clone()),
            fitted: false,
            unattacked,
            images,
        })
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn passes_at_most(&self, _: usize, _: usize) -> Passes {
        Passes { forward: 2, backward: 0 }
    }

    fn view(&self) -> View {
        self.perturbation.view
    }
}

/// The scores of an image that takes part; why it doesn't, of another.
pub(super) fn admitted<'s>(
    clean: &'s Result<Scored, NonFinite>,
    goal: &Goal,
    row: usize,
) -> Result<&'s Scored, Outcome> {
    let clean = clean.as_ref().map_err(|fault| Outcome::from(fault.clone()))?;
    let (relevant, specified) = (goal.relevant().row(row), goal.specified().row(row));
    let takes_part = eligible(&clean.ranking, relevant, specified, goal.k(), goal.delta());
    takes_part.map(|()| clean).map_err(Outcome::Ineligible)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::readback::values;

    #[test]
    fn controls_are_as_large_and_a_pixel_stays_together() {
        let data: Vec<f32> = (0..12).map(|value| value as f32 - 5.0).collect();
        let v = Tensor::from_data(TensorData::new(data, [1, 3, 2, 2]), &Device::default());
        let v = UniversalPerturbation::new(v, View::Image).unwrap();
        let sorted = |v: &UniversalPerturbation| {
            let mut values = values(v.values().clone());
            values.sort_by(f32::total_cmp);
            values
        };
        let other = v.shuffled(1);
        assert_eq!(sorted(&other), sorted(&v));
        let moved = values(other.values().clone());
        assert_ne!(moved, values(v.values().clone()));
        assert!((0..4).all(|at| moved[at + 4] == moved[at] + 4.0));
        assert_eq!(values(v.negated().values().clone())[0], 5.0);
    }
}
