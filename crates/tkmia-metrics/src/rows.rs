//! The one check that every function on a batch makes of its rows.

use crate::{MetricsError, Ranking};
use alloc::vec::Vec;

/// Ranks every row, having checked that all rows are of one length and each has its labels.
pub(crate) fn rank_rows<T, S, R>(scores: &[S], relevant: &[R]) -> Result<Vec<Ranking>, MetricsError>
where
    T: Copy + Into<f64>,
    S: AsRef<[T]>,
    R: AsRef<[bool]>,
{
    check_length("rows of labels", scores.len(), relevant.len())?;
    let classes = scores.first().map_or(0, |first| first.as_ref().len());
    let rows = scores.iter().zip(relevant).enumerate();
    let ranked = rows.map(|(row, (scores, relevant))| {
        check_length("scores", classes, scores.as_ref().len())
            .and_then(|()| check_length("label flags", classes, relevant.as_ref().len()))
            .and_then(|()| Ranking::new(scores.as_ref()))
            .map_err(|fault| fault.in_row(row))
    });
    ranked.collect()
}

/// That two slices that belong together are equally long.
pub(crate) fn check_length(
    what: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), MetricsError> {
    if expected == found {
        Ok(())
    } else {
        Err(MetricsError::LengthMismatch { what, expected, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_unequal_length_are_named() {
        let mismatch =
            |what, expected, found| MetricsError::LengthMismatch { what, expected, found };
        let labels = [[true, false]; 2];
        assert_eq!(
            rank_rows(&[[0.1_f32, 0.2]], &labels).unwrap_err(),
            mismatch("rows of labels", 1, 2)
        );
        assert_eq!(
            rank_rows(&[vec![0.1_f32, 0.2], vec![0.1]], &labels).unwrap_err(),
            mismatch("scores", 2, 1).in_row(1)
        );
        assert_eq!(
            rank_rows(&[[0.1_f64, 0.2]; 2], &[vec![true, false], vec![true; 3]]).unwrap_err(),
            mismatch("label flags", 2, 3).in_row(1)
        );
    }

    #[test]
    fn a_score_that_is_not_finite_is_named_with_its_row() {
        let error =
            rank_rows(&[[0.1_f32, 0.2], [0.1, f32::INFINITY]], &[[true; 2]; 2]).unwrap_err();
        let fault = MetricsError::NonFiniteScore { label: 1, score: f64::INFINITY };
        assert_eq!(error, fault.in_row(1));
    }
}
