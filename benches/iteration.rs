//! What an iteration of the attack costs beside the pass that it can't do without.

#![allow(missing_docs)] // of what criterion's macros generate

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Tensor;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tkmia::attacks::{AttackBatch, Or, Settings, global_selection};
use tkmia::core::{Classifier, device};
use tkmia::data::{Dataset, Resize, Transform, Voc2012, load_batch};
use tkmia::eval::Workers;
use tkmia::models::{ResNet, load};

const ITERATIONS: usize = 10;

fn asset(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)
}

/// The first `size` images of mini-VOC that have at least two labels, one of them a person, which the
/// network ranks first: those that no attack leaves out.
fn batch(classifier: &ResNet, size: usize) -> AttackBatch {
    let voc = Voc2012::open(asset("mini-voc/VOC2012"), "val").expect("mini-VOC is complete");
    let person = voc.classes().iter().position(|class| class == "person").expect("VOC has persons");
    let transform = Transform { resize: Resize::ShortSide(64), bounds: classifier.bounds() };
    let load =
        |rows: &[usize]| load_batch(&voc, rows, &transform, &classifier.device()).expect("images");
    let first = |row: usize| -> usize {
        let best = classifier.scores(load(&[row])).argmax(1).into_scalar::<i64>();
        best as usize
    };
    let suits = |&row: &usize| {
        voc.labels().row(row)[person] && voc.labels().count(row) > 1 && first(row) == person
    };
    let rows: Vec<usize> = (0..voc.len()).filter(suits).take(size).collect();
    assert_eq!(rows.len(), size);
    let images = load(&rows);
    let relevant = voc.labels().select(&rows);
    let specified = global_selection(&relevant, &[person]).expect("a label of VOC");
    AttackBatch::new(images, relevant, specified, 1).expect("labels fit")
}

fn pass(classifier: &ResNet, images: &Tensor<4>) -> Tensor<4> {
    let images = images.clone().autodiff().require_grad();
    let scores = classifier.scores(images.clone());
    images.grad_remove(&mut scores.sum().backward()).expect("the images ask for it")
}

fn iteration(c: &mut Criterion) {
    let model = asset("victims/resnet50-mini-voc.onnx");
    let classifier = load(model, &device("cpu").expect("compiled in")).expect("a ResNet");
    // No alternative, so never content: every image goes on to the last iteration.
    let settings = Settings {
        max_iterations: ITERATIONS,
        criterion: Arc::new(Or(vec![])),
        ..Settings::default()
    };
    let attack = settings.init(classifier.bounds()).expect("good settings");
    let batch = batch(&classifier, 8);

    let mut group = c.benchmark_group("iteration");
    group.sample_size(10).throughput(Throughput::Elements((8 * ITERATIONS) as u64));
    group.bench_function("passes alone", |b| {
        b.iter(|| {
            for _ in 1..ITERATIONS {
                black_box(pass(&classifier, &batch.images));
            }
            black_box(classifier.scores(batch.images.clone()))
        });
    });
    group.bench_function("attack", |b| {
        b.iter(|| attack.run(&classifier, &batch, &mut ()).expect("the batch fits"));
    });
    group.finish();
}

/// The same sixteen passes as one batch after the other, and side by side.
fn workers(c: &mut Criterion) {
    let model = asset("victims/resnet50-mini-voc.onnx");
    let classifier = load(model, &device("cpu").expect("compiled in")).expect("a ResNet");
    let images = batch(&classifier, 8).images;
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

criterion_group!(benches, iteration, workers);
criterion_main!(benches);
