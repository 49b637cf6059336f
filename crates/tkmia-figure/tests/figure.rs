//! The figure of attacked images, seen from outside: sizes, colours, and what it refuses.

use image::{Rgb, RgbImage};
use tkmia_figure::{FigureError, Panel, RankedLabel, Role, draw};

const SIDE: u32 = 64;
const MARGIN: u32 = 28;
const ORIGINAL: Rgb<u8> = Rgb([90, 120, 60]);
const PERTURBED: Rgb<u8> = Rgb([90, 120, 70]);

/// A sample before and after an attack, as the program that draws it owns it.
struct Sample {
    original: RgbImage,
    perturbed: RgbImage,
    perturbation: Vec<f32>,
    before: Vec<RankedLabel>,
    after: Vec<RankedLabel>,
}

impl Sample {
    /// Ten steps of blue are added, and `k` labels of one role give way to relevant ones.
    fn new(k: usize, before: Role) -> Self {
        let plane = (SIDE * SIDE) as usize;
        let mut perturbation = vec![0.0; 3 * plane];
        perturbation[2 * plane..].fill(10.0 / 127.5);
        Self {
            original: RgbImage::from_pixel(SIDE, SIDE, ORIGINAL),
            perturbed: RgbImage::from_pixel(SIDE, SIDE, PERTURBED),
            perturbation,
            before: labels(k, before),
            after: labels(k, Role::Relevant),
        }
    }

    fn panel(&self) -> Panel<'_> {
        Panel {
            title: "2012_000042".into(),
            caption: "k = 3 · ‖ε‖₂ = 0.69 (model-input units) · 87 iterations".into(),
            succeeded: true,
            original: &self.original,
            perturbed: &self.perturbed,
            perturbation: &self.perturbation,
            before: self.before.clone(),
            after: self.after.clone(),
        }
    }
}

fn labels(count: usize, role: Role) -> Vec<RankedLabel> {
    let names = ["person", "diningtable", "pottedplant", "baseball bat"];
    let label = |name: &str| RankedLabel { name: name.into(), probability: 0.97, role };
    names.into_iter().cycle().take(count).map(label).collect()
}

fn count(figure: &RgbImage, colour: Rgb<u8>) -> usize {
    figure.pixels().filter(|pixel| **pixel == colour).count()
}

#[test]
fn pictures_are_shown_at_192_pixels_and_grow_with_the_lists() {
    for (k, side) in [(0, 192), (1, 192), (3, 192), (10, 300), (20, 320)] {
        let sample = Sample::new(k, Role::Specified);
        let figure = draw(&[sample.panel()], "", 5.0).expect("a good panel");
        assert_eq!(count(&figure, ORIGINAL), side * side, "k = {k}");
        assert_eq!(count(&figure, PERTURBED), side * side, "k = {k}");
        // Mid-grey and five times ten steps of blue.
        assert_eq!(count(&figure, Rgb([128, 128, 178])), side * side, "k = {k}");
    }
}

#[test]
fn every_further_row_makes_a_figure_taller_by_as_much() {
    let sample = Sample::new(3, Role::Specified);
    let size = |rows| {
        let panels = vec![sample.panel(); rows];
        draw(&panels, "TkMIA", 100.0).expect("good panels").dimensions()
    };
    let [one, four, eight] = [1, 4, 8].map(size);
    assert!(one.0 == four.0 && four.0 == eight.0);
    assert_eq!((four.1 - one.1) * 4, (eight.1 - four.1) * 3);
}

#[test]
fn lists_longer_than_the_pictures_make_their_row_taller() {
    let height = |k| {
        let sample = Sample::new(k, Role::Specified);
        draw(&[sample.panel()], "", 100.0).expect("a good panel").height()
    };
    assert_eq!(height(1), height(6));
    assert!(height(10) > height(6));
    assert!(height(20) > height(10));
}

#[test]
fn boxes_are_in_the_colour_of_their_labels_role() {
    let colours = |before| {
        let sample = Sample::new(3, before);
        let figure = draw(&[sample.panel()], "", 100.0).expect("a good panel");
        [Role::Specified, Role::Relevant, Role::Irrelevant]
            .map(|role| count(&figure, role.colour()))
    };
    // Each colour is in the legend too, so it's more of it that tells.
    let relevant = colours(Role::Relevant);
    assert!(relevant.iter().all(|pixels| *pixels > 500), "{relevant:?}");
    assert!(colours(Role::Specified)[0] > relevant[0] + 3 * 1500);
    assert!(colours(Role::Irrelevant)[2] > relevant[2] + 3 * 1500);
}

#[test]
fn the_same_panels_give_the_same_bytes() {
    let sample = Sample::new(3, Role::Specified);
    let figure = || draw(&[sample.panel()], "TkMIA", 100.0).expect("a good panel");
    assert_eq!(figure().as_raw(), figure().as_raw());
}

#[test]
fn success_and_failure_look_different() {
    let sample = Sample::new(1, Role::Specified);
    let figure =
        |succeeded| draw(&[Panel { succeeded, ..sample.panel() }], "", 100.0).expect("good panel");
    assert_ne!(figure(true).as_raw(), figure(false).as_raw());
}

#[test]
fn nothing_runs_into_the_margins_however_long_the_texts_are() {
    let endless = "neverendingword".repeat(40);
    let sentence = "some words more ".repeat(60);
    let mut sample = Sample::new(4, Role::Irrelevant);
    sample.before[1].name = endless.clone();
    sample.after[2].name = sentence.clone();
    let panels = [
        Panel { title: endless.clone(), caption: sentence.clone(), ..sample.panel() },
        Panel { title: String::new(), caption: endless, succeeded: false, ..sample.panel() },
    ];
    let figure = draw(&panels, &sentence, f32::MAX).expect("long texts are no error");
    let (width, height) = figure.dimensions();
    assert!(width < 1400, "{width}");
    let inside = |x, y| x >= MARGIN && y >= MARGIN && x < width - MARGIN && y < height - MARGIN;
    let stays = |(x, y, pixel): (u32, u32, &Rgb<u8>)| inside(x, y) || pixel.0 == [255; 3];
    assert!(figure.enumerate_pixels().all(stays));
}

#[test]
fn panels_may_differ_in_image_size_and_k() {
    let small = Sample::new(1, Role::Specified);
    let wide = Sample {
        original: RgbImage::from_pixel(500, 2, ORIGINAL),
        perturbed: RgbImage::from_pixel(500, 2, PERTURBED),
        perturbation: vec![0.0; 3 * 500 * 2],
        ..Sample::new(3, Role::Specified)
    };
    assert!(draw(&[small.panel(), wide.panel()], "", 100.0).is_ok());
}

#[test]
fn no_panels_are_refused() {
    assert!(matches!(draw(&[], "", 100.0), Err(FigureError::NoPanels)));
}

#[test]
fn a_magnification_that_is_not_a_positive_number_is_refused() {
    let sample = Sample::new(1, Role::Specified);
    for wrong in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let figure = draw(&[sample.panel()], "", wrong);
        assert!(matches!(figure, Err(FigureError::Magnification { .. })), "{wrong}");
    }
}

#[test]
fn images_of_different_sizes_are_refused() {
    let mut sample = Sample::new(1, Role::Specified);
    sample.perturbed = RgbImage::new(SIDE, SIDE + 1);
    let error = draw(&[sample.panel()], "", 100.0).expect_err("the sizes differ");
    assert_eq!(
        error.to_string(),
        "panel `2012_000042`: the perturbed image is 64x65 pixels, the original 64x64"
    );
}

#[test]
fn an_empty_image_is_refused() {
    let mut sample = Sample::new(1, Role::Specified);
    sample.original = RgbImage::new(0, SIDE);
    let figure = draw(&[sample.panel()], "", 100.0);
    assert!(matches!(figure, Err(FigureError::EmptyImage { .. })));
}

#[test]
fn a_perturbation_of_another_shape_is_refused() {
    let mut sample = Sample::new(1, Role::Specified);
    sample.perturbation.pop();
    let error = draw(&[sample.panel()], "", 100.0).expect_err("one value is missing");
    assert_eq!(
        error.to_string(),
        "panel `2012_000042`: expected 12288 perturbation values (3 * h * w), found 12287"
    );
}

#[test]
fn a_perturbation_that_is_not_finite_is_refused() {
    let mut sample = Sample::new(1, Role::Specified);
    sample.perturbation[7] = f32::NAN;
    let figure = draw(&[sample.panel()], "", 100.0);
    assert!(matches!(figure, Err(FigureError::NonFinite { index: 7, .. })));
}

#[test]
fn lists_of_different_lengths_are_refused() {
    let mut sample = Sample::new(3, Role::Specified);
    sample.after.pop();
    let figure = draw(&[sample.panel()], "", 100.0);
    assert!(matches!(figure, Err(FigureError::ListLength { before: 3, after: 2, .. })));
}

#[test]
fn a_probability_outside_0_to_1_is_refused() {
    for wrong in [-0.1, 1.5, f64::NAN] {
        let mut sample = Sample::new(3, Role::Specified);
        sample.after[1].probability = wrong;
        let figure = draw(&[sample.panel()], "", 100.0);
        assert!(matches!(figure, Err(FigureError::Probability { .. })), "{wrong}");
    }
}

#[test]
fn a_figure_beyond_what_viewers_open_is_refused() {
    let sample = Sample::new(1, Role::Specified);
    let figure = draw(&vec![sample.panel(); 200], "", 100.0);
    assert!(matches!(figure, Err(FigureError::TooTall { .. })));
}
