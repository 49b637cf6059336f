//! Which attack does what with which criterion: the table of `docs/src/criteria.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde_json::{Value, json};
use strum::IntoEnumIterator;
use tkmia_attacks::{AttackBatch, AttackError, AttackName, CRITERION_NAMES};
use tkmia_core::LabelSet;

use crate::victim::{CLASSES, PIXELS, and, batch, fitting, scattered};

/// Every criterion that has a name, and some made of others.
const CRITERIA: [&str; 14] = [
    "excluded",
    "imperceptible",
    "measure-preserving",
    "precision-preserved",
    "all-relevant-out",
    "target-reached",
    "target-in-order",
    "target-set(4, 5)",
    "ordered-top-k(5, 4)",
    "measure-budget(ap, 0.1)",
    "excluded and measure-budget(ap, 0)",
    "excluded and all-relevant-out",
    "excluded or all-relevant-out",
    "not(precision-preserved)",
];

/// Networks that each is tried on.
const VICTIMS: u32 = 10;

/// Method and variant, as the columns are called.
fn methods() -> Vec<(String, Value)> {
    let corrected = AttackName::iter()
        .map(|name| (name.to_string(), json!({"name": name, "max-iterations": 300})));
    let min_norm = json!({"variant": "min-norm", "max-iterations": 100});
    corrected.chain([("min-norm".to_owned(), min_norm)]).collect()
}

/// How many of the networks it succeeds on, or why it isn't run.
fn cell(knobs: &Value, criterion: &str) -> String {
    let attack =
        match fitting(0.01, 3.0, and(knobs.clone(), json!({"stop": criterion}))).unwrap().init() {
            Ok(attack) => attack,
            Err(AttackError::NotSearched { .. }) => return "refused".to_owned(),
            Err(other) => panic!("{knobs}, {criterion}: {other}"),
        };
    let succeeds = |number: &u32| {
        let (victim, batch) = (scattered(*number), batch(&[0.0; PIXELS]));
        // Label 1 is in every clean top-2: relevant for half of the networks, else irrelevant.
        let (relevant, target) = match number % 2 {
            0 => ([0, 1, 2, 3], [4, 5]),
            _ => ([0, 2, 3, 4], [1, 5]),
        };
        let set = |labels: &[usize]| LabelSet::from_indices(&[labels], CLASSES).unwrap();
        let batch = AttackBatch::new(batch.images().clone(), set(&relevant), set(&[0]), 2).unwrap();
        let result =
            attack.run(&victim, &batch.with_target(vec![target.to_vec()]).unwrap()).unwrap();
        result.judge(&victim).unwrap()[0].success
    };
    (0..VICTIMS).filter(succeeds).count().to_string()
}

fn table() -> String {
    let methods = methods();
    let mut text = String::from("| `--stop` |");
    methods.iter().for_each(|(name, _)| write!(text, " {name} |").unwrap());
    text += "\n|---|";
    methods.iter().for_each(|_| text += "---|");
    for criterion in CRITERIA {
        write!(text, "\n| `{criterion}` |").unwrap();
        methods
            .iter()
            .for_each(|(_, knobs)| write!(text, " {} |", cell(knobs, criterion)).unwrap());
    }
    text + "\n"
}

#[test]
fn the_minimum_norm_form_finds_whatever_it_does_not_refuse() {
    let (_, min_norm) = methods().pop().unwrap();
    for criterion in CRITERIA {
        let cell = cell(&min_norm, criterion);
        assert!(["refused", "10"].contains(&&*cell), "{criterion}: {cell}");
    }
}

/// `TKMIA_WRITE_DOCS=1` writes the table instead of comparing it.
#[test]
fn the_documentation_says_what_each_attack_does_with_each_criterion() {
    for name in CRITERION_NAMES {
        assert!(CRITERIA.iter().any(|criterion| criterion.starts_with(name)), "{name}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/criteria.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- table -->\n", "<!-- end of table -->");
    let from = page.find(begin).unwrap() + begin.len();
    let to = page.find(end).unwrap();
    let table = table();
    if env::var_os("TKMIA_WRITE_DOCS").is_some() {
        fs::write(&path, format!("{}{table}{}", &page[..from], &page[to..])).unwrap();
    } else {
        assert!(page[from..to] == table, "docs/src/criteria.md has another table than\n{table}");
    }
}
