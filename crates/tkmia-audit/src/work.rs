//! [`Work`]: how many images are attacked, and how thoroughly, in the time there is.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tkmia_attacks::{AttackName, Variant};
use tkmia_experiment::{MethodSpec, PassTime};

/// What an audit does. The same work on the same images has the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Size of the predicted set.
    pub k: usize,
    /// Images that are attacked at most.
    pub images: usize,
    /// How often a label to be hidden is drawn for each image; the same one twice is attacked once.
    pub draws: usize,
    /// Forward passes of the search for the smallest change.
    pub iterations: usize,
    /// Whether TkMIA as its authors have it is run beside it.
    pub published: bool,
    /// Of the draws.
    pub seed: u64,
}

/// Of a search's forward passes, the share that is followed by a backward pass.
const BACKWARD: f64 = 0.7;
/// Passes that the published attack takes for an image, more or less.
const PUBLISHED: f64 = 100.0;
/// Of the time, the share that is planned for.
const PLANNED: f64 = 0.8;
/// Searches from thorough to quick.
const ITERATIONS: [usize; 2] = [100, 40];

impl Work {
    /// The most that is likely to fit into so many seconds, of so many images.
    pub fn within(seconds: f64, time: PassTime, images: usize, k: usize, seed: u64) -> Self {
        let draws = k.min(3);
        // What is drawn twice is attacked once.
        let distinct = k as f64 * (1.0 - (1.0 - 1.0 / k as f64).powi(draws as i32));
        let search = |iterations: usize| {
            iterations as f64 * (time.forward + BACKWARD * (time.both - time.forward))
        };
        let of_image = |iterations: usize, published: bool| {
            let other = if published { PUBLISHED * time.both } else { 0.0 };
            distinct * (search(iterations) + other)
        };
        let planned = PLANNED * seconds;
        let fits = |(iterations, published): &(usize, bool)| {
            images as f64 * of_image(*iterations, *published) <= planned
        };
        let [thorough, quick] = ITERATIONS;
        let ways = [(thorough, true), (quick, true), (thorough, false), (quick, false)];
        let (iterations, published) = ways.into_iter().find(fits).unwrap_or((quick, false));
        let most = (planned / of_image(iterations, published)).max(1.0);
        Self { k, images: images.min(most as usize), draws, iterations, published, seed }
    }

    /// Its attacks, the search for the smallest change first.
    pub fn methods(&self) -> Vec<MethodSpec> {
        let search = MethodSpec::new(AttackName::Tkmia)
            .with("variant", Variant::MinNorm)
            .with("max-iterations", json!(self.iterations));
        let published = self.published.then(|| MethodSpec::new(AttackName::Tkmia));
        std::iter::once(search).chain(published).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_time_means_quicker_searches_and_then_fewer_images() {
        let time = PassTime { forward: 0.01, both: 0.02 };
        let work = |seconds: f64| Work::within(seconds, time, 50, 3, 7);
        let rich = work(1e6);
        assert_eq!((rich.images, rich.iterations, rich.published), (50, 100, true));
        // Of three draws from three labels 19/9 are distinct on average, and 19/9 · (40 · 0.017 + 100 · 0.02) · 50 = 283 s, and
        // 19/9 · 100 · 0.017 · 50 = 179 s.
        let quicker = work(290.0 / PLANNED);
        assert_eq!((quicker.images, quicker.iterations, quicker.published), (50, 40, true));
        let alone = work(180.0 / PLANNED);
        assert_eq!((alone.images, alone.iterations, alone.published), (50, 100, false));
        // 19/9 · 40 · 0.017 = 1.44 s an image.
        let few = work(15.0 / PLANNED);
        assert_eq!((few.images, few.iterations, few.published), (10, 40, false));
        assert_eq!(work(0.0).images, 1);
        assert_eq!(rich.methods().len(), 2);
    }
}
