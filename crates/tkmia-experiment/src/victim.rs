//! [`Victim`]: a classifier on its images, scored and attacked.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Instant;

use burn::tensor::Tensor;
use tkmia_attacks::{Attack, AttackBatch, AttackSettings, Controls, Outcome, Step, Targets, View};
use tkmia_core::{Classifier, LabelSet};
use tkmia_data::{DataError, Dataset, Transform, load_batch};

use crate::cohort::Member;
use crate::error::ExperimentError;
use crate::record::{Named, Record};
use crate::setting::Setting;
use crate::spec::SpecError;
use crate::universal::{Controlled, Fit};
use crate::workers::Workers;

/// A classifier and the images that it is attacked on.
#[derive(Debug, Clone, Copy)]
pub struct Victim<'a> {
    /// The classifier, which judges.
    pub classifier: &'a dyn Classifier,
    /// What is attacked in its place, where that is another one.
    pub surrogate: Option<&'a dyn Classifier>,
    /// Images and their labels.
    pub dataset: &'a dyn Dataset,
    /// From a file's pixels to the classifier's input.
    pub transform: &'a Transform,
}

/// One attacked sample.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// What is kept of it.
    pub record: Record,
    /// Its images, if they were asked for.
    pub images: Option<Images>,
}

/// The images of an attacked sample, `[3, height, width]` in the classifier's range.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    /// `x̃`, what the classifier sees without a perturbation.
    pub unattacked: Vec<f32>,
    /// `x*`, the returned image.
    pub adversarial: Vec<f32>,
}

/// An attack, ready to run.
#[derive(Debug)]
pub(crate) struct Contender {
    /// As records have it.
    pub named: Named,
    /// The attack.
    pub attack: Box<dyn Attack>,
    /// What it aims at, if it is targeted.
    pub targets: Option<Targets>,
    /// For a universal perturbation: its fit.
    pub fit: Option<Fit>,
}

impl Contender {
    /// An attack that can be run on the classifier; `seed` is that of random targets.
    pub fn new(
        settings: &AttackSettings,
        classifier: &dyn Classifier,
        seed: u64,
    ) -> Result<Self, ExperimentError> {
        let named = Named::from(settings);
        let started = settings.init().and_then(|attack| {
            attack.check(classifier)?;
            Ok(attack)
        });
        match started {
            Ok(attack) => {
                let targets = settings.target().map(|choice| Targets { choice, seed });
                Ok(Self { named, attack, targets, fit: None })
            }
            Err(source) => Err(SpecError::Attack { name: named.method, source }.into()),
        }
    }

    /// The attack by the perturbation that was fitted.
    pub fn fitted(self, fit: Fit) -> Self {
        let attack = Box::new(fit.perturbation.attack(self.attack.stop().clone()));
        Self { attack, fit: Some(fit), ..self }
    }
}

impl<'a> Victim<'a> {
    /// Puts the three together.
    ///
    /// # Errors
    /// [`ExperimentError::LabelCount`] if dataset and classifier don't agree on the number of labels.
    pub fn new(
        classifier: &'a dyn Classifier,
        dataset: &'a dyn Dataset,
        transform: &'a Transform,
    ) -> Result<Self, ExperimentError> {
        let (data, found) = (dataset.classes().len(), classifier.classes());
        if data != found {
            let dataset = dataset.name().to_owned();
            return Err(ExperimentError::LabelCount { dataset, data, classifier: found });
        }
        Ok(Self { classifier, surrogate: None, dataset, transform })
    }

    /// The same with another classifier that is attacked in its place.
    pub fn by_way_of(self, surrogate: Option<&'a dyn Classifier>) -> Self {
        Self { surrogate, ..self }
    }

    /// What is attacked.
    pub(crate) fn attacked(&self) -> &'a dyn Classifier {
        self.surrogate.unwrap_or(self.classifier)
    }

    fn images(&self, indices: &[usize]) -> Result<Tensor<4>, ExperimentError> {
        Ok(load_batch(self.dataset, indices, self.transform, &self.classifier.device())?)
    }

    /// Scores these images without an attack, and hands over the scores of each, in their order.
    ///
    /// Fewer are handed over if the work was stopped.
    ///
    /// # Errors
    /// The first image that can't be read, a classifier that failed, or the first error of `take`.
    pub fn scores(
        &self,
        indices: &[usize],
        view: View,
        workers: Workers<'_>,
        mut take: impl FnMut(usize, &[f32]) -> Result<(), ExperimentError>,
    ) -> Result<(), ExperimentError> {
        self.scores_or_faults(indices, view, workers, |index, scores| take(index, scores?))
    }

    /// The same; of an image that can't be decoded, what is wrong with it.
    ///
    /// # Errors
    /// A file that can't be read, a classifier that failed, or the first error of `take`.
    pub fn scores_or_faults(
        &self,
        indices: &[usize],
        view: View,
        workers: Workers<'_>,
        mut take: impl FnMut(usize, Result<&[f32], DataError>) -> Result<(), ExperimentError>,
    ) -> Result<(), ExperimentError> {
        let score = |batch: &[usize]| {
            let (images, faults) = self.decodable(batch)?;
            let scores = images.map_or(Ok(Vec::new()), |images| {
                let scores = self.classifier.scores(view.of(images));
                self.classifier.check()?;
                let scores = scores.try_to_vec_as::<f32>();
                Ok::<_, ExperimentError>(scores.expect("float tensors convert to f32"))
            })?;
            Ok((batch.to_vec(), faults, scores))
        };
        workers.run(indices, score, |(batch, faults, scores)| {
            let mut rows = scores.chunks_exact(self.classifier.classes());
            batch.into_iter().zip(faults).try_for_each(|(index, fault)| match fault {
                Some(fault) => take(index, Err(fault)),
                None => take(index, Ok(rows.next().expect("a row for each image"))),
            })
        })
    }

    /// Those of these images that can be decoded, if there are some; and of each of these, why it can't be.
    fn decodable(
        &self,
        batch: &[usize],
    ) -> Result<(Option<Tensor<4>>, Vec<Option<DataError>>), ExperimentError> {
        let load = |indices: &[usize]| {
            load_batch(self.dataset, indices, self.transform, &self.classifier.device())
        };
        match load(batch) {
            Ok(images) => return Ok((Some(images), batch.iter().map(|_| None).collect())),
            Err(error) if !error.is_of_decoding() => return Err(error.into()),
            Err(_) => {}
        }
        let (mut images, mut faults) = (Vec::new(), Vec::new());
        for &index in batch {
            match load(&[index]) {
                Ok(image) => {
                    images.push(image);
                    faults.push(None);
                }
                Err(error) if error.is_of_decoding() => faults.push(Some(error)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(((!images.is_empty()).then(|| Tensor::cat(images, 0)), faults))
    }

    /// These samples and what is wanted of each.
    fn batch(
        &self,
        setting: &Setting,
        members: &[&Member],
    ) -> Result<AttackBatch, ExperimentError> {
        let indices: Vec<usize> = members.iter().map(|member| member.index).collect();
        let relevant = self.dataset.labels().select(&indices);
        let specified: Vec<&[usize]> =
            members.iter().map(|member| member.specified.as_slice()).collect();
        let specified = LabelSet::from_indices(&specified, relevant.classes())?;
        let batch = AttackBatch::new(self.images(&indices)?, relevant, specified, setting.k)?;
        Ok(match setting.delta {
            Some(delta) => batch.with_delta(delta)?,
            None => batch,
        })
    }

    /// Fits the universal perturbation of an attack to these samples; nothing if [`Workers::stop`] cut it
    /// short.
    ///
    /// # Errors
    /// An image that can't be read or attacked.
    pub(crate) fn fit(
        &self,
        setting: &Setting,
        members: &[Member],
        method: &Contender,
        workers: Workers<'_>,
    ) -> Result<Option<Fit>, ExperimentError> {
        let attack = method.attack.universal().expect("only universal attacks are fitted");
        let batch = self.batch(setting, &members.iter().collect::<Vec<_>>())?;
        Fit::new(attack, self.attacked(), &batch, workers).map_err(|source| {
            let ids = format!("{} images to fit to, {setting}", members.len());
            ExperimentError::Attack { ids, source }
        })
    }

    /// Attacks these samples as one batch, judges what comes back, and gives the attacks that ended;
    /// those that [`Workers::stop`] cut short are left out. Images come with those rows that are
    /// `pictured`.
    ///
    /// After each step `finished` is given the number of attacks that have ended.
    ///
    /// # Errors
    /// An image that can't be read or attacked.
    pub(crate) fn attack(
        &self,
        setting: &Setting,
        members: &[&Member],
        method: &Contender,
        pictured: impl Fn(usize) -> bool,
        workers: Workers<'_>,
        finished: impl Fn(usize),
    ) -> Result<Vec<Sample>, ExperimentError> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let indices: Vec<usize> = members.iter().map(|member| member.index).collect();
        let ids: Vec<&str> = indices.iter().map(|&index| self.dataset.id(index)).collect();
        let failed = |source| ExperimentError::Attack { ids: ids.join(", "), source };
        let mut batch = self.batch(setting, members)?;
        if let Some(targets) = method.targets {
            let view = method.attack.view();
            batch = batch.aim(targets, view, self.attacked(), &ids).map_err(failed)?;
        }

        let start = Instant::now();
        let mut watch = |step: &Step<'_>| {
            finished(step.finished.len());
            match workers.stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let result = method.attack.run_watched(self.attacked(), &batch, &mut watch);
        let result = result.map_err(failed)?;
        let seconds = start.elapsed().as_secs_f64() / indices.len() as f64;
        let verdicts = match self.surrogate {
            Some(_) => result.judge_elsewhere(self.classifier),
            None => result.judge(self.classifier),
        };
        let verdicts = verdicts.map_err(failed)?;
        let mut universal = match &method.fit {
            None => vec![None; indices.len()],
            Some(Fit { perturbation, facts: fit }) => {
                let (stop, model) = (method.attack.stop(), self.classifier);
                let controls = Controls::of(perturbation, stop, model, &batch).map_err(failed)?;
                let of = |controls| Some(Controlled { fit: fit.clone(), controls });
                controls.into_iter().map(of).collect()
            }
        };
        let (goal, result) = (result.goal, result.perturbed);

        let pixels = self.classifier.bounds().pixels_per_unit();
        let values = |images: &Tensor<4>, row| {
            let image = images.clone().narrow(0, row, 1);
            image.try_to_vec_as::<f32>().expect("float tensors convert to f32")
        };
        let rows = verdicts.into_iter().enumerate();
        let ended = rows.filter(|&(row, _)| result.outcomes[row] != Outcome::Interrupted);
        let samples = ended.map(|(row, verdict)| Sample {
            images: pictured(row).then(|| Images {
                unattacked: values(&result.unattacked, row),
                adversarial: values(&result.images, row),
            }),
            record: Record {
                setting: setting.clone(),
                method: method.named.method.clone(),
                key: method.named.key.clone(),
                id: ids[row].to_owned(),
                relevant: goal.relevant().indices(row),
                specified: goal.specified().indices(row),
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
                draws: members[row].draws.clone(),
                indicators: verdict.indicators,
                universal: universal[row].take(),
                seconds,
            },
        });
        Ok(samples.collect())
    }
}
