//! What may be compared: [`comparable`] attacks, on the same [`Sample`]s.
//!
//! | | has to be the same |
//! |---|---|
//! | setting | yes: data set, selection, k and δ |
//! | samples | yes: the image and its specified labels |
//! | norm | yes: norms are L2 norms of `x* − x̃` in model-input units, whatever an attack itself holds down |
//! | view | no: each attack's `x̃` is what it starts from |
//! | criterion | no: a success is one by the attack's own |

use tkmia_experiment::Setting;

use crate::{Record, Row};

/// A sample of a setting, which any attack may be on. With other specified labels it is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Sample<'a> {
    setting: &'a Setting,
    id: &'a str,
    specified: &'a [usize],
}

impl<'a> From<&'a Record> for Sample<'a> {
    fn from(record: &'a Record) -> Self {
        Self { setting: &record.setting, id: &record.id, specified: &record.specified }
    }
}

/// Whether the results of two rows may be compared.
pub(crate) fn comparable(one: &Row, other: &Row) -> bool {
    one.setting == other.setting
}

/// The norm by which successes are compared.
pub(crate) fn norm(record: &Record) -> f64 {
    record.norm_input
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::report;
    use crate::toy::toy;

    #[test]
    fn attacks_are_compared_within_a_setting_only() {
        let rows = &report().tables[0].rows;
        // Two attacks on each of two settings.
        assert!(comparable(&rows[0], &rows[1]) && !comparable(&rows[0], &rows[2]));
    }

    #[test]
    fn with_other_specified_labels_a_sample_is_another_one() {
        let record = toy("a", 1, true, 0.1);
        let others = [
            Record { specified: vec![1], ..record.clone() },
            Record { id: "1".to_owned(), ..record.clone() },
            toy("b", 1, true, 0.1),
        ];
        assert!(others.iter().all(|other| Sample::from(other) != Sample::from(&record)));
        let another_attack = Record { key: "1:another".to_owned(), ..toy("a", 2, false, 9.0) };
        assert_eq!(Sample::from(&another_attack), Sample::from(&record));
    }
}
