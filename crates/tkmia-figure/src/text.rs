//! Text as the figures set it: embedded fonts, measured widths, line breaks.
//!
//! Nothing is asked of the system, so a figure comes out the same everywhere.

use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, OutlinedGlyph, PxScale, ScaleFont as _, point};
use image::Rgb;

/// The colour of most text.
pub(super) const INK: Rgb<u8> = Rgb([17, 24, 39]);
/// The colour of text of less weight.
pub(super) const GREY: Rgb<u8> = Rgb([75, 85, 99]);
/// The colour of text on dark boxes, and of the paper.
pub(super) const WHITE: Rgb<u8> = Rgb([255, 255, 255]);

/// Roboto Regular, for running text.
static REGULAR: LazyLock<FontRef<'static>> =
    LazyLock::new(|| font(include_bytes!("../assets/Roboto-Regular.ttf")));
/// Roboto Medium, for headings and labels.
static MEDIUM: LazyLock<FontRef<'static>> =
    LazyLock::new(|| font(include_bytes!("../assets/Roboto-Medium.ttf")));

/// The height of capitals, per em: Roboto's are 1456/2048 em high.
pub(super) const CAPITALS: f32 = 0.711;

const ELLIPSIS: &str = "…";

fn font(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the embedded fonts are valid TrueType files")
}

/// One of the embedded weights.
#[derive(Debug, Clone, Copy)]
enum Weight {
    Regular,
    Medium,
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    weight: Weight,
    /// Pixels per em.
    pub(super) size: f32,
    pub(super) colour: Rgb<u8>,
}

impl Style {
    /// Roboto Regular of `size` pixels per em.
    pub(super) const fn regular(size: f32, colour: Rgb<u8>) -> Self {
        let weight = Weight::Regular;
        Self { weight, size, colour }
    }

    /// Roboto Medium of `size` pixels per em.
    pub(super) const fn medium(size: f32, colour: Rgb<u8>) -> Self {
        let weight = Weight::Medium;
        Self { weight, size, colour }
    }

    /// The same in another colour.
    pub(super) const fn in_colour(self, colour: Rgb<u8>) -> Self {
        Self { colour, ..self }
    }

    /// Pixels that `text` takes on one line, rounded up.
    pub(super) fn width(&self, text: &str) -> u32 {
        text.chars().map(|c| self.advance(c)).sum::<f32>().ceil() as u32
    }

    /// Pixels from one line to the next.
    pub(super) fn line_height(&self) -> u32 {
        (self.size * 1.4).round() as u32
    }

    /// `text`, or as much of its beginning as fits `max_width` together with an ellipsis.
    pub(super) fn shorten(&self, text: &str, max_width: u32) -> String {
        if self.width(text) <= max_width {
            return text.to_owned();
        }
        let mut left = max_width as f32 - self.width(ELLIPSIS) as f32;
        let fits = |c: &char| {
            left -= self.advance(*c);
            left >= 0.0
        };
        let start: String = text.chars().take_while(fits).collect();
        start.trim_end().to_owned() + ELLIPSIS
    }

    /// The words of `text` on lines of at most `max_width`; a longer word is shortened.
    ///
    /// Lines break at ASCII white space only, so that a no-break space holds.
    pub(super) fn wrap(&self, text: &str, max_width: u32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_ascii_whitespace() {
            let word = self.shorten(word, max_width);
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}")) <= max_width => {
                    line.push(' ');
                    line.push_str(&word);
                }
                _ => lines.push(word),
            }
        }
        lines
    }

    /// The outlines of `text`, its capitals centred on the height `middle`.
    pub(super) fn outlines(&self, text: &str, x: u32, middle: u32) -> Vec<OutlinedGlyph> {
        // A baseline on a whole pixel keeps capitals crisp.
        let baseline = (middle as f32 + self.size * CAPITALS / 2.0).round();
        let mut pen = x as f32;
        text.chars()
            .filter_map(|c| {
                let id = self.font().glyph_id(c);
                let glyph = id.with_scale_and_position(self.scale(), point(pen, baseline));
                pen += self.advance(c);
                self.font().outline_glyph(glyph)
            })
            .collect()
    }

    fn advance(&self, c: char) -> f32 {
        self.font().as_scaled(self.scale()).h_advance(self.font().glyph_id(c))
    }

    fn font(&self) -> &'static FontRef<'static> {
        match self.weight {
            Weight::Regular => &REGULAR,
            Weight::Medium => &MEDIUM,
        }
    }

    fn scale(&self) -> PxScale {
        let units_per_em =
            self.font().units_per_em().expect("the embedded fonts state their units per em");
        PxScale::from(self.size * self.font().height_unscaled() / units_per_em)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style::regular(16.0, INK);

    #[test]
    fn text_that_fits_is_left_alone() {
        assert_eq!(STYLE.shorten("dog", STYLE.width("dog")), "dog");
    }

    #[test]
    fn text_that_does_not_fit_ends_in_an_ellipsis_within_the_width() {
        let short = STYLE.shorten("diningtable", 60);
        assert!(short.starts_with("din") && short.ends_with('…'), "{short}");
        assert!(STYLE.width(&short) <= 60);
    }

    #[test]
    fn lines_break_between_words_and_stay_within_the_width() {
        let width = STYLE.width("a bottle");
        assert_eq!(STYLE.wrap("a bottle  and\na chair", width), ["a bottle", "and a", "chair"]);
        assert_eq!(STYLE.wrap("k\u{a0}=\u{a0}3", 10_000), ["k\u{a0}=\u{a0}3"]);
        assert!(STYLE.wrap("", width).is_empty());
    }

    #[test]
    fn digits_share_one_width_so_that_columns_of_scores_align() {
        assert!(('0'..='9').all(|digit| STYLE.advance(digit) == STYLE.advance('0')));
    }

    #[test]
    fn both_weights_draw_the_signs_that_captions_use() {
        for style in [Style::regular(14.0, INK), Style::medium(14.0, INK)] {
            for sign in "×·…–εδηα‖₂∞≤".chars() {
                assert_ne!(style.font().glyph_id(sign).0, 0, "{sign}");
            }
        }
    }
}
