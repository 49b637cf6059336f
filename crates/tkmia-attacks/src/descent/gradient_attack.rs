//! [`GradientAttack`]: an objective, descended by its gradient.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use tkmia_core::objective::Objective;
use tkmia_core::pixels::l2_norm;
use tkmia_core::{Classifier, Goal};

use super::ball::{per_row, rowwise};
use super::bisection::Bisection;
use super::drive::{ForwardPass, Mover, Rules, Stride, Survivors, choose, drive, pick};
use super::optimiser::Velocity;
use super::subset::subset;
use super::{At, Sgd, Space, StepRule, Stepping};
use crate::readback::Seen;
use crate::{Attack, AttackError, Limits, Norm, Passes, Perturbed, Run, Stop, View};

/// An objective, descended in a space until a criterion holds: Algorithm 1 of Sun et al. 2023, and
/// what its variants and baselines share.
///
/// objective × space × rule × criterion × limits: each can be exchanged alone. Each forward pass is
/// followed by one small read (scores, loss and the last gradient's norm) and, but for the last, by one
/// backward pass to the images of that pass. Where an objective [keeps](Objective::kept) something, a step takes
/// another pass both ways.
#[derive(Debug)]
pub struct GradientAttack {
    /// What is descended.
    pub objective: Box<dyn Objective>,
    /// Whether no more of the specified labels are attacked than must leave: CLASS chooses them.
    pub subset: bool,
    /// What the objective's scores are.
    pub scores: ScoreKind,
    /// How its auxiliary variables λ are moved; none: they are at their minimisers, in closed form
    /// (Lemma 4.1).
    pub lambda: Option<Sgd>,
    /// `α` of a penalty `α/2 ‖w‖²` on the variable, as part of the loss.
    pub norm_penalty: f64,
    /// The variable.
    pub space: Space,
    /// How the variable moves.
    pub rule: Box<dyn StepRule>,
    /// Looks after the first success that bisect the scale of its variable.
    pub bisections: usize,
    /// When an image is done.
    pub stop: Stop,
    /// How far it may go.
    pub limits: Limits,
}

/// What an objective's scores `f` are. Ranks are the same on both, gradients aren't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreKind {
    /// The classifier's own.
    Logits,
    /// Their sigmoids, in `[0, 1]`; where they saturate, the gradient vanishes.
    Sigmoid,
}

impl Attack for GradientAttack {
    fn perturb(&self, run: Run<'_>) -> Result<Perturbed, AttackError> {
        let mut mover = self.mover();
        let rules = Rules {
            space: self.space,
            stop: &self.stop,
            limits: self.limits,
            targeted: self.is_targeted(),
        };
        drive(run, rules, &mut mover)
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn passes_at_most(&self, k: usize, _: usize) -> Passes {
        let (steps, cost) =
            (self.limits.max_iterations.saturating_sub(1), cost_of_step(&*self.objective));
        let rows = if self.subset { k } else { 0 };
        let (forward, backward) =
            (steps * (cost.forward + 1) + 1 + rows, steps * cost.backward + rows);
        self.limits.cap(Passes { forward, backward })
    }

    fn view(&self) -> View {
        self.space.view()
    }

    fn is_targeted(&self) -> bool {
        self.objective.needs_target()
    }

    fn takes_start(&self) -> bool {
        true
    }
}

impl GradientAttack {
    /// The attack at work on some images.
    pub(crate) fn mover(&self) -> impl Mover + '_ {
        Descending {
            attack: self,
            steps: self.rule.start(),
            lambdas: None,
            focus: None,
            compared: Vec::new(),
            graph: None,
            met: Vec::new(),
            scales: Vec::new(),
        }
    }

    /// The objective alone, without the penalty on the norm.
    fn loss(&self, scores: Tensor<2>, lambdas: Option<Tensor<2>>, goal: &Goal) -> Tensor<1> {
        let scores = match self.scores {
            ScoreKind::Logits => scores,
            ScoreKind::Sigmoid => sigmoid(scores),
        };
        match lambdas {
            None => self.objective.loss(scores, goal),
            Some(lambdas) => self.objective.loss_at(scores, goal, lambdas),
        }
    }

    /// `α/2 ‖w‖²` of each row, where there is a penalty.
    fn penalty(&self, variable: Tensor<4>) -> Option<Tensor<1>> {
        let variable: Tensor<2> = variable.flatten(1, 3);
        let squared_norm = || variable.powi_scalar(2).sum_dim(1).squeeze_dim(1);
        (self.norm_penalty != 0.0).then(|| squared_norm().mul_scalar(self.norm_penalty / 2.0))
    }

    /// λ within its range: not below the objective's floor, and in `[0, 1]` with sigmoid scores
    /// (Algorithm 1).
    fn project_lambdas(&self, lambdas: Tensor<2>) -> Tensor<2> {
        let floor = self.objective.lambda_floor();
        match self.scores {
            ScoreKind::Sigmoid => lambdas.clamp(0.0, 1.0),
            ScoreKind::Logits if floor.is_finite() => lambdas.clamp_min(floor),
            ScoreKind::Logits => lambdas,
        }
    }
}

/// What a step takes beside the look at where it starts.
pub(super) fn cost_of_step(objective: &dyn Objective) -> Passes {
    match objective.kept() {
        None => Passes { forward: 0, backward: 1 },
        Some(_) => Passes { forward: 1, backward: 2 },
    }
}

/// The cosine of two gradients from where they are in conflict; that of the code of Mahmood & Elhamifar 2024.
const CONFLICT: f64 = -0.85;

/// A direction along which what is attacked changes and what is kept doesn't get worse: of the unit gradients `u` and
/// `v` of both losses, by Mahmood & Elhamifar 2024,
///
/// ```text
/// ‖g‖ (u − (u·v) v)   if u·v ≤ −0.85,   else   ‖g‖ (u + v)
/// ```
///
/// # Shapes
/// - gradient `g`, of_kept, output: `[rows, 3, height, width]`
fn reconciled(gradient: Tensor<4>, of_kept: Tensor<4>) -> Tensor<4> {
    let (u, v) = (Norm::L2.steepest(gradient.clone()), Norm::L2.steepest(of_kept));
    let products: Tensor<2> = (u.clone() * v.clone()).flatten(1, 3);
    let cosine = rowwise(products.sum_dim(1).squeeze_dim(1));
    let conflict = cosine.clone().lower_equal_scalar(CONFLICT);
    let share = cosine.ones_like().mask_where(conflict, cosine.neg());
    (u + v * share) * rowwise(l2_norm(gradient))
}

/// A [`GradientAttack`] under way.
struct Descending<'a> {
    attack: &'a GradientAttack,
    steps: Box<dyn Stepping + 'a>,
    /// λ and its velocity, where it is moved by gradient.
    lambdas: Option<(Tensor<2>, Velocity<2>)>,
    /// What the objective is after, where that is a subset of what is wanted.
    focus: Option<Goal>,
    /// Labels that were compared for it before the first step.
    compared: Vec<usize>,
    /// What the last look was at, on the graph to its loss.
    graph: Option<Graph>,
    /// Whether each row was a success then.
    met: Vec<bool>,
    /// The scale of each row's variable, from its first success on.
    scales: Vec<Option<Bisection>>,
}

const MOVED: &str = "the loss depends on what is moved";

/// From images to losses. The step from the variable to its image isn't on it: its gradient is known
/// ([`Space::pull_back`]), and a graph would keep several copies of the images for it.
struct Graph {
    images: Tensor<4>,
    lambdas: Option<Tensor<2>>,
    loss: Tensor<1>,
    /// The rows that go on, where not all do.
    kept: Option<Vec<usize>>,
}

impl Graph {
    /// The rows that go on.
    fn kept<const D: usize>(&self, rows: Tensor<D>) -> Tensor<D> {
        match &self.kept {
            None => rows,
            Some(positions) => pick(&rows, positions),
        }
    }
}

impl Mover for Descending<'_> {
    fn cost(&self, _: &Survivors, at: usize, _: &Seen) -> Passes {
        if self.scales[at].is_some() {
            return Passes::default();
        }
        let Passes { forward, backward } = cost_of_step(&*self.attack.objective);
        let rows = self.compared.get(at).copied().unwrap_or_default();
        Passes { forward: forward + rows, backward: backward + rows }
    }

    fn look(&mut self, classifier: &dyn Classifier, survivors: &Survivors) -> ForwardPass {
        let Survivors { origin, variable, goal, bounds, .. } = survivors;
        let attack = self.attack;
        let images = attack.space.image(origin.clone(), variable.clone(), *bounds);
        let on_graph = images.clone().autodiff().require_grad();
        let scores = classifier.scores(on_graph.clone());
        let count = attack.objective.lambdas();
        if attack.lambda.is_some() && count > 0 && self.lambdas.is_none() {
            let zeros = Tensor::zeros([scores.dims()[0], count], &origin.device());
            self.lambdas = Some((zeros, Velocity::NONE));
        }
        if attack.subset && self.focus.is_none() {
            let (chosen, compared) = subset(classifier, &images, scores.clone().inner(), goal);
            self.compared = compared;
            let focus = goal.clone().with_specified(chosen);
            self.focus = Some(focus.expect("each row keeps one of its labels"));
        }
        let goal = self.focus.as_ref().unwrap_or(goal);
        let lambdas = self.lambdas.as_ref();
        let lambdas = lambdas.map(|(lambdas, _)| lambdas.clone().autodiff().require_grad());
        let loss = attack.loss(scores.clone(), lambdas.clone(), goal);
        let kept = attack.objective.kept().map(|kept| kept.loss(scores.clone().inner(), goal));
        let more = [attack.penalty(variable.clone()), kept].into_iter().flatten();
        let shown = more.fold(loss.clone().inner(), |shown, more| shown + more);
        self.graph = Some(Graph { images: on_graph, lambdas, loss, kept: None });
        self.met = vec![false; survivors.rows.len()];
        self.scales.resize(survivors.rows.len(), None);
        ForwardPass { images, scores: scores.inner(), loss: Some(shown) }
    }

    fn looked(&mut self, at: usize, met: bool) -> bool {
        self.met[at] = met;
        self.attack.rule.shrinks()
            || Bisection::looked(&mut self.scales[at], met, self.attack.bisections)
    }

    fn step(
        &mut self,
        classifier: &dyn Classifier,
        survivors: &mut Survivors,
        now: &[Seen],
    ) -> Stride {
        self.compared.clear();
        let scaling: Vec<bool> = self.scales.iter().map(Option::is_some).collect();
        let scaled = scaling.contains(&true).then(|| {
            let scales = self.scales.iter_mut();
            let factors = scales.map(|scale| scale.as_mut().map_or(1.0, Bisection::rescale));
            survivors.variable.clone() * rowwise(per_row(factors, &survivors.origin.device()))
        });
        if let Some(scaled) = scaled.clone().filter(|_| !scaling.contains(&false)) {
            survivors.variable = scaled;
            return Stride { slope: None, moved: None };
        }
        // Images that are done share this last graph with the others; they cost a row of this one
        // backward pass and are gone from the next forward pass on.
        let graph = self.graph.take().expect("a step follows a look");
        let mut gradients = graph.loss.clone().sum().backward();

        let gradient = graph.images.grad_remove(&mut gradients).expect(MOVED);
        let images = graph.kept(graph.images.clone().inner());
        let mut gradient = graph.kept(gradient);
        if let Some(kept) = self.attack.objective.kept() {
            let images = images.clone().autodiff().require_grad();
            let goal = self.focus.as_ref().unwrap_or(&survivors.goal);
            let loss = kept.loss(classifier.scores(images.clone()), goal);
            let of_kept = images.grad_remove(&mut loss.sum().backward()).expect(MOVED);
            gradient = reconciled(gradient, of_kept);
        }
        let mut gradient = self.attack.space.pull_back(images, gradient, survivors.bounds);
        if self.attack.norm_penalty != 0.0 {
            let penalty = survivors.variable.clone().mul_scalar(self.attack.norm_penalty);
            gradient = gradient + penalty;
        }
        let slope = l2_norm(gradient.clone());
        // A row whose gradient isn't finite stays where it is, and leaves after the next look.
        let lost = slope.clone().lower_equal_scalar(f32::MAX).bool_not();
        let lost = lost.reshape([now.len(), 1, 1, 1]).expand(gradient.dims());
        let gradient = gradient.mask_fill(lost, 0.0);

        let loss: Vec<f32> = now.iter().map(|seen| seen.loss.expect("it has one")).collect();
        let (space, Survivors { variable, origin, bounds, .. }) = (self.attack.space, &*survivors);
        let (variable, origin, bounds) = (variable.clone(), origin.clone(), *bounds);
        let (loss, met) = (&loss, &self.met);
        let at = At { variable, gradient, loss, met, space, origin: origin.clone(), bounds };
        survivors.variable = space.settle(origin, self.steps.step(at), bounds);
        if let Some(scaled) = scaled {
            survivors.variable = choose(&scaling, survivors.variable.clone(), &scaled);
        }

        if let (Some((lambdas, velocity)), Some(on_graph), Some(sgd)) =
            (&mut self.lambdas, &graph.lambdas, &self.attack.lambda)
        {
            let gradient = graph.kept(on_graph.grad_remove(&mut gradients).expect(MOVED));
            let moved = sgd.step(lambdas.clone(), gradient, velocity);
            *lambdas = self.attack.project_lambdas(moved);
        }
        // Momentum may lead on from where a step ended.
        Stride { slope: Some(slope), moved: None }
    }

    fn keep(&mut self, positions: &[usize]) {
        if let Some(graph) = &mut self.graph {
            let kept = graph.kept.take();
            let of_the_look = |&at: &usize| kept.as_ref().map_or(at, |kept| kept[at]);
            graph.kept = Some(positions.iter().map(of_the_look).collect());
        }
        self.steps.keep(positions);
        self.focus = self.focus.as_ref().map(|focus| focus.select(positions));
        // There are none after the first step.
        let compared = positions.iter().filter_map(|&at| self.compared.get(at).copied());
        self.compared = compared.collect();
        self.met = positions.iter().map(|&at| self.met[at]).collect();
        self.scales = positions.iter().map(|&at| self.scales[at]).collect();
        if let Some((lambdas, velocity)) = &mut self.lambdas {
            *lambdas = pick(lambdas, positions);
            velocity.keep(positions);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn gradients_in_conflict_leave_what_is_kept_alone_and_others_are_added() {
        let rows = |values: [[f32; 2]; 4]| -> Tensor<4> {
            Tensor::from_data(TensorData::new(values.concat(), [4, 1, 1, 2]), &Device::default())
        };
        let gradient = rows([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0], [0.0, 0.0]]);
        let of_kept = rows([[0.0, -2.0], [-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]);
        // Cosines of −0.8 and −0.6, and none.
        let found = reconciled(gradient, of_kept).into_data().try_to_vec::<f32>().unwrap();
        for (found, expected) in found.iter().zip([3.0, -1.0, -2.0, 4.0, 3.0, 4.0, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let opposed = reconciled(rows([[5.0, 12.0]; 4]), rows([[0.0, -1.0]; 4]));
        let found = opposed.into_data().try_to_vec::<f32>().unwrap();
        assert!((found[0] - 5.0).abs() < 1e-5 && found[1].abs() < 1e-5, "{found:?}");
    }
}
