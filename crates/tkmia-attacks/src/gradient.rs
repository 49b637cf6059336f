//! [`GradientAttack`]: an objective, descended by its gradient.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use tkmia_core::objective::Objective;
use tkmia_core::{Classifier, Goal};

use crate::criterion::Criterion;
use crate::drive::{Look, Mover, Survivors, drive, pick};
use crate::host::Scored;
use crate::{Attack, AttackBatch, AttackError, BatchResult, Observer, Passes, Sgd, Space};

/// An objective, descended in a space until a criterion holds: Algorithm 1 of Sun et al. 2023, and
/// what its variants and baselines share.
///
/// Each forward pass is followed by one small read (the scores) and, but for the last, by one
/// backward pass to the images of that pass.
#[derive(Debug)]
pub struct GradientAttack {
    /// What is descended.
    pub objective: Box<dyn Objective>,
    /// What the objective's scores are.
    pub scores: ScoreKind,
    /// How its auxiliary variables are set.
    pub lambda: Lambda,
    /// `α` of a penalty `α/2 ‖w‖²` on the variable, as part of the loss.
    pub norm_penalty: f64,
    /// The variable.
    pub space: Space,
    /// How the variable moves.
    pub optimiser: Sgd,
    /// When an image is done.
    pub criterion: Arc<dyn Criterion>,
    /// Forward passes per image at most; one step less than that.
    pub max_iterations: usize,
}

/// What an objective's scores `f` are. Ranks are the same on both, gradients aren't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreKind {
    /// The classifier's own.
    Logits,
    /// Their sigmoids, in `[0, 1]`; where they saturate, the gradient vanishes.
    Sigmoid,
}

/// How an objective's auxiliary variables λ are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lambda {
    /// At their minimisers, in closed form (Lemma 4.1).
    Exact,
    /// By the same gradient descent as the perturbation, from 0 and within `[0, 1]` (Algorithm 1).
    Gradient,
}

impl Attack for GradientAttack {
    fn run(
        &self,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        watch: &mut dyn Observer,
    ) -> Result<BatchResult, AttackError> {
        let mut mover = Descent { attack: self, velocity: None, lambdas: None, graph: None };
        let (space, criterion) = (self.space, self.criterion.as_ref());
        drive(classifier, batch, space, criterion, self.max_iterations, &mut mover, watch)
    }

    fn unattacked(&self, images: Tensor<4>) -> Tensor<4> {
        self.space.unattacked(images)
    }
}

impl GradientAttack {
    fn loss(
        &self,
        scores: Tensor<2>,
        variable: Tensor<4>,
        lambdas: Option<Tensor<2>>,
        goal: &Goal,
    ) -> Tensor<1> {
        let scores = match self.scores {
            ScoreKind::Logits => scores,
            ScoreKind::Sigmoid => sigmoid(scores),
        };
        let loss = match lambdas {
            None => self.objective.loss(scores, goal),
            Some(lambdas) => self.objective.loss_at(scores, goal, lambdas),
        };
        if self.norm_penalty == 0.0 {
            return loss;
        }
        let variable: Tensor<2> = variable.flatten(1, 3);
        let squared_norm = variable.powi_scalar(2).sum_dim(1).squeeze_dim(1);
        loss + squared_norm.mul_scalar(self.norm_penalty / 2.0)
    }
}

/// A [`GradientAttack`] under way.
struct Descent<'a> {
    attack: &'a GradientAttack,
    velocity: Option<Tensor<4>>,
    /// λ and its velocity, where it is moved by gradient.
    lambdas: Option<(Tensor<2>, Option<Tensor<2>>)>,
    /// What the last look was at, on the graph to its loss.
    graph: Option<Graph>,
}

struct Graph {
    variable: Tensor<4>,
    lambdas: Option<Tensor<2>>,
    loss: Tensor<1>,
    /// The rows that go on, where not all do.
    kept: Option<Vec<usize>>,
}

impl Graph {
    /// The rows of a gradient that go on.
    fn kept<const D: usize>(&self, gradient: Option<Tensor<D>>) -> Tensor<D> {
        let gradient = gradient.expect("the loss depends on what is moved");
        match &self.kept {
            None => gradient,
            Some(positions) => pick(&gradient, positions),
        }
    }
}

impl Mover for Descent<'_> {
    fn look(&mut self, classifier: &dyn Classifier, survivors: &Survivors) -> Look {
        let variable = survivors.variable.clone().autodiff().require_grad();
        let images = self.attack.space.image(survivors.origin.clone(), variable.clone());
        let scores = classifier.scores(images.clone());
        let count = self.attack.objective.lambdas();
        if self.attack.lambda == Lambda::Gradient && count > 0 && self.lambdas.is_none() {
            let zeros = Tensor::zeros([scores.dims()[0], count], &survivors.origin.device());
            self.lambdas = Some((zeros, None));
        }
        let lambdas = self.lambdas.as_ref();
        let lambdas = lambdas.map(|(lambdas, _)| lambdas.clone().autodiff().require_grad());
        let goal = &survivors.goal;
        let loss = self.attack.loss(scores.clone(), variable.clone(), lambdas.clone(), goal);
        let host_loss = loss.clone().inner();
        self.graph = Some(Graph { variable, lambdas, loss, kept: None });
        Look { images: images.inner(), scores: scores.inner(), loss: Some(host_loss) }
    }

    fn step(&mut self, _: &dyn Classifier, survivors: &mut Survivors, _: &[Scored]) -> Passes {
        // Images that are done share this last graph with the others; they cost a row of this one
        // backward pass and are gone from the next forward pass on.
        let graph = self.graph.take().expect("a step follows a look");
        let mut gradients = graph.loss.clone().sum().backward();
        let optimiser = &self.attack.optimiser;

        let gradient = graph.kept(graph.variable.grad_remove(&mut gradients));
        let (variable, velocity) = (survivors.variable.clone(), self.velocity.take());
        let (variable, velocity) = optimiser.step(variable, gradient, velocity);
        survivors.variable = variable;
        self.velocity = Some(velocity);

        if let (Some((lambdas, velocity)), Some(on_graph)) = (self.lambdas.take(), &graph.lambdas) {
            let gradient = graph.kept(on_graph.grad_remove(&mut gradients));
            let (lambdas, velocity) = optimiser.step(lambdas, gradient, velocity);
            self.lambdas = Some((lambdas.clamp(0.0, 1.0), Some(velocity)));
        }
        Passes { forward: 0, backward: 1 }
    }

    fn keep(&mut self, positions: &[usize]) {
        if let Some(graph) = &mut self.graph {
            graph.kept = Some(positions.to_vec());
        }
        self.velocity = self.velocity.as_ref().map(|velocity| pick(velocity, positions));
        self.lambdas = self.lambdas.as_ref().map(|(lambdas, velocity)| {
            (pick(lambdas, positions), velocity.as_ref().map(|v| pick(v, positions)))
        });
    }
}
