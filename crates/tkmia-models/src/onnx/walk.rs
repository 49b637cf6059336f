//! The steps over a graph that stem and blocks have in common: [`Walk`].

use super::convolution::{channel_map, convolution};
use super::graph::{Graph, check_finite};
use super::node::Node;
use super::window::window;
use crate::ModelError;
use crate::blueprint::{ChannelMap, Convolution, Window};

/// The size that stands in for one that the file leaves open, to see that shapes agree.
const ANY_SIZE: [usize; 2] = [224, 224];

/// Where the walk is: the value it has reached, and that value's channels and size.
#[derive(Debug, Clone)]
pub struct Walk<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub at: &'a str,
    pub channels: usize,
    pub size: [usize; 2],
    /// Whether a batch norm has been passed.
    pub batch_norm: bool,
}

impl<'g, 'a> Walk<'g, 'a> {
    /// Begins at the images.
    pub fn new(graph: &'g Graph<'a>) -> Self {
        Self {
            graph,
            at: graph.images.name,
            channels: 3,
            size: graph.images.size.unwrap_or(ANY_SIZE),
            batch_norm: false,
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

    /// Steps over everything that maps each channel by itself, as one map.
    pub fn channel_maps(&mut self) -> Result<Option<ChannelMap>, ModelError> {
        let mut maps: Option<ChannelMap> = None;
        while let [node] = self.graph.readers(self.at).collect::<Vec<_>>()[..] {
            let Some(map) = channel_map(self.graph, node, self.channels)? else { break };
            self.batch_norm |= node.op == "BatchNormalization";
            self.at = node.output();
            maps = Some(match maps {
                Some(before) => before.then(&map),
                None => map,
            });
        }
        Ok(maps)
    }

    /// Steps over a convolution, and folds in what maps its channels.
    pub fn convolution(&mut self, node: &'g Node<'a>) -> Result<Convolution, ModelError> {
        let mut conv = convolution(self.graph, node, self.channels, self.size)?;
        self.at = node.output();
        self.channels = conv.shape[0];
        self.size = conv.output_size;
        if let Some(map) = self.channel_maps()? {
            conv.fold(&map);
            check_finite(node.input(1).unwrap_or_default(), &conv.weights)?;
            check_finite(node.input(2).unwrap_or(node.name), &conv.bias)?;
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
        self.size = pool.output_size(self.size).ok_or_else(|| {
            node.misfit(format!("an image that holds its kernel, found {:?}", self.size))
        })?;
        self.at = node.output();
        Ok(Some(pool))
    }
}
