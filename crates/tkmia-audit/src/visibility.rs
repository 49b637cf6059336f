//! [`Visibility`]: how much of a change can be seen.

use serde::Serialize;

/// A limit of what a change may cost to the eye: the root mean square over all values of an image, in grey levels, 1/255 of
/// the range.
///
/// As a peak signal-to-noise ratio, `20 log₁₀(255 / rms)`, the two limits are 48 and 36 dB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Visibility {
    /// What it is called.
    pub name: &'static str,
    /// The root mean square, in grey levels.
    pub rms: f64,
}

impl Visibility {
    /// One grey level: no more than rounding to 8 bits twice may do.
    pub const IMPERCEPTIBLE: Self = Self { name: "imperceptible", rms: 1.0 };
    /// Four grey levels: slight noise in even areas, of those who look for it.
    pub const SLIGHT: Self = Self { name: "slight", rms: 4.0 };

    /// Both, the smaller first.
    pub const ALL: [Self; 2] = [Self::IMPERCEPTIBLE, Self::SLIGHT];
}
