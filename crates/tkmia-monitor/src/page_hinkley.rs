//! [`PageHinkley`]: drift from the running mean.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::mean::Mean;

/// What a difference is reduced by, in clean standard deviations.
const ALLOWANCE: f64 = 0.1;

/// The Page–Hinkley test on each of several numbers.
///
/// With `d = (x − x̄) / σ`, where `x̄` is the mean of all numbers so far and `σ` the clean standard deviation, it keeps
/// `m ← m + d − δ` and looks at `m − min m` for a rise; for a fall the same of `−d`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PageHinkley {
    both: bool,
    deviations: Vec<f64>,
    images: f64,
    /// Running means.
    means: Vec<f64>,
    /// `m − min m`, which is `max(0, · + d − δ)` from 0 (Page 1954): of falls, then of rises.
    excesses: [Vec<f64>; 2],
}

impl PageHinkley {
    pub fn new(means: &[Mean], both: bool) -> Self {
        let zeros = vec![0.0; means.len()];
        Self {
            both,
            deviations: means.iter().map(|mean| mean.deviation).collect(),
            images: 0.0,
            means: zeros.clone(),
            excesses: [zeros.clone(), zeros],
        }
    }

    pub fn push(&mut self, numbers: &[f64]) {
        self.images += 1.0;
        for (at, number) in numbers.iter().enumerate() {
            let mean = &mut self.means[at];
            *mean += (number - *mean) / self.images;
            let difference = (number - *mean) / self.deviations[at];
            let [fall, rise] = &mut self.excesses;
            fall[at] = (fall[at] - difference - ALLOWANCE).max(0.0);
            if self.both {
                rise[at] = (rise[at] + difference - ALLOWANCE).max(0.0);
            }
        }
    }

    pub fn level(&self) -> f64 {
        self.excesses.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// The component that is farthest off, and whether it fell.
    pub fn foremost(&self) -> (usize, bool) {
        let all = self.excesses.iter().flatten().enumerate();
        let (at, _) = all.max_by(|(_, a), (_, b)| a.total_cmp(b)).expect("there is a number");
        let numbers = self.means.len();
        (at % numbers, at < numbers)
    }

    pub fn reset(&mut self) {
        self.images = 0.0;
        self.means.fill(0.0);
        self.excesses.iter_mut().for_each(|excess| excess.fill(0.0));
    }
}
