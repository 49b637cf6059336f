//! `tkmia answer`.

use std::error::Error;
use std::io::{stdin, stdout};
use std::process::ExitCode;

use clap::Args;
use tkmia_core::device;

use crate::network::Network;

/// Answer batches of images on the standard input with their scores, as --command of other commands asks for them
///
/// For a network on another machine, and as a model of a program of one's own.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    network: Network,
    /// Device: cpu, ndarray, cuda:N or wgpu, as far as compiled in
    #[arg(long, default_value = "cpu")]
    device: String,
}

const EXAMPLES: &str = "Examples:
  tkmia attack --command 'ssh other tkmia answer --model tagger.onnx --device cuda' --input-size 224 \\
      --input photographs --k 3 --method square --radius 8 --output out.npz";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let model = arguments.network.load(&device(&arguments.device)?)?.classifier;
    tkmia_models::answer(&model, &mut stdin().lock(), &mut stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
