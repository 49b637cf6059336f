//! Laws of the criteria: verdicts come from the order of the scores, margins agree with them.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use tkmia_attacks::{
    AllRelevantOut, AttackBatch, AttackSettings, By, CRITERION_NAMES, Criterion, Imperceptible,
    MeasureBudget, MeasurePreserving, OrderedTopK, Outcome, PrecisionPreserved, Reason,
    SampleState, SpecifiedOut, Stop, TargetSet,
};
use tkmia_core::{Bounds, Classifier, LabelSet};
use tkmia_metrics::{MEASURES, Measure, Ranking};

const CLASSES: usize = 7;

/// Whole-number scores, so that sums and cubes of them are exact.
#[derive(Debug, Clone)]
struct Sample {
    clean: Vec<f32>,
    now: Vec<f32>,
    relevant: Vec<bool>,
    specified: Vec<bool>,
    k: usize,
    delta: Option<usize>,
}

impl Sample {
    fn with<T>(&self, read: impl Fn(&SampleState<'_>) -> T) -> T {
        read(&SampleState {
            clean: &Ranking::new(&self.clean).unwrap(),
            clean_scores: &self.clean,
            now: &Ranking::new(&self.now).unwrap(),
            scores: &self.now,
            relevant: &self.relevant,
            specified: &self.specified,
            target: None,
            k: self.k,
            delta: self.delta,
        })
    }

    fn is_met(&self, criterion: &dyn Criterion) -> bool {
        self.with(|state| criterion.is_met(state))
    }

    fn margin(&self, criterion: &dyn Criterion) -> f64 {
        self.with(|state| criterion.margin(state))
    }

    fn mapped(&self, map: impl Fn(f32) -> f32) -> Self {
        let map = |scores: &[f32]| scores.iter().map(|&score| map(score)).collect();
        Self { clean: map(&self.clean), now: map(&self.now), ..self.clone() }
    }
}

/// Labels of either kind and any `k`; the scores from the given strategy.
fn sample(scores: impl Strategy<Value = Vec<f32>>) -> impl Strategy<Value = Sample> {
    let flags = || prop::collection::vec(any::<bool>(), CLASSES);
    let clean = prop::collection::vec((-9..=9_i8).prop_map(f32::from), CLASSES);
    let goal = (flags(), flags(), 1..=CLASSES, prop::option::of(0..4_usize));
    (clean, scores, goal).prop_map(|(clean, now, (relevant, among, k, delta))| {
        let specified = relevant.iter().zip(among).map(|(&r, s)| r && s).collect();
        Sample { clean, now, relevant, specified, k, delta }
    })
}

fn with_ties() -> impl Strategy<Value = Sample> {
    sample(prop::collection::vec((-4..=4_i8).prop_map(f32::from), CLASSES))
}

fn without_ties() -> impl Strategy<Value = Sample> {
    let scores = vec![-9.0, -7.0, -4.0, 0.0, 1.0, 3.0, 8.0_f32];
    sample(Just(scores).prop_shuffle())
}

/// Every criterion whose margin is a distance between scores.
fn of_scores() -> impl Strategy<Value = Arc<dyn Criterion>> {
    let labels = || prop::collection::vec(0..CLASSES + 1, 0..=3);
    let shared = |criterion: Arc<dyn Criterion>| Just(criterion);
    prop_oneof![
        shared(Arc::new(SpecifiedOut)),
        shared(Arc::new(Imperceptible)),
        shared(Arc::new(PrecisionPreserved)),
        shared(Arc::new(MeasurePreserving)),
        shared(Arc::new(AllRelevantOut)),
        labels().prop_map(|labels| {
            Arc::new(TargetSet { labels: labels.into_iter().collect() }) as Arc<dyn Criterion>
        }),
        labels().prop_map(|labels| Arc::new(OrderedTopK { labels }) as _),
    ]
}

/// Every stock criterion.
fn any_criterion() -> impl Strategy<Value = Arc<dyn Criterion>> {
    let measure = prop::sample::select(MEASURES.iter().collect::<Vec<_>>());
    let budget = (measure, -0.5..1.0_f64).prop_map(|(measure, at_most)| {
        Arc::new(MeasureBudget { measure, at_most }) as Arc<dyn Criterion>
    });
    prop_oneof![7 => of_scores(), 3 => budget]
}

/// One criterion, or several together.
fn combined() -> impl Strategy<Value = Arc<dyn Criterion>> {
    any_criterion().prop_recursive(3, 12, 2, |part| {
        prop_oneof![
            (part.clone(), part.clone()).prop_map(|(a, b)| Arc::new(a.and(b)) as _),
            (part.clone(), part.clone()).prop_map(|(a, b)| Arc::new(a.or(b)) as _),
            part.prop_map(|a| Arc::new(a.not()) as Arc<dyn Criterion>),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn without_ties_the_sign_of_the_margin_is_the_verdict(
        sample in without_ties(),
        criterion in of_scores(),
    ) {
        let margin = sample.margin(&criterion);
        prop_assert_ne!(margin, 0.0);
        prop_assert_eq!(sample.is_met(&criterion), margin < 0.0);
    }

    #[test]
    fn a_margin_never_contradicts_the_verdict(sample in with_ties(), criterion in combined()) {
        let margin = sample.margin(&criterion);
        if sample.is_met(&criterion) {
            prop_assert!(margin <= 0.0);
        } else {
            prop_assert!(margin >= 0.0);
        }
    }

    #[test]
    fn not_both_is_one_or_the_other_not(
        sample in with_ties(),
        a in combined(),
        b in combined(),
    ) {
        let (not_both, either_not) = (a.clone().and(b.clone()).not(), a.not().or(b.not()));
        prop_assert_eq!(sample.is_met(&not_both), sample.is_met(&either_not));
        prop_assert_eq!(sample.margin(&not_both), sample.margin(&either_not));
    }

    #[test]
    fn increasing_maps_of_the_scores_change_no_verdict(
        sample in with_ties(),
        criterion in combined(),
    ) {
        let met = sample.is_met(&criterion);
        let maps: [fn(f32) -> f32; 3] = [|x| 2.0 * x + 1.0, |x| x * x * x, f32::exp];
        for map in maps {
            prop_assert_eq!(sample.mapped(map).is_met(&criterion), met);
        }
    }

    #[test]
    fn the_margin_is_how_far_all_of_s_must_sink_for_the_verdict_to_turn(
        sample in with_ties(),
    ) {
        let criterion = SpecifiedOut;
        // Halves between whole numbers: no shift ends in a tie of S with the others.
        let met_after = |shift: i32| {
            let mut sunk = sample.clone();
            for (score, &specified) in sunk.now.iter_mut().zip(&sample.specified) {
                *score -= if specified { shift as f32 + 0.5 } else { 0.0 };
            }
            sunk.is_met(&criterion)
        };
        let turns = (-20..20).find(|&shift| met_after(shift));
        let expected = match turns {
            None => f64::INFINITY,
            Some(-20) => f64::NEG_INFINITY,
            Some(shift) => shift.into(),
        };
        prop_assert_eq!(sample.margin(&criterion), expected);
    }

    #[test]
    fn preserving_measures_is_both_of_its_parts(sample in with_ties()) {
        // All specified labels are to leave, whatever δ.
        let sample = Sample { delta: None, ..sample };
        let both = SpecifiedOut.and(PrecisionPreserved);
        prop_assert_eq!(sample.is_met(&MeasurePreserving), sample.is_met(&both));
        prop_assert_eq!(sample.margin(&MeasurePreserving), sample.margin(&both));
        let budget = MeasureBudget { measure: Measure::named("p").unwrap(), at_most: 0.0 };
        prop_assert_eq!(sample.is_met(&PrecisionPreserved), sample.is_met(&budget));
    }

    #[test]
    fn a_target_is_reached_by_the_ranking_that_it_names(sample in with_ties()) {
        let order = Ranking::new(&sample.now).unwrap().order()[..sample.k].to_vec();
        let set = TargetSet { labels: order.iter().copied().collect() };
        prop_assert!(sample.is_met(&set));
        let list = OrderedTopK { labels: order.clone() };
        prop_assert!(sample.is_met(&list));
        let reversed = OrderedTopK { labels: order.into_iter().rev().collect() };
        prop_assert_eq!(sample.is_met(&reversed), sample.k == 1);
    }

    #[test]
    fn what_holds_by_a_margin_holds(
        sample in with_ties(),
        criterion in of_scores(),
        margin in 0.1..9.0_f64,
    ) {
        let by = By { criterion: criterion.clone(), margin };
        let (met, beyond) = (sample.is_met(&by), sample.margin(&by));
        prop_assert_eq!(met, sample.is_met(&criterion) && sample.margin(&criterion) <= -margin);
        let agrees = if met { beyond <= 0.0 } else { beyond >= 0.0 };
        prop_assert!(agrees);
    }

    #[test]
    fn imperceptible_implies_measure_preserving_where_others_can_fill_the_places(
        sample in with_ties(),
    ) {
        let others = sample.relevant.iter().zip(&sample.specified).filter(|&(&r, &s)| r && !s);
        if others.count() >= sample.k && sample.is_met(&Imperceptible) {
            prop_assert!(sample.is_met(&MeasurePreserving));
        }
    }
}

/// The six values of an image are its scores.
#[derive(Debug)]
struct Identity;

impl Classifier for Identity {
    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        images.flatten(1, 3)
    }

    fn classes(&self) -> usize {
        6
    }

    fn bounds(&self) -> Bounds {
        Bounds::SYMMETRIC
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        Some([1, 2])
    }

    fn device(&self) -> Device {
        Device::default()
    }
}

#[test]
fn a_combined_criterion_stops_an_attack_and_judges_its_result() {
    let data = TensorData::new(vec![0.5_f32, 0.4, 0.3, 0.2, 0.1, 0.0], [1, 3, 1, 2]);
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], 6).unwrap();
    let images = Tensor::from_data(data, &Device::default());
    let batch = AttackBatch::new(images, set(&[0, 1, 2]), set(&[0]), 2).unwrap();
    let budget = MeasureBudget { measure: Measure::named("ndcg").unwrap(), at_most: 0.0 };
    let knobs = serde_json::json!({"lr": 0.05, "stop": SpecifiedOut.and(budget).to_string()});
    let settings = AttackSettings::from_knobs(knobs.as_object().unwrap()).unwrap();
    let result = settings.init().unwrap().run(&Identity, &batch).unwrap();
    assert_eq!(result.perturbed.outcomes, [Outcome::Succeeded]);
    assert!(result.judge(&Identity).unwrap()[0].success);
    let judged =
        |criterion: &dyn Criterion| result.judge_by(&Identity, criterion).unwrap().remove(0);
    // The other relevant labels hold both places: label 0 contends with the lower one.
    let verdict = judged(&SpecifiedOut);
    assert!(verdict.success && verdict.margin < 0.0);
    let lower = verdict.scores[1].min(verdict.scores[2]);
    assert_eq!(verdict.margin, f64::from(verdict.scores[0]) - f64::from(lower));
    assert_eq!(judged(&budget).margin, 0.0);
    let opposite = judged(&SpecifiedOut.not());
    assert_eq!((opposite.success, opposite.margin), (false, -verdict.margin));
}

#[test]
fn an_attack_goes_on_by_a_margin_and_is_judged_without_it() {
    let data = TensorData::new(vec![0.5_f32, 0.4, 0.3, 0.2, 0.1, 0.0], [1, 3, 1, 2]);
    let set = |labels: &[usize]| LabelSet::from_indices(&[labels], 6).unwrap();
    let images = Tensor::from_data(data, &Device::default());
    let batch = AttackBatch::new(images, set(&[0, 1, 2]), set(&[0]), 2).unwrap();
    let ended = |stop: &str| {
        let knobs = serde_json::json!({"optimiser": "pgd", "radius": 1.0, "stop": stop, "max-iterations": 20});
        let settings = AttackSettings::from_knobs(knobs.as_object().unwrap()).unwrap();
        let result = settings.init().unwrap().run(&Identity, &batch).unwrap();
        let verdict = result.judge(&Identity).unwrap().remove(0);
        assert!(verdict.success, "{stop}");
        (result.perturbed.outcomes[0], verdict.margin)
    };
    let (first, near) = ended("excluded");
    let (second, far) = ended("excluded by 0.1");
    let (last, _) = ended("excluded by 1000");
    assert_eq!([first, second, last], [Outcome::Succeeded, Outcome::Succeeded, Outcome::Exhausted]);
    assert!(near > -0.1 && far <= -0.1, "{near} {far}");
    // A label that is out already, and is to go further.
    let out = AttackBatch::new(batch.images().clone(), set(&[0, 1, 2]), set(&[2]), 2).unwrap();
    for (stop, outcome) in [
        ("excluded", Outcome::Ineligible(Reason::NothingToExclude)),
        ("excluded by 0.2", Outcome::Succeeded),
    ] {
        let knobs = serde_json::json!({"lr": 0.05, "stop": stop});
        let settings = AttackSettings::from_knobs(knobs.as_object().unwrap()).unwrap();
        let result = settings.init().unwrap().run(&Identity, &out).unwrap();
        assert_eq!(result.perturbed.outcomes, [outcome]);
        let verdict = result.judge(&Identity).unwrap().remove(0);
        assert!(!verdict.success && verdict.indicators.is_empty());
    }
    let min_norm = serde_json::json!({"variant": "min-norm", "stop": "excluded by 1"});
    let settings = AttackSettings::from_knobs(min_norm.as_object().unwrap()).unwrap();
    assert!(settings.init().unwrap_err().to_string().contains("`excluded by 1`"));
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = "exclude".parse::<Stop>().unwrap_err().to_string();
    assert!(error.starts_with("unknown criterion `exclude`"));
    assert!(CRITERION_NAMES.iter().all(|name| error.contains(name)));
}
