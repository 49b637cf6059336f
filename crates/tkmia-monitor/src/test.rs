//! [`Test`]: how evidence is added up over images.

use serde::{Deserialize, Serialize};

/// A sequential test: how evidence of a change is added up over images.
///
/// All but [`PageHinkley`](Self::PageHinkley) bet on a change: with `e` the evidence of an image, whose clean mean is 1 at most
/// (a bet, Waudby-Smith & Ramdas 2024), they keep a wealth `M` for each bet, and look at the mean over bets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// `M ← e · max(M, 1)`, from 1: Page's cumulative sum (1954). The threshold is calibrated.
    Cusum,
    /// `M ← e · M`, from 1, and from 1 again where it falls below 1/20: Wald's sequential probability ratio test (1945), again
    /// whenever it has decided for clean images. The threshold is calibrated.
    Sprt,
    /// The largest deviation of the sum of differences from the running mean, less an allowance of a tenth of the clean standard
    /// deviation, from its extreme so far (Page 1954, Hinkley 1971). The threshold is calibrated.
    PageHinkley,
    /// `M ← e · (M + 1)`, from 0: the Shiryaev–Roberts e-detector (Shin, Ramdas & Rinaldo 2022). No calibration: at the
    /// threshold `A` there are at least `A` clean images to an alarm on average, whatever their distribution.
    EDetector,
    /// `M ← e · M`, from 1: a test martingale. No calibration: by Ville's inequality (1939) it reaches `A` on clean images, ever,
    /// with probability `1/A` at most.
    Martingale,
}

impl Test {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Cusum, Self::Sprt, Self::PageHinkley, Self::EDetector, Self::Martingale];

    /// Its name in files and commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cusum => "cusum",
            Self::Sprt => "sprt",
            Self::PageHinkley => "page-hinkley",
            Self::EDetector => "e-detector",
            Self::Martingale => "martingale",
        }
    }

    /// Whether its threshold is calibrated, and not given by a theorem.
    pub fn is_calibrated(self) -> bool {
        match self {
            Self::Cusum | Self::Sprt | Self::PageHinkley => true,
            Self::EDetector | Self::Martingale => false,
        }
    }
}
