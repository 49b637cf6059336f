//! `tkmia inspect`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tkmia_core::device;
use tkmia_models::{Architecture, load_onnx};

/// Tell what network an ONNX file holds
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A ResNet exported to ONNX
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  tkmia inspect resnet50_voc.onnx
  tkmia inspect resnet50_voc.onnx --json | jq .parameters";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let model = load_onnx(&arguments.model, &device("cpu")?)?;
    let architecture = model.architecture();
    let text = match arguments.json {
        true => {
            let mut object = serde_json::to_value(architecture)?;
            object["depth"] = json!(architecture.depth());
            format!("{object:#}\n")
        }
        false => table(architecture),
    };
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
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
    let normalisation = if architecture.normalisation { "inside the model" } else { "none" };
    format!(
        "depth          {}
blocks         {block} {}
widths         {}
labels         {classes}
input          {input}, values in [-1, 1]
normalisation  {normalisation}
parameters     {parameters}
multiply-adds  {multiply_adds}
",
        architecture.depth(),
        dashed(depths),
        dashed(widths),
    )
}
