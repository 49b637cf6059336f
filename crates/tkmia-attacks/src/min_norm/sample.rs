//! [`Sample`]: the search for one image, pass by pass.

use std::sync::Arc;

use tkmia_core::Bounds;
use tkmia_core::objective::{Keep, Tight};

use super::Solver;
use super::model::Model;
use super::round::Rounding;
use super::shrink::shrunk;
use super::turns;
use super::whole::Whole;
use crate::criterion::{Criterion, Standing};
use crate::eligibility::{Reason, eligible};
use crate::host::Scored;
use crate::qp::dot;
use crate::{Norm, Outcome, Passes};

/// What is searched for, and with how many passes.
#[derive(Debug)]
pub(super) struct Task {
    pub origin: Vec<f32>,
    pub bounds: Bounds,
    pub relevant: Vec<bool>,
    pub specified: Vec<bool>,
    pub k: usize,
    pub keep: Keep,
    pub solver: Solver,
    pub criterion: Arc<dyn Criterion>,
    pub max_passes: usize,
}

impl Task {
    pub fn image(&self, perturbation: &[f32]) -> Vec<f32> {
        let Bounds { low, high } = self.bounds;
        let moved = self.origin.iter().zip(perturbation);
        moved.map(|(x, by)| (x + by).clamp(low, high)).collect()
    }

    /// Cuts a perturbation off where it would leave the box.
    pub fn clip(&self, perturbation: &mut [f32]) {
        let Bounds { low, high } = self.bounds;
        for (by, x) in perturbation.iter_mut().zip(&self.origin) {
            *by = (x + *by).clamp(low, high) - x;
        }
    }

    /// The least and the greatest value of each element.
    pub fn limits(&self) -> Vec<[f32; 2]> {
        vec![[self.bounds.low, self.bounds.high]; self.origin.len()]
    }

    /// What is to be small.
    pub fn norm(&self, perturbation: &[f32]) -> f64 {
        match self.solver.norm() {
            Norm::L2 => norm(perturbation),
            Norm::Linf => {
                perturbation.iter().fold(0.0, |most: f32, value| most.max(value.abs())).into()
            }
        }
    }

    /// The passes that are set aside for the end.
    pub fn reserve(&self) -> usize {
        (self.max_passes / 4).min(14)
    }
}

/// What the first pass showed.
#[derive(Debug)]
pub(super) struct Start {
    pub clean: Scored,
    pub tight: Tight,
    /// `f_[1] − f_[c]` of the clean scores, the unit of every tolerance.
    pub spread: f64,
}

/// A perturbation at which all that is wanted was seen to hold.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub perturbation: Vec<f32>,
    pub norm: f64,
    pub seen: Scored,
}

impl Found {
    /// Its top-k, a target set that the constraints admit.
    pub fn top(&self, start: &Start) -> &[usize] {
        &self.seen.ranking.order()[..start.tight.k()]
    }
}

/// Relative to the spread: what holds by less might not hold on a device that rounds differently.
const TIE: f64 = 1e-4;

#[derive(Debug)]
enum Phase {
    Search(Box<dyn Search>),
    Shrink,
    Round(Rounding),
    RoundLinf(Whole),
    Done,
}

/// How the image moves until its norm is as small as it gets.
pub(super) trait Search: std::fmt::Debug {
    /// The scores at the perturbation last proposed, and whether all that is wanted holds there; gives
    /// the weights of the scores whose gradient it needs.
    fn seen(&mut self, task: &Task, start: &Start, now: &Scored, met: bool) -> Vec<(usize, f64)>;

    /// That gradient; gives what to look at next, or nothing where the search is over.
    fn learn(&mut self, task: &Task, start: &Start, gradient: &[f32]) -> Option<Vec<f32>>;

    /// What to look at first.
    fn begins_at(&self) -> &[f32];

    /// The scores near the last perturbation, as far as the search knows.
    fn model(&self) -> &Model;
}

/// One image under attack.
#[derive(Debug)]
pub(super) struct Sample {
    task: Task,
    start: Option<Start>,
    phase: Phase,
    /// The last search that is over, and how many are.
    search: Option<Box<dyn Search>>,
    searches: usize,
    passes: Passes,
    look: Vec<f32>,
    margin: f64,
    asked: Vec<(usize, f64)>,
    best: Option<Found>,
    rounded: Option<Vec<f32>>,
    /// The smallest at which the criterion holds and the measures don't.
    fallback: Option<(f64, Vec<f32>)>,
}

impl Sample {
    pub fn new(task: Task) -> Self {
        let look = vec![0.0; task.origin.len()];
        Self {
            task,
            start: None,
            phase: Phase::Done,
            search: None,
            searches: 0,
            passes: Passes::default(),
            look,
            margin: 0.0,
            asked: Vec::new(),
            best: None,
            rounded: None,
            fallback: None,
        }
    }

    pub fn passes(&self) -> Passes {
        self.passes
    }

    /// The tight constraints' margin at the image last seen.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done) || self.passes.forward >= self.task.max_passes
    }

    pub fn outcome(&self) -> Outcome {
        match self.best.is_some() || self.fallback.is_some() {
            true => Outcome::Succeeded,
            false => Outcome::Exhausted,
        }
    }

    /// What to look at next.
    pub fn image(&self) -> Vec<f32> {
        let image = self.task.image(&self.look);
        match &self.phase {
            Phase::Round(rounding) if !rounding.is_unrounded() => {
                super::pixels::round(&image, self.task.bounds)
            }
            _ => image,
        }
    }

    /// The image to return.
    pub fn result(&self) -> Vec<f32> {
        let best = self.rounded.as_ref().or(self.best.as_ref().map(|best| &best.perturbation));
        let found = best.or(self.fallback.as_ref().map(|(_, perturbation)| perturbation));
        match found {
            Some(perturbation) => self.task.image(perturbation),
            None => self.task.image(&self.look),
        }
    }

    /// The scores of the image looked at; gives the weights of the scores whose gradient is wanted.
    pub fn seen(&mut self, now: Scored) -> Result<&[(usize, f64)], Reason> {
        self.passes.forward += 1;
        self.asked.clear();
        if self.start.is_none() {
            self.begin(&now)?;
        }
        let start = self.start.as_ref().expect("begun above");
        self.margin = start.tight.margin(&now.scores, &now.ranking);
        let (met, criterion) = self.is_met(&now);
        let is_rounded = matches!(&self.phase, Phase::Round(rounding) if !rounding.is_unrounded());
        if !is_rounded {
            self.keep(&now, met, criterion);
        }
        self.advance(&now, met);
        if self.passes.forward >= self.task.max_passes {
            self.asked.clear();
        }
        self.passes.backward += usize::from(!self.asked.is_empty());
        Ok(&self.asked)
    }

    /// The gradient that [`seen`](Self::seen) asked for, if it did.
    pub fn learn(&mut self, gradient: &[f32]) {
        if self.asked.is_empty() {
            return;
        }
        let Phase::Search(search) = &mut self.phase else { return };
        let start = self.start.as_ref().expect("seen before");
        let left = self.task.max_passes - self.passes.forward;
        match search.learn(&self.task, start, gradient) {
            Some(look) if left > self.task.reserve() || self.best.is_none() => self.look = look,
            _ => self.finish(),
        }
    }

    fn begin(&mut self, now: &Scored) -> Result<(), Reason> {
        let task = &self.task;
        eligible(&now.ranking, &task.relevant, &task.specified, task.k)?;
        let leaving = task.criterion.leaving();
        let (relevant, specified) = (&task.relevant, &task.specified);
        let tight = Tight::new(&now.ranking, relevant, specified, task.k, leaving, task.keep);
        let order = now.ranking.order();
        let spread =
            f64::from(now.scores[order[0]]) - f64::from(now.scores[order[order.len() - 1]]);
        let start = Start { clean: now.clone(), tight, spread: spread.max(f64::MIN_POSITIVE) };
        self.phase = Phase::Search(turns::first(task, &start));
        self.start = Some(start);
        Ok(())
    }

    /// Whether all that is wanted holds, and whether the criterion alone does.
    fn is_met(&self, now: &Scored) -> (bool, bool) {
        let Start { clean, tight, spread } = self.start.as_ref().expect("seen before");
        let criterion = self.task.criterion.is_met(&Standing {
            target: None,
            clean: &clean.ranking,
            clean_scores: &clean.scores,
            now: &now.ranking,
            scores: &now.scores,
            relevant: &self.task.relevant,
            specified: &self.task.specified,
            k: self.task.k,
        });
        let tight = tight.is_met(&now.ranking) && self.margin <= -TIE * spread;
        (criterion && tight, criterion)
    }

    /// Keeps the image looked at where it is the best yet.
    fn keep(&mut self, now: &Scored, met: bool, criterion: bool) {
        let norm = self.task.norm(&self.look);
        if met && self.best.as_ref().is_none_or(|best| norm < best.norm) {
            self.best = Some(Found { perturbation: self.look.clone(), norm, seen: now.clone() });
        } else if criterion && !met && self.fallback.as_ref().is_none_or(|(least, _)| norm < *least)
        {
            self.fallback = Some((norm, self.look.clone()));
        }
    }

    fn advance(&mut self, now: &Scored, met: bool) {
        let start = self.start.as_ref().expect("seen before");
        match &mut self.phase {
            Phase::Search(search) => {
                self.asked = search.seen(&self.task, start, now, met);
                if self.asked.is_empty() {
                    self.finish();
                }
            }
            Phase::Shrink => self.round(),
            Phase::Round(rounding) => {
                let best = self.best.as_ref().expect("only a success is rounded");
                let model = self.search.as_deref().expect("the search is over").model();
                let length = self.task.norm(&self.look);
                if met
                    && rounding.is_unrounded()
                    && Rounding::is_worth(&self.task, best, length)
                    && self.rounded.as_ref().is_none_or(|rounded| length < self.task.norm(rounded))
                {
                    self.rounded = Some(self.look.clone());
                }
                match rounding.next(&self.task, start, best, model, now, met) {
                    Some(look) => self.look = look,
                    None => {
                        // The best image as it is survived, or none did.
                        self.phase = Phase::Done;
                    }
                }
            }
            Phase::RoundLinf(whole) => {
                let best = self.best.as_ref().expect("only a success is rounded");
                let next = whole.next(&self.task, best, &self.look, met);
                self.rounded.clone_from(&whole.survivor);
                match next {
                    Some(look) => self.look = look,
                    None => self.phase = Phase::Done,
                }
            }
            Phase::Done => {}
        }
    }

    /// The search is over: go on with another, or refine what was found.
    fn finish(&mut self) {
        let Phase::Search(search) = std::mem::replace(&mut self.phase, Phase::Done) else { return };
        self.search = Some(search);
        self.searches += 1;
        let (Some(best), Some(start)) = (&self.best, &self.start) else { return };
        let left = self.task.max_passes - self.passes.forward;
        if let Some(search) = turns::next(&self.task, start, best, self.searches, left) {
            self.look = search.begins_at().to_vec();
            self.phase = Phase::Search(search);
            return;
        }
        let model = self.search.as_deref().expect("just set").model();
        match shrunk(start, best, model) {
            Some(look) => {
                self.look = look;
                self.phase = Phase::Shrink;
            }
            None => self.round(),
        }
    }

    fn round(&mut self) {
        let best = self.best.as_ref().expect("only a success is rounded");
        match self.task.solver.norm() {
            Norm::L2 => {
                self.look.clone_from(&best.perturbation);
                self.phase = Phase::Round(Rounding::default());
            }
            Norm::Linf => {
                self.look = Whole::first(&self.task, best);
                self.phase = Phase::RoundLinf(Whole::default());
            }
        }
    }
}

pub(super) fn norm(perturbation: &[f32]) -> f64 {
    dot(perturbation, perturbation).sqrt()
}
