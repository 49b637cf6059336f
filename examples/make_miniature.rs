//! A small synthetic data set in the layout of VOC 2012, COCO 2014 or NUS-WIDE, for trying readers
//! and experiments without the real ones.
//!
//! ```text
//! cargo run --release --example make_miniature -- --layout coco --images 100 --seed 0 out/mini-coco
//! ```

use std::error::Error;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tkmia::data::miniature::{Layout, Miniature, Part};
use tkmia::data::{DatasetSpec, open};

// The rest of it is for audits.
#[allow(dead_code)]
mod terminal;

/// Draw scenes of coloured shapes, and write them as one of the real data sets would be.
#[derive(Debug, Parser)]
#[command(name = "make_miniature")]
struct Arguments {
    /// Whose layout
    #[arg(long)]
    layout: LayoutName,
    /// Images in each of the two splits
    #[arg(long, default_value = "100")]
    images: NonZero<usize>,
    /// Equal seeds make equal files
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The folder to make; nothing of that name may be there
    #[arg(value_name = "OUT")]
    root: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LayoutName {
    /// VOC 2012
    Voc,
    /// COCO 2014
    Coco,
    /// NUS-WIDE, a file of labels for each concept
    NusWide,
    /// NUS-WIDE, a table of labels
    NusWideCsv,
}

fn main() -> ExitCode {
    terminal::main(|| run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let layout = match arguments.layout {
        LayoutName::Voc => Layout::Voc2012,
        LayoutName::Coco => Layout::Coco2014,
        LayoutName::NusWide => Layout::NusWide,
        LayoutName::NusWideCsv => Layout::NusWideTable,
    };
    let Arguments { images, seed, ref root, .. } = *arguments;
    let miniature = Miniature { layout, images: images.get(), seed };
    for Part { split, .. } in miniature.write(root)? {
        let spec = DatasetSpec { kind: layout.kind(), root: root.clone(), split: split.into() };
        let part = open(&spec)?;
        println!(
            "{split:<5}  {} images with labels, {} left out, {} labels to choose from",
            part.len(),
            part.left_out(),
            part.classes().len()
        );
    }
    println!("written  {}", root.display());
    Ok(())
}
