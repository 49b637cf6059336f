//! [`label`]: what a row is called.

use tkmia_attacks::{AttackSettings, Knobs, Norm, OptimiserName};

/// Knobs that labels name first, and those that they name last; others in between, in alphabetical order.
const FIRST: [&str; 6] = ["lr", "alpha", "norm", "target", "keep", "solver"];
const LAST: [&str; 2] = ["max-iterations", "stop"];
/// What a label shows in another way.
const NEVER: [&str; 4] = ["name", "variant", "optimiser", "radius"];

/// What a row is called among the attacks of its table: as in the papers, and what else tells it apart.
pub(crate) fn label(run: &AttackSettings, runs: &[&AttackSettings]) -> String {
    let mut label = run.name().title().to_owned();
    if runs.iter().any(|other| other.variant() != run.variant()) {
        label += &format!(" ({})", run.variant());
    }
    if run.optimiser() != OptimiserName::Sgd {
        label += &format!(", {}", run.optimiser());
    }
    let kind = |run: &AttackSettings| (run.name(), run.variant(), run.optimiser());
    let alike = runs.iter().filter(|other| kind(other) == kind(run));
    let alike: Vec<Knobs> = alike.map(|other| other.knobs()).collect();
    let own = run.knobs();
    let others = own.keys().map(String::as_str);
    let others = others.filter(|name| ![&FIRST[..], &LAST, &NEVER].concat().contains(name));
    for name in FIRST.into_iter().chain(others).chain(LAST) {
        // A norm other than the papers' is always told.
        let always = name == "norm" && run.norm() != Norm::L2;
        if let Some(text) = told(&own, name)
            && (always || alike.iter().any(|other| told(other, name).as_ref() != Some(&text)))
        {
            label += &format!(", {text}");
        }
    }
    label
}

/// A knob with its value, if it has one.
fn told(knobs: &Knobs, name: &str) -> Option<String> {
    let value = |name| {
        let value = knobs.get(name).filter(|value| !value.is_null())?;
        let number = value.as_f64().map(|number| number.to_string());
        number.or(value.as_str().map(str::to_owned))
    };
    let own = value(name)?;
    Some(match name {
        "lr" => format!("η = {own}"),
        "alpha" => format!("α = {own}"),
        "norm" => value("radius").map_or(own.clone(), |radius| format!("{own} {radius}")),
        "keep" => format!("{own} kept"),
        "max-iterations" => format!("{own} iterations"),
        "target" | "solver" | "stop" => own,
        _ => format!("{name} {own}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of the points of grids.
    fn labels(grids: &[&str]) -> Vec<String> {
        let grid =
            |json: &&str| AttackSettings::grid(&serde_json::from_str(json).unwrap()).unwrap();
        let runs: Vec<AttackSettings> = grids.iter().flat_map(grid).collect();
        let all: Vec<&AttackSettings> = runs.iter().collect();
        runs.iter().map(|run| label(run, &all)).collect()
    }

    #[test]
    fn a_label_tells_what_tells_rows_apart_and_no_more() {
        assert_eq!(labels(&[r#"{"name": "tkmia"}"#, r#"{"name": "kfool"}"#]), ["TkMIA", "kFool"]);
        assert_eq!(
            labels(&[r#"{"name": "tkmia", "lr": [1e-3, 5e-4]}"#, r#"{"variant": "released"}"#]),
            ["TkMIA (corrected), η = 0.001", "TkMIA (corrected), η = 0.0005", "TkMIA (released)"]
        );
        assert_eq!(
            labels(&[r#"{"optimiser": "pgd", "radius": [1, 2], "norm": "linf"}"#]),
            ["TkMIA, pgd, linf 1", "TkMIA, pgd, linf 2"]
        );
        assert_eq!(
            labels(&[r#"{"variant": "min-norm", "norm": "linf"}"#, r#"{"name": "kfool"}"#]),
            ["TkMIA (min-norm), linf", "kFool (corrected)"]
        );
        // A knob that no label has a word of its own for.
        assert_eq!(
            labels(&[r#"{"momentum": [0, 0.9], "max-iterations": 3}"#, r#"{"max-iterations": 4}"#]),
            [
                "TkMIA, momentum 0, 3 iterations",
                "TkMIA, momentum 0.9, 3 iterations",
                "TkMIA, momentum 0.9, 4 iterations"
            ]
        );
    }
}
