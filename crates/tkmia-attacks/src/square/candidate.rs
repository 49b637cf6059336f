//! [`Candidates`]: the perturbations that Square tries on one image.

use tkmia_core::Bounds;

use super::bump::bump;
use super::draws::Draws;
use crate::{Ball, Norm};

/// The random search on one image, within its ball and its box.
#[derive(Debug, Clone)]
pub(super) struct Candidates {
    ball: Ball,
    bounds: Bounds,
    /// Channels, height, width.
    size: [usize; 3],
    origin: Vec<f32>,
    draws: Draws,
    best: Vec<f32>,
    margin: f64,
    tried: Vec<f32>,
}

/// A square of the image.
#[derive(Debug, Clone, Copy)]
struct Window {
    top: usize,
    left: usize,
    side: usize,
}

/// After how many of 10,000 queries it is halved.
const HALVED: [usize; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

impl Candidates {
    /// None was tried yet.
    pub fn new(ball: Ball, bounds: Bounds, size: [usize; 3], origin: &[f32]) -> Self {
        let zeros = vec![0.0; origin.len()];
        Self {
            ball,
            bounds,
            size,
            draws: Draws::of(origin),
            origin: origin.to_vec(),
            best: zeros.clone(),
            margin: f64::INFINITY,
            tried: zeros,
        }
    }

    /// The one before any query: stripes of ±ε in L∞, a grid of [bumps](bump) in L2.
    pub fn first(&mut self) -> &[f32] {
        let [channels, height, width] = self.size;
        let mut values = vec![0.0; self.origin.len()];
        match self.ball.norm {
            Norm::Linf => {
                for channel in 0..channels {
                    for column in 0..width {
                        let value = self.draws.sign() * self.ball.radius;
                        for row in 0..height {
                            values[(channel * height + row) * width + column] = value;
                        }
                    }
                }
            }
            Norm::L2 => {
                let side = (height.min(width) / 5).max(1);
                let (rows, columns) = (height / side, width / side);
                let edge = |size: usize, tiles: usize| (size - side * tiles) / 2;
                for tile in 0..rows * columns {
                    let window = Window {
                        top: edge(height, rows) + tile / columns * side,
                        left: edge(width, columns) + tile % columns * side,
                        side,
                    };
                    let bump = bump(side, self.draws.sign() < 0.0);
                    for channel in 0..channels {
                        let sign = self.draws.sign();
                        for (at, value) in self.elements(window, channel).zip(&bump) {
                            values[at] = sign * value;
                        }
                    }
                }
                let factor = self.ball.radius / norm(values.iter().copied());
                values.iter_mut().for_each(|value| *value *= factor);
            }
        }
        self.attempt(values)
    }

    /// The next one, after a query of so many that gave the last one this margin.
    pub fn next(&mut self, margin: f64, query: usize, queries: usize) -> &[f32] {
        if margin < self.margin {
            self.margin = margin;
            self.best.clone_from(&self.tried);
        }
        let [_, height, width] = self.size;
        let most = height.min(width);
        let side = |first: f64| {
            (share(first, query, queries) * (height * width) as f64).sqrt().round() as usize
        };
        match self.ball.norm {
            Norm::Linf => self.flip(side(0.05).clamp(1, (most - 1).max(1))),
            Norm::L2 => self.shift((side(0.1).max(3) | 1).min(most)),
        }
    }

    /// Sets a window of each channel to ε or −ε: Algorithm 2.
    fn flip(&mut self, side: usize) -> &[f32] {
        let (window, radius) = (self.window(side), self.ball.radius);
        let signs: Vec<f64> = (0..self.size[0]).map(|_| self.draws.sign()).collect();
        let mut values: Vec<f64> = self.best.iter().map(|&value| value.into()).collect();
        let set = |values: &mut Vec<f64>, factor: f64| {
            for (channel, sign) in signs.iter().enumerate() {
                self.elements(window, channel).for_each(|at| values[at] = factor * sign * radius);
            }
        };
        set(&mut values, 1.0);
        // What would change nothing is turned round.
        if values.iter().zip(0..).all(|(&value, at)| self.inside(at, value) == self.best[at]) {
            set(&mut values, -1.0);
        }
        self.attempt(values)
    }

    /// Moves what one window has of the norm to another, where a [`bump`] is added: Algorithm 3.
    fn shift(&mut self, side: usize) -> &[f32] {
        let (to, from) = (self.window(side), self.window(side));
        let bump = bump(side, self.draws.sign() < 0.0);
        let channels = self.size[0];
        let mut values: Vec<f64> = self.best.iter().map(|&value| value.into()).collect();
        let used = norm(values.iter().copied());
        let unused = (self.ball.radius.powi(2) - used.powi(2)).max(0.0) / channels as f64;
        for channel in 0..channels {
            let sign = self.draws.sign();
            let old: Vec<f64> = self.elements(to, channel).map(|at| values[at]).collect();
            let length = norm(old.iter().copied());
            let along = |old: f64| if length > 0.0 { old / length } else { 0.0 };
            let new: Vec<f64> =
                old.iter().zip(&bump).map(|(&old, bump)| sign * bump + along(old)).collect();
            let elsewhere = self.elements(from, channel).filter(|&at| !self.lies_in(to, at));
            let moved = length.powi(2) + elsewhere.map(|at| values[at].powi(2)).sum::<f64>();
            let available = (moved + unused).sqrt();
            let factor = match norm(new.iter().copied()) {
                0.0 => 0.0,
                length => available / length,
            };
            self.elements(from, channel).for_each(|at| values[at] = 0.0);
            self.elements(to, channel).zip(new).for_each(|(at, new)| values[at] = factor * new);
        }
        self.attempt(values)
    }

    /// A window of this side at any place.
    fn window(&mut self, side: usize) -> Window {
        let [_, height, width] = self.size;
        let top = self.draws.below(height - side + 1);
        Window { top, left: self.draws.below(width - side + 1), side }
    }

    /// The positions of a window's values, row by row.
    fn elements(&self, window: Window, channel: usize) -> impl Iterator<Item = usize> + use<> {
        let ([_, height, width], Window { top, left, side }) = (self.size, window);
        let row = move |row| (channel * height + top + row) * width + left;
        (0..side).flat_map(move |at| row(at)..row(at) + side)
    }

    fn lies_in(&self, Window { top, left, side }: Window, at: usize) -> bool {
        let [_, height, width] = self.size;
        let (row, column) = (at / width % height, at % width);
        (top..top + side).contains(&row) && (left..left + side).contains(&column)
    }

    /// The value of a perturbation, cut off where it would leave the box.
    fn inside(&self, at: usize, value: f64) -> f32 {
        let origin = self.origin[at];
        (origin + value as f32).clamp(self.bounds.low, self.bounds.high) - origin
    }

    fn attempt(&mut self, values: Vec<f64>) -> &[f32] {
        self.tried = values.into_iter().enumerate().map(|(at, by)| self.inside(at, by)).collect();
        &self.tried
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// The share of the image that a window has at a query of so many.
fn share(first: f64, query: usize, queries: usize) -> f64 {
    let at = 10_000 * query / queries.max(1);
    first / f64::from(1 << HALVED.iter().filter(|&&halved| at > halved).count())
}
