//! The average-top-k relaxation (Ogryczak & Tamir 2003; Sun et al. 2023, Eq. 1 and Lemma 4.1).
//!
//! Order statistics aren't smooth enough to optimise; their running averages are convex. Both
//! [`average_top_k`] and the maximum over a label set are written as a weighted sum with weights
//! that carry no gradient, so that the subgradient at ties is the same on every backend: tied
//! elements at the border share the places that are left in equal parts.

use burn::tensor::{Bool, Tensor};

/// Average of the `k` largest entries of each row.
///
/// Sun et al. 2023, Eq. 1: `φ_k(v) = (1/k) Σ_{i≤k} v_[i]`, where `v_[i]` is the i-th largest entry.
/// Equal to [`relaxed_average`] at its minimiser [`kth_largest`] (Lemma 4.1). Its gradient is
/// `1/k` on each of the `k` largest entries; entries tied at the border share.
///
/// # Shapes
/// - values: `[batch, n]` with `1 ≤ k ≤ n`
/// - output: `[batch, 1]`
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use tkmia_core::relaxation::average_top_k;
///
/// let values = Tensor::<2>::from_floats([[3.0, 1.0, 2.0, 2.0]], &Device::default());
/// assert_eq!(average_top_k(values.clone(), 1).into_scalar::<f32>(), 3.0);
/// assert_eq!(average_top_k(values, 2).into_scalar::<f32>(), 2.5);
/// ```
pub fn average_top_k(values: Tensor<2>, k: usize) -> Tensor<2> {
    let weights = weights_of_largest(values.clone(), k);
    (values * weights).sum_dim(1).mul_scalar(1.0 / k as f64)
}

/// The right-hand side of Lemma 4.1 divided by `k`: `λ + (1/k) Σ_i [v_i − λ]_+`.
///
/// Never below [`average_top_k`], whatever `λ`.
///
/// # Shapes
/// - values: `[batch, n]`; lambda: `[batch, 1]`
/// - output: `[batch, 1]`
pub fn relaxed_average(values: Tensor<2>, k: usize, lambda: Tensor<2>) -> Tensor<2> {
    let excess = hinge(values - lambda.clone());
    lambda + excess.sum_dim(1).mul_scalar(1.0 / k as f64)
}

/// The k-th largest entry `v_[k]` of each row: a minimiser of [`relaxed_average`] over `λ`.
///
/// # Shapes
/// - values: `[batch, n]` with `1 ≤ k ≤ n`
/// - output: `[batch, 1]`, without gradient
pub fn kth_largest(values: Tensor<2>, k: usize) -> Tensor<2> {
    match k {
        // Without sorting.
        1 => values.detach().max_dim(1),
        _ => values.detach().topk(k, 1).narrow(1, k - 1, 1),
    }
}

/// `[v]_+ = max(0, v)`, element by element.
pub fn hinge(values: Tensor<2>) -> Tensor<2> {
    burn::tensor::activation::relu(values)
}

/// Largest entry of each row among the allowed ones; 0, without gradient, where none is.
///
/// # Shapes
/// - values, allowed: `[batch, n]`
/// - output: `[batch, 1]`
pub fn max_over(values: Tensor<2>, allowed: Tensor<2, Bool>) -> Tensor<2> {
    let forbidden = allowed.bool_not();
    let masked = values.clone().mask_fill(forbidden.clone(), f32::NEG_INFINITY);
    // Where nothing is allowed every entry ties at −∞; the mask then takes all the weight away.
    let weights = weights_of_largest(masked, 1).mask_fill(forbidden, 0.0);
    (values * weights).sum_dim(1)
}

/// Smallest entry of each row among the allowed ones; 0, without gradient, where none is.
///
/// # Shapes
/// As [`max_over`].
pub fn min_over(values: Tensor<2>, allowed: Tensor<2, Bool>) -> Tensor<2> {
    max_over(values.neg(), allowed).neg()
}

/// Weights, summing to `k` in each row, that pick the `k` largest entries; no gradient.
fn weights_of_largest(values: Tensor<2>, k: usize) -> Tensor<2> {
    let values = values.detach();
    let border = kth_largest(values.clone(), k);
    let zeros = values.zeros_like();
    let above = zeros.clone().mask_fill(values.clone().greater(border.clone()), 1.0);
    let at_border = zeros.mask_fill(values.equal(border), 1.0);
    let places_left = above.clone().sum_dim(1).neg().add_scalar(k as f64);
    let share = places_left / at_border.clone().sum_dim(1);
    above + at_border * share
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn ties_at_the_border_share_the_gradient() {
        let values = Tensor::<2>::from_floats([[1.0, 2.0, 1.0, 0.0]], &Device::default());
        let values = values.autodiff().require_grad();
        let mut gradients = average_top_k(values.clone(), 2).sum().backward();
        let gradient = values.grad_remove(&mut gradients).unwrap();
        assert_eq!(gradient.into_data().try_to_vec::<f32>().unwrap(), [0.25, 0.5, 0.25, 0.0]);
    }

    #[test]
    fn a_row_with_nothing_allowed_is_zero_and_has_no_gradient() {
        let device = Device::default();
        let values = Tensor::<2>::from_floats([[1.0, -2.0], [3.0, 4.0]], &device);
        let values = values.autodiff().require_grad();
        let allowed = Tensor::<2, Bool>::from_data([[false, false], [true, false]], &device);
        let largest = max_over(values.clone(), allowed);
        assert_eq!(largest.to_data().try_to_vec::<f32>().unwrap(), [0.0, 3.0]);
        let gradient = values.grad_remove(&mut largest.sum().backward()).unwrap();
        assert_eq!(gradient.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.0, 1.0, 0.0]);
    }
}
