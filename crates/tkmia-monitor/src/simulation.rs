//! [`Simulation`]: what a monitor notices, on streams drawn from images at hand.

use alloc::vec;
use alloc::vec::Vec;

use crate::chart::Chart;
use crate::gauge::Gauge;
use crate::random::Random;
use crate::{Monitor, MonitorError, Observation, Reading};

/// Streams of a monitor, drawn with replacement from clean images that its calibration did not see.
///
/// A stream begins with so many clean images as it later has to notice an attack. Streams of different attacks and shares
/// have the same images at the same places, whether attacked or not, and an image that is attacked at one share is so at every
/// larger one.
#[derive(Debug)]
pub struct Simulation<'a> {
    monitor: &'a Monitor,
    clean: Numbers,
    seed: u64,
    within: usize,
    /// The state of each stream before the attack.
    begun: Vec<Chart>,
}

/// Alarms on clean images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Alarms.
    pub alarms: usize,
    /// Images.
    pub images: usize,
}

/// When attacks were noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// Of each stream: images from the first that might be attacked to the alarm, if there was one in time; ascending, those
    /// without an alarm last.
    delays: Vec<Option<usize>>,
}

impl<'a> Simulation<'a> {
    /// So many streams, each with so many images before the attack and `within` so many of which it is to be noticed.
    ///
    /// # Errors
    /// Those of [`Monitor::push`].
    pub fn new(
        monitor: &'a Monitor,
        clean: &[Observation<'_>],
        streams: usize,
        within: usize,
        seed: u64,
    ) -> Result<Self, MonitorError> {
        let clean: Vec<_> = clean.iter().copied().map(Some).collect();
        let clean = Numbers::seen(monitor, &clean)?;
        let begun = (0..streams).map(|stream| {
            let mut random = Random::new(seed, 2 * stream as u64);
            let mut chart = monitor.chart.clone();
            chart.reset();
            for _ in 0..within {
                let image = clean.of_image(random.below(clean.images));
                advance(&mut chart, image, monitor.threshold());
            }
            chart
        });
        let begun = begun.collect();
        Ok(Self { monitor, clean, seed, within, begun })
    }

    /// Alarms of all streams, each over so many clean images; a test begins again after an alarm.
    pub fn false_alarms(&self, images: usize) -> Counted {
        let of_stream = |(stream, chart): (usize, &Chart)| {
            let (mut random, mut chart) = (self.random(stream), chart.clone());
            let alarm = |_: &usize| {
                let image = self.clean.of_image(random.below(self.clean.images));
                advance(&mut chart, image, self.monitor.threshold())
            };
            (0..images).filter(alarm).count()
        };
        let alarms = self.begun.iter().enumerate().map(of_stream).sum();
        Counted { alarms, images: images * self.begun.len() }
    }

    /// What is noticed of an attack, for each share of the images that have a twin: so many of them are replaced by it.
    ///
    /// # Shapes
    /// - twins: as many as clean images; the attacked image, where the image can be attacked
    ///
    /// # Errors
    /// Those of [`Monitor::push`].
    pub fn attacked(
        &self,
        twins: &[Option<Observation<'_>>],
        shares: &[f64],
    ) -> Result<Vec<Noticed>, MonitorError> {
        let numbers = Numbers::seen(self.monitor, twins)?;
        let is_attackable = |image: usize| twins.get(image).is_some_and(Option::is_some);
        let of_stream = |stream: usize, share: f64| {
            let (mut random, mut chart) = (self.random(stream), self.begun[stream].clone());
            (1..=self.within).find(|_| {
                let (image, chance) = (random.below(self.clean.images), random.uniform());
                let attacked = chance < share && is_attackable(image);
                let from = if attacked { &numbers } else { &self.clean };
                advance(&mut chart, from.of_image(image), self.monitor.threshold())
            })
        };
        let noticed = |&share: &f64| {
            let mut delays: Vec<Option<usize>> =
                (0..self.begun.len()).map(|stream| of_stream(stream, share)).collect();
            delays.sort_by_key(|delay| delay.unwrap_or(usize::MAX));
            Noticed { delays }
        };
        Ok(shares.iter().map(noticed).collect())
    }

    fn random(&self, stream: usize) -> Random {
        Random::new(self.seed, 2 * stream as u64 + 1)
    }
}

impl Noticed {
    /// Streams with an alarm in time.
    pub fn alarms(&self) -> usize {
        self.delays.iter().flatten().count()
    }

    /// All streams.
    pub fn streams(&self) -> usize {
        self.delays.len()
    }

    /// The delay in images that this share of all streams has at most; `None` if fewer had an alarm in time.
    pub fn delay(&self, share: f64) -> Option<usize> {
        let place = libm::ceil(share * self.delays.len() as f64) as usize;
        *self.delays.get(place.max(1) - 1)?
    }
}

/// Adds an image, and says whether that is an alarm, after which the test begins again.
fn advance(chart: &mut Chart, image: Option<&[f64]>, threshold: f64) -> bool {
    let alarm = image.is_some_and(|numbers| chart.push(numbers) >= threshold);
    if alarm {
        chart.reset();
    }
    alarm
}

/// What a test sees of many images.
#[derive(Debug)]
pub(crate) struct Numbers {
    images: usize,
    components: usize,
    /// `[images, components]`; NaN where an image has none.
    values: Vec<f64>,
}

impl Numbers {
    pub fn of<'r>(gauge: &Gauge, readings: impl Iterator<Item = Option<&'r Reading>>) -> Self {
        let components = gauge.means.len();
        let mut all = Self { images: 0, components, values: Vec::new() };
        for reading in readings {
            let mut numbers = vec![f64::NAN; components];
            if let Some(reading) = reading {
                gauge.numbers(reading, &mut numbers);
            }
            all.images += 1;
            all.values.extend(numbers);
        }
        all
    }

    fn seen(monitor: &Monitor, images: &[Option<Observation<'_>>]) -> Result<Self, MonitorError> {
        let read =
            |seen: &Option<Observation<'_>>| seen.map_or(Ok(None), |seen| monitor.read(&seen));
        let readings = images.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(&monitor.gauge, readings.iter().map(Option::as_ref)))
    }

    pub fn of_image(&self, image: usize) -> Option<&[f64]> {
        let numbers = &self.values[image * self.components..][..self.components];
        (!numbers[0].is_nan()).then_some(numbers)
    }
}
