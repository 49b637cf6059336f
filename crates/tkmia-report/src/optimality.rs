//! [`optimality`]: how near an attack comes to the smallest norms that any attack found.

use crate::comparison::{Found, comparison};

/// Local optimality among the attacks that it may be [compared](comparison) with: Cinà et al., "AttackBench:
/// Evaluating Gradient-based Attacks for Adversarial Examples", AAAI 2025.
///
/// ```text
/// 1 − (A − A*) / (ε₀ − A*),    A = ∫₀^ε₀ (share of samples without a success within ε) dε
/// ```
///
/// `A*` is that area for the best known norms and `ε₀` the largest of them; an area is a mean of norms cut off at
/// `ε₀`, which is what a failure counts for. 1 is as good as the best known on every sample, 0 no success within
/// `ε₀`. None where no attack succeeded on any of the samples, or all best norms are the same.
pub(crate) fn optimality(own: Found<'_>, all: &[Found<'_>]) -> Option<f64> {
    let mut best = vec![f64::INFINITY; own.records.len()];
    for other in all {
        let theirs = comparison(own, *other).into_iter().flatten();
        for (best, at) in best.iter_mut().zip(theirs) {
            let norm = at.and_then(|at| other.norm_at(at));
            *best = best.min(norm.unwrap_or(f64::INFINITY));
        }
    }
    let norms = own.records.iter().map(|record| own.norm(record).unwrap_or(f64::INFINITY));
    let known: Vec<(f64, f64)> = norms.zip(best).filter(|(_, best)| best.is_finite()).collect();
    let end = known.iter().fold(0.0_f64, |end, (_, best)| end.max(*best));
    let area = |norm: fn(&(f64, f64)) -> f64| {
        known.iter().map(|pair| norm(pair).min(end)).sum::<f64>() / known.len() as f64
    };
    let (own, best) = (area(|pair| pair.0), area(|pair| pair.1));
    (end > best).then(|| 1.0 - (own - best) / (end - best))
}

#[cfg(test)]
mod tests {
    use tkmia_attacks::{AttackSettings, Descent, Variant};

    use super::*;
    use crate::Record;
    use crate::toy::toy;

    #[test]
    fn the_best_on_every_sample_has_one_and_none_within_reach_nothing() {
        let record =
            |id: &str, norm, success| Record { id: id.to_owned(), ..toy("", 0, success, norm) };
        let best = [record("a", 1.0, true), record("b", 3.0, true)];
        let half = [record("a", 2.0, true), record("b", 9.0, false)];
        let none = [record("a", 5.0, true), record("b", 0.1, false)];
        // In another view: neither better nor worse.
        let tanh = [record("a", 0.1, true), record("b", 0.1, true)];
        let (image, released) = (
            AttackSettings::default(),
            AttackSettings::from(Descent { variant: Variant::Released, ..Descent::default() }),
        );
        let records: Vec<Vec<&Record>> =
            [&best, &half, &none, &tanh].map(|records| records.iter().collect()).to_vec();
        let found = |at: usize| {
            let run = if at == 3 { &released } else { &image };
            Found::new(&best[0].setting, run, &records[at])
        };
        let all = [0, 1, 2, 3].map(found);
        // ε₀ = 3, A* = 2; half: A = (2 + 3)/2.
        assert_eq!([0, 1, 2].map(|at| optimality(all[at], &all)), [1.0, 0.5, 0.0].map(Some));
        let one = Found::new(&best[0].setting, &image, &records[0][..1]);
        assert_eq!(optimality(one, &all), None);
    }
}
