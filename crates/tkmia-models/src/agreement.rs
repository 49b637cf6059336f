//! [`check_device`]: whether a device computes a network as the CPU does.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use tkmia_core::{Classifier, Tagger, scores_and_gradient};

use crate::{ModelError, load_with};

/// Of the L2 norm; a device that rounds to 16 bits on the way is within it, one that computes something else is not.
const APART: f64 = 0.02;

/// The side of images for networks that take any.
const SIDE: usize = 224;

/// Refuses a network on a device that computes it otherwise than another one, the CPU, does. Backends for GPUs have had such faults, in
/// convolutions with strides, dilations and groups and in their gradients, and say nothing of them.
///
/// Scores of one image and their gradient by it are compared, so it takes a pass both ways on either, and the network is loaded
/// once more.
///
/// # Errors
/// [`ModelError::Disagrees`]; those of [`load_with`].
pub fn check_device(
    path: impl AsRef<Path>,
    tagger: &Tagger,
    there: &dyn Classifier,
    cpu: &Device,
) -> Result<(), ModelError> {
    let path = path.as_ref();
    let here = load_with(path, tagger, cpu)?.classifier;
    compare(here.as_ref(), there).map_err(|(what, apart)| ModelError::Disagrees {
        path: path.to_owned(),
        device: format!("{:?}", there.device()),
        what,
        apart,
    })
}

/// What differs, and by how much of its norm.
fn compare(here: &dyn Classifier, there: &dyn Classifier) -> Result<(), (&'static str, f64)> {
    let [height, width] = here.input_size().unwrap_or([SIDE; 2]);
    let (bounds, classes) = (here.bounds(), here.classes());
    // Any image will do that isn't the same everywhere.
    let value = |at: usize| {
        bounds.low + (bounds.high - bounds.low) * (0.5 + 0.4 * (0.37 * at as f32).sin())
    };
    let image: Vec<f32> = (0..3 * height * width).map(value).collect();
    let weights: Vec<f32> = (0..classes).map(|label| (1.3 * label as f32 + 0.5).cos()).collect();
    let pass = |classifier: &dyn Classifier| {
        let device = classifier.device();
        let image = TensorData::new(image.clone(), [1, 3, height, width]);
        let weights = TensorData::new(weights.clone(), [1, classes]);
        let (images, weights) =
            (Tensor::from_data(image, &device), Tensor::from_data(weights, &device));
        let (scores, gradient) = scores_and_gradient(classifier, images, weights);
        [scores.flatten::<1>(0, 1), gradient.flatten::<1>(0, 3)]
            .map(|values| values.try_to_vec_as::<f32>().expect("float tensors convert to f32"))
    };
    let [expected, found] = [pass(here), pass(there)];
    for (what, (expected, found)) in
        ["scores", "gradients"].into_iter().zip(expected.iter().zip(&found))
    {
        let norm = |values: &mut dyn Iterator<Item = f32>| {
            values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt()
        };
        let difference = norm(&mut expected.iter().zip(found).map(|(a, b)| a - b));
        let size = norm(&mut expected.iter().copied());
        // NaN isn't near anything.
        let is_near = difference <= APART * size;
        if !is_near {
            return Err((what, difference / size));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tkmia_core::Bounds;

    use super::*;
    use crate::load;

    /// A network whose scores are right, and whose gradients aren't.
    #[derive(Debug)]
    struct Faulty(Box<dyn Classifier>, f32);

    impl Classifier for Faulty {
        fn scores(&self, images: Tensor<4>) -> Tensor<2> {
            let wrong = images.clone() * self.1;
            self.0.scores(images.clone().detach() + wrong.clone() - wrong.detach())
        }

        fn classes(&self) -> usize {
            self.0.classes()
        }

        fn input_size(&self) -> Option<[usize; 2]> {
            self.0.input_size()
        }

        fn bounds(&self) -> Bounds {
            self.0.bounds()
        }

        fn device(&self) -> Device {
            self.0.device()
        }
    }

    #[test]
    fn what_computes_something_else_is_refused() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/golden/variants/legacy-groups-dilation.onnx"
        );
        let cpu = Device::flex();
        let network = || load(path, &cpu).unwrap();
        let check = |there: &dyn Classifier| check_device(path, &Tagger::default(), there, &cpu);
        check(network().as_ref()).unwrap();
        check(&Faulty(network(), 1.001)).unwrap();
        for factor in [0.9, 0.0, f32::NAN] {
            let error = check(&Faulty(network(), factor)).unwrap_err().to_string();
            assert!(error.contains("legacy-groups-dilation.onnx"), "{error}");
            assert!(error.contains("expected") && error.contains("found"), "{error}");
        }
    }
}
