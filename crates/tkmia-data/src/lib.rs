//! Multi-label image datasets, from the files that people have to the tensors that models take.
//!
//! - [`Dataset`]: label names, relevant labels and images of one split. [`Voc2012`], [`Coco2014`]
//!   and [`NusWide`] read the layouts in which these are published, [`Folder`] a directory of
//!   images with a `labels.csv`.
//! - [`open`]: any of them, as a [`DatasetSpec`] in an experiment's file names it.
//! - [`Transform`]: the victims' validation transform, [`Resize`] as Pillow and torchvision do it
//!   and then the model's range of values.
//! - [`load_batch`]: images by index, decoded and transformed in parallel, as one tensor; [`open_image`]:
//!   one photograph; [`read_rgb`]: its pixels; [`to_tensor`]: an image in memory; [`photographs`]: those of a folder, [`decodable`]: those that are whole.
//! - [`to_image`], [`to_rgb`]: back from such values to a picture, which [`save_png`] keeps.
//! - [`Squeezer`]: what takes details out of an image; [`Squeezed`]: a data set without them; [`Defended`]: a classifier that takes them out first;
//!   [`RandomlyResized`]: one that scales and moves its images; [`Defence`]: any of them.
//! - [`type_classes`]: the paper's types of categories ("Animals") as label indices.
//! - [`miniature`]: small synthetic data sets in the same layouts, for trials without the real ones.
//!
//! Labels are read and checked when a dataset is opened, images when they are asked for. Whatever
//! is wrong with a file comes back as a [`DataError`] that names the file. [`image`] is the version of that
//! crate whose pictures these are.

mod batch;
mod categories;
mod coco;
mod dataset;
mod decode;
mod defended;
mod error;
mod folder;
pub mod miniature;
mod nus_wide;
mod picture;
mod random_resize;
mod resample;
mod spec;
mod squeeze;
mod text;
mod transform;
mod voc;

pub use batch::{batch_values, load_batch, open_image, to_tensor};
pub use categories::type_classes;
pub use coco::Coco2014;
pub use dataset::{Dataset, Listing};
pub use decode::read_rgb;
pub use defended::{Defence, Defended};
pub use error::DataError;
pub use folder::{Folder, decodable, is_photograph, photographs};
pub use image;
pub use nus_wide::{NUS_WIDE_CONCEPTS, NusWide};
pub use picture::{save_png, to_image, to_png, to_rgb};
pub use random_resize::RandomlyResized;
pub use spec::{DatasetKind, DatasetSpec, open};
pub use squeeze::{Squeezed, Squeezer};
pub use transform::{Resize, Transform};
pub use voc::{VOC_CLASSES, Voc2012};
