//! Long work that Ctrl-C ends: [`interruptible`].

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

/// Between two looks for a signal.
const PAUSE: Duration = Duration::from_millis(50);

/// Does work on a thread of its own, without the interpreter, and looks for signals on this one: `stop` is set by one, and its
/// exception is what comes back.
pub fn interruptible<R: Send>(
    py: Python<'_>,
    stop: &AtomicBool,
    work: impl FnOnce() -> R + Send,
) -> PyResult<R> {
    py.detach(|| {
        thread::scope(|scope| {
            let waiting = thread::current();
            let worker = scope.spawn(move || {
                let result = work();
                waiting.unpark();
                result
            });
            let mut signal = Ok(());
            while !worker.is_finished() {
                thread::park_timeout(PAUSE);
                if signal.is_ok() {
                    signal = Python::attach(|py| py.check_signals());
                    stop.fetch_or(signal.is_err(), Ordering::Relaxed);
                }
            }
            let result = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            signal.map(|()| result)
        })
    })
}
