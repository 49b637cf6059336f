//! How time grows: with the network, the batch and the threads, and with the number of labels.

#![allow(missing_docs)] // of what criterion's macros generate

use std::hint::black_box;

use burn::tensor::{Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::ThreadPoolBuilder;
use tkmia::core::objective::{Margins, Objective, TkmiaObjective};
use tkmia::core::{Classifier, Goal, LabelSet, device};

mod network;

use network::{fresh, pass};

/// Forward and back, by images in a batch and threads that share it.
fn passes(c: &mut Criterion) {
    for (name, side) in [("resnet50", 224), ("resnet101", 448)] {
        let classifier = fresh(name);
        let mut group = c.benchmark_group(format!("{name} at {side}"));
        group.sample_size(10);
        for (batch, threads) in [(1, 1), (1, 0), (8, 1), (8, 0)] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let images = Tensor::random(
                [batch, 3, side, side],
                Distribution::Uniform(-1.0, 1.0),
                &classifier.device(),
            );
            let threads = if threads == 0 { "all threads" } else { "one thread" };
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(format!("batch {batch}, {threads}"), |b| {
                b.iter(|| pool.install(|| black_box(pass(&classifier, &images))));
            });
        }
        group.finish();
    }
}

/// TkMIA's loss and its gradient for eight images.
fn labels(c: &mut Criterion) {
    let device = device("cpu").expect("compiled in");
    let mut group = c.benchmark_group("loss");
    for classes in [20, 100, 1000, 10_000] {
        let rows = |every: usize| {
            let flags = (0..8 * classes).map(|at| at % classes % every == 0).collect();
            LabelSet::new(flags, classes).expect("whole rows")
        };
        let goal = Goal::new(rows(2), rows(10), 3, &device).expect("labels fit");
        let uniform = Distribution::Uniform(-1.0, 1.0);
        let scores = Tensor::<2>::random([8, classes], uniform, &device);
        group.throughput(Throughput::Elements(classes as u64));
        group.bench_function(BenchmarkId::from_parameter(classes), |b| {
            b.iter(|| {
                let scores = scores.clone().autodiff().require_grad();
                let loss =
                    TkmiaObjective { margins: Margins::Signed }.loss(scores.clone(), &goal).sum();
                black_box(scores.grad_remove(&mut loss.backward()))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, passes, labels);
criterion_main!(benches);
