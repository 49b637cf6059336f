//! [`Space`]: the variable that an attack moves, and the image that it stands for.

use burn::tensor::Tensor;
use tkmia_core::Bounds;
use tkmia_core::pixels::atanh;

/// How the perturbed image is kept in its box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Space {
    /// `x* = clip(x + ε)`: the variable is the perturbation, in model-input units.
    Clip(Bounds),
    /// `x* = x + ε`, with ε moved back after each step so that `x*` stays within the bounds: the variable
    /// is the perturbation, and its gradient that of the image, on the bounds too.
    Project(Bounds),
    /// `x* = tanh(x + m)`, as the published code has it: the variable lives in tanh space, and
    /// without any perturbation the classifier already sees `tanh(x)`, an image of less contrast.
    TanhOfImage,
}

/// A variable and its image, differentiable in the leaf.
pub(crate) struct Tracked {
    pub leaf: Tensor<4>,
    pub variable: Tensor<4>,
    pub image: Tensor<4>,
}

impl Space {
    /// The image that the classifier sees.
    pub fn image(&self, origin: Tensor<4>, variable: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Clip(bounds) => clip(origin + variable, *bounds),
            // What is left to clip here is rounding.
            Self::Project(bounds) => (origin + variable).clamp(bounds.low, bounds.high),
            Self::TanhOfImage => (origin + variable).tanh(),
        }
    }

    /// Variable and image on a graph to what their gradient is taken with respect to.
    pub(crate) fn track(&self, origin: Tensor<4>, variable: Tensor<4>) -> Tracked {
        match self {
            Self::Clip(_) | Self::TanhOfImage => {
                let variable = variable.autodiff().require_grad();
                let image = self.image(origin, variable.clone());
                Tracked { leaf: variable.clone(), variable, image }
            }
            Self::Project(_) => {
                let image = self.image(origin.clone(), variable).autodiff().require_grad();
                Tracked { leaf: image.clone(), variable: image.clone() - origin, image }
            }
        }
    }

    /// The variable after a step, where the space has it.
    pub fn settle(&self, origin: Tensor<4>, variable: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Clip(_) | Self::TanhOfImage => variable,
            Self::Project(bounds) => {
                (origin.clone() + variable).clamp(bounds.low, bounds.high) - origin
            }
        }
    }

    /// The image that the classifier sees where the variable is 0, `x̃`.
    pub fn unattacked(&self, origin: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Clip(_) | Self::Project(_) => origin,
            Self::TanhOfImage => origin.tanh(),
        }
    }

    /// The perturbation of an image in this space's own unit: `x* − x` in model-input units, or
    /// `atanh(0.999999 x*) − x` in tanh-space units, which are those of the paper's APer.
    pub fn perturbation(&self, origin: Tensor<4>, image: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Clip(_) | Self::Project(_) => image - origin,
            // The factor keeps atanh finite where tanh has saturated to 1.
            Self::TanhOfImage => atanh(image.mul_scalar(0.999_999)) - origin,
        }
    }
}

/// `clip(values)`, with gradient inside the bounds only.
///
/// On a bound any slope in `[0, 1]` is a subgradient; 0 it is, so that a pixel that is black or white
/// already stays as it is. (Burn's own `clamp` has slope 1 there.)
fn clip(values: Tensor<4>, bounds: Bounds) -> Tensor<4> {
    let above = values.clone().greater_equal_scalar(bounds.high);
    let below = values.clone().lower_equal_scalar(bounds.low);
    values.mask_fill(above, bounds.high).mask_fill(below, bounds.low)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn a_pixel_on_a_bound_has_no_gradient() {
        let device = Device::default();
        let data = TensorData::new(vec![-1.5_f32, -1.0, 0.0, 0.5, 1.0, 2.0], [1, 1, 2, 3]);
        let values = Tensor::<4>::from_data(data, &device).autodiff().require_grad();
        let clipped = clip(values.clone(), Bounds::SYMMETRIC);
        let host = |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(host(clipped.clone().inner()), [-1.0, -1.0, 0.0, 0.5, 1.0, 1.0]);
        let gradient = values.grad_remove(&mut clipped.sum().backward()).unwrap();
        assert_eq!(host(gradient), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn projected_pixels_keep_their_gradient_on_the_bounds_and_come_back_to_them() {
        let device = Device::default();
        let image = |values: [f32; 3]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 1, 1, 3]), &device)
        };
        let host = |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let space = Space::Project(Bounds::SYMMETRIC);
        let origin = image([-1.0, 0.3, 1.0]);
        let Tracked { leaf, variable, image: tracked } =
            space.track(origin.clone(), image([0.0, 0.7, -0.5]));
        assert_eq!(host(tracked.clone().inner()), [-1.0, 1.0, 0.5]);
        let loss = tracked.sum() + variable.sum();
        assert_eq!(host(leaf.grad_remove(&mut loss.backward()).unwrap()), [2.0; 3]);
        assert_eq!(host(space.settle(origin, image([-0.5, 0.25, 0.5]))), [0.0, 0.25, 0.0]);
    }

    #[test]
    fn the_perturbation_of_an_unattacked_image_is_next_to_nothing() {
        let data = TensorData::new(vec![-1.0_f32, -0.3, 0.0, 1.0], [1, 1, 2, 2]);
        let origin = Tensor::<4>::from_data(data, &Device::default());
        for (space, tolerance) in [
            (Space::Clip(Bounds::SYMMETRIC), 0.0),
            (Space::Project(Bounds::SYMMETRIC), 0.0),
            (Space::TanhOfImage, 2e-6),
        ] {
            let image = space.unattacked(origin.clone());
            let perturbation = space.perturbation(origin.clone(), image);
            assert!(perturbation.abs().max().into_scalar::<f32>() <= tolerance);
        }
    }
}
