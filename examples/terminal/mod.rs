//! What the examples share on a terminal: progress, Ctrl-C, and how an error is told.

use std::error::Error;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tkmia::core::Classifier;
use tkmia::eval::{Audit, Clean, CleanMeasures, EvalError, Findings, Progress};
use tkmia::metrics::MeanMeasures;

/// Set by Ctrl-C: what is finished is kept and reported.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// The exit status of a run that Ctrl-C ended, as a shell has it.
const INTERRUPTED: u8 = 130;

/// Runs the program; Ctrl-C sets [`STOP`].
pub fn main(run: impl FnOnce() -> Result<(), Box<dyn Error>>) -> ExitCode {
    let handled = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
    match handled.map_err(Into::into).and_then(|()| run()) {
        Ok(()) if STOP.load(Ordering::Relaxed) => ExitCode::from(INTERRUPTED),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                // Some messages quote their cause already.
                let cause_says = cause.to_string();
                if !message.ends_with(&cause_says) {
                    message = format!("{message}: {cause_says}");
                }
                source = cause.source();
            }
            eprintln!("error: {message}");
            ExitCode::from(if STOP.load(Ordering::Relaxed) { INTERRUPTED } else { 1 })
        }
    }
}

/// Batches under way at once: one per core on CPUs, one on GPUs, unless it is given.
pub fn workers(given: Option<usize>, device: &str) -> usize {
    let on_cpu = ["cpu", "ndarray"].contains(&device);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    given.unwrap_or(if on_cpu { cores } else { 1 })
}

/// The side of the square images that the classifier takes.
pub fn input_side(classifier: &dyn Classifier, given: Option<u32>) -> Result<u32, String> {
    match (classifier.input_size(), given) {
        (Some([height, width]), _) if height != width => {
            Err(format!("the model takes {height}×{width} images, and this program gives squares"))
        }
        (Some([side, _]), Some(given)) if given as usize != side => {
            Err(format!("--input-size {given}: the model takes {side}×{side} images"))
        }
        (Some([side, _]), _) => Ok(side as u32),
        (None, Some(0)) => Err("--input-size must be at least 1".to_owned()),
        (None, Some(side)) => Ok(side),
        (None, None) => Err("the model takes images of any size: say --input-size".to_owned()),
    }
}

/// Runs the audit with a progress bar, and prints the victim's clean measures on the way.
pub fn run(audit: &Audit<'_>) -> Result<(Clean, Findings), EvalError> {
    let template = "{prefix:8} {bar:32} {pos}/{len}  {elapsed}, {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is a valid one");
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));

    let clean = audit.clean(&|progress| show(&bar, progress))?;
    bar.suspend(|| {
        for CleanMeasures { k, measures } in &clean.measures {
            let MeanMeasures { p, ap, ndcg, tkacc_released, .. } = measures;
            println!(
                "clean    k = {k}: TkAcc {tkacc_released:.3}, P@k {p:.3}, mAP@k {ap:.3}, NDCG@k {ndcg:.3}"
            );
        }
    });
    let findings = audit.run(&clean, &|progress| show(&bar, progress))?;
    bar.finish_and_clear();
    for (setting, samples) in &findings.planned {
        if *samples == 0 {
            println!("skipped  {setting}: no sample takes part");
        }
    }
    let (done, planned) = (findings.records.len(), findings.samples_planned());
    if done < planned {
        println!("stopped  {done} of {planned} samples are done");
    }
    Ok((clean, findings))
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    match progress {
        Progress::Scoring(images) => {
            bar.set_prefix("scoring");
            bar.set_length(images as u64);
        }
        Progress::Attacking(samples) => {
            bar.reset();
            bar.set_prefix("attack");
            bar.set_length(samples as u64);
        }
        Progress::Setting(setting) => {
            bar.set_message(setting.to_string());
        }
        Progress::Done(number) => bar.inc(number as u64),
    }
}
