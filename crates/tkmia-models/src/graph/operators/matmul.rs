//! Matrix products.

use super::{Operation, Row, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Value, broadcast, elements};
use crate::graph::work::spend;

pub const OPERATORS: &[Row] = &[
    ("Gemm", gemm),
    ("MatMul", |_, _| one(|mut inputs| product(inputs.take(0)?, inputs.take(1)?))),
];

/// `A B` of the last two axes, those before broadcast; of vectors the axis that was added goes.
///
/// Source: <https://numpy.org/doc/stable/reference/generated/numpy.matmul.html>
pub fn product(a: Value, b: Value) -> Result<Value, Fault> {
    let (of_a, of_b) = (a.shape(), b.shape());
    if of_a.is_empty() || of_b.is_empty() {
        return Err(format!("expected matrices, found {of_a:?} and {of_b:?}"));
    }
    let a = if of_a.len() == 1 { a.reshape(&[1, of_a[0]])? } else { a };
    let b = if of_b.len() == 1 { b.reshape(&[of_b[0], 1])? } else { b };
    let (rows, columns) = (a.shape(), b.shape());
    let inner = (rows[rows.len() - 1], columns[columns.len() - 2]);
    if inner.0 != inner.1 {
        return Err(format!("expected matrices that fit, found {of_a:?} and {of_b:?}"));
    }
    let wide = columns[columns.len() - 1];
    let depth = inner.0;
    let mut shape = rows[..rows.len() - 1].to_vec();
    let product = match columns.len() {
        // One matrix for all rows: one product.
        2 => {
            shape.push(wide);
            let count = rows[..rows.len() - 1].iter().product();
            spend(elements(&shape)?, depth)?;
            a.reshape(&[count, inner.0])?.matmul(b)?.reshape(&shape)?
        }
        _ => {
            let over = [&rows[..rows.len() - 2], &columns[..columns.len() - 2]];
            let mut shape = broadcast(&over)?;
            shape.extend([rows[rows.len() - 2], wide]);
            spend(elements(&shape)?, depth)?;
            a.matmul(b)?
        }
    };
    let mut shape = product.shape();
    if of_b.len() == 1 {
        shape.pop();
    }
    if of_a.len() == 1 {
        shape.remove(shape.len() - if of_b.len() == 1 { 1 } else { 2 });
    }
    product.reshape(&shape)
}

/// `α A B + β C`, with `A` and `B` transposed where asked for.
fn gemm(node: &Node, _: i64) -> Result<Operation, Fault> {
    let (alpha, beta) = (f64::from(node.float("alpha", 1.0)), f64::from(node.float("beta", 1.0)));
    let [of_a, of_b] = ["transA", "transB"].map(|name| node.int(name, 0) != 0);
    one(move |mut inputs| {
        let [a, b] = [(0, of_a), (1, of_b)].map(|(at, transposed)| {
            let matrix = inputs.take(at)?;
            matrix.expect_rank(2)?;
            if transposed { matrix.permute(&[1, 0]) } else { Ok(matrix) }
        });
        let scaled = |x: Value, by: f64| if by == 1.0 { x } else { x.scale(by) };
        let product = scaled(product(a?, b?)?, alpha);
        match inputs.optional(2) {
            Some(c) => product.add(scaled(c, beta)),
            None => Ok(product),
        }
    })
}
