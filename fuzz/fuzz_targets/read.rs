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

/// The kind that is asked for, a folder with its first whole files, and the one of them that is replaced.
static PLACE: LazyLock<(&Kind, TempDir, PathBuf)> = LazyLock::new(|| {
    let name = std::env::var("KIND").expect("KIND=coco, for example");
    let kind = KINDS.iter().find(|kind| kind.name == format!("kinds::{name}"));
    let kind = kind.expect("a kind of tests/hostile/kinds.rs");
    let folder = tempfile::tempdir().expect("a folder");
    let seeds = (kind.seeds)();
    write(folder.path(), &seeds[0]);
    write_corpus(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(&name), &seeds);
    let replaced = folder.path().join(&seeds[0].files[seeds[0].damaged[0]].0);
    (kind, folder, replaced)
});

/// Writes the files of a seed.
fn write(folder: &Path, seed: &Seed) {
    for (name, bytes) in &seed.files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
}

/// Writes each seed's file that is replaced.
fn write_corpus(folder: &Path, seeds: &[Seed]) {
    fs::create_dir_all(folder).expect("a folder");
    for (number, seed) in seeds.iter().enumerate() {
        let (_, bytes) = &seed.files[seed.damaged[0]];
        fs::write(folder.join(format!("whole-{number}")), bytes).expect("a file");
    }
}

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

fuzz_target!(init: begin(), |bytes: &[u8]| {
    let (kind, folder, replaced) = &*PLACE;
    fs::write(replaced, bytes).expect("a file");
    let _ = (kind.read)(folder.path());
});
