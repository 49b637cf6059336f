//! A record for tests, of this crate and of the reports'.

use tkmia_attacks::{Outcome, Passes};

use crate::{Record, Selection, Setting};

/// c = 3, k = 1, Y_p = {0, 1}, S = {0}: label 0 leaves the first place for label `to`.
pub(crate) fn toy(types: &str, to: usize, success: bool, norm: f64) -> Record {
    let mut scores = vec![-1.0; 3];
    scores[to] = 1.0;
    Record {
        setting: Setting {
            dataset: "toy".to_owned(),
            selection: Selection::Global(types.to_owned()),
            k: 1,
            delta: None,
        },
        method: "an attack".to_owned(),
        key: "1:an attack".to_owned(),
        id: "0".to_owned(),
        relevant: vec![0, 1],
        specified: vec![0],
        clean_scores: vec![2.0, 1.0, 0.0],
        scores,
        success,
        success_rounded: success,
        outcome: if success { Outcome::Succeeded } else { Outcome::Exhausted },
        iterations: 4,
        passes: Passes { forward: 4, backward: 3 },
        excluded: i64::from(to != 0),
        norm,
        norm_input: norm,
        norm_pixels: norm * 127.5,
        linf_input: norm / 2.0,
        draws: Vec::new(),
        indicators: Vec::new(),
        universal: None,
        seconds: 0.5,
    }
}
