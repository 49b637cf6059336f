//! Which samples take part, and which labels are specified.

use serde::{Deserialize, Serialize};
use tkmia_core::{CoreError, LabelSet};
use tkmia_metrics::Ranking;

use crate::criterion::hits;
use crate::draw::draw;

/// Why a sample doesn't take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// No label of the sample is specified.
    #[error("no specified label is relevant (S is empty)")]
    NothingSpecified,
    /// Too few relevant labels to fill the top-k once the specified ones are out.
    #[error("{relevant} relevant labels, needed are k + |S| = {needed}")]
    TooFewRelevant {
        /// `|Y_p|`.
        relevant: usize,
        /// `k + |S|`.
        needed: usize,
    },
    /// No specified label is in the clean top-k, so there is none to push out.
    #[error("no specified label is in the clean top-k")]
    NothingToExclude,
    /// Fewer specified labels in the clean top-k than are to leave it.
    #[error("{found} specified labels in the clean top-k, δ = {delta} are to leave it")]
    TooFewToExclude {
        /// `|S ∩ T_k(x)|`.
        found: usize,
        /// δ.
        delta: usize,
    },
    /// The attack is a targeted one, and the sample has no target.
    #[error("no target: fewer than k labels are irrelevant")]
    NoTarget,
    /// Fewer relevant labels in the clean top-k than are to be drawn from it.
    #[error("{found} relevant labels in the clean top-k, needed are |S| = {needed}")]
    TooFewInTopK {
        /// `|Y_p ∩ T_k(x)|`.
        found: usize,
        /// `|S|`.
        needed: usize,
    },
}

/// The global selection scheme (S1): `S = categories ∩ Y_p` for each row.
///
/// # Errors
/// [`CoreError::LabelOutOfRange`] if a category isn't a label.
///
/// # Example
///
/// ```
/// use tkmia_attacks::global_selection;
/// use tkmia_core::LabelSet;
///
/// let relevant = LabelSet::from_indices(&[vec![0, 1, 3], vec![2]], 4)?;
/// let specified = global_selection(&relevant, &[1, 3])?;
/// assert_eq!(specified.indices(0), [1, 3]);
/// assert_eq!(specified.count(1), 0);
/// # Ok::<(), tkmia_core::CoreError>(())
/// ```
pub fn global_selection(relevant: &LabelSet, categories: &[usize]) -> Result<LabelSet, CoreError> {
    let rows = vec![categories; relevant.rows()];
    LabelSet::from_indices(&rows, relevant.classes())?.intersection(relevant)
}

/// The random selection scheme (S2): `count` labels drawn from `Y_p ∩ T_k(x)` without replacement.
///
/// The draw is a function of the seed, the sample's id and the candidates alone, on any machine: `S` is
/// those `count` candidates whose SHA-256 of (seed, label, id) is the smallest, as bytes; seed and
/// label are 8 bytes each, little-endian, and the id is its UTF-8. Each label keeps its digest whatever the
/// `k`, so that draws of one seed differ between settings, or between clean images, only where the
/// candidates do.
///
/// Gives `S` ascending.
///
/// # Errors
/// The [`Reason`] why the sample doesn't take part: `|Y_p| < k + count`, or `|Y_p ∩ T_k(x)| < count`.
///
/// # Panics
/// If the flags aren't one per label, or `k` isn't in `1..=classes`.
///
/// # Example
///
/// ```
/// use tkmia_attacks::random_selection;
/// use tkmia_metrics::Ranking;
///
/// let clean = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1, 0.05])?;
/// let relevant = [true, true, false, true, true];
/// let specified = random_selection(&clean, &relevant, 2, 1, 2023, "2008_000002")?;
/// assert_eq!(specified, random_selection(&clean, &relevant, 2, 1, 2023, "2008_000002")?);
/// assert!(specified == [0] || specified == [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn random_selection(
    clean: &Ranking,
    relevant: &[bool],
    k: usize,
    count: usize,
    seed: u64,
    id: &str,
) -> Result<Vec<usize>, Reason> {
    if count == 0 {
        return Err(Reason::NothingSpecified);
    }
    let (labels, needed) = (relevant.iter().filter(|&&flag| flag).count(), k + count);
    if labels < needed {
        return Err(Reason::TooFewRelevant { relevant: labels, needed });
    }
    let found = hits(clean, relevant, k);
    if found < count {
        return Err(Reason::TooFewInTopK { found, needed: count });
    }
    let top = clean.order()[..k].iter().copied();
    Ok(draw(top.filter(|&label| relevant[label]), count, seed, id))
}

/// The part of the sample filter that labels alone decide: `S` isn't empty and `|Y_p| ≥ k + |S|`.
///
/// # Errors
/// The [`Reason`] why the sample doesn't take part.
pub fn eligible_by_labels(relevant: &[bool], specified: &[bool], k: usize) -> Result<(), Reason> {
    let count = |flags: &[bool]| flags.iter().filter(|&&flag| flag).count();
    let (relevant, specified) = (count(relevant), count(specified));
    if specified == 0 {
        return Err(Reason::NothingSpecified);
    }
    let needed = k + specified;
    if relevant < needed {
        return Err(Reason::TooFewRelevant { relevant, needed });
    }
    Ok(())
}

/// The whole filter of the global scheme: [`eligible_by_labels`], and a label of `S`, or as many as δ asks
/// for, are in the clean top-k.
///
/// # Errors
/// The [`Reason`] why the sample doesn't take part.
///
/// # Panics
/// If the flags aren't one per label, or `k` isn't in `1..=classes`.
pub fn eligible(
    clean: &Ranking,
    relevant: &[bool],
    specified: &[bool],
    k: usize,
    delta: Option<usize>,
) -> Result<(), Reason> {
    eligible_by_labels(relevant, specified, k)?;
    match (hits(clean, specified, k), delta) {
        (0, _) => Err(Reason::NothingToExclude),
        (found, Some(delta)) if found < delta => Err(Reason::TooFewToExclude { found, delta }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_filter_gives_its_reason() {
        let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1]).unwrap();
        let check = |relevant: [usize; 4], specified: [usize; 4], k| {
            eligible(&ranking, &relevant.map(|r| r == 1), &specified.map(|s| s == 1), k, None)
        };
        assert_eq!(check([1, 1, 1, 0], [1, 0, 0, 0], 2), Ok(()));
        assert_eq!(check([1, 1, 1, 0], [0, 0, 0, 0], 2), Err(Reason::NothingSpecified));
        assert_eq!(
            check([1, 1, 0, 0], [1, 0, 0, 0], 2),
            Err(Reason::TooFewRelevant { relevant: 2, needed: 3 })
        );
        assert_eq!(check([1, 1, 1, 0], [0, 0, 1, 0], 2), Err(Reason::NothingToExclude));
        // Labels 0 and 3 are specified, and label 0 alone is in the top-2.
        let by = |delta| eligible(&ranking, &[true; 4], &[true, false, false, true], 2, delta);
        assert_eq!((by(None), by(Some(1))), (Ok(()), Ok(())));
        assert_eq!(by(Some(2)), Err(Reason::TooFewToExclude { found: 1, delta: 2 }));
    }

    #[test]
    fn only_relevant_labels_of_the_top_k_are_drawn_and_all_of_them_are() {
        let ranking = Ranking::new(&[0.1_f32, 0.8, 0.7, 0.9, 0.2, 0.3, 0.4]).unwrap();
        let relevant = [true, true, false, true, true, true, true];
        let mut counts = [0; 7];
        for number in 0..600 {
            let id = number.to_string();
            for label in random_selection(&ranking, &relevant, 4, 1, 7, &id).unwrap() {
                counts[label] += 1;
            }
        }
        assert_eq!([counts[0], counts[2], counts[4], counts[5]], [0; 4], "outside Y_p ∩ T_k");
        // 200 each, give or take four standard deviations (11.5).
        for label in [1, 3, 6] {
            assert!((154..=246).contains(&counts[label]), "{counts:?}");
        }
    }

    #[test]
    fn each_part_of_the_random_filter_gives_its_reason() {
        let ranking = Ranking::new(&[0.9_f32, 0.8, 0.7, 0.1]).unwrap();
        let select = |relevant: [usize; 4], k, count| {
            random_selection(&ranking, &relevant.map(|r| r == 1), k, count, 0, "a")
        };
        assert_eq!(select([1, 1, 1, 1], 2, 2), Ok(vec![0, 1]));
        assert_eq!(select([1, 1, 1, 1], 2, 0), Err(Reason::NothingSpecified));
        assert_eq!(
            select([1, 1, 1, 0], 2, 2),
            Err(Reason::TooFewRelevant { relevant: 3, needed: 4 })
        );
        assert_eq!(select([0, 1, 1, 1], 1, 1), Err(Reason::TooFewInTopK { found: 0, needed: 1 }));
    }
}
