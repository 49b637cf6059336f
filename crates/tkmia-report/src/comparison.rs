//! [`comparison`]: what may be compared, and on which samples. No ratio, rank or difference of attacks is taken otherwise.
//!
//! | the same | because |
//! |---|---|
//! | setting | data set, selection, k and δ |
//! | view | a norm is of `x* − x̃`, and `x̃` is `tanh(x)` for the published forms, `x` for others |
//! | norm | an attack is judged by the norm that it keeps small |
//! | criterion | a success by another one is another success |
//! | samples | the image and its specified labels |

use std::collections::HashMap;

use tkmia_attacks::{AttackSettings, Norm};
use tkmia_experiment::Setting;

use crate::Record;

/// What an attack found in a setting, once for each sample and each draw of its specified labels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub setting: &'a Setting,
    pub run: &'a AttackSettings,
    pub records: &'a [&'a Record],
    /// How the attack measures what it keeps small.
    norm: Norm,
}

impl<'a> Found<'a> {
    pub fn new(setting: &'a Setting, run: &'a AttackSettings, records: &'a [&'a Record]) -> Self {
        Self { setting, run, records, norm: run.norm() }
    }

    /// The norm of a success, as its attack measures it; none of a failure.
    pub fn norm(&self, record: &Record) -> Option<f64> {
        record.success.then(|| record.size(self.norm))
    }

    /// That of the record at this place.
    pub fn norm_at(&self, at: usize) -> Option<f64> {
        self.norm(self.records[at])
    }
}

/// Where another attack's record of each sample of an attack is among its own, if it was on it; `None` if the two may
/// not be compared.
pub(crate) fn comparison(own: Found<'_>, other: Found<'_>) -> Option<Vec<Option<usize>>> {
    fn terms<'f>(Found { setting, run, norm, .. }: &'f Found<'_>) -> impl PartialEq + use<'f> {
        (*setting, run.view(), *norm, &run.stop)
    }
    if terms(&own) != terms(&other) {
        return None;
    }
    fn sample(record: &Record) -> (&str, &[usize]) {
        (&record.id, &record.specified)
    }
    let places = other.records.iter().enumerate();
    let theirs: HashMap<_, usize> = places.map(|(at, record)| (sample(record), at)).collect();
    Some(own.records.iter().map(|record| theirs.get(&sample(record)).copied()).collect())
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
        let record = toy("a", 1, true, 0.1);
        let records = [&record];
        let plain = run("{}");
        let own = Found::new(&record.setting, &plain, &records);
        let compared = |json: &str| {
            comparison(own, Found::new(&record.setting, &run(json), &records)).is_some()
        };
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
        let elsewhere = toy("b", 1, true, 0.1).setting;
        assert!(comparison(own, Found { setting: &elsewhere, ..own }).is_none());
    }

    #[test]
    fn with_other_specified_labels_a_sample_is_another_one() {
        let record = toy("a", 1, true, 0.1);
        let others = [
            Record { specified: vec![1], ..record.clone() },
            Record { id: "1".to_owned(), ..record.clone() },
            Record { success: false, ..record.clone() },
        ];
        let others: Vec<&Record> = others.iter().collect();
        let plain = run("{}");
        let found = |records| Found::new(&record.setting, &plain, records);
        let own = [&record, others[0]];
        let pairs = comparison(found(&own), found(&others[1..])).unwrap();
        assert_eq!(pairs, [Some(1), None]);
    }

    #[test]
    fn a_norm_is_the_attacks_own() {
        let record = toy("a", 1, true, 3.0);
        let norm = |json: &str| {
            let (run, records) = (run(json), [&record]);
            Found::new(&record.setting, &run, &records).norm(&record)
        };
        assert_eq!(norm("{}"), Some(3.0));
        assert_eq!(norm(r#"{"variant": "min-norm", "norm": "linf"}"#), Some(1.5));
    }
}
