//! [`Sample`]: the search for one image, pass by pass.

use super::constraints::Tight;
use super::rounding::{RoundingL2, RoundingLinf, round};
use super::search::{Search, first, next};
use super::shortest::shortened;
use super::task::{Found, Start, Task, norm};
use crate::criterion::{Leaving, SampleState};
use crate::eligibility::{Reason, eligible};
use crate::indicator::Trail;
use crate::readback::{NonFinite, Scored};
use crate::{Indicator, Norm, Outcome, Passes};

/// Relative to the spread: what holds by less might not hold on a device that rounds differently.
const TIE: f64 = 1e-4;

#[derive(Debug)]
enum Phase {
    Search(Box<dyn Search>),
    Shrink,
    Round(RoundingL2),
    RoundLinf(RoundingLinf),
    Done,
}

/// One image under attack.
#[derive(Debug)]
pub(super) struct Sample {
    task: Task,
    start: Option<Start>,
    phase: Phase,
    /// Of the searches that are over, the one that found the best, as far as it has a model; and how many are.
    search: Option<Box<dyn Search>>,
    searches: usize,
    passes: Passes,
    trail: Trail,
    look: Vec<f32>,
    margin: f64,
    asked: Vec<(usize, f64)>,
    best: Option<Found>,
    /// The best of the search under way, or the last.
    latest: Option<Found>,
    rounded: Option<Vec<f32>>,
    /// The smallest at which the criterion holds and the measures don't.
    fallback: Option<(f64, Vec<f32>)>,
}

impl Sample {
    pub fn new(task: Task) -> Self {
        let (look, trail) =
            (vec![0.0; task.origin.len()], Trail::new(task.origin.len(), task.bounds));
        Self {
            task,
            start: None,
            phase: Phase::Done,
            search: None,
            searches: 0,
            passes: Passes::default(),
            trail,
            look,
            margin: 0.0,
            asked: Vec::new(),
            best: None,
            latest: None,
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

    /// Signs that the search failed for reasons of its own.
    pub fn indicators(&self) -> Vec<Indicator> {
        self.trail.indicators(self.outcome() == Outcome::Exhausted)
    }

    /// The image looked at has no finite scores: what is found is kept, or it comes back unattacked.
    pub fn lost(&mut self, fault: NonFinite) -> Outcome {
        self.passes.forward += 1;
        self.asked.clear();
        match self.outcome() {
            Outcome::Succeeded => Outcome::Succeeded,
            _ => {
                self.look.fill(0.0);
                fault.into()
            }
        }
    }

    /// What to look at next.
    pub fn image(&self) -> Vec<f32> {
        let image = self.task.image(&self.look);
        match &self.phase {
            Phase::Round(rounding) if !rounding.is_unrounded() => round(&image, self.task.bounds),
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
        let slope = norm(gradient);
        self.trail.reach(self.margin as f32);
        self.trail.step(slope as f32, true);
        if !slope.is_finite() {
            return self.finish();
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
        eligible(&now.ranking, &task.relevant, &task.specified, task.k, task.delta)?;
        // All that are in the clean top-k, unless so many are asked for.
        let leaving = match task.stop.leaving(task.delta) {
            Some(Leaving::AtLeast(count)) => Some(count),
            Some(Leaving::All) | None => None,
        };
        let (relevant, specified) = (&task.relevant, &task.specified);
        let order = now.ranking.order();
        let between = |ranks: [usize; 2]| {
            let [above, below] = ranks.map(|rank| f64::from(now.scores[order[rank]]));
            above - below
        };
        let spread = between([0, order.len() - 1]);
        let border = match task.border_margin {
            Some(times) if task.k < order.len() => times * between([task.k - 1, task.k]),
            _ => 0.0,
        };
        let tight = Tight::new(&now.ranking, relevant, specified, task.k, leaving, task.keep)
            .with_border(border);
        let reach = tight.margin(&now.scores, &now.ranking).clamp(0.0, spread);
        let spread = spread.max(f64::MIN_POSITIVE);
        let start = Start { clean: now.clone(), tight, spread, reach };
        self.phase = Phase::Search(first(task, &start));
        self.start = Some(start);
        Ok(())
    }

    /// Whether all that is wanted holds, and whether the criterion alone does.
    fn is_met(&self, now: &Scored) -> (bool, bool) {
        let Start { clean, tight, spread, .. } = self.start.as_ref().expect("seen before");
        let criterion = self.task.stop.is_met(&SampleState {
            target: self.task.target.as_deref(),
            clean: &clean.ranking,
            clean_scores: &clean.scores,
            now: &now.ranking,
            scores: &now.scores,
            relevant: &self.task.relevant,
            specified: &self.task.specified,
            k: self.task.k,
            delta: self.task.delta,
        });
        let tight = tight.is_met(&now.ranking) && self.margin <= -TIE * spread;
        (criterion && tight, criterion)
    }

    /// Keeps the image looked at where it is the best yet.
    fn keep(&mut self, now: &Scored, met: bool, criterion: bool) {
        let norm = self.task.norm(&self.look);
        if met && self.latest.as_ref().is_none_or(|best| norm < best.norm) {
            self.latest = Some(Found { perturbation: self.look.clone(), norm, seen: now.clone() });
        }
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
                    && RoundingL2::is_worth(&self.task, best, length)
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
            Phase::RoundLinf(rounding) => {
                let best = self.best.as_ref().expect("only a success is rounded");
                let next = rounding.next(&self.task, best, &self.look, met);
                self.rounded.clone_from(&rounding.survivor);
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
        self.searches += 1;
        let norm = |found: &Option<Found>| found.as_ref().map(|found| found.norm);
        let found_best = self.latest.is_some() && norm(&self.latest) == norm(&self.best);
        let other = self.search.take().filter(|other| !found_best && !other.model().is_empty());
        self.search = other.or(Some(search));
        let start = self.start.as_ref().expect("a search is begun on it");
        let left = self.task.max_passes - self.passes.forward;
        let again = self.task.rounds.is_none_or(|rounds| self.searches < rounds);
        let found = self.latest.as_ref().or(self.best.as_ref());
        let distance = found.map_or_else(|| self.task.norm(&self.look), |found| found.norm);
        let over = (self.searches, distance);
        if again && let Some(search) = next(&self.task, start, found, over, left) {
            self.look = search.begins_at().to_vec();
            self.latest = None;
            self.phase = Phase::Search(search);
            return;
        }
        let Some(best) = &self.best else { return };
        let model = self.search.as_deref().expect("just set").model();
        match shortened(start, best, model) {
            Some(look) => {
                self.look = look;
                self.phase = Phase::Shrink;
            }
            None => self.round(),
        }
    }

    fn round(&mut self) {
        let best = self.best.as_ref().expect("only a success is rounded");
        match self.task.measured_by {
            Norm::L2 => {
                self.look.clone_from(&best.perturbation);
                self.phase = Phase::Round(RoundingL2::default());
            }
            Norm::Linf => {
                self.look = RoundingLinf::first(&self.task, best);
                self.phase = Phase::RoundLinf(RoundingLinf::default());
            }
        }
    }
}
