//! [`Monitor`]: a statistic, a test and a threshold on a stream.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::calibration::{FalseAlarms, MIN_CLEAN, threshold};
use crate::chart::Chart;
use crate::gauge::Gauge;
use crate::{MonitorError, Observation, Reading, Statistic, Test};

/// A statistic, a sequential test and a threshold, on a stream of images.
///
/// A push takes O(c log c). It depends on the images before it alone. Read back with serde, it goes on exactly as it would have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    statistic: Statistic,
    test: Test,
    k: usize,
    classes: usize,
    threshold: f64,
    pub(crate) gauge: Gauge,
    pub(crate) chart: Chart,
    images: u64,
}

/// The test has reached its threshold; it begins again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The image that raised it, counted from 1.
    pub image: u64,
    /// What the test had reached.
    pub level: f64,
    /// Which of the [numbers](Monitor::numbers) stands out most: for [`Statistic::LabelFrequency`] the label.
    pub component: usize,
    /// Whether it fell; it rose otherwise.
    pub falls: bool,
}

impl Monitor {
    /// A monitor with the threshold for this rate of false alarms.
    ///
    /// For [calibrated tests](Test::is_calibrated) streams of clean images are simulated, by the seed. The clean mean is only
    /// known from these images: the threshold is one that would have held for nine in ten of other samples of as many (Gandy &
    /// Kvaløy 2013). Other tests have the threshold that a theorem gives them.
    ///
    /// # Errors
    /// - [`MonitorError::TooFewClean`]: fewer than [`MIN_CLEAN`] images have a value
    /// - [`MonitorError::Classes`] and those of [`Statistic::read`]
    pub fn calibrate(
        statistic: Statistic,
        test: Test,
        k: usize,
        clean: &[Observation<'_>],
        rate: FalseAlarms,
        seed: u64,
    ) -> Result<Self, MonitorError> {
        let classes = clean.first().map_or(0, |seen| seen.scores.len());
        let mut readings = Vec::new();
        for seen in clean {
            readings.extend(read(statistic, k, classes, seen)?);
        }
        let (expected, found) = (MIN_CLEAN, readings.len());
        if found < expected {
            return Err(MonitorError::TooFewClean { statistic, expected, found });
        }
        let threshold = match test.is_calibrated() {
            true => threshold(statistic, test, classes, &readings, rate, seed),
            false => rate.images_between(),
        };
        let gauge = Gauge::of(statistic, classes, &readings.iter().collect::<Vec<_>>());
        let chart = Chart::new(test, statistic, &gauge.means);
        Ok(Self { statistic, test, k, classes, threshold, gauge, chart, images: 0 })
    }

    /// Sees an image.
    ///
    /// One that lacks what the statistic needs is counted and leaves the test as it was.
    ///
    /// # Errors
    /// [`MonitorError::Classes`] and those of [`Statistic::read`]; the monitor is then as it was.
    pub fn push(&mut self, seen: &Observation<'_>) -> Result<Option<Alarm>, MonitorError> {
        let numbers = self.numbers(seen)?;
        self.images += 1;
        let Some(numbers) = numbers else { return Ok(None) };
        let level = self.chart.push(&numbers);
        if level < self.threshold {
            return Ok(None);
        }
        let (component, falls) = self.chart.foremost();
        self.chart.reset();
        Ok(Some(Alarm { image: self.images, level, component, falls }))
    }

    /// What the test sees of an image, numbers in `[0, 1]`: a measure; for [`Statistic::LabelFrequency`] whether each label is in
    /// the top-k; for others the rank among clean images, and whether that is in the lower or the upper 5 %. `None` if the
    /// image lacks what the statistic needs.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn numbers(&self, seen: &Observation<'_>) -> Result<Option<Vec<f64>>, MonitorError> {
        Ok(self.read(seen)?.map(|reading| {
            let mut numbers = vec![0.0; self.gauge.means.len()];
            self.gauge.numbers(&reading, &mut numbers);
            numbers
        }))
    }

    pub(crate) fn read(&self, seen: &Observation<'_>) -> Result<Option<Reading>, MonitorError> {
        read(self.statistic, self.k, self.classes, seen)
    }

    /// What is watched.
    pub fn statistic(&self) -> Statistic {
        self.statistic
    }

    /// How evidence is added up.
    pub fn test(&self) -> Test {
        self.test
    }

    /// What raises an alarm, in the test's own unit.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }
}

fn read(
    statistic: Statistic,
    k: usize,
    expected: usize,
    seen: &Observation<'_>,
) -> Result<Option<Reading>, MonitorError> {
    let found = seen.scores.len();
    if found != expected {
        return Err(MonitorError::Classes { expected, found });
    }
    statistic.read(k, seen)
}
