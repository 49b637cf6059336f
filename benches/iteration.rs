//! What an iteration of the attack costs beside the pass that it can't do without.

#![allow(missing_docs)] // of what criterion's macros generate

use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::{Distribution, Int, Tensor};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tkmia::attacks::{
    At, AttackBatch, AttackSettings, Criterion as _, Limits, Norm, Or, SampleState, Sgd, Space,
    SpecifiedOut, StepRule,
};
use tkmia::core::objective::{Margins, Objective, TkmiaObjective};
use tkmia::core::{Classifier, LabelSet, device};
use tkmia::experiment::Workers;
use tkmia::metrics::Ranking;
use tkmia::models::load;

mod network;

use network::{fresh, pass};

const ITERATIONS: usize = 10;

fn mini_voc() -> Box<dyn Classifier> {
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/victims/resnet50-mini-voc.onnx");
    load(model, &device("cpu").expect("compiled in")).expect("a ResNet")
}

fn victims() -> [(&'static str, Box<dyn Classifier>, usize); 2] {
    [("mini-VOC's victim", mini_voc(), 64), ("ResNet-50", fresh("resnet50"), 224)]
}

/// Eight images of noise, each with the label that the network ranks first to be pushed out and the
/// last one relevant besides.
fn batch(classifier: &dyn Classifier, side: usize) -> AttackBatch {
    let uniform = Distribution::Uniform(-1.0, 1.0);
    let images = Tensor::random([8, 3, side, side], uniform, &classifier.device());
    let scores = classifier.scores(images.clone());
    let labels = |tensor: Tensor<2, Int>| tensor.try_to_vec_as::<i64>().expect("integers");
    let (first, last) = (labels(scores.clone().argmax(1)), labels(scores.argmin(1)));
    let (specified, relevant): (Vec<_>, Vec<_>) = first
        .into_iter()
        .zip(last)
        .map(|(first, last)| (vec![first as usize], vec![first as usize, last as usize]))
        .unzip();
    let set = |rows: &[Vec<usize>]| LabelSet::from_indices(rows, classifier.classes());
    let (relevant, specified) = (set(&relevant).expect("labels"), set(&specified).expect("labels"));
    AttackBatch::new(images, relevant, specified, 1).expect("labels fit")
}

/// A whole attack against its passes.
fn iteration(c: &mut Criterion) {
    for (name, classifier, side) in victims() {
        // No alternative, so never content: every image goes on to the last iteration.
        let settings = AttackSettings {
            limits: Limits { max_iterations: ITERATIONS, ..Limits::default() },
            stop: Or(vec![]).into(),
            ..AttackSettings::default()
        };
        let attack = settings.init().expect("good settings");
        let batch = batch(&classifier, side);

        let mut group = c.benchmark_group(format!("{name} at {side}, {ITERATIONS} iterations"));
        group.sample_size(10).throughput(Throughput::Elements((8 * ITERATIONS) as u64));
        group.bench_function("passes alone", |b| {
            b.iter(|| {
                for _ in 1..ITERATIONS {
                    black_box(pass(&classifier, batch.images()));
                }
                black_box(classifier.scores(batch.images().clone()))
            });
        });
        group.bench_function("attack", |b| {
            b.iter(|| {
                let result = attack.run(&classifier, &batch).expect("the batch fits");
                assert_eq!(result.perturbed.iterations, [ITERATIONS; 8]);
            });
        });
        group.finish();
    }
}

/// What an iteration on eight images is made of.
fn parts(c: &mut Criterion) {
    for (name, classifier, side) in victims() {
        let whole = batch(&classifier, side);
        let (images, goal) = (whole.images().clone(), whole.goal().clone());
        let scores = classifier.scores(images.clone());
        let (space, bounds) = (Space::Clip, classifier.bounds());
        let sgd = Sgd { learning_rate: 1e-3, momentum: 0.9, weight_decay: 1e-4 };
        let objective = TkmiaObjective { margins: Margins::Hinged };
        let rankings = |scores: &[f32]| -> Vec<Ranking> {
            let rows = scores.chunks(classifier.classes());
            rows.map(|row| Ranking::new(row).expect("finite scores")).collect()
        };
        let clean_scores: Vec<f32> = scores.clone().try_to_vec_as().expect("floats");
        let clean = rankings(&clean_scores);
        let variable = images.clone().mul_scalar(0.01);

        let mut group = c.benchmark_group(format!("{name} at {side}, parts"));
        group.sample_size(20);
        group.bench_function("pass", |b| b.iter(|| black_box(pass(&classifier, &images))));
        group.bench_function("image and its norm", |b| {
            b.iter(|| {
                let penalty = Norm::L2.of(variable.clone());
                black_box((space.image(images.clone(), variable.clone(), bounds), penalty))
            });
        });
        group.bench_function("loss and its gradient", |b| {
            b.iter(|| {
                let scores = scores.clone().autodiff().require_grad();
                let loss = objective.loss(scores.clone(), &goal);
                black_box(scores.grad_remove(&mut loss.sum().backward()))
            });
        });
        group.bench_function("reading scores and the criterion", |b| {
            b.iter(|| {
                let scores: Vec<f32> = scores.clone().try_to_vec_as().expect("floats");
                let now = rankings(&scores);
                let (classes, of) = (classifier.classes(), SpecifiedOut);
                let met = (0..goal.rows()).filter(|&row| {
                    of.is_met(&SampleState {
                        clean: &clean[row],
                        clean_scores: &clean_scores[row * classes..][..classes],
                        now: &now[row],
                        scores: &scores[row * classes..][..classes],
                        relevant: goal.relevant().row(row),
                        specified: goal.specified().row(row),
                        target: None,
                        k: goal.k(),
                        delta: goal.delta(),
                    })
                });
                black_box(met.count())
            });
        });
        group.bench_function("gradient, its norm and the step", |b| {
            let mut steps = sgd.start();
            b.iter_batched(
                || variable.clone().mul_scalar(1.0),
                |gradient| {
                    let gradient = space.pull_back(images.clone(), gradient, bounds);
                    let slope = Norm::L2.of(gradient.clone());
                    let (variable, origin) = (variable.clone(), images.clone());
                    let at = At {
                        space,
                        origin,
                        bounds,
                        variable,
                        gradient,
                        loss: &[0.0; 8],
                        met: &[false; 8],
                    };
                    black_box((steps.step(at), slope))
                },
                BatchSize::PerIteration,
            );
        });
        group.bench_function("compaction when an image is done", |b| {
            b.iter(|| black_box(whole.select(&[0, 1, 2, 4, 5, 6, 7])));
        });
        group.finish();
    }
}

/// The same sixteen passes as one batch after the other, and side by side.
fn workers(c: &mut Criterion) {
    let classifier = mini_voc();
    let images = batch(&classifier, 64).images().clone();
    let stop = AtomicBool::new(false);
    let mut group = c.benchmark_group("workers");
    group.sample_size(10).throughput(Throughput::Elements(16 * 8));
    for count in [1, 2] {
        let workers = Workers { count, batch_size: 1, stop: &stop };
        group.bench_function(format!("{count}"), |b| {
            b.iter(|| {
                workers
                    .run(&[(); 16], |_| Ok(pass(&classifier, &images)), |_| Ok(()))
                    .expect("no batch fails")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, iteration, parts, workers);
criterion_main!(benches);
