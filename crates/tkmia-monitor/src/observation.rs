//! [`Observation`]: what a defender sees of one image; [`Squeezed`]: and of less of it.

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
    /// The scores of the squeezed image, where it was scored again.
    pub squeezed: Option<Squeezed<'a>>,
}

/// A classifier's scores of one image that has lost details: feature squeezing (Xu, Evans & Qi, NDSS 2018).
///
/// # Shapes
/// - each: `[classes]`, logits
#[derive(Debug, Clone, Copy)]
pub struct Squeezed<'a> {
    /// With fewer levels of each value.
    pub bit_depth: &'a [f32],
    /// From a JPEG file.
    pub jpeg: &'a [f32],
    /// Blurred.
    pub blur: &'a [f32],
}
