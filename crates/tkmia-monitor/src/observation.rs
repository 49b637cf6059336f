//! [`Observation`]: what a defender sees of one image.

/// What a defender sees of one image.
///
/// # Shapes
/// - scores: `[classes]`, logits
/// - relevant: `[classes]`, where the labels are known
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The classifier's scores.
    pub scores: &'a [f32],
    /// Which labels are relevant, `Y_p`.
    pub relevant: Option<&'a [bool]>,
}
