//! [`eligible_count`]: how many samples a setting can have, before any image is looked at.

use tkmia_data::Dataset;

use crate::cohort::Draw;
use crate::error::ExperimentError;
use crate::setting::{Selection, Setting};

/// Number of a dataset's samples that their labels alone admit to a setting of the global scheme:
/// `S = categories ∩ Y_p` isn't empty, and `|Y_p| ≥ k + |S|`.
///
/// No image is read. Of these samples, those take part that have a label of `S` in the victim's
/// top-k, the first 1000 in the paper.
///
/// # Errors
/// - [`tkmia_core::CoreError::TopKOutOfRange`] unless `1 ≤ k < c`
/// - [`tkmia_data::DataError::UnknownType`] for a type that the dataset hasn't
///
/// # Example
///
/// ```
/// use tkmia_data::Voc2012;
/// use tkmia_experiment::eligible_count;
///
/// # let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
/// let voc = Voc2012::open(root, "val")?;
/// assert_eq!(eligible_count(&voc, "Animals", 1)?, 172);
/// assert_eq!(eligible_count(&voc, "Animals", 3)?, 76);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn eligible_count(
    dataset: &dyn Dataset,
    types: &str,
    k: usize,
) -> Result<usize, ExperimentError> {
    let selection = Selection::Global(types.to_owned());
    let setting = Setting { dataset: dataset.name().to_owned(), selection, k, delta: None };
    Ok(Draw::new(dataset, setting, usize::MAX, 0..1)?.upper_limit())
}
