//! [`smallest`]: a long search for the smallest norm that shares nothing with the library's but the constraints.

use burn::tensor::{Tensor, TensorData};
use fastrand::Rng;
use tkmia::attacks::{Keep, Norm, Tight};
use tkmia::core::Classifier;
use tkmia::metrics::Ranking;

use crate::case::Case;

const RESTARTS: usize = 6;
const STEPS: usize = 1000;

/// For each image the smallest norm at which the constraints hold, of six restarts of DDN (Rony et al., CVPR
/// 2019) with a thousand steps each, or of FMN (Pintor et al., NeurIPS 2021) in L∞: steps along the gradient
/// of the worst contest, at a radius that shrinks after a success and grows after a failure.
pub fn smallest(victim: &dyn Classifier, case: &Case, norm: Norm) -> Vec<f64> {
    let images = case.batch.images();
    let scores = victim.scores(images.clone()).try_to_vec_as::<f32>().expect("floats");
    let origin = images.clone().try_to_vec_as::<f32>().expect("floats");
    let [rows, channels, height, width] = images.dims();
    let size = channels * height * width;
    let clean = scores.chunks_exact(victim.classes());
    let each = clean.zip(origin.chunks_exact(size)).enumerate();
    let least = each.map(|(row, (scores, origin))| {
        let ranking = Ranking::new(scores).expect("finite scores");
        let goal = case.batch.goal();
        let (relevant, specified) = (goal.relevant().row(row), goal.specified().row(row));
        let tight = Tight::new(&ranking, relevant, specified, goal.k(), None, Keep::Order);
        let highest = scores[ranking.order()[0]];
        let lowest = scores[ranking.order()[scores.len() - 1]];
        let search = Search {
            victim,
            tight,
            origin,
            shape: [RESTARTS, channels, height, width],
            norm,
            // What min-norm itself asks for beyond a tie.
            spare: 1e-4 * f64::from(highest - lowest),
        };
        search.run(row as u64)
    });
    assert_eq!(rows * size, origin.len());
    least.collect()
}

struct Search<'a> {
    victim: &'a dyn Classifier,
    tight: Tight,
    origin: &'a [f32],
    shape: [usize; 4],
    norm: Norm,
    spare: f64,
}

/// One of the searches.
struct Restart {
    perturbation: Vec<f32>,
    radius: f64,
    /// The linear distance at the unattacked image.
    unit: f64,
}

impl Search<'_> {
    fn run(&self, seed: u64) -> f64 {
        let mut rng = Rng::with_seed(seed);
        let zeros = || vec![0.0; self.origin.len()];
        let mut restarts: Vec<Restart> = (0..RESTARTS)
            .map(|_| Restart { perturbation: zeros(), radius: 0.0, unit: 0.0 })
            .collect();
        let mut best = f64::INFINITY;
        for step in 0..STEPS {
            let (margins, gradients) = self.look(&restarts);
            let cosine = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / STEPS as f64).cos());
            let each = gradients.chunks_exact(self.origin.len());
            for (index, (restart, gradient)) in restarts.iter_mut().zip(each).enumerate() {
                let margin = margins[index];
                if margin <= -self.spare {
                    best = best.min(self.size(&restart.perturbation));
                }
                if step == 0 {
                    restart.unit = margin.max(0.0) / self.dual(gradient).max(f64::MIN_POSITIVE);
                    // The first starts at the image, the others around it, up to three times as far as needed.
                    restart.radius = restart.unit * (1.0 + index as f64) / 2.0;
                    if index > 0 {
                        let random = restart.perturbation.iter_mut();
                        random.for_each(|value| *value = 2.0 * rng.f32() - 1.0);
                        self.onto(restart);
                    }
                    continue;
                }
                let gamma = 0.001 + 0.05 * cosine;
                restart.radius *= if margin <= -self.spare { 1.0 - gamma } else { 1.0 + gamma };
                let length = (0.005 + 0.5 * cosine) * restart.unit;
                let scale = match self.norm {
                    Norm::L2 => length / l2(gradient).max(f64::MIN_POSITIVE),
                    Norm::Linf => length,
                };
                for (value, &slope) in restart.perturbation.iter_mut().zip(gradient) {
                    *value -= match self.norm {
                        Norm::L2 => scale as f32 * slope,
                        Norm::Linf if slope == 0.0 => 0.0,
                        Norm::Linf => scale as f32 * slope.signum(),
                    };
                }
                self.onto(restart);
            }
        }
        best
    }

    /// Margins of the constraints, and the gradients of the worst contests.
    fn look(&self, restarts: &[Restart]) -> (Vec<f64>, Vec<f32>) {
        let moved = restarts.iter().flat_map(|restart| {
            self.origin.iter().zip(&restart.perturbation).map(|(x, by)| x + by)
        });
        let data = TensorData::new(moved.collect::<Vec<f32>>(), self.shape);
        let images = Tensor::<4>::from_data(data, &self.victim.device());
        let images = images.autodiff().require_grad();
        let scores = self.victim.scores(images.clone());
        let classes = self.victim.classes();
        let now = scores.clone().inner().try_to_vec_as::<f32>().expect("floats");
        let mut weights = vec![0.0_f32; now.len()];
        let each = now.chunks_exact(classes).zip(weights.chunks_exact_mut(classes));
        let margins = each.map(|(now, weights)| {
            let ranking = Ranking::new(now).expect("finite scores");
            let contests = self.tight.contests(&ranking).into_iter();
            let worst = contests.max_by(|a, b| a.gap(now).total_cmp(&b.gap(now)));
            let worst = worst.expect("specified labels are in the top-k");
            (weights[worst.sinks], weights[worst.rises]) = (1.0, -1.0);
            self.tight.margin(now, &ranking)
        });
        let margins = margins.collect();
        let weights = TensorData::new(weights, [restarts.len(), classes]);
        let weights = Tensor::<2>::from_data(weights, &self.victim.device());
        let gradients = images.grad_remove(&mut (scores * weights).sum().backward());
        let gradients = gradients.expect("the images ask for it").try_to_vec_as();
        (margins, gradients.expect("floats"))
    }

    fn size(&self, values: &[f32]) -> f64 {
        match self.norm {
            Norm::L2 => l2(values),
            Norm::Linf => values.iter().fold(0.0, |most: f32, value| most.max(value.abs())).into(),
        }
    }

    /// By how much the best step of length 1 changes what has this gradient.
    fn dual(&self, gradient: &[f32]) -> f64 {
        match self.norm {
            Norm::L2 => l2(gradient),
            Norm::Linf => gradient.iter().map(|value| f64::from(value.abs())).sum(),
        }
    }

    /// Onto the sphere in L2, into the ball in L∞, and into the box.
    fn onto(&self, Restart { perturbation, radius, .. }: &mut Restart) {
        let (radius, length) = (*radius, l2(perturbation).max(f64::MIN_POSITIVE));
        for (value, &x) in perturbation.iter_mut().zip(self.origin) {
            let by = match self.norm {
                Norm::L2 => *value * (radius / length) as f32,
                Norm::Linf => value.clamp(-radius as f32, radius as f32),
            };
            *value = (x + by).clamp(-1.0, 1.0) - x;
        }
    }
}

fn l2(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}
