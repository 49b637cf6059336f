//! [`Report`]: the paper's tables from the records of an experiment.

mod by_norm;
mod cell;
mod csv;
mod html;
mod latex;
mod markdown;
mod optimality;
mod pictures;
mod svg;
mod trade_off;
mod versus;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use tkmia_attacks::{Method, OptimiserKind};
use tkmia_metrics::{Measures, MetricsError, Ranking};

pub use by_norm::{AtNorm, Success};
pub use cell::Cell;
pub use versus::Rival;

use by_norm::smallest_first;
use optimality::BestKnown;
use versus::find_rivals;

use crate::experiment::{InBall, Run, Table, View};
use crate::journal::{check, read_records};
use crate::plan::{Plan, Shard};
use crate::stage::read_manifests;
use crate::summary::relevant_flags;
use crate::tuning::Trial;
use crate::{EvalError, Printed, Record, Setting, paper, write_whole};

/// What an experiment found: a pure function of its plan and its records.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The heading.
    pub title: String,
    /// The classifier, in words.
    pub victim: String,
    /// The name of the data set and the number of its images.
    pub data: (String, usize),
    /// The label names.
    pub classes: Vec<String>,
    /// Records that there are, and that there are to be.
    pub records: [usize; 2],
    /// Which part of the samples they are of, if not all.
    pub shard: Option<Shard>,
    /// The tables, in the experiment's order.
    pub tables: Vec<ReportTable>,
    /// How hyper-parameters were chosen.
    pub trials: Vec<Trial>,
}

/// A table in the paper's columns and order of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportTable {
    /// What it is of.
    pub table: Table,
    /// A row for each setting and attack.
    pub rows: Vec<Row>,
}

/// One attack on one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The setting.
    pub setting: Setting,
    /// The attack.
    pub run: Run,
    /// What the row is called, as in the paper: `TkMIA`.
    pub label: String,
    /// Samples that there are records of.
    pub n: usize,
    /// Samples that there are to be.
    pub planned: usize,
    /// What the paper prints for it.
    pub printed: Option<&'static Printed>,
    /// ΔTkAcc as released, ΔP@k, ΔmAP@k by instance, ΔNDCG@k, Δl, clean minus perturbed.
    pub changes: [Cell; 5],
    /// Mean norm of successes in tanh space, as the paper has it: for the published form of attacks.
    pub aper_tanh: Cell,
    /// The same of `x* − x̃` in model-input units.
    pub aper_input: Cell,
    /// The same in 8-bit pixel units.
    pub aper_pixels: Cell,
    /// Share of samples on which the attack succeeded.
    pub success: Cell,
    /// Share of successes that survive rounding to 8-bit pixels.
    pub kept_rounded: Cell,
    /// Mean number of iterations.
    pub iterations: Cell,
    /// Mean number of passes, forward and backward.
    pub passes: Cell,
    /// For each number of iterations that a success took: the share of samples that had succeeded by then.
    pub successes_by_iteration: Vec<(usize, f64)>,
    /// The successes, the smallest first.
    pub successes: Vec<Success>,
    /// How near the norms come to the best known of any attack in the experiment, local optimality: at most
    /// 1; none where it isn't defined.
    pub optimality: Option<f64>,
    /// For the minimum-norm form: the best other row of its setting.
    pub rival: Option<Rival>,
    /// For each class that was to leave the top-k: how often it was in it, and how often it left.
    pub classes: Vec<ClassSuccess>,
}

/// How often an attack pushed a class out of the top-k.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassSuccess {
    /// The label index.
    pub class: usize,
    /// Samples in whose clean top-k it was, as a specified label.
    pub samples: usize,
    /// Those of them in whose perturbed top-k it isn't.
    pub left: usize,
}

impl Report {
    /// The report of these records.
    ///
    /// # Errors
    /// [`MetricsError`] if a record's scores and labels can't be measured.
    pub fn new(plan: &Plan, records: &[Record]) -> Result<Self, EvalError> {
        let mut groups: HashMap<(&Setting, &str), Vec<&Record>> = HashMap::new();
        for record in records {
            groups.entry((&record.setting, &record.method)).or_default().push(record);
        }
        let best_known = BestKnown::new(records);
        let mut tables: Vec<ReportTable> = Vec::new();
        for (number, table) in plan.inputs.tables.iter().enumerate() {
            let jobs = plan.jobs.iter().filter(|job| job.table == number);
            let runs: Vec<&Run> = jobs.clone().map(|job| &job.run).collect();
            let names: Vec<String> = runs.iter().map(|run| run.to_string()).collect();
            let (mut rows, mut row_records) = (Vec::new(), Vec::new());
            for (job, name) in jobs.zip(&names) {
                let setting = &plan.manifests[job.manifest].setting;
                let records = groups.get(&(setting, name.as_str())).map_or(&[][..], Vec::as_slice);
                let label = label(&job.run, &runs);
                let printed = paper::printed(table, setting, job.run.method);
                let planned = plan.positions(job.manifest).len();
                let row = Row::new(setting, &job.run, label, planned, printed, records)?;
                rows.push(Row { optimality: best_known.optimality(records), ..row });
                row_records.push(records);
            }
            find_rivals(&mut rows, &row_records);
            tables.push(ReportTable { table: table.clone(), rows });
        }
        let inputs = &plan.inputs;
        Ok(Self {
            title: plan.title.clone(),
            victim: inputs.victim.description.clone(),
            data: (inputs.data.name.clone(), inputs.data.images),
            classes: inputs.data.classes.clone(),
            records: [records.len(), plan.records()],
            shard: plan.shard,
            tables,
            trials: plan.trials.clone(),
        })
    }
}

impl ReportTable {
    /// The name of its files, after the paper's table if it is one's.
    pub fn name(&self, number: usize) -> String {
        match self.table.paper[..] {
            [paper] => format!("table-{paper:02}"),
            _ => format!("table-{}", (b'a' + (number % 26) as u8) as char),
        }
    }

    /// Its heading.
    pub fn heading(&self) -> String {
        let numbers: Vec<String> = self.table.paper.iter().map(u32::to_string).collect();
        match numbers.is_empty() {
            true => self.table.to_string(),
            false => format!("{}, beside the paper's table {}", self.table, numbers.join(", ")),
        }
    }

    /// Whether a row's norms are in tanh space too, or a norm in that space was printed.
    pub(crate) fn shows_tanh(&self) -> bool {
        self.rows.iter().any(|row| row.run.view() == View::Tanh || row.printed.is_some())
    }

    /// The rows that the paper's values of can't be right as printed, and why.
    pub(crate) fn suspects(&self) -> Vec<(&Row, &'static str)> {
        let suspect = |row: &'_ Row| row.printed.and_then(Printed::suspect);
        self.rows.iter().filter_map(|row| suspect(row).map(|why| (row, why))).collect()
    }
}

impl Row {
    fn new(
        setting: &Setting,
        run: &Run,
        label: String,
        planned: usize,
        printed: Option<&'static Printed>,
        records: &[&Record],
    ) -> Result<Self, EvalError> {
        let k = setting.k;
        let mut changes: [Vec<f64>; 5] = Default::default();
        for record in records {
            for (column, change) in changes.iter_mut().zip(sample_changes(record, k)?) {
                column.push(change);
            }
        }
        let of_printed = |field: fn(&Printed) -> f64| printed.map(field);
        let fields: [fn(&Printed) -> f64; 5] = [
            |row| row.d_tkacc,
            |row| row.d_p_at_k,
            |row| row.d_map_at_k,
            |row| row.d_ndcg_at_k,
            |row| row.delta_l,
        ];
        let mut fields = fields.into_iter();
        let changes = changes.map(|values| {
            let field = fields.next().expect("as many fields as columns");
            Cell::new(&values, of_printed(field))
        });

        let successes: Vec<&Record> =
            records.iter().copied().filter(|record| record.success).collect();
        let over = |records: &[&Record], value: fn(&Record) -> f64| {
            Cell::new(&records.iter().map(|record| value(record)).collect::<Vec<_>>(), None)
        };
        // The printed norms are of the published form; another form's aren't comparable in unit.
        let own = match run.view() {
            View::Tanh => &successes[..],
            View::Image => &[],
        };
        let aper_tanh =
            Cell { printed: of_printed(|row| row.aper), ..over(own, |record| record.norm) };
        Ok(Self {
            setting: setting.clone(),
            run: run.clone(),
            label,
            n: records.len(),
            planned,
            printed,
            changes,
            aper_tanh,
            aper_input: over(&successes, |record| record.norm_input),
            aper_pixels: over(&successes, |record| record.norm_pixels),
            success: over(records, |record| f64::from(record.success)),
            kept_rounded: over(&successes, |record| f64::from(record.success_rounded)),
            iterations: over(records, |record| record.iterations as f64),
            passes: over(records, |record| (record.passes.forward + record.passes.backward) as f64),
            successes_by_iteration: by_iteration(&successes, records.len()),
            successes: smallest_first(&successes, k)?,
            optimality: None,
            rival: None,
            classes: class_successes(records, k)?,
        })
    }
}

/// Clean minus perturbed, in the order of [`Row::changes`].
fn sample_changes(record: &Record, k: usize) -> Result<[f64; 5], EvalError> {
    let relevant = relevant_flags(record);
    let measure = |scores: &[f32]| -> Result<[f64; 4], MetricsError> {
        let found = Measures::at_k(&Ranking::new(scores)?, &relevant, k)?;
        // A sample takes part only with relevant labels, and then has both.
        let some = |value: Option<f64>| value.unwrap_or(0.0);
        Ok([found.tkacc_released, found.p, some(found.ap), some(found.ndcg)])
    };
    let (clean, now) = (measure(&record.clean_scores)?, measure(&record.scores)?);
    let change = |at: usize| clean[at] - now[at];
    Ok([change(0), change(1), change(2), change(3), record.excluded as f64])
}

fn by_iteration(successes: &[&Record], of: usize) -> Vec<(usize, f64)> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for record in successes {
        *counts.entry(record.iterations).or_default() += 1;
    }
    let mut sum = 0;
    let step = |(iterations, count)| {
        sum += count;
        (iterations, sum as f64 / of as f64)
    };
    counts.into_iter().map(step).collect()
}

fn class_successes(records: &[&Record], k: usize) -> Result<Vec<ClassSuccess>, EvalError> {
    let mut counts: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    for record in records {
        let (clean, now) = (Ranking::new(&record.clean_scores)?, Ranking::new(&record.scores)?);
        let (before, after) = (clean.top(k)?, now.top(k)?);
        for label in record.specified.iter().filter(|label| before.contains(label)) {
            let [samples, left] = counts.entry(*label).or_default();
            *samples += 1;
            *left += usize::from(!after.contains(label));
        }
    }
    let counts = counts.into_iter();
    Ok(counts.map(|(class, [samples, left])| ClassSuccess { class, samples, left }).collect())
}

/// What a row is called among the runs of its table: as in the papers, and what else tells it apart.
fn label(run: &Run, runs: &[&Run]) -> String {
    let mut label = match run.method {
        Method::Tkmia => "TkMIA",
        Method::TkmlApU => "TkML-AP-U",
        Method::TkmlApT => "TkML-AP-T",
        Method::TkmlApUv => "TkML-AP-Uv",
        Method::KFool => "kFool",
        Method::KUap => "kUAP",
        Method::MlCwU => "ML-CW-U",
        Method::MlCwUPrinted => "ML-CW-U as printed",
        Method::MlCwT => "ML-CW-T",
        Method::MlDp => "ML-DP",
    }
    .to_owned();
    if runs.iter().any(|other| other.variant != run.variant) {
        label += &format!(" ({})", run.variant.name());
    }
    if run.optimiser != OptimiserKind::Sgd {
        label += &format!(", {}", run.optimiser.name());
    }
    let kind = |run: &Run| (run.method, run.variant, run.optimiser);
    let alike: Vec<&Run> = runs.iter().copied().filter(|other| kind(other) == kind(run)).collect();
    let mut add = |told: &dyn Fn(&Run) -> Option<String>| {
        if let Some(own) = told(run)
            && alike.iter().any(|other| told(other).as_ref() != Some(&own))
        {
            label += &format!(", {own}");
        }
    };
    add(&|run| run.descent.map(|descent| format!("η = {}", descent.lr)));
    add(&|run| run.descent.map(|descent| format!("α = {}", descent.alpha)));
    add(&|run| run.ball.map(|InBall { norm, radius, .. }| format!("{} {radius}", norm.name())));
    add(&|run| run.target.map(|target| target.name().to_owned()));
    add(&|run| Some(format!("{} kept", run.keep.unwrap_or_default().name())));
    add(&|run| Some(run.solver.unwrap_or_default().name().to_owned()));
    add(&|run| Some(format!("{} iterations", run.max_iterations)));
    add(&|run| Some(run.stop.clone()));
    label
}

/// Draws the report of an experiment's folder from its records, into `report/` there.
///
/// Tables as Markdown, CSV and LaTeX, the norm against the change of mAP@k as SVG, curves as CSV, figures
/// as PNG, and all of it as one page, `index.html`, with the images of `pictured` samples at most in it.
/// Gives the report.
///
/// # Errors
/// [`EvalError::NotAnExperiment`], [`EvalError::Unplanned`] for records that aren't the plan's, a record or a picture that can't be read, a file that can't be written.
pub fn write_report(folder: &Path, pictured: usize) -> Result<Report, EvalError> {
    let plan = Plan::read(folder)?;
    let records = match folder.join("records.jsonl") {
        path if path.is_file() => {
            let manifests = read_manifests(folder, &plan.manifests)?;
            check(&path, plan.entries(&plan.names(), &manifests))?;
            read_records(&path)?
        }
        _ => Vec::new(),
    };
    let report = Report::new(&plan, &records)?;
    let output = folder.join("report");
    fs::create_dir_all(&output)
        .map_err(|source| EvalError::Write { path: output.clone(), source })?;
    let write = |name: &str, text: &str| write_whole(&output.join(name), text.as_bytes());
    for (number, table) in report.tables.iter().enumerate() {
        let name = table.name(number);
        write(&format!("{name}.md"), &table.markdown())?;
        write(&format!("{name}.csv"), &table.csv()?)?;
        write(&format!("{name}.tex"), &table.latex())?;
        write(&format!("{name}-trade-off.svg"), &trade_off::file(&table.trade_off()))?;
    }
    write("report.md", &report.markdown())?;
    write("iterations.csv", &report.iterations_csv()?)?;
    write("norms.csv", &report.norms_csv()?)?;
    write("classes.csv", &report.classes_csv()?)?;
    let pictures = pictures::read(folder, &plan, &records)?;
    for picture in &pictures {
        write_whole(&output.join(picture.figure_name()), &picture.figure(&plan)?)?;
    }
    write("index.html", &report.html(&pictures, pictured))?;
    Ok(report)
}

#[cfg(test)]
mod tests;
