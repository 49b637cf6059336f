//! [`Gauge`]: a statistic as numbers in `[0, 1]` whose clean means are known.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::auc::rank;
use crate::mean::Mean;
use crate::pairs::Pairs;
use crate::{Reading, Statistic};

/// A statistic as numbers in `[0, 1]`, and their means on the clean images that it was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gauge {
    /// One for each number.
    pub means: Vec<Mean>,
    scale: Scale,
}

/// How a reading becomes numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Scale {
    /// It is one in `[0, 1]`.
    Itself,
    /// For each label whether it is in the top-k.
    Indicators,
    /// Its rank among those of the clean images, which are sorted.
    Rank(Vec<f64>),
    /// The rank of the association of the labels: every other clean image counts pairs, the rest are ranked among.
    AssociationRank(Pairs, Vec<f64>),
}

impl Gauge {
    /// Of the readings of clean images, of which there are some.
    pub fn of(statistic: Statistic, classes: usize, clean: &[&Reading]) -> Self {
        let numbers = || -> Vec<f64> { clean.iter().map(|reading| number(reading)).collect() };
        let tops = || clean.iter().map(|reading| labels(reading));
        let images = clean.len();
        match statistic {
            Statistic::Measure(_) => {
                let values = numbers();
                let squares = values.iter().map(|value| value * value).sum();
                // A fall alone counts.
                let mean = Mean::of(values.iter().sum(), squares, images, 1);
                Self { means: vec![mean], scale: Scale::Itself }
            }
            Statistic::LabelFrequency => {
                let mut counts = vec![0.0; classes];
                tops().flatten().for_each(|&label| counts[label] += 1.0);
                let mean = |count| Mean::of(count, count, images, 2 * classes);
                let means = counts.into_iter().map(mean).collect();
                Self { means, scale: Scale::Indicators }
            }
            Statistic::CoOccurrence => {
                // An image whose own pairs were counted would stand above the next one like it.
                let pairs = Pairs::of(classes, tops().step_by(2));
                let others = tops().skip(1).step_by(2);
                let ranked = sorted(others.map(|top| pairs.association(top)).collect());
                Self { means: of_ranks(&ranked), scale: Scale::AssociationRank(pairs, ranked) }
            }
            _ => {
                let ranked = sorted(numbers());
                Self { means: of_ranks(&ranked), scale: Scale::Rank(ranked) }
            }
        }
    }

    /// The numbers of an image, as many as there are means.
    pub fn numbers(&self, reading: &Reading, out: &mut [f64]) {
        match &self.scale {
            Scale::Itself => out[0] = number(reading),
            Scale::Indicators => {
                out.fill(0.0);
                labels(reading).iter().for_each(|&label| out[label] = 1.0);
            }
            Scale::Rank(clean) => out.copy_from_slice(&ranks(clean, number(reading))),
            Scale::AssociationRank(pairs, clean) => {
                out.copy_from_slice(&ranks(clean, pairs.association(labels(reading))));
            }
        }
    }
}

/// The share of clean images in each tail.
const TAIL: f64 = 0.05;

/// The rank of a number, and whether it is in the lower or the upper tail: attacks that stop at their first success leave
/// margins near 0, which the rank alone hardly tells.
fn ranks(clean: &[f64], number: f64) -> [f64; 3] {
    let rank = rank(clean, number);
    [rank, f64::from(rank < TAIL), f64::from(rank > 1.0 - TAIL)]
}

/// The means of [`ranks`]; where many clean numbers are equal, tails are smaller.
fn of_ranks(clean: &[f64]) -> Vec<Mean> {
    let bets = 6;
    let tail = |at: usize| {
        let count = clean.iter().map(|&number| ranks(clean, number)[at]).sum();
        Mean::of(count, count, clean.len(), bets)
    };
    vec![Mean::of_rank(clean.len(), bets), tail(1), tail(2)]
}

fn sorted(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// Each statistic gives readings of one kind.
fn number(reading: &Reading) -> f64 {
    match reading {
        Reading::Number(number) => *number,
        Reading::Labels(_) => unreachable!("a number is what this statistic gives"),
    }
}

fn labels(reading: &Reading) -> &[usize] {
    match reading {
        Reading::Labels(labels) => labels,
        Reading::Number(_) => unreachable!("labels are what this statistic gives"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(statistic: Statistic, clean: &[Reading], seen: &Reading) -> (Gauge, Vec<f64>) {
        let gauge = Gauge::of(statistic, 3, &clean.iter().collect::<Vec<_>>());
        let mut numbers = vec![f64::NAN; gauge.means.len()];
        gauge.numbers(seen, &mut numbers);
        (gauge, numbers)
    }

    #[test]
    fn numbers_are_ranks_indicators_or_themselves() {
        let numbers = [3.0, 1.0, 2.0, 2.0].map(Reading::Number);
        let (gauge, rank) = of(Statistic::JointEnergy, &numbers, &Reading::Number(2.0));
        assert_eq!((rank, gauge.means[0].estimate), (vec![0.5, 0.0, 0.0], 0.5));
        assert_eq!(of(Statistic::TopMargin, &numbers, &Reading::Number(9.0)).1, [1.0, 0.0, 1.0]);
        let measure = "p".parse().unwrap();
        let numbers = [1.0, 0.5, 1.0, 0.5].map(Reading::Number);
        let (gauge, itself) = of(measure, &numbers, &Reading::Number(0.25));
        assert_eq!((itself, gauge.means[0].estimate), (vec![0.25], 0.7));
        assert_eq!(gauge.means[0].deviation, 0.25);
        let tops = [vec![0, 1], vec![0, 2], vec![0, 1]].map(Reading::Labels);
        let (gauge, flags) = of(Statistic::LabelFrequency, &tops, &tops[1]);
        assert_eq!(flags, [1.0, 0.0, 1.0]);
        assert_eq!(gauge.means[1].estimate, 2.5 / 4.0);
        // Of those that count pairs, 0 and 1 stand together in both, where once is chance; 0 and 2 never do.
        let tops = [[0, 1], [1, 0], [2, 1], [2, 1]].map(|top| Reading::Labels(top.to_vec()));
        let never = Reading::Labels(vec![0, 2]);
        let [often, never] =
            [&tops[0], &never].map(|top| of(Statistic::CoOccurrence, &tops, top).1[0]);
        assert!(often > never && never == 0.0, "{often} {never}");
    }
}
