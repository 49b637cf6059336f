//! [`Chart`]: a test at work.

use serde::{Deserialize, Serialize};

use crate::mean::Mean;
use crate::page_hinkley::PageHinkley;
use crate::wealth::Wealth;
use crate::{Statistic, Test};

/// A test at work on the numbers of a gauge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Chart {
    Wealth(Wealth),
    PageHinkley(PageHinkley),
}

impl Chart {
    /// An attack that hides labels lowers measures; other statistics may go either way.
    pub fn new(test: Test, statistic: Statistic, means: &[Mean]) -> Self {
        let both = !statistic.needs_labels();
        match test {
            Test::PageHinkley => Self::PageHinkley(PageHinkley::new(means, both)),
            Test::Cusum | Test::Sprt | Test::EDetector | Test::Martingale => {
                Self::Wealth(Wealth::new(test, means, both))
            }
        }
    }

    /// Adds an image's numbers, and gives what is compared with the threshold.
    pub fn push(&mut self, numbers: &[f64]) -> f64 {
        match self {
            Self::Wealth(wealth) => {
                wealth.push(numbers);
                wealth.level()
            }
            Self::PageHinkley(test) => {
                test.push(numbers);
                test.level()
            }
        }
    }

    /// The component that stands out most, and whether it fell.
    pub fn foremost(&self) -> (usize, bool) {
        match self {
            Self::Wealth(wealth) => wealth.foremost(),
            Self::PageHinkley(test) => test.foremost(),
        }
    }

    /// Begins again.
    pub fn reset(&mut self) {
        match self {
            Self::Wealth(wealth) => wealth.reset(),
            Self::PageHinkley(test) => test.reset(),
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::*;

    const HALF: Mean = Mean { estimate: 0.5, low: 0.4, high: 0.6, deviation: 0.5 };

    fn levels(test: Test, numbers: &[f64]) -> Vec<f64> {
        // A measure: only falls count.
        let mut chart = Chart::new(test, "p".parse().unwrap(), &[HALF]);
        numbers.iter().map(|&number| chart.push(&[number])).collect()
    }

    #[test]
    fn levels_are_those_worked_by_hand() {
        // Bets of λ = −0.4 and −1.6 on a mean of ½: e(0) = 1.2 and 1.8, e(1) = 0.8 and 0.2.
        let check = |test, expected: [f64; 3]| {
            for (found, expected) in levels(test, &[0.0, 1.0, 1.0]).into_iter().zip(expected) {
                assert_abs_diff_eq!(found, expected, epsilon = 1e-12);
            }
        };
        check(Test::Cusum, [1.5, (0.96 + 0.36) / 2.0, (0.8 + 0.2) / 2.0]);
        // 1.8 · 0.2 · 0.2 is above 1/20.
        check(Test::Sprt, [1.5, (0.96 + 0.36) / 2.0, (0.768 + 0.072) / 2.0]);
        // Fell below 1/20: from 1 again.
        let again = levels(Test::Sprt, &[0.0, 1.0, 1.0, 1.0]);
        assert_abs_diff_eq!(again[3], (0.6144 + 1.0) / 2.0, epsilon = 1e-12);
        // On the bound 0.4: λ = −1/3 and −4/3, e(0) = 17/15 and 23/15, e(1) = 0.8 and 0.2.
        check(Test::Martingale, [4.0 / 3.0, (13.6 + 4.6) / 30.0, (10.88 + 0.92) / 30.0]);
        check(
            Test::EDetector,
            [4.0 / 3.0, (0.8 * 32.0 + 0.2 * 38.0) / 30.0, (0.8 * 40.6 + 0.2 * 22.6) / 30.0],
        );
        // Running means 0, ½, ⅔; d = 0, 1, ⅔ rises and no falls.
        assert_eq!(levels(Test::PageHinkley, &[0.0, 1.0, 1.0]), [0.0; 3]);
        // Running means 1, ½, ⅓: d = 0, −1, −⅔, less 0.1.
        let found = levels(Test::PageHinkley, &[1.0, 0.0, 0.0]);
        assert_abs_diff_eq!(found[1], 0.9, epsilon = 1e-12);
        assert_abs_diff_eq!(found[2], 0.9 + 2.0 / 3.0 - 0.1, epsilon = 1e-12);
    }

    #[test]
    fn rises_count_where_there_are_no_labels() {
        for test in Test::ALL {
            let risen = |statistic| {
                let mut chart = Chart::new(test, statistic, &[HALF]);
                // Page–Hinkley compares with what came before.
                chart.push(&[0.0]);
                ((0..9).map(|_| chart.push(&[1.0])).fold(0.0, f64::max), chart.foremost())
            };
            let ((energy, foremost), (measure, _)) =
                (risen(Statistic::JointEnergy), risen("p".parse().unwrap()));
            assert!(energy > 2.0 * measure + 1.0, "{test:?}: {energy} {measure}");
            assert_eq!(foremost, (0, false), "{test:?}");
        }
    }

    proptest! {
        #[test]
        fn a_bet_on_clean_images_wins_nothing_on_average(
            estimate in 0.01_f64..0.99,
            below in 0.0_f64..1.0,
            above in 0.0_f64..1.0,
        ) {
            // Zeros and ones of a mean within the bounds.
            let mean = Mean {
                estimate,
                low: estimate * below,
                high: estimate + (1.0 - estimate) * above,
                deviation: libm::sqrt(estimate * (1.0 - estimate)),
            };
            for (test, expected) in [(Test::Cusum, 1.0), (Test::EDetector, 1.0)] {
                let level = |number| Chart::new(test, Statistic::TopMargin, &[mean]).push(&[number]);
                let average = estimate * level(1.0) + (1.0 - estimate) * level(0.0);
                prop_assert!(average <= expected + 1e-9, "{} {}", test.name(), average);
                prop_assert!(level(1.0) >= 0.0 && level(0.0) >= 0.0);
            }
        }
    }
}
