//! Walks a graph from the images to the scores and reads a ResNet off it: [`recognise`].
//!
//! The shape is that of He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, with
//! the activation after the addition:
//!
//! ```text
//! images → (Sub, Div, Mul, Add by constants) → conv → relu → (max-pool)
//!        → blocks: relu(main(x) + shortcut(x))
//!            main: conv → relu → conv, or conv → relu → conv → relu → conv
//!            shortcut: x itself, or one conv
//!        → mean over height and width → linear → (sigmoid)
//! ```
//!
//! A batch norm, or other maps of each channel, may stand after any convolution.

use super::graph::Graph;
use super::head::{POOLING, Pooled};
use super::walk::Walk;
use crate::resnet::blueprint::{Block, Blueprint};
use crate::{Format, ModelError};

/// Reads a ResNet off a graph.
///
/// # Errors
/// [`ModelError::NotAResNet`] with the first node that doesn't fit, and those of reading weights.
pub fn recognise(graph: &Graph) -> Result<Blueprint, ModelError> {
    let mut walk = Walk::new(graph);
    let normalisation = walk.channel_maps()?;
    let stem = walk.next(&["Conv"], "Conv, or Sub, Div, Mul, Add by constants before it")?;
    let stem = walk.convolution(stem)?;
    walk.relu()?;
    let pool = walk.max_pool()?;
    let mut blocks: Vec<Block> = Vec::new();
    while let Some(block) = walk.block(&blocks, pool.is_some())? {
        blocks.push(block);
    }
    let pooling = walk.next(&POOLING, "global average pooling")?;
    let (head, sigmoid) = Pooled::new(&walk, pooling)?.classifier()?;
    Ok(Blueprint {
        format: Format::Onnx,
        input_size: graph.images.size,
        normalisation,
        stem,
        pool,
        blocks,
        head,
        sigmoid,
        label_names: None,
    })
}
