//! [`Findings`]: what an audit found.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use tkmia_experiment::{DataFacts, Missed, Plan, Record, Selection, Setting, VictimFacts};
use tkmia_metrics::{Better, Measures, MetricsError, Ranking, Sample, mean, mean_interval};
use tkmia_monitor::{MonitorError, Observation, Reading, Statistic, auc};

use crate::{AuditError, Risk};

/// What an audit found: a pure function of an experiment's plan and its records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// The tagger.
    pub tagger: VictimFacts,
    /// The images, in words.
    pub images: String,
    /// Height and width in which the tagger sees them.
    pub side: u32,
    /// Size of the predicted set.
    pub k: usize,
    /// Of the draws of what is to be hidden.
    pub seed: u64,
    /// The version of this library.
    pub version: &'static str,
    /// The attack that looks for the smallest change.
    pub search: String,
    /// Its attacks that are done, and that there are to be.
    pub attacks: [usize; 2],
    /// Images that took part.
    pub attacked_images: usize,
    /// Images that took no part, or none to the end.
    #[serde(flatten)]
    pub missed: Missed,
    /// Hiding a label of each image, one of those shown, drawn at random.
    pub overall: Risk,
    /// Hiding each label, of the images that show it; the most easily hidden first.
    pub labels: Vec<(String, Risk)>,
    /// How much of it the ranking measures show.
    pub shown: Vec<Shown>,
    /// How well a number of a single image tells attacked images from others; the best first.
    pub telling: Vec<Telling>,
    /// What the measures show of TkMIA as its authors have it, where it was run, and how easily that hides a label.
    pub published: Option<(Risk, Vec<Shown>)>,
    /// Labels that were hidden, the smallest change first.
    pub hidden: Vec<Hidden>,
    #[serde(skip)]
    pub(crate) classes: Vec<String>,
}

/// What a measure shows of the attacks: means over images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// The measure's symbol.
    pub measure: String,
    /// Before, of the images as they are.
    pub clean: f64,
    /// Of the attacked images, successful or not.
    pub attacked: f64,
    /// The mean drop, clean minus attacked.
    pub drop: f64,
    /// Its 95 % interval; none where all drops are the same.
    pub interval: Option<[f64; 2]>,
}

/// How well a number of a single image tells attacked images from others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Telling {
    /// The statistic, as [`tkmia_monitor`] calls it.
    pub statistic: String,
    /// Of an attacked and another image, how often it tells which is which: ½ is a coin.
    pub auc: f64,
}

/// A label that was hidden.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hidden {
    /// The image.
    pub image: String,
    /// The label.
    pub label: String,
    /// The change in grey levels, root mean square.
    pub rms: f64,
    /// The change as an L2 norm in pixels of `[0, 1]`.
    pub norm: f64,
    /// The top-k before.
    pub before: Vec<String>,
    /// The top-k after.
    pub after: Vec<String>,
}

impl Findings {
    /// What the records of an audit's folder say; so far, if there are still to come some.
    ///
    /// # Errors
    /// [`AuditError::NoAudit`] for another experiment's plan, [`AuditError::Metrics`] for a record that can't be measured.
    pub fn new(folder: &Path, plan: &Plan, records: &[Record]) -> Result<Self, AuditError> {
        let setting =
            setting_of(plan).ok_or_else(|| AuditError::NoAudit { path: folder.into() })?;
        let DataFacts { classes, .. } = &plan.inputs.data;
        let side = plan.inputs.input.side;
        let values = 3 * side as usize * side as usize;
        let of = |job: usize| -> Vec<&Record> {
            let key = plan.jobs[job].run.key();
            records.iter().filter(|record| record.key == key).collect()
        };
        let search = of(0);
        let risk = |records: &[&Record]| {
            let rms: Vec<f64> = records.iter().map(|record| rms(record, values)).collect();
            Risk::new(&rms, values)
        };
        let mut by_label: BTreeMap<usize, Vec<&Record>> = BTreeMap::new();
        for record in &search {
            record
                .specified
                .iter()
                .for_each(|label| by_label.entry(*label).or_default().push(record));
        }
        let name = |label: usize| classes.get(label).cloned().unwrap_or_else(|| label.to_string());
        let mut labels: Vec<(String, Risk)> =
            by_label.into_iter().map(|(label, records)| (name(label), risk(&records))).collect();
        let median = |risk: &Risk| risk.median_rms.unwrap_or(f64::INFINITY);
        labels.sort_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)));

        let published = (plan.jobs.len() > 1).then(|| first_draws(&of(1)));
        let published = published.filter(|records| !records.is_empty());
        let published = published
            .map(|records| Ok::<_, MetricsError>((risk(&records), shown(&records, setting)?)));
        let overall = first_draws(&search);
        let mut missed = plan.missed();
        records.iter().for_each(|record| missed.add(record));
        Ok(Self {
            tagger: plan.inputs.victim.clone(),
            images: plan.inputs.data.to_string(),
            side,
            k: setting.k,
            seed: plan.inputs.seed,
            version: env!("CARGO_PKG_VERSION"),
            search: plan.jobs[0].run.to_string(),
            attacks: [records.len(), plan.records()],
            attacked_images: overall.len(),
            missed,
            overall: risk(&overall),
            labels,
            shown: shown(&overall, setting)?,
            telling: telling(&overall, setting.k)?,
            published: published.transpose()?,
            hidden: hidden(&search, values, &name)?,
            classes: classes.clone(),
        })
    }
}

/// Those of the first draw: one of each image.
fn first_draws<'a>(records: &[&'a Record]) -> Vec<&'a Record> {
    records.iter().copied().filter(|record| record.is_of_draw(0)).collect()
}

/// The one setting of an audit: a label drawn at random.
fn setting_of(plan: &Plan) -> Option<&Setting> {
    let [table] = &plan.inputs.tables[..] else { return None };
    let [setting] = &table.settings[..] else { return None };
    (setting.selection == Selection::Random(1) && !plan.jobs.is_empty()).then_some(setting)
}

/// The size of a change that hides the label and outlives being saved with 8 bits, in grey levels; infinite of others.
pub(crate) fn rms(record: &Record, values: usize) -> f64 {
    match record.success && record.success_rounded {
        true => record.norm_pixels / (values as f64).sqrt(),
        false => f64::INFINITY,
    }
}

/// What the watched measures show of these attacks.
fn shown(records: &[&Record], setting: &Setting) -> Result<Vec<Shown>, MetricsError> {
    let measured = |record: &&Record, scores: &[f32]| {
        let (ranking, k) = (&Ranking::new(scores)?, setting.k);
        let flags: Vec<bool> =
            (0..scores.len()).map(|label| record.relevant.contains(&label)).collect();
        Measures::of(&Sample { ranking, relevant: &flags, specified: None, k })
    };
    let clean: Vec<Measures> =
        records.iter().map(|r| measured(r, &r.clean_scores)).collect::<Result<_, _>>()?;
    let attacked: Vec<Measures> =
        records.iter().map(|r| measured(r, &r.scores)).collect::<Result<_, _>>()?;
    let Some(all) = clean.first() else { return Ok(Vec::new()) };
    // Eq. 7's accuracy is 0 on every sample that takes part.
    let watched = all.iter().map(|(measure, _)| measure);
    let watched = watched.filter(|m| m.better == Better::Lower && m.name != "tkacc");
    let row = |measure: &tkmia_metrics::Measure| {
        let of = |measures: &[Measures]| -> Vec<f64> {
            measures.iter().filter_map(|measures| measures.get(measure.name)).collect()
        };
        let (clean, attacked) = (of(&clean), of(&attacked));
        let drops: Vec<f64> = clean.iter().zip(&attacked).map(|(a, b)| a - b).collect();
        Some(Shown {
            measure: measure.symbol.replace("@k", &format!("@{}", setting.k)),
            clean: mean(clean.iter().copied())?,
            attacked: mean(attacked.iter().copied())?,
            drop: mean(drops.iter().copied())?,
            interval: mean_interval(&drops, 0),
        })
    };
    Ok(watched.filter_map(row).collect())
}

/// The statistics of single images, without labels, by how well they tell attacked ones.
fn telling(records: &[&Record], k: usize) -> Result<Vec<Telling>, MonitorError> {
    let mut found = Vec::new();
    for statistic in Statistic::at(k).filter(|statistic| !statistic.needs_labels()) {
        let numbers = |scores: fn(&Record) -> &[f32]| -> Result<Vec<f64>, MonitorError> {
            let mut numbers = Vec::new();
            for record in records {
                let seen = Observation { scores: scores(record), relevant: None, squeezed: None };
                if let Some(Reading::Number(number)) = statistic.read(k, &seen)? {
                    numbers.push(number);
                }
            }
            Ok(numbers)
        };
        let [clean, attacked] = [numbers(|r| &r.clean_scores)?, numbers(|r| &r.scores)?];
        if let Some(auc) = auc(&clean, &attacked) {
            // It may be smaller or larger after an attack: who watches knows which.
            found.push(Telling { statistic: statistic.title(k), auc: auc.max(1.0 - auc) });
        }
    }
    found.sort_by(|a, b| b.auc.total_cmp(&a.auc));
    Ok(found)
}

/// The labels that were hidden, the smallest change first.
fn hidden(
    records: &[&Record],
    values: usize,
    name: &dyn Fn(usize) -> String,
) -> Result<Vec<Hidden>, MetricsError> {
    let mut found = Vec::new();
    for record in records {
        let rms = rms(record, values);
        if !rms.is_finite() {
            continue;
        }
        let top = |scores: &[f32]| -> Result<Vec<String>, MetricsError> {
            let ranking = Ranking::new(scores)?;
            Ok(ranking.top(record.setting.k)?.iter().map(|&label| name(label)).collect())
        };
        found.push(Hidden {
            image: record.id.clone(),
            label: record.specified.iter().map(|&label| name(label)).collect::<Vec<_>>().join(", "),
            rms,
            norm: record.norm_pixels / 255.0,
            before: top(&record.clean_scores)?,
            after: top(&record.scores)?,
        });
    }
    found.sort_by(|a, b| a.rms.total_cmp(&b.rms));
    Ok(found)
}
