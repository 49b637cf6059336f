//! Attacked images side by side with their top-k lists: [`Panel`] and [`draw`].

mod labels;
mod picture;
mod sheet;

use image::{Rgb, RgbImage};

use crate::FigureError;
use sheet::Sheet;

/// One row of a figure: a sample before and after an attack.
#[derive(Debug, Clone)]
pub struct Panel<'a> {
    /// The sample's id; set in bold, shortened when it takes more than a third of the row.
    pub title: String,
    /// What else to say of the sample, after its title: k, the norm with its unit, iterations.
    /// Broken into lines as needed, but never at a no-break space.
    pub caption: String,
    /// Whether the attack met its goal; shown as a badge.
    pub succeeded: bool,
    /// The image as the model sees it, before the attack.
    pub original: &'a RgbImage,
    /// The image after the attack, of the same size.
    pub perturbed: &'a RgbImage,
    /// ε, `[3 * height * width]`, channel-major, in units of half the range of an image's values:
    /// those of `[-1, 1]`, the model inputs of the paper.
    pub perturbation: &'a [f32],
    /// The top-k labels of the original, best first.
    pub before: Vec<RankedLabel>,
    /// The top-k labels of the perturbed image, best first; as many as before.
    pub after: Vec<RankedLabel>,
}

/// A label in a top-k list.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedLabel {
    /// The label's name; shortened when it's longer than its box.
    pub name: String,
    /// Its probability, `sigmoid(logit)`, in `[0, 1]`; shown with two decimals.
    pub probability: f64,
    /// What the label is to its sample: the colour of its box.
    pub role: Role,
}

/// What a label is to a sample: relevant or not, and if so whether the attack is to push it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// In `S`, the relevant labels that the attack pushes out of the top-k.
    Specified,
    /// In `Y_p ∖ S`, the relevant labels that the attack keeps.
    Relevant,
    /// In `Y_n`: not relevant. Marked `×` as well, as red and dark green are one to some readers.
    Irrelevant,
}

impl Role {
    /// The colour of the label's box, after the paper: dark green, light green, red.
    pub fn colour(self) -> Rgb<u8> {
        match self {
            Self::Specified => Rgb([22, 88, 44]),
            Self::Relevant => Rgb([167, 222, 160]),
            Self::Irrelevant => Rgb([207, 48, 44]),
        }
    }
}

/// A figure of `panels`, one row each, under `heading` and a legend of the label colours.
///
/// Each row shows the original image, the perturbation as `mid-grey + magnification · ε` (the
/// paper magnifies by 100), the perturbed image, and the top-k labels before and after with their
/// probabilities, coloured by [`Role`] as in the captions of the paper's Figures 4 to 7. Images are
/// scaled to a common size of 192 to 320 pixels, the larger the longer the lists are.
///
/// # Errors
/// [`FigureError`] if there are no panels, a panel's images, perturbation or lists don't fit each
/// other or hold values out of range, `magnification` isn't positive and finite, or the figure
/// would be taller than 32767 pixels.
///
/// # Example: one sample whose `dog` was pushed out of the top-1
/// ```
/// use image::{Rgb, RgbImage};
/// use tkmia_figure::{Panel, RankedLabel, Role, draw};
///
/// let label = |name: &str, probability, role| RankedLabel { name: name.into(), probability, role };
/// let panel = Panel {
///     title: "2012_000042".into(),
///     caption: "k = 1 · ‖ε‖₂ 0.69 (model-input units) · 87 iterations".into(),
///     succeeded: true,
///     original: &RgbImage::from_pixel(64, 64, Rgb([90, 120, 60])),
///     perturbed: &RgbImage::from_pixel(64, 64, Rgb([91, 121, 61])),
///     perturbation: &[1.0 / 127.5; 3 * 64 * 64],
///     before: vec![label("dog", 0.97, Role::Specified)],
///     after: vec![label("person", 0.95, Role::Relevant)],
/// };
/// let figure = draw(&[panel], "TkMIA on VOC 2012", 100.0)?;
///
/// // Mid-grey and 100 steps of 8 bits, in the middle of the second picture.
/// assert!(figure.pixels().any(|pixel| pixel.0 == [228; 3]));
/// assert!(figure.pixels().any(|pixel| *pixel == Role::Specified.colour()));
/// # Ok::<(), tkmia_figure::FigureError>(())
/// ```
pub fn draw(
    panels: &[Panel<'_>],
    heading: &str,
    magnification: f32,
) -> Result<RgbImage, FigureError> {
    if panels.is_empty() {
        return Err(FigureError::NoPanels);
    }
    if !(magnification.is_finite() && magnification > 0.0) {
        return Err(FigureError::Magnification { found: magnification });
    }
    panels.iter().try_for_each(check)?;
    Ok(Sheet::new(panels, heading, magnification)?.draw())
}

fn check(panel: &Panel<'_>) -> Result<(), FigureError> {
    let name = || panel.title.clone();
    let (width, height) = panel.original.dimensions();
    if width == 0 || height == 0 {
        return Err(FigureError::EmptyImage { panel: name() });
    }
    if panel.perturbed.dimensions() != (width, height) {
        return Err(FigureError::ImageSize {
            panel: name(),
            expected: (width, height),
            found: panel.perturbed.dimensions(),
        });
    }
    let expected = 3 * width as usize * height as usize;
    if panel.perturbation.len() != expected {
        return Err(FigureError::PerturbationLength {
            panel: name(),
            expected,
            found: panel.perturbation.len(),
        });
    }
    if let Some(index) = panel.perturbation.iter().position(|value| !value.is_finite()) {
        let found = panel.perturbation[index];
        return Err(FigureError::NonFinite { panel: name(), index, found });
    }
    let (before, after) = (panel.before.len(), panel.after.len());
    if before != after {
        return Err(FigureError::ListLength { panel: name(), before, after });
    }
    let mut labels = panel.before.iter().chain(&panel.after);
    if let Some(label) = labels.find(|label| !(0.0..=1.0).contains(&label.probability)) {
        let found = label.probability;
        return Err(FigureError::Probability { panel: name(), label: label.name.clone(), found });
    }
    Ok(())
}
