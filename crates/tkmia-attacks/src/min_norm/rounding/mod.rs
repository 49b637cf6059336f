//! What makes a success survive being stored in 8 bits.

mod l2;
mod linf;
mod pixels;

pub(crate) use l2::RoundingL2;
pub(crate) use linf::RoundingLinf;
pub(crate) use pixels::round;
