//! `tkmia inspect`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Tensor;
use clap::Args;
use serde_json::json;
use tkmia_core::{Bounds, Channels, Classifier, Tagger, device};
use tkmia_data::{Dataset, DatasetKind, Folder, Transform, open_image, photographs};
use tkmia_experiment::{Evidence, PassTime, Victim, Way, Workers, pass_time, ways};
use tkmia_models::{Architecture, GraphSummary, Holding, Loaded};

use crate::computing::Computing;
use crate::doubt::told;
use crate::knobs::TaggerFlags;
use crate::network::CommandFlags;
use crate::progress;

/// Say what network a model file holds
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A network in an ONNX file, or a ResNet in a safetensors or PyTorch file
    #[arg(value_name = "MODEL", required_unless_present = "command")]
    model: Option<PathBuf>,
    #[command(flatten)]
    command: CommandFlags,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Measure how long passes through it take here
    #[arg(long, conflicts_with = "command")]
    time: bool,
    /// Photographs, by which to tell how the network wants to see images: ranges, ImageNet's normalisation and orders of
    /// the channels are tried on at most 64 of them
    #[arg(long, value_name = "FOLDER")]
    images: Option<PathBuf>,
    /// Their labels, in the network's order [default: labels.csv in FOLDER, if it is there]
    #[arg(long, value_name = "LABELS.csv", requires = "images")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    tagger: TaggerFlags,
    #[command(flatten)]
    computing: Computing,
}

const EXAMPLES: &str = "Examples:
  tkmia inspect resnet50_voc.onnx
  tkmia inspect resnet50_voc.pth --json | jq .parameters
  tkmia inspect tagger.onnx --images photographs
  tkmia inspect --command 'python score.py' --input-size 224 --images photographs
  tkmia inspect resnet50_voc.pth --time --input-size 300";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let device = device(&arguments.computing.device)?;
    let source = arguments.command.or(arguments.model.as_ref());
    let source = source.expect("the parser asks for one of them");
    let Loaded { classifier: model, holding, tagger } =
        source.load(&arguments.tagger.0, &device)?;
    let time = match arguments.time {
        true => {
            let given = tagger.input_size.map(|side| [side as usize; 2]);
            let size = given.or(model.input_size()).unwrap_or([224; 2]);
            let workers = arguments.computing.workers(&model, size);
            progress::watch_interrupt()?;
            Some((pass_time(&model, size, workers)?, workers))
        }
        false => None,
    };
    let told = match &arguments.images {
        Some(folder) => {
            progress::watch_interrupt()?;
            Some(told(&arguments.ways(folder, &model, &tagger)?))
        }
        None => None,
    };
    let text = match arguments.json {
        true => {
            let mut object = match &holding {
                Holding::Command => json!({"classes": model.classes()}),
                Holding::ResNet(architecture) => {
                    let mut object = serde_json::to_value(architecture)?;
                    object["depth"] = json!(architecture.depth());
                    object
                }
                Holding::Graph(summary) => serde_json::to_value(summary)?,
            };
            object["sees"] = serde_json::to_value(&tagger)?;
            object["notes"] = json!(model.notes());
            if let Some((_, ways)) = told {
                object["ways"] = ways;
            }
            if let Some((time, _)) = time {
                object["seconds"] = json!(time);
            }
            format!("{object:#}\n")
        }
        false => {
            let time = time.map(|(time, workers)| line(time, workers));
            let table = match &holding {
                Holding::Command => {
                    let (labels, seen) = (model.classes(), seen(&tagger));
                    format!(
                        "command        {source}\nlabels         {labels}\ninput          {seen}\n"
                    )
                }
                Holding::ResNet(architecture) => table(architecture, &tagger),
                Holding::Graph(summary) => table_of_graph(summary, &tagger),
            };
            let notes = model.notes().iter().map(|note| format!("note           {note}\n"));
            let told = told.map_or(String::new(), |(text, _)| text);
            table + &time.unwrap_or_default() + &notes.collect::<String>() + &told
        }
    };
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// What the photographs of a folder say of each way to see them.
    fn ways(
        &self,
        folder: &Path,
        model: &dyn Classifier,
        tagger: &Tagger,
    ) -> Result<Vec<Way>, Box<dyn Error>> {
        const LOOKED_AT: usize = 64;
        let labelled = Folder::found(folder, self.labels.clone())?;
        let mut paths = match &labelled {
            Some(images) => (0..images.len()).map(|index| images.image_path(index)).collect(),
            None => photographs(folder)?,
        };
        paths.truncate(LOOKED_AT);
        let transform = Transform::new(tagger, DatasetKind::Folder, model)?;
        let rows: Vec<usize> = (0..paths.len()).collect();
        let labels = match &labelled {
            Some(images) => {
                // As many labels as there are scores.
                Victim::new(model, images, &transform)?;
                Some(images.labels().select(&rows))
            }
            None => None,
        };
        let device = model.device();
        let images = paths.iter().map(|path| open_image(path, &transform, &device));
        let images = Tensor::cat(images.collect::<Result<_, _>>()?, 0);
        let workers = self.computing.workers(model, [transform.resize.side as usize; 2]);
        let evidence = Evidence { mirrored: true, labels: labels.as_ref() };
        Ok(ways(model, tagger, &images, evidence, workers)?)
    }
}

fn line(PassTime { forward, both }: PassTime, workers: Workers<'_>) -> String {
    let Workers { count, batch_size, .. } = workers;
    format!(
        "pass           {forward:.4} s an image, {both:.4} s with the way back ({batch_size} at once by {count} workers)\n"
    )
}

/// How images are seen, but for their size.
fn seen(tagger: &Tagger) -> String {
    let Bounds { low, high } = tagger.range.expect("a network that is loaded has a range");
    let normalised = match tagger.mean.zip(tagger.std) {
        Some((mean, std)) => format!(", normalised by mean {mean:?} and deviation {std:?}"),
        None => String::new(),
    };
    let order = if tagger.channels == Some(Channels::Bgr) { ", blue first" } else { "" };
    format!("values in [{low}, {high}]{normalised}{order}")
}

fn table_of_graph(summary: &GraphSummary, tagger: &Tagger) -> String {
    let GraphSummary { format, nodes, classes, parameters, .. } = summary;
    let types: Vec<String> = summary.weight_types.iter().map(ToString::to_string).collect();
    let input = match summary.input_size {
        Some([height, width]) => format!("{height}×{width}"),
        None => "any".to_owned(),
    };
    let batch = match summary.fixed_batch {
        Some(size) => format!("any, cut up into {size}, which the graph works with"),
        None => "any".to_owned(),
    };
    let scores = if summary.sigmoid {
        "logits, what enters the sigmoid at the file's end"
    } else {
        "the graph's output"
    };
    let seen = seen(tagger);
    format!(
        "file           {format}, {} weights
nodes          {nodes}
labels         {classes}
input          {input}, {seen}
batch          {batch}
scores         {scores}
parameters     {parameters}
",
        types.join(" and "),
    )
}

fn table(architecture: &Architecture, tagger: &Tagger) -> String {
    let seen = seen(tagger);
    let dashed =
        |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
    let Architecture { block, depths, widths, classes, parameters, .. } = architecture;
    let any = || "any".to_owned();
    let input =
        architecture.input_size.map_or_else(any, |[height, width]| format!("{height}×{width}"));
    let multiply_adds = architecture.multiply_adds.map_or_else(
        || "not known without a fixed input size".to_owned(),
        |number| format!("{number} in one image's pass"),
    );
    let either = |holds, yes: &'static str, no: &'static str| if holds { yes } else { no };
    let normalisation = either(architecture.normalisation, "inside the model", "none");
    let norms = either(architecture.batch_norm, "folded at load", "none, or folded in the file");
    let scores =
        either(architecture.sigmoid, "logits, what enters the sigmoid at the file's end", "logits");
    let types: Vec<String> = architecture.weight_types.iter().map(ToString::to_string).collect();
    format!(
        "file           {}, {} weights
depth          {}
blocks         {block} {}
widths         {}
labels         {classes}
input          {input}, {seen}
normalisation  {normalisation}
batch norms    {norms}
scores         {scores}
parameters     {parameters}
multiply-adds  {multiply_adds}
",
        architecture.format,
        types.join(" and "),
        architecture.depth(),
        dashed(depths),
        dashed(widths),
    )
}
