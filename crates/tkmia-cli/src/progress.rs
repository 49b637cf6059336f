//! A progress bar, and Ctrl-C.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Set by Ctrl-C: what is finished is kept and written.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// The exit status of a run that Ctrl-C ended, as a shell has it.
pub const INTERRUPTED: u8 = 130;

/// From here on the first Ctrl-C sets [`STOP`], and a second one ends the process at once.
pub fn watch_interrupt() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            process::exit(INTERRUPTED.into());
        }
    })
}

/// A bar on the standard error; hidden where that isn't a terminal.
pub fn bar(images: usize) -> ProgressBar {
    let template = "attack {bar:32} {pos}/{len} images  {elapsed}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is a valid one");
    let bar = ProgressBar::new(images as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
