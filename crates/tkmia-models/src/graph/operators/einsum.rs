//! Sums of products by Einstein's notation.

use super::{Operation, Row, one};
use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, Value};

pub const OPERATORS: &[Row] = &[("Einsum", einsum)];

/// One letter for each axis; `…` stands for as many as are left.
type Labels = Vec<char>;

/// The sum of products over all axes whose letters the result doesn't have.
///
/// Two operands at a time become one matrix product: of the letters that both have and the result keeps, that
/// one of them has alone, and that both have and the result doesn't.
fn einsum(node: &Node, _: i64) -> Result<Operation, Fault> {
    let equation: String =
        node.text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left.to_owned(), Some(right.to_owned())),
        None => (equation.clone(), None),
    };
    let terms: Vec<String> = left.split(',').map(str::to_owned).collect();
    one(move |inputs| {
        let values: Vec<Value> = inputs.0.into_iter().flatten().collect();
        if values.len() != terms.len() {
            return Err(format!(
                "expected {} operands of `{equation}`, found {}",
                terms.len(),
                values.len()
            ));
        }
        let spare = terms.iter().zip(&values).map(|(term, value)| {
            if term.contains("...") {
                value.rank() - term.replace("...", "").len().min(value.rank())
            } else {
                0
            }
        });
        let spare = spare.max().unwrap_or(0);
        let mut operands = Vec::new();
        for (term, value) in terms.iter().zip(values) {
            let own = term.replace("...", "").chars().count();
            let own_spare =
                value.rank().checked_sub(own).filter(|_| term.contains("...")).unwrap_or(0);
            let labels = labels(term, spare - own_spare.min(spare), spare)?;
            if labels.len() != value.rank() {
                return Err(format!(
                    "expected {} axes by `{term}`, found {:?}",
                    labels.len(),
                    value.shape()
                ));
            }
            operands.push(diagonal(value, labels)?);
        }
        let result = match &right {
            Some(right) => labels(right, 0, spare)?,
            None => implicit(&terms, spare),
        };
        let mut operands = operands.into_iter();
        let (mut product, mut of_product) =
            operands.next().ok_or("expected operands, found none")?;
        let mut rest: Vec<(Value, Labels)> = operands.collect();
        while !rest.is_empty() {
            let (value, own) = rest.remove(0);
            let needed = |label: &char| {
                result.contains(label) || rest.iter().any(|(_, of)| of.contains(label))
            };
            (product, of_product) = contracted(product, of_product, value, own, needed)?;
        }
        let summed: Vec<usize> =
            (0..of_product.len()).filter(|&at| !result.contains(&of_product[at])).collect();
        let product = product.sum(&summed)?;
        let shape = product.shape();
        let kept: Vec<usize> = (0..of_product.len()).filter(|at| !summed.contains(at)).collect();
        let left: Labels = kept.iter().map(|&at| of_product[at]).collect();
        let product = product.reshape(&kept.iter().map(|&at| shape[at]).collect::<Vec<_>>())?;
        let order = result.iter().map(|label| left.iter().position(|of| of == label));
        let order = order.collect::<Option<Vec<usize>>>();
        product.permute(
            &order.ok_or_else(|| format!("expected letters of the operands in `{equation}`"))?,
        )
    })
}

/// The letters of a term; the spare axes are private-use characters.
fn labels(term: &str, from: usize, spare: usize) -> Result<Labels, Fault> {
    let spares = (from..spare).map(|at| char::from_u32(0xE000 + at as u32).unwrap_or('?'));
    let mut labels = Vec::new();
    let mut parts = term.splitn(2, "...");
    labels.extend(parts.next().unwrap_or_default().chars());
    if let Some(behind) = parts.next() {
        labels.extend(spares);
        labels.extend(behind.chars());
    }
    let known = |label: &char| label.is_ascii_alphabetic() || *label >= '\u{E000}';
    match labels.iter().all(known) {
        true => Ok(labels),
        false => Err(format!("expected letters in `{term}`")),
    }
}

/// The spare axes, then the letters that stand once, in order.
fn implicit(terms: &[String], spare: usize) -> Labels {
    let all: Vec<char> =
        terms.iter().flat_map(|term| term.chars()).filter(char::is_ascii_alphabetic).collect();
    let mut once: Labels =
        all.iter().copied().filter(|c| all.iter().filter(|of| *of == c).count() == 1).collect();
    once.sort_unstable();
    let spares = (0..spare).map(|at| char::from_u32(0xE000 + at as u32).unwrap_or('?'));
    spares.chain(once).collect()
}

/// Of axes with one letter the diagonal.
fn diagonal(mut value: Value, mut labels: Labels) -> Result<(Value, Labels), Fault> {
    while let Some((first, second)) = (0..labels.len())
        .flat_map(|a| (a + 1..labels.len()).map(move |b| (a, b)))
        .find(|&(a, b)| labels[a] == labels[b])
    {
        let shape = value.shape();
        let side = shape[first];
        if shape[second] != side {
            return Err(format!(
                "expected axes of one length for `{}`, found {shape:?}",
                labels[first]
            ));
        }
        let mut order: Vec<usize> =
            (0..shape.len()).filter(|at| ![first, second].contains(at)).collect();
        order.extend([first, second]);
        let rest: Vec<usize> = order[..order.len() - 2].iter().map(|&at| shape[at]).collect();
        let flat = value.permute(&order)?.reshape(&[rest.clone(), vec![side * side]].concat())?;
        let places = (0..side).map(|at| (at * side + at) as i64).collect();
        let places = Value::list(places, &crate::graph::value::host(&flat.device()));
        value = flat.select(rest.len(), places)?;
        let label = labels[first];
        labels = order[..order.len() - 2].iter().map(|&at| labels[at]).chain([label]).collect();
    }
    Ok((value, labels))
}

/// The product of two operands, summed over what is no longer needed.
fn contracted(
    a: Value,
    of_a: Labels,
    b: Value,
    of_b: Labels,
    needed: impl Fn(&char) -> bool,
) -> Result<(Value, Labels), Fault> {
    let lengths = |value: &Value, own: &Labels, of: &Labels| -> Vec<usize> {
        let at = |label: &char| own.iter().position(|l| l == label).map_or(1, |at| value.dim(at));
        of.iter().map(at).collect()
    };
    let both = |label: &&char| of_b.contains(label);
    let batch: Labels = of_a.iter().filter(both).filter(|l| needed(l)).copied().collect();
    let inner: Labels = of_a.iter().filter(both).filter(|l| !needed(l)).copied().collect();
    let only_a: Labels = of_a.iter().filter(|l| !of_b.contains(l)).copied().collect();
    let only_b: Labels = of_b.iter().filter(|l| !of_a.contains(l)).copied().collect();
    // Axes of length 1 are broadcast.
    for label in batch.iter().chain(&inner) {
        let of = |value: &Value, own: &Labels| lengths(value, own, &vec![*label])[0];
        if of(&a, &of_a) != of(&b, &of_b) && ![of(&a, &of_a), of(&b, &of_b)].contains(&1) {
            return Err(format!("expected axes of one length for `{label}`"));
        }
    }
    let wide = |of: &Labels| -> Vec<usize> {
        lengths(&a, &of_a, of).iter().zip(lengths(&b, &of_b, of)).map(|(&x, y)| x.max(y)).collect()
    };
    let (batch_shape, inner_shape) = (wide(&batch), wide(&inner));
    let (a_shape, b_shape) = (lengths(&a, &of_a, &only_a), lengths(&b, &of_b, &only_b));
    let matrix = |value: Value, own: &Labels, order: [&Labels; 3], shapes: [&Vec<usize>; 3]| {
        let order: Labels = order.into_iter().flatten().copied().collect();
        let places: Vec<usize> =
            order.iter().filter_map(|label| own.iter().position(|l| l == label)).collect();
        let full = shapes.map(Vec::as_slice).concat();
        let counts = shapes.map(|shape| shape.iter().product::<usize>());
        value.permute(&places)?.expand(&full)?.reshape(&counts)
    };
    let left = matrix(a, &of_a, [&batch, &only_a, &inner], [&batch_shape, &a_shape, &inner_shape])?;
    let right =
        matrix(b, &of_b, [&batch, &inner, &only_b], [&batch_shape, &inner_shape, &b_shape])?;
    let product = super::matmul::product(left, right)?;
    let labels = [batch, only_a, only_b].concat();
    Ok((product.reshape(&[batch_shape, a_shape, b_shape].concat())?, labels))
}
