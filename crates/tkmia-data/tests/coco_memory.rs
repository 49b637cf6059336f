//! COCO's annotations are read without ever being in memory.

#![cfg(target_os = "linux")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use tkmia_data::{Coco2014, Dataset};

const MIB: usize = 1 << 20;

/// An instances file of some size in the proportions of COCO 2014's training split: 82,783 images,
/// 604,907 annotations, 333 MB, most of it segmentations. Gives the number of images.
fn write_instances(path: &Path, bytes: usize) -> Result<usize, Box<dyn Error>> {
    let annotations = bytes / 550;
    let images = annotations / 7;
    let mut file = BufWriter::new(File::create(path)?);
    write!(file, r#"{{"info": {{}}, "images": ["#)?;
    for id in 0..images {
        let comma = if id == 0 { "" } else { ", " };
        write!(
            file,
            r#"{comma}{{"license": 5, "file_name": "COCO_train2014_{id:012}.jpg", "height": 480, "width": 640, "id": {id}}}"#
        )?;
    }
    write!(file, r#"], "annotations": ["#)?;
    let polygon = "312.29, 562.89, ".repeat(25) + "7.5";
    for id in 0..annotations {
        let comma = if id == 0 { "" } else { ", " };
        let (image, category) = (id * 7919 % images, id % 80);
        write!(
            file,
            r#"{comma}{{"segmentation": [[{polygon}]], "area": 54652.95, "iscrowd": 0, "image_id": {image}, "bbox": [116.95, 305.86, 285.3, 266.03], "category_id": {category}, "id": {id}}}"#
        )?;
    }
    let category = |id| format!(r#"{{"supercategory": "any", "id": {id}, "name": "name {id}"}}"#);
    let categories: Vec<_> = (0..80).map(category).collect();
    write!(file, r#"], "categories": [{}]}}"#, categories.join(", "))?;
    file.flush()?;
    Ok(images)
}

/// The most memory that this process ever had.
fn peak() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmHWM")?;
    Ok(kibibytes.trim().parse::<usize>()? * 1024)
}

/// Size of a file and of what reading it adds to the process's peak.
fn read(bytes: usize) -> Result<[usize; 2], Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("annotations/instances_train2014.json");
    fs::create_dir(dir.path().join("annotations"))?;
    let images = write_instances(&path, bytes)?;
    let size = fs::metadata(&path)?.len() as usize;

    let before = peak()?;
    let start = std::time::Instant::now();
    let coco = Coco2014::open(dir.path(), "train")?;
    let added = peak()? - before;
    assert_eq!((coco.len(), coco.left_out()), (images, 0));
    println!(
        "{} MiB read in {:.1} s, {:.1} MiB of memory",
        size / MIB,
        start.elapsed().as_secs_f64(),
        added as f64 / MIB as f64
    );
    Ok([size, added])
}

#[test]
fn reading_annotations_takes_a_fraction_of_their_size() -> Result<(), Box<dyn Error>> {
    let [size, added] = read(24 * MIB)?;
    assert!(added < size / 5, "{added} of {size} bytes");
    Ok(())
}

/// `cargo test --workspace --release --test coco_memory -- --ignored --nocapture`
#[test]
#[ignore = "writes a file of 330 MB"]
fn the_whole_of_coco_takes_as_little() -> Result<(), Box<dyn Error>> {
    let [size, added] = read(318 * MIB)?;
    assert!(added < size / 5, "{added} of {size} bytes");
    Ok(())
}
