//! [`LabelSet`]: which labels each row of a batch holds.

use burn::tensor::{Bool, Device, Tensor, TensorData};

use crate::CoreError;

/// A set of labels for each row of a batch: a checked boolean `[rows, classes]`.
///
/// It stands for the paper's `Y_p` (relevant labels), `S` (specified labels) and what is made of
/// them by [`union`](Self::union) and [`difference`](Self::difference).
///
/// # Example
///
/// ```
/// use tkmia_core::LabelSet;
///
/// let relevant = LabelSet::from_indices(&[vec![0, 2, 3]], 5)?;
/// let specified = LabelSet::from_indices(&[vec![2]], 5)?;
/// assert_eq!(relevant.difference(&specified)?.indices(0), [0, 3]);
/// # Ok::<(), tkmia_core::CoreError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSet {
    members: Vec<bool>,
    classes: usize,
}

impl LabelSet {
    /// Row-major membership flags, `classes` to a row.
    ///
    /// # Errors
    /// [`CoreError::ShapeMismatch`] if the flags don't fill whole rows.
    pub fn new(members: Vec<bool>, classes: usize) -> Result<Self, CoreError> {
        if classes == 0 || !members.len().is_multiple_of(classes) {
            return Err(CoreError::ShapeMismatch {
                what: "flags of a label set",
                expected: [members.len().checked_div(classes).unwrap_or(0), classes],
                found: [members.len(), 1],
            });
        }
        Ok(Self { members, classes })
    }

    /// The label indices of each row, in any order.
    ///
    /// # Errors
    /// [`CoreError::LabelOutOfRange`] if an index isn't below `classes`.
    pub fn from_indices<R: AsRef<[usize]>>(rows: &[R], classes: usize) -> Result<Self, CoreError> {
        let mut members = vec![false; rows.len() * classes];
        for (row, labels) in rows.iter().enumerate() {
            for &label in labels.as_ref() {
                if label >= classes {
                    return Err(CoreError::LabelOutOfRange { row, label, classes });
                }
                members[row * classes + label] = true;
            }
        }
        Self::new(members, classes)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.members.len() / self.classes
    }

    /// Number of labels, `c` in the paper.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Membership flags of one row, `[classes]`.
    ///
    /// # Panics
    /// If `row` isn't below [`rows`](Self::rows).
    pub fn row(&self, row: usize) -> &[bool] {
        &self.members[row * self.classes..(row + 1) * self.classes]
    }

    /// The labels of one row, ascending.
    pub fn indices(&self, row: usize) -> Vec<usize> {
        let flags = self.row(row).iter().enumerate();
        flags.filter_map(|(label, &member)| member.then_some(label)).collect()
    }

    /// Number of labels in one row.
    pub fn count(&self, row: usize) -> usize {
        self.row(row).iter().filter(|&&member| member).count()
    }

    /// Labels in either set.
    ///
    /// # Errors
    /// [`CoreError::ShapeMismatch`] if the shapes differ; so do the other set operations.
    pub fn union(&self, other: &Self) -> Result<Self, CoreError> {
        self.zip("union of label sets", other, |a, b| a || b)
    }

    /// Labels in both sets.
    ///
    /// # Errors
    /// As [`union`](Self::union).
    pub fn intersection(&self, other: &Self) -> Result<Self, CoreError> {
        self.zip("intersection of label sets", other, |a, b| a && b)
    }

    /// Labels in this set and not in the other.
    ///
    /// # Errors
    /// As [`union`](Self::union).
    pub fn difference(&self, other: &Self) -> Result<Self, CoreError> {
        self.zip("difference of label sets", other, |a, b| a && !b)
    }

    /// The rows at the given positions, in that order.
    ///
    /// # Panics
    /// If a position isn't below [`rows`](Self::rows).
    pub fn select(&self, rows: &[usize]) -> Self {
        let members = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        Self { members, classes: self.classes }
    }

    /// The set as a boolean tensor `[rows, classes]` on a device.
    pub fn to_tensor(&self, device: &Device) -> Tensor<2, Bool> {
        let data = TensorData::new(self.members.clone(), [self.rows(), self.classes]);
        Tensor::from_data(data, device)
    }

    fn zip(
        &self,
        what: &'static str,
        other: &Self,
        keep: impl Fn(bool, bool) -> bool,
    ) -> Result<Self, CoreError> {
        let (expected, found) = ([self.rows(), self.classes], [other.rows(), other.classes]);
        if expected != found {
            return Err(CoreError::ShapeMismatch { what, expected, found });
        }
        let pairs = self.members.iter().zip(&other.members);
        let members = pairs.map(|(&a, &b)| keep(a, b)).collect();
        Ok(Self { members, classes: self.classes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_operations_work_row_by_row() -> Result<(), CoreError> {
        let a = LabelSet::from_indices(&[vec![0, 1], vec![2]], 3)?;
        let b = LabelSet::from_indices(&[vec![1], vec![0]], 3)?;
        assert_eq!(a.union(&b)?.row(1), [true, false, true]);
        assert_eq!(a.intersection(&b)?.indices(0), [1]);
        assert_eq!(a.difference(&b)?.indices(0), [0]);
        assert_eq!(a.select(&[1, 1, 0]).count(2), 2);
        Ok(())
    }

    #[test]
    fn shapes_and_indices_are_checked() -> Result<(), CoreError> {
        let a = LabelSet::from_indices(&[vec![0]], 3)?;
        let b = LabelSet::from_indices(&[vec![0]], 4)?;
        assert!(matches!(a.union(&b), Err(CoreError::ShapeMismatch { .. })));
        assert!(matches!(
            LabelSet::from_indices(&[vec![3]], 3),
            Err(CoreError::LabelOutOfRange { row: 0, label: 3, classes: 3 })
        ));
        assert!(LabelSet::new(vec![true; 5], 3).is_err());
        Ok(())
    }
}
