//! The one check that every function on a batch makes of its rows.

use crate::{MetricsError, Ranking};

/// Ranks one row after another, having checked that it is as long as the first and has its labels.
pub(crate) fn rank_rows<'a, T, S, R>(
    scores: &'a [S],
    relevant: &'a [R],
) -> Result<impl Iterator<Item = Result<Ranking, MetricsError>> + use<'a, T, S, R>, MetricsError>
where
    T: Copy + Into<f64>,
    S: AsRef<[T]>,
    R: AsRef<[bool]>,
{
    check_length("rows of labels", scores.len(), relevant.len())?;
    let classes = scores.first().map_or(0, |first| first.as_ref().len());
    let rows = scores.iter().zip(relevant).enumerate();
    Ok(rows.map(move |(row, (scores, relevant))| {
        rank_row(classes, scores.as_ref(), relevant.as_ref()).map_err(|fault| fault.in_row(row))
    }))
}

/// Ranks a row, having checked that it has so many labels.
pub(crate) fn rank_row<T: Copy + Into<f64>>(
    classes: usize,
    scores: &[T],
    relevant: &[bool],
) -> Result<Ranking, MetricsError> {
    check_length("scores", classes, scores.len())?;
    check_length("label flags", classes, relevant.len())?;
    Ranking::new(scores)
}

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

    /// What is wrong with the first row that isn't right.
    fn fault<T: Copy + Into<f64>, S: AsRef<[T]>, R: AsRef<[bool]>>(
        scores: &[S],
        relevant: &[R],
    ) -> MetricsError {
        rank_rows(scores, relevant).unwrap().find_map(Result::err).unwrap()
    }

    #[test]
    fn rows_of_unequal_length_are_named() {
        let mismatch =
            |what, expected, found| MetricsError::LengthMismatch { what, expected, found };
        let labels = [[true, false]; 2];
        let ranked = rank_rows(&[[0.1_f32, 0.2]], &labels);
        assert_eq!(ranked.err(), Some(mismatch("rows of labels", 1, 2)));
        assert_eq!(
            fault(&[vec![0.1_f32, 0.2], vec![0.1]], &labels),
            mismatch("scores", 2, 1).in_row(1)
        );
        assert_eq!(
            fault(&[[0.1_f64, 0.2]; 2], &[vec![true, false], vec![true; 3]]),
            mismatch("label flags", 2, 3).in_row(1)
        );
    }

    #[test]
    fn a_score_that_is_not_finite_is_named_with_its_row() {
        let found = fault(&[[0.1_f32, 0.2], [0.1, f32::INFINITY]], &[[true; 2]; 2]);
        let expected = MetricsError::NonFiniteScore { label: 1, score: f64::INFINITY };
        assert_eq!(found, expected.in_row(1));
    }
}
