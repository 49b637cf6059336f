//! [`all_knobs`]: every knob of every attack with its help, for command lines.

use schemars::JsonSchema;
use tkmia_core::{Knob, described};

use crate::min_norm::MinNorm;
use crate::{
    AdamwSteps, AttackName, Lambda, Limits, MiFgsmSteps, OptimiserName, PenalisedSgd, Shrinking,
    TargetChoice, Variant,
};

/// Knobs that aren't fields of one family's settings.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its description is used")]
struct Selectors {
    /// The attack
    method: AttackName,
    /// Its form: corrected, as the published code is, as the paper is printed, or of the smallest norm
    variant: Variant,
    /// How a method with an objective steps: sgd, within a ball of --radius, or ddn, fmn and adamw for the smallest norm
    /// [default: sgd; adamw for quadattack]
    optimiser: Option<OptimiserName>,
    /// How the objective's λ are set [default: exact; gradient in the literal variant]
    lambda: Option<Lambda>,
    /// What targeted methods make the top-k: the irrelevant labels nearest to it, farthest, or any
    target: TargetChoice,
}

/// Every knob of every attack, each once, and the attack itself as `method`; `stop` is left to the caller.
pub fn all_knobs() -> Vec<Knob> {
    let mut knobs: Vec<Knob> = Vec::new();
    let of_types = [
        described::<Selectors>(),
        described::<PenalisedSgd>(),
        described::<MiFgsmSteps>(),
        described::<Shrinking>(),
        described::<AdamwSteps>(),
        described::<MinNorm>(),
        described::<Limits>(),
    ];
    for knob in of_types.into_iter().flatten() {
        if !knobs.iter().any(|known| known.name == knob.name) {
            knobs.push(knob);
        }
    }
    knobs
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strum::IntoEnumIterator;
    use tkmia_core::KnobKind;

    use super::*;
    use crate::AttackSettings;

    fn knob(name: &str) -> Knob {
        all_knobs().into_iter().find(|knob| knob.name == name).unwrap()
    }

    #[test]
    fn knobs_are_described_as_their_fields_are() {
        let lr = knob("lr");
        assert_eq!((lr.kind, lr.default.as_deref()), (KnobKind::Number, Some("0.001")));
        assert!(lr.help.contains("1e-3, 5e-4, 1e-4, 5e-5"), "{}", lr.help);
        assert_eq!(
            (knob("max-forward").kind, knob("max-forward").default),
            (KnobKind::Count, None)
        );
        let KnobKind::Name(norms) = knob("norm").kind else { panic!("norms have names") };
        assert_eq!(norms[1], ("linf".to_owned(), "The largest absolute value".to_owned()));
        assert!(matches!(knob("solver").kind, KnobKind::Name(names) if names.len() == 3));
    }

    #[test]
    fn every_knob_of_every_attack_is_described() {
        let known: Vec<String> = all_knobs().into_iter().map(|knob| knob.name).collect();
        for name in AttackName::iter() {
            for &variant in name.variants() {
                for optimiser in OptimiserName::iter() {
                    let all = json!({
                        "name": name, "variant": variant, "optimiser": optimiser, "radius": 1.0,
                    });
                    // Without a ball, or steps to choose, where there are none.
                    for without in [&[][..], &["optimiser"], &["radius"], &["optimiser", "radius"]]
                    {
                        let mut knobs = all.as_object().unwrap().clone();
                        knobs.retain(|name, _| !without.contains(&name.as_str()));
                        let Ok(made) = AttackSettings::from_knobs(&knobs) else { continue };
                        let own = made.knobs().into_iter().map(|(name, _)| name);
                        let own = own.filter(|name| !["name", "stop"].contains(&name.as_str()));
                        own.for_each(|name| assert!(known.contains(&name), "{name}"));
                    }
                }
            }
        }
    }
}
