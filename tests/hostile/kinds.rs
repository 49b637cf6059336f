//! The kinds of files, and what reads them.

use std::error::Error;
use std::panic::PanicHookInfo;
use std::path::Path;

use tkmia::attacks::Stop;
use tkmia::audit::{Findings, Limit};
use tkmia::burn::tensor::Device;
use tkmia::core::{Bounds, Tagger};
use tkmia::data::miniature::Layout;
use tkmia::data::{DatasetKind, DatasetSpec, Resize, Transform, open, open_image};
use tkmia::experiment::{Experiment, Plan, Shard, read_perturbation};
use tkmia::models::{architecture, load_with, model_files};
use tkmia::report::Report;
use tkmia_file::{Elements, Npy, Npz, read_text};

use crate::seeds::{self, Seed};

/// Whether a panic is Burn's, which refuses a network's numbers so: it is caught where they are tried.
pub fn may_be_caught(panic: &PanicHookInfo<'_>) -> bool {
    let of_burn = |file: &str| file.contains("/registry/") && file.contains("/burn-");
    panic.location().is_some_and(|place| of_burn(place.file()))
}

type Read = Result<(), Box<dyn Error>>;

/// A kind of file: small whole ones, and what reads one in a folder.
pub struct Kind {
    pub name: &'static str,
    pub seeds: fn() -> Vec<Seed>,
    pub read: fn(&Path) -> Read,
}

/// Each kind, and a test of it.
macro_rules! kinds {
    ($($name:ident: $seeds:expr, $read:expr;)*) => {
        pub const KINDS: &[Kind] = &[
            $(Kind { name: concat!("kinds::", stringify!($name)), seeds: $seeds, read: $read }),*
        ];

        $(#[test]
        fn $name() {
            crate::hold(concat!("kinds::", stringify!($name)));
        })*
    };
}

kinds! {
    onnx: seeds::onnx, |folder| model(&folder.join("model.onnx"));
    graphs: seeds::graphs, |folder| model(&folder.join("model.onnx"));
    safetensors: seeds::safetensors, |folder| model(&folder.join("model.safetensors"));
    pytorch: seeds::pytorch, |folder| state_dict(&folder.join("model.pth"));
    taggers: seeds::taggers, |folder| model(&folder.join("model.onnx"));
    voc: || seeds::dataset(Layout::Voc2012), |folder| dataset(folder, DatasetKind::Voc2012, "val");
    coco: || seeds::dataset(Layout::Coco2014), |folder| dataset(folder, DatasetKind::Coco2014, "val");
    nus_wide: || seeds::dataset(Layout::NusWide), |folder| dataset(folder, DatasetKind::NusWide, "test");
    nus_wide_table: || seeds::dataset(Layout::NusWideTable), |folder| dataset(folder, DatasetKind::NusWide, "test");
    tables: seeds::tables, |folder| dataset(folder, DatasetKind::Folder, "");
    images: seeds::images, |folder| image(&folder.join("image"));
    arrays: seeds::arrays, |folder| array(&folder.join("array"));
    experiments: seeds::experiments, |folder| experiment(&folder.join("experiment.toml"));
    runs: seeds::runs, run;
    words: seeds::words, |folder| word(&folder.join("words"));
}

fn model(path: &Path) -> Read {
    // The files that it is read from are told even where it can't be.
    let files = model_files(path);
    load_with(path, &Tagger::default(), &Device::flex())?;
    files?;
    Ok(())
}

fn state_dict(path: &Path) -> Read {
    architecture(path)?;
    Ok(())
}

fn dataset(folder: &Path, kind: DatasetKind, split: &str) -> Read {
    open(&DatasetSpec { kind, root: folder.to_owned(), split: split.to_owned() })?;
    Ok(())
}

fn image(path: &Path) -> Read {
    let transform = Transform { resize: Resize::short_side(32), bounds: Bounds::UNIT };
    open_image(path, &transform, &Device::flex())?;
    Ok(())
}

fn array(path: &Path) -> Read {
    let perturbation = read_perturbation(path, &Device::flex());
    let Ok(mut npz) = Npz::open(path) else {
        Npy::open(path)?.read_flags()?;
        return Ok(());
    };
    for name in ["perturbation", "bounds"] {
        npz.array(name)?.read(Elements::Pixels, |value| value as f32)?;
    }
    npz.array("tanh")?.read_flags()?;
    perturbation?;
    Ok(())
}

fn experiment(path: &Path) -> Read {
    for experiment in Experiment::parse_each(&read_text(path)?)? {
        experiment.expand("VOC 2012")?;
    }
    Ok(())
}

fn run(folder: &Path) -> Read {
    let plan = Plan::read(folder)?;
    let report = Report::read(&plan, folder)?;
    let texts = [report.markdown(), report.classes_csv(), report.norms_csv()];
    let tables = report.tables.iter().map(|table| table.latex() + &table.csv());
    assert!(texts.into_iter().chain(tables).all(|text| !text.is_empty()));
    // Only some experiments are audits.
    drop(Findings::new(folder, &plan, &plan.read_records(folder)?));
    Ok(())
}

fn word(path: &Path) -> Read {
    let text = read_text(path)?;
    let read = [
        text.parse::<Stop>().is_ok(),
        text.parse::<Bounds>().is_ok(),
        text.parse::<Shard>().is_ok(),
        text.parse::<Limit>().is_ok(),
    ];
    if read.contains(&true) { Ok(()) } else { Err(text.into()) }
}
