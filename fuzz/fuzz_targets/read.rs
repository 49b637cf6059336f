//! One kind of file, read as the tests read it: `KIND=coco cargo +nightly fuzz run read`.

#![no_main]
#![allow(dead_code)]

#[path = "../../tests/hostile/damage.rs"]
mod damage;
#[path = "../../tests/hostile/kinds.rs"]
mod kinds;
#[path = "../../tests/hostile/seeds.rs"]
mod seeds;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

use kinds::{KINDS, Kind};

/// The kind that is asked for, a folder with its first whole files, and the one of them that is replaced.
static PLACE: LazyLock<(&Kind, TempDir, PathBuf)> = LazyLock::new(|| {
    let name = format!("kinds::{}", std::env::var("KIND").expect("KIND=coco, for example"));
    let kind = KINDS.iter().find(|kind| kind.name == name).expect("a kind of tests/hostile/kinds.rs");
    let folder = tempfile::tempdir().expect("a folder");
    let seed = (kind.seeds)().remove(0);
    for (name, bytes) in &seed.files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    let replaced = folder.path().join(&seed.files[seed.damaged[0]].0);
    (kind, folder, replaced)
});

fuzz_target!(|bytes: &[u8]| {
    let (kind, folder, replaced) = &*PLACE;
    fs::write(replaced, bytes).expect("a file");
    let _ = (kind.read)(folder.path());
});
