//! What holds of the measures whatever the scores and labels.

use proptest::prelude::*;
use tkmia_metrics::{
    Formula, MEASURES, MeanMeasures, Measures, Need, Ranking, Sample, Unit, average_precision_at_k,
    change, mean, mean_measures,
};

/// Scores are drawn from this many levels, so that most samples have ties.
const LEVELS: usize = 6;

/// The scores of one sample as levels, its relevant and its specified labels, and a `k` that suits them.
#[derive(Debug, Clone)]
struct Case {
    levels: Vec<usize>,
    relevant: Vec<bool>,
    specified: Option<Vec<bool>>,
    k: usize,
}

fn flags(classes: usize) -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(any::<bool>(), classes)
}

fn case<L: Strategy<Value = Vec<usize>>>(levels: fn(usize) -> L) -> impl Strategy<Value = Case> {
    (1_usize..12).prop_flat_map(move |classes| {
        let specified = prop::option::of(flags(classes));
        (levels(classes), flags(classes), specified, 1..=classes)
            .prop_map(|(levels, relevant, specified, k)| Case { levels, relevant, specified, k })
    })
}

fn sample() -> impl Strategy<Value = Case> {
    case(|classes| prop::collection::vec(0..LEVELS, classes))
}

/// Distinct scores, as a shuffled list of levels.
fn untied() -> impl Strategy<Value = Case> {
    case(|classes| Just((0..classes).collect::<Vec<_>>()).prop_shuffle())
}

/// A batch: the levels of its clean and perturbed scores, its relevant labels (at least one), its
/// specified ones, and `k`.
#[derive(Debug, Clone)]
struct Pair {
    clean: Vec<Vec<usize>>,
    perturbed: Vec<Vec<usize>>,
    relevant: Vec<Vec<bool>>,
    specified: Option<Vec<Vec<bool>>>,
    k: usize,
}

fn pair() -> impl Strategy<Value = Pair> {
    (1_usize..6, 1_usize..8).prop_flat_map(|(classes, rows)| {
        let scores =
            || prop::collection::vec(prop::collection::vec(0..LEVELS, classes), rows..=rows);
        let labels = || prop::collection::vec(flags(classes), rows..=rows);
        let relevant = labels().prop_map(|mut labels| {
            labels[0][0] = true;
            labels
        });
        (scores(), scores(), relevant, prop::option::of(labels()), 1..=classes).prop_map(
            |(clean, perturbed, relevant, specified, k)| Pair {
                clean,
                perturbed,
                relevant,
                specified,
                k,
            },
        )
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

/// The measures of a case whose scores are these instead.
fn measure(scores: &[f64], Case { relevant, specified, k, .. }: &Case) -> Measures {
    let ranking = Ranking::new(scores).expect("the scores are finite");
    let specified = specified.as_deref();
    Measures::of(&Sample { ranking: &ranking, relevant, specified, k: *k })
        .expect("the labels and k suit the scores")
}

fn means(levels: &[Vec<usize>], Pair { relevant, specified, k, .. }: &Pair) -> MeanMeasures {
    let scores: Vec<Vec<f64>> = levels.iter().map(|row| plain(row)).collect();
    let means = mean_measures(&scores, relevant, specified.as_deref(), *k);
    means.expect("the labels and k suit the scores").expect("a sample has a relevant label")
}

proptest! {
    #[test]
    fn every_measure_has_a_value_of_its_range_where_the_sample_has_what_it_needs(case in sample()) {
        let measures = measure(&plain(&case.levels), &case);
        for row in &MEASURES {
            let needs_are_met = row.needs.iter().all(|need| match need {
                Need::RelevantLabel => case.relevant.contains(&true),
                Need::SpecifiedLabels => case.specified.is_some(),
            });
            let per_sample = matches!(row.formula, Formula::PerSample(_));
            let value = measures.get(row.name);
            prop_assert_eq!(value.is_some(), needs_are_met && per_sample, "{}", row.name);
            let value = value.unwrap_or(0.0);
            prop_assert!(row.unit.range(case.k).contains(&value), "{}: {}", row.name, value);
            prop_assert!(value.is_sign_positive(), "{}", row.name);
            if row.unit != Unit::Share {
                prop_assert_eq!(value.fract(), 0.0, "{}", row.name);
            }
        }
    }

    #[test]
    fn lists_of_categories_are_those_of_all_samples_ranked(pair in pair()) {
        let kept: Vec<usize> =
            (0..pair.clean.len()).filter(|&row| pair.relevant[row].contains(&true)).collect();
        let mut found = Vec::new();
        for category in 0..pair.clean[0].len() {
            let scores: Vec<f64> = kept.iter().map(|&row| pair.clean[row][category] as f64).collect();
            let positive: Vec<bool> = kept.iter().map(|&row| pair.relevant[row][category]).collect();
            let ranking = Ranking::new(&scores).unwrap();
            let k = pair.k.min(kept.len());
            found.extend(average_precision_at_k(&ranking, &positive, k).unwrap());
        }
        prop_assert_eq!(means(&pair.clean, &pair).get("map_category"), mean(found));
    }

    #[test]
    fn increasing_maps_of_the_scores_change_nothing_even_under_ties(
        case in sample(),
        heights in increasing_map(),
    ) {
        let mapped: Vec<f64> = case.levels.iter().map(|&level| heights[level]).collect();
        prop_assert_eq!(measure(&mapped, &case), measure(&plain(&case.levels), &case));
    }

    #[test]
    fn increasing_maps_of_all_scores_change_no_mean(
        pair in pair(),
        heights in increasing_map(),
    ) {
        let mapped: Vec<Vec<f64>> = pair.clean.iter()
            .map(|row| row.iter().map(|&level| heights[level]).collect())
            .collect();
        let found = mean_measures(&mapped, &pair.relevant, pair.specified.as_deref(), pair.k);
        prop_assert_eq!(found.unwrap().unwrap(), means(&pair.clean, &pair));
    }

    #[test]
    fn the_order_of_the_labels_is_immaterial_without_ties(
        case in untied(),
        order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let labels: Vec<usize> =
            order.into_iter().filter(|&label| label < case.levels.len()).collect();
        let moved = |flags: &Vec<bool>| labels.iter().map(|&label| flags[label]).collect();
        let shuffled = Case {
            levels: labels.iter().map(|&label| case.levels[label]).collect(),
            relevant: moved(&case.relevant),
            specified: case.specified.as_ref().map(moved),
            k: case.k,
        };
        prop_assert_eq!(
            measure(&plain(&shuffled.levels), &shuffled),
            measure(&plain(&case.levels), &case)
        );
    }

    #[test]
    fn a_perfect_ranking_scores_one(case in sample()) {
        let scores: Vec<f64> = case.levels
            .iter()
            .zip(&case.relevant)
            .map(|(&level, &relevant)| (level + if relevant { LEVELS } else { 0 }) as f64)
            .collect();
        let count = case.relevant.iter().filter(|&&relevant| relevant).count();
        let measures = measure(&scores, &case);
        let one = (count > 0).then_some(1.0);
        prop_assert_eq!((measures.get("ap"), measures.get("ndcg")), (one, one));
        prop_assert_eq!(measures.get("tkacc_released"), Some(1.0));
        prop_assert_eq!(measures.get("tkacc"), Some(f64::from(count <= case.k)));
        prop_assert_eq!(measures.get("p"), Some(case.k.min(count) as f64 / case.k as f64));
    }

    #[test]
    fn means_lie_within_the_range_of_what_they_average(pair in pair()) {
        let found = means(&pair.clean, &pair);
        for row in &MEASURES {
            let needs_specified = row.needs.contains(&Need::SpecifiedLabels);
            let value = found.get(row.name);
            prop_assert_eq!(value.is_some(), pair.specified.is_some() || !needs_specified);
            let value = value.unwrap_or(0.0);
            prop_assert!(row.unit.range(pair.k).contains(&value), "{}: {}", row.name, value);
            prop_assert!(value.is_sign_positive(), "{}", row.name);
        }
        let skipped = pair.relevant.iter().filter(|labels| !labels.contains(&true)).count();
        prop_assert_eq!((found.n, found.skipped), (pair.clean.len(), skipped));
    }

    #[test]
    fn a_skipped_row_changes_no_mean(pair in pair(), at in any::<prop::sample::Index>()) {
        let at = at.index(pair.clean.len() + 1);
        let classes = pair.clean[0].len();
        let mut more = pair.clone();
        more.clean.insert(at, vec![LEVELS; classes]);
        more.relevant.insert(at, vec![false; classes]);
        if let Some(specified) = &mut more.specified {
            specified.insert(at, vec![true; classes]);
        }
        let (with, without) = (means(&more.clean, &more), means(&pair.clean, &pair));
        prop_assert_eq!(with.means, without.means);
        prop_assert_eq!(with.skipped, without.skipped + 1);
    }

    #[test]
    fn the_change_there_is_minus_the_change_back(pair in pair()) {
        let (clean, perturbed) = (means(&pair.clean, &pair), means(&pair.perturbed, &pair));
        let there = change(&clean, &perturbed).unwrap();
        let back = change(&perturbed, &clean).unwrap();
        let none = change(&clean, &clean).unwrap();
        for (row, value) in there.iter() {
            prop_assert_eq!(back.get(row.name), Some(-value), "{}", row.name);
            prop_assert_eq!(none.get(row.name), Some(0.0), "{}", row.name);
            prop_assert!(value != 0.0 || value.is_sign_positive(), "{} is -0", row.name);
        }
        prop_assert_eq!(there.iter().count(), clean.means.iter().count());
    }
}
