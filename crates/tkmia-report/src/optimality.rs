//! [`BestKnown`]: how near each attack comes to the smallest norms that any attack found.

use std::collections::HashMap;

use crate::Record;
use crate::comparison::{Sample, norm};

/// The smallest norm of a success on each sample, over all attacks.
#[derive(Debug, Default)]
pub(crate) struct BestKnown<'a> {
    norms: HashMap<Sample<'a>, f64>,
}

impl<'a> BestKnown<'a> {
    pub fn new(records: &'a [Record]) -> Self {
        let mut norms: HashMap<_, f64> = HashMap::new();
        for record in records.iter().filter(|record| record.success) {
            let best = norms.entry(Sample::from(record)).or_insert(f64::INFINITY);
            *best = best.min(norm(record));
        }
        Self { norms }
    }

    /// Local optimality: Cinà et al., "AttackBench: Evaluating Gradient-based Attacks for Adversarial
    /// Examples", AAAI 2025.
    ///
    /// ```text
    /// 1 − (A − A*) / (ε₀ − A*),    A = ∫₀^ε₀ (share of samples without a success within ε) dε
    /// ```
    ///
    /// `A*` is that area for the best known norms and `ε₀` the largest of them; an area is a mean of norms
    /// cut off at `ε₀`, which is what a failure counts for. 1 is as good as the best known on every sample, 0 no
    /// success within `ε₀`. None where no attack succeeded on any of the samples, or all best norms are
    /// the same.
    pub fn optimality(&self, records: &[&Record]) -> Option<f64> {
        let known: Vec<(f64, f64)> = (records.iter())
            .filter_map(|record| {
                let own = if record.success { norm(record) } else { f64::INFINITY };
                self.norms.get(&Sample::from(*record)).map(|&best| (own, best))
            })
            .collect();
        let end = known.iter().fold(0.0_f64, |end, (_, best)| end.max(*best));
        let area = |norm: fn(&(f64, f64)) -> f64| {
            known.iter().map(|pair| norm(pair).min(end)).sum::<f64>() / known.len() as f64
        };
        let (own, best) = (area(|pair| pair.0), area(|pair| pair.1));
        (end > best).then(|| 1.0 - (own - best) / (end - best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::toy;

    #[test]
    fn the_best_on_every_sample_has_one_and_none_within_reach_nothing() {
        let record =
            |id: &str, norm, success| Record { id: id.to_owned(), ..toy("", 0, success, norm) };
        let best = [record("a", 1.0, true), record("b", 3.0, true)];
        let half = [record("a", 2.0, true), record("b", 9.0, false)];
        let none = [record("a", 5.0, true), record("b", 0.1, false)];
        let all: Vec<Record> = best.iter().chain(&half).chain(&none).cloned().collect();
        let known = BestKnown::new(&all);
        let optimality = |records: &[Record]| known.optimality(&records.iter().collect::<Vec<_>>());
        // ε₀ = 3, A* = 2; half: A = (2 + 3)/2.
        assert_eq!(optimality(&best), Some(1.0));
        assert_eq!(optimality(&half), Some(0.5));
        assert_eq!(optimality(&none), Some(0.0));
        assert_eq!(optimality(&best[..1]), None);
    }
}
