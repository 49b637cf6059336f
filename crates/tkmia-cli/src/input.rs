//! [`Input`]: the images to attack, and what is wanted of each.

use std::path::Path;

use tkmia_core::{Classifier, CoreError, Goal, LabelSet};

use crate::arrays::{Axis, Npz};
use crate::error::{CliError, Place};

/// What an input file holds, checked against the model.
pub struct Input {
    /// Row-major `[n, 3, height, width]`.
    pub images: Vec<f32>,
    pub shape: [usize; 4],
    pub goal: Goal,
}

impl Input {
    pub fn read(
        path: &Path,
        model: &dyn Classifier,
        k: usize,
        delta: Option<usize>,
    ) -> Result<Self, CliError> {
        let mut npz = Npz::open(path)?;
        let images = npz.array("images")?;
        let [height, width] =
            model.input_size().map_or([Axis::Any("h"), Axis::Any("w")], |size| size.map(Axis::Is));
        let axes = [Axis::Any("n"), Axis::Is(3), height, width];
        let shape = images.expect_shape(axes, "as the model takes it")?;
        let images = images.read::<f32>()?;
        check_range(path, &images, shape, model)?;

        let mut flags = |name| {
            let array = npz.array(name)?;
            let axes = [Axis::Is(shape[0]), Axis::Is(model.classes())];
            array.expect_shape(axes, "(images, the model's labels)")?;
            let flags = array.read_flags()?;
            let place = Place::array(path, name);
            LabelSet::new(flags, model.classes())
                .map_err(|source| CliError::Labels { place, source })
        };
        let (relevant, specified) = (flags("labels")?, flags("specified")?);
        let goal = Goal::new(relevant, specified, k, &model.device());
        let goal = goal.and_then(|goal| match delta {
            Some(delta) => goal.with_delta(delta),
            None => Ok(goal),
        });
        let goal = goal.map_err(|source| match source {
            CoreError::TopKOutOfRange { .. } => CliError::K(source),
            source => CliError::Labels { place: Place::array(path, "specified"), source },
        })?;
        Ok(Self { images, shape, goal })
    }

    /// Values of one image.
    pub fn image_size(&self) -> usize {
        self.shape[1..].iter().product()
    }
}

fn check_range(
    path: &Path,
    images: &[f32],
    shape: [usize; 4],
    model: &dyn Classifier,
) -> Result<(), CliError> {
    let bounds = model.bounds();
    let range = bounds.low..=bounds.high;
    match images.iter().position(|value| !range.contains(value)) {
        None => Ok(()),
        Some(at) => Err(CliError::Pixel {
            place: Place::array(path, "images"),
            row: at / shape[1..].iter().product::<usize>(),
            low: bounds.low,
            high: bounds.high,
            found: images[at],
        }),
    }
}
