//! The window that convolutions and poolings move over an image, or over a line or a block: [`Window`].

use crate::format::onnx::node::Node;
use crate::graph::value::{Fault, elements};

use super::choice;

/// The largest kernel, stride, dilation or padding that is believed.
const LARGEST: i64 = 1 << 16;

/// Kernel, steps and padding along each spatial axis.
#[derive(Debug, Clone)]
pub struct Window {
    pub kernel: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    pads: Vec<usize>,
    auto_pad: AutoPad,
    ceil: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum AutoPad {
    NotSet,
    SameUpper,
    SameLower,
    Valid,
}

/// What a node's attributes say of its window.
#[derive(Debug)]
pub struct Declared {
    kernel: Option<Vec<usize>>,
    strides: Option<Vec<usize>>,
    dilations: Option<Vec<usize>>,
    pads: Option<Vec<usize>>,
    auto_pad: AutoPad,
    ceil: bool,
}

impl Declared {
    pub fn read(node: &Node) -> Result<Self, Fault> {
        let list = |name: &str, least: i64| -> Result<Option<Vec<usize>>, Fault> {
            let Some(found) = node.ints(name) else { return Ok(None) };
            match found.iter().all(|n| (least..=LARGEST).contains(n)) {
                true => Ok(Some(found.iter().map(|&n| n as usize).collect())),
                false => Err(format!("expected {name} of at least {least}, found {found:?}")),
            }
        };
        let known = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", ""];
        let auto_pad = match choice(node, "auto_pad", "NOTSET", &known)? {
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            "VALID" => AutoPad::Valid,
            _ => AutoPad::NotSet,
        };
        Ok(Self {
            kernel: list("kernel_shape", 1)?,
            strides: list("strides", 1)?,
            dilations: list("dilations", 1)?,
            pads: list("pads", 0)?,
            auto_pad,
            ceil: node.int("ceil_mode", 0) != 0,
        })
    }

    /// The window of a kernel that is as large as its weights.
    pub fn of(&self, kernel: &[usize]) -> Result<Window, Fault> {
        let axes = kernel.len();
        if self.kernel.as_deref().is_some_and(|declared| declared != kernel) {
            let declared = &self.kernel;
            return Err(format!(
                "expected kernel_shape {kernel:?} as its weights, found {declared:?}"
            ));
        }
        let lists = [(&self.strides, axes), (&self.dilations, axes), (&self.pads, 2 * axes)];
        for (list, count) in lists {
            if list.as_ref().is_some_and(|list| list.len() != count) {
                return Err(format!("expected {count} numbers for {axes} axes, found {list:?}"));
            }
        }
        let ones = || vec![1; axes];
        Ok(Window {
            kernel: kernel.to_vec(),
            strides: self.strides.clone().unwrap_or_else(ones),
            dilations: self.dilations.clone().unwrap_or_else(ones),
            pads: self.pads.clone().unwrap_or_else(|| vec![0; 2 * axes]),
            auto_pad: self.auto_pad,
            ceil: self.ceil,
        })
    }

    /// The window of a node that has no weights.
    pub fn window(&self) -> Result<Window, Fault> {
        self.of(self.kernel.as_deref().ok_or("expected a kernel_shape, found none")?)
    }
}

impl Window {
    /// From the first to the last element that a kernel covers.
    pub fn extent(&self, axis: usize) -> usize {
        self.dilations[axis] * (self.kernel[axis] - 1) + 1
    }

    /// The padding before and behind each axis of a map of that size.
    pub fn padding(&self, size: &[usize]) -> Vec<(usize, usize)> {
        let axes = self.kernel.len();
        let of_axis = |axis: usize| match self.auto_pad {
            AutoPad::NotSet => (self.pads[axis], self.pads[axis + axes]),
            AutoPad::Valid => (0, 0),
            same => {
                // As many outputs as strides fit into the map.
                let outputs = size[axis].div_ceil(self.strides[axis]);
                let covered = (outputs.max(1) - 1) * self.strides[axis] + self.extent(axis);
                let total = covered.saturating_sub(size[axis]);
                let less = total / 2;
                if same == AutoPad::SameUpper { (less, total - less) } else { (total - less, less) }
            }
        };
        (0..axes).map(of_axis).collect()
    }

    /// The padding that `pads` gives, or whether there is one by `auto_pad`.
    pub fn declared_padding(&self) -> Option<Vec<(usize, usize)>> {
        let same = matches!(self.auto_pad, AutoPad::SameUpper | AutoPad::SameLower);
        (!same).then(|| self.padding(&vec![0; self.kernel.len()]))
    }

    /// Whether what is left over of a total goes behind the map, and not before it.
    pub fn more_behind(&self) -> bool {
        self.auto_pad != AutoPad::SameLower
    }

    /// How many places the window has along each axis of a map of that shape, with that padding.
    pub fn places_in(
        &self,
        map: &[usize],
        padding: &[(usize, usize)],
    ) -> Result<Vec<usize>, Fault> {
        let (front, size) = map.split_at(2);
        let padded =
            size.iter().zip(padding).map(|(length, (before, behind))| length + before + behind);
        elements(&[front, &padded.collect::<Vec<_>>()].concat())?;
        self.places(size, padding)
    }

    /// The same of a map whose elements are counted elsewhere.
    pub fn places(&self, size: &[usize], padding: &[(usize, usize)]) -> Result<Vec<usize>, Fault> {
        let along = |axis: usize| {
            let (before, behind) = padding[axis];
            let room = (size[axis] + before + behind).checked_sub(self.extent(axis));
            let room = room.ok_or_else(|| {
                format!("expected a map that holds a kernel of {:?}, found {size:?}", self.kernel)
            })?;
            let stride = self.strides[axis];
            let mut places = if self.ceil { room.div_ceil(stride) } else { room / stride } + 1;
            // The last window must begin within the map or the padding before it.
            if self.ceil && (places - 1) * stride >= size[axis] + before {
                places -= 1;
            }
            Ok(places)
        };
        (0..self.kernel.len()).map(along).collect()
    }
}
