//! The first convolution, from images: [`Stem`].

use pulp::Arch;

use super::layer::{Layer, size};
use super::maps::{Arena, Halo, LANES, Maps, Shape};
use super::task::{Finish, Relu};
use crate::resnet::blueprint::{Blueprint, Convolution, Window};

/// The first convolution, as one of stride 1 over cells of the image.
///
/// A cell is as large as the stride, and its pixels are its channels: of a 7×7 kernel with stride 2 on
/// three channels becomes one of 4×4 with stride 1 on twelve. That fills the blocks of channels,
/// which three would leave nearly empty, and so it does backward.
pub(super) struct Stem {
    /// Channels of an image.
    channels: usize,
    /// What is done to each channel first: factor and summand.
    normalisation: Vec<[f32; 2]>,
    window: Window,
    layer: Layer,
}

impl Stem {
    pub fn new(blueprint: &Blueprint) -> Self {
        let Convolution { window, shape, .. } = &blueprint.stem;
        let channels = shape[1];
        let normalisation = match &blueprint.normalisation {
            Some(map) => {
                map.scale.iter().zip(&map.shift).map(|(&a, &b)| [a as f32, b as f32]).collect()
            }
            None => vec![[1.0, 0.0]; channels],
        };
        let layer = Layer::new(&over_cells(&blueprint.stem));
        Self { channels, normalisation, window: window.clone(), layer }
    }

    /// Channels of an image.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Blocks of output channels.
    pub fn outputs(&self) -> usize {
        self.layer.outputs()
    }

    /// Height and width of the output.
    pub fn size(&self, image: [usize; 2]) -> [usize; 2] {
        size(&self.window, image)
    }

    fn cells(&self, image: [usize; 2]) -> [usize; 2] {
        std::array::from_fn(|axis| image[axis].div_ceil(self.window.stride[axis]))
    }

    /// The halo that the gradient of the output must have.
    pub fn gradient_halo(&self, image: [usize; 2]) -> Halo {
        self.layer.gradient_halo(self.cells(image), self.size(image))
    }

    /// From an image, `[channels, height, width]`, of that height and width.
    pub fn forward(
        &self,
        arch: Arch,
        arena: &mut Arena,
        pixels: &[f32],
        image: [usize; 2],
        output: &mut Maps,
        signs: &mut [u16],
    ) {
        let halo = self.layer.halo(self.cells(image), output.shape.size);
        let mut cells = arena.take(self.shape(image, halo));
        self.each_pixel(cells.shape, image, |at, lane, pixel, channel| {
            let [factor, summand] = self.normalisation[channel];
            cells.values[at].0[lane] = pixels[pixel] * factor + summand;
        });
        self.layer.forward(
            arch,
            arena,
            &cells,
            output,
            Finish { add: false, relu: Relu::Record(signs) },
        );
        arena.give(cells);
    }

    /// Writes the gradient of the image, `[channels, height, width]`.
    pub fn backward(
        &self,
        arch: Arch,
        arena: &mut Arena,
        gradient: &Maps,
        image: [usize; 2],
        pixels: &mut [f32],
    ) {
        let mut cells = arena.take(self.shape(image, [0; 4]));
        self.layer.backward(arch, arena, gradient, &mut cells, false, None);
        self.each_pixel(cells.shape, image, |at, lane, pixel, channel| {
            pixels[pixel] = cells.values[at].0[lane] * self.normalisation[channel][0];
        });
        arena.give(cells);
    }

    fn shape(&self, image: [usize; 2], halo: Halo) -> Shape {
        Shape { blocks: self.layer.inputs(), size: self.cells(image), halo }
    }

    /// Calls `visit` with the place and lane in cells, the index in the image, and the channel.
    fn each_pixel(
        &self,
        cells: Shape,
        [height, width]: [usize; 2],
        mut visit: impl FnMut(usize, usize, usize, usize),
    ) {
        let [down, across] = self.window.stride;
        for channel in 0..self.channels {
            for row in 0..height {
                let line = cells.row(row / down);
                let pixel = (channel * height + row) * width;
                for first in 0..across.min(width) {
                    let place = (row % down * across + first) * self.channels + channel;
                    let at = line + place / LANES * cells.plane();
                    for (cell, column) in (first..width).step_by(across).enumerate() {
                        visit(at + cell, place % LANES, pixel + column, channel);
                    }
                }
            }
        }
    }
}

/// The convolution over cells that computes the same.
///
/// Its padding at the end is left out: how much there is depends on the image.
fn over_cells(stem: &Convolution) -> Convolution {
    let [outputs, channels, ..] = stem.shape;
    let Window { kernel, stride, padding, dilation, .. } = stem.window;
    // Which cell a tap of the kernel reads, and which row or column of it.
    let place = |axis: usize, tap: usize| {
        let reach = (tap * dilation[axis]) as isize - padding[axis] as isize;
        (reach.div_euclid(stride[axis] as isize), reach.rem_euclid(stride[axis] as isize) as usize)
    };
    let first: [isize; 2] = std::array::from_fn(|axis| place(axis, 0).0);
    let cells: [usize; 2] =
        std::array::from_fn(|axis| (place(axis, kernel[axis] - 1).0 - first[axis]) as usize + 1);
    let shape = [outputs, stride[0] * stride[1] * channels, cells[0], cells[1]];
    let mut weights = vec![0.0; shape.iter().product()];
    for (at, &weight) in stem.weights.iter().enumerate() {
        let (row, column) = (at / kernel[1] % kernel[0], at % kernel[1]);
        let (output, channel) =
            (at / (kernel[0] * kernel[1] * channels), at / (kernel[0] * kernel[1]) % channels);
        let ((down, i), (across, j)) = (place(0, row), place(1, column));
        let input = (i * stride[1] + j) * channels + channel;
        let cell = (down - first[0]) as usize * cells[1] + (across - first[1]) as usize;
        weights[(output * shape[1] + input) * cells[0] * cells[1] + cell] = weight;
    }
    let padding = [(-first[0]) as usize, (-first[1]) as usize, 0, 0];
    let window = Window { kernel: cells, stride: [1, 1], padding, dilation: [1, 1], ceil: false };
    Convolution { shape, weights, window, ..stem.clone() }
}
