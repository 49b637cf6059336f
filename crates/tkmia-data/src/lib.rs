//! Multi-label image datasets, from the files that people have to the tensors that models take.
//!
//! - [`Dataset`]: label names, relevant labels and images of one split. [`Voc2012`] reads PASCAL
//!   VOC 2012's own layout, [`Folder`] a directory of images with a `labels.csv`.
//! - [`open`]: any of them, as a [`DatasetSpec`] in an experiment's file names it.
//! - [`Transform`]: the victims' validation transform, [`Resize`] as Pillow and torchvision do it
//!   and then the model's range of values.
//! - [`load_batch`]: images by index, decoded and transformed in parallel, as one tensor;
//!   [`to_rgb`] goes back from such values to a picture.
//! - [`type_classes`]: the paper's types of categories ("Animals") as label indices.
//!
//! Labels are read and checked when a dataset is opened, images when they are asked for. Whatever
//! is wrong with a file comes back as a [`DataError`] that names the file.

mod batch;
mod categories;
mod dataset;
mod decode;
mod error;
mod folder;
mod picture;
mod resample;
mod spec;
mod transform;
mod voc;

pub use batch::load_batch;
pub use categories::type_classes;
pub use dataset::Dataset;
pub use error::DataError;
pub use folder::Folder;
pub use picture::to_rgb;
pub use spec::{DatasetKind, DatasetSpec, open};
pub use transform::{Resize, Transform};
pub use voc::{VOC_CLASSES, Voc2012};
