//! What convolutions and poolings share: [`window`], [`output_size`].

use super::node::Node;
use crate::ModelError;
use crate::resnet::blueprint::Window;

/// The largest kernel, stride, dilation or padding that is believed.
const LARGEST: i64 = 1 << 16;

/// Reads `kernel_shape`, `strides`, `pads`, `dilations`, `auto_pad` and `ceil_mode`.
///
/// `kernel` is that of a convolution's weights, which needn't be repeated in an attribute.
///
/// # Errors
/// [`ModelError::NotAResNet`] that says which attribute doesn't fit.
pub fn window(node: &Node, kernel: Option<[usize; 2]>) -> Result<Window, ModelError> {
    let auto_pad = node.attribute("auto_pad").map_or(&b"NOTSET"[..], |attribute| &attribute.s);
    if !matches!(auto_pad, b"NOTSET" | b"VALID" | b"") {
        let found = String::from_utf8_lossy(auto_pad);
        return Err(node.misfit(format!("auto_pad NOTSET or VALID, found {found}")));
    }
    let declared = pair(node, "kernel_shape", 1)?;
    let kernel = match (kernel, declared) {
        (Some(weights), Some(declared)) if weights != declared => {
            return Err(node.misfit(format!("kernel_shape {weights:?} as its weights")));
        }
        (Some(kernel), _) | (None, Some(kernel)) => kernel,
        (None, None) => return Err(node.misfit("a kernel_shape")),
    };
    let padding = numbers::<4>(node, "pads", 0)?.unwrap_or([0; 4]);
    if auto_pad == b"VALID" && padding != [0; 4] {
        return Err(node.misfit(format!("no pads beside auto_pad VALID, found {padding:?}")));
    }
    Ok(Window {
        kernel,
        stride: pair(node, "strides", 1)?.unwrap_or([1; 2]),
        padding,
        dilation: pair(node, "dilations", 1)?.unwrap_or([1; 2]),
        ceil: node.int("ceil_mode", 0) != 0,
    })
}

/// What a node's window gives of an image of that size.
///
/// # Errors
/// [`ModelError::NotAResNet`] if the image is smaller than the kernel.
pub fn output_size(
    node: &Node,
    window: &Window,
    size: [usize; 2],
) -> Result<[usize; 2], ModelError> {
    let holds = || node.misfit(format!("an image that holds its kernel, found {size:?}"));
    window.output_size(size).ok_or_else(holds)
}

fn pair(node: &Node, name: &str, smallest: i64) -> Result<Option<[usize; 2]>, ModelError> {
    numbers::<2>(node, name, smallest)
}

/// An attribute of `N` numbers, or `None` where it's left out.
fn numbers<const N: usize>(
    node: &Node,
    name: &str,
    smallest: i64,
) -> Result<Option<[usize; N]>, ModelError> {
    let Some(found) = node.ints(name) else {
        return Ok(None);
    };
    <[i64; N]>::try_from(found)
        .ok()
        .filter(|numbers| numbers.iter().all(|number| (smallest..=LARGEST).contains(number)))
        .map(|numbers| Some(numbers.map(|number| number as usize)))
        .ok_or_else(|| node.misfit(format!("{N} {name} of at least {smallest}, found {found:?}")))
}
