//! Labels as boxes in the colour of their role.

use image::Rgb;

use super::{RankedLabel, Role};
use crate::canvas::{Area, Canvas};
use crate::text::{GREY, INK, Style, WHITE};

/// The height of a box.
pub(super) const BOX_HEIGHT: u32 = 26;
/// From the top of one box of a list to the next.
pub(super) const BOX_PITCH: u32 = 30;
/// Between the sides of a box and its text.
pub(super) const PADDING: u32 = 10;
/// The radius of a box's corners.
pub(super) const RADIUS: f32 = 4.0;
/// The space that a list's rank numbers take, left of its boxes.
pub(super) const RANK_WIDTH: u32 = 24;
/// Between a rank number and its box.
const RANK_GAP: u32 = 7;
/// The least between a label's name and its score.
const SCORE_GAP: u32 = 16;

const RANK: Style = Style::regular(13.0, GREY);
const LABEL: Style = Style::medium(14.0, INK);

/// Labels from `y` down: boxes of one `width` from `x` to the right, ranks to its left.
///
/// A name that its box doesn't hold is shortened; `width` must hold a score.
pub(super) fn draw_list(
    canvas: &mut Canvas,
    labels: &[RankedLabel],
    [x, mut y]: [u32; 2],
    width: u32,
) {
    for (rank, label) in (1_u32..).zip(labels) {
        let middle = y + BOX_HEIGHT / 2;
        // Ranks end in one line, however many digits they have.
        let rank = rank.to_string();
        let rank_x = (x - RANK_GAP).saturating_sub(RANK.width(&rank));
        canvas.text(&rank, rank_x, middle, RANK);

        let (fill, style) = (label.role.colour(), LABEL.in_colour(ink_on(label.role)));
        canvas.fill(Area::new([x, y], [width, BOX_HEIGHT]), RADIUS, fill);
        let score = score(label);
        let score_x = x + width - PADDING - style.width(&score);
        canvas.text(&score, score_x, middle, style);
        let name_x = x + PADDING;
        let name = marked(&label.name, label.role);
        let name = style.shorten(&name, score_x - SCORE_GAP - name_x);
        canvas.text(&name, name_x, middle, style);
        y += BOX_PITCH;
    }
}

/// The width of a box that holds all of `label`.
pub(super) fn label_width(label: &RankedLabel) -> u32 {
    let name = LABEL.width(&marked(&label.name, label.role));
    name + SCORE_GAP + LABEL.width(&score(label)) + 2 * PADDING
}

fn score(label: &RankedLabel) -> String {
    format!("{:.2}", label.probability)
}

/// A box as wide as its text.
pub(super) fn draw_tag(
    canvas: &mut Canvas,
    text: &str,
    [x, y]: [u32; 2],
    fill: Rgb<u8>,
    ink: Rgb<u8>,
) {
    let area = Area::new([x, y], [tag_width(text), BOX_HEIGHT]);
    canvas.fill(area, RADIUS, fill);
    canvas.text(text, x + PADDING, y + BOX_HEIGHT / 2, LABEL.in_colour(ink));
}

/// The width of [`draw_tag`]'s box.
pub(super) fn tag_width(text: &str) -> u32 {
    LABEL.width(text) + 2 * PADDING
}

/// `name` with a sign for who can't tell red from dark green.
pub(super) fn marked(name: &str, role: Role) -> String {
    match role {
        Role::Irrelevant => format!("× {name}"),
        Role::Specified | Role::Relevant => name.to_owned(),
    }
}

/// The colour of text on the role's colour.
pub(super) fn ink_on(role: Role) -> Rgb<u8> {
    match role {
        Role::Relevant => INK,
        Role::Specified | Role::Irrelevant => WHITE,
    }
}

#[cfg(test)]
mod tests {
    use image::imageops;

    use super::*;

    /// WCAG 2.2, <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>.
    fn luminance(colour: Rgb<u8>) -> f64 {
        let [red, green, blue] = colour.0.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn text_is_readable_on_the_colour_of_every_role() {
        for role in [Role::Specified, Role::Relevant, Role::Irrelevant] {
            let (fill, ink) = (luminance(role.colour()), luminance(ink_on(role)));
            let contrast = (fill.max(ink) + 0.05) / (fill.min(ink) + 0.05);
            assert!(contrast >= 4.5, "{role:?}: {contrast:.2}");
        }
    }

    #[test]
    fn a_box_of_its_labels_width_holds_the_name_in_full() {
        let label =
            RankedLabel { name: "baseball bat".into(), probability: 0.5, role: Role::Irrelevant };
        let name_in = |width| {
            let mut canvas = Canvas::new(300, BOX_HEIGHT);
            draw_list(&mut canvas, std::slice::from_ref(&label), [RANK_WIDTH, 0], width);
            let name_end = RANK_WIDTH + PADDING + LABEL.width("× baseball bat");
            imageops::crop_imm(&canvas.finish(), 0, 0, name_end, BOX_HEIGHT).to_image()
        };
        let width = label_width(&label);
        assert_eq!(name_in(width), name_in(width + 50));
        assert_ne!(name_in(width), name_in(width - 1));
    }
}
