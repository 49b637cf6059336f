//! [`Cmlu`]: perturbations of single labels that compose to those of any set of labels.

use burn::tensor::activation::{log_sigmoid, relu};
use burn::tensor::{Bool, Tensor, TensorData};
use tkmia_core::objective::Objective;
use tkmia_core::{Goal, LabelSet};

use crate::draw::uniform;
use crate::{Ball, Norm};

/// CMLU: Mahmood & Elhamifar, "Compositional Targeted Multi-Label Universal Perturbations", CVPR 2025; the loss of its
/// published code, for the decisions that `v` is to change and those that it is not.
///
/// ```text
/// v = Π(Σ_{j∈S} u_j + Σ_{j∈J} λ_j u_j),     mean over S of log(1 + e^f) + 20 · mean over K of [−tanh(f_j f_j(x))]_+
/// ```
///
/// `u_j` is the perturbation of label j, `Π` scales to the ball, and in each step `J` is a random half of the labels outside
/// `S`, with random `λ` in [0, 1): what else is composed must not undo what `u` does. `K` are the labels in neither.
#[derive(Debug)]
pub(super) struct Cmlu {
    /// `f(x)`, `[rows, classes]`.
    pub clean: Tensor<2>,
    /// `K`, `[rows, classes]`.
    pub kept: Tensor<2, Bool>,
}

/// The weight of the decisions that are to stay.
const KEPT: f64 = 20.0;

impl Objective for Cmlu {
    fn loss(&self, scores: Tensor<2>, goal: &Goal) -> Tensor<1> {
        let mean = |losses: Tensor<2>, among: Tensor<2, Bool>| {
            let count = among.clone().int().sum_dim(1).clamp_min(1).float();
            losses.mask_fill(among.bool_not(), 0.0).sum_dim(1) / count
        };
        let attacked = mean(log_sigmoid(scores.clone().neg()).neg(), goal.specified_mask());
        let turned = relu((scores * self.clean.clone()).tanh().neg());
        let kept = mean(turned, self.kept.clone()).mul_scalar(KEPT);
        (attacked + kept).squeeze_dim(1)
    }
}

/// The weight of each label's perturbation in those of some images: 1 for specified labels; for a step in this round a
/// random `λ` for a random half of the others too. Row-major, a row for each of the images with these numbers.
pub(super) fn weights(specified: &LabelSet, numbers: &[usize], round: Option<usize>) -> Vec<f32> {
    let classes = specified.classes();
    let weigh = |row: usize, label: usize| match round {
        _ if specified.row(row)[label] => 1.0,
        None => 0.0,
        // Twice a number in [0, 1): the half above 1 is in J, by what it is above.
        Some(round) => {
            let drawn = 2.0 * uniform(round as u64, numbers[row] * classes + label, "compose");
            (drawn - 1.0).max(0.0) as f32
        }
    };
    let rows = 0..specified.rows();
    rows.flat_map(|row| (0..classes).map(move |label| weigh(row, label))).collect()
}

/// `Π(Σ_j w_j u_j)` of each row of weights; without a ball the sum.
///
/// # Shapes
/// - u: `[n, 3, height, width]`; weights: `n` of each row; output: `[rows, 3, height, width]`
pub(super) fn compose(u: &Tensor<4>, weights: Vec<f32>, ball: Option<Ball>) -> Tensor<4> {
    let [n, channels, height, width] = u.dims();
    let rows = weights.len() / n;
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [rows, n]), &u.device());
    let sum = weights.matmul(u.clone().flatten(1, 3)).reshape([rows, channels, height, width]);
    match ball {
        None => sum,
        Some(ball) => ball.scale(sum),
    }
}

/// The gradient of `1/n² Σ_{i≠j} (u_i·u_j / ‖u_i‖‖u_j‖)²`, by which the published code keeps the perturbations of labels
/// independent of each other. `[n, 3, height, width]`
pub(super) fn dependence(u: &Tensor<4>) -> Tensor<4> {
    let (dims, n) = (u.dims(), u.dims()[0]);
    let directions: Tensor<2> = Norm::L2.steepest(u.clone()).flatten(1, 3);
    let cosines = directions.clone().matmul(directions.clone().transpose());
    let cosines = cosines.mul(Tensor::eye(n, &u.device()).neg().add_scalar(1.0));
    let along = cosines.clone().powi_scalar(2).sum_dim(1);
    let flat: Tensor<2> = u.clone().flatten(1, 3);
    let length = flat.powi_scalar(2).sum_dim(1).sqrt();
    let nothing = length.clone().equal_scalar(0.0);
    let inverse = length.recip().mask_fill(nothing, 0.0);
    let gradient = (cosines.matmul(directions.clone()) - directions * along) * inverse;
    gradient.mul_scalar(4.0 / (n * n) as f64).reshape(dims)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use tkmia_core::CoreError;

    use super::*;
    use crate::readback::values;

    fn rows<const R: usize>(rows: [[f32; 3]; R]) -> Tensor<4> {
        let data = TensorData::new(rows.concat(), [R, 3, 1, 1]);
        Tensor::from_data(data, &Device::default())
    }

    #[test]
    fn the_loss_is_that_by_hand() -> Result<(), CoreError> {
        let device = Device::default();
        let set = |labels: &[usize]| LabelSet::from_indices(&[labels], 4);
        let goal = Goal::new(set(&[0, 1, 2])?, set(&[0, 1])?, 1, &device)?;
        // Of the decisions on labels 2 and 3 the last is another than before; label 2 has no weight.
        let clean = Tensor::from_floats([[1.0, 1.0, 1.0, -2.0]], &device);
        let loss = |kept: &[usize]| {
            let kept = set(kept).unwrap().to_tensor(&device);
            let scores = Tensor::from_floats([[0.0, 1.0, 0.5, 0.25]], &device);
            values(Cmlu { clean: clean.clone(), kept }.loss(scores, &goal))[0]
        };
        let attacked = (2.0_f32.ln() + (1.0 + 1.0_f32.exp()).ln()) / 2.0;
        assert!((loss(&[2, 3]) - (attacked + 10.0 * 0.5_f32.tanh())).abs() < 1e-5);
        assert!((loss(&[3]) - (attacked + 20.0 * 0.5_f32.tanh())).abs() < 1e-5);
        assert!((loss(&[]) - attacked).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn perturbations_add_up_and_are_scaled_to_the_ball() {
        let u = rows([[3.0, 0.0, 0.0], [0.0, 4.0, 1.0]]);
        let of = |norm, weights: [f32; 2]| {
            values(compose(&u, weights.to_vec(), Some(Ball { norm, radius: 2.0 })))
        };
        assert_eq!(of(Norm::Linf, [1.0, 1.0]), [1.5, 2.0, 0.5]);
        assert_eq!(of(Norm::L2, [1.0, 0.0]), [2.0, 0.0, 0.0]);
        assert_eq!(of(Norm::L2, [0.5, 0.0]), [1.5, 0.0, 0.0]);
        assert_eq!(of(Norm::L2, [0.0, 0.0]), [0.0; 3]);
    }

    #[test]
    fn specified_labels_count_whole_and_about_half_of_the_others_in_part() -> Result<(), CoreError>
    {
        let specified = LabelSet::from_indices(&vec![[3]; 50], 20)?;
        let numbers: Vec<usize> = (0..50).collect();
        let drawn = weights(&specified, &numbers, Some(1));
        assert_ne!(drawn, weights(&specified, &numbers, Some(2)));
        assert_eq!(drawn[20..40], weights(&specified.select(&[1]), &[1], Some(1)));
        let applied = weights(&specified, &numbers, None);
        for (place, (&drawn, &applied)) in drawn.iter().zip(&applied).enumerate() {
            let whole = place % 20 == 3;
            assert!(applied == f32::from(whole) && (drawn == 1.0) == whole && drawn >= 0.0);
        }
        let some = drawn.iter().filter(|&&weight| weight > 0.0).count();
        assert!((450..600).contains(&some), "{some}");
        Ok(())
    }

    #[test]
    fn the_gradient_of_dependence_is_that_of_differences() {
        let value = |u: &[[f64; 3]; 3]| {
            let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let pairs = (0..3).flat_map(|i| (0..3).map(move |j| (i, j))).filter(|(i, j)| i != j);
            let squares = pairs
                .map(|(i, j)| dot(&u[i], &u[j]).powi(2) / (dot(&u[i], &u[i]) * dot(&u[j], &u[j])));
            squares.sum::<f64>() / 9.0
        };
        let u = [[1.0, 0.5, -0.5], [0.0, 2.0, 1.0], [-1.0, 0.25, 0.5]];
        let found = values(dependence(&rows(u.map(|row| row.map(|value| value as f32)))));
        for (place, found) in found.iter().enumerate() {
            let moved = |by: f64| {
                let mut u = u;
                u[place / 3][place % 3] += by;
                value(&u)
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{place}: {found} {expected}");
        }
        assert_eq!(values(dependence(&rows([[0.0; 3]; 2]))), [0.0; 6]);
    }
}
