//! Reading small results back from the device.

use burn::tensor::Tensor;
use tkmia_metrics::{MetricsError, Ranking};

use crate::Outcome;

/// The values of a tensor as `f32`, row-major; waits for the device.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    #[cfg(test)]
    tests::READS.with_borrow_mut(|reads| reads.push(tensor.shape().num_elements()));
    tensor.try_to_vec_as::<f32>().expect("float tensors convert to f32")
}

/// The scores of one image and the labels in their order.
#[derive(Debug, Clone)]
pub(crate) struct Scored {
    /// `[classes]`
    pub scores: Vec<f32>,
    pub ranking: Ranking,
}

/// What a forward pass shows of one image.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub scored: Scored,
    /// The loss, where the attack has one.
    pub loss: Option<f32>,
    /// The norm of the gradient of the step that led here, where there was one.
    pub slope: Option<f32>,
    /// The largest change of an element by that step, where the attack tells it.
    pub moved: Option<f32>,
}

/// The scores of an image can't be ranked: they aren't all finite.
#[derive(Debug, Clone)]
pub(crate) struct NonFinite {
    /// `[classes]`
    pub scores: Vec<f32>,
    /// The first label whose score isn't.
    pub label: usize,
}

impl From<NonFinite> for Outcome {
    fn from(NonFinite { label, .. }: NonFinite) -> Self {
        Self::NonFiniteScore { label }
    }
}

/// Reads scores `[batch, classes]` and ranks each row; losses and what is told of the last step, `[batch]`, in the
/// same read, for each read waits for the device.
pub(crate) fn read(
    scores: Tensor<2>,
    loss: Option<Tensor<1>>,
    slope: Option<Tensor<1>>,
    moved: Option<Tensor<1>>,
) -> Vec<Result<Seen, NonFinite>> {
    let classes = scores.dims()[1];
    let columns = [loss, slope, moved];
    let there = columns.each_ref().map(Option::is_some);
    let columns = columns.into_iter().flatten().map(|column| column.unsqueeze_dim(1));
    let all = Tensor::cat(std::iter::once(scores).chain(columns).collect(), 1);
    let width = all.dims()[1];
    let all = values(all);
    let seen = all.chunks_exact(width).map(|all| {
        let (scores, mut rest) = (&all[..classes], all[classes..].iter().copied());
        let ranking = Ranking::new(scores).map_err(|error| match error {
            MetricsError::NonFiniteScore { label, .. } => {
                NonFinite { scores: scores.to_vec(), label }
            }
            other => unreachable!("ranking refuses only scores that aren't finite: {other}"),
        })?;
        let [loss, slope, moved] = there.map(|there| if there { rest.next() } else { None });
        Ok(Seen { scored: Scored { scores: scores.to_vec(), ranking }, loss, slope, moved })
    });
    seen.collect()
}

/// Reads and ranks scores alone.
pub(crate) fn scored(scores: Tensor<2>) -> Vec<Result<Scored, NonFinite>> {
    let seen = read(scores, None, None, None).into_iter();
    seen.map(|seen| seen.map(|seen| seen.scored)).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use burn::tensor::{Device, Distribution};
    use serde_json::json;
    use strum::IntoEnumIterator;
    use tkmia_core::{Bounds, Classifier, LabelSet};

    use crate::{AttackBatch, AttackName, AttackSettings, Family, OptimiserName, Variant};

    use super::*;

    thread_local! {
        /// The sizes of the tensors that were read.
        pub(super) static READS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    const CLASSES: usize = 6;
    const ROWS: usize = 3;

    /// `f(x) = W x`.
    #[derive(Debug)]
    struct Linear(Tensor<2>);

    impl Classifier for Linear {
        fn scores(&self, images: Tensor<4>) -> Tensor<2> {
            images.flatten::<2>(1, 3).matmul(self.0.clone())
        }

        fn classes(&self) -> usize {
            CLASSES
        }

        fn input_size(&self) -> Option<[usize; 2]> {
            None
        }

        fn bounds(&self) -> Bounds {
            Bounds::SYMMETRIC
        }

        fn device(&self) -> Device {
            self.0.device()
        }
    }

    #[test]
    fn a_descent_waits_for_the_device_once_an_iteration_and_reads_no_image() {
        let device = Device::flex();
        device.seed(1);
        let normal = Distribution::Normal(0.0, 0.1);
        let victim = Linear(Tensor::random([3 * 8 * 8, CLASSES], normal, &device));
        let images = Tensor::<4>::random([ROWS, 3, 8, 8], normal, &device);
        let scores = values(victim.scores(images.clone()));
        let first = |row: &[f32]| Ranking::new(row).unwrap().top(1).unwrap()[0];
        let specified: Vec<[usize; 1]> = scores.chunks(CLASSES).map(|row| [first(row)]).collect();
        // One label isn't relevant, and so can be a target.
        let all = |first: &[usize; 1]| {
            (0..CLASSES).filter(|&label| label != (first[0] + 1) % CLASSES).collect()
        };
        let relevant: Vec<Vec<usize>> = specified.iter().map(all).collect();
        let batch = AttackBatch::new(
            images,
            LabelSet::from_indices(&relevant, CLASSES).unwrap(),
            LabelSet::from_indices(&specified, CLASSES).unwrap(),
            1,
        );
        let batch = batch.unwrap();
        let iterations = 12;
        let mut tried = 0;
        for name in AttackName::iter().filter(|name| name.family() == Family::Descent) {
            for &variant in name.variants().iter().filter(|it| **it != Variant::MinNorm) {
                for optimiser in OptimiserName::iter() {
                    // Steps and balls that are too small for a success.
                    let mut knobs = json!({
                        "name": name, "variant": variant, "optimiser": optimiser, "max-iterations": iterations,
                    });
                    let more = match optimiser {
                        OptimiserName::Sgd => json!({"lr": 1e-9}),
                        _ if optimiser.is_in_a_ball() => json!({"radius": 1e-6}),
                        _ => json!({"step": 1e-9}),
                    };
                    knobs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                    let knobs = knobs.as_object().unwrap();
                    let Ok(settings) = AttackSettings::from_knobs(knobs) else { continue };
                    let Ok(attack) = settings.init() else { continue };
                    let batch = match settings.target() {
                        None => batch.clone(),
                        Some(choice) => {
                            let targets = crate::Targets { choice, seed: 1 };
                            let ids = ["a", "b", "c"];
                            batch.clone().aim(targets, attack.view(), &victim, &ids).unwrap()
                        }
                    };
                    READS.take();
                    let found = attack.run(&victim, &batch).unwrap();
                    let reads = READS.take();
                    assert_eq!(found.perturbed.iterations, [iterations; ROWS], "{settings}");
                    // FMN's step is as long as how far it has come.
                    let each = if optimiser == OptimiserName::Fmn { 2 } else { 1 };
                    // The clean scores, and a look at what the last step led to.
                    assert!(reads.len() <= each * (iterations + 1) + 1, "{settings}: {reads:?}");
                    assert!(
                        reads.iter().all(|&read| read <= ROWS * (CLASSES + 3)),
                        "{settings}: {reads:?}"
                    );
                    tried += 1;
                }
            }
        }
        assert!(tried > 30, "{tried}");
    }
}
