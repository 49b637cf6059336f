//! [`Certified`]: what is proved of images, and its files.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tkmia_figure::{Axis, Chart, Series, Shape};
use tkmia_file::{read_text, write_whole};
use tkmia_metrics::mean_interval;

use crate::error::CliError;

/// The file that a run goes on from.
const STATE: &str = "certificate.json";
/// Radii of the curve, from 0 to the largest.
const STEPS: usize = 20;
/// How many times the largest radius that is proved is looked at, at most.
const FARTHEST: f64 = 4.0;

/// What the numbers depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// SHA-256 of the tagger's file.
    pub victim: String,
    pub data: String,
    pub samples: usize,
    pub k: usize,
    /// In pixels of `[0, 1]`, as all lengths here.
    pub sigma: f64,
    pub kept: usize,
    pub draws: u64,
    pub alpha: f64,
    pub attack: bool,
    pub seed: u64,
}

/// An image's certificate.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    pub id: String,
    pub relevant: Vec<usize>,
    /// Noisy copies of which each label is kept.
    pub counts: Vec<u64>,
    /// Relevant labels in the smoothed top-k.
    pub stayed: usize,
    /// Within which at least one relevant label stays, at least two, …; null: any.
    pub radii: Vec<Option<f64>>,
    /// What an attack reaches.
    pub reached: Vec<Reached>,
}

/// How many relevant labels are left in the top-k at one length of an attack's change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    pub length: f64,
    pub stayed: usize,
}

/// Why an image has none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub id: String,
    pub error: String,
}

/// What is proved of the images so far.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certified {
    pub setup: Setup,
    pub images: Vec<Image>,
    pub failed: Vec<Failure>,
}

/// Means over images within a radius.
#[derive(Debug, Serialize)]
struct Point {
    radius: f64,
    certified: f64,
    certified_low: Option<f64>,
    certified_high: Option<f64>,
    /// Where the tagger was attacked.
    attacked: Option<f64>,
    attacked_low: Option<f64>,
    attacked_high: Option<f64>,
}

impl Image {
    fn certified(&self, radius: f64) -> usize {
        self.radii.iter().filter(|own| own.is_none_or(|own| own >= radius)).count()
    }

    fn attacked(&self, radius: f64) -> usize {
        let within = self.reached.iter().filter(|reached| reached.length <= radius);
        within.map(|reached| reached.stayed).fold(self.stayed, usize::min)
    }
}

impl Certified {
    /// What a folder has of the same work, or nothing yet.
    pub fn begin(folder: &Path, setup: &Setup) -> Result<Self, Box<dyn std::error::Error>> {
        let path = folder.join(STATE);
        if !path.exists() {
            return Ok(Self { setup: setup.clone(), images: Vec::new(), failed: Vec::new() });
        }
        let place = path.display();
        let text =
            read_text(&path).map_err(|source| CliError::Read { path: path.clone(), source })?;
        let begun: Self =
            serde_json::from_str(&text).map_err(|source| format!("{place}: {source}"))?;
        if begun.setup != *setup {
            let json = serde_json::to_string::<Setup>;
            let (found, expected) = (json(&begun.setup)?, json(setup)?);
            return Err(format!(
                "{place}: expected certificates of {expected}, found {found}: give another --output"
            )
            .into());
        }
        Ok(Self { failed: Vec::new(), ..begun })
    }

    pub fn has(&self, id: &str) -> bool {
        self.images.iter().any(|image| image.id == id)
    }

    pub fn add(&mut self, image: Result<Image, Failure>) {
        match image {
            Ok(image) => self.images.push(image),
            Err(failure) => self.failed.push(failure),
        }
    }

    pub fn write(&self, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let write = |name: &str, bytes: Vec<u8>| {
            let path = folder.join(name);
            write_whole(&path, bytes)
                .map_err(|source| CliError::Write { path: path.clone(), source: source.into() })
        };
        let curve = self.curve();
        let mut points = csv::Writer::from_writer(Vec::new());
        curve.iter().try_for_each(|point| points.serialize(point))?;
        let mut rows = csv::Writer::from_writer(Vec::new());
        let radius = |e| format!("radius_of_{e}");
        rows.write_record(
            ["image".to_owned(), "stayed".to_owned()]
                .into_iter()
                .chain((1..=self.setup.k).map(radius)),
        )?;
        for image in &self.images {
            let radii = (0..self.setup.k).map(|e| match image.radii.get(e) {
                None => String::new(),
                Some(None) => "inf".to_owned(),
                Some(Some(radius)) => radius.to_string(),
            });
            rows.write_record(
                [image.id.clone(), image.stayed.to_string()].into_iter().chain(radii),
            )?;
        }
        write("curve.csv", points.into_inner()?)?;
        write("certificate.csv", rows.into_inner()?)?;
        write("certificate.svg", self.chart(&curve).svg_file().into_bytes())?;
        write(STATE, serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }

    /// P@k by radius: what is proved, and what an attack leaves.
    fn curve(&self) -> Vec<Point> {
        let largest = self.horizon();
        let mean = |of: &dyn Fn(&Image) -> usize| {
            let k = self.setup.k as f64;
            let values: Vec<f64> = self.images.iter().map(|image| of(image) as f64 / k).collect();
            let interval = mean_interval(&values, 0);
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (mean, interval.map(|ends| ends[0]), interval.map(|ends| ends[1]))
        };
        let point = |step: usize| {
            let radius = largest * step as f64 / STEPS as f64;
            let (certified, certified_low, certified_high) = mean(&|image| image.certified(radius));
            let (attacked, attacked_low, attacked_high) = mean(&|image| image.attacked(radius));
            let [attacked, attacked_low, attacked_high] =
                [Some(attacked), attacked_low, attacked_high]
                    .map(|end| end.filter(|_| self.setup.attack));
            Point {
                radius,
                certified,
                certified_low,
                certified_high,
                attacked,
                attacked_low,
                attacked_high,
            }
        };
        if self.images.is_empty() { Vec::new() } else { (0..=STEPS).map(point).collect() }
    }

    /// The largest radius that is looked at: the largest that is proved, or the largest smallest one of an attack that is not much
    /// larger.
    fn horizon(&self) -> f64 {
        let finite = self.images.iter().flat_map(|image| image.radii.iter().flatten().copied());
        let largest = finite.fold(0.0, f64::max);
        let fell = |image: &Image| {
            let fallen = image.reached.iter().filter(|reached| reached.stayed < image.stayed);
            fallen.map(|reached| reached.length).reduce(f64::min)
        };
        let reached = self.images.iter().filter_map(fell).fold(0.0, f64::max);
        largest.max(reached.min(FARTHEST * largest))
    }

    fn chart(&self, curve: &[Point]) -> Chart {
        let k = self.setup.k;
        let series = |name: &str, of: fn(&Point) -> Option<f64>| Series {
            name: name.to_owned(),
            points: curve.iter().filter_map(|point| Some((point.radius, of(point)?))).collect(),
            shape: Shape::Line,
        };
        let mut all = vec![series("proved", |point| Some(point.certified))];
        if self.setup.attack {
            all.push(series("left by an attack", |point| point.attacked));
        }
        Chart {
            title: format!("{}, k = {k}, noise of {}", self.setup.data, self.setup.sigma),
            horizontal: Axis::linear("L2 norm of the perturbation, pixels of [0, 1]"),
            vertical: Axis::linear(format!("P@{k} of the tagger with noise")).with_range(0.0, 1.0),
            series: all,
            size: [420.0, 260.0],
        }
    }

    pub fn text(&self) -> String {
        let Setup { k, sigma, draws, alpha, .. } = &self.setup;
        let mut text = format!(
            "{} images, k = {k}, noise of {sigma}, {draws} copies each, wrong with a probability of {alpha} at most\n\n\
             {:>8}  {:24}{}\n",
            self.images.len(),
            "radius",
            format!("P@{k} proved"),
            if self.setup.attack { "left by an attack" } else { "" }
        );
        let shown = |mean: Option<f64>, low: Option<f64>, high: Option<f64>| match (mean, low, high)
        {
            (Some(mean), Some(low), Some(high)) => format!("{mean:.3} [{low:.3}, {high:.3}]"),
            (Some(mean), ..) => format!("{mean:.3}"),
            _ => String::new(),
        };
        for point in self.curve().iter().step_by(STEPS / 5) {
            let proved = shown(Some(point.certified), point.certified_low, point.certified_high);
            let left = shown(point.attacked, point.attacked_low, point.attacked_high);
            text += format!("{:8.3}  {proved:24}{left}", point.radius).trim_end();
            text.push('\n');
        }
        for Failure { id, error } in &self.failed {
            text += &format!("not certified: {id}: {error}\n");
        }
        text
    }
}
