//! [`Victim`]: a classifier on its images, scored and attacked.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Instant;

use burn::tensor::Tensor;
use tkmia_attacks::{Attack, AttackBatch, Criterion, Outcome, Step, Targets, judge};
use tkmia_core::{Classifier, LabelSet};
use tkmia_data::{Dataset, Transform, load_batch};

use crate::{EvalError, Member, Record, Setting, Workers};

/// A classifier and the images that it is attacked on.
#[derive(Debug, Clone, Copy)]
pub struct Victim<'a> {
    /// The classifier.
    pub classifier: &'a dyn Classifier,
    /// Images and their labels.
    pub dataset: &'a dyn Dataset,
    /// From a file's pixels to the classifier's input.
    pub transform: &'a Transform,
}

impl<'a> Victim<'a> {
    /// Puts the three together.
    ///
    /// # Errors
    /// [`EvalError::LabelCount`] if dataset and classifier don't agree on the number of labels.
    pub fn new(
        classifier: &'a dyn Classifier,
        dataset: &'a dyn Dataset,
        transform: &'a Transform,
    ) -> Result<Self, EvalError> {
        let (data, found) = (dataset.classes().len(), classifier.classes());
        if data != found {
            let dataset = dataset.name().to_owned();
            return Err(EvalError::LabelCount { dataset, data, classifier: found });
        }
        Ok(Self { classifier, dataset, transform })
    }

    fn images(&self, indices: &[usize]) -> Result<Tensor<4>, EvalError> {
        Ok(load_batch(self.dataset, indices, self.transform, &self.classifier.device())?)
    }

    /// The scores of every image as an attack finds it, unattacked; row by row as in the dataset.
    ///
    /// `tick` is told how many images were scored, again and again. Fewer rows than images come
    /// back if the work was stopped.
    ///
    /// # Errors
    /// The first image that can't be read.
    pub fn clean_scores(
        &self,
        attack: &dyn Attack,
        workers: Workers<'_>,
        tick: impl FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, EvalError> {
        let indices: Vec<usize> = (0..self.dataset.len()).collect();
        self.clean_scores_of(&indices, attack, workers, tick)
    }

    /// The same of these images, in their order.
    pub(crate) fn clean_scores_of(
        &self,
        indices: &[usize],
        attack: &dyn Attack,
        workers: Workers<'_>,
        mut tick: impl FnMut(usize),
    ) -> Result<Vec<Vec<f32>>, EvalError> {
        let classes = self.classifier.classes();
        let mut scores = Vec::with_capacity(indices.len());
        let score = |indices: &[usize]| {
            let images = attack.unattacked(self.images(indices)?);
            let scores = self.classifier.scores(images);
            Ok(scores.try_to_vec_as::<f32>().expect("float tensors convert to f32"))
        };
        workers.run(indices, score, |batch| {
            scores.extend(batch.chunks_exact(classes).map(<[f32]>::to_vec));
            tick(batch.len() / classes);
            Ok(())
        })?;
        Ok(scores)
    }

    /// Attacks these samples as one batch, judges what comes back, and gives the attacks that ended;
    /// those that [`Workers::stop`] cut short are left out.
    ///
    /// `finished` is told, again and again, how many attacks have ended.
    ///
    /// # Errors
    /// An image that can't be read or attacked.
    pub(crate) fn attack(
        &self,
        setting: &Setting,
        members: &[Member],
        method: &Contender<'_>,
        workers: Workers<'_>,
        finished: impl Fn(usize),
    ) -> Result<Vec<Attacked>, EvalError> {
        let indices: Vec<usize> = members.iter().map(|member| member.index).collect();
        let ids: Vec<&str> = indices.iter().map(|&index| self.dataset.id(index)).collect();
        let failed = |source| EvalError::Attack { ids: ids.join(", "), source };
        let relevant = self.dataset.labels().select(&indices);
        let specified: Vec<&[usize]> =
            members.iter().map(|member| member.specified.as_slice()).collect();
        let specified = LabelSet::from_indices(&specified, relevant.classes())?;
        let mut batch = AttackBatch::new(self.images(&indices)?, relevant, specified, setting.k)?;
        if let Some(targets) = method.targets {
            let unattacked = method.attack.unattacked(batch.images.clone());
            batch.goal =
                targets.aim(batch.goal, self.classifier, unattacked, &ids).map_err(failed)?;
        }

        let start = Instant::now();
        let mut stopped = false;
        let mut watch = |step: &Step<'_>| {
            finished(step.finished.len());
            stopped = workers.stop.load(Ordering::Relaxed);
            match stopped {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let result = method.attack.run(self.classifier, &batch, &mut watch).map_err(failed)?;
        let seconds = start.elapsed().as_secs_f64() / indices.len() as f64;
        if stopped && method.attack.is_universal() {
            // Its perturbation isn't the one that all images together lead to.
            return Ok(Vec::new());
        }
        let verdicts =
            judge(self.classifier, &batch.goal, &result, method.criterion).map_err(failed)?;

        let pixels = self.classifier.bounds().pixels_per_unit();
        let rows = verdicts.into_iter().enumerate();
        let ended = rows.filter(|&(row, _)| result.outcomes[row] != Outcome::Interrupted);
        let values = |images: &Tensor<4>, row| {
            let image = images.clone().narrow(0, row, 1);
            image.try_to_vec_as::<f32>().expect("float tensors convert to f32")
        };
        let attacked = ended.map(|(row, verdict)| Attacked {
            unattacked: values(&result.unattacked, row),
            adversarial: values(&result.images, row),
            record: Record {
                setting: setting.clone(),
                method: method.name.to_owned(),
                id: ids[row].to_owned(),
                relevant: batch.goal.relevant().indices(row),
                specified: batch.goal.specified().indices(row),
                clean_scores: verdict.clean_scores,
                scores: verdict.scores,
                success: verdict.success,
                success_rounded: verdict.success_rounded,
                outcome: result.outcomes[row],
                iterations: result.iterations[row],
                passes: result.passes[row],
                excluded: verdict.excluded,
                norm: verdict.norm,
                norm_input: verdict.norm_input,
                norm_pixels: verdict.norm_input * pixels,
                linf_input: verdict.linf_input,
                indicators: verdict.indicators,
                seconds,
            },
        });
        Ok(attacked.collect())
    }
}

/// An attack, its name in records, and what counts as its success.
#[derive(Debug, Clone, Copy)]
pub struct Contender<'a> {
    /// As in `tkmia (corrected)`.
    pub name: &'a str,
    /// The attack.
    pub attack: &'a dyn Attack,
    /// The judge's criterion.
    pub criterion: &'a dyn Criterion,
    /// What it aims at, if it is targeted.
    pub targets: Option<Targets>,
}

/// One attacked sample with its images, `[3, height, width]` in the classifier's range.
#[derive(Debug, Clone)]
pub struct Attacked {
    /// What is kept of it.
    pub record: Record,
    /// `x̃`, what the classifier sees without a perturbation.
    pub unattacked: Vec<f32>,
    /// `x*`, the returned image.
    pub adversarial: Vec<f32>,
}
