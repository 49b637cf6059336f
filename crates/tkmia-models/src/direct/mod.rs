//! Operations of the CPU backend, each with a way back of its own, for networks whose weights are frozen.
//!
//! Burn's autodiff leads gradients to weights too, and computes the way back of a composed operation operation by
//! operation. What networks spend their time in is here one node of Burn's graph each ([`apply`](node::apply)): convolutions
//! and products are sums in tiles that stay in registers ([`Tiles`](tile::Tiles)), with weights laid out for both ways when they are loaded.
//!
//! Each sum has one order, by fused multiply-adds, so that results are the same to the last bit for any number of
//! images, threads and for any vector width.

pub(crate) mod activation;
pub(crate) mod convolution;
pub(crate) mod node;
pub(crate) mod product;
pub(crate) mod pullback;
pub(crate) mod rows;
mod stencil;
mod tile;
