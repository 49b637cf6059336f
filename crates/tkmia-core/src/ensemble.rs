//! [`Ensemble`]: classifiers that are attacked in place of another one.

use burn::tensor::{Device, Tensor};

use crate::{Bounds, Classifier, CoreError, PassMemory};

/// One or more classifiers in place of a victim: the mean of their scores (Liu, Chen, Liu & Song, ICLR 2017; of logits, as
/// here, Dong et al., CVPR 2018).
///
/// It takes images in the victim's range, and each of them sees these in its own. Those with larger logits count for more.
#[derive(Debug)]
pub struct Ensemble {
    members: Vec<Box<dyn Classifier>>,
    bounds: Bounds,
    input_size: Option<[usize; 2]>,
}

impl Ensemble {
    /// Classifiers in place of this one.
    ///
    /// # Errors
    /// [`CoreError::Surrogate`] for none, and for one that takes images of another size, or on another device, or knows another
    /// number of labels.
    pub fn in_place_of(
        victim: &dyn Classifier,
        members: Vec<Box<dyn Classifier>>,
    ) -> Result<Self, CoreError> {
        if members.is_empty() {
            let (expected, found) = ("at least one".to_owned(), "none".to_owned());
            return Err(CoreError::Surrogate { number: 0, expected, found });
        }
        let mut input_size = victim.input_size();
        for (number, member) in (1..).zip(&members) {
            let refuse = |expected: String, found: String| {
                Err(CoreError::Surrogate { number, expected, found })
            };
            let (expected, found) = (victim.classes(), member.classes());
            if expected != found {
                return refuse(format!("{expected} labels, as the victim has"), found.to_string());
            }
            if let (Some([height, width]), Some([tall, wide])) = (input_size, member.input_size())
                && [height, width] != [tall, wide]
            {
                return refuse(format!("images of {height}×{width}"), format!("{tall}×{wide}"));
            }
            input_size = input_size.or(member.input_size());
            let (expected, found) = (victim.device(), member.device());
            if expected != found {
                return refuse(format!("{expected:?}"), format!("{found:?}"));
            }
        }
        Ok(Self { members, bounds: victim.bounds(), input_size })
    }
}

impl Classifier for Ensemble {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let scores = self.members.iter().map(|member| {
            let images = self.bounds.mapped(images.clone(), member.bounds());
            member.scores(images)
        });
        let sum = scores.reduce(|sum, scores| sum + scores).expect("an ensemble isn't empty");
        sum / self.members.len() as f32
    }

    fn classes(&self) -> usize {
        self.members[0].classes()
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        self.input_size
    }

    fn device(&self) -> Device {
        self.members[0].device()
    }

    fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        // A gradient needs what all of them have kept.
        let each = self.members.iter().map(|member| member.pass_memory(size));
        let sum = |a: PassMemory, b: PassMemory| PassMemory {
            weights: a.weights + b.weights,
            worker: a.worker + b.worker,
            image: a.image + b.image,
        };
        each.reduce(sum).expect("an ensemble isn't empty")
    }

    fn has_gradients(&self) -> bool {
        self.members.iter().all(|member| member.has_gradients())
    }

    fn check(&self) -> Result<(), CoreError> {
        self.members.iter().try_for_each(|member| member.check())
    }

    fn description(&self) -> String {
        let each: Vec<String> = self.members.iter().map(|member| member.description()).collect();
        each.join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    /// Label i is scored by `slope` times the image's i-th value.
    #[derive(Debug)]
    struct Linear {
        slope: f32,
        bounds: Bounds,
        size: Option<[usize; 2]>,
    }

    impl Classifier for Linear {
        fn scores(&self, images: Tensor<4>) -> Tensor<2> {
            images.flatten(1, 3).mul_scalar(self.slope)
        }

        fn classes(&self) -> usize {
            if self.size == Some([1, 2]) { 6 } else { 3 }
        }

        fn bounds(&self) -> Bounds {
            self.bounds
        }

        fn input_size(&self) -> Option<[usize; 2]> {
            self.size
        }

        fn device(&self) -> Device {
            Device::default()
        }
    }

    fn linear(slope: f32, bounds: Bounds, size: Option<[usize; 2]>) -> Box<dyn Classifier> {
        Box::new(Linear { slope, bounds, size })
    }

    #[test]
    fn scores_are_the_mean_of_each_ones_view_and_gradients_go_back_through_all() {
        let victim = linear(0.0, Bounds::UNIT, Some([1, 1]));
        let members =
            vec![linear(2.0, Bounds::UNIT, None), linear(3.0, Bounds::SYMMETRIC, Some([1, 1]))];
        let ensemble = Ensemble::in_place_of(&victim, members).unwrap();
        assert_eq!((ensemble.bounds(), ensemble.input_size()), (Bounds::UNIT, Some([1, 1])));
        let data = TensorData::new(vec![0.0_f32, 0.25, 1.0], [1, 3, 1, 1]);
        let images = Tensor::<4>::from_data(data, &Device::default().autodiff()).require_grad();
        let scores = ensemble.scores(images.clone());
        // (2x + 3 (2x − 1)) / 2
        let gradient = images.grad(&scores.clone().sum().backward()).unwrap();
        assert_eq!(gradient.try_to_vec_as::<f32>().unwrap(), [4.0; 3]);
        assert_eq!(scores.inner().try_to_vec_as::<f32>().unwrap(), [-1.5, -0.5, 2.5]);
    }

    #[test]
    fn what_cannot_stand_in_is_named() {
        let says = |victim: &dyn Classifier, members| {
            Ensemble::in_place_of(victim, members).unwrap_err().to_string()
        };
        let one = || linear(1.0, Bounds::UNIT, Some([1, 1]));
        assert_eq!(says(&one(), vec![]), "surrogate 0: expected at least one, found none");
        let other = linear(1.0, Bounds::UNIT, Some([1, 2]));
        let error = says(&one(), vec![one(), other]);
        assert_eq!(error, "surrogate 2: expected 3 labels, as the victim has, found 6");
        let sized = linear(1.0, Bounds::UNIT, Some([2, 2]));
        let open = linear(1.0, Bounds::UNIT, None);
        let error = says(&open, vec![one(), sized]);
        assert_eq!(error, "surrogate 2: expected images of 1×1, found 2×2");
    }
}
