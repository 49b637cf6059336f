//! What the examples share on a terminal: progress, Ctrl-C, and how an error is told.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tkmia::attacks::View;
use tkmia::core::{Classifier, Tagger, device};
use tkmia::experiment::{
    Campaign, Event, Plan, Printed, Reached, VictimFacts, Workers, in_one_line,
};
use tkmia::metrics::{MeanMeasures, mean_measures};
use tkmia::models::{Loaded, Source};
use tkmia::report::{Pictured, draw, pictures, write_report};

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
            eprintln!("error: {}", in_one_line(error.as_ref()));
            ExitCode::from(if STOP.load(Ordering::Relaxed) { INTERRUPTED } else { 1 })
        }
    }
}

/// Reads a network, and what an experiment notes of it.
pub fn open(
    model: &Path,
    tagger: &Tagger,
    on: &str,
) -> Result<(Loaded, VictimFacts), Box<dyn Error>> {
    let source = Source::File(model.to_owned());
    let sha256 = source.fingerprint()?;
    let loaded = source.load(tagger, &device(on)?)?;
    source.expect_unchanged(&sha256)?;
    let description = loaded.classifier.description();
    Ok((loaded, VictimFacts { sha256, description, ..VictimFacts::default() }))
}

/// How the work is cut up; Ctrl-C ends it.
pub fn workers(count: Option<usize>, batch_size: usize, device: &str) -> Workers<'static> {
    let count = count.unwrap_or_else(|| Workers::best_count(device));
    Workers { count, batch_size, stop: &STOP }
}

/// The victim's measures on unattacked images.
#[derive(Debug, Serialize)]
pub struct CleanMeasures {
    k: usize,
    #[serde(flatten)]
    measures: MeanMeasures,
}

/// Measures the victim at each `k`, and runs the campaign with a progress bar; then writes its report,
/// `table.md`, `table.csv` and, where there is a success, `figure.png` with `pictured` samples at most. Prints
/// the table.
pub fn run(
    campaign: &Campaign<'_>,
    ks: &[usize],
    pictured: usize,
) -> Result<Vec<CleanMeasures>, Box<dyn Error>> {
    let template = "{prefix:8} {bar:32} {pos}/{len}  {elapsed}, {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is a valid one");
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    // What makes no sense, or can't go on in the folder, shows before anything is scored.
    let view = campaign.outline()?[0].view;
    let clean = clean_measures(campaign, view, ks, &bar)?;
    let reached = campaign.run(&|event| show(&bar, event))?;
    bar.finish_and_clear();
    let output = campaign.output;
    let plan = Plan::read(output)?;
    for manifest in plan.manifests.iter().filter(|manifest| manifest.samples == 0) {
        println!("skipped  {}: no sample takes part", manifest.setting);
    }
    if let Reached::Stopped { records, of } = reached {
        println!(
            "stopped  {records} of {of} samples are done; the same command goes on from there"
        );
    }
    let report = write_report(output, pictured)?;
    let table = report.summary();
    fs::write(output.join("table.md"), &table)?;
    fs::write(output.join("table.csv"), report.summary_csv())?;
    let successes = successes(output, pictured)?;
    if let Some(Pictured { record, .. }) = successes.first() {
        let heading = format!("{} on {}", record.method, record.setting.dataset);
        draw(&successes, &report.inputs.data.classes, &heading)?.save(output.join("figure.png"))?;
    }
    println!("\n{table}");
    println!("written  {}", output.display());
    Ok(clean)
}

/// Scores every image without an attack, and prints the victim's measures at each `k`.
fn clean_measures(
    Campaign { victim, workers, .. }: &Campaign<'_>,
    view: View,
    ks: &[usize],
    bar: &ProgressBar,
) -> Result<Vec<CleanMeasures>, Box<dyn Error>> {
    let dataset = victim.dataset;
    let indices: Vec<usize> = (0..dataset.len()).collect();
    let mut scores = Vec::new();
    show(bar, Event::Scoring(dataset.len()));
    victim.scores(&indices, view, *workers, |_, row| {
        scores.push(row.to_vec());
        show(bar, Event::Scored(1));
        Ok(())
    })?;
    if scores.len() < dataset.len() {
        return Err("stopped before any attack".into());
    }
    let relevant: Vec<&[bool]> = indices.iter().map(|&row| dataset.labels().row(row)).collect();
    let mut clean = Vec::new();
    for &k in ks {
        let Some(measures) = mean_measures(&scores, &relevant, None, k)? else { continue };
        let shown =
            measures.means.iter().filter(|(measure, _)| Printed::has_column(measure.column));
        let shown = shown.map(|(measure, mean)| format!("{} {mean:.3}", measure.symbol));
        bar.suspend(|| println!("clean    k = {k}: {}", shown.collect::<Vec<_>>().join(", ")));
        clean.push(CleanMeasures { k, measures });
    }
    Ok(clean)
}

/// `most` successes at most of those whose images were kept: one of each setting, spread evenly, and where these are
/// fewer those of other images too. Images that are not shown yet come first.
fn successes(output: &Path, most: usize) -> Result<Vec<Pictured>, Box<dyn Error>> {
    let (mut found, mut others): (Vec<Pictured>, Vec<Pictured>) = (Vec::new(), Vec::new());
    let is_shown = |found: &[Pictured], row: &Pictured| {
        found.iter().any(|shown| shown.record.id == row.record.id)
    };
    for picture in pictures(output)? {
        let mut rows = picture.rows()?;
        rows.retain(|row| row.record.success);
        let taken = found.last().is_some_and(|last| last.record.setting == picture.setting);
        if !taken && !rows.is_empty() {
            let fresh = rows.iter().position(|row| !is_shown(&found, row));
            found.push(rows.remove(fresh.unwrap_or(0)));
        }
        others.append(&mut rows);
    }
    for row in others {
        if found.len() < most && !is_shown(&found, &row) {
            found.push(row);
        }
    }
    let every = found.len().div_ceil(most.max(1)).max(1);
    let titled = |row: Pictured| Pictured { title: row.record.id.clone(), ..row };
    Ok(found.into_iter().step_by(every).take(most).map(titled).collect())
}

fn show(bar: &ProgressBar, event: Event<'_>) {
    match event {
        Event::Scoring(images) => {
            bar.reset();
            bar.set_prefix("scoring");
            bar.set_length(images as u64);
        }
        Event::Fitting(fits) => {
            bar.reset();
            bar.set_prefix("fitting");
            bar.set_length(fits as u64);
        }
        Event::Fitted => bar.inc(1),
        Event::Undecodable(error) => {
            bar.suspend(|| eprintln!("warning: {}: it takes no part", in_one_line(error)));
        }
        Event::Attacking { plan, recorded } => {
            bar.reset();
            bar.set_prefix("attack");
            bar.set_length(plan.records() as u64);
            bar.set_position(recorded as u64);
        }
        Event::Scored(number) | Event::Attacked { samples: number, .. } => bar.inc(number as u64),
    }
}
