//! [`ActiveTest`]: does an attack find an adversarial example that is surely there?

use burn::tensor::{Device, Tensor, TensorData};
use sha2::{Digest, Sha256};
use tkmia_core::{Bounds, Classifier, in_front_of};
use tkmia_metrics::Ranking;

use crate::criterion::SampleState;
use crate::eligibility::eligible;
use crate::geometry::{dot, gram, least_norm};
use crate::readback::{NonFinite, Scored, scored};
use crate::{Attack, AttackBatch, AttackError, Ball, Criterion, Norm, Observer, Reason};

/// An active test of attacks: Zimmermann, Brendel, Tramèr & Carlini, "Increasing Confidence in Adversarial
/// Robustness Evaluations", NeurIPS 2022, for the top-k of many labels.
///
/// The victim is altered so that, for one image `x`, a point `p` on the border of the ball around it surely
/// fulfils the criterion. An attack that doesn't find a success within the ball fails the test, and its failures on
/// the victim itself then say nothing of the victim. Passing it proves nothing more.
///
/// ```text
/// f'(x') = f(x') + h(x') · (g − f(p)),     h(x') = w · (f(x') − f(x))
/// ```
///
/// `w` is a linear readout of the scores that tells `p` from other random points of the ball: `h(x) = 0`, `h(p) = 1`, and
/// at most ½ at the others as far as that goes. `g` are scores that fulfil the criterion: those at `p`, with only
/// the labels moved that it is about. So `x` has the scores that it had, `p` has `g`, and the gradient of
/// `h` has to pass through the victim. The original trains a readout of the last features; a top-k classifier
/// of any kind has its scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActiveTest {
    /// How far from the image, in model-input units.
    pub ball: Ball,
    /// Random points that the readout is fitted to, and as many again that say how often a random one succeeds.
    pub points: usize,
    /// Of the points; they depend on it and the image's id alone.
    pub seed: u64,
}

/// A classifier that one image surely has an adversarial example for.
#[derive(Debug)]
pub struct Planted<'a> {
    classifier: &'a dyn Classifier,
    /// Of the image. `[1, classes]`
    clean: Tensor<2>,
    /// `w`. `[1, classes]`
    readout: Tensor<2>,
    /// `g − f(p)`. `[1, classes]`
    change: Tensor<2>,
    /// The adversarial example `p`, `[1, 3, height, width]`.
    pub example: Tensor<4>,
    /// The share of random points on the border of the ball that succeed too.
    pub at_random: f64,
}

impl Planted<'_> {
    /// `f' = f + h · (g − f(p))`, row by row.
    fn alter(&self, scores: Tensor<2>) -> Tensor<2> {
        let moved = scores.clone() - self.clean.clone();
        scores + (moved * self.readout.clone()).sum_dim(1) * self.change.clone()
    }
}

impl Classifier for Planted<'_> {
    in_front_of!(self => self.classifier; input_size);

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.alter(self.classifier.scores(images))
    }
}

/// Why nothing can be planted for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unplanted {
    /// It doesn't take part.
    #[error("{0}")]
    Ineligible(Reason),
    /// The criterion holds without any perturbation.
    #[error("the criterion holds at the unattacked image")]
    AlreadyMet,
    /// None of the plans fulfils the criterion.
    #[error("no scores are known that fulfil the criterion")]
    Criterion,
    /// The scores hardly move within the ball.
    #[error("the scores change too little within the radius to tell its points apart")]
    Still,
    /// A score isn't finite.
    #[error("the score of label {label} isn't finite")]
    NonFiniteScore {
        /// The label.
        label: usize,
    },
}

impl From<NonFinite> for Unplanted {
    fn from(NonFinite { label, .. }: NonFinite) -> Self {
        Self::NonFiniteScore { label }
    }
}

/// How an attack did on one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What it made of the planted example.
    pub found: Found,
    /// As [`Planted::at_random`]; 0 where nothing is planted.
    pub at_random: f64,
}

/// What an attack made of a planted example.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It found one within the ball: this far away, in the ball's norm.
    Within(f64),
    /// It found one outside, this far away.
    Outside(f64),
    /// It found none.
    Missed,
    /// There was none to find.
    Nothing(Unplanted),
}

/// Of the spread of the clean scores: by how much planted scores fulfil a criterion.
const GAP: f32 = 0.05;
/// Of the mean square of the readout's points: what telling them apart may fall short by.
const SOFTNESS: f64 = 1e-3;
/// What rounding of the scores may move `h` by, and the rounding, relative to the largest score.
const NOISE: [f64; 2] = [0.01, 1e-6];
/// Beyond the radius: rounding.
const SLACK: f64 = 1e-4;
/// Points that are scored at once.
const AT_ONCE: usize = 8;

impl ActiveTest {
    /// With 32 points.
    pub fn new(ball: Ball, seed: u64) -> Self {
        Self { ball, points: 32, seed }
    }

    /// Plants an example for a batch of one image and attacks it there. `id` is what the data set calls the image.
    ///
    /// # Errors
    /// As [`Attack::run_watched`].
    ///
    /// # Panics
    /// If the batch hasn't one image.
    pub fn check(
        &self,
        attack: &dyn Attack,
        classifier: &dyn Classifier,
        batch: &AttackBatch,
        id: &str,
        watch: &mut dyn Observer,
    ) -> Result<Check, AttackError> {
        let unattacked = attack.view().of(batch.images().clone());
        let planted = match self.plant(classifier, batch, unattacked, &*attack.stop().0, id) {
            Ok(planted) => planted,
            Err(why) => return Ok(Check { found: Found::Nothing(why), at_random: 0.0 }),
        };
        let result = attack.run_watched(&planted, batch, watch)?;
        let verdict = result.judge(&planted)?.remove(0);
        let length = match self.ball.norm {
            Norm::L2 => verdict.norm_input,
            Norm::Linf => verdict.linf_input,
        };
        let found = match verdict.success {
            false => Found::Missed,
            true if length <= self.ball.radius * (1.0 + SLACK) => Found::Within(length),
            true => Found::Outside(length),
        };
        Ok(Check { found, at_random: planted.at_random })
    }

    /// Alters a classifier so that a point of the ball around `unattacked`, the one image of a batch as the
    /// classifier sees it, fulfils the criterion.
    ///
    /// # Errors
    /// [`Unplanted`].
    ///
    /// # Panics
    /// If the batch hasn't one image.
    pub fn plant<'a>(
        &self,
        classifier: &'a dyn Classifier,
        batch: &AttackBatch,
        unattacked: Tensor<4>,
        criterion: &dyn Criterion,
        id: &str,
    ) -> Result<Planted<'a>, Unplanted> {
        assert_eq!(batch.rows(), 1, "an example is planted for one image");
        let goal = batch.goal();
        let clean = scored(classifier.scores(unattacked.clone())).remove(0)?;
        let is_met = |now: &Scored| criterion.is_met(&SampleState::of(goal, 0, &clean, now));
        let state = SampleState::of(goal, 0, &clean, &clean);
        eligible(state.clean, state.relevant, state.specified, state.k, state.delta)
            .map_err(Unplanted::Ineligible)?;
        if is_met(&clean) {
            return Err(Unplanted::AlreadyMet);
        }

        let point = |number| self.point(&unattacked, classifier.bounds(), id, number);
        let scores = |numbers: std::ops::Range<usize>| -> Result<Vec<Scored>, NonFinite> {
            let numbers: Vec<usize> = numbers.collect();
            let chunks = numbers.chunks(AT_ONCE).flat_map(|numbers| {
                let points = numbers.iter().map(|&number| point(number)).collect();
                scored(classifier.scores(Tensor::cat(points, 0)))
            });
            chunks.collect()
        };
        let (fitted, fresh) = (scores(0..self.points)?, scores(self.points..2 * self.points)?);
        let by = |point: &Scored| {
            point.scores.iter().zip(&clean.scores).map(|(now, before)| now - before).collect()
        };
        let moved: Vec<Vec<f32>> = fitted.iter().map(by).collect();
        let far = |&a: &usize, &b: &usize| {
            dot(&moved[a], &moved[a]).total_cmp(&dot(&moved[b], &moved[b]))
        };
        let chosen = (0..self.points).max_by(far).ok_or(Unplanted::Still)?;
        let readout = readout(&moved, chosen).ok_or(Unplanted::Still)?;
        let largest = clean.scores.iter().fold(0.0_f32, |most, score| most.max(score.abs()));
        if dot(&readout, &readout).sqrt() * f64::from(largest) * NOISE[1] > NOISE[0] {
            return Err(Unplanted::Still);
        }

        let there = &fitted[chosen];
        let plans = plans(&SampleState::of(goal, 0, &clean, there));
        let wanted = plans.into_iter().find(|wanted| {
            let ranking = Ranking::new(wanted).expect("finite scores were moved to finite ones");
            is_met(&Scored { scores: wanted.clone(), ranking })
        });
        let wanted = wanted.ok_or(Unplanted::Criterion)?;
        let change: Vec<f32> =
            wanted.iter().zip(&there.scores).map(|(wanted, found)| wanted - found).collect();
        let device = classifier.device();
        let row = |values: &[f32]| row(values, &device);
        let mut planted = Planted {
            classifier,
            clean: row(&clean.scores),
            readout: row(&readout),
            change: row(&change),
            example: point(chosen),
            at_random: 0.0,
        };
        let succeeds = |scored: &Result<Scored, NonFinite>| scored.as_ref().is_ok_and(is_met);
        if !succeeds(&scored(planted.scores(planted.example.clone())).remove(0)) {
            return Err(Unplanted::Still);
        }
        let altered = fresh.iter().map(|point| row(&point.scores)).collect();
        let altered = scored(planted.alter(Tensor::cat(altered, 0)));
        let succeed = altered.iter().filter(|&scored| succeeds(scored)).count();
        planted.at_random = succeed as f64 / self.points as f64;
        Ok(planted)
    }

    /// A random point on the border of the ball, as far as the box allows: each value moves by as much, up or down.
    fn point(
        &self,
        image: &Tensor<4>,
        Bounds { low, high }: Bounds,
        id: &str,
        number: usize,
    ) -> Tensor<4> {
        let [_, channels, height, width] = image.dims();
        let count = channels * height * width;
        let length = match self.ball.norm {
            Norm::L2 => self.ball.radius / (count as f64).sqrt(),
            Norm::Linf => self.ball.radius,
        } as f32;
        let bits = (0_u64..).flat_map(|block| {
            let mut hash = Sha256::new();
            [self.seed, number as u64, block]
                .iter()
                .for_each(|part| hash.update(part.to_le_bytes()));
            hash.update(id);
            hash.finalize()
        });
        let signs = bits.flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        let by = signs.map(|up| if up { length } else { -length }).take(count);
        let by = TensorData::new(by.collect::<Vec<f32>>(), image.dims());
        (image.clone() + Tensor::from_data(by, &image.device())).clamp(low, high)
    }
}

/// `w`: 1 at the chosen one of the points, and at most ½ at the others, as far as that goes: a support vector
/// machine with squared hinges. Nothing where no point differs from the image.
fn readout(points: &[Vec<f32>], chosen: usize) -> Option<Vec<f32>> {
    let count = points.len();
    let signs: Vec<f64> = (0..count).map(|at| if at == chosen { -1.0 } else { 1.0 }).collect();
    let bounds: Vec<f64> = signs.iter().map(|&sign| if sign < 0.0 { -1.0 } else { 0.5 }).collect();
    let mut products = gram(points);
    let mean = (0..count).map(|at| products[at * count + at]).sum::<f64>() / count as f64;
    for (i, row) in products.chunks_exact_mut(count).enumerate() {
        row.iter_mut().zip(&signs).for_each(|(product, sign)| *product *= signs[i] * sign);
        row[i] += SOFTNESS * mean;
    }
    let multipliers = least_norm(&products, &bounds).multipliers;
    let mut readout = vec![0.0_f64; points[chosen].len()];
    for ((point, multiplier), sign) in points.iter().zip(&multipliers).zip(&signs) {
        readout.iter_mut().zip(point).for_each(|(w, &p)| *w -= multiplier * sign * f64::from(p));
    }
    let at_chosen: f64 = readout.iter().zip(&points[chosen]).map(|(w, &p)| w * f64::from(p)).sum();
    (at_chosen > 0.0).then(|| readout.iter().map(|w| (w / at_chosen) as f32).collect())
}

/// Scores that criteria may ask for, those first that are nearest to the scores as they are: the specified labels out,
/// the other relevant ones in their places, all relevant labels out, the target in.
fn plans(state: &SampleState<'_>) -> Vec<Vec<f32>> {
    let SampleState { relevant, specified, .. } = *state;
    let none = vec![false; relevant.len()];
    let target = state.target.map(|target| -> Vec<bool> {
        (0..relevant.len()).map(|label| target.contains(&label)).collect()
    });
    let others: Vec<bool> = relevant.iter().zip(specified).map(|(&r, &s)| r && !s).collect();
    let plans = [
        Some((&none[..], specified)),
        Some((&others[..], specified)),
        Some((&none[..], relevant)),
        target.as_ref().map(|target| (&target[..], &none[..])),
    ];
    plans.into_iter().flatten().filter_map(|(up, down)| planned(state, up, down)).collect()
}

/// The scores with some labels raised above all others, and some lowered below the top-k of the others; none where
/// the others are fewer than k.
fn planned(state: &SampleState<'_>, up: &[bool], down: &[bool]) -> Option<Vec<f32>> {
    let order = state.clean.order();
    let clean = state.clean_scores;
    let gap = GAP * (clean[order[0]] - clean[order[order.len() - 1]]).max(f32::MIN_POSITIVE);
    let mut scores = state.scores.to_vec();
    let top = |scores: &[f32], among: &dyn Fn(usize) -> bool, rank: usize| -> Option<f32> {
        let mut found: Vec<f32> =
            (0..scores.len()).filter(|&label| among(label)).map(|label| scores[label]).collect();
        found.sort_by(|a, b| b.total_cmp(a));
        found.get(rank - 1).copied()
    };
    let ceiling = top(&scores, &|label| !up[label] && !down[label], 1)? + gap;
    for (label, score) in scores.iter_mut().enumerate().filter(|(label, _)| up[*label]) {
        *score = score.max(ceiling);
        debug_assert!(!down[label]);
    }
    let floor = top(&scores, &|label| !down[label], state.k)? - gap;
    for (_, score) in scores.iter_mut().enumerate().filter(|(label, _)| down[*label]) {
        *score = score.min(floor);
    }
    Some(scores)
}

fn row(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), device)
}
