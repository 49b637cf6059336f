//! [`Universal`] and [`UniversalAttack`]: one perturbation for all images.

use std::fmt;
use std::ops::ControlFlow;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tkmia_core::Classifier;

use crate::criterion::SampleState;
use crate::eligibility::eligible;
use crate::error::check;
use crate::readback::{Scored, scored};
use crate::{
    Attack, AttackBatch, AttackError, AttackName, Ball, Descent, Geometric, Limits, Observer,
    Optimiser, Outcome, Passes, PenalisedSgd, Perturbed, Space, Step, Stop, Variant, View,
};

/// A universal perturbation: Moosavi-Dezfooli et al., "Universal adversarial perturbations", CVPR 2017,
/// with another attack for its steps: TkML-AP-Uv (Hu et al. 2021) with TkML-AP-U, kUAP (Tursynbek et al.
/// 2022) with kFool.
///
/// ```text
/// v ← 0;  until enough images succeed at v, or the rounds are over:
///     for each image x:  v ← Π(v + 1.02 Δ),  Δ the inner attack's perturbation of x, from v on
/// ```
///
/// with `Π` the projection onto a ball. An image that succeeds at `v` already, or that the inner attack
/// can't bring to success, leaves `v` as it is. The 2 % are DeepFool's, which the first one steps with:
/// an attack that ends on the border itself would lose the image to rounding. Images are taken in the batch's order, one at a time, so
/// that the whole data set is one batch.
#[derive(Debug)]
pub struct UniversalAttack {
    /// What moves the perturbation on, image by image.
    pub inner: Box<dyn Attack>,
    /// Where the perturbation stays, in the space's own unit.
    pub ball: Ball,
    /// The space that the inner attack works in too.
    pub space: Space,
    /// When an image is done.
    pub stop: Stop,
    /// Rounds over the images at most, at least 1.
    pub rounds: usize,
    /// The share of the images that is enough, in `[0, 1]`.
    pub enough: f64,
}

/// An attack that finds one perturbation for all images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Universal {
    /// What is done with one image after the other.
    pub inner: Inner,
    /// Corrected or released.
    pub variant: Variant,
    /// How long, and where the perturbation stays.
    pub fit: UniversalFit,
}

/// What a universal attack repeats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inner {
    /// `tkml-ap-uv`: the descent of TkML-AP-U.
    TkmlApU(PenalisedSgd),
    /// `kuap`: the steps of kFool.
    KFool,
}

/// How a universal perturbation is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct UniversalFit {
    /// Where it stays.
    #[serde(flatten)]
    pub ball: Ball,
    /// Searches of the minimum-norm form, and rounds of a universal attack over the images, at most
    /// [default: as long as passes are left; 10]
    #[serde(default = "rounds")]
    pub rounds: usize,
    /// Share of the images at which a universal attack is content; 0.8 as in the first one (Moosavi-Dezfooli et
    /// al. 2017)
    #[serde(default = "enough")]
    pub enough: f64,
}

fn rounds() -> usize {
    10
}

fn enough() -> f64 {
    0.8
}

impl UniversalFit {
    /// In this ball, with the other settings at their defaults.
    pub fn new(ball: Ball) -> Self {
        Self { ball, rounds: rounds(), enough: enough() }
    }
}

impl Inner {
    /// The name of the universal attack.
    pub fn name(&self) -> AttackName {
        match self {
            Self::TkmlApU(_) => AttackName::TkmlApUv,
            Self::KFool => AttackName::KUap,
        }
    }
}

impl Universal {
    /// The runnable attack.
    pub(crate) fn init(&self, limits: Limits, stop: &Stop) -> Result<UniversalAttack, AttackError> {
        let UniversalFit { ball, rounds, enough } = self.fit;
        check("rounds", "at least 1", rounds as f64, rounds > 0)?;
        check("share that is enough", "in [0, 1]", enough, (0.0..=1.0).contains(&enough))?;
        let (variant, ball) = (self.variant, ball.checked()?);
        let inner: Box<dyn Attack> = match self.inner {
            Inner::TkmlApU(sgd) => {
                let (name, optimiser) = (AttackName::TkmlApU, Optimiser::Sgd(sgd));
                let descent = Descent { name, variant, optimiser, ..Descent::default() };
                Box::new(descent.init(limits, stop)?)
            }
            Inner::KFool => Geometric { name: AttackName::KFool, variant }.init(limits, stop)?,
        };
        let space = match inner.view() {
            View::Tanh => Space::TanhOfImage,
            View::Image => Space::Clip,
        };
        Ok(UniversalAttack { inner, ball, space, stop: stop.clone(), rounds, enough })
    }
}

/// Its hyper-parameters, as records have them.
impl fmt::Display for Universal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Inner::TkmlApU(sgd) = &self.inner {
            write!(f, "{sgd}, ")?;
        }
        let UniversalFit { ball, rounds: most, enough: share } = self.fit;
        write!(f, "{ball}")?;
        if most != rounds() {
            write!(f, ", {most} rounds")?;
        }
        if share != enough() {
            write!(f, ", enough {share}")?;
        }
        Ok(())
    }
}

/// How much longer than the inner attack's a step is.
const OVERSHOOT: f64 = 1.02;

impl Attack for UniversalAttack {
    fn perturb(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<Perturbed, AttackError> {
        let mut fit = Fit::new(self, classifier, batch)?;
        let mut interrupted = false;
        for _ in 0..self.rounds {
            interrupted = fit.round(watch)?;
            fit.evaluate()?;
            if interrupted || fit.share() >= self.enough {
                break;
            }
        }
        let rows: Vec<usize> = (0..batch.rows()).collect();
        let last = fit.iterations.iter().copied().max().unwrap_or(0).max(1);
        let _ = watch.on_step(&Step { iteration: last, rows: &rows, loss: None, finished: &rows });
        Ok(fit.finish(interrupted))
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Each image is scored first, and after each round.
    fn passes_at_most(&self, k: usize, classes: usize) -> Passes {
        let Passes { forward, backward } = self.inner.passes_at_most(k, classes);
        Passes { forward: 1 + self.rounds * (forward + 1), backward: self.rounds * backward }
    }

    fn view(&self) -> View {
        self.space.view()
    }

    fn takes_start(&self) -> bool {
        true
    }

    fn is_universal(&self) -> bool {
        true
    }
}

/// A [`UniversalAttack`] under way.
struct Fit<'a> {
    attack: &'a UniversalAttack,
    classifier: &'a dyn Classifier,
    batch: &'a AttackBatch,
    /// `v`. `[1, 3, height, width]`
    shared: Tensor<4>,
    clean: Vec<Scored>,
    /// Ineligible, succeeded at `v`, or exhausted.
    outcomes: Vec<Outcome>,
    iterations: Vec<usize>,
    passes: Vec<Passes>,
}

impl<'a> Fit<'a> {
    /// Scores each image without a perturbation.
    fn new(
        attack: &'a UniversalAttack,
        classifier: &'a dyn Classifier,
        batch: &'a AttackBatch,
    ) -> Result<Self, AttackError> {
        let (images, goal) = (batch.images(), batch.goal());
        let rows = goal.rows();
        let shared = match batch.start() {
            Some(start) => start.clone().narrow(0, 0, 1),
            None => images.clone().narrow(0, 0, 1).zeros_like(),
        };
        let mut fit = Self {
            attack,
            classifier,
            batch,
            shared,
            clean: Vec::with_capacity(rows),
            outcomes: Vec::with_capacity(rows),
            iterations: vec![0; rows],
            passes: vec![Passes::default(); rows],
        };
        for row in 0..rows {
            let clean = fit.score(row, attack.view().of(fit.image(row)))?;
            let (relevant, specified) = (goal.relevant().row(row), goal.specified().row(row));
            let takes_part = eligible(&clean.ranking, relevant, specified, goal.k());
            fit.outcomes.push(match takes_part {
                Ok(()) => Outcome::Exhausted,
                Err(reason) => Outcome::Ineligible(reason),
            });
            fit.clean.push(clean);
        }
        Ok(fit)
    }

    fn image(&self, row: usize) -> Tensor<4> {
        self.batch.images().clone().narrow(0, row, 1)
    }

    fn takes_part(&self, row: usize) -> bool {
        !matches!(self.outcomes[row], Outcome::Ineligible(_))
    }

    fn perturbed(&self, row: usize) -> Tensor<4> {
        match self.takes_part(row) {
            true => self.attack.space.image(
                self.image(row),
                self.shared.clone(),
                self.classifier.bounds(),
            ),
            false => self.attack.view().of(self.image(row)),
        }
    }

    fn score(&mut self, row: usize, image: Tensor<4>) -> Result<Scored, AttackError> {
        self.passes[row].forward += 1;
        Ok(scored(self.classifier.scores(image), &[row], self.passes[row].forward)?.remove(0))
    }

    /// Moves `v` by one image after the other; tells whether the observer ended it.
    fn round(&mut self, watch: &mut dyn Observer) -> Result<bool, AttackError> {
        let space = self.attack.space;
        for row in (0..self.outcomes.len()).filter(|&row| self.takes_part(row)).collect::<Vec<_>>()
        {
            let mut flow = ControlFlow::Continue(());
            let mut named = |step: &Step<'_>| {
                flow = watch.on_step(&Step { rows: &[row], finished: &[], ..*step });
                flow
            };
            let alone = self.batch.select(&[row]).with_start(self.shared.clone())?;
            let result = self.attack.inner.perturb(self.classifier, &alone, &mut named)?;
            self.iterations[row] += result.iterations[0];
            self.passes[row].forward += result.passes[0].forward;
            self.passes[row].backward += result.passes[0].backward;
            if result.outcomes[0] == Outcome::Succeeded {
                let (origin, from) = (self.image(row), self.perturbed(row));
                let before = space.perturbation(origin, from);
                let step = (result.perturbation - before).mul_scalar(OVERSHOOT);
                let moved = self.shared.clone() + step;
                self.shared = self.attack.ball.project(moved);
            }
            if flow.is_break() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks at each image with `v`.
    fn evaluate(&mut self) -> Result<(), AttackError> {
        for row in 0..self.outcomes.len() {
            if self.takes_part(row) {
                let now = self.score(row, self.perturbed(row))?;
                let state = SampleState::of(self.batch.goal(), row, &self.clean[row], &now);
                self.outcomes[row] = match self.attack.stop.is_met(&state) {
                    true => Outcome::Succeeded,
                    false => Outcome::Exhausted,
                };
            }
        }
        Ok(())
    }

    /// The share of images with success among those that take part; 1 where none does.
    fn share(&self) -> f64 {
        let count = |wanted: Outcome| {
            self.outcomes.iter().filter(|&&outcome| outcome == wanted).count() as f64
        };
        let (succeeded, exhausted) = (count(Outcome::Succeeded), count(Outcome::Exhausted));
        if succeeded + exhausted == 0.0 { 1.0 } else { succeeded / (succeeded + exhausted) }
    }

    fn finish(mut self, interrupted: bool) -> Perturbed {
        let images = (0..self.outcomes.len()).map(|row| self.perturbed(row)).collect();
        let images: Tensor<4> = Tensor::cat(images, 0);
        if interrupted {
            let open = self.outcomes.iter_mut().filter(|outcome| **outcome == Outcome::Exhausted);
            open.for_each(|outcome| *outcome = Outcome::Interrupted);
        }
        let (space, origin) = (self.attack.space, self.batch.images().clone());
        Perturbed {
            unattacked: space.view().of(origin.clone()),
            perturbation: space.perturbation(origin, images.clone()),
            images,
            indicators: vec![Vec::new(); self.outcomes.len()],
            outcomes: self.outcomes,
            iterations: self.iterations,
            passes: self.passes,
        }
    }
}
