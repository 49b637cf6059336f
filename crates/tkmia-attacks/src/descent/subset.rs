//! [`subset`]: which of the specified labels are attacked, where not all have to leave.

use burn::tensor::Tensor;
use tkmia_core::{Classifier, Goal, LabelSet};

use crate::geometry::{gram, jacobian};
use crate::readback::values;

/// CLASS, "Classification Landscape Attentive Subset Selection", by the published code of "Champagne Taste on a Beer Budget:
/// Better Budget Utilisation in Multi-label Adversarial Attacks": of the δ labels `C` that are attacked,
///
/// ```text
/// ½ Σ_{i,j∈C} M_ij + ½ Σ_{i∈C} a_i,     a_i = (1 − p_i) / max_j (1 − p_j),   p = sigmoid(f)
/// ```
///
/// is to be large. `a` is how easily a label is attacked and `M_ij` how an attack on label i alone helps that on j: here, to
/// first order at the image, how far the step of steepest descent of `f_i` lowers `p_j`, moved and scaled to [0, 1] over all
/// pairs; there a mean over a data set. From the label that is easiest on, the one with the largest gain joins.
///
/// Only labels in the top-k can leave it. Where no choice is left it takes no pass.
///
/// # Shapes
/// - images: `[rows, 3, height, width]`; scores: `[rows, classes]`
/// - output: the labels, and of each row how many were chosen among, by a pass both ways for each
pub(super) fn subset(
    classifier: &dyn Classifier,
    images: &Tensor<4>,
    scores: Tensor<2>,
    goal: &Goal,
) -> (LabelSet, Vec<usize>) {
    let scores = values(scores);
    let all = scores.chunks_exact(goal.specified().classes()).enumerate();
    let candidates = all.clone().map(|(row, scores)| candidates(scores, goal, row));
    let candidates: Vec<Vec<usize>> = candidates.collect();
    let most = goal.delta().unwrap_or(usize::MAX);
    let asked = candidates.iter().map(|labels| if labels.len() > most { &labels[..] } else { &[] });
    let asked: Vec<Vec<usize>> = asked.map(<[usize]>::to_vec).collect();
    let gradients = jacobian(classifier, images, &asked);
    let size = gradients.dims()[1];
    let gradients = values(gradients);
    let mut gradients = gradients.chunks_exact(size);
    let chosen = all.map(|(row, scores)| {
        let labels = &candidates[row];
        if asked[row].is_empty() {
            return labels.clone();
        }
        let gradients: Vec<&[f32]> = gradients.by_ref().take(labels.len()).collect();
        let scores: Vec<f64> = labels.iter().map(|&label| scores[label].into()).collect();
        choose(&scores, &gram(&gradients), most).into_iter().map(|at| labels[at]).collect()
    });
    let chosen: Vec<Vec<usize>> = chosen.collect();
    let chosen = LabelSet::from_indices(&chosen, goal.specified().classes());
    (chosen.expect("they are labels of the goal"), asked.iter().map(Vec::len).collect())
}

/// The specified labels in the top-k where so many must leave; all of them where all must, or none is in.
fn candidates(scores: &[f32], goal: &Goal, row: usize) -> Vec<usize> {
    let mut labels = goal.specified().indices(row);
    let ahead = |label: usize, other: usize| {
        scores[other] > scores[label] || (scores[other] == scores[label] && other < label)
    };
    let rank = |label: usize| (0..scores.len()).filter(|&other| ahead(label, other)).count();
    if goal.delta().is_some() && labels.iter().any(|&label| rank(label) < goal.k()) {
        labels.retain(|&label| rank(label) < goal.k());
    }
    labels
}

/// The positions of `most` labels with these scores, whose gradients have this Gram matrix.
fn choose(scores: &[f64], products: &[f64], most: usize) -> Vec<usize> {
    let n = scores.len();
    let p: Vec<f64> = scores.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect();
    let ease: Vec<f64> = p.iter().map(|p| 1.0 - p).collect();
    let easiest = ease.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let lowered = |i: usize, j: usize| match products[i * n + i].sqrt() {
        0.0 => 0.0,
        length => p[j] * (1.0 - p[j]) * products[i * n + j] / length,
    };
    let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let [least, largest] = [f64::min, f64::max]
        .map(|of| pairs.clone().map(|(i, j)| lowered(i, j)).reduce(of).expect("there is a label"));
    let range = if largest > least { largest - least } else { 1.0 };
    let help = |i: usize, j: usize| (lowered(i, j) - least) / range;
    let gain = |chosen: &[usize], i: usize| {
        ease[i] / easiest + chosen.iter().map(|&j| help(i, j) + help(j, i)).sum::<f64>()
    };
    let mut chosen = Vec::with_capacity(most);
    while chosen.len() < most {
        // Of equals the first.
        let open = (0..n).rev().filter(|at| !chosen.contains(at));
        let best = open.max_by(|&a, &b| gain(&chosen, a).total_cmp(&gain(&chosen, b)));
        chosen.push(best.expect("no more are asked for than there are"));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use tkmia_core::CoreError;

    use super::*;

    #[test]
    fn only_labels_in_the_top_k_are_chosen_among() -> Result<(), CoreError> {
        let set = |labels: &[usize]| LabelSet::from_indices(&[labels], 5);
        let goal = Goal::new(set(&[0, 1, 2, 3])?, set(&[0, 1, 3])?, 3, &Device::default())?;
        let scores = [1.0, 4.0, 3.0, 2.0, 2.0];
        assert_eq!(candidates(&scores, &goal, 0), [0, 1, 3]);
        assert_eq!(candidates(&scores, &goal.with_delta(1)?, 0), [1, 3]);
        Ok(())
    }

    #[test]
    fn the_easiest_label_is_joined_by_the_one_that_it_helps() {
        // Gradients of (1, 0), (−1, 0) and (1, 1).
        let products = gram(&[[1.0_f32, 0.0], [-1.0, 0.0], [1.0, 1.0]]);
        assert_eq!(choose(&[0.0, 0.5, 0.5], &products, 1), [0]);
        assert_eq!(choose(&[0.0, 0.5, 0.5], &products, 2), [0, 2]);
        assert_eq!(choose(&[0.5, 0.0, 0.5], &products, 2)[0], 1);
        assert_eq!(choose(&[1.0, 1.0, 1.0], &[0.0; 9], 3), [0, 1, 2]);
    }

    #[test]
    fn a_choice_is_made_by_the_sum_of_help_and_ease() {
        // By hand: p = ½, so that M is a quarter of the products over the lengths of 1, 2 and 1.
        let products = [1.0, 1.0, 0.5, 1.0, 4.0, 0.0, 0.5, 0.0, 1.0];
        // M = ¼ (1, 1, ½; ½, 2, 0; ½, 0, 1) is scaled by 2: 0 and 1 gain ½ + ¼, 0 and 2 ¼ + ¼.
        assert_eq!(choose(&[0.0; 3], &products, 2), [0, 1]);
        // Where label 2 is easier by more than that, it joins.
        let p: f64 = 0.1;
        assert_eq!(choose(&[-5.0, 3.0, (p / (1.0 - p)).ln()], &products, 2), [0, 2]);
    }
}
