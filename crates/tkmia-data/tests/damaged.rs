//! Damaged files: whatever is wrong with them is an error, or isn't noticed, but nothing panics.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use tkmia_data::miniature::{Layout, Miniature};
use tkmia_data::{DatasetSpec, open};

/// Damages per layout.
const TRIALS: usize = 100;

/// Cuts, overwrites or repeats a piece.
fn damage(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    let at = random.usize(..bytes.len());
    let end = random.usize(at..bytes.len());
    match random.u8(..4) {
        0 => bytes.truncate(at),
        1 => bytes[at] = random.u8(..),
        2 => bytes[at] = random.choice(*b"019-,. \n{}[]\"<>/\\").unwrap_or_default(),
        _ => {
            let piece = bytes[at..end].to_vec();
            bytes.splice(end..end, piece);
        }
    }
    bytes
}

/// The files below a folder, sorted, without the images.
fn label_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(label_files(&path)?);
        } else if path.extension() != Some(OsStr::new("jpg")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[test]
fn no_damage_makes_a_reader_panic() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    for layout in [Layout::Voc2012, Layout::Coco2014, Layout::NusWide, Layout::NusWideTable] {
        let root = dir.path().join(format!("{layout:?}"));
        let parts = Miniature { layout, images: 9, seed: 5 }.write(&root)?;
        let files = label_files(&root)?;
        let mut random = Rng::with_seed(0);
        let mut refused = 0;
        for _ in 0..TRIALS {
            let file = &files[random.usize(..files.len())];
            let whole = fs::read(file)?;
            fs::write(file, damage(whole.clone(), &mut random))?;
            for part in &parts {
                let split = part.split.into();
                match open(&DatasetSpec { kind: layout.kind(), root: root.clone(), split }) {
                    Ok(dataset) => assert!(!dataset.is_empty()),
                    Err(_) => refused += 1,
                }
            }
            fs::write(file, whole)?;
        }
        println!("{layout:?}: {refused} of {} refused", 2 * TRIALS);
        assert!(refused > TRIALS / 4, "{layout:?}: {refused}");
    }
    Ok(())
}
