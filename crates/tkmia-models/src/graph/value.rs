//! What flows between the nodes of a graph: [`Value`], a tensor whose rank is known at run time only.
//!
//! Burn's `Tensor` has its rank in its type, a file has it in its data. Below that type Burn computes with
//! tensors of any rank, and this is a thin layer over these.

use burn::backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{
    Bool, BoolDType, DType, Device, FloatDType, Int, IntDType, Shape, Slice, Tensor, TensorData,
};
use tkmia_file::memory_limit;

use super::work::spend;

/// What is wrong with a node, found when it computes: what was expected and what is there.
pub type Fault = String;

/// Elements that one value may have: a few bytes of a file can ask for any number.
fn largest() -> usize {
    usize::try_from(memory_limit() / 32).unwrap_or(usize::MAX)
}

/// What an operation takes beside its elements.
const OPERATION: usize = 1 << 10;

/// The kinds of elements: floats are computed with 32 bits, integers with as many as the device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Float,
    Int,
    Bool,
}

/// A tensor of any rank and kind.
#[derive(Debug, Clone)]
pub struct Value {
    tensor: DispatchTensor,
    /// Of rank 0, held as one element of rank 1.
    scalar: bool,
}

/// Applies the function of the tensor's kind.
macro_rules! by_kind {
    ($value:expr, $float:ident, $int:ident, $bool:ident $(, $argument:expr)*) => {{
        let value = $value;
        match value.kind() {
            Kind::Float => Dispatch::$float(value.tensor $(, $argument)*),
            Kind::Int => Dispatch::$int(value.tensor $(, $argument)*),
            Kind::Bool => Dispatch::$bool(value.tensor $(, $argument)*),
        }
    }};
}

/// The product of dimensions, if a value may have as many elements; dimensions of 0 hide no others that are too large.
pub fn elements(shape: &[usize]) -> Result<usize, Fault> {
    let (count, largest) =
        (shape.iter().try_fold(1_usize, |n, &dim| n.checked_mul(dim.max(1))), largest());
    if count.is_none_or(|count| count > largest) {
        return Err(format!(
            "expected at most {largest} elements (TKMIA_MAX_MEMORY), found dimensions {shape:?}"
        ));
    }
    let count = shape.iter().product();
    spend(count + OPERATION, 1)?;
    Ok(count)
}

/// The shape that values of these shapes are broadcast to.
///
/// Source: <https://onnx.ai/onnx/repo-docs/Broadcasting.html>
pub fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, Fault> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut to = vec![1; rank];
    for shape in shapes {
        for (to, &dim) in to[rank - shape.len()..].iter_mut().zip(shape.iter()) {
            match (*to, dim) {
                (_, 1) => {}
                (1, _) => *to = dim,
                (a, b) if a == b => {}
                _ => return Err(format!("expected shapes that broadcast, found {shapes:?}")),
            }
        }
    }
    elements(&to)?;
    Ok(to)
}

/// An axis counted from the front; below 0 it is counted from the end.
pub fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let found = from_front.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank);
    found.ok_or_else(|| format!("expected an axis of {rank} dimensions, found {axis}"))
}

/// Axes counted from the front, each once, ascending.
pub fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, Fault> {
    let mut found = list.iter().map(|&at| axis(at, rank)).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable();
    match found.windows(2).all(|pair| pair[0] < pair[1]) {
        true => Ok(found),
        false => Err(format!("expected each axis once, found {list:?}")),
    }
}

impl Value {
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        Self { tensor: tensor.into_dispatch(), scalar: false }
    }

    fn made(tensor: DispatchTensor, shape: &[usize]) -> Result<Self, Fault> {
        Self { tensor, scalar: false }.reshape(shape)
    }

    pub fn floats(values: Vec<f32>, shape: &[usize], device: &Device) -> Result<Self, Fault> {
        let data = TensorData::new(values, [elements(shape)?]);
        Self::made(Tensor::<1>::from_data(data, device).into_dispatch(), shape)
    }

    pub fn ints(values: Vec<i64>, shape: &[usize], device: &Device) -> Result<Self, Fault> {
        let data = TensorData::new(values, [elements(shape)?]);
        let tensor = Tensor::<1, Int>::from_data(data, (device, int_type(device)));
        Self::made(tensor.into_dispatch(), shape)
    }

    pub fn bools(values: Vec<bool>, shape: &[usize], device: &Device) -> Result<Self, Fault> {
        let data = TensorData::new(values, [elements(shape)?]);
        Self::made(Tensor::<1, Bool>::from_data(data, device).into_dispatch(), shape)
    }

    /// A list of integers, as shapes and axes are.
    pub fn list(values: Vec<i64>, device: &Device) -> Self {
        let shape = [values.len()];
        Self::ints(values, &shape, device).expect("a list is as long as it is")
    }

    /// One number in every place.
    pub fn full(value: f32, shape: &[usize], device: &Device) -> Result<Self, Fault> {
        Self::floats(vec![value], &[], device)?.expand(shape)
    }

    pub fn kind(&self) -> Kind {
        let dtype = self.tensor.dtype();
        if dtype.is_float() {
            Kind::Float
        } else if dtype.is_bool() {
            Kind::Bool
        } else {
            Kind::Int
        }
    }

    pub fn shape(&self) -> Vec<usize> {
        if self.scalar { Vec::new() } else { self.tensor.shape().to_vec() }
    }

    pub fn rank(&self) -> usize {
        if self.scalar { 0 } else { self.tensor.rank() }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.tensor.shape().num_elements()
    }

    /// The bytes of its elements.
    pub fn bytes(&self) -> u64 {
        self.len() as u64 * self.tensor.dtype().size() as u64
    }

    /// The length of an axis.
    pub fn dim(&self, axis: usize) -> usize {
        self.tensor.shape()[axis]
    }

    /// Its device, without autodiff.
    pub fn device(&self) -> Device {
        Device::new(self.tensor.device()).without_autodiff()
    }

    /// The device's type of flags.
    pub fn bool_type(&self) -> BoolDType {
        self.device().settings().bool_dtype
    }

    /// The device's type of indices.
    pub fn int_type(&self) -> IntDType {
        int_type(&self.device()).into()
    }

    /// Where the other is. A network's small numbers are on the CPU, wherever the network is.
    pub fn beside(self, other: &Self) -> Self {
        self.on(&other.device())
    }

    pub fn on(self, device: &Device) -> Self {
        if self.device() == *device {
            return self;
        }
        let to = device.as_dispatch();
        if self.kind() != Kind::Int {
            return self.map(|tensor| match tensor.dtype().is_float() {
                true => Dispatch::float_to_device(tensor, to),
                false => Dispatch::bool_to_device(tensor, to),
            });
        }
        // Each type is computed with only where it is known.
        let (from, dtype) = (self.device(), int_type(device));
        let cast = |tensor| Dispatch::int_cast(tensor, dtype.into());
        self.map(|tensor| match from.supports_dtype(dtype) {
            true => Dispatch::int_to_device(cast(tensor), to),
            false => cast(Dispatch::int_to_device(tensor, to)),
        })
    }

    /// Its values, read as integers.
    pub fn to_ints(&self) -> Result<Vec<i64>, Fault> {
        self.expect_kind(Kind::Int)?;
        let flat = Dispatch::int_reshape(self.tensor.clone(), Shape::from(vec![self.len()]));
        let data = Tensor::<1, Int>::from_dispatch(flat).try_to_vec_as::<i64>();
        data.map_err(|error| error.to_string())
    }

    pub fn to_floats(&self) -> Result<Vec<f32>, Fault> {
        self.expect_kind(Kind::Float)?;
        let flat = Dispatch::float_reshape(self.tensor.clone(), Shape::from(vec![self.len()]));
        let data = Tensor::<1>::from_dispatch(flat).try_to_vec_as::<f32>();
        data.map_err(|error| error.to_string())
    }

    pub fn to_bools(&self) -> Result<Vec<bool>, Fault> {
        self.expect_kind(Kind::Bool)?;
        let flat = Dispatch::bool_reshape(self.tensor.clone(), Shape::from(vec![self.len()]));
        let data = Tensor::<1, Bool>::from_dispatch(flat).try_to_vec_as::<bool>();
        data.map_err(|error| error.to_string())
    }

    pub fn expect_kind(&self, kind: Kind) -> Result<(), Fault> {
        let names = |kind| match kind {
            Kind::Float => "floats",
            Kind::Int => "integers",
            Kind::Bool => "booleans",
        };
        match self.kind() {
            found if found == kind => Ok(()),
            found => Err(format!("expected {}, found {}", names(kind), names(found))),
        }
    }

    pub fn expect_rank(&self, rank: usize) -> Result<(), Fault> {
        match self.rank() == rank {
            true => Ok(()),
            false => Err(format!("expected {rank} dimensions, found {:?}", self.shape())),
        }
    }

    /// As Burn's tensor of that rank.
    pub fn tensor<const D: usize>(self) -> Result<Tensor<D>, Fault> {
        self.expect_kind(Kind::Float)?;
        self.expect_rank(D)?;
        Ok(Tensor::from_dispatch(self.tensor))
    }

    /// As Burn's tensor of floats below the type of ranks.
    pub fn float(self) -> Result<DispatchTensor, Fault> {
        self.expect_kind(Kind::Float)?;
        Ok(self.tensor)
    }

    /// The same of indices.
    pub fn int(self) -> Result<DispatchTensor, Fault> {
        self.expect_kind(Kind::Int)?;
        Ok(self.tensor)
    }

    /// The same of flags.
    pub fn bool(self) -> Result<DispatchTensor, Fault> {
        self.expect_kind(Kind::Bool)?;
        Ok(self.tensor)
    }

    /// What comes of it by a function that keeps its shape.
    pub fn map(self, f: impl FnOnce(DispatchTensor) -> DispatchTensor) -> Self {
        Self { tensor: f(self.tensor), scalar: self.scalar }
    }

    /// What comes of it by a function that keeps a rank of 1 and more.
    pub fn made_of(tensor: DispatchTensor) -> Self {
        Self { tensor, scalar: false }
    }

    pub fn reshape(self, shape: &[usize]) -> Result<Self, Fault> {
        if elements(shape)? != self.len() {
            let (count, from) = (self.len(), self.shape());
            return Err(format!(
                "expected a shape of {count} elements for {from:?}, found {shape:?}"
            ));
        }
        if self.shape() == shape {
            return Ok(self);
        }
        let scalar = shape.is_empty();
        let to = Shape::from(if scalar { vec![1] } else { shape.to_vec() });
        let tensor = by_kind!(self, float_reshape, int_reshape, bool_reshape, to);
        Ok(Self { tensor, scalar })
    }

    /// Leading dimensions of 1 up to a rank.
    pub fn padded(self, rank: usize) -> Result<Self, Fault> {
        let shape = self.shape();
        let ones = vec![1; rank.saturating_sub(shape.len())];
        self.reshape(&[ones, shape].concat())
    }

    /// Its elements repeated along dimensions of 1, and along new ones in front.
    pub fn expand(self, shape: &[usize]) -> Result<Self, Fault> {
        if broadcast(&[&self.shape(), shape])? != shape {
            let from = self.shape();
            return Err(format!("expected a shape that broadcasts to {shape:?}, found {from:?}"));
        }
        let value = self.padded(shape.len())?;
        if value.shape() == shape {
            return Ok(value);
        }
        let to = Shape::from(shape.to_vec());
        Ok(Self::made_of(by_kind!(value, float_expand, int_expand, bool_expand, to)))
    }

    pub fn permute(self, order: &[usize]) -> Result<Self, Fault> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.rank()) {
            return Err(format!("expected an order of {} axes, found {order:?}", self.rank()));
        }
        if order.iter().copied().eq(0..order.len()) {
            return Ok(self);
        }
        Ok(Self::made_of(by_kind!(self, float_permute, int_permute, bool_permute, order)))
    }

    /// `start..end` of an axis, in steps; a negative step goes from the last of them to the first.
    pub fn slice(self, axis: usize, start: usize, end: usize, step: isize) -> Self {
        if (start, end, step) == (0, self.dim(axis), 1) {
            return self;
        }
        let whole = |dim: usize| Slice::new(0, Some(dim as isize), 1);
        let mut slices: Vec<Slice> = self.shape().into_iter().map(whole).collect();
        slices[axis] = Slice::new(start as isize, Some(end as isize), step);
        Self::made_of(by_kind!(self, float_slice, int_slice, bool_slice, &slices))
    }

    /// The entries of an axis at the given indices, which are a list within its length.
    pub fn select(self, axis: usize, indices: Self) -> Result<Self, Fault> {
        let indices = indices.beside(&self).int()?;
        Ok(Self::made_of(by_kind!(self, float_select, int_select, bool_select, axis, indices)))
    }

    pub fn flip(self, axis: usize) -> Self {
        Self::made_of(by_kind!(self, float_flip, int_flip, bool_flip, &[axis]))
    }

    /// Values of one kind, one after the other along an axis.
    pub fn cat(values: Vec<Self>, axis: usize) -> Result<Self, Fault> {
        let shapes: Vec<Vec<usize>> = values.iter().map(Self::shape).collect();
        let first = shapes.first().ok_or("expected values to join, found none")?;
        let same = |shape: &Vec<usize>| {
            shape.len() == first.len()
                && (0..shape.len()).all(|at| at == axis || shape[at] == first[at])
        };
        if !shapes.iter().all(same) {
            return Err(format!("expected shapes equal but along axis {axis}, found {shapes:?}"));
        }
        let mut to = first.clone();
        to[axis] = shapes.iter().map(|shape| shape[axis]).sum();
        elements(&to)?;
        let kind = values[0].kind();
        values.iter().try_for_each(|value| value.expect_kind(kind))?;
        // An empty list is what an exporter's shape arithmetic comes to now and then.
        let mut kept: Vec<Self> =
            values.iter().filter(|value| value.dim(axis) > 0).cloned().collect();
        if kept.len() < 2 {
            return Ok(kept.pop().unwrap_or_else(|| values[0].clone()));
        }
        let device = kept.iter().map(Self::device).find(|device| *device != host(device));
        let device = device.unwrap_or_else(|| kept[0].device());
        let tensors = kept.into_iter().map(|value| value.on(&device).tensor).collect();
        Ok(Self::made_of(match kind {
            Kind::Float => Dispatch::float_cat(tensors, axis),
            Kind::Int => Dispatch::int_cat(tensors, axis),
            Kind::Bool => Dispatch::bool_cat(tensors, axis),
        }))
    }

    /// The same values as another kind: floats are cut to integers, anything but 0 is true.
    pub fn cast(self, kind: Kind) -> Self {
        let (ints, flags) = (self.int_type(), self.bool_type());
        match (self.kind(), kind) {
            (from, to) if from == to => self,
            (Kind::Float, Kind::Int) => self.map(|t| Dispatch::float_into_int(t, ints)),
            (Kind::Float, _) => self.map(|t| Dispatch::float_not_equal_elem(t, 0.0.into(), flags)),
            (Kind::Int, Kind::Bool) => {
                self.map(|t| Dispatch::int_not_equal_elem(t, 0_i64.into(), flags))
            }
            (Kind::Int, _) => self.map(|t| Dispatch::int_into_float(t, FloatDType::F32)),
            (Kind::Bool, Kind::Int) => self.map(|t| Dispatch::bool_into_int(t, ints)),
            (Kind::Bool, _) => self.map(|t| Dispatch::bool_into_float(t, FloatDType::F32)),
        }
    }

    /// What a function makes of two values, element by element, broadcast to one shape.
    pub fn with(
        self,
        other: Self,
        f: impl FnOnce(DispatchTensor, DispatchTensor) -> DispatchTensor,
    ) -> Result<Self, Fault> {
        let (a, b) = together(self, other)?;
        let scalar = a.scalar && b.scalar;
        Ok(Self { tensor: f(a.tensor, b.tensor), scalar })
    }

    pub fn add(self, other: Self) -> Result<Self, Fault> {
        self.arithmetic(other, Dispatch::float_add, Dispatch::int_add)
    }

    pub fn sub(self, other: Self) -> Result<Self, Fault> {
        self.arithmetic(other, Dispatch::float_sub, Dispatch::int_sub)
    }

    pub fn mul(self, other: Self) -> Result<Self, Fault> {
        self.arithmetic(other, Dispatch::float_mul, Dispatch::int_mul)
    }

    pub fn div(self, other: Self) -> Result<Self, Fault> {
        self.arithmetic(other.divisor()?, Dispatch::float_div, Dispatch::int_div)
    }

    /// It, unless it is integers that nothing can be divided by.
    pub fn divisor(self) -> Result<Self, Fault> {
        let device = self.device();
        let at_hand = self.kind() == Kind::Int && device == host(&device);
        match at_hand && self.to_ints()?.contains(&0) {
            true => Err("expected integers other than 0 to divide by".into()),
            false => Ok(self),
        }
    }

    /// One function for floats and one for integers.
    pub fn arithmetic(
        self,
        other: Self,
        float: fn(DispatchTensor, DispatchTensor) -> DispatchTensor,
        int: fn(DispatchTensor, DispatchTensor) -> DispatchTensor,
    ) -> Result<Self, Fault> {
        other.expect_kind(self.kind())?;
        match self.kind() {
            Kind::Float => self.with(other, float),
            Kind::Int => self.with(other, int),
            Kind::Bool => Err("expected numbers, found booleans".into()),
        }
    }

    pub fn scale(self, factor: f64) -> Self {
        self.map(|t| Dispatch::float_mul_scalar(t, factor.into()))
    }

    pub fn shift(self, by: f64) -> Self {
        self.map(|t| Dispatch::float_add_scalar(t, by.into()))
    }

    /// Where a flag is set the first, elsewhere the second.
    pub fn choose(flags: Self, yes: Self, no: Self) -> Result<Self, Fault> {
        yes.expect_kind(no.kind())?;
        let shape = broadcast(&[&flags.shape(), &yes.shape(), &no.shape()])?;
        let (yes, no) = together(yes, no)?;
        let (yes, no) = (yes.expand(&shape)?, no.expand(&shape)?);
        let scalar = shape.is_empty();
        let flags = flags.beside(&yes).expand(&shape)?.bool()?;
        let tensor =
            by_kind!(no, float_mask_where, int_mask_where, bool_mask_where, flags, yes.tensor);
        Ok(Self { tensor, scalar })
    }

    pub fn sum(self, axes: &[usize]) -> Result<Self, Fault> {
        let sum = |value: Self, &axis: &usize| value.map(|t| Dispatch::float_sum_dim(t, axis));
        self.expect_kind(Kind::Float)?;
        Ok(axes.iter().fold(self, sum))
    }

    /// The mean along axes, which stay with a length of 1.
    pub fn mean(self, axes: &[usize]) -> Result<Self, Fault> {
        let count: usize = axes.iter().map(|&axis| self.dim(axis)).product();
        Ok(self.sum(axes)?.scale(1.0 / count as f64))
    }

    /// Matrix products of the last two axes; those before are broadcast.
    pub fn matmul(self, other: Self) -> Result<Self, Fault> {
        let rank = self.rank().max(other.rank());
        let (a, b) = same_device(self, other);
        Ok(Self::made_of(Dispatch::float_matmul(
            a.padded(rank)?.float()?,
            b.padded(rank)?.float()?,
        )))
    }
}

/// Both on one device and of one rank, so that Burn broadcasts them.
fn together(a: Value, b: Value) -> Result<(Value, Value), Fault> {
    let shape = broadcast(&[&a.shape(), &b.shape()])?;
    let (a, b) = same_device(a, b);
    if shape.is_empty() {
        return Ok((a, b));
    }
    Ok((a.padded(shape.len())?, b.padded(shape.len())?))
}

/// The one that is on the host goes to the other.
fn same_device(a: Value, b: Value) -> (Value, Value) {
    let (at, other) = (a.device(), b.device());
    if at == other {
        (a, b)
    } else if at == host(&at) {
        (a.on(&other), b)
    } else {
        (a, b.on(&at))
    }
}

/// Where shapes and other small numbers are computed: on the CPU, if it can compute.
#[cfg(feature = "flex")]
pub fn host(_: &Device) -> Device {
    Device::flex()
}

/// Where shapes and other small numbers are computed: on the CPU, if it can compute.
#[cfg(not(feature = "flex"))]
pub fn host(device: &Device) -> Device {
    device.clone()
}

fn int_type(device: &Device) -> DType {
    match device.supports_dtype(DType::I64) {
        true => DType::I64,
        false => device.settings().int_dtype.into(),
    }
}
