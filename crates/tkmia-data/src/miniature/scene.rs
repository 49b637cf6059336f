//! Scenes of coloured shapes.

use fastrand::Rng;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

/// What an image shows.
#[derive(Debug)]
pub(super) struct Scene {
    pub width: u32,
    pub height: u32,
    pub objects: Vec<Object>,
    /// Colours of the top and of the bottom.
    background: [[f32; 3]; 2],
}

/// A shape within a square box.
#[derive(Debug)]
pub(super) struct Object {
    pub label: usize,
    pub left: u32,
    pub top: u32,
    pub side: u32,
    /// Whether it is VOC's kind of difficult, or COCO's kind of crowd.
    pub marked: bool,
}

/// Numbers of labels, from which one is drawn for each image.
const COUNTS: [usize; 12] = [1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6];

impl Scene {
    /// A scene of some labels out of `classes`, mostly from one group of eight neighbours; `common`
    /// is in every third. A `bare` scene shows nothing.
    pub fn new(random: &mut Rng, classes: usize, common: usize, bare: bool) -> Self {
        let sides = [random.u32(96..160), random.u32(96..160)];
        let [width, height] = sides;
        let mut labels = Vec::new();
        if !bare {
            let group = random.usize(..classes);
            for _ in 0..COUNTS[random.usize(..COUNTS.len())] {
                let near = random.u8(..5) > 0;
                labels.push((group + random.usize(..if near { 8 } else { classes })) % classes);
            }
            if random.u8(..3) == 0 {
                labels.push(common);
            }
        }
        let objects = labels.into_iter().map(|label| {
            let side = random.u32(20..56);
            Object {
                label,
                left: random.u32(..width - side),
                top: random.u32(..height - side),
                side,
                marked: random.u8(..8) == 0,
            }
        });
        let mut objects: Vec<Object> = objects.collect();
        // A scene isn't made of difficult objects alone.
        if let Some(first) = objects.first_mut() {
            first.marked = false;
        }
        let background = [(); 2].map(|()| [(); 3].map(|()| 110.0 + 90.0 * random.f32()));
        Self { width, height, objects, background }
    }

    /// The labels, ascending; marked objects count or not.
    pub fn labels(&self, count_marked: bool) -> Vec<usize> {
        let objects = self.objects.iter().filter(|object| count_marked || !object.marked);
        let mut labels: Vec<usize> = objects.map(|object| object.label).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// The scene as a JPEG file.
    pub fn jpeg(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode_image(&self.draw())
            .expect("a small RGB image can be encoded into memory");
        bytes
    }

    fn draw(&self) -> RgbImage {
        let [top, bottom] = self.background;
        let mut image = RgbImage::from_fn(self.width, self.height, |_, y| {
            let share = y as f32 / self.height as f32;
            Rgb([0, 1, 2]
                .map(|channel| (top[channel] + share * (bottom[channel] - top[channel])) as u8))
        });
        for object in &self.objects {
            let colour = colour(object.label);
            for y in 0..object.side {
                for x in 0..object.side {
                    if object.covers(x, y) {
                        image.put_pixel(object.left + x, object.top + y, colour);
                    }
                }
            }
        }
        image
    }
}

impl Object {
    /// Whether its shape, that of its label, covers a pixel of its box.
    fn covers(&self, x: u32, y: u32) -> bool {
        let side = self.side as f32;
        // From -1 to 1 over the box.
        let [x, y] = [x, y].map(|at| (at as f32 + 0.5) / side * 2.0 - 1.0);
        let radius = x.hypot(y);
        match self.label % 4 {
            0 => radius <= 1.0,
            1 => true,
            2 => x.abs() <= (y + 1.0) / 2.0,
            _ => (0.55..=1.0).contains(&radius),
        }
    }
}

/// A label's colour: hues by the golden ratio, in two strengths.
fn colour(label: usize) -> Rgb<u8> {
    let hue = (label as f32 * 0.618_034).fract() * 6.0;
    let value = if label % 8 < 4 { 235.0 } else { 140.0 };
    let channel = |offset: f32| {
        let distance = (hue + offset) % 6.0;
        let strength = (2.0 - (distance - 2.0).abs()).clamp(0.0, 1.0);
        (value * (1.0 - strength)) as u8
    };
    Rgb([channel(5.0), channel(3.0), channel(1.0)])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn labels_of_a_layout_look_different() {
        let looks: HashSet<_> = (0..81).map(|label| (label % 4, colour(label))).collect();
        assert_eq!(looks.len(), 81);
    }

    #[test]
    fn a_scene_shows_one_to_seven_labels_unless_it_is_bare() {
        let mut seen = HashSet::new();
        for seed in 0..500 {
            let scene = Scene::new(&mut Rng::with_seed(seed), 20, 14, false);
            assert!(!scene.labels(false).is_empty());
            assert!(scene.labels(true).iter().all(|&label| label < 20));
            seen.extend(scene.labels(false));
        }
        assert_eq!(seen.len(), 20);
        let bare = Scene::new(&mut Rng::with_seed(0), 20, 14, true);
        assert!(bare.labels(true).is_empty());
    }
}
