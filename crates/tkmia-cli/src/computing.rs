//! [`Computing`]: on what device, and how the work is cut up.

use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Args;
use tkmia_core::{Classifier, PassMemory};
use tkmia_experiment::Workers;

use crate::progress::STOP;

#[derive(Debug, Args)]
pub struct Computing {
    /// Images in a batch, or `auto`: up to 8, as many as keep passes within 4 GiB; on CPUs the results don't
    /// depend on it
    #[arg(long, default_value = "auto")]
    batch_size: BatchSize,
    /// Batches under way at once [default: one per core on CPUs, 1 on GPUs]
    #[arg(long)]
    workers: Option<NonZeroUsize>,
    /// Device: cpu, ndarray, cuda:N or wgpu, as far as compiled in
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

#[derive(Debug, Clone, Copy)]
enum BatchSize {
    Auto,
    Images(NonZeroUsize),
}

impl FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            number => number
                .parse()
                .map(Self::Images)
                .map_err(|_| format!("expected `auto` or a number from 1, found `{number}`")),
        }
    }
}

impl Computing {
    /// As is best on a device.
    pub fn on(device: &str) -> Self {
        Self { batch_size: BatchSize::Auto, workers: None, device: device.to_owned() }
    }

    /// Whether it is said how passes are cut up.
    pub fn is_cut_up(&self) -> bool {
        self.workers.is_some() || matches!(self.batch_size, BatchSize::Images(_))
    }

    /// Workers that Ctrl-C stops, for images of that height and width.
    pub fn workers(&self, model: &dyn Classifier, size: [usize; 2]) -> Workers<'static> {
        let best = || Workers::best_count(&self.device);
        let count = self.workers.map_or_else(best, NonZeroUsize::get);
        let batch_size = match self.batch_size {
            BatchSize::Auto => model.pass_memory(size).batch_size(count, PassMemory::LIMIT),
            BatchSize::Images(number) => number.get(),
        };
        Workers { count, batch_size, stop: &STOP }
    }
}
