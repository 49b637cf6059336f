//! [`FalseAlarms`], and the [`threshold`] for them.

use alloc::vec::Vec;

use crate::chart::Chart;
use crate::gauge::Gauge;
use crate::random::Random;
use crate::simulation::Numbers;
use crate::{MonitorError, Reading, Statistic, Test};

/// Fewer clean images say too little of their mean: that of a hundred is off by a tenth of a standard deviation.
pub const MIN_CLEAN: usize = 100;

/// Samples of the clean images that might have been.
const RESAMPLES: u64 = 20;
/// The share of them that the threshold holds for.
const GUARANTEED: f64 = 0.9;
/// Simulated streams for each of them.
const STREAMS: usize = 50;

/// A rate of false alarms on clean images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FalseAlarms(f64);

impl FalseAlarms {
    /// So many alarms per 10,000 clean images.
    ///
    /// # Errors
    /// [`MonitorError::FalseAlarms`] unless it is in `0.1..=100`.
    pub fn per_10_000(rate: f64) -> Result<Self, MonitorError> {
        match (0.1..=100.0).contains(&rate) {
            true => Ok(Self(rate)),
            false => Err(MonitorError::FalseAlarms { found: rate }),
        }
    }

    /// Clean images from one alarm to the next on average: the average run length.
    pub fn images_between(self) -> f64 {
        10_000.0 / self.0
    }
}

/// The threshold of a calibrated test.
///
/// Run lengths on clean images are nearly exponential, so that a stream of `n` images ends without an alarm with probability
/// `exp(−n / ARL)`: the threshold is that quantile of the largest levels of simulated streams. Each time the test is made of a
/// resample of the clean images and runs on the images themselves, as the real one is made of a sample and runs on the
/// population; the threshold is one that holds for most of the resamples (Gandy & Kvaløy 2013, *Guaranteed conditional
/// performance of control charts via bootstrap methods*).
pub(crate) fn threshold(
    statistic: Statistic,
    test: Test,
    classes: usize,
    clean: &[Reading],
    rate: FalseAlarms,
    seed: u64,
) -> f64 {
    let images = rate.images_between().min(10_000.0);
    let without_alarm = libm::exp(-images / rate.images_between());
    let each = (0..RESAMPLES).map(|resample| {
        // Others than those of simulations.
        let mut random = Random::new(seed, u64::MAX - resample);
        let sample: Vec<&Reading> =
            clean.iter().map(|_| &clean[random.below(clean.len())]).collect();
        let gauge = Gauge::of(statistic, classes, &sample);
        let numbers = Numbers::of(&gauge, clean.iter().map(Some));
        let start = Chart::new(test, statistic, &gauge.means);
        let largest = (0..STREAMS).map(|_| {
            let mut chart = start.clone();
            let levels = (0..images as usize).map(|_| {
                let image = numbers.of_image(random.below(clean.len()));
                chart.push(image.expect("every clean image here has a reading"))
            });
            levels.fold(0.0, f64::max)
        });
        upper(largest.collect(), without_alarm)
    });
    upper(each.collect(), GUARANTEED)
}

/// The smallest of these numbers that no more than the rest of this share are above.
fn upper(mut numbers: Vec<f64>, share: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let place = libm::ceil(share * numbers.len() as f64) as usize;
    numbers[place.clamp(1, numbers.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_inverse_of_a_run_length_and_within_its_range() {
        assert_eq!(FalseAlarms::per_10_000(4.0).unwrap().images_between(), 2500.0);
        for rate in [0.0, -1.0, f64::NAN, 101.0] {
            let message = FalseAlarms::per_10_000(rate).unwrap_err().to_string();
            assert!(message.contains("0.1..=100"), "{message}");
        }
    }

    #[test]
    fn a_quantile_is_one_of_the_numbers() {
        let numbers = vec![3.0, 1.0, 2.0, 4.0];
        assert_eq!(
            [0.0, 0.25, 0.3, 1.0].map(|share| upper(numbers.clone(), share)),
            [1.0, 1.0, 2.0, 4.0]
        );
    }
}
