//! [`Classifier`]: what an attack needs to know of its victim.

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use crate::{Bounds, CoreError, PassMemory};

/// A multi-label image classifier in evaluation mode.
///
/// Rows are independent: a batch's scores are those of its images alone. Weights carry no
/// gradient, so that `scores` of images on an autodiff device costs the backward pass to the
/// images and nothing else.
pub trait Classifier: Debug + Send + Sync {
    /// Scores before any sigmoid (logits).
    ///
    /// # Shapes
    /// - images: `[batch, 3, height, width]`, values within [`bounds`](Self::bounds)
    /// - output: `[batch, classes]`
    fn scores(&self, images: Tensor<4>) -> Tensor<2>;

    /// Number of labels, `c` in the paper.
    fn classes(&self) -> usize;

    /// The range of every value of an input image.
    fn bounds(&self) -> Bounds;

    /// The height and width of the images it takes; `None` if any size will do.
    fn input_size(&self) -> Option<[usize; 2]>;

    /// The device that holds the weights, without autodiff.
    fn device(&self) -> Device;

    /// The memory that passes of images of that height and width take; by default an estimate from the
    /// size alone.
    fn pass_memory(&self, size: [usize; 2]) -> PassMemory {
        PassMemory::of_images(size)
    }

    /// The label names in label order, where the classifier knows them.
    fn label_names(&self) -> Option<&[String]> {
        None
    }

    /// What one should know before one attacks it: where no gradient goes through, or where scores aren't logits.
    fn notes(&self) -> &[String] {
        &[]
    }

    /// Whether gradients lead back from its scores to the images. Where they don't, the attacks are left that ask for
    /// scores alone.
    fn has_gradients(&self) -> bool {
        true
    }

    /// Whether all that it gave until now were scores. Where they come from elsewhere that may fail: they are NaN from then
    /// on, and whoever has used them asks here.
    ///
    /// # Errors
    /// [`CoreError::Victim`] with what went wrong.
    fn check(&self) -> Result<(), CoreError> {
        Ok(())
    }

    /// What the network is, in a few words: by default its number of labels and its input size.
    ///
    /// An experiment's plan keeps it: the same network must give the same text in every version.
    fn description(&self) -> String {
        let size = match self.input_size() {
            Some([height, width]) => format!("{height}×{width}"),
            None => "any size".to_owned(),
        };
        format!("{} labels, {size}", self.classes())
    }
}

/// The methods of a classifier in front of another one that are those of the other: all but its scores and its description. Input
/// size, memory, names and notes are among them where they are named.
///
/// # Example
///
/// ```
/// use burn::tensor::Tensor;
/// use tkmia_core::{Classifier, in_front_of};
///
/// #[derive(Debug)]
/// struct Mirrored<C>(C);
///
/// impl<C: Classifier> Classifier for Mirrored<C> {
///     in_front_of!(self => self.0; input_size, pass_memory, label_names, notes);
///
///     fn scores(&self, images: Tensor<4>) -> Tensor<2> {
///         self.0.scores(images.flip([3]))
///     }
/// }
/// ```
#[macro_export]
macro_rules! in_front_of {
    ($self:ident => $other:expr $(; $($also:ident),+)?) => {
        fn classes(&$self) -> usize {
            $other.classes()
        }

        fn bounds(&$self) -> $crate::Bounds {
            $other.bounds()
        }

        fn device(&$self) -> $crate::burn::tensor::Device {
            $other.device()
        }

        fn has_gradients(&$self) -> bool {
            $other.has_gradients()
        }

        fn check(&$self) -> Result<(), $crate::CoreError> {
            $other.check()
        }

        $($($crate::in_front_of!(@$also $self $other);)+)?
    };
    (@input_size $self:ident $other:expr) => {
        fn input_size(&$self) -> Option<[usize; 2]> {
            $other.input_size()
        }
    };
    (@pass_memory $self:ident $other:expr) => {
        fn pass_memory(&$self, size: [usize; 2]) -> $crate::PassMemory {
            $other.pass_memory(size)
        }
    };
    (@label_names $self:ident $other:expr) => {
        fn label_names(&$self) -> Option<&[String]> {
            $other.label_names()
        }
    };
    (@notes $self:ident $other:expr) => {
        fn notes(&$self) -> &[String] {
            $other.notes()
        }
    };
}

macro_rules! behind_pointers {
    ($($pointer:ident),+) => {$(
        /// So that a classifier whose kind is known only at run time is attacked as any other.
        impl<C: Classifier + ?Sized> Classifier for $pointer<C> {
            in_front_of!(self => (**self); input_size, pass_memory, label_names, notes);

            fn scores(&self, images: Tensor<4>) -> Tensor<2> {
                (**self).scores(images)
            }

            fn description(&self) -> String {
                (**self).description()
            }
        }
    )+};
}

behind_pointers!(Box, Arc);

/// Scores of images, and the gradient of `Σ weights · scores` by the images: of a 1 among zeros a row of the Jacobian.
///
/// # Shapes
/// - images: `[batch, 3, height, width]`, without autodiff
/// - weights, scores: `[batch, classes]`
/// - gradient: that of the images
pub fn scores_and_gradient(
    classifier: &dyn Classifier,
    images: Tensor<4>,
    weights: Tensor<2>,
) -> (Tensor<2>, Tensor<4>) {
    let images = images.autodiff().require_grad();
    let scores = classifier.scores(images.clone());
    let mut gradients = (scores.clone() * weights).sum().backward();
    // Without one, nothing leads from the scores back to the images.
    let gradient = images.grad_remove(&mut gradients);
    (scores.inner(), gradient.unwrap_or_else(|| images.inner().zeros_like()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Blank {
        size: Option<[usize; 2]>,
    }

    impl Classifier for Blank {
        fn scores(&self, images: Tensor<4>) -> Tensor<2> {
            Tensor::zeros([images.dims()[0], 3], &images.device())
        }

        fn classes(&self) -> usize {
            3
        }

        fn bounds(&self) -> Bounds {
            Bounds::SYMMETRIC
        }

        fn input_size(&self) -> Option<[usize; 2]> {
            self.size
        }

        fn device(&self) -> Device {
            Device::default()
        }
    }

    #[test]
    fn a_classifier_of_ones_own_is_described_by_its_labels_and_size_boxed_or_not() {
        let fixed = Blank { size: Some([32, 48]) };
        assert_eq!(fixed.description(), "3 labels, 32×48");
        let boxed: Box<dyn Classifier> = Box::new(Blank { size: None });
        let as_it_is: &dyn Classifier = &boxed;
        assert_eq!(as_it_is.description(), "3 labels, any size");
        assert_eq!(as_it_is.label_names(), None);
        assert_eq!(as_it_is.pass_memory([8, 8]), PassMemory::of_images([8, 8]));
    }
}
