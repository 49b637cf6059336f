//! `tkmia inspect`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tkmia_core::{Classifier, device};
use tkmia_experiment::{PassTime, Workers, pass_time};
use tkmia_models::{Architecture, GraphSummary, Holding, holding, load};

use crate::computing::Computing;
use crate::progress;

/// Say what network a model file holds
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A network in an ONNX file, or a ResNet in a safetensors or PyTorch file
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Measure how long passes through it take here
    #[arg(long)]
    time: bool,
    /// Height and width of the images that are measured with [default: as the file says, or 224]
    #[arg(long, value_name = "PIXELS", requires = "time",
        value_parser = clap::value_parser!(u32).range(1..))]
    input_size: Option<u32>,
    #[command(flatten)]
    computing: Computing,
}

const EXAMPLES: &str = "Examples:
  tkmia inspect resnet50_voc.onnx
  tkmia inspect resnet50_voc.pth --json | jq .parameters
  tkmia inspect resnet50_voc.pth --time --input-size 300";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let device = device(&arguments.computing.device)?;
    let holding = holding(&arguments.model, &device)?;
    let time = match arguments.time {
        true => {
            let model = load(&arguments.model, &device)?;
            let given = arguments.input_size.map(|side| [side as usize; 2]);
            let size = given.or(model.input_size()).unwrap_or([224; 2]);
            let workers = arguments.computing.workers(&model, size);
            progress::watch_interrupt()?;
            Some((pass_time(&model, size, workers)?, workers))
        }
        false => None,
    };
    let text = match arguments.json {
        true => {
            let mut object = match &holding {
                Holding::ResNet(architecture) => {
                    let mut object = serde_json::to_value(architecture)?;
                    object["depth"] = json!(architecture.depth());
                    object
                }
                Holding::Graph(summary) => serde_json::to_value(summary)?,
            };
            if let Some((time, _)) = time {
                object["seconds"] = json!(time);
            }
            format!("{object:#}\n")
        }
        false => {
            let time = time.map(|(time, workers)| line(time, workers));
            let table = match &holding {
                Holding::ResNet(architecture) => table(architecture),
                Holding::Graph(summary) => table_of_graph(summary),
            };
            table + &time.unwrap_or_default()
        }
    };
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn line(PassTime { forward, both }: PassTime, workers: Workers<'_>) -> String {
    let Workers { count, batch_size, .. } = workers;
    format!(
        "pass           {forward:.4} s an image, {both:.4} s with the way back ({batch_size} at once by {count} workers)\n"
    )
}

fn table_of_graph(summary: &GraphSummary) -> String {
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
    let notes: String =
        summary.notes.iter().map(|note| format!("note           {note}\n")).collect();
    format!(
        "file           {format}, {} weights
nodes          {nodes}
labels         {classes}
input          {input}, values in [0, 1]
batch          {batch}
scores         {scores}
parameters     {parameters}
{notes}",
        types.join(" and "),
    )
}

fn table(architecture: &Architecture) -> String {
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
input          {input}, values in [-1, 1]
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
