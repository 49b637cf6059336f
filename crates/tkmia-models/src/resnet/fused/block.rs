//! A residual block: [`Block`].

use pulp::Arch;

use super::layer::Layer;
use super::maps::{Arena, Halo, Maps, Shape, wider};
use super::task::{Finish, Relu};
use crate::resnet::blueprint;

/// A residual block, `relu(main(x) + shortcut(x))`.
pub(super) struct Block {
    main: Vec<Layer>,
    projection: Option<Layer>,
}

/// The signs of what each layer of a block's main path computed, those of the block's output last.
pub(super) type Signs = Vec<Vec<u16>>;

impl Block {
    /// Of a block whose output can be written over its input: one with two layers or more.
    pub fn new(block: &blueprint::Block) -> Option<Self> {
        let new = |conv| Layer::new(conv);
        (block.main.len() > 1).then(|| Self {
            main: block.main.iter().map(new).collect(),
            projection: block.projection.as_ref().map(new),
        })
    }

    /// Blocks of input channels.
    pub fn inputs(&self) -> usize {
        self.main[0].inputs()
    }

    /// Height and width of the output.
    pub fn size(&self, input: [usize; 2]) -> [usize; 2] {
        self.main.iter().fold(input, |size, layer| layer.size(size))
    }

    /// The halo that the input must have if the output must have this one.
    pub fn halo(&self, input: [usize; 2], output: Halo) -> Halo {
        let halo = |layer: &Layer| layer.halo(input, layer.size(input));
        // Without a projection the output is written over the input.
        wider(halo(&self.main[0]), self.projection.as_ref().map_or(output, halo))
    }

    /// The halo that the gradient of the output must have if that of the input must have this one.
    pub fn gradient_halo(&self, input: [usize; 2], halo: Halo) -> Halo {
        let sizes = self.sizes(input);
        let [.., before, last] = sizes[..] else { unreachable!("two layers or more") };
        let [.., layer] = &self.main[..] else { unreachable!("two layers or more") };
        let projection = self.projection.as_ref();
        let projected = projection.map_or(halo, |projection| projection.gradient_halo(input, last));
        wider(layer.gradient_halo(before, last), projected)
    }

    /// The size of the input, and of what each layer computes.
    fn sizes(&self, input: [usize; 2]) -> Vec<[usize; 2]> {
        let mut sizes = vec![input];
        for layer in &self.main {
            sizes.push(layer.size(sizes[sizes.len() - 1]));
        }
        sizes
    }

    pub fn forward(&self, arch: Arch, arena: &mut Arena, x: Maps, halo: Halo) -> (Maps, Signs) {
        let sizes = self.sizes(x.shape.size);
        let mut signs: Signs = self
            .main
            .iter()
            .zip(&sizes[1..])
            .map(|(layer, [height, width])| vec![0; layer.outputs() * height * width])
            .collect();
        let (last, inner) = self.main.split_last().expect("two layers or more");
        let mut within: Option<Maps> = None;
        for (at, layer) in inner.iter().enumerate() {
            let size = sizes[at + 1];
            let halo = self.main[at + 1].halo(size, sizes[at + 2]);
            let mut next = arena.take(Shape { blocks: layer.outputs(), size, halo });
            let finish = Finish { add: false, relu: Relu::Record(&mut signs[at]) };
            layer.forward(arch, arena, within.as_ref().unwrap_or(&x), &mut next, finish);
            within.replace(next).into_iter().for_each(|done| arena.give(done));
        }
        let within = within.expect("two layers or more");
        let mut y = match &self.projection {
            Some(projection) => {
                let (blocks, size) = (projection.outputs(), sizes[sizes.len() - 1]);
                let mut y = arena.take(Shape { blocks, size, halo });
                projection.forward(
                    arch,
                    arena,
                    &x,
                    &mut y,
                    Finish { add: false, relu: Relu::None },
                );
                arena.give(x);
                y
            }
            None => x,
        };
        let finish = Finish { add: true, relu: Relu::Record(&mut signs[inner.len()]) };
        last.forward(arch, arena, &within, &mut y, finish);
        arena.give(within);
        (y, signs)
    }

    /// From the gradient of `main(x) + shortcut(x)` to that of `x`, which has this shape.
    ///
    /// What wasn't positive in `x` by `before` has none.
    pub fn backward(
        &self,
        arch: Arch,
        arena: &mut Arena,
        mut gradient: Maps,
        x: Shape,
        signs: &Signs,
        before: Option<&[u16]>,
    ) -> Maps {
        let sizes = self.sizes(x.size);
        let mut within: Option<Maps> = None;
        for (at, layer) in self.main.iter().enumerate().skip(1).rev() {
            let size = sizes[at];
            let halo = self.main[at - 1].gradient_halo(sizes[at - 1], size);
            let mut next = arena.take(Shape { blocks: layer.inputs(), size, halo });
            let from = within.as_ref().unwrap_or(&gradient);
            layer.backward(arch, arena, from, &mut next, false, Some(&signs[at - 1]));
            within.replace(next).into_iter().for_each(|done| arena.give(done));
        }
        let within = within.expect("two layers or more");
        if let Some(projection) = &self.projection {
            let mut x = arena.take(x);
            projection.backward(arch, arena, &gradient, &mut x, false, None);
            arena.give(std::mem::replace(&mut gradient, x));
        }
        self.main[0].backward(arch, arena, &within, &mut gradient, true, before);
        arena.give(within);
        gradient
    }
}
