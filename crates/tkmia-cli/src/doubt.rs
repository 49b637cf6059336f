//! Whether a network sees images as it wants to: [`told`] for people, [`warn`] before an attack.

use burn::tensor::Tensor;
use tkmia_core::{Classifier, LabelSet, Tagger};
use tkmia_experiment::{Evidence, ExperimentError, Way, Workers, likely, ways};
use tkmia_metrics::mean;

use crate::progress::say;

/// Fewer labelled images say nothing before an attack, and more are not looked at.
const LABELLED: [usize; 2] = [8, 16];

/// What speaks for a way, image by image.
type Numbers = fn(&Way) -> &Vec<f64>;

/// How many images are looked at before an attack, of so many.
pub fn looked_at(images: usize) -> usize {
    if images < LABELLED[0] { 0 } else { images.min(LABELLED[1]) }
}

/// What the scores of photographs say of each way to see them, as lines, and as JSON.
pub fn told(ways: &[Way]) -> (String, serde_json::Value) {
    let kinds: [(&str, Numbers); 2] =
        [("mAP", |way| &way.precision), ("prominence", |way| &way.prominence)];
    let given = kinds.map(|kind| ways.iter().any(|way| !kind.1(way).is_empty()).then_some(kind));
    let mut text = String::new();
    for way in ways {
        text += "seen as";
        for (name, of) in given.iter().flatten() {
            let found = mean(of(way).iter().copied());
            text += &found.map_or(format!("  {name}   -  "), |mean| format!("  {name} {mean:.3}"));
        }
        text += &format!("  {}\n", flags(&way.tagger));
    }
    let mut best = Vec::new();
    for (name, of) in given.iter().flatten() {
        let found = likely(&ways.iter().map(|way| &of(way)[..]).collect::<Vec<_>>());
        text += &format!("{name} speaks for {}\n", verdict(ways, &found));
        best.push(found);
    }
    let json = ways.iter().enumerate().map(|(at, way)| {
        serde_json::json!({
            "sees": way.tagger,
            "map": mean(way.precision.iter().copied()),
            "prominence": mean(way.prominence.iter().copied()),
            "likely": best.iter().all(|best| best.contains(&at)),
        })
    });
    (text, json.collect())
}

fn verdict(ways: &[Way], likely: &[usize]) -> String {
    let named = |way: &usize| match way {
        0 => "the first, as images are seen now".to_owned(),
        way => flags(&ways[*way].tagger),
    };
    let [best, others @ ..] = likely else { return "none: scores aren't finite".to_owned() };
    let mut text = named(best);
    if !others.is_empty() {
        text += " (no clear answer: it doesn't tell it from ";
        text += &(others.iter().map(named).collect::<Vec<_>>().join("; or ") + ")");
    }
    text
}

/// As it is given on the command line.
fn flags(tagger: &Tagger) -> String {
    tagger.to_string().split(", ").map(|said| format!("--{said}")).collect::<Vec<_>>().join(" ")
}

/// Says on the standard error if the labels of images speak against the way in which these are seen.
///
/// # Errors
/// Those of passes.
pub fn warn(
    model: &dyn Classifier,
    tagger: &Tagger,
    images: &Tensor<4>,
    labels: &LabelSet,
    workers: Workers<'_>,
) -> Result<(), ExperimentError> {
    let evidence = Evidence { mirrored: false, labels: Some(labels) };
    let ways = match ways(model, tagger, images, evidence, workers) {
        // Whoever asked for the end will see it come.
        Err(ExperimentError::Interrupted { .. }) => return Ok(()),
        ways => ways?,
    };
    let precisions: Vec<&[f64]> = ways.iter().map(|way| &way.precision[..]).collect();
    let likely = likely(&precisions);
    let Some(&best) = likely.first().filter(|_| !likely.contains(&0)) else { return Ok(()) };
    let map = |way: usize| mean(precisions[way].iter().copied()).unwrap_or(0.0);
    say(&format!(
        "warning: the labels of {} images speak for {}, which gives a mAP of {:.3}, and not for the way in which the network \
         is shown them, with {:.3}: `tkmia inspect --images` says more",
        images.dims()[0],
        flags(&ways[best].tagger),
        map(best),
        map(0),
    ));
    Ok(())
}
