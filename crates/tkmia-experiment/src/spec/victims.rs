//! Files with several `[[victim]]`: [`Experiment::parse_each`].

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::error::SpecError;
use super::experiment::Experiment;
use crate::victims::is_folder_name;

impl Experiment {
    /// Reads an experiment from its TOML, once for each `[[victim]]` where there are several: experiments that differ in their
    /// victim alone, each with a [name](super::VictimSpec::name) of its own.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); [`SpecError::VictimName`] for a victim of several without a name, with that of another one, or
    /// one that is no folder's.
    ///
    /// # Example
    ///
    /// ```
    /// use tkmia_experiment::Experiment;
    ///
    /// let experiments = Experiment::parse_each(
    ///     r#"
    ///     title = "As it is, and behind a JPEG"
    ///     data = { kind = "folder", root = "photographs" }
    ///     table = [{ scheme = "random", k = [3], specified = [1] }]
    ///     method = [{ name = "tkmia" }]
    ///
    ///     [[victim]]
    ///     name = "as it is"
    ///     model = "tagger.onnx"
    ///
    ///     [[victim]]
    ///     name = "jpeg"
    ///     model = "tagger.onnx"
    ///     squeeze = "jpeg"
    ///     "#,
    /// )?;
    /// assert_eq!(experiments.len(), 2);
    /// # Ok::<(), tkmia_experiment::SpecError>(())
    /// ```
    pub fn parse_each(text: &str) -> Result<Vec<Self>, SpecError> {
        let file = DeTable::parse(text)?;
        let Some(DeValue::Array(victims)) = file.get_ref().get("victim").map(Spanned::get_ref)
        else {
            return Ok(vec![Self::parse(text)?]);
        };
        let experiment = |victim: &Spanned<DeValue<'_>>| {
            let mut of_one = file.clone();
            of_one.get_mut().get_mut("victim").expect("it is there").clone_from(victim);
            Self::deserialize(Deserializer::from(of_one)).map_err(|mut error| {
                error.set_input(Some(text));
                SpecError::from(error)
            })
        };
        let experiments = victims.iter().map(experiment).collect::<Result<Vec<_>, _>>()?;
        match experiments.len() {
            0 => Err(SpecError::Field {
                place: "the experiment".to_owned(),
                field: "victim",
                fault: "is an empty list",
            }),
            1 => Ok(experiments),
            _ => check_names(&experiments).map(|()| experiments),
        }
    }
}

/// Names become folders.
fn check_names(experiments: &[Experiment]) -> Result<(), SpecError> {
    let mut names: Vec<String> = Vec::new();
    for (number, experiment) in (1..).zip(experiments) {
        let refuse = |fault| Err(SpecError::VictimName { number, fault });
        let Some(name) = &experiment.victim.name else { return refuse("is missing".to_owned()) };
        if !is_folder_name(name) {
            let expected = "letters, digits, spaces and -_.()+ after a first letter or digit";
            return refuse(format!("must be {expected}, found {name:?}"));
        }
        // Some file systems don't tell them apart; `report` is where the whole is reported.
        let folder = name.to_lowercase();
        if folder == "report" || names.contains(&folder) {
            return refuse(format!("{name:?} is taken"));
        }
        names.push(folder);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(victims: &str) -> Result<Vec<Experiment>, String> {
        let text = format!(
            "title = \"t\"\ndata = {{ kind = \"folder\" }}\ntable = [{{ scheme = \"random\", k = [1], specified = [1] }}]\n\
             method = [{{ name = \"tkmia\" }}]\n{victims}"
        );
        Experiment::parse_each(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn each_victim_has_an_experiment_of_its_own() {
        let found = of(
            "[[victim]]\nname = \"a\"\nmodel = \"a.onnx\"\n[[victim]]\nname = \"b\"\nsqueeze = \"jpeg\"",
        );
        let found = found.unwrap();
        let [a, b] = &found[..] else { panic!("{found:?}") };
        assert_eq!(a.victim.model.as_deref(), Some("a.onnx".as_ref()));
        assert_eq!((&b.victim.model, b.victim.squeeze.is_some()), (&None, true));
        assert_eq!(Experiment { victim: a.victim.clone(), ..b.clone() }, *a);
        for one in ["", "[victim]\nmodel = \"a.onnx\"", "[[victim]]\nmodel = \"a.onnx\""] {
            assert_eq!(of(one).unwrap().len(), 1, "{one}");
        }
    }

    #[test]
    fn what_is_wrong_with_one_is_told_with_its_line() {
        let error = of("[[victim]]\nname = \"a\"\n[[victim]]\nname = \"b\"\nmodle = \"b.onnx\"");
        let error = error.unwrap_err();
        assert!(error.contains("line 7") && error.contains("modle"), "{error}");
        assert!(error.contains("`model`"), "{error}");
    }

    #[test]
    fn names_are_there_apart_and_fit_for_folders() {
        let named =
            |name: &str| of(&format!("[[victim]]\nname = \"a\"\n[[victim]]\nname = {name}"));
        named("\"a 2 (x)\"").unwrap();
        for (name, fault) in [
            ("\"A\"", "victim 2: `name` \"A\" is taken"),
            ("\"Report\"", "is taken"),
            ("\"../a\"", "must be letters"),
            ("\"\"", "must be letters"),
            ("\" b\"", "must be letters"),
        ] {
            let error = named(name).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
        let error = of("[[victim]]\nname = \"a\"\n[[victim]]").unwrap_err();
        assert_eq!(error, "victim 2: `name` is missing");
        assert!(of("victim = []").unwrap_err().contains("empty"));
    }
}
