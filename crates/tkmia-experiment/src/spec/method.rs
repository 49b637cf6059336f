//! [`MethodSpec`]: an attack and its grid, as an experiment's file has them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tkmia_attacks::{AttackName, AttackSettings, Controls, JUDGING_PASSES, Knobs, Passes, Stop};

use super::error::SpecError;

/// A `[[method]]` of an experiment's file: an attack, and those of its [knobs](Knobs) that aren't at their
/// defaults. A knob whose value is a list is tried at each.
///
/// # Example
///
/// ```
/// use tkmia_attacks::AttackName;
/// use tkmia_experiment::MethodSpec;
///
/// let method = MethodSpec::new(AttackName::Tkmia).with("lr", [1e-3, 5e-4]).with("alpha", 1e-3);
/// assert_eq!(method.grid(300, &"excluded".parse()?)?.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSpec {
    /// The attack.
    pub name: AttackName,
    /// Its knobs.
    #[serde(flatten)]
    pub knobs: Knobs,
}

impl MethodSpec {
    /// An attack as it is by default.
    pub fn new(name: AttackName) -> Self {
        Self { name, knobs: Knobs::new() }
    }

    /// The same with a knob at this value, or at each of a list's; at its default if there is none.
    ///
    /// # Panics
    /// If the value can't be JSON.
    #[must_use]
    pub fn with(mut self, knob: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value).expect("knobs are plain values") {
            Value::Null => drop(self.knobs.remove(knob)),
            value => drop(self.knobs.insert(knob.to_owned(), value)),
        }
        self
    }

    /// How many points the grid has.
    pub(super) fn points(&self) -> usize {
        let lists = self.knobs.values().filter_map(Value::as_array);
        lists.fold(1, |points, list| points.saturating_mul(list.len()))
    }

    /// Every point of the grid, checked; `lr` varies slowest. Iterations and criterion are these, unless
    /// the method has its own.
    ///
    /// # Errors
    /// [`SpecError::Method`], [`SpecError::Attack`].
    pub fn grid(
        &self,
        max_iterations: usize,
        stop: &Stop,
    ) -> Result<Vec<AttackSettings>, SpecError> {
        let mut knobs = self.knobs.clone();
        knobs.insert("name".to_owned(), self.name.to_string().into());
        knobs.entry("max-iterations").or_insert_with(|| max_iterations.into());
        knobs.entry("stop").or_insert_with(|| stop.to_string().into());
        let grid = AttackSettings::grid(&knobs)
            .map_err(|source| SpecError::Method { name: self.name, source })?;
        for attack in &grid {
            attack
                .init()
                .map_err(|source| SpecError::Attack { name: attack.to_string(), source })?;
        }
        Ok(grid)
    }
}

/// Passes that an attack on one sample of so many labels takes at most, those of judging it included; and,
/// for a universal attack, those of each image that it is fitted to.
///
/// # Errors
/// [`SpecError::Attack`] for settings of no attack that can be run.
pub fn passes_at_most(
    attack: &AttackSettings,
    k: usize,
    classes: usize,
) -> Result<(Passes, Option<Passes>), SpecError> {
    let runnable = attack.init();
    let runnable =
        runnable.map_err(|source| SpecError::Attack { name: attack.to_string(), source })?;
    let most = runnable.passes_at_most(k, classes);
    Ok(match runnable.universal() {
        Some(_) => {
            let forward = 2 + JUDGING_PASSES + Controls::PASSES;
            (Passes { forward, backward: 0 }, Some(most))
        }
        None => (Passes { forward: most.forward + JUDGING_PASSES, ..most }, None),
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn grid(text: &str) -> Result<Vec<AttackSettings>, SpecError> {
        let method: MethodSpec = toml::from_str(text)?;
        method.grid(300, &Stop::default())
    }

    #[test]
    fn a_grid_is_tried_point_by_point() {
        let found = grid("name = \"tkmia\"\nlr = [1e-3, 5e-5]\nalpha = [1e-3, 1e-4]").unwrap();
        let point = |attack: &AttackSettings| {
            let knobs = attack.knobs();
            [knobs["lr"].as_f64().unwrap(), knobs["alpha"].as_f64().unwrap()]
        };
        assert_eq!(
            found.iter().map(point).collect::<Vec<_>>(),
            [[1e-3, 1e-3], [1e-3, 1e-4], [5e-5, 1e-3], [5e-5, 1e-4]]
        );
        assert_eq!(
            found[3].to_string(),
            "tkmia (corrected), lr 0.00005, alpha 0.0001, momentum 0.9, excluded within 300"
        );
    }

    #[test]
    fn what_is_left_out_is_as_by_default_and_the_tables_limits_are_its_own() {
        assert_eq!(grid("name = \"tkmia\"").unwrap(), [AttackSettings::default()]);
        let text = "name = \"tkmia\"\nmax-iterations = 7\nstop = \"imperceptible\"";
        let found = &grid(text).unwrap()[0];
        assert_eq!(found.limits.max_iterations, 7);
        assert_eq!(found.stop.to_string(), "imperceptible");
    }

    #[test]
    fn knobs_that_an_attack_has_not_and_values_that_cannot_be_are_refused() {
        for (text, expected) in [
            ("name = \"kfool\"\nlr = 1e-3", "kfool (corrected) has no `lr`"),
            ("name = \"tkmia\"\noptimiser = \"pgd\"", "a norm and a radius"),
            ("name = \"kuap\"", "a norm and a radius"),
            ("name = \"tkmia\"\ntarget = \"best\"", "has no `target`"),
            ("name = \"tkmia\"\nsolver = \"first-order\"", "has no `solver`"),
            ("name = \"tkmia\"\nalpha = []", "`alpha`: an empty list"),
            ("name = \"tkmia\"\nlr = -1", "learning rate must be a number above 0"),
            ("name = \"tkmia\"\nmax-iterations = 0", "at least 1"),
            ("name = \"tkmia\"\nstop = \"invisible\"", "invisible"),
        ] {
            let error = grid(text).unwrap_err();
            let says = format!("{error}: {}", error.source().unwrap());
            assert!(says.contains(expected), "{says}");
        }
    }
}
