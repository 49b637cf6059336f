//! [`Comparison`]: whether the same labels of the same images are harder to hide than before, and by what [`Gain`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;
use tkmia_experiment::{Plan, Record};
use tkmia_metrics::{mean_interval, median_ratio_interval, share_interval};

use crate::findings::rms;
use crate::{AuditError, Findings, Risk};

/// Two audits, compared on what both have attacked: the same label of the same image at the same k.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Whatever the label.
    #[serde(flatten)]
    pub overall: Gain,
    /// Each label, by its name; those with the most attacks first.
    pub labels: Vec<(String, Gain)>,
}

/// How much harder labels have become to hide.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    /// Attacks that both audits have.
    pub pairs: usize,
    /// How easily these labels were hidden, before and after.
    pub risks: [Risk; 2],
    /// Of the images on which both hid the label: after over before, the geometric mean of the changes' sizes. Above 1
    /// the tagger has become harder to deceive.
    pub ratio: Option<f64>,
    /// Its 95 % interval, paired.
    pub ratio_interval: Option<[f64; 2]>,
    /// Pairs of which both hid the label.
    pub both: usize,
    /// The median size after over that before; none where most images resisted.
    pub median_ratio: Option<f64>,
    /// Its 95 % interval, [paired](median_ratio_interval).
    pub median_ratio_interval: Option<[f64; 2]>,
    /// Of all pairs, the share of which the change grew, or the label could no longer be hidden.
    pub harder: f64,
    /// Its 95 % interval.
    pub harder_interval: Option<[f64; 2]>,
}

impl Comparison {
    /// Compares the audits of two folders.
    ///
    /// # Errors
    /// [`AuditError::NothingInCommon`], and folders that hold no audit.
    pub fn new(before: &Path, after: &Path) -> Result<Self, AuditError> {
        let read = |folder: &Path| -> Result<(Plan, Vec<Record>), AuditError> {
            let plan = Plan::read(folder)?;
            let records = plan.read_records(folder)?;
            // Checks that it is one.
            Findings::new(folder, &plan, &[])?;
            let key = plan.jobs[0].run.key();
            Ok((plan, records.into_iter().filter(|record| record.key == key).collect()))
        };
        let ((old, first), (new, second)) = (read(before)?, read(after)?);
        let sides = [&old, &new].map(|plan| 3 * (plan.inputs.input.side as usize).pow(2));
        // By name, since an image's folder may have moved and labels may have changed places.
        let what = |plan: &Plan, record: &Record| {
            let names = record.specified.iter().map(|&label| &plan.inputs.data.classes[label]);
            (record.id.clone(), record.setting.k, names.cloned().collect::<Vec<_>>())
        };
        let earlier: HashMap<_, f64> =
            first.iter().map(|record| (what(&old, record), rms(record, sides[0]))).collect();
        let (mut all, mut by_label) = (Vec::new(), BTreeMap::<String, Vec<[f64; 2]>>::new());
        for record in &second {
            let what = what(&new, record);
            let Some(&earlier) = earlier.get(&what) else { continue };
            let pair = [earlier, rms(record, sides[1])];
            all.push(pair);
            by_label.entry(what.2.join(", ")).or_default().push(pair);
        }
        if all.is_empty() {
            let (before, after) = (before.into(), after.into());
            return Err(AuditError::NothingInCommon { before, after });
        }
        let gains = by_label.into_iter().map(|(label, pairs)| (label, Gain::new(&pairs, sides)));
        let mut labels: Vec<(String, Gain)> = gains.collect();
        labels.sort_by_key(|(_, gain)| Reverse(gain.pairs));
        Ok(Self { overall: Gain::new(&all, sides), labels })
    }
}

impl Gain {
    /// Of the sizes before and after, infinite where the label stayed; `values` are those of an image.
    fn new(pairs: &[[f64; 2]], values: [usize; 2]) -> Self {
        let side = |at: usize| pairs.iter().map(|pair| pair[at]).collect::<Vec<f64>>();
        let risks = [0, 1].map(|at| Risk::new(&side(at), values[at]));
        let finite =
            pairs.iter().filter(|pair| pair.iter().all(|rms| rms.is_finite() && *rms > 0.0));
        let logs: Vec<f64> = finite.map(|[before, after]| (after / before).ln()).collect();
        let mean = (!logs.is_empty()).then(|| logs.iter().sum::<f64>() / logs.len() as f64);
        let harder = pairs.iter().filter(|[before, after]| after > before).count();
        let medians = risks[0].median_rms.zip(risks[1].median_rms);
        Self {
            pairs: pairs.len(),
            risks,
            ratio: mean.map(f64::exp),
            ratio_interval: mean_interval(&logs, 0).map(|ends| ends.map(f64::exp)),
            both: logs.len(),
            median_ratio: medians.map(|(before, after)| after / before),
            median_ratio_interval: median_ratio_interval(pairs, 0),
            harder: harder as f64 / pairs.len() as f64,
            harder_interval: share_interval(harder as f64, pairs.len()),
        }
    }

    /// In words.
    pub fn sentence(&self) -> String {
        let Some(ratio) = self.ratio else {
            return "No label was hidden in both audits, so that sizes can't be compared."
                .to_owned();
        };
        let sure = self.ratio_interval.map(|[low, high]| (low > 1.0, high < 1.0));
        let verdict = match sure {
            Some((true, _)) => "It has become harder to hide labels",
            Some((_, true)) => "It has become easier to hide labels",
            _ => "It can't be said whether it has become harder to hide labels",
        };
        let interval = self
            .ratio_interval
            .map_or(String::new(), |[low, high]| format!(" [{low:.2}, {high:.2}]"));
        format!(
            "{verdict}: the changes that do it are {ratio:.2}{interval} times as large as before, on {} labels that both audits hid.",
            self.both
        )
    }
}
