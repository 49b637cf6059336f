//! The whole network, forward and back: [`Network`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pulp::Arch;
use rayon::prelude::*;

use super::block::{Block, Signs};
use super::layer::Layer;
use super::maps::{Arena, Halo, LANES, Maps, Shape, wider};
use super::pool::{Largest, Pool};
use super::stem::Stem;
use super::task::{Finish, Relu};
use crate::resnet::blueprint::{Blueprint, Convolution, Window, transposed};

/// A residual network with its weights laid out for both ways.
pub(crate) struct Network {
    arch: Arch,
    stem: Stem,
    pool: Option<Pool>,
    blocks: Vec<Block>,
    head: Layer,
    classes: usize,
    features: usize,
    /// One for each pass that is under way.
    arenas: Mutex<Vec<Arena>>,
}

/// What a backward pass must know of the forward pass: which values were positive, and the largest.
pub(crate) struct Tape {
    /// Height and width of the images.
    image: [usize; 2],
    rows: Vec<Arc<Row>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("arch", &self.arch)
            .field("blocks", &self.blocks.len())
            .field("features", &self.features)
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

/// Of one image.
struct Row {
    stem: Vec<u16>,
    largest: Option<Largest>,
    blocks: Vec<Signs>,
}

/// The sizes of maps and what is around them.
struct Sizes {
    stem: [usize; 2],
    /// What enters each block, and what leaves the last.
    trunk: Vec<[usize; 2]>,
}

impl Network {
    /// Of a blueprint with folded batch norms, unless that has groups or other rarities.
    pub fn new(blueprint: &Blueprint) -> Option<Self> {
        if blueprint.convolutions().any(|conv| conv.groups > 1) {
            return None;
        }
        let pool = match &blueprint.pool {
            Some(window) => Some(Pool::new(window.clone())?),
            None => None,
        };
        Some(Self {
            arch: Arch::new(),
            stem: Stem::new(blueprint),
            pool,
            blocks: blueprint.blocks.iter().map(Block::new).collect::<Option<_>>()?,
            head: head(blueprint),
            classes: blueprint.head.classes,
            features: blueprint.head.features,
            arenas: Mutex::default(),
        })
    }

    /// Scores of a batch, `[images, classes]`, and what leads back from them.
    ///
    /// # Shapes
    /// - images: `[images, channels, height, width]`
    pub fn forward(&self, images: &[f32], shape: [usize; 4]) -> (Vec<f32>, Tape) {
        let [count, channels, height, width] = shape;
        let image = [height, width];
        let sizes = self.sizes(image);
        let images: Vec<&[f32]> = images.chunks(channels * height * width).collect();
        // Attacks repeat an image once for each row of its Jacobian: the way forward is the same.
        let repeats: Vec<&[&[f32]]> = images.chunk_by(|a, b| a == b).collect();
        // One image after the other: its maps stay in the caches from layer to layer.
        let passed = repeats.par_iter().map(|repeats| {
            self.with_arena(image, |arena| self.forward_row(arena, repeats[0], image, &sizes))
        });
        let (features, rows): (Vec<Vec<f32>>, Vec<Row>) = passed.unzip();
        let all = || repeats.iter().map(|repeats| repeats.len());
        let features = features.into_iter().zip(all()).flat_map(|(row, n)| row.repeat(n));
        let rows = rows.into_iter().zip(all());
        let rows =
            rows.flat_map(|(row, count)| std::iter::repeat_n(Arc::new(row), count)).collect();
        let features = rows_to_maps(&features.collect::<Vec<_>>(), self.features);
        let mut scores = Maps::zeros(row_shape(count, self.head.outputs()));
        let finish = Finish { add: false, relu: Relu::None };
        self.with_arena(image, |arena| {
            self.head.forward(self.arch, arena, &features, &mut scores, finish);
        });
        (maps_to_rows(&scores, self.classes), Tape { image, rows })
    }

    /// The gradient of the images, `[images, channels, height, width]`, from that of the scores.
    pub fn backward(&self, tape: &Tape, scores: &[f32]) -> Vec<f32> {
        let Tape { image, rows } = tape;
        let scores = rows_to_maps(scores, self.classes);
        let images = scores.shape.size[1];
        let mut features = Maps::zeros(row_shape(images, self.head.inputs()));
        self.with_arena(*image, |arena| {
            self.head.backward(self.arch, arena, &scores, &mut features, false, None);
        });
        let features = maps_to_rows(&features, self.features);

        let sizes = self.sizes(*image);
        let each = self.stem.channels() * image[0] * image[1];
        let mut gradient = vec![0.0; images * each];
        gradient.par_chunks_mut(each).zip(features.par_chunks(self.features)).zip(rows).for_each(
            |((pixels, features), row)| {
                self.with_arena(*image, |arena| {
                    self.backward_row(arena, row, features, *image, &sizes, pixels);
                });
            },
        );
        gradient
    }

    /// Works with maps that an earlier pass of images of this size has left.
    fn with_arena<R>(&self, image: [usize; 2], work: impl FnOnce(&mut Arena) -> R) -> R {
        let arenas = || self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        let left = arenas().pop().filter(|arena| arena.image == image);
        let mut arena = left.unwrap_or_else(|| Arena::new(image));
        let result = work(&mut arena);
        arenas().push(arena);
        result
    }

    fn sizes(&self, image: [usize; 2]) -> Sizes {
        let stem = self.stem.size(image);
        let mut trunk = vec![self.pool.as_ref().map_or(stem, |pool| pool.size(stem))];
        for block in &self.blocks {
            trunk.push(block.size(trunk[trunk.len() - 1]));
        }
        Sizes { stem, trunk }
    }

    /// The halos of what enters each block, and of what leaves the last.
    fn halos(&self, sizes: &Sizes) -> Vec<Halo> {
        let mut halos = vec![[0; 4]];
        for (block, size) in self.blocks.iter().zip(&sizes.trunk).rev() {
            halos.push(block.halo(*size, halos[halos.len() - 1]));
        }
        halos.reverse();
        halos
    }

    /// The halos of the gradients of what enters each block, and of what leaves the last.
    fn gradient_halos(&self, image: [usize; 2], sizes: &Sizes) -> Vec<Halo> {
        let mut halos = vec![match &self.pool {
            Some(_) => [0; 4],
            None => self.stem.gradient_halo(image),
        }];
        for (block, size) in self.blocks.iter().zip(&sizes.trunk) {
            halos.push(block.gradient_halo(*size, halos[halos.len() - 1]));
        }
        halos
    }

    /// The pooled features of an image.
    fn forward_row(
        &self,
        arena: &mut Arena,
        pixels: &[f32],
        image: [usize; 2],
        sizes: &Sizes,
    ) -> (Vec<f32>, Row) {
        let halos = self.halos(sizes);
        let (blocks, size) = (self.stem.outputs(), sizes.stem);
        let halo = self.pool.as_ref().map_or(halos[0], |pool| pool.halo(size));
        let mut x = arena.take(Shape { blocks, size, halo });
        let mut stem = vec![0; blocks * size[0] * size[1]];
        self.stem.forward(self.arch, arena, pixels, image, &mut x, &mut stem);

        let largest = self.pool.as_ref().map(|pool| {
            let shape = Shape { blocks, size: sizes.trunk[0], halo: halos[0] };
            let mut pooled = arena.take(shape);
            let largest = pool.forward(self.arch, &x, &mut pooled);
            arena.give(std::mem::replace(&mut x, pooled));
            largest
        });
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (block, halo) in self.blocks.iter().zip(&halos[1..]) {
            let (y, signs) = block.forward(self.arch, arena, x, *halo);
            blocks.push(signs);
            x = y;
        }
        let features = mean(&x, self.features);
        arena.give(x);
        (features, Row { stem, largest, blocks })
    }

    /// From the gradient of the pooled features to that of the image.
    fn backward_row(
        &self,
        arena: &mut Arena,
        row: &Row,
        features: &[f32],
        image: [usize; 2],
        sizes: &Sizes,
        pixels: &mut [f32],
    ) {
        let halos = self.gradient_halos(image, sizes);
        let (size, halo) = (sizes.trunk[self.blocks.len()], halos[self.blocks.len()]);
        let blocks = self.features.div_ceil(LANES);
        let mut gradient = arena.take(Shape { blocks, size, halo });
        // What was positive in each block's input.
        let inputs = row.blocks.iter().map(|signs| signs.last().map(Vec::as_slice));
        let first = self.pool.is_none().then_some(row.stem.as_slice());
        let mut signs: Vec<Option<&[u16]>> = std::iter::once(first).chain(inputs).collect();
        spread(features, &mut gradient, signs.pop().flatten());

        for (at, block) in self.blocks.iter().enumerate().rev() {
            let shape = Shape { blocks: block.inputs(), size: sizes.trunk[at], halo: halos[at] };
            let row = &row.blocks[at];
            gradient = block.backward(self.arch, arena, gradient, shape, row, signs[at]);
        }
        if let (Some(pool), Some(largest)) = (&self.pool, &row.largest) {
            let halo = wider(pool.halo(sizes.stem), self.stem.gradient_halo(image));
            let blocks = self.stem.outputs();
            let mut stem = arena.take(Shape { blocks, size: sizes.stem, halo });
            pool.backward(self.arch, &gradient, largest, &mut stem);
            arena.give(std::mem::replace(&mut gradient, stem));
        }
        self.stem.backward(self.arch, arena, &gradient, image, pixels);
        arena.give(gradient);
    }
}

/// The linear layer from pooled features to scores, as a 1×1 convolution.
fn head(blueprint: &Blueprint) -> Layer {
    let head = &blueprint.head;
    let (features, classes) = (head.features, head.classes);
    Layer::new(&Convolution {
        name: String::new(),
        stored: head.stored,
        shape: [classes, features, 1, 1],
        weights: transposed(&head.weights, classes),
        bias: head.bias.clone(),
        norm: None,
        window: Window::square(1, 1, 0),
        groups: 1,
        output_size: [1, 1],
    })
}

/// Maps of one row, which has a pixel for each image.
fn row_shape(images: usize, blocks: usize) -> Shape {
    Shape { blocks, size: [1, images], halo: [0; 4] }
}

/// `[images, channels]` as maps of one row.
fn rows_to_maps(rows: &[f32], channels: usize) -> Maps {
    let images = rows.len() / channels;
    let mut maps = Maps::zeros(row_shape(images, channels.div_ceil(LANES)));
    for (at, &value) in rows.iter().enumerate() {
        let (image, channel) = (at / channels, at % channels);
        maps.values[channel / LANES * images + image].0[channel % LANES] = value;
    }
    maps
}

fn maps_to_rows(maps: &Maps, channels: usize) -> Vec<f32> {
    let images = maps.shape.size[1];
    let value = |image: usize, channel: usize| {
        maps.values[channel / LANES * images + image].0[channel % LANES]
    };
    (0..images).flat_map(|image| (0..channels).map(move |channel| value(image, channel))).collect()
}

/// The mean of each channel.
fn mean(maps: &Maps, channels: usize) -> Vec<f32> {
    let shape = maps.shape;
    let means = maps.values.chunks(shape.plane()).flat_map(|block| {
        let mut sums = [0.0; LANES];
        for row in 0..shape.size[0] {
            for pixel in &block[shape.row(row)..][..shape.size[1]] {
                sums.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += value);
            }
        }
        sums.map(|sum| sum / shape.area() as f32)
    });
    means.take(channels).collect()
}

/// The gradient of the mean's input, where that was positive.
fn spread(means: &[f32], maps: &mut Maps, signs: Option<&[u16]>) {
    let shape = maps.shape;
    let area = shape.area();
    for (at, block) in maps.values.chunks_mut(shape.plane()).enumerate() {
        let mean =
            |lane: usize| means.get(at * LANES + lane).map_or(0.0, |mean| mean / area as f32);
        let values: [f32; LANES] = std::array::from_fn(mean);
        for row in 0..shape.size[0] {
            for column in 0..shape.size[1] {
                let place = at * area + row * shape.size[1] + column;
                let bits = signs.map_or(u16::MAX, |signs| signs[place]);
                let pixel = &mut block[shape.row(row) + column].0;
                *pixel =
                    std::array::from_fn(
                        |lane| {
                            if bits & (1 << lane) != 0 { values[lane] } else { 0.0 }
                        },
                    );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use proptest::prelude::*;

    use super::*;
    use crate::resnet::blueprint::ChannelMap;
    use crate::resnet::layers::Layers;
    use crate::resnet::trainable::scratch::network as blueprint;

    /// A pass's scores, and the gradient of the sum of their squares.
    fn pass(network: &Network, images: &[f32], shape: [usize; 4]) -> [Vec<f32>; 2] {
        let (scores, tape) = network.forward(images, shape);
        let twice: Vec<f32> = scores.iter().map(|score| 2.0 * score).collect();
        let gradient = network.backward(&tape, &twice);
        [scores, gradient]
    }

    fn pass_of_layers(layers: &Layers, images: &[f32], shape: [usize; 4]) -> [Vec<f32>; 2] {
        let images = TensorData::new(images.to_vec(), shape);
        let images = Tensor::<4>::from_data(images, &Device::flex()).autodiff().require_grad();
        let scores = layers.forward(images.clone());
        let gradient = images.grad(&scores.clone().powi_scalar(2).sum().backward()).unwrap();
        [scores.inner().try_to_vec_as().unwrap(), gradient.try_to_vec_as().unwrap()]
    }

    fn images(shape: [usize; 4]) -> Vec<f32> {
        (0..shape.iter().product()).map(|at: usize| (at as f32 * 0.37).sin()).collect()
    }

    /// The largest difference, over the largest value.
    fn apart(found: &[f32], expected: &[f32]) -> f32 {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, f32::max) / largest
    }

    fn small(name: &str, width: usize) -> Blueprint {
        let mut blueprint = blueprint(name, width, 5, 3).unwrap();
        blueprint.fold().unwrap();
        blueprint
    }

    /// Of the largest value: rounding, layer by layer.
    const NEAR: f32 = 2e-4;
    /// By how much an image is moved to see whether it lies at an edge.
    const EDGE: f32 = 1e-4;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_network_computes_what_its_layers_compute(
            basic in any::<bool>(),
            width in 1..20_usize,
            pooled in any::<bool>(),
            normalised in any::<bool>(),
            [height, width_of_image] in [33..70_usize, 33..70_usize],
            count in 1..3_usize,
        ) {
            let mut blueprint = small(if basic { "resnet10" } else { "resnet14" }, width);
            if !pooled {
                blueprint.pool = None;
            }
            if normalised {
                let (scale, shift) = (vec![1.5, 0.5, 2.0], vec![0.1, -0.2, 0.3]);
                blueprint.normalisation = Some(ChannelMap { scale, shift });
            }
            let shape = [count, 3, height, width_of_image];
            let images = images(shape);
            let found = pass(&Network::new(&blueprint).unwrap(), &images, shape);
            let layers = Layers::new(blueprint, &Device::flex());
            let expected = pass_of_layers(&layers, &images, shape);
            // At the edge of a ReLU or of a maximum rounding chooses the gradient: there the layers'
            // own one jumps when the image moves a little, and there is nothing to compare with.
            for by in [-EDGE, EDGE] {
                let moved = |(at, x): (usize, &f32)| x + by * (at as f32 * 0.61).cos();
                let moved: Vec<f32> = images.iter().enumerate().map(moved).collect();
                let [_, gradient] = pass_of_layers(&layers, &moved, shape);
                prop_assume!(apart(&gradient, &expected[1]) < NEAR);
            }
            for (found, expected) in found.iter().zip(&expected) {
                let apart = apart(found, expected);
                prop_assert!(apart < NEAR, "{apart}");
            }
        }
    }

    #[test]
    fn an_image_has_the_same_last_bit_in_any_company_and_on_any_number_of_threads() {
        let network = Network::new(&small("resnet14", 8)).unwrap();
        let each = 3 * 64 * 48;
        let different = images([3, 3, 64, 48]);
        // One of them twice in a row, and again later.
        let images = [&different[..each], &different, &different[..each]].concat();
        let shape = [5, 3, 64, 48];
        let together = pass(&network, &images, shape);
        let alone = images.chunks(each).map(|image| pass(&network, image, [1, 3, 64, 48]));
        let [mut scores, mut gradients] = [Vec::new(), Vec::new()];
        for [score, gradient] in alone {
            scores.extend(score);
            gradients.extend(gradient);
        }
        assert_eq!(together, [scores, gradients]);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| pass(&network, &images, shape)), together);
        }
    }

    #[test]
    fn a_large_image_is_cut_in_bands_and_has_the_same_last_bit() {
        for name in ["resnet14", "resnet10"] {
            let network = Network::new(&small(name, 32)).unwrap();
            let shape = [1, 3, 227, 190];
            let images = images(shape);
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| pass(&network, &images, shape))
            };
            let whole = on(1);
            for threads in [2, 5, 16] {
                assert!(on(threads) == whole, "{name}, {threads} threads");
            }
        }
    }

    #[test]
    fn images_of_several_sizes_can_take_turns() {
        let network = Network::new(&small("resnet10", 8)).unwrap();
        let shapes = [[1, 3, 64, 64], [2, 3, 33, 47], [1, 3, 64, 64]];
        let [first, _, third] = shapes.map(|shape| pass(&network, &images(shape), shape));
        assert_eq!(first, third);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_machine_gives_the_same_last_bit() {
        let mut network = Network::new(&small("resnet14", 12)).unwrap();
        let shape = [1, 3, 40, 56];
        let images = images(shape);
        let found = pass(&network, &images, shape);
        let narrower = pulp::x86::V3::try_new().map(Arch::V3);
        for arch in narrower.into_iter().chain([Arch::Scalar]) {
            network.arch = arch;
            assert_eq!(pass(&network, &images, shape), found, "{arch:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_comes_through() {
        let network = Network::new(&small("resnet10", 4)).unwrap();
        let shape = [1, 3, 64, 64];
        let mut images = images(shape);
        images[64 * 30 + 31] = f32::NAN;
        assert!(network.forward(&images, shape).0.iter().all(|score| score.is_nan()));
    }

    #[test]
    fn groups_are_left_to_the_layers() {
        let mut blueprint = small("resnet14", 8);
        blueprint.blocks[0].main[1].groups = 2;
        assert!(Network::new(&blueprint).is_none());
    }
}
