//! [`Certificate`]: how many relevant labels stay in the top-k, whatever is done to the image within a radius.

use statrs::distribution::{ContinuousCDF, Normal};

/// How many relevant labels are among the smoothed classifier's k, whatever the perturbation.
///
/// Theorem 1 of Jia, Qu & Gong 2022. Let `a` be the relevant labels' lower bounds and `b` the other labels' upper bounds, both in
/// descending order. Fewer than `e` relevant labels are in the top-k only if the relevant ones from the e-th on are all below
/// some `s = k - e + 1` of the others. With noise of standard deviation `σ`, a share that is `p` on average over noise is at least
/// `Φ(Φ⁻¹(p) − R/σ)` and at most `Φ(Φ⁻¹(p) + R/σ)` after a perturbation of L2 length `R`. So at least `e` stay as long as
///
/// ```text
/// max_u (m/u) Φ(Φ⁻¹((a_e + … + a_{e+u−1}) / m) − R/σ)  >  min_v (m/v) Φ(Φ⁻¹((b_{s−v+1} + … + b_s) / m) + R/σ)
/// ```
///
/// where `u = 1..=d − e + 1`, `v = 1..=s`, and `m = min(u, kept)`, or `min(v, kept)`, is the most of so many labels that an image
/// keeps. The paper has `m = kept` in all sums and a term of its own for single labels; the smaller `m` is as true, and includes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    radii: Vec<f64>,
}

/// In units of σ: every probability that isn't 0 or 1 has become one of them at that distance, as far as numbers of 64 bits tell.
const FAR: f64 = 64.0;
/// Halvings of the interval in which a radius is found.
const HALVINGS: usize = 60;

impl Certificate {
    /// The certificate of one image.
    ///
    /// `bounds` are a lower and an upper bound of each label's probability to be among the `kept` highest scores of the noisy
    /// image, of which the lower ones of relevant labels and the upper ones of others hold at once, and `sigma` is the noise's standard deviation.
    ///
    /// # Panics
    /// If there are not as many bounds as flags.
    ///
    /// # Example
    ///
    /// One label is kept of two. With probabilities 0.9 and 0.1 the certified radius is `σ Φ⁻¹(0.9)`, that of Cohen, Rosenfeld &
    /// Kolter 2019.
    ///
    /// ```
    /// use tkmia_certify::Certificate;
    ///
    /// let certificate = Certificate::new(&[[0.9, 1.0], [0.0, 0.1]], &[true, false], 1, 1, 0.5);
    /// assert!((certificate.radii()[0] - 0.5 * 1.281_551_6).abs() < 1e-6);
    /// assert_eq!((certificate.within(0.64), certificate.within(0.65)), (1, 0));
    /// ```
    pub fn new(bounds: &[[f64; 2]], relevant: &[bool], k: usize, kept: usize, sigma: f64) -> Self {
        assert_eq!(bounds.len(), relevant.len(), "bounds and flags are of the same labels");
        let descending = |relevance: bool, side: usize| {
            let labels = bounds.iter().zip(relevant).filter(|(_, flag)| **flag == relevance);
            let mut values: Vec<f64> = labels.map(|(bounds, _)| bounds[side]).collect();
            values.sort_by(|one, other| other.total_cmp(one));
            values
        };
        let (lower, upper) = (descending(true, 0), descending(false, 1));
        let radius = |e: usize| {
            let stays = |others: &[f64]| {
                let holds = |steps: f64| {
                    let least = averages(lower[e - 1..].iter(), kept, -steps).reduce(f64::max);
                    let most = averages(others.iter().rev(), kept, steps).reduce(f64::min);
                    least > most
                };
                largest(holds).map(|steps| steps * sigma)
            };
            // With too few others to fill the places, relevant labels fill them.
            upper.get(..k + 1 - e).map_or(Some(f64::INFINITY), stays)
        };
        Self { radii: (1..=k.min(lower.len())).map_while(radius).collect() }
    }

    /// The radius within which at least one relevant label stays, at least two, and so on as long as there is one. Descending; an
    /// L2 length in units of the image's values; infinite where there are no other labels to take the places.
    pub fn radii(&self) -> &[f64] {
        &self.radii
    }

    /// How many relevant labels stay in the top-k at least, within a radius.
    pub fn within(&self, radius: f64) -> usize {
        self.radii.iter().filter(|&&each| each >= radius).count()
    }
}

/// The bound on the average probability of the first label, of the first two, and so on, so many σ away.
fn averages<'a>(
    values: impl Iterator<Item = &'a f64>,
    kept: usize,
    steps: f64,
) -> impl Iterator<Item = f64> {
    let sums = values.scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    });
    sums.zip(1..).map(move |(sum, count): (f64, usize)| {
        let most = kept.min(count) as f64;
        most / count as f64 * moved((sum / most).min(1.0), steps)
    })
}

/// `Φ(Φ⁻¹(p) + steps)`.
fn moved(p: f64, steps: f64) -> f64 {
    match p {
        0.0 | 1.0 => p,
        _ => Normal::standard().cdf(Normal::standard().inverse_cdf(p) + steps),
    }
}

/// The largest number for which a condition holds, that holds up to some number; none if it doesn't at 0.
fn largest(holds: impl Fn(f64) -> bool) -> Option<f64> {
    if !holds(0.0) {
        return None;
    }
    if holds(FAR) {
        return Some(f64::INFINITY);
    }
    let [mut low, mut high] = [0.0, FAR];
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        *if holds(middle) { &mut low } else { &mut high } = middle;
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn radii(
        bounds: &[[f64; 2]],
        relevant: &[usize],
        k: usize,
        kept: usize,
        sigma: f64,
    ) -> Vec<f64> {
        let flags: Vec<bool> = (0..bounds.len()).map(|label| relevant.contains(&label)).collect();
        Certificate::new(bounds, &flags, k, kept, sigma).radii
    }

    /// Two of three labels are kept, and of two relevant ones two are to stay in the top-2: then `0.8 > 0.3` for each of them,
    /// and each moves by itself, so that the radius is half of `Φ⁻¹(0.8) − Φ⁻¹(0.3)`.
    #[test]
    fn one_label_against_one_is_half_of_the_gap() {
        let found = radii(&[[0.9, 0.9], [0.8, 0.8], [0.3, 0.3]], &[0, 1], 2, 2, 1.0);
        let half = (0.841_621_2 + 0.524_400_5) / 2.0;
        assert!((found[1] - half).abs() < 1e-6, "{found:?}");
        // Two others are not there, so that one relevant label always stays.
        assert_eq!(found[0], f64::INFINITY);
    }

    /// Labels together can be sure of more than each alone: of five relevant labels with 0.2 each one is always kept.
    #[test]
    fn labels_are_added_up_as_far_as_they_are_kept() {
        let mut bounds = vec![[0.2, 0.2]; 5];
        bounds.extend([[0.0, 0.001]; 2]);
        let one = radii(&bounds, &[0, 1, 2, 3, 4], 1, 1, 1.0);
        // Each alone: (Φ⁻¹(0.2) − Φ⁻¹(0.001)) / 2 = 1.124. All: a fifth of Φ(Φ⁻¹(1) − R) against Φ(Φ⁻¹(0.001) + R), which
        // is 0.2 at R = 3.090 − 0.842.
        assert!((one[0] - 2.2486).abs() < 1e-3, "{one:?}");
    }

    #[test]
    fn nothing_is_promised_of_what_is_not_sure() {
        assert!(radii(&[[0.4, 0.6], [0.4, 0.6]], &[0], 1, 1, 1.0).is_empty());
        assert!(radii(&[[0.9, 1.0], [0.0, 0.1]], &[], 1, 1, 1.0).is_empty());
    }

    fn bounds() -> impl Strategy<Value = Vec<[f64; 2]>> {
        let pair = (0.0..=1.0_f64, 0.0..=1.0_f64).prop_map(|(a, b)| [a.min(b), a.max(b)]);
        prop::collection::vec(pair, 6)
    }

    proptest! {
        /// More labels to stay have smaller radii, surer bounds larger ones, and all grow with the noise.
        #[test]
        fn radii_are_ordered(bounds in bounds(), k in 1..5_usize, kept in 1..5_usize) {
            let relevant = [0, 2, 4];
            let found = radii(&bounds, &relevant, k, kept, 0.5);
            prop_assert!(found.is_sorted_by(|one, next| one >= next));
            let closer: Vec<[f64; 2]> =
                bounds.iter().map(|[low, high]| [low + (high - low) / 4.0, high - (high - low) / 4.0]).collect();
            let surer = radii(&closer, &relevant, k, kept, 0.5);
            prop_assert!(surer.len() >= found.len());
            prop_assert!(found.iter().zip(&surer).all(|(wide, close)| wide <= close));
            let doubled = radii(&bounds, &relevant, k, kept, 1.0);
            prop_assert!(found.iter().zip(&doubled).all(|(one, two)| 2.0 * one == *two));
        }
    }
}
