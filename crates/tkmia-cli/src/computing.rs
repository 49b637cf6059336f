//! [`Computing`]: on what device, and how the work is cut up.

use std::num::NonZeroUsize;
use std::thread;

use clap::Args;
use tkmia_eval::Workers;

use crate::progress::STOP;

#[derive(Debug, Args)]
pub struct Computing {
    /// Images in a batch; has no influence on the results
    #[arg(long, default_value = "8")]
    batch_size: NonZeroUsize,
    /// Batches under way at once [default: one per core on CPUs, 1 on GPUs]
    #[arg(long)]
    workers: Option<NonZeroUsize>,
    /// Device: cpu, ndarray, cuda:N or wgpu, as far as compiled in
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

impl Computing {
    /// Workers that Ctrl-C stops.
    pub fn workers(&self) -> Workers<'static> {
        let on_cpu = ["cpu", "ndarray"].contains(&self.device.as_str());
        let cores = if on_cpu { thread::available_parallelism().ok() } else { None };
        let count = self.workers.or(cores).map_or(1, NonZeroUsize::get);
        Workers { count, batch_size: self.batch_size.get(), stop: &STOP }
    }
}
