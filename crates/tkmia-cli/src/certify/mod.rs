//! `tkmia certify`.

mod certified;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use burn::tensor::Tensor;
use clap::{Args, value_parser};
use tkmia_certify::{Certificate, CertifyError, Smoothing, changes, frequencies};
use tkmia_core::pixels::l2_norm;
use tkmia_core::{Classifier, device};
use tkmia_data::{Dataset, Transform, load_batch, photographs};
use tkmia_experiment::{Workers, in_one_line, lock};
use tkmia_metrics::Ranking;
use tkmia_models::{Loaded, Source};

use crate::computing::Computing;
use crate::knobs::TaggerFlags;
use crate::network::load_known;
use crate::output::refuse_overwriting;
use crate::progress::{self, Count, INTERRUPTED, STOP};
use crate::tagged::{Tagged, predicted_set, spread};
use certified::{Certified, Failure, Image, Reached, Setup};

/// Prove how many relevant labels stay in the top-k whatever is done to an image within a radius, by randomised smoothing
///
/// MultiGuard (Jia, Qu & Gong, NeurIPS 2022): the tagger is asked about many noisy copies of each image, and the labels that it
/// ranks highest are counted. The guarantee is for the tagger with noise, which the counts are the answers of, not for the tagger as
/// it is. It fails with a probability of 1 in 1000 at most for each image (--alpha). The folder gets certificate.json,
/// certificate.csv, curve.csv and certificate.svg. A run that was ended goes on by the same command.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The tagger: an ONNX file, or a ResNet in a safetensors or PyTorch file
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    images: Tagged,
    /// Size of the predicted set [default: 3, or less where most images have fewer labels than that and one more]
    #[arg(short, long)]
    k: Option<usize>,
    /// Standard deviation of the noise, in pixels of [0, 1]
    #[arg(long, default_value_t = 0.1)]
    sigma: f64,
    /// Labels that are counted of each noisy copy: those with the highest scores [default: k]
    #[arg(long)]
    kept: Option<usize>,
    /// Noisy copies of each image
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..))]
    draws: u32,
    /// Probability at which a certificate may be wrong, for each image
    #[arg(long, default_value_t = 0.001, value_parser = probability)]
    alpha: f64,
    /// Images at most
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    samples: u32,
    /// Attack the tagger with noise, too, as one who knows the noise's distribution: what is reached lies above what is proved
    #[arg(long)]
    attack: bool,
    /// Of the noise
    #[arg(long, default_value_t = 2023)]
    seed: u64,
    /// Folder of the results
    #[arg(short, long, value_name = "DIR", default_value = "out/certificate")]
    output: PathBuf,
    #[command(flatten)]
    tagger: TaggerFlags,
    #[command(flatten)]
    computing: Computing,
}

const EXAMPLES: &str = "Examples:
  tkmia certify tagger.onnx --images photographs --labels labels.csv --sigma 0.1
  tkmia certify out/noisy/last.safetensors --images assets/mini-voc/VOC2012 --kind voc-2012 --input-size 64 --k 2 --attack";

/// Between two states of the results, at least.
const SAVED: Duration = Duration::from_secs(5);
/// Noise that the attacker averages scores over.
const ATTACKERS_NOISE: u64 = 16;
/// Forward passes of the attack, over all of that noise.
const ATTACKERS_PASSES: usize = 40;
/// How far along the attack's change the tagger is asked.
const SCALES: [f64; 6] = [0.75, 1.0, 1.25, 1.5, 2.0, 3.0];

fn probability(text: &str) -> Result<f64, String> {
    let found = text.parse::<f64>().ok().filter(|&alpha| alpha > 0.0 && alpha < 1.0);
    found.ok_or_else(|| "expected a number between 0 and 1".to_owned())
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    progress::watch_interrupt()?;
    let Arguments { model, images, output, sigma, alpha, seed, .. } = arguments;
    refuse_overwriting(std::slice::from_ref(output), &[images.folder.clone(), model.clone()])?;
    let (source, device) = (Source::File(model.clone()), device(&arguments.computing.device)?);
    let (Loaded { classifier, tagger, .. }, victim) =
        load_known(&source, &arguments.tagger.0, &device)?;
    let transform = Transform::new(&tagger, images.kind, &classifier)?;
    let workers = arguments.computing.workers(&classifier, [transform.resize.side as usize; 2]);

    let labelled = images.labelled()?;
    let k = predicted_set(arguments.k, labelled.as_deref(), classifier.classes())?;
    let most = arguments.samples as usize;
    let dataset = match labelled {
        Some(dataset) => dataset,
        None => {
            let paths = photographs(&images.folder)?;
            let count = paths.len().min(most);
            images.presumed(&paths, count, k, (&classifier, &transform, workers))?
        }
    };
    let pixels = f64::from(classifier.bounds().high - classifier.bounds().low);
    let kept = arguments.kept.unwrap_or(k);
    let smoothing = Smoothing { sigma: sigma * pixels, kept, seed: *seed };
    smoothing.check(&classifier)?;
    let setup = Setup {
        victim,
        data: dataset.name().to_owned(),
        samples: most,
        k,
        sigma: *sigma,
        kept,
        draws: arguments.draws.into(),
        alpha: *alpha,
        attack: arguments.attack,
        seed: *seed,
    };
    let _lock = lock(output)?;
    let mut certified = Certified::begin(output, &setup)?;

    let chosen = spread(dataset.len(), dataset.len().min(most));
    let left: Vec<usize> = chosen.filter(|&row| !certified.has(dataset.id(row))).collect();
    let job = Job {
        dataset: dataset.as_ref(),
        transform,
        classifier: &classifier,
        smoothing,
        setup: &setup,
        batch_size: workers.batch_size as u64,
        pixels,
    };
    let bar = Count::new("certify", "images", left.len());
    let mut saved = Instant::now();
    let work =
        |rows: &[usize]| Ok(rows.iter().filter_map(|&row| job.image(row)).collect::<Vec<_>>());
    let mut written = Ok(());
    Workers { batch_size: 1, ..workers }.run(&left, work, |images| {
        bar.finished(images.len());
        images.into_iter().for_each(|image| certified.add(image));
        if written.is_ok() && saved.elapsed() > SAVED {
            written = certified.write(output);
            saved = Instant::now();
        }
        Ok(())
    })?;
    bar.end();
    written?;
    certified.write(output)?;
    if STOP.load(Ordering::Relaxed) {
        let done = certified.images.len();
        crate::print(&format!("stopped: {done} images are certified; the same command goes on\n"))?;
        return Ok(ExitCode::from(INTERRUPTED));
    }
    crate::print(&format!("{}written  {}\n", certified.text(), output.display()))?;
    let whole = certified.failed.is_empty();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is done to each image.
struct Job<'a> {
    dataset: &'a dyn Dataset,
    transform: Transform,
    classifier: &'a dyn Classifier,
    smoothing: Smoothing,
    setup: &'a Setup,
    batch_size: u64,
    /// Units of the image's values for one of `[0, 1]`.
    pixels: f64,
}

impl Job<'_> {
    /// An image's certificate, or why there is none; nothing if it was stopped before.
    fn image(&self, row: usize) -> Option<Result<Image, Failure>> {
        let id = self.dataset.id(row);
        self.certify(row, id)
            .map_err(|error| Failure { id: id.to_owned(), error: in_one_line(error.as_ref()) })
            .transpose()
    }

    fn certify(&self, row: usize, id: &str) -> Result<Option<Image>, Box<dyn Error>> {
        let Setup { k, kept, draws, alpha, attack, .. } = *self.setup;
        let image = load_batch(self.dataset, &[row], &self.transform, &self.classifier.device())?;
        let flags = self.dataset.labels().row(row);
        let Some(counts) = self.counts(&image, id)? else { return Ok(None) };
        let bounds = frequencies(&counts, draws, alpha);
        let certificate = Certificate::new(&bounds, flags, k, kept, self.smoothing.sigma);
        let radii = certificate.radii().iter().map(|radius| radius / self.pixels);
        let stayed = |counts: &[u64]| {
            let ranking =
                Ranking::new(&counts.iter().map(|&count| count as f64).collect::<Vec<_>>())?;
            ranking.count(flags, k)
        };
        let mut reached = Vec::new();
        if attack {
            // Other noise than that of the counts, which the attacker can't know.
            let numbers: Vec<u64> = (draws..draws + ATTACKERS_NOISE).collect();
            let noise = self.smoothing.noise(image.dims(), id, &numbers, &image.device());
            let found = changes(self.classifier, &image, noise, (flags, k), ATTACKERS_PASSES)?;
            for (change, scale) in
                found.iter().flat_map(|change| SCALES.map(|scale| (change, scale)))
            {
                let change = change.clone() * scale;
                let length = f64::from(l2_norm(change.clone()).into_scalar::<f32>());
                let Some(counts) = self.counts(&(image.clone() + change), id)? else {
                    return Ok(None);
                };
                reached.push(Reached { length: length / self.pixels, stayed: stayed(&counts)? });
            }
        }
        Ok(Some(Image {
            id: id.to_owned(),
            relevant: (0..flags.len()).filter(|&label| flags[label]).collect(),
            stayed: stayed(&counts)?,
            radii: radii.map(|radius| radius.is_finite().then_some(radius)).collect(),
            counts,
            reached,
        }))
    }

    /// In how many noisy copies each label is kept; nothing if [`STOP`] is set before all are counted, which may take minutes.
    fn counts(&self, image: &Tensor<4>, id: &str) -> Result<Option<Vec<u64>>, CertifyError> {
        let mut sum = vec![0; self.classifier.classes()];
        for first in (0..self.setup.draws).step_by(self.batch_size as usize) {
            if STOP.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let batch = first..(first + self.batch_size).min(self.setup.draws);
            let counts = self.smoothing.counts(self.classifier, image, id, batch)?;
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        Ok(Some(sum))
    }
}
