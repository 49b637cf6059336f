//! [`Wealth`]: what bets against clean images have won.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::Test;
use crate::mean::Mean;

/// The parts of a bet's largest possible size that are betted: a small one wins on small changes, a large one soon on large.
const FRACTIONS: [f64; 2] = [0.2, 0.8];

/// Where [`Test::Sprt`] has decided for clean images: Wald's lower boundary of an attack that is missed once in twenty.
const ACCEPTED: f64 = 0.05;

/// The wealth of bets on changes of means.
///
/// With a number `x` in `[0, 1]` of clean mean `μ`, the bet `e = 1 + λ (x − μ)` has the mean 1, and is never negative for
/// `−1/(1 − μ) ≤ λ ≤ 1/μ`. There are bets that `x` falls and that it rises, of two sizes each. For an indicator, `e` is the
/// likelihood ratio of a frequency `μ + λ μ (1 − μ)` and `μ`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wealth {
    test: Test,
    bets: Vec<Bet>,
    wealth: Vec<f64>,
}

/// `e = none + each · x`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bet {
    component: usize,
    none: f64,
    each: f64,
}

impl Wealth {
    /// Of numbers with these clean means; `both` is whether a rise counts too.
    pub fn new(test: Test, means: &[Mean], both: bool) -> Self {
        // A bet whose clean mean is 1 at most, whatever the mean is within its bounds.
        let [low, high]: [fn(&Mean) -> f64; 2] = match test.is_calibrated() {
            true => [|mean| mean.estimate, |mean| mean.estimate],
            false => [|mean| mean.low, |mean| mean.high],
        };
        let mut bets = Vec::new();
        for (component, mean) in means.iter().enumerate() {
            for fraction in FRACTIONS {
                let mut bet = |mean: f64, each: f64| {
                    bets.push(Bet { component, none: 1.0 - each * mean, each });
                };
                let (low, high) = (low(mean), high(mean));
                bet(low, -fraction / (1.0 - low));
                if both {
                    bet(high, fraction / high);
                }
            }
        }
        let wealth = vec![start(test); bets.len()];
        Self { test, bets, wealth }
    }

    /// Adds the evidence of an image.
    pub fn push(&mut self, numbers: &[f64]) {
        match self.test {
            Test::Cusum => self.update(numbers, |e, wealth| e * wealth.max(1.0)),
            Test::Sprt => self.update(numbers, |e, wealth| {
                let wealth = e * wealth;
                if wealth < ACCEPTED { 1.0 } else { wealth }
            }),
            Test::EDetector => self.update(numbers, |e, wealth| e * (wealth + 1.0)),
            Test::Martingale | Test::PageHinkley => self.update(numbers, |e, wealth| e * wealth),
        }
    }

    fn update(&mut self, numbers: &[f64], rule: impl Fn(f64, f64) -> f64) {
        for (bet, wealth) in self.bets.iter().zip(&mut self.wealth) {
            *wealth = rule(bet.none + bet.each * numbers[bet.component], *wealth);
        }
    }

    /// The mean over bets.
    pub fn level(&self) -> f64 {
        self.wealth.iter().sum::<f64>() / self.wealth.len() as f64
    }

    /// The component whose bet has won most, and whether that it falls.
    pub fn foremost(&self) -> (usize, bool) {
        let most = self.bets.iter().zip(&self.wealth).max_by(|(_, a), (_, b)| a.total_cmp(b));
        let (bet, _) = most.expect("every gauge has a number");
        (bet.component, bet.each < 0.0)
    }

    /// Begins again.
    pub fn reset(&mut self) {
        self.wealth.fill(start(self.test));
    }
}

fn start(test: Test) -> f64 {
    match test {
        Test::EDetector => 0.0,
        Test::Cusum | Test::Sprt | Test::Martingale | Test::PageHinkley => 1.0,
    }
}
