//! [`Goal`]: what an attack on a batch is after.

use burn::tensor::{Bool, Device, Tensor};

use crate::{CoreError, LabelSet};

/// The relevant labels `Y_p`, the specified labels `S ⊂ Y_p` and `k`, for each row of a batch.
///
/// Targeted attacks also need a target set `T` of `k` labels, see [`with_target`](Self::with_target).
///
/// The label sets are kept on the host for judging and on the device for losses, so that a step of
/// an attack uploads nothing.
#[derive(Debug, Clone)]
pub struct Goal {
    k: usize,
    delta: Option<usize>,
    relevant: LabelSet,
    specified: LabelSet,
    target: Option<Vec<Vec<usize>>>,
    specified_mask: Tensor<2, Bool>,
    others_mask: Tensor<2, Bool>,
    target_mask: Option<Tensor<2, Bool>>,
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
        Ok(Self::on_device(relevant, specified, None, k, device))
    }

    fn on_device(
        relevant: LabelSet,
        specified: LabelSet,
        target: Option<Vec<Vec<usize>>>,
        k: usize,
        device: &Device,
    ) -> Self {
        let specified_mask = specified.to_tensor(device);
        let others_mask = relevant.to_tensor(device).bool_and(specified_mask.clone().bool_not());
        let target_mask = target.as_ref().map(|target| {
            let set = LabelSet::from_indices(target, relevant.classes());
            set.expect("its labels were checked").to_tensor(device)
        });
        let delta = None;
        Self { k, delta, relevant, specified, target, specified_mask, others_mask, target_mask }
    }

    /// The same goal, but δ specified labels must leave the top-k instead of all that are in the clean one.
    ///
    /// # Errors
    /// [`CoreError::DeltaOutOfRange`] unless `1 ≤ δ ≤ |S|` in each row.
    pub fn with_delta(self, delta: usize) -> Result<Self, CoreError> {
        let counts = (0..self.rows()).map(|row| self.specified.count(row));
        match counts.enumerate().find(|&(_, specified)| !(1..=specified).contains(&delta)) {
            Some((row, specified)) => Err(CoreError::DeltaOutOfRange { row, delta, specified }),
            None => Ok(Self { delta: Some(delta), ..self }),
        }
    }

    /// The same goal with a target for each row: the labels that are to be the top-k, the one wanted at rank 1 first. It is
    /// empty in a row without a target.
    ///
    /// # Errors
    /// - [`CoreError::ShapeMismatch`] unless there is a target for each row
    /// - [`CoreError::LabelOutOfRange`] if a label isn't below `classes`
    /// - [`CoreError::TargetSize`] if a row has a target that hasn't `k` different labels
    pub fn with_target(self, target: Vec<Vec<usize>>) -> Result<Self, CoreError> {
        let classes = self.relevant.classes();
        let (expected, found) = ([self.rows(), classes], [target.len(), classes]);
        if expected != found {
            return Err(CoreError::ShapeMismatch { what: "target of a goal", expected, found });
        }
        let set = LabelSet::from_indices(&target, classes)?;
        for (row, labels) in target.iter().enumerate() {
            let found = set.count(row);
            if !labels.is_empty() && (found != self.k || labels.len() != self.k) {
                return Err(CoreError::TargetSize { row, k: self.k, found });
            }
        }
        let target_mask = Some(set.to_tensor(&self.specified_mask.device()));
        Ok(Self { target: Some(target), target_mask, ..self })
    }

    /// The same goal with other specified labels, as [`new`](Self::new) checks them.
    ///
    /// # Errors
    /// As there.
    pub fn with_specified(self, specified: LabelSet) -> Result<Self, CoreError> {
        let device = self.specified_mask.device();
        let checked = Self::new(self.relevant, specified, self.k, &device)?;
        let Self { delta, target, target_mask, .. } = self;
        Ok(Self { delta, target, target_mask, ..checked })
    }

    /// Size of the predicted set.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How many specified labels must leave the top-k, δ; `None`: all that are in the clean one.
    pub fn delta(&self) -> Option<usize> {
        self.delta
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

    /// The labels of each row that are to be the top-k, `T`, in their order, where there is a target.
    pub fn target(&self) -> Option<&[Vec<usize>]> {
        self.target.as_deref()
    }

    /// `T` as a mask `[batch, classes]`, where there is a target.
    pub fn target_mask(&self) -> Option<Tensor<2, Bool>> {
        self.target_mask.clone()
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
        // Uploaded anew: Burn 0.22's CPU backend gives no mask where it selects rows of one.
        let device = self.specified_mask.device();
        let (k, delta) = (self.k, self.delta);
        let (relevant, specified) = (self.relevant.select(rows), self.specified.select(rows));
        let target = self.target();
        let target = target.map(|target| rows.iter().map(|&row| target[row].clone()).collect());
        Self { delta, ..Self::on_device(relevant, specified, target, k, &device) }
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
    fn a_target_is_k_labels_or_none() -> Result<(), CoreError> {
        let with = |target: &[usize]| goal(&[0, 1], &[1], 2)?.with_target(vec![target.to_vec()]);
        assert!(with(&[3, 2])?.target_mask().is_some());
        assert_eq!(with(&[3, 2])?.select(&[0, 0]).target(), Some(&[vec![3, 2], vec![3, 2]][..]));
        assert!(with(&[]).is_ok());
        for short in [&[2][..], &[2, 2]] {
            assert!(matches!(with(short), Err(CoreError::TargetSize { row: 0, k: 2, found: 1 })));
        }
        assert!(matches!(with(&[2, 4]), Err(CoreError::LabelOutOfRange { label: 4, .. })));
        let mismatch = goal(&[0, 1], &[1], 2)?.with_target(vec![vec![2, 3]; 2]);
        assert!(matches!(mismatch, Err(CoreError::ShapeMismatch { .. })));
        Ok(())
    }

    #[test]
    fn no_more_labels_must_leave_than_are_specified() -> Result<(), CoreError> {
        assert_eq!(goal(&[0, 1], &[0, 1], 2)?.with_delta(2)?.delta(), Some(2));
        for delta in [0, 3] {
            let error = goal(&[0, 1], &[0, 1], 2)?.with_delta(delta).unwrap_err().to_string();
            assert!(error.contains("δ must be in 1..=2") && error.ends_with(&delta.to_string()));
        }
        Ok(())
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
