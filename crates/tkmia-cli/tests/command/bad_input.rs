//! What `tkmia attack` says to input that it can't use.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use ndarray::{Array, Array1, Array2, Array4, Axis, Dimension, ShapeBuilder};
use ndarray_npy::{NpzReader, NpzWriter, WritableElement, WriteNpyExt};
use tempfile::TempDir;

use crate::shell::{self, Input};

struct Fixture {
    folder: TempDir,
    input: Input,
}

impl Fixture {
    fn new() -> Self {
        let input = Input::read(&shell::golden("tkmia-corrected-k3", "input.npz"));
        let input = Input {
            images: input.images.select(Axis(0), &[0, 1]),
            labels: input.labels.select(Axis(0), &[0, 1]),
            specified: input.specified.select(Axis(0), &[0, 1]),
        };
        Self { folder: tempfile::tempdir().unwrap(), input }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is said to this input file; nothing may be written.
    fn says(&self, input: &Path) -> String {
        let output = self.path("out.npz");
        let says = shell::fail(shell::attack(input, &output).args(["--k", "3"]));
        assert!(!output.exists() && !shell::has_partial(self.folder.path()));
        says
    }

    /// What is said to the good input after a change.
    fn says_after(&self, change: impl Fn(&mut Input)) -> String {
        let mut input = self.input.clone();
        change(&mut input);
        input.write(&self.path("in.npz"));
        self.says(&self.path("in.npz"))
    }

    /// What is said to the good input with these arguments.
    fn says_with(&self, arguments: &[&str]) -> String {
        self.input.write(&self.path("in.npz"));
        let output = self.path("out.npz");
        shell::fail(shell::attack(&self.path("in.npz"), &output).args(arguments))
    }
}

/// An npy array of elements that are given as bytes.
fn raw(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let mut npy = b"\x93NUMPY\x01\0\x76\0".to_vec();
    npy.extend(format!("{header:<117}\n").bytes());
    npy.extend(elements);
    npy
}

fn npy<T: WritableElement, D: Dimension>(array: &Array<T, D>) -> Vec<u8> {
    let mut npy = Vec::new();
    array.write_npy(&mut npy).unwrap();
    npy
}

fn archive(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, npy) in arrays {
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(npy).unwrap();
    }
    zip.finish().unwrap();
}

fn assert_says(says: &str, expected: &[&str]) {
    for part in expected {
        assert!(says.contains(part), "expected `{part}` in: {says}");
    }
}

#[test]
fn a_file_that_is_no_npz_is_named() {
    let fixture = Fixture::new();
    assert_says(&fixture.says(&fixture.path("no.npz")), &["no.npz: can't be read: No such file"]);
    assert_says(&fixture.says(fixture.folder.path()), &["names no image"]);
    fs::write(fixture.path("text.npz"), "hello").unwrap();
    assert_says(&fixture.says(&fixture.path("text.npz")), &["text.npz: expected an npz file"]);
    fs::write(fixture.path("empty.npz"), "").unwrap();
    assert_says(&fixture.says(&fixture.path("empty.npz")), &["empty.npz: expected an npz file"]);
}

#[test]
fn a_missing_array_is_named_with_those_that_are_there() {
    let fixture = Fixture::new();
    let path = fixture.path("in.npz");
    let mut npz = NpzWriter::new(File::create(&path).unwrap());
    npz.add_array("images", &fixture.input.images).unwrap();
    npz.add_array("label", &fixture.input.labels).unwrap();
    npz.finish().unwrap();
    let says = fixture.says(&path);
    assert_says(&says, &["in.npz: expected an array `labels`, found images, label"]);
}

#[test]
fn a_wrong_dtype_is_named_with_its_conversion() {
    let fixture = Fixture::new();
    let path = fixture.path("in.npz");
    let mut npz = NpzWriter::new(File::create(&path).unwrap());
    npz.add_array("images", &fixture.input.images.mapv(|value| value as i32)).unwrap();
    npz.finish().unwrap();
    let says = fixture.says(&path);
    assert_says(
        &says,
        &[
            "in.npz, array `images`: expected float16, float32, float64 or uint8, found int32",
            ".astype(\"float32\")",
        ],
    );
    let images = npy(&fixture.input.images);
    archive(&path, &[("images", images), ("labels", raw("<c8", "2, 20", &[0; 2 * 20 * 8]))]);
    let says = fixture.says(&path);
    assert_says(
        &says,
        &[
            "array `labels`: expected bool, integers or floats, found complex64",
            ".astype(\"uint8\")",
        ],
    );
}

#[test]
fn arrays_of_any_type_that_loses_nothing_give_the_same_result() {
    let fixture = Fixture::new();
    // Values that every type holds: those of 8-bit pixels are in no other.
    let mut input = fixture.input.clone();
    input.images.mapv_inplace(|value| (value * 128.0).round() / 128.0);
    let (images, labels, specified) = (&input.images, &input.labels, &input.specified);
    let attacked = |write: &dyn Fn(&mut NpzWriter<File>)| {
        let (path, output) = (fixture.path("in.npz"), fixture.path("out.npz"));
        let mut npz = NpzWriter::new(File::create(&path).unwrap());
        write(&mut npz);
        npz.finish().unwrap();
        let mut command = shell::attack(&path, &output);
        let output_of = command.args(["--k", "3", "--max-iterations", "3"]).output().unwrap();
        let says = String::from_utf8_lossy(&output_of.stderr).into_owned();
        assert!(output_of.status.success(), "{says}");
        (fs::read(output).unwrap(), says)
    };
    let flags = |npz: &mut NpzWriter<File>| {
        npz.add_array("labels", labels).unwrap();
        npz.add_array("specified", specified).unwrap();
    };
    let (expected, _) = attacked(&|npz| {
        npz.add_array("images", images).unwrap();
        flags(npz);
    });
    let (found, _) = attacked(&|npz| {
        npz.add_array("images", &images.mapv(f64::from)).unwrap();
        npz.add_array("labels", &labels.mapv(|flag| flag == 1)).unwrap();
        npz.add_array("specified", &specified.mapv(i64::from)).unwrap();
    });
    assert_eq!(found, expected);
    let fortran = Array4::from_shape_fn(images.raw_dim().f(), |at| f64::from(images[at]));
    let (found, _) = attacked(&|npz| {
        npz.add_array("images", &fortran).unwrap();
        npz.add_array("labels", &labels.mapv(f32::from)).unwrap();
        npz.add_array("specified", &specified.mapv(u16::from)).unwrap();
    });
    assert_eq!(found, expected);
    for is_big in [false, true] {
        let bytes = |value: &f32| {
            let half = half::f16::from_f32(*value);
            if is_big { half.to_be_bytes() } else { half.to_le_bytes() }
        };
        let descr = if is_big { ">f2" } else { "<f2" };
        let images = raw(descr, "2, 3, 32, 32", &images.iter().flat_map(bytes).collect::<Vec<_>>());
        let path = fixture.path("half.npz");
        let arrays = [("images", images), ("labels", npy(labels)), ("specified", npy(specified))];
        archive(&path, &arrays);
        let output = fixture.path("out.npz");
        shell::run(shell::attack(&path, &output).args(["--k", "3", "--max-iterations", "3"]));
        assert_eq!(fs::read(output).unwrap(), expected, "{is_big}");
    }

    // Pixels are scaled to the network's range, and that is said.
    let pixels = images.mapv(|value| (value * 127.5 + 127.5).round() as u8);
    let scaled = pixels.mapv(|pixel| (f64::from(pixel) / 127.5 - 1.0) as f32);
    let (expected, says) = attacked(&|npz| {
        npz.add_array("images", &scaled).unwrap();
        flags(npz);
    });
    assert!(!says.contains("8-bit pixels"), "{says}");
    let (found, says) = attacked(&|npz| {
        npz.add_array("images", &pixels).unwrap();
        flags(npz);
    });
    assert!(says.contains("array `images`: 8-bit pixels, scaled to -1..1"), "{says}");
    assert_eq!(found, expected);
}

#[test]
fn a_wrong_shape_is_named_with_the_models() {
    let fixture = Fixture::new();
    let says = fixture.says_after(|input| input.images = Array4::zeros([2, 3, 32, 48]));
    assert_says(&says, &["`images`: expected shape [n, 3, 32, 32]", "found [2, 3, 32, 48]"]);
    let says = fixture.says_after(|input| input.images = Array4::zeros([2, 32, 32, 3]));
    assert_says(&says, &["`images`: expected shape [n, 3, 32, 32]", "found [2, 32, 32, 3]"]);
    let says = fixture.says_after(|input| input.images = Array4::zeros([0, 3, 32, 32]));
    assert_says(&says, &["`images`: expected shape [n, 3, 32, 32]", "found [0, 3, 32, 32]"]);
    let says = fixture.says_after(|input| input.labels = Array2::zeros([2, 80]));
    assert_says(&says, &["`labels`: expected shape [2, 20]", "found [2, 80]"]);
    let says = fixture.says_after(|input| input.specified = Array2::zeros([1, 20]));
    assert_says(&says, &["`specified`: expected shape [2, 20]", "found [1, 20]"]);
}

#[test]
fn wrong_values_are_named_with_their_row() {
    let fixture = Fixture::new();
    let says = fixture.says_after(|input| input.images[[1, 0, 0, 0]] = f32::NAN);
    assert_says(&says, &["in.npz, array `images`, row 1: expected values in [-1, 1], found NaN"]);
    let says = fixture.says_after(|input| input.images[[1, 2, 3, 4]] = 255.0);
    assert_says(&says, &["array `images`, row 1: expected values in [-1, 1], found 255"]);
    let says = fixture.says_after(|input| input.labels[[1, 7]] = 2);
    assert_says(&says, &["array `labels`, row 1, label 7: expected 0 or 1, found 2"]);
}

#[test]
fn a_row_whose_specified_labels_are_none_or_irrelevant_is_named() {
    let fixture = Fixture::new();
    let says = fixture.says_after(|input| input.specified.row_mut(1).fill(0));
    assert_says(&says, &["in.npz, array `specified`: row 1: no label is specified"]);
    let says = fixture.says_after(|input| {
        let irrelevant = input.labels.row(1).iter().position(|&flag| flag == 0).unwrap();
        input.specified[[1, irrelevant]] = 1;
    });
    assert_says(&says, &["array `specified`: row 1: label", "is specified but not relevant"]);
}

#[test]
fn a_truncated_file_is_an_error() {
    let fixture = Fixture::new();
    fixture.input.write(&fixture.path("whole.npz"));
    let whole = fs::read(fixture.path("whole.npz")).unwrap();
    fs::write(fixture.path("half.npz"), &whole[..whole.len() / 2]).unwrap();
    assert_says(&fixture.says(&fixture.path("half.npz")), &["half.npz"]);
}

#[test]
fn a_wrong_setting_is_named() {
    let fixture = Fixture::new();
    for (arguments, expected) in [
        (
            &["--k", "0"][..],
            "--k: k must be at least 1 and below the number of labels (20), found 0",
        ),
        (&["--k", "20"], "below the number of labels (20), found 20"),
        (&["--k", "3", "--lr", "-1"], "learning rate must be a number above 0, found -1"),
        (&["--k", "3", "--momentum", "1"], "momentum must be in [0, 1), found 1"),
        (&["--k", "3", "--max-iterations", "0"], "max iterations must be at least 1"),
        (&["--k", "3", "--method", "kfool", "--variant", "literal"], "no literal variant"),
        (&["--k", "3", "--method", "pgd"], "'pgd' for '--method"),
        (&["--k", "3", "--variant", "exact"], "'exact' for '--variant"),
        (&["--k", "3", "--stop", "never"], "'never' for '--stop"),
        (&["--k", "3", "--delta", "0"], "'0' for '--delta"),
        (
            &["--k", "3", "--delta", "2", "--stop", "imperceptible"],
            "--delta counts specified labels that leave the top-k, as --stop excluded does",
        ),
        (&["--k", "3", "--batch-size", "0"], "found `0`"),
        (&["--k", "3", "--workers", "0"], "'0' for '--workers"),
        (&["--k", "3", "--device", "tpu"], "unknown device `tpu`"),
    ] {
        assert_says(&fixture.says_with(arguments), &[expected]);
    }
}

#[test]
fn a_place_that_cannot_be_written_to_is_an_error() {
    let fixture = Fixture::new();
    let input = fixture.path("in.npz");
    fixture.input.write(&input);
    let says = |output: &Path| {
        let mut command = shell::attack(&input, output);
        shell::fail(command.args(["--k", "3", "--max-iterations", "1"]))
    };
    let says_missing = says(&fixture.path("nowhere/out.npz"));
    assert_says(&says_missing, &["out.npz: expected a folder", "nowhere` to write it in"]);
    assert_says(&says(fixture.folder.path()), &["can't be written: Is a directory"]);
    if Path::new("/dev/full").exists() {
        assert_says(&says(Path::new("/dev/full")), &["/dev/full: can't be written: No space left"]);
    }
}

#[test]
fn a_row_with_too_few_relevant_labels_takes_no_part() {
    let fixture = Fixture::new();
    let mut input = fixture.input.clone();
    input.labels.row_mut(1).assign(&input.specified.row(1));
    input.write(&fixture.path("in.npz"));
    for variant in ["corrected", "released"] {
        let output = fixture.path("out.npz");
        let mut command = shell::attack(&fixture.path("in.npz"), &output);
        command.args(["--k", "3", "--variant", variant, "--max-iterations", "2"]);
        let summary = shell::run(&mut command);
        let reason = "not eligible: 2 relevant labels, needed are k + |S| = 5 (rows 1)";
        assert!(summary.contains("1 not eligible") && summary.contains(reason), "{summary}");

        let mut npz = NpzReader::new(File::open(&output).unwrap()).unwrap();
        let adversarial: Array4<f32> = npz.by_name("adversarial").unwrap();
        let perturbation: Array4<f32> = npz.by_name("perturbation").unwrap();
        let success: Array1<u8> = npz.by_name("success").unwrap();
        let norm_input: Array1<f32> = npz.by_name("norm_input").unwrap();
        let (found, images) =
            (adversarial.index_axis(Axis(0), 1), input.images.index_axis(Axis(0), 1));
        for (found, image) in found.iter().zip(images) {
            let unattacked = if variant == "released" { image.tanh() } else { *image };
            assert!((found - unattacked).abs() <= 1e-6);
        }
        assert!(perturbation.index_axis(Axis(0), 1).iter().all(|&value| value == 0.0));
        assert_eq!((success[1], norm_input[1]), (0, 0.0));
    }
}

#[test]
fn the_order_in_memory_does_not_matter() {
    let fixture = Fixture::new();
    let output = |name: &str, input: &Input| {
        input.write(&fixture.path("in.npz"));
        let mut command = shell::attack(&fixture.path("in.npz"), &fixture.path(name));
        shell::run(command.args(["--k", "3", "--max-iterations", "3"]));
        fs::read(fixture.path(name)).unwrap()
    };
    let rows = output("rows.npz", &fixture.input);
    let mut columns = Array4::zeros(fixture.input.images.raw_dim().f());
    columns.assign(&fixture.input.images);
    let mut labels = Array2::zeros(fixture.input.labels.raw_dim().f());
    labels.assign(&fixture.input.labels);
    let fortran = Input { images: columns, labels, specified: fixture.input.specified.clone() };
    assert!(rows == output("columns.npz", &fortran));
}
