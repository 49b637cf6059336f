//! [`Observer`]: who watches a run.

use std::ops::ControlFlow;

/// What an observer is shown after each forward pass, before the step.
#[derive(Debug)]
pub struct Step<'a> {
    /// The forward pass, from 1.
    pub iteration: usize,
    /// Positions in the batch of the images still under attack; rows of `loss` are in this order.
    pub rows: &'a [usize],
    /// The loss of each of these, where the attack has one.
    pub loss: Option<&'a [f32]>,
    /// Positions in the batch of the images whose attack ends here.
    pub finished: &'a [usize],
}

/// Watches a run, and may end it; it can't steer it.
pub trait Observer {
    /// Called after each forward pass. [`ControlFlow::Break`] ends the run: what is finished is
    /// kept, the rest comes back as [`Interrupted`](crate::Outcome::Interrupted).
    fn on_step(&mut self, step: &Step<'_>) -> ControlFlow<()>;
}

/// Watches nothing.
impl Observer for () {
    fn on_step(&mut self, _: &Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A closure is an observer.
impl<F: FnMut(&Step<'_>) -> ControlFlow<()>> Observer for F {
    fn on_step(&mut self, step: &Step<'_>) -> ControlFlow<()> {
        self(step)
    }
}
