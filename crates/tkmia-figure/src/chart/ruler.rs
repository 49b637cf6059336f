//! [`Ruler`]: the range of an axis, its round ticks, and where each value lies.

use super::{Axis, Scale};

/// The least space between the labels of two ticks, in pixels of a page.
const GAP: f64 = 6.0;
/// The round numbers between two powers of ten.
const FACTORS: [f64; 3] = [1.0, 2.0, 5.0];

/// A labelled place of an axis.
#[derive(Debug)]
pub struct Tick {
    /// Where it lies, from 0 to 1.
    pub share: f64,
    pub label: String,
}

/// An axis whose range is settled.
#[derive(Debug)]
pub struct Ruler {
    scale: Scale,
    low: f64,
    high: f64,
    /// The distance of ticks on a linear scale.
    step: f64,
}

impl Ruler {
    /// From the smallest to the largest value and over the axis's own range; outwards to the next tick, but
    /// for an end that was asked for.
    pub fn over(axis: &Axis, values: impl Iterator<Item = f64>) -> Self {
        let scale = axis.scale;
        let asked = axis.range.map_or([f64::NAN; 2], |(low, high)| [low, high]);
        let shown = values.chain(asked).filter(|value| scale.shows(*value));
        let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let (low, high) = match scale {
            _ if high - low > 1e-12 => (low, high),
            // One value, or none.
            Scale::Linear if low.is_finite() => (low - 0.5, low + 0.5),
            Scale::Linear => (0.0, 1.0),
            Scale::Logarithmic if low.is_finite() => (low / 1.4, low * 1.4),
            Scale::Logarithmic => (0.1, 10.0),
        };
        let step = round_step((high - low) / 5.0);
        let [below, above] = match scale {
            // A quotient that misses a whole number by rounding alone is one.
            Scale::Linear => {
                [(low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step]
            }
            Scale::Logarithmic => {
                let next = |from, to| round_numbers(from, to, &FACTORS).into_iter();
                let (below, above) = (next(low / 10.0, low).last(), next(high, high * 10.0).next());
                [below.unwrap_or(low), above.unwrap_or(high)]
            }
        };
        let end = |found, next, asked| if found == asked { found } else { next };
        Self { scale, low: end(low, below, asked[0]), high: end(high, above, asked[1]), step }
    }

    /// Where a value lies, from 0 to 1.
    pub fn share(&self, value: f64) -> f64 {
        let [low, high, value] = [self.low, self.high, value].map(|value| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.ln(),
        });
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Ticks whose labels lie apart on so many pixels, of which a label takes its extent. A logarithmic
    /// axis is labelled at its upper end, too.
    pub fn ticks(&self, length: f64, extent: impl Fn(&str) -> f64) -> Vec<Tick> {
        let apart = |one: &Tick, next: &Tick| {
            let labels = (extent(&one.label) + extent(&next.label)) / 2.0;
            (next.share - one.share) * length >= labels + GAP
        };
        let all_apart = |ticks: &Vec<Tick>| ticks.windows(2).all(|pair| apart(&pair[0], &pair[1]));
        // In the end there is one.
        let mut ticks = (1..).map(|every| self.each(every)).find(all_apart).unwrap_or_default();
        if self.scale == Scale::Logarithmic {
            let end = self.tick(self.high);
            while ticks.pop_if(|last| !apart(last, &end)).is_some() {}
            ticks.push(end);
        }
        ticks
    }

    /// The ticks of the scale, the finest first: all, each second, …
    fn each(&self, every: i32) -> Vec<Tick> {
        let values: Vec<f64> = match self.scale {
            Scale::Linear => {
                let first = (self.low / self.step - 1e-9).ceil() as i64;
                let last = (self.high / self.step + 1e-9).floor() as i64;
                let multiples = (first..=last).filter(|at| at % i64::from(every) == 0);
                multiples.map(|at| at as f64 * self.step).collect()
            }
            Scale::Logarithmic if every == 1 => round_numbers(self.low, self.high, &FACTORS),
            Scale::Logarithmic => {
                let mut powers = round_numbers(self.low, self.high, &FACTORS[..1]);
                powers.retain(|power| power.log10().round() as i32 % (every - 1) == 0);
                powers
            }
        };
        values.into_iter().map(|value| self.tick(value)).collect()
    }

    fn tick(&self, value: f64) -> Tick {
        let label = match self.scale {
            Scale::Linear => {
                // As many decimals as the step has.
                let decimals = (-self.step.log10().floor()).max(0.0) as usize;
                format!("{value:.decimals$}")
            }
            Scale::Logarithmic => value.to_string(),
        };
        Tick { share: self.share(value), label }
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    power * FACTORS.into_iter().find(|factor| factor * power >= least * 0.999).unwrap_or(10.0)
}

/// The factors times powers of ten that lie between two positive numbers.
fn round_numbers(low: f64, high: f64, factors: &[f64]) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().floor() as i32;
    let numbers = powers.flat_map(|power| {
        // Parsed, it is the number that is meant; a product of powers may miss it.
        factors.iter().filter_map(move |factor| format!("{factor}e{power}").parse().ok())
    });
    numbers.filter(|number| (low..=high).contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64], length: f64) -> Vec<String> {
        let ruler = Ruler::over(axis, values.iter().copied());
        let ticks = ruler.ticks(length, |label| 7.0 * label.len() as f64);
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_numbers_around_the_values() {
        let ticks = |values: &[f64]| labels(&Axis::linear(""), values, 400.0);
        assert_eq!(ticks(&[0.13, 0.94]), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(ticks(&[1.0, 30.0]), ["0", "10", "20", "30"]);
        assert_eq!(ticks(&[0.062, 0.071]), ["0.062", "0.064", "0.066", "0.068", "0.070", "0.072"]);
        assert_eq!(ticks(&[3.0]).first().map(String::as_str), Some("2.4"));
        assert_eq!(ticks(&[]).last().map(String::as_str), Some("1.0"));
        // 0.6 / 0.2 is a little less than 3.
        assert_eq!(ticks(&[0.6, 1.5]), ["0.6", "0.8", "1.0", "1.2", "1.4", "1.6"]);
        assert_eq!(ticks(&[-0.3, 0.2]), ["-0.3", "-0.2", "-0.1", "0.0", "0.1", "0.2"]);
    }

    #[test]
    fn ticks_of_a_logarithmic_axis_are_round() {
        assert_eq!(round_numbers(0.03, 3.0, &FACTORS), [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
        assert_eq!(round_numbers(11.0, 19.0, &FACTORS), [0.0; 0]);
        let ticks = |values: &[f64]| labels(&Axis::logarithmic(""), values, 400.0);
        assert_eq!(ticks(&[0.03, 3.0]), ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5"]);
        assert_eq!(ticks(&[11.0, 19.0]), ["10", "20"]);
        assert_eq!(ticks(&[1.0]), ["0.5", "1", "2"]);
        assert_eq!(ticks(&[-1.0, 0.0]), ["0.1", "0.2", "0.5", "1", "2", "5", "10"]);
        assert_eq!(ticks(&[1e-7, 1e-6]), ["0.0000001", "0.0000002", "0.0000005", "0.000001"]);
    }

    #[test]
    fn equal_factors_take_equal_room_on_a_logarithmic_axis() {
        let ruler = Ruler::over(&Axis::logarithmic(""), [1.0, 100.0].into_iter());
        let shares = [1.0, 10.0, 100.0].map(|value| ruler.share(value));
        assert!(shares.iter().zip([0.0, 0.5, 1.0]).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn labels_that_would_overlap_are_left_out() {
        let values = [1.0, 1e6];
        let ticks = |length| labels(&Axis::logarithmic(""), &values, length);
        assert_eq!(ticks(330.0), ["1", "10", "100", "1000", "10000", "100000", "1000000"]);
        assert_eq!(ticks(150.0), ["1", "100", "10000", "1000000"]);
        assert_eq!(ticks(5.0).len(), 1);
        assert_eq!(labels(&Axis::linear(""), &[0.0, 10.0], 60.0), ["0", "4", "8"]);
    }

    #[test]
    fn a_range_that_is_asked_for_ends_where_it_is_to_and_is_exceeded_only_where_values_are() {
        let iterations = Axis::logarithmic("").with_range(1.0, 300.0);
        let expected = ["1", "2", "5", "10", "20", "50", "100", "300"];
        assert_eq!(labels(&iterations, &[3.0, 80.0], 300.0), expected);
        let shares = Axis::linear("").with_range(0.0, 1.0);
        assert_eq!(labels(&shares, &[0.4], 300.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&shares, &[-0.3], 300.0), ["-0.5", "0.0", "0.5", "1.0"]);
    }

    #[test]
    fn no_number_is_too_large_or_too_small() {
        for values in [
            vec![1e12, -1e12],
            vec![1e12],
            vec![1e300],
            vec![1e-12],
            vec![0.0, 1e-300],
            vec![f64::NAN],
        ] {
            for axis in [Axis::linear(""), Axis::logarithmic("")] {
                let labels = labels(&axis, &values, 400.0);
                assert!(
                    (1..12).contains(&labels.len()) && labels.iter().all(|label| label.len() < 16),
                    "{labels:?}"
                );
            }
        }
    }
}
