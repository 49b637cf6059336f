//! [`Goal`]: what an attack on a batch is after.

use burn::tensor::{Bool, Device, Tensor};

use crate::{CoreError, LabelSet};

/// The relevant labels `Y_p`, the specified labels `S ⊂ Y_p` and `k`, for each row of a batch.
///
/// The label sets are kept on the host for judging and on the device for losses, so that a step of
/// an attack uploads nothing.
#[derive(Debug, Clone)]
pub struct Goal {
    k: usize,
    relevant: LabelSet,
    specified: LabelSet,
    specified_mask: Tensor<2, Bool>,
    others_mask: Tensor<2, Bool>,
}

impl Goal {
    /// Checks the sets against each other and puts them on the device of the scores.
    ///
    /// # Errors
    /// - [`CoreError::TopKOutOfRange`] unless `1 ≤ k < classes`
    /// - [`CoreError::ShapeMismatch`] if the sets differ in shape
    /// - [`CoreError::NothingSpecified`] if a row of `specified` is empty
    /// - [`CoreError::SpecifiedNotRelevant`] unless `specified` lies within `relevant`
    pub fn new(
        relevant: LabelSet,
        specified: LabelSet,
        k: usize,
        device: &Device,
    ) -> Result<Self, CoreError> {
        let classes = relevant.classes();
        if k == 0 || k >= classes {
            return Err(CoreError::TopKOutOfRange { k, classes });
        }
        let outside = specified.difference(&relevant)?;
        for row in 0..specified.rows() {
            if let Some(&label) = outside.indices(row).first() {
                return Err(CoreError::SpecifiedNotRelevant { row, label });
            }
            if specified.count(row) == 0 {
                return Err(CoreError::NothingSpecified { row });
            }
        }
        Ok(Self::on_device(relevant, specified, k, device))
    }

    fn on_device(relevant: LabelSet, specified: LabelSet, k: usize, device: &Device) -> Self {
        let specified_mask = specified.to_tensor(device);
        let others_mask = relevant.to_tensor(device).bool_and(specified_mask.clone().bool_not());
        Self { k, relevant, specified, specified_mask, others_mask }
    }

    /// Size of the predicted set.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.relevant.rows()
    }

    /// The relevant labels, `Y_p`.
    pub fn relevant(&self) -> &LabelSet {
        &self.relevant
    }

    /// The specified labels, `S`.
    pub fn specified(&self) -> &LabelSet {
        &self.specified
    }

    /// `S` as a mask `[batch, classes]`.
    pub fn specified_mask(&self) -> Tensor<2, Bool> {
        self.specified_mask.clone()
    }

    /// `R = Y_p ∖ S`, the labels to keep, as a mask `[batch, classes]`.
    pub fn others_mask(&self) -> Tensor<2, Bool> {
        self.others_mask.clone()
    }

    /// `Y_p` as a mask `[batch, classes]`.
    pub fn relevant_mask(&self) -> Tensor<2, Bool> {
        self.specified_mask().bool_or(self.others_mask())
    }

    /// `Y_n`, the irrelevant labels, as a mask `[batch, classes]`.
    pub fn irrelevant_mask(&self) -> Tensor<2, Bool> {
        self.relevant_mask().bool_not()
    }

    /// The goal of the rows at the given positions, in that order.
    ///
    /// # Panics
    /// If a position isn't below [`rows`](Self::rows).
    pub fn select(&self, rows: &[usize]) -> Self {
        let device = self.specified_mask.device();
        let (relevant, specified) = (self.relevant.select(rows), self.specified.select(rows));
        Self::on_device(relevant, specified, self.k, &device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(relevant: &[usize], specified: &[usize], k: usize) -> Result<Goal, CoreError> {
        let relevant = LabelSet::from_indices(&[relevant], 4)?;
        let specified = LabelSet::from_indices(&[specified], 4)?;
        Goal::new(relevant, specified, k, &Device::default())
    }

    #[test]
    fn bad_goals_are_refused() {
        assert!(matches!(goal(&[0, 1], &[1], 0), Err(CoreError::TopKOutOfRange { k: 0, .. })));
        assert!(matches!(goal(&[0, 1], &[1], 4), Err(CoreError::TopKOutOfRange { k: 4, .. })));
        assert!(matches!(goal(&[0, 1], &[], 2), Err(CoreError::NothingSpecified { row: 0 })));
        assert!(matches!(
            goal(&[0, 1], &[2], 2),
            Err(CoreError::SpecifiedNotRelevant { row: 0, label: 2 })
        ));
    }

    #[test]
    fn masks_follow_the_selected_rows() -> Result<(), CoreError> {
        let relevant = LabelSet::from_indices(&[vec![0, 1], vec![2, 3]], 4)?;
        let specified = LabelSet::from_indices(&[vec![0], vec![3]], 4)?;
        let goal = Goal::new(relevant, specified, 1, &Device::default())?.select(&[1]);
        let mask = goal.others_mask().into_data().try_to_vec::<bool>().unwrap();
        assert_eq!(mask, [false, false, true, false]);
        Ok(())
    }
}
