//! Where everything goes: sizes first, from the texts as measured, then the drawing.

use std::ops::RangeInclusive;

use image::{Rgb, RgbImage};

use super::labels::{self, BOX_HEIGHT, BOX_PITCH, PADDING, RADIUS, RANK_WIDTH};
use super::picture::{fitted, fitted_noise, magnified};
use super::{Panel, Role};
use crate::FigureError;
use crate::canvas::{Area, Canvas};
use crate::text::{GREY, INK, Style, WHITE};

/// Around the figure, and between its rows.
const MARGIN: u32 = 28;
/// Between columns.
const GAP: u32 = 16;
/// Between a heading and what it is the heading of.
const SMALL_GAP: u32 = 12;
/// The side of a picture; it grows with the lists beside it.
const CELL: RangeInclusive<u32> = 192..=320;
/// The width of a label's box; it grows with the longest label.
const BOX_WIDTH: RangeInclusive<u32> = 136..=248;
/// The height of the strip above a row's pictures when its caption is one line.
const STRIP_HEIGHT: u32 = 36;
/// The most that common image viewers open.
const MAX_HEIGHT: u32 = 32_767;

const PALE: Rgb<u8> = Rgb([241, 243, 246]);
const SILVER: Rgb<u8> = Rgb([209, 213, 219]);

const HEADING: Style = Style::medium(22.0, INK);
const TITLE: Style = Style::medium(15.0, INK);
const CAPTION: Style = Style::regular(14.5, GREY);

/// A figure whose sizes are settled.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    magnification: f32,
    heading: Vec<String>,
    columns: [Column; 5],
    rows: Vec<Row<'a>>,
    /// The side of a picture.
    cell: u32,
    /// The width of a label's box.
    box_width: u32,
    width: u32,
    height: u32,
}

#[derive(Debug)]
struct Column {
    title: String,
    /// Where its pictures or boxes begin.
    x: u32,
}

/// A panel, and the texts of the strip above its pictures.
#[derive(Debug)]
struct Row<'a> {
    panel: &'a Panel<'a>,
    title: String,
    caption: Vec<String>,
}

impl<'a> Sheet<'a> {
    /// Measures what there is to draw.
    pub(super) fn new(
        panels: &'a [Panel<'a>],
        heading: &str,
        magnification: f32,
    ) -> Result<Self, FigureError> {
        let lengths = || panels.iter().map(|panel| panel.before.len());
        let longest = lengths().max().unwrap_or(0);
        let cell = clamp(stacked(longest, BOX_PITCH), CELL);
        let names = panels.iter().flat_map(|p| p.before.iter().chain(&p.after));
        let box_width = clamp(names.map(labels::label_width).max().unwrap_or(0), BOX_WIDTH);

        let k = if lengths().all(|length| length == longest) {
            longest.to_string()
        } else {
            "k".to_owned()
        };
        let mut end = MARGIN;
        let mut column = |title: &str, gap, width| {
            let x = end + gap;
            end = x + width;
            let title = TITLE.shorten(title, width);
            Column { title, x }
        };
        let columns = [
            column("Original", 0, cell),
            column(&format!("Perturbation ×{magnification}"), GAP, cell),
            column("Perturbed", GAP, cell),
            column(&format!("Top-{k} before"), GAP + RANK_WIDTH, box_width),
            column(&format!("Top-{k} after"), GAP + RANK_WIDTH, box_width),
        ];

        let inner = end - MARGIN;
        let heading = HEADING.wrap(heading, inner);
        let rows: Vec<_> = panels.iter().map(|panel| Row::new(panel, inner)).collect();
        let height = rows
            .iter()
            .map(|row| row.height(cell).saturating_add(MARGIN))
            .fold(header_height(&heading), u32::saturating_add);
        if height > MAX_HEIGHT {
            let limit = MAX_HEIGHT;
            return Err(FigureError::TooTall { height, limit });
        }
        Ok(Self {
            magnification,
            heading,
            columns,
            rows,
            cell,
            box_width,
            width: end + MARGIN,
            height,
        })
    }

    /// Draws it.
    pub(super) fn draw(&self) -> RgbImage {
        let mut canvas = Canvas::new(self.width, self.height);
        self.draw_header(&mut canvas);
        let mut y = header_height(&self.heading);
        for row in &self.rows {
            self.draw_strip(&mut canvas, row, y);
            self.draw_body(&mut canvas, row.panel, y + row.strip_height() + SMALL_GAP);
            y += row.height(self.cell) + MARGIN;
        }
        canvas.finish()
    }

    /// Heading, legend and column titles.
    fn draw_header(&self, canvas: &mut Canvas) {
        let mut y = MARGIN;
        for line in &self.heading {
            canvas.text(line, MARGIN, y + HEADING.line_height() / 2, HEADING);
            y += HEADING.line_height();
        }
        y += SMALL_GAP;
        let mut x = MARGIN;
        for (text, role) in [
            ("specified", Role::Specified),
            ("other relevant", Role::Relevant),
            ("irrelevant", Role::Irrelevant),
        ] {
            let text = labels::marked(text, role);
            labels::draw_tag(canvas, &text, [x, y], role.colour(), labels::ink_on(role));
            x += labels::tag_width(&text) + SMALL_GAP;
        }
        y += BOX_HEIGHT + MARGIN;
        for column in &self.columns {
            canvas.text(&column.title, column.x, y + TITLE.line_height() / 2, TITLE);
        }
    }

    /// The sample's title, caption and badge.
    fn draw_strip(&self, canvas: &mut Canvas, row: &Row<'_>, y: u32) {
        let width = self.width - 2 * MARGIN;
        let strip = Area::new([MARGIN, y], [width, row.strip_height()]);
        canvas.fill(strip, RADIUS, PALE);

        let mut middle = y + STRIP_HEIGHT / 2;
        let x = MARGIN + PADDING;
        canvas.text(&row.title, x, middle, TITLE);
        let x = x + TITLE.width(&row.title) + GAP;
        for line in &row.caption {
            canvas.text(line, x, middle, CAPTION);
            middle += CAPTION.line_height();
        }

        let badge = row.badge();
        let inset = (STRIP_HEIGHT - BOX_HEIGHT) / 2;
        let corner = [MARGIN + width - inset - labels::tag_width(badge), y + inset];
        let (fill, ink) = if row.panel.succeeded { (GREY, WHITE) } else { (SILVER, INK) };
        labels::draw_tag(canvas, badge, corner, fill, ink);
    }

    /// The three pictures and the two lists.
    fn draw_body(&self, canvas: &mut Canvas, panel: &Panel<'_>, y: u32) {
        let [original, perturbation, perturbed, before, after] =
            self.columns.each_ref().map(|column| column.x);
        let size = panel.original.dimensions();
        let noise = magnified(panel.perturbation, size, self.magnification);
        for (picture, x) in [
            (fitted(panel.original, self.cell), original),
            (fitted_noise(&noise, self.cell), perturbation),
            (fitted(panel.perturbed, self.cell), perturbed),
        ] {
            let cell = Area::new([x, y], [self.cell, self.cell]);
            canvas.fill(cell, 0.0, PALE);
            canvas.picture(&picture, cell);
        }
        labels::draw_list(canvas, &panel.before, [before, y], self.box_width);
        labels::draw_list(canvas, &panel.after, [after, y], self.box_width);
    }
}

impl<'a> Row<'a> {
    fn new(panel: &'a Panel<'a>, width: u32) -> Self {
        let title = TITLE.shorten(&panel.title, width / 3);
        let caption = Vec::new();
        let mut row = Self { panel, title, caption };
        let taken = TITLE.width(&row.title) + labels::tag_width(row.badge());
        let room = width - taken - 2 * PADDING - 2 * GAP;
        row.caption = CAPTION.wrap(&panel.caption, room);
        row
    }

    fn badge(&self) -> &'static str {
        if self.panel.succeeded { "succeeded" } else { "no success" }
    }

    fn strip_height(&self) -> u32 {
        let more_lines = self.caption.len().saturating_sub(1);
        stacked(more_lines, CAPTION.line_height()).saturating_add(STRIP_HEIGHT)
    }

    fn height(&self, cell: u32) -> u32 {
        let body = cell.max(stacked(self.panel.before.len(), BOX_PITCH));
        self.strip_height().saturating_add(body).saturating_add(SMALL_GAP)
    }
}

/// From the top of the figure to its first row.
fn header_height(heading: &[String]) -> u32 {
    let rest = 2 * MARGIN + BOX_HEIGHT + TITLE.line_height() + 2 * SMALL_GAP;
    stacked(heading.len(), HEADING.line_height()).saturating_add(rest)
}

/// The height of `count` things; where it's beyond `u32` the figure is refused anyway.
fn stacked(count: usize, height: u32) -> u32 {
    u32::try_from(count).map_or(u32::MAX, |count| count.saturating_mul(height))
}

fn clamp(value: u32, range: RangeInclusive<u32>) -> u32 {
    value.clamp(*range.start(), *range.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RankedLabel;

    #[test]
    fn columns_name_k_only_where_the_rows_share_one() {
        let image = RgbImage::new(2, 2);
        let label = RankedLabel { name: "dog".into(), probability: 0.5, role: Role::Relevant };
        let panel = |k| Panel {
            title: String::new(),
            caption: String::new(),
            succeeded: true,
            original: &image,
            perturbed: &image,
            perturbation: &[0.0; 12],
            before: vec![label.clone(); k],
            after: vec![label.clone(); k],
        };
        let titles = |panels: &[Panel<'_>]| {
            let sheet = Sheet::new(panels, "", 2.5).expect("the panels are few");
            sheet.columns.map(|column| column.title)
        };
        let [_, perturbation, _, before, after] = titles(&[panel(3), panel(3)]);
        assert_eq!(perturbation, "Perturbation ×2.5");
        assert_eq!((&*before, &*after), ("Top-3 before", "Top-3 after"));
        assert_eq!(titles(&[panel(3), panel(2)])[3], "Top-k before");
    }
}
