//! Which samples take part, and which labels are specified.

use serde::{Deserialize, Serialize};
use tkmia_core::{CoreError, LabelSet};
use tkmia_metrics::Ranking;

use crate::criterion::hits;

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
    /// The attack is a targeted one, and the sample has no target.
    #[error("no target: fewer than k labels are irrelevant")]
    NoTarget,
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

/// The whole filter of the global scheme: [`eligible_by_labels`], and a label of `S` is in the
/// clean top-k.
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
) -> Result<(), Reason> {
    eligible_by_labels(relevant, specified, k)?;
    match hits(clean, specified, k) {
        0 => Err(Reason::NothingToExclude),
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
            eligible(&ranking, &relevant.map(|r| r == 1), &specified.map(|s| s == 1), k)
        };
        assert_eq!(check([1, 1, 1, 0], [1, 0, 0, 0], 2), Ok(()));
        assert_eq!(check([1, 1, 1, 0], [0, 0, 0, 0], 2), Err(Reason::NothingSpecified));
        assert_eq!(
            check([1, 1, 0, 0], [1, 0, 0, 0], 2),
            Err(Reason::TooFewRelevant { relevant: 2, needed: 3 })
        );
        assert_eq!(check([1, 1, 1, 0], [0, 0, 1, 0], 2), Err(Reason::NothingToExclude));
    }
}
