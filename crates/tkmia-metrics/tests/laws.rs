//! What holds of the measures whatever the scores and labels.

use proptest::prelude::*;
use tkmia_metrics::{Change, MeanMeasures, Measures, Ranking, mean_measures};

/// Scores are drawn from this many levels, so that most samples have ties.
const LEVELS: usize = 6;

/// The levels of the scores and the relevant labels of one sample, and a `k` that suits them.
fn sample() -> impl Strategy<Value = (Vec<usize>, Vec<bool>, usize)> {
    (1_usize..12).prop_flat_map(|classes| {
        (
            prop::collection::vec(0..LEVELS, classes),
            prop::collection::vec(any::<bool>(), classes),
            1..=classes,
        )
    })
}

/// Distinct scores, as a shuffled list of levels, and the relevant labels.
fn untied() -> impl Strategy<Value = (Vec<usize>, Vec<bool>, usize)> {
    (1_usize..12).prop_flat_map(|classes| {
        (
            Just((0..classes).collect::<Vec<_>>()).prop_shuffle(),
            prop::collection::vec(any::<bool>(), classes),
            1..=classes,
        )
    })
}

/// A batch: the levels of its clean and perturbed scores, its relevant labels (at least one), `k`.
type Pair = (Vec<Vec<usize>>, Vec<Vec<usize>>, Vec<Vec<bool>>, usize);

fn pair() -> impl Strategy<Value = Pair> {
    (1_usize..6, 1_usize..8).prop_flat_map(|(classes, rows)| {
        let scores =
            || prop::collection::vec(prop::collection::vec(0..LEVELS, classes), rows..=rows);
        let labels =
            prop::collection::vec(prop::collection::vec(any::<bool>(), classes), rows..=rows);
        let labels = labels.prop_map(|mut labels| {
            labels[0][0] = true;
            labels
        });
        (scores(), scores(), labels, 1..=classes)
    })
}

/// The heights of a strictly increasing map of the levels.
fn increasing_map() -> impl Strategy<Value = Vec<f64>> {
    (-1e3_f64..1e3, prop::collection::vec(1e-3_f64..1e3, LEVELS)).prop_map(|(start, steps)| {
        let heights = steps.iter().scan(start, |height, step| {
            *height += step;
            Some(*height)
        });
        heights.collect()
    })
}

fn plain(levels: &[usize]) -> Vec<f64> {
    levels.iter().map(|&level| level as f64).collect()
}

fn measure(scores: &[f64], relevant: &[bool], k: usize) -> Measures {
    let ranking = Ranking::new(scores).expect("the scores are finite");
    Measures::at_k(&ranking, relevant, k).expect("the labels and k suit the scores")
}

fn means(levels: &[Vec<usize>], relevant: &[Vec<bool>], k: usize) -> MeanMeasures {
    let scores: Vec<Vec<f64>> = levels.iter().map(|row| plain(row)).collect();
    let means = mean_measures(&scores, relevant, k).expect("the labels and k suit the scores");
    means.expect("a sample has a relevant label")
}

fn values(measures: &Measures) -> Vec<f64> {
    let Measures { tkacc, tkacc_released, p, ap, ndcg } = *measures;
    [Some(tkacc), Some(tkacc_released), Some(p), ap, ndcg].into_iter().flatten().collect()
}

fn mean_values(means: &MeanMeasures) -> [f64; 6] {
    let MeanMeasures { tkacc, tkacc_released, p, ap, map_category, ndcg, .. } = *means;
    [tkacc, tkacc_released, p, ap, map_category, ndcg]
}

fn changes(change: &Change) -> [f64; 6] {
    let Change { tkacc, tkacc_released, p, ap, map_category, ndcg } = *change;
    [tkacc, tkacc_released, p, ap, map_category, ndcg]
}

proptest! {
    #[test]
    fn every_measure_lies_within_zero_and_one((levels, relevant, k) in sample()) {
        let measures = measure(&plain(&levels), &relevant, k);
        prop_assert!(values(&measures).iter().all(|value| (0.0..=1.0).contains(value)));
        prop_assert_eq!(measures.ap.is_some(), relevant.contains(&true));
        prop_assert_eq!(measures.ndcg.is_some(), relevant.contains(&true));
    }

    #[test]
    fn increasing_maps_of_the_scores_change_nothing_even_under_ties(
        (levels, relevant, k) in sample(),
        heights in increasing_map(),
    ) {
        let mapped: Vec<f64> = levels.iter().map(|&level| heights[level]).collect();
        prop_assert_eq!(measure(&mapped, &relevant, k), measure(&plain(&levels), &relevant, k));
    }

    #[test]
    fn the_order_of_the_labels_is_immaterial_without_ties(
        (levels, relevant, k) in untied(),
        order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let labels: Vec<usize> = order.into_iter().filter(|&label| label < levels.len()).collect();
        let scores: Vec<f64> = labels.iter().map(|&label| levels[label] as f64).collect();
        let flags: Vec<bool> = labels.iter().map(|&label| relevant[label]).collect();
        prop_assert_eq!(measure(&scores, &flags, k), measure(&plain(&levels), &relevant, k));
    }

    #[test]
    fn a_perfect_ranking_scores_one((levels, relevant, k) in sample()) {
        let scores: Vec<f64> = levels
            .iter()
            .zip(&relevant)
            .map(|(&level, &relevant)| (level + if relevant { LEVELS } else { 0 }) as f64)
            .collect();
        let count = relevant.iter().filter(|&&relevant| relevant).count();
        let measures = measure(&scores, &relevant, k);
        let one = (count > 0).then_some(1.0);
        prop_assert_eq!((measures.ap, measures.ndcg), (one, one));
        prop_assert_eq!(measures.tkacc_released, 1.0);
        prop_assert_eq!(measures.tkacc, f64::from(count <= k));
        prop_assert_eq!(measures.p, k.min(count) as f64 / k as f64);
    }

    #[test]
    fn means_lie_within_zero_and_one((levels, _, relevant, k) in pair()) {
        let means = means(&levels, &relevant, k);
        prop_assert!(mean_values(&means).iter().all(|value| (0.0..=1.0).contains(value)));
        let skipped = relevant.iter().filter(|labels| !labels.contains(&true)).count();
        prop_assert_eq!((means.n, means.skipped), (levels.len(), skipped));
    }

    #[test]
    fn a_skipped_row_changes_no_mean(
        (levels, _, relevant, k) in pair(),
        at in any::<prop::sample::Index>(),
    ) {
        let at = at.index(levels.len() + 1);
        let (mut more_levels, mut more_relevant) = (levels.clone(), relevant.clone());
        more_levels.insert(at, vec![LEVELS; levels[0].len()]);
        more_relevant.insert(at, vec![false; levels[0].len()]);
        let with = means(&more_levels, &more_relevant, k);
        let without = means(&levels, &relevant, k);
        prop_assert_eq!(mean_values(&with), mean_values(&without));
        prop_assert_eq!(with.skipped, without.skipped + 1);
    }

    #[test]
    fn the_change_there_is_minus_the_change_back((clean, perturbed, relevant, k) in pair()) {
        let (clean, perturbed) = (means(&clean, &relevant, k), means(&perturbed, &relevant, k));
        let there = Change::between(&clean, &perturbed).unwrap();
        let back = Change::between(&perturbed, &clean).unwrap();
        prop_assert_eq!(changes(&there), changes(&back).map(|change| -change));
        prop_assert_eq!(changes(&Change::between(&clean, &clean).unwrap()), [0.0; 6]);
    }
}
