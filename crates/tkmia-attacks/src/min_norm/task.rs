//! [`Task`]: what is searched for on one image, and what was found.

use tkmia_core::Bounds;

use super::constraints::Tight;
use super::settings::Solver;
use crate::geometry::dot;
use crate::readback::Scored;
use crate::{Keep, Norm, Stop};

/// What is searched for, and with how many passes.
#[derive(Debug)]
pub(super) struct Task {
    pub origin: Vec<f32>,
    pub bounds: Bounds,
    pub relevant: Vec<bool>,
    pub specified: Vec<bool>,
    pub target: Option<Vec<usize>>,
    pub k: usize,
    pub delta: Option<usize>,
    pub keep: Keep,
    pub border_margin: Option<f64>,
    /// What is to be small.
    pub measured_by: Norm,
    pub solver: Solver,
    pub rounds: Option<usize>,
    pub stop: Stop,
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

    /// The least and the greatest value of an element.
    pub fn limits(&self, _: usize) -> [f32; 2] {
        [self.bounds.low, self.bounds.high]
    }

    /// How large a perturbation is.
    pub fn norm(&self, perturbation: &[f32]) -> f64 {
        match self.measured_by {
            Norm::L2 => norm(perturbation),
            Norm::Linf => {
                perturbation.iter().fold(0.0, |most: f32, value| most.max(value.abs())).into()
            }
        }
    }

    /// Whether the passes suffice for more than one search.
    pub fn has_time(&self) -> bool {
        self.max_passes >= 80
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
    /// By how much the constraints don't hold there; labels further apart decide nothing.
    pub reach: f64,
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

/// The L2 norm.
pub(super) fn norm(perturbation: &[f32]) -> f64 {
    dot(perturbation, perturbation).sqrt()
}

/// For tests: a grey image of so many whole pixels, of three relevant labels the first is specified, k = 1.
#[cfg(test)]
pub(super) fn grey(pixels: usize, measured_by: Norm, max_passes: usize) -> Task {
    Task {
        origin: vec![128.0 / 127.5 - 1.0; pixels],
        bounds: Bounds::SYMMETRIC,
        relevant: vec![true; 3],
        specified: vec![true, false, false],
        target: None,
        k: 1,
        delta: None,
        keep: Keep::Order,
        border_margin: None,
        measured_by,
        solver: Solver::FirstOrder,
        rounds: None,
        stop: Stop::default(),
        max_passes,
    }
}
