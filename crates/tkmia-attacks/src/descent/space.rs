//! [`Space`]: the variable that an attack moves, and the image that it stands for.

use burn::tensor::Tensor;
use tkmia_core::Bounds;
use tkmia_core::pixels::atanh;

use crate::View;

/// How the perturbed image is kept in its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// `x* = clip(x + ε)`: the variable is the perturbation, in model-input units.
    Clip,
    /// `x* = x + ε`, with ε moved back after each step so that `x*` stays within the bounds: the variable
    /// is the perturbation, and its gradient that of the image, on the bounds too.
    Project,
    /// `x* = tanh(x + m)`, as the published code has it: the variable lives in tanh space, and
    /// without any perturbation the classifier already sees `tanh(x)`, an image of less contrast.
    TanhOfImage,
}

impl Space {
    /// The space in which 0 is seen like this, for a variable that isn't of one image.
    pub(crate) fn of(view: View) -> Self {
        match view {
            View::Image => Self::Clip,
            View::Tanh => Self::TanhOfImage,
        }
    }

    /// The image that the classifier sees.
    pub fn image(self, origin: Tensor<4>, variable: Tensor<4>, bounds: Bounds) -> Tensor<4> {
        match self {
            Self::Clip | Self::Project => (origin + variable).clamp(bounds.low, bounds.high),
            Self::TanhOfImage => (origin + variable).tanh(),
        }
    }

    /// The gradient of the variable, from that of its image.
    ///
    /// On a bound any slope in `[0, 1]` is a subgradient of clip. It is 0 here, so that a pixel that is black
    /// or white already stays as it is. What is projected after a step has the gradient of the image.
    ///
    /// # Shapes
    /// - image, gradient, output: `[batch, 3, height, width]`
    pub fn pull_back(self, image: Tensor<4>, gradient: Tensor<4>, bounds: Bounds) -> Tensor<4> {
        match self {
            Self::Clip => {
                let above = image.clone().greater_equal_scalar(bounds.high);
                let below = image.lower_equal_scalar(bounds.low);
                gradient.mask_fill(above.bool_or(below), 0.0)
            }
            Self::Project => gradient,
            Self::TanhOfImage => gradient * image.powi_scalar(2).neg().add_scalar(1.0),
        }
    }

    /// The variable after a step, where the space has it.
    pub fn settle(self, origin: Tensor<4>, variable: Tensor<4>, bounds: Bounds) -> Tensor<4> {
        match self {
            Self::Clip | Self::TanhOfImage => variable,
            Self::Project => (origin.clone() + variable).clamp(bounds.low, bounds.high) - origin,
        }
    }

    /// What the classifier is given where the variable is 0.
    pub fn view(self) -> View {
        match self {
            Self::Clip | Self::Project => View::Image,
            Self::TanhOfImage => View::Tanh,
        }
    }

    /// The perturbation of an image in this space's own unit: `x* − x` in model-input units, or
    /// `atanh(0.999999 x*) − x` in tanh-space units, which are those of the paper's APer.
    pub fn perturbation(self, origin: Tensor<4>, image: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Clip | Self::Project => image - origin,
            // The factor keeps atanh finite where tanh has saturated to 1.
            Self::TanhOfImage => atanh(image.mul_scalar(0.999_999)) - origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    const B: Bounds = Bounds::SYMMETRIC;

    fn row(values: &[f32]) -> Tensor<4> {
        let data = TensorData::new(values.to_vec(), [1, 1, 1, values.len()]);
        Tensor::from_data(data, &Device::default())
    }

    fn host(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn a_pixel_on_a_bound_has_no_gradient() {
        let space = Space::Clip;
        let image = space.image(
            row(&[-1.0, -1.0, 0.0, 0.5, 1.0, 1.0]),
            row(&[-0.5, 0.0, 0.0, 0.0, 0.0, 1.0]),
            B,
        );
        assert_eq!(host(image.clone()), [-1.0, -1.0, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!(host(space.pull_back(image, row(&[2.0; 6]), B)), [0.0, 0.0, 2.0, 2.0, 0.0, 0.0]);
    }

    #[test]
    fn projected_pixels_keep_their_gradient_on_the_bounds_and_come_back_to_them() {
        let space = Space::Project;
        let origin = row(&[-1.0, 0.3, 1.0]);
        let image = space.image(origin.clone(), row(&[0.0, 0.7, -0.5]), B);
        assert_eq!(host(image.clone()), [-1.0, 1.0, 0.5]);
        assert_eq!(host(space.pull_back(image, row(&[2.0; 3]), B)), [2.0; 3]);
        assert_eq!(host(space.settle(origin, row(&[-0.5, 0.25, 0.5]), B)), [0.0, 0.25, 0.0]);
    }

    #[test]
    fn the_slope_of_tanh_is_that_of_its_graph() {
        let (space, origin) = (Space::TanhOfImage, row(&[-1.0, -0.2, 0.0, 0.9]));
        let variable = row(&[0.3, 0.1, -2.0, 0.4]).autodiff().require_grad();
        let image = space.image(origin, variable.clone(), B);
        let expected = variable.grad_remove(&mut image.clone().sum().backward()).unwrap();
        assert_eq!(host(space.pull_back(image.inner(), row(&[1.0; 4]), B)), host(expected));
    }

    #[test]
    fn the_perturbation_of_an_unattacked_image_is_next_to_nothing() {
        let data = TensorData::new(vec![-1.0_f32, -0.3, 0.0, 1.0], [1, 1, 2, 2]);
        let origin = Tensor::<4>::from_data(data, &Device::default());
        for (space, tolerance) in
            [(Space::Clip, 0.0), (Space::Project, 0.0), (Space::TanhOfImage, 2e-6)]
        {
            let image = space.view().of(origin.clone());
            let perturbation = space.perturbation(origin.clone(), image);
            assert!(perturbation.abs().max().into_scalar::<f32>() <= tolerance);
        }
    }
}
