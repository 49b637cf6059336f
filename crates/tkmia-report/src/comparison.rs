//! [`comparison`]: what may be compared, and on which samples. No ratio, rank or difference of attacks is taken otherwise.
//!
//! | the same | because |
//! |---|---|
//! | setting | data set, selection, k and δ |
//! | view | a norm is of `x* − x̃`, and `x̃` is `tanh(x)` for the published forms, `x` for others |
//! | norm | an attack is judged by the norm that it keeps small |
//! | criterion | a success by another one is another success |
//! | samples | the image and its specified labels |

use tkmia_attacks::{AttackSettings, Norm};

use crate::samples::Measured;

/// What an attack found on a manifest's samples: the norms of its successes.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// The position of the manifest in the plan. There is one for each setting and view.
    manifest: usize,
    run: &'a AttackSettings,
    /// How the attack measures what it keeps small.
    norm: Norm,
    /// The norm of each sample's success; infinite for a failure.
    norms: Vec<f64>,
}

impl<'a> Found<'a> {
    /// Of the first samples of a manifest.
    pub fn new(manifest: usize, run: &'a AttackSettings, samples: &[Measured]) -> Self {
        let norm = run.norm();
        let norm_of = |sample: &Measured| sample.size(norm).unwrap_or(f64::INFINITY);
        Self { manifest, run, norm, norms: samples.iter().map(norm_of).collect() }
    }

    /// How many samples there are, the first ones of the manifest.
    pub fn samples(&self) -> usize {
        self.norms.len()
    }

    /// The norm of the success on a sample; none of a failure, or if the attack wasn't on it.
    pub fn norm(&self, sample: usize) -> Option<f64> {
        self.norms.get(sample).copied().filter(|norm| norm.is_finite())
    }

    /// Whether the two may be compared, on the samples that both have.
    pub fn is_like(&self, other: &Self) -> bool {
        fn terms<'f>(Found { manifest, run, norm, .. }: &'f Found<'_>) -> impl PartialEq + use<'f> {
            (*manifest, run.view(), *norm, &run.stop)
        }
        terms(self) == terms(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::toy;

    fn run(json: &str) -> AttackSettings {
        AttackSettings::from_knobs(&serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn view_norm_criterion_and_setting_have_to_be_the_same() {
        let plain = run("{}");
        let own = Found::new(0, &plain, &[]);
        let compared = |json: &str| own.is_like(&Found::new(0, &run(json), &[]));
        for same in [r#"{"lr": 1}"#, r#"{"name": "kfool"}"#, r#"{"variant": "min-norm"}"#] {
            assert!(compared(same), "{same}");
        }
        for other in [
            r#"{"variant": "released"}"#,
            r#"{"variant": "min-norm", "norm": "linf"}"#,
            r#"{"optimiser": "pgd", "norm": "linf", "radius": 1}"#,
            r#"{"stop": "imperceptible"}"#,
        ] {
            assert!(!compared(other), "{other}");
        }
        assert!(!own.is_like(&Found::new(1, &plain, &[])));
    }

    #[test]
    fn a_norm_is_the_attacks_own_and_a_success_s() {
        let norm = |json: &str, success| {
            let run = run(json);
            let found = Found::new(0, &run, &[Measured::new(&toy("a", 1, success, 3.0)).unwrap()]);
            assert_eq!(found.norm(1), None);
            found.norm(0)
        };
        assert_eq!(norm("{}", true), Some(3.0));
        assert_eq!(norm("{}", false), None);
        assert_eq!(norm(r#"{"variant": "min-norm", "norm": "linf"}"#, true), Some(1.5));
    }
}
