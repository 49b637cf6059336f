//! [`Input`]: the images to attack, and what is wanted of each.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use tkmia_core::{Bounds, Classifier, CoreError, Goal, LabelSet};
use tkmia_file::{Axis, Elements, Npz, Place};

use crate::error::CliError;
use crate::progress::say;
use crate::results::listed;

/// What an input file holds, checked against the model.
pub struct Input {
    /// Row-major `[n, 3, height, width]`.
    pub images: Vec<f32>,
    pub shape: [usize; 4],
    pub goal: Goal,
    /// What photographs are called.
    pub names: Option<Vec<String>>,
    /// Whether the labels are what the model itself says.
    pub is_presumed: bool,
    /// A line for each photograph that can't be decoded, and so isn't among them.
    pub broken: Vec<String>,
}

impl Input {
    pub fn read(
        path: &Path,
        model: &dyn Classifier,
        k: usize,
        delta: Option<usize>,
    ) -> Result<Self, CliError> {
        let mut npz = Npz::open(path)?;
        let (images, shape) = images_for(&mut npz, path, "images", model)?;

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
        let place = || Place::array(path, "specified");
        let goal = goal(relevant, specified, (k, delta), model, place)?;
        Ok(Self { images, shape, goal, names: None, is_presumed: false, broken: Vec::new() })
    }

    /// What an image is called: a photograph by its name, another by its row.
    pub fn name(&self, row: usize) -> String {
        self.names.as_ref().map_or_else(|| row.to_string(), |names| names[row].clone())
    }

    /// The first of these images, for people.
    pub fn listed(&self, rows: &[usize]) -> String {
        let names: Vec<String> = rows.iter().map(|&row| self.name(row)).collect();
        let what = if self.names.is_some() { "" } else { "rows " };
        format!("{what}{}", listed(&names))
    }

    /// Values of one image.
    pub fn image_size(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// The images of consecutive rows, on the model's device.
    pub fn tensor(&self, rows: &[usize], model: &dyn Classifier) -> Tensor<4> {
        let [_, channels, height, width] = self.shape;
        let images = &self.images[rows[0] * self.image_size()..][..rows.len() * self.image_size()];
        let images = TensorData::new(images.to_vec(), [rows.len(), channels, height, width]);
        Tensor::from_data(images, &model.device())
    }
}

/// What is wanted of images; `place` is where it is said.
pub fn goal(
    relevant: LabelSet,
    specified: LabelSet,
    (k, delta): (usize, Option<usize>),
    model: &dyn Classifier,
    place: impl Fn() -> Place,
) -> Result<Goal, CliError> {
    let goal = Goal::new(relevant, specified, k, &model.device());
    let goal = goal.and_then(|goal| match delta {
        Some(delta) => goal.with_delta(delta),
        None => Ok(goal),
    });
    goal.map_err(|source| match source {
        CoreError::TopKOutOfRange { .. } => CliError::K(source),
        source => CliError::Labels { place: place(), source },
    })
}

/// The images of an array and their shape, in the model's size and range.
pub fn images_for(
    npz: &mut Npz,
    path: &Path,
    name: &'static str,
    model: &dyn Classifier,
) -> Result<(Vec<f32>, [usize; 4]), CliError> {
    let size =
        model.input_size().map_or([Axis::Any("h"), Axis::Any("w")], |size| size.map(Axis::Is));
    images(npz, path, name, (size, "as the model takes it"), model.bounds())
}

/// The images of an array and their shape, of this size and range; `why` says where the size is from.
///
/// 8-bit pixels are scaled to the range, and the standard error says so.
pub fn images(
    npz: &mut Npz,
    path: &Path,
    name: &'static str,
    ([height, width], why): ([Axis; 2], &str),
    bounds: Bounds,
) -> Result<(Vec<f32>, [usize; 4]), CliError> {
    let images = npz.array(name)?;
    let shape = images.expect_shape([Axis::Any("n"), Axis::Is(3), height, width], why)?;
    let place = Place::array(path, name);
    if images.dtype() == "uint8" {
        say(&format!("note: {place}: 8-bit pixels, scaled to {bounds}"));
        let (low, per_unit) = (f64::from(bounds.low), bounds.pixels_per_unit());
        let images = images.read(Elements::Pixels, |pixel| (low + pixel / per_unit) as f32)?;
        return Ok((images, shape));
    }
    let images = images.read(Elements::Pixels, |value| value as f32)?;
    let Bounds { low, high } = bounds;
    let are_within =
        |range: &Bounds| images.iter().all(|value| (range.low..=range.high).contains(value));
    let usual = [Bounds::UNIT, Bounds::SYMMETRIC, Bounds { low: 0.0, high: 255.0 }];
    let within = usual.into_iter().find(are_within);
    if let Some(at) = images.iter().position(|value| !(low..=high).contains(value)) {
        let (row, found) = (at / shape[1..].iter().product::<usize>(), images[at]);
        return Err(CliError::Pixel { place, row, low, high, found, within });
    }
    // No image darker than grey among those of [-1, 1], none but black ones among those of [0, 255].
    if within == Some(Bounds::UNIT) && (low < 0.0 || high > 1.0) {
        say(&format!(
            "warning: {place}: all values are within 0..1, and the network's are {bounds}: --range says otherwise"
        ));
    }
    Ok((images, shape))
}
