//! `tkmia check-attack`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::Args;
use tkmia_attacks::{ActiveTest, Ball, Check, Found, Norm, Step};
use tkmia_experiment::{ExperimentError, Workers};

use crate::error::CliError;
use crate::input::Input;
use crate::progress::{self, INTERRUPTED, STOP};
use crate::subject::{Subject, SubjectFlags};
use crate::surrogate::SurrogateFlags;

/// Test whether an attack finds adversarial examples that are surely there
///
/// For each image of IN the victim is altered so that a random point within the radius fulfils the criterion of
/// --stop; the network is otherwise as it was. An attack that doesn't find a success within the radius fails the test
/// (Zimmermann et al. 2022): its failures on the victim itself then prove nothing. The status is 0 if all were found.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    subject: SubjectFlags,
    /// Where an example is planted and must be found: L2 distance, or that of the attack's --norm, in model-input units
    /// [default: the attack's --radius]
    #[arg(long, value_name = "RADIUS", allow_negative_numbers = true)]
    within: Option<f64>,
}

const EXAMPLES: &str = "Examples:
  tkmia check-attack --model resnet50_voc.onnx --input in.npz --k 3 --within 2
  tkmia check-attack --model resnet50_voc.onnx --input in.npz --k 3 --optimiser auto-pgd --norm linf --radius 0.03";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let flags = &arguments.subject;
    let subject = flags.open(&SurrogateFlags::default())?;
    let test = ActiveTest::new(ball(&subject, arguments.within)?, flags.seed);
    let [images, _, height, width] = subject.input.shape;

    let rows: Vec<usize> = (0..images).collect();
    let progress = progress::Count::new("attack", "images", images);
    let check = |rows: &[usize]| {
        let mut watch = |_: &Step<'_>| match STOP.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let id = rows[0].to_string();
        let (attack, model) = (subject.attack.as_ref(), subject.model.as_ref());
        let found = subject
            .batch(rows)
            .and_then(|batch| test.check(attack, model, &batch, &id, &mut watch));
        progress.finished(1);
        found.map_err(|source| ExperimentError::Attack { ids: format!("image {id}"), source })
    };
    let mut checks = Vec::with_capacity(images);
    let workers = flags.computing.workers(subject.model.as_ref(), [height, width]);
    // An example is planted for one image.
    Workers { batch_size: 1, ..workers }.run(&rows, check, |one| {
        checks.push(one);
        Ok(())
    })?;
    progress.end();
    if STOP.load(Ordering::Relaxed) {
        crate::print("interrupted\n")?;
        return Ok(ExitCode::from(INTERRUPTED));
    }

    let (name, k, ball) = (subject.settings.short_name(), flags.k, test.ball);
    let (text, passed) = summary(&checks, &subject.input);
    let broken = &subject.input.broken;
    crate::print(&format!("{name}, k = {k}, within {ball}: {text}{}", broken.concat()))?;
    Ok(if passed && broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The ball that is given, or else the attack's own.
fn ball(subject: &Subject, within: Option<f64>) -> Result<Ball, CliError> {
    let knobs = subject.settings.knobs();
    let norm = knobs.get("norm").and_then(|norm| serde_json::from_value(norm.clone()).ok());
    let own = knobs.get("radius").and_then(serde_json::Value::as_f64);
    let place = "the attack has no radius of its own";
    let radius = within.or(own).ok_or(CliError::OptionMissing { option: "--within", place })?;
    if !(radius > 0.0 && radius.is_finite()) {
        return Err(CliError::Within { found: radius });
    }
    Ok(Ball { norm: norm.unwrap_or(Norm::L2), radius })
}

/// What was found, and whether all of it was.
fn summary(checks: &[Check], input: &Input) -> (String, bool) {
    let (mut within, mut outside, mut missed) = (Vec::new(), Vec::new(), Vec::new());
    let mut nothing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, check) in checks.iter().enumerate() {
        match &check.found {
            Found::Within(_) => within.push(row),
            Found::Outside(_) => outside.push(row),
            Found::Missed => missed.push(row),
            Found::Nothing(why) => nothing.entry(why.to_string()).or_default().push(row),
        }
    }
    let planted = within.len() + outside.len() + missed.len();
    let at_random = checks.iter().map(|check| check.at_random).sum::<f64>();
    let mut text = format!("found {} of {planted} planted examples", within.len());
    if planted > 0 {
        let share = 100.0 * at_random / planted as f64;
        let _ = write!(text, "; {share:.1} % of random points would do");
    }
    text.push('\n');
    for (what, rows) in [("not found", missed), ("found outside the radius only", outside)] {
        if !rows.is_empty() {
            let _ = writeln!(text, "{what}: {}", input.listed(&rows));
        }
    }
    for (why, rows) in nothing {
        let _ = writeln!(text, "nothing planted: {why} ({})", input.listed(&rows));
    }
    let passed = planted > 0 && within.len() == planted;
    let _ = writeln!(text, "{}", if passed { "passed" } else { "failed" });
    (text, passed)
}
