//! A whole ResNet as one operation of the CPU backend, with its own way back to the images.
//!
//! Layers of a general framework keep what any gradient may ask for, in a layout that any layer
//! understands. An attack asks for one gradient, that of the images, of one kind of network: what it takes
//! of the forward pass is one bit for each value, whether a ReLU let it through. So [`Network`] keeps
//! those, and writes its maps over each other in the caches; channels lie in blocks of a vector's width
//! ([`Maps`](maps::Maps)), and one kernel ([`Task`](task::Task)) computes every
//! convolution both ways, as it is ([`Stencil`](stencil::Stencil)) or with fewer products
//! ([`Winograd`](winograd::Winograd)).

mod block;
mod layer;
mod maps;
mod minimal;
mod network;
mod node;
mod pool;
mod stem;
mod stencil;
mod task;
mod winograd;

pub(crate) use network::Network;
pub(crate) use node::scores;
