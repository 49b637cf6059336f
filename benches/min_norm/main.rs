//! How near `min-norm` comes to the smallest perturbation, what it takes beside the network, and whether it
//! succeeds wherever the paper's attack does.

mod case;
mod perceptron;
mod restarts;

use std::time::Instant;

use clap::{Parser, ValueEnum};
use serde_json::json;
use tkmia::attacks::{Attack, AttackSettings, Norm, Passes, Verdict};
use tkmia::core::{Classifier, device};
use tkmia::models::TrainableResNet;

use case::Case;
use perceptron::{Perceptron, SIDE};
use restarts::smallest;

/// Measures of the minimum-norm attack.
#[derive(Parser)]
struct Args {
    #[arg(value_enum)]
    part: Part,
    #[arg(long, default_value = "l2")]
    norm: Norm,
    /// Images in each setting
    #[arg(long, default_value_t = 20)]
    images: usize,
    /// Passes at most, each way
    #[arg(long, default_value_t = 100)]
    passes: usize,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// Norms against those of six long independent searches with the same constraints
    Quality,
    /// Success against the best of the paper's grid, by labels and k
    Grid,
    /// What an attack computes beside its passes, at 224 pixels, and its share of a ResNet-50's pass
    Host,
}

fn main() {
    let args = Args::parse();
    match args.part {
        Part::Quality => quality(&args),
        Part::Grid => grid(&args),
        Part::Host => host(&args),
    }
}

fn min_norm(args: &Args) -> Box<dyn Attack> {
    attack(json!({"variant": "min-norm", "norm": args.norm, "max-iterations": args.passes}))
}

fn attack(knobs: serde_json::Value) -> Box<dyn Attack> {
    let knobs = serde_json::from_value(knobs).expect("a table");
    AttackSettings::from_knobs(&knobs).and_then(|settings| settings.init()).expect("sound knobs")
}

/// The norm of each success, infinite elsewhere.
fn norms(attack: &dyn Attack, victim: &dyn Classifier, case: &Case, norm: Norm) -> Vec<f64> {
    let result = attack.run(victim, &case.batch).expect("the batch fits");
    let verdicts = result.judge(victim).expect("the batch fits");
    let found = |verdict: Verdict| match (verdict.success, norm) {
        (false, _) => f64::INFINITY,
        (true, Norm::L2) => verdict.norm_input,
        (true, Norm::Linf) => verdict.linf_input,
    };
    verdicts.into_iter().map(found).collect()
}

fn quality(args: &Args) {
    // Of a norm of few pixel steps surviving 8 bits costs a large share, in L∞ half a step of each.
    let (bias, least_norm) = match args.norm {
        Norm::L2 => (0.25, 16.0 / 127.5),
        Norm::Linf => (25.0, 8.0 / 127.5),
    };
    println!("layers | k, |S| | success | mean share of the best known norm | least");
    for layers in [&[48, 20][..], &[48, 80], &[96, 48, 32, 20]] {
        let victim = Perceptron::with(layers, 2027, 1, bias);
        for (k, specified) in [(1, 1), (2, 1), (3, 2), (4, 1), (5, 3), (10, 2)] {
            let case = Case::new(&victim, k, specified, args.images);
            let found = norms(&*min_norm(args), &victim, &case, args.norm);
            let known = smallest(&victim, &case, args.norm);
            // Nobody's find is nothing to compare with.
            let large = |(a, b): &(&f64, &f64)| a.min(**b).is_finite() && **b >= least_norm;
            let pairs = found.iter().zip(&known).filter(large);
            let shares: Vec<f64> = pairs.map(|(found, known)| known.min(*found) / found).collect();
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let least = shares.iter().copied().fold(1.0, f64::min);
            let success = shares.iter().filter(|share| **share > 0.0).count();
            let success = format!("{success} of {}", shares.len());
            println!("{layers:?} | {k}, {specified} | {success} | {mean:.3} | {least:.3}");
        }
    }
}

fn grid(args: &Args) {
    println!("labels | k, |S| | success of min-norm | of the best of 32 forms");
    for classes in [20, 80, 1000, 10_000] {
        let victim = Perceptron::new(&[64, classes], 2027);
        for (k, specified) in [(1, 1), (2, 2), (5, 2), (10, 2), (20, 2)] {
            if 2 * k + specified > classes {
                continue;
            }
            let case = Case::new(&victim, k, specified, args.images);
            let count = |attack: &dyn Attack| {
                let norms = norms(attack, &victim, &case, Norm::L2);
                norms.iter().filter(|norm| norm.is_finite()).count()
            };
            let rates = [1e-3, 5e-4, 1e-4, 5e-5];
            let variants = ["released", "corrected"];
            let forms = variants.iter().flat_map(|variant| {
                let of = move |lr| rates.map(|alpha| (*variant, lr, alpha));
                rates.iter().flat_map(move |&lr| of(lr))
            });
            let best = forms.map(|(variant, lr, alpha)| {
                count(&*attack(json!({"variant": variant, "lr": lr, "alpha": alpha})))
            });
            let (found, best) = (count(&*min_norm(args)), best.max().unwrap_or(0));
            let all = case.batch.rows();
            println!("{classes} | {k}, {specified} | {found} of {all} | {best} of {all}");
        }
    }
}

fn host(args: &Args) {
    let images = args.images;
    println!("labels | k | beside a pass of {images} images, ms | share of ResNet-50's");
    let device = device("cpu").expect("compiled in");
    for classes in [20, 80, 1000, 10_000] {
        let network = TrainableResNet::new("resnet50", 64, classes, 0, &device);
        let network = network.and_then(|network| network.victim()).expect("finite weights");
        // From one time to the next the passes of a large network differ by more than what is sought.
        let victim = Perceptron::with(&[64, classes], 2027, 224 / SIDE, 0.25);
        for k in [2, 5, 20].into_iter().filter(|k| 2 * k + 2 <= classes) {
            let case = Case::sized(&victim, 224, k, 2, images);
            let start = Instant::now();
            let result = min_norm(args).run(&victim, &case.batch).expect("the batch fits");
            let whole = start.elapsed().as_secs_f64();
            let passes = &result.perturbed.passes;
            let most = passes.iter().map(|passes| passes.forward).max().unwrap_or(1) as f64;
            let beside = (whole - passes_alone(&case, &victim, passes)) / most;
            let once = vec![Passes { forward: 1, backward: 1 }; images];
            let mut times: Vec<f64> =
                (0..5).map(|_| passes_alone(&case, &network, &once)).collect();
            times.sort_by(f64::total_cmp);
            let share = 100.0 * beside / times[times.len() / 2];
            println!("{classes} | {k} | {:.1} | {share:.1} %", 1000.0 * beside);
        }
    }
}

/// Seconds of these passes of each image, of as many images at once as have passes left.
fn passes_alone(case: &Case, victim: &dyn Classifier, passes: &[Passes]) -> f64 {
    let mut left = passes.to_vec();
    let start = Instant::now();
    while left.iter().any(|passes| passes.forward > 0) {
        let rows: Vec<usize> = (0..left.len()).filter(|&row| left[row].forward > 0).collect();
        case.pass(victim, &rows, rows.iter().any(|&row| left[row].backward > 0));
        for row in rows {
            left[row].forward -= 1;
            left[row].backward = left[row].backward.saturating_sub(1);
        }
    }
    start.elapsed().as_secs_f64()
}
