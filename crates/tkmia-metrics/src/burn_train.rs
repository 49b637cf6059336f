//! [`TopKMetric`]: a measure while a network is trained with Burn's learner.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use ::burn_train::MultiLabelClassificationOutput;
use ::burn_train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes,
    NumericEntry, SerializedEntry,
};
use burn::tensor::{Int, Tensor, TensorReadError};

use crate::{MeanMeasures, Measure, MetricsError, RunningMeans};

/// What a [`TopKMetric`] is of.
#[derive(Debug, Clone)]
pub struct TopKInput {
    /// Logits or probabilities, `[rows, classes]`.
    pub scores: Tensor<2>,
    /// The relevant labels, 0 or 1, `[rows, classes]`.
    pub relevant: Tensor<2, Int>,
}

impl Adaptor<TopKInput> for MultiLabelClassificationOutput {
    fn adapt(&self) -> TopKInput {
        TopKInput { scores: self.output.clone(), relevant: self.targets.clone() }
    }
}

/// One of the [`MEASURES`](crate::MEASURES) at one `k` as a metric of `burn-train`, for
/// `SupervisedTraining::metrics`: the mean over the samples of an epoch, and of a batch.
///
/// The mean of an epoch is that of [`mean_measures`](crate::mean_measures) over all of its samples, whatever the batches. Where there
/// is none, as without a sample that has a relevant label, it is not available. So it is after a sample that can't be
/// measured, such as one with a score that isn't finite, which the entry's text names.
///
/// # Example
///
/// ```
/// use tkmia_metrics::{Measure, TopKMetric};
///
/// let ndcg = Measure::named("ndcg").expect("the table has it");
/// let metric = TopKMetric::new(ndcg, 5);
/// # let _ = metric;
/// ```
#[derive(Debug, Clone)]
pub struct TopKMetric {
    measure: &'static Measure,
    k: usize,
    name: MetricName,
    epoch: RunningMeans,
    batch: Option<f64>,
    fault: Option<String>,
}

impl TopKMetric {
    /// This measure at this `k`.
    pub fn new(measure: &'static Measure, k: usize) -> Self {
        Self {
            measure,
            k,
            name: Arc::new(measure.title(k)),
            epoch: RunningMeans::new(k),
            batch: None,
            fault: None,
        }
    }

    /// Adds the samples of a batch.
    fn add(
        &mut self,
        scores: &[f32],
        relevant: &[bool],
        classes: usize,
    ) -> Result<(), MetricsError> {
        let mut batch = RunningMeans::new(self.k);
        let rows = scores.chunks(classes.max(1)).zip(relevant.chunks(classes.max(1)));
        for (row, (scores, relevant)) in rows.enumerate() {
            for means in [&mut batch, &mut self.epoch] {
                means.add(scores, relevant, None).map_err(|fault| fault.in_row(row))?;
            }
        }
        self.batch = self.mean(batch.get());
        Ok(())
    }

    fn mean(&self, means: Option<MeanMeasures>) -> Option<f64> {
        means.filter(|_| self.fault.is_none())?.get(self.measure.name)
    }

    fn of_epoch(&self) -> Option<f64> {
        self.mean(self.epoch.get())
    }

    fn entry(&self, value: Option<f64>) -> SerializedEntry {
        let (epoch, batch) = (self.of_epoch(), self.batch);
        let text = |value: Option<f64>| value.map_or("N/A".into(), |value| format!("{value:.4}"));
        match (&self.fault, value) {
            (Some(fault), _) => {
                SerializedEntry::new(format!("N/A: {fault}"), SerializedEntry::NOT_AVAILABLE.into())
            }
            (None, None) => SerializedEntry::not_available(None),
            (None, Some(value)) => SerializedEntry::new(
                format!("epoch {} - batch {}", text(epoch), text(batch)),
                NumericEntry::Value(value).serialize(),
            ),
        }
    }
}

impl Metric for TopKMetric {
    type Input = TopKInput;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn description(&self) -> Option<String> {
        Some(format!("{}: {}", self.measure, self.measure.source))
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: true }.into()
    }

    fn update(
        &mut self,
        item: &TopKInput,
        _: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let [_, classes] = item.scores.dims();
        let scores: Vec<f32> = item.scores.try_to_vec_as()?;
        let relevant: Vec<bool> = item.relevant.clone().bool().try_to_vec_as()?;
        if let Err(fault) = self.add(&scores, &relevant, classes) {
            self.fault.get_or_insert_with(|| format!("{fault}"));
            self.batch = None;
        }
        Ok(self.entry(self.batch))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.entry(self.of_epoch()))
    }

    fn clear(&mut self) {
        *self = Self::new(self.measure, self.k);
    }
}

impl Numeric for TopKMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.batch.map(NumericEntry::Value)
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.of_epoch().map(NumericEntry::Value)
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.of_epoch().unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use burn::data::dataloader::Progress;
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::{MEASURES, mean_measures};

    const CLASSES: usize = 4;

    fn output(scores: &[[f32; CLASSES]], relevant: &[[bool; CLASSES]]) -> TopKInput {
        let device = Device::flex();
        let shape = [scores.len(), CLASSES];
        let targets: Vec<i64> = relevant.concat().into_iter().map(i64::from).collect();
        let loss = Tensor::<1>::zeros([1], &device);
        let scores = Tensor::<2>::from_data(TensorData::new(scores.concat(), shape), &device);
        let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, shape), &device);
        MultiLabelClassificationOutput::new(loss, scores, targets).adapt()
    }

    fn metadata() -> MetricMetadata {
        let progress = Progress { items_processed: 1, items_total: 1, unit: None };
        MetricMetadata { progress, iteration: None, lr: None }
    }

    #[test]
    fn an_epoch_is_the_mean_over_its_samples_whatever_the_batches() {
        let scores = [[0.9, 0.5, 0.1, 0.3], [0.2, 0.8, 0.7, 0.1], [0.4, 0.3, 0.2, 0.1]];
        let relevant = [[true, false, true, false], [false, false, true, true], [false; CLASSES]];
        for measure in MEASURES.iter().filter(|measure| measure.name != "specified_in_top_k") {
            let mut metric = TopKMetric::new(measure, 2);
            let expected = |rows: core::ops::Range<usize>| {
                let means = mean_measures(&scores[rows.clone()], &relevant[rows], None, 2).unwrap();
                means.and_then(|means| means.get(measure.name))
            };
            for rows in [0..1, 1..3] {
                let input = output(&scores[rows.clone()], &relevant[rows.clone()]);
                metric.update(&input, &metadata()).unwrap();
                assert_eq!(metric.value().map(|it| it.current()), expected(rows), "{measure}");
            }
            assert_eq!(metric.running_value().map(|it| it.current()), expected(0..3), "{measure}");
            assert_eq!(Some(metric.final_value().current()), expected(0..3), "{measure}");
            let entry = metric.compute().unwrap();
            assert_eq!(entry.serialized.parse().ok(), expected(0..3), "{measure}");
            metric.clear();
            assert!(metric.running_value().is_none());
            assert!(metric.compute().unwrap().is_not_available());
        }
    }

    #[test]
    fn what_cannot_be_measured_is_not_available_and_said() {
        let measure = Measure::named("p").unwrap();
        let mut metric = TopKMetric::new(measure, 2);
        assert_eq!(*metric.name(), "P@2");
        let bad = output(&[[0.1; CLASSES], [f32::NAN; CLASSES]], &[[true; CLASSES]; 2]);
        let entry = metric.update(&bad, &metadata()).unwrap();
        assert!(
            entry.is_not_available() && entry.formatted.contains("row 1"),
            "{}",
            entry.formatted
        );
        assert!(metric.value().is_none() && metric.running_value().is_none());
        let mut wide = TopKMetric::new(measure, 9);
        let entry = wide.update(&output(&[[0.1; CLASSES]], &[[true; CLASSES]]), &metadata());
        assert!(entry.unwrap().formatted.contains('9'));
    }
}
