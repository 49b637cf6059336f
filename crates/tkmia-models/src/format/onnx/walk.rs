//! The steps over a graph that stem and blocks have in common: [`Walk`].

use super::convolution::{ChannelStep, channel_step, convolution};
use super::graph::Graph;
use super::node::Node;
use super::window::{output_size, window};
use crate::ModelError;
use crate::resnet::blueprint::{ANY_SIZE, ChannelMap, Convolution, Window};

/// Where the walk is: the value it has reached, and that value's channels and size.
#[derive(Debug, Clone)]
pub struct Walk<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub at: &'a str,
    pub channels: usize,
    pub size: [usize; 2],
}

impl<'g, 'a> Walk<'g, 'a> {
    /// Begins at the images.
    pub fn new(graph: &'g Graph<'a>) -> Self {
        Self {
            graph,
            at: graph.images.name,
            channels: 3,
            size: graph.images.size.unwrap_or(ANY_SIZE),
        }
    }

    /// The one node that reads the value, if it's of one of the given operators.
    pub fn next(&self, ops: &[&str], expected: &str) -> Result<&'g Node<'a>, ModelError> {
        self.graph.only_reader(self.at, expected, |node| ops.contains(&&*node.op))
    }

    pub fn relu(&mut self) -> Result<(), ModelError> {
        self.at = self.next(&["Relu"], "Relu")?.output();
        Ok(())
    }

    /// Steps over the node that reads the value, if it maps each channel by itself.
    fn channel_step(&mut self) -> Result<Option<ChannelStep>, ModelError> {
        let [node] = self.graph.readers(self.at).collect::<Vec<_>>()[..] else {
            return Ok(None);
        };
        let step = channel_step(self.graph, node, self.channels)?;
        if step.is_some() {
            self.at = node.output();
        }
        Ok(step)
    }

    /// Steps over everything that maps each channel by itself, as one map.
    pub fn channel_maps(&mut self) -> Result<Option<ChannelMap>, ModelError> {
        let mut maps: Option<ChannelMap> = None;
        while let Some(step) = self.channel_step()? {
            let map = step.map();
            maps = Some(maps.map_or(map.clone(), |before| before.then(&map)));
        }
        Ok(maps)
    }

    /// Steps over a convolution with what maps its channels: a batch norm, which stays apart, and
    /// others, which are folded into it or into the convolution.
    pub fn convolution(&mut self, node: &'g Node<'a>) -> Result<Convolution, ModelError> {
        let mut conv = convolution(self.graph, node, self.channels, self.size)?;
        self.at = node.output();
        self.channels = conv.shape[0];
        self.size = conv.output_size;
        while let Some(step) = self.channel_step()? {
            match (&mut conv.norm, step) {
                (None, ChannelStep::Norm(norm)) => {
                    conv.norm = Some(norm.taking_up(&conv.bias));
                    conv.bias.fill(0.0);
                }
                (None, ChannelStep::Map(map)) => conv.fold(&map)?,
                (Some(norm), step) => norm.then(&step.map()),
            }
        }
        Ok(conv)
    }

    /// Steps over a `MaxPool`, if that is what reads the value.
    ///
    /// Source: <https://onnx.ai/onnx/operators/onnx__MaxPool.html>
    pub fn max_pool(&mut self) -> Result<Option<Window>, ModelError> {
        if self.graph.readers(self.at).all(|node| node.op != "MaxPool") {
            return Ok(None);
        }
        let node = self.next(&["MaxPool"], "MaxPool and nothing else")?;
        let pool = window(node, None)?;
        self.size = output_size(node, &pool, self.size)?;
        self.at = node.output();
        Ok(Some(pool))
    }
}
