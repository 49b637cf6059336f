//! One kind of file, read as the tests read it, from the tests' whole ones on, which are written into `corpus/KIND` first:
//! `KIND=coco cargo +nightly fuzz run read fuzz/corpus/coco`.

#![no_main]
#![allow(dead_code)]

#[path = "../../tests/hostile/damage.rs"]
mod damage;
#[path = "../../tests/hostile/kinds.rs"]
mod kinds;
#[path = "../../tests/hostile/seeds.rs"]
mod seeds;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{panic, process};

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

use kinds::{KINDS, Kind};
use seeds::Seed;

/// The kind that is asked for, a folder with its first whole files, and those of them that are replaced.
struct Place {
    kind: &'static Kind,
    folder: TempDir,
    replaced: Vec<(PathBuf, Vec<u8>)>,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let name = std::env::var("KIND").expect("KIND=coco, for example");
    let kind = KINDS.iter().find(|kind| kind.name == format!("kinds::{name}"));
    let kind = kind.expect("a kind of tests/hostile/kinds.rs");
    let folder = tempfile::tempdir().expect("a folder");
    let seeds = (kind.seeds)();
    for (name, bytes) in &seeds[0].files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    let files = |seed: &Seed| -> Vec<(PathBuf, Vec<u8>)> {
        seed.damaged.iter().map(|&at| seed.files[at].clone()).collect()
    };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(&name);
    fs::create_dir_all(&corpus).expect("a folder");
    for (number, seed) in seeds.iter().enumerate() {
        for (at, (_, bytes)) in (0_u8..).zip(files(seed)) {
            let input = [&[at], &bytes[..]].concat();
            fs::write(corpus.join(format!("whole-{number}-{at}")), input).expect("a file");
        }
    }
    let mut replaced = files(&seeds[0]);
    replaced.iter_mut().for_each(|(path, _)| *path = folder.path().join(&*path));
    Place { kind, folder, replaced }
});

/// A panic ends the process, if no reader may catch it.
fn begin() {
    LazyLock::force(&PLACE);
    panic::set_hook(Box::new(|panic| {
        if !kinds::may_be_caught(panic) {
            eprintln!("{panic}");
            process::abort();
        }
    }));
}

// The first byte says which file the others are.
fuzz_target!(init: begin(), |input: &[u8]| {
    let Some((at, bytes)) = input.split_first() else { return };
    let Place { kind, folder, replaced } = &*PLACE;
    let (path, whole) = &replaced[usize::from(*at) % replaced.len()];
    fs::write(path, bytes).expect("a file");
    let _ = (kind.read)(folder.path());
    fs::write(path, whole).expect("a file");
});
