//! [`bump`]: what Square adds to a window in L2.

/// Two pyramids side by side or one above the other, one up and one down, of norm 1: Andriushchenko et al. 2020,
/// Eq. 2. `[side, side]`
///
/// The upper half has `⌊side/2⌋` rows; where it is transposed, the left one has so many columns.
pub(super) fn bump(side: usize, transposed: bool) -> Vec<f64> {
    let upper = side / 2;
    let mut bump = vec![0.0; side * side];
    for row in 0..side {
        for column in 0..side {
            let value = match row.checked_sub(upper) {
                None => pyramid([upper, side], [row, column]),
                Some(row) => -pyramid([side - upper, side], [row, column]),
            };
            let at = if transposed { column * side + row } else { row * side + column };
            bump[at] = value;
        }
    }
    let length = bump.iter().map(|value| value * value).sum::<f64>().sqrt();
    bump.iter_mut().for_each(|value| *value /= length);
    bump
}

/// `Σ 1/j²` for `j` from 1 + the distance from the middle, in the maximum norm, to 1 + that of the far border.
fn pyramid(size: [usize; 2], at: [usize; 2]) -> f64 {
    let middle = size.map(|size| size / 2);
    let distance = at[0].abs_diff(middle[0]).max(at[1].abs_diff(middle[1]));
    (distance..=middle[0].max(middle[1])).map(|j| 1.0 / ((j + 1) * (j + 1)) as f64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_three_by_hand() {
        // One row of 1/4, 5/4, 1/4 above two of −1/4, −1/4, −1/4 and −1/4, −5/4, −1/4.
        let squares = 8.0 * 0.25 * 0.25 + 2.0 * 1.25 * 1.25 - 0.25 * 0.25;
        let expected = [0.25, 1.25, 0.25, -0.25, -0.25, -0.25, -0.25, -1.25, -0.25];
        for (found, expected) in bump(3, false).into_iter().zip(expected) {
            assert!((found - expected / f64::sqrt(squares)).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn every_window_has_norm_one_and_its_transpose() {
        for side in 1..12 {
            let (one, other) = (bump(side, false), bump(side, true));
            assert!((one.iter().map(|value| value * value).sum::<f64>() - 1.0).abs() < 1e-12);
            for row in 0..side {
                for column in 0..side {
                    let difference = one[row * side + column] - other[column * side + row];
                    assert!(difference.abs() < 1e-12);
                }
            }
        }
    }
}
