//! What no figure can be drawn of.

/// Panels that no figure can be drawn of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FigureError {
    /// There is nothing to draw.
    #[error("a figure needs at least one panel")]
    NoPanels,
    /// Perturbations can't be magnified by this factor.
    #[error("magnification must be positive and finite, found {found}")]
    Magnification {
        /// The factor that was given.
        found: f32,
    },
    /// An image has no pixels.
    #[error("panel `{panel}`: the original image is empty")]
    EmptyImage {
        /// The panel's title.
        panel: String,
    },
    /// The two images of a panel differ in size.
    #[error(
        "panel `{panel}`: the perturbed image is {}x{} pixels, the original {}x{}",
        found.0, found.1, expected.0, expected.1
    )]
    ImageSize {
        /// The panel's title.
        panel: String,
        /// Width and height of the original.
        expected: (u32, u32),
        /// Width and height of the perturbed image.
        found: (u32, u32),
    },
    /// A perturbation isn't of its image's shape.
    #[error("panel `{panel}`: expected {expected} perturbation values (3 * h * w), found {found}")]
    PerturbationLength {
        /// The panel's title.
        panel: String,
        /// Three times the number of pixels.
        expected: usize,
        /// How many values were given.
        found: usize,
    },
    /// A perturbation holds a NaN or an infinity.
    #[error("panel `{panel}`: perturbation value {index} is not finite: {found}")]
    NonFinite {
        /// The panel's title.
        panel: String,
        /// Where in the perturbation.
        index: usize,
        /// The value there.
        found: f32,
    },
    /// A panel's two lists aren't top-k lists of one k.
    #[error("panel `{panel}`: {before} labels before, {after} after")]
    ListLength {
        /// The panel's title.
        panel: String,
        /// Labels in the list before the attack.
        before: usize,
        /// Labels in the list after it.
        after: usize,
    },
    /// A label's probability isn't one.
    #[error("panel `{panel}`: probability of `{label}` must lie within [0, 1], found {found}")]
    Probability {
        /// The panel's title.
        panel: String,
        /// The label's name.
        label: String,
        /// The probability that was given.
        found: f64,
    },
    /// The figure would be taller than image viewers open.
    #[error("the figure would be {height} pixels tall, the limit is {limit}: use fewer panels")]
    TooTall {
        /// Pixels that the figure would take.
        height: u32,
        /// The largest height that is drawn.
        limit: u32,
    },
}
