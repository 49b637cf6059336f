//! Miniatures in every layout, read back label for label as the real data sets would be.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tkmia_data::miniature::{Layout, Miniature, Part};
use tkmia_data::{DataError, DatasetSpec, open};

const LAYOUTS: [Layout; 4] =
    [Layout::Voc2012, Layout::Coco2014, Layout::NusWide, Layout::NusWideTable];

/// Images in a split.
const IMAGES: usize = 60;

fn miniature(layout: Layout, seed: u64) -> Miniature {
    Miniature { layout, images: IMAGES, seed }
}

fn assert_reads_back(layout: Layout, root: &Path, part: &Part) -> Result<(), DataError> {
    let spec = DatasetSpec { kind: layout.kind(), root: root.into(), split: part.split.into() };
    let dataset = open(&spec)?;
    assert_eq!(dataset.len(), part.samples.len(), "{layout:?}");
    assert_eq!(dataset.len() + dataset.left_out(), IMAGES, "{layout:?}");
    for (at, sample) in part.samples.iter().enumerate() {
        assert_eq!(dataset.id(at), sample.id, "{layout:?}");
        assert_eq!(dataset.labels().indices(at), sample.labels, "{layout:?} {}", sample.id);
        let (width, height) = dataset.image(at)?.dimensions();
        assert!((96..160).contains(&width) && (96..160).contains(&height), "{width}x{height}");
    }
    Ok(())
}

/// Path and content of every file below a folder.
fn files(root: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.is_dir() {
            files.append(&mut self::files(&path)?);
        } else {
            files.insert(path.clone(), fs::read(path)?);
        }
    }
    Ok(files)
}

#[test]
fn every_layout_reads_back_image_for_image_and_label_for_label() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    for layout in LAYOUTS {
        let root = dir.path().join(format!("{layout:?}"));
        let parts = miniature(layout, 7).write(&root)?;
        assert_ne!(parts[0].samples, parts[1].samples, "{layout:?}");
        for part in &parts {
            assert_reads_back(layout, &root, part)?;
        }
    }
    Ok(())
}

#[test]
fn a_miniature_has_what_a_reader_can_get_wrong() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let [voc, coco, nus] = ["voc", "coco", "nus"].map(|name| dir.path().join(name));
    miniature(Layout::Voc2012, 0).write(&voc)?;
    let annotations = files(&voc.join("Annotations"))?;
    let difficult = |xml: &Vec<u8>| String::from_utf8_lossy(xml).contains("<difficult>1<");
    assert!(annotations.values().any(difficult));

    let [train, _] = miniature(Layout::Coco2014, 0).write(&coco)?;
    assert!(train.samples.len() < IMAGES, "no image without a label");
    let ids: Vec<u64> =
        train.samples.iter().map(|sample| sample.id.parse()).collect::<Result<_, _>>()?;
    assert!(!ids.is_sorted());
    let json = fs::read_to_string(coco.join("annotations/instances_train2014.json"))?;
    assert!(json.contains(r#""iscrowd":1"#));

    let [train, _] = miniature(Layout::NusWideTable, 0).write(&nus)?;
    assert!(train.samples.len() < IMAGES, "no image without a label");
    let list = fs::read_to_string(nus.join("ImageList/TrainImagelist.txt"))?;
    assert!(list.contains('\\'));
    Ok(())
}

#[test]
fn the_seed_makes_every_byte() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("mini");
    let made = |layout, seed| -> Result<_, Box<dyn Error>> {
        Miniature { images: 5, ..miniature(layout, seed) }.write(&root)?;
        let files = files(&root)?;
        fs::remove_dir_all(&root)?;
        Ok(files)
    };
    for layout in LAYOUTS {
        assert_eq!(made(layout, 3)?, made(layout, 3)?, "{layout:?}");
        assert_ne!(made(layout, 3)?, made(layout, 4)?, "{layout:?}");
    }
    Ok(())
}

#[test]
fn nothing_that_is_there_is_written_over() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let error = miniature(Layout::Coco2014, 0).write(dir.path()).unwrap_err();
    assert!(matches!(error, DataError::Write { path, .. } if path == dir.path()));

    // A slash at the end makes no difference.
    miniature(Layout::Coco2014, 0).write(&dir.path().join("whole/"))?;
    assert!(miniature(Layout::Coco2014, 0).write(&dir.path().join("whole")).is_err());

    let partial = dir.path().join("mini.partial");
    fs::create_dir(&partial)?;
    let error = miniature(Layout::Coco2014, 0).write(&dir.path().join("mini/")).unwrap_err();
    assert!(matches!(error, DataError::Write { path, .. } if path == partial));
    Ok(())
}

/// The texts of a data set, written anew by `encode`.
fn encode_texts(root: &Path, encode: fn(&str) -> Vec<u8>) -> io::Result<()> {
    for (path, bytes) in files(root)? {
        if path.extension().is_none_or(|extension| extension != "jpg") {
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            fs::write(path, encode(&text))?;
        }
    }
    Ok(())
}

#[test]
fn every_reader_takes_text_in_whichever_encoding_and_with_whichever_line_ends()
-> Result<(), Box<dyn Error>> {
    let utf_16: fn(&str) -> Vec<u8> =
        |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let encodings: [fn(&str) -> Vec<u8>; 4] = [
        |text| format!("\u{feff}{}", text.replace('\n', "\r\n")).into(),
        |text| {
            "\u{feff}"
                .encode_utf16()
                .chain(text.encode_utf16())
                .flat_map(u16::to_be_bytes)
                .collect()
        },
        utf_16,
        |text| text.replace('\n', "\r").into(),
    ];
    let dir = tempfile::tempdir()?;
    for layout in LAYOUTS {
        for (at, encode) in encodings.into_iter().enumerate() {
            let root = dir.path().join(format!("{layout:?}-{at}"));
            let parts = miniature(layout, 7).write(&root)?;
            encode_texts(&root, encode)?;
            for part in &parts {
                assert_reads_back(layout, &root, part)?;
            }
        }
    }
    Ok(())
}

#[test]
fn text_in_no_encoding_of_ours_is_named_with_its_line() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    for (layout, file) in [
        (Layout::Voc2012, "ImageSets/Main/val.txt"),
        (Layout::NusWide, "ImageList/TestImagelist.txt"),
        (Layout::NusWide, "Concepts81.txt"),
        (Layout::NusWideTable, "classification_labels/classification_test.csv"),
    ] {
        let root = dir.path().join(file.replace('/', "-"));
        let [_, part] = miniature(layout, 7).write(&root)?;
        let mut bytes = fs::read(root.join(file)).unwrap_or_default();
        bytes.splice(0..0, *b"\ncaf\xe9\n");
        fs::write(root.join(file), bytes)?;
        let spec = DatasetSpec { kind: layout.kind(), root, split: part.split.into() };
        match open(&spec) {
            Err(DataError::Read { path, source, .. }) => {
                assert!(path.ends_with(file));
                assert!(source.to_string().starts_with("line 2 isn't in UTF-8"), "{source}");
            }
            other => panic!("{file}: {other:?}"),
        }
    }
    Ok(())
}
