//! [`optimality`]: how near an attack comes to the smallest norms that any attack found.

use tkmia_metrics::mean;

use crate::by_image::Images;
use crate::comparison::Found;

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
pub(crate) fn optimality(own: &Found<'_>, all: &[Found<'_>], images: &Images) -> Option<f64> {
    let mut best = vec![f64::INFINITY; own.samples()];
    for other in all.iter().filter(|other| own.is_like(other)) {
        for (sample, best) in best.iter_mut().enumerate() {
            *best = best.min(other.norm(sample).unwrap_or(f64::INFINITY));
        }
    }
    let known = || images.drawn(own.samples()).filter(|&sample| best[sample].is_finite());
    let end = known().fold(0.0_f64, |end, sample| end.max(best[sample]));
    let area = |norm: &dyn Fn(usize) -> f64| mean(known().map(|sample| norm(sample).min(end)));
    let least = area(&|sample| best[sample])?;
    let area = area(&|sample| own.norm(sample).unwrap_or(f64::INFINITY))?;
    (end > least).then(|| 1.0 - (area - least) / (end - least))
}

#[cfg(test)]
mod tests {
    use tkmia_attacks::{AttackSettings, Descent, Variant};

    use super::*;
    use crate::Record;
    use crate::samples::Measured;
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
        let found = |records: &[Record], run| {
            let measured = records.iter().map(|record| Measured::new(record).unwrap());
            Found::new(0, run, &measured.collect::<Vec<_>>())
        };
        let all = [
            found(&best, &image),
            found(&half, &image),
            found(&none, &image),
            found(&tanh, &released),
        ];
        let mut images = Images::default();
        images.extend(best.iter().map(|record| (record.id.clone(), vec![0])).collect());
        // ε₀ = 3, A* = 2; half: A = (2 + 3)/2.
        let optima = [0, 1, 2].map(|at| optimality(&all[at], &all, &images));
        assert_eq!(optima, [1.0, 0.5, 0.0].map(Some));
        let one = found(&best[..1], &image);
        assert_eq!(optimality(&one, &all, &images), None);
    }
}
