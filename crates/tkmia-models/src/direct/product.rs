//! Products of matrices: by weights that stay as they are ([`Linear`]), and of two that are computed ([`product`]).

use std::sync::Arc;

use burn::backend::DispatchTensor;
use pulp::Arch;
use rayon::prelude::*;

use super::node::{self, Floats};
use super::stencil::SCRATCH;
use super::tile::{COLUMNS, ROWS, Tiles};

/// Rows that are multiplied by one strip after the other: as much as the caches hold.
const BLOCK: usize = 8 * ROWS;

/// Matrices as they lie in memory.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// From one row and column to the next.
    steps: [usize; 2],
}

impl Matrix<'_> {
    fn transposed(self) -> Self {
        let [down, across] = self.steps;
        Self { rows: self.columns, columns: self.rows, steps: [across, down], ..self }
    }

    /// `[strips, rows, COLUMNS]`, with zeros behind the last column.
    fn strips(&self) -> Vec<f32> {
        let mut strips = vec![0.0; self.columns.div_ceil(COLUMNS) * self.rows * COLUMNS];
        for (at, strip) in strips.chunks_exact_mut((self.rows * COLUMNS).max(1)).enumerate() {
            let count = COLUMNS.min(self.columns - at * COLUMNS);
            for (row, to) in strip.chunks_exact_mut(COLUMNS).enumerate() {
                let first = row * self.steps[0] + at * COLUMNS * self.steps[1];
                copy(&mut to[..count], &self.values[first..], self.steps[1]);
            }
        }
        strips
    }

    /// `[panels, columns, ROWS]` of a block of rows.
    fn panels(&self, first: usize, rows: usize, panels: &mut [f32]) {
        for (at, panel) in panels.chunks_exact_mut(self.columns * ROWS).enumerate() {
            let count = ROWS.min(rows - at * ROWS);
            let values = &self.values[(first + at * ROWS) * self.steps[0]..];
            match self.steps {
                [1, step] => {
                    for (column, to) in panel.chunks_exact_mut(ROWS).enumerate() {
                        to[..count].copy_from_slice(&values[column * step..][..count]);
                    }
                }
                [down, across] => {
                    for row in 0..count {
                        let to = panel[row..].iter_mut().step_by(ROWS);
                        let values = values[row * down..].iter().step_by(across);
                        to.zip(values).for_each(|(to, value)| *to = *value);
                    }
                }
            }
        }
    }
}

fn copy(to: &mut [f32], from: &[f32], step: usize) {
    match step {
        1 => to.copy_from_slice(&from[..to.len()]),
        step => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, from)| *to = *from),
    }
}

/// Writes rows of a product, `y[row] = a[first + row] · strips + bias`.
fn multiply(
    arch: Arch,
    a: Matrix<'_>,
    first: usize,
    strips: &[f32],
    bias: &[f32],
    width: usize,
    y: &mut [f32],
) {
    let rows = y.len() / width;
    let depth = a.columns;
    SCRATCH.with_borrow_mut(|scratch| {
        let panels = rows.div_ceil(ROWS);
        let (packed, sums) = scratch.both(panels * depth * ROWS, panels * ROWS * COLUMNS);
        a.panels(first, rows, packed);
        for at in 0..width.div_ceil(COLUMNS) {
            let strip = &strips[at * depth * COLUMNS..(at + 1) * depth * COLUMNS];
            let columns = at * COLUMNS..width.min((at + 1) * COLUMNS);
            let count = columns.len();
            arch.dispatch(Tiles { panels: packed, rows, strip, columns: count, sums });
            let bias = bias.get(columns.clone());
            for (y, sums) in y.chunks_exact_mut(width).zip(sums.chunks_exact(COLUMNS)) {
                let y = &mut y[columns.clone()];
                match bias {
                    Some(bias) => {
                        y.iter_mut()
                            .zip(sums)
                            .zip(bias)
                            .for_each(|((y, sum), bias)| *y = sum + bias);
                    }
                    None => y.copy_from_slice(&sums[..count]),
                }
            }
        }
    });
}

/// A matrix of weights, by which rows are multiplied, laid out for both ways.
pub(crate) struct Linear {
    inputs: usize,
    outputs: usize,
    forward: Vec<f32>,
    backward: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// Of weights `[inputs, outputs]`, or the other way round, and a bias for each output or none.
    pub fn new(
        weights: &[f32],
        [inputs, outputs]: [usize; 2],
        transposed: bool,
        bias: Vec<f32>,
    ) -> Self {
        let matrix = match transposed {
            false => {
                Matrix { values: weights, rows: inputs, columns: outputs, steps: [outputs, 1] }
            }
            true => Matrix { values: weights, rows: inputs, columns: outputs, steps: [1, inputs] },
        };
        let (forward, backward) = (matrix.strips(), matrix.transposed().strips());
        Self { inputs, outputs, forward, backward, bias }
    }

    /// Of `[.., inputs]`, `[.., outputs]`.
    pub fn apply(self: &Arc<Self>, x: DispatchTensor) -> DispatchTensor {
        node::apply([x], |[x]| {
            let y =
                rows(&node::contiguous(x), self.inputs, &self.forward, self.outputs, &self.bias);
            let way = self.clone();
            let back = move |gradient: Floats, _: [bool; 1]| {
                [Some(rows(&gradient, way.outputs, &way.backward, way.inputs, &[]))]
            };
            (y, Box::new(back))
        })
    }
}

/// All rows of a tensor times strips.
fn rows(x: &Floats, inputs: usize, strips: &[f32], outputs: usize, bias: &[f32]) -> Floats {
    let mut shape = node::shape(x);
    let values = node::values(x);
    let count = values.len() / inputs.max(1);
    let a = Matrix { values, rows: count, columns: inputs, steps: [inputs, 1] };
    let mut y = vec![0.0; count * outputs];
    let each = block(count);
    y.par_chunks_mut((each * outputs).max(1)).enumerate().for_each(|(at, y)| {
        multiply(Arch::new(), a, at * each, strips, bias, outputs, y);
    });
    shape.pop();
    shape.push(outputs);
    node::tensor(y, &shape)
}

/// Rows of a piece of work, so that every thread has some.
fn block(rows: usize) -> usize {
    rows.div_ceil(rayon::current_num_threads()).next_multiple_of(ROWS).clamp(ROWS, BLOCK)
}

/// `a b` of `[.., rows, depth]` and `[.., depth, columns]` with the same axes before, as they lie in memory.
pub(crate) fn product(a: DispatchTensor, b: DispatchTensor) -> DispatchTensor {
    node::apply([a, b], |[a, b]| {
        let y = products(&a, false, &b, false);
        let back = move |gradient: Floats, [of_a, of_b]: [bool; 2]| {
            [
                of_a.then(|| products(&gradient, false, &b, true)),
                of_b.then(|| products(&a, true, &gradient, false)),
            ]
        };
        (y, Box::new(back))
    })
}

/// Where the matrices of a tensor begin in memory, and their form.
struct Stack {
    tensor: Floats,
    starts: Vec<usize>,
    size: [usize; 2],
    steps: [usize; 2],
}

impl Stack {
    fn new(tensor: &Floats) -> Self {
        // Broadcast and flipped axes are written out.
        let plain = tensor.layout().strides().iter().all(|&step| step > 0);
        let tensor = if plain { tensor.clone() } else { node::contiguous(tensor.clone()) };
        let shape = node::shape(&tensor);
        let steps: Vec<usize> =
            tensor.layout().strides().iter().map(|step| step.unsigned_abs()).collect();
        let axes = shape.len() - 2;
        let mut starts = vec![tensor.layout().start_offset()];
        for axis in 0..axes {
            let (count, step) = (shape[axis], steps[axis]);
            let along = |start: usize| (0..count).map(move |at| start + at * step);
            starts = starts.into_iter().flat_map(along).collect();
        }
        let (size, steps) = ([shape[axes], shape[axes + 1]], [steps[axes], steps[axes + 1]]);
        Self { tensor, starts, size, steps }
    }

    fn matrix(&self, at: usize) -> Matrix<'_> {
        let values = &self.tensor.storage::<f32>()[self.starts[at]..];
        Matrix { values, rows: self.size[0], columns: self.size[1], steps: self.steps }
    }
}

fn products(a: &Floats, a_transposed: bool, b: &Floats, b_transposed: bool) -> Floats {
    let mut shape = node::shape(a);
    let [a, b] = [a, b].map(Stack::new);
    let of_a = |at| if a_transposed { a.matrix(at).transposed() } else { a.matrix(at) };
    let of_b = |at| if b_transposed { b.matrix(at).transposed() } else { b.matrix(at) };
    let (height, width) = (a.size[usize::from(a_transposed)], b.size[usize::from(!b_transposed)]);
    let axes = shape.len() - 2;
    (shape[axes], shape[axes + 1]) = (height, width);
    let mut y = vec![0.0; shape.iter().product()];
    y.par_chunks_mut((height * width).max(1)).enumerate().for_each(|(at, y)| {
        let strips = of_b(at).strips();
        for (part, y) in y.chunks_mut(BLOCK * width).enumerate() {
            multiply(Arch::new(), of_a(at), part * BLOCK, &strips, &[], width, y);
        }
    });
    node::tensor(y, &shape)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};
    use proptest::prelude::*;

    use super::super::convolution::tests::{apart, pass, wave};
    use super::*;

    fn filled<const D: usize>(shape: [usize; D], by: usize) -> Tensor<D> {
        let values = wave(shape.iter().product(), by);
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    proptest! {
        #[test]
        fn a_linear_layer_is_a_product_and_a_sum(
            rows in 1..130_usize,
            [inputs, outputs] in [1..150_usize, 1..70_usize],
            transposed in any::<bool>(),
        ) {
            let weights = filled([inputs, outputs], 7);
            let bias = filled([outputs], 5);
            let x = filled([rows, inputs], 3);
            let expected = pass(x.clone(), |x| x.matmul(weights.clone()) + bias.clone().unsqueeze());
            let held = if transposed { weights.transpose() } else { weights };
            let held: Vec<f32> = held.try_to_vec_as().unwrap();
            let bias = bias.try_to_vec_as().unwrap();
            let linear = Arc::new(Linear::new(&held, [inputs, outputs], transposed, bias));
            let direct = |x: Tensor<2>| Tensor::from_dispatch(linear.apply(x.into_dispatch()));
            let found = pass(x.clone(), direct);
            prop_assert!(apart(&found[0], &expected[0]) < 1e-5);
            prop_assert!(apart(&found[1], &expected[1]) < 1e-5);
            // A row has the same last bit in any company.
            let alone = pass(x.narrow(0, rows - 1, 1), direct);
            prop_assert_eq!(&found[0][(rows - 1) * outputs..], &alone[0][..]);
            prop_assert_eq!(&found[1][(rows - 1) * inputs..], &alone[1][..]);
        }

        #[test]
        fn a_product_of_two_that_are_computed_leads_back_to_both(
            stacks in 1..4_usize,
            [rows, depth, columns] in [1..110_usize, 1..40_usize, 1..40_usize],
            turned in any::<bool>(),
        ) {
            let a = filled([stacks, 2, rows, depth], 3);
            let b = filled([stacks, 2, depth, columns], 7);
            // As they lie in memory after a transposition.
            let seen = |x: Tensor<4>| if turned { x.permute([1, 0, 3, 2]) } else { x };
            let [a, b] = if turned { [seen(b), seen(a)] } else { [a, b] };
            let both = |multiply: fn(Tensor<4>, Tensor<4>) -> Tensor<4>| {
                let of_a = pass(a.clone(), |a| multiply(a, b.clone()));
                let of_b = pass(b.clone(), |b| multiply(a.clone(), b));
                let square = pass(a.clone(), |a| multiply(a.clone(), a.transpose()));
                [of_a, of_b, square]
            };
            let found = both(|a, b| {
                Tensor::from_dispatch(product(a.into_dispatch(), b.into_dispatch()))
            });
            let expected = both(Tensor::matmul);
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                prop_assert!(apart(found, expected) < 1e-5);
            }
        }
    }
}
