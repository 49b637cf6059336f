//! Progress bars, and what ends a run early.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tkmia_data::DataError;
use tkmia_experiment::{Event, in_one_line};

/// Set by Ctrl-C or SIGTERM: what is finished is kept and written.
pub static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The exit status of a run that one of them ended, as a shell has it of Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Set by `--quiet`: nothing is said but results and errors.
pub static QUIET: AtomicBool = AtomicBool::new(false);

fn target() -> ProgressDrawTarget {
    match QUIET.load(Ordering::Relaxed) {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    }
}

/// From here on the first Ctrl-C or SIGTERM sets [`STOP`], and a second one ends the process at once.
///
/// SIGHUP is left alone, for `nohup` to be of use.
pub fn watch_interrupt() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // In this order: what finds it set isn't the first.
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&STOP))?;
        flag::register(signal, Arc::clone(&STOP))?;
    }
    Ok(())
}

/// How many of some things are done: a bar, or lines where the standard error isn't a terminal.
pub struct Count {
    bar: ProgressBar,
    things: &'static str,
    lines: bool,
}

/// Lines from the first to the last, at most.
const LINES: u64 = 20;

impl Count {
    pub fn new(verb: &'static str, things: &'static str, of: usize) -> Self {
        let template = "{prefix} {bar:32} {pos}/{len} {msg}  {elapsed}, {eta} left";
        let style = ProgressStyle::with_template(template).expect("the template is a valid one");
        let bar = ProgressBar::with_draw_target(Some(of as u64), target());
        let bar = bar.with_style(style).with_prefix(verb).with_message(things);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, things, lines: !io::stderr().is_terminal() }
    }

    /// So many more are done.
    pub fn finished(&self, more: usize) {
        let before = self.bar.position();
        self.bar.inc(more as u64);
        let (now, all) = (self.bar.position(), self.bar.length().unwrap_or(1).max(1));
        if self.lines && more > 0 && now * LINES / all > before * LINES / all {
            say(&format!("{now}/{all} {}", self.things));
        }
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Tells of an image that can't be read.
pub fn take_no_part(error: &DataError) {
    say(&format!("warning: {}: it takes no part", in_one_line(error)));
}

/// A sign of life on a terminal during work whose length isn't known.
pub fn meanwhile<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
    let bar = ProgressBar::with_draw_target(None, target());
    let bar = bar.with_style(style.expect("the template is a valid one")).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    let done = work();
    bar.finish_and_clear();
    done
}

/// A line on the standard error, if it may be said; where it is closed or full the work goes on without.
pub fn say(line: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// How far an experiment is: in all, and in the setting that was heard of last, with the time left.
///
/// Where the standard error isn't a terminal, a line for each attack on a setting that is done.
pub struct Display {
    bars: MultiProgress,
    all: ProgressBar,
    one: ProgressBar,
    jobs: Mutex<Jobs>,
    lines: bool,
}

/// The attacks of a stage.
struct Jobs {
    names: Vec<String>,
    sizes: Vec<usize>,
    done: Vec<usize>,
    /// When they were begun, and how many samples were done then.
    begun: (Instant, usize),
}

impl Display {
    pub fn new() -> Self {
        let style =
            |template| ProgressStyle::with_template(template).expect("the template is a valid one");
        let bars = MultiProgress::with_draw_target(target());
        let all = bars.add(ProgressBar::no_length());
        all.set_style(style("{prefix:10} {bar:32} {pos}/{len} samples  {elapsed}, {eta} left"));
        let one = bars.add(ProgressBar::no_length());
        one.set_style(style("{prefix:10} {bar:32} {pos}/{len} samples  {wide_msg}"));
        all.enable_steady_tick(Duration::from_millis(200));
        let jobs = Jobs {
            names: Vec::new(),
            sizes: Vec::new(),
            done: Vec::new(),
            begun: (Instant::now(), 0),
        };
        let lines = !io::stderr().is_terminal();
        Self { bars, all, one, jobs: Mutex::new(jobs), lines }
    }

    pub fn show(&self, event: Event<'_>) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Scoring(images) => self.begin("scoring", 0, images),
            Event::Fitting(fits) => self.begin("fitting", 0, fits),
            Event::Fitted => self.all.inc(1),
            Event::Scored(images) => self.all.inc(images as u64),
            Event::Undecodable(error) => self.bars.suspend(|| take_no_part(error)),
            Event::Attacking { plan, recorded } => {
                self.begin("in all", recorded, plan.records());
                let mut left = recorded;
                *jobs = Jobs {
                    names: Vec::new(),
                    sizes: Vec::new(),
                    done: Vec::new(),
                    begun: (Instant::now(), recorded),
                };
                for (number, job) in plan.jobs.iter().enumerate() {
                    let size = plan.samples_of(number);
                    let done = left.min(size);
                    left -= done;
                    let setting = &plan.manifests[job.manifest].setting;
                    jobs.names.push(format!("{setting}: {}", job.run));
                    jobs.sizes.push(size);
                    jobs.done.push(done);
                }
            }
            Event::Attacked { job, samples } => {
                if samples == 0 {
                    return;
                }
                jobs.done[job] += samples;
                self.all.inc(samples as u64);
                self.one.set_prefix("setting");
                self.one.set_length(jobs.sizes[job] as u64);
                self.one.set_position(jobs.done[job] as u64);
                self.one.set_message(jobs.names[job].clone());
                if self.lines && jobs.done[job] == jobs.sizes[job] {
                    self.line(&jobs, job);
                }
            }
        }
    }

    fn begin(&self, what: &'static str, done: usize, of: usize) {
        self.all.reset();
        self.all.set_prefix(what);
        self.all.set_length(of as u64);
        self.all.set_position(done as u64);
        // The speed is that of what is done from here on.
        self.all.reset_eta();
    }

    fn line(&self, jobs: &Jobs, job: usize) {
        let (all, done): (usize, usize) = (jobs.sizes.iter().sum(), jobs.done.iter().sum());
        let (begun, before) = jobs.begun;
        let elapsed = begun.elapsed();
        let left = elapsed.mul_f64((all - done) as f64 / (done - before).max(1) as f64);
        let (name, size) = (&jobs.names[job], jobs.sizes[job]);
        say(&format!("{done}/{all}, {} left: {name}: {size} samples", HumanDuration(left)));
    }

    pub fn end(&self) {
        self.one.finish_and_clear();
        self.all.finish_and_clear();
        // There is nobody left to tell.
        let _ = self.bars.clear();
    }
}
