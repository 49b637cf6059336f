//! `tkmia attack --fit` and `tkmia apply`: universal perturbations and what they do to other images.

use std::fs;

use crate::shell::{self, Input, Npz};

#[test]
fn a_perturbation_is_fitted_saved_and_applied_with_the_same_success() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (fit, input) = (shell::fit_input(folder.path()), path("in.npz"));
    Input::read(&shell::golden("tkmia-corrected-k3", "input.npz")).write(&input);
    for (method, variant) in
        [("tkml-ap-uv", "corrected"), ("tkml-ap-uv", "released"), ("cmlu", "corrected")]
    {
        let (v, out) = (path("v.npz"), path("out.npz"));
        let mut command = shell::attack(&input, &out);
        command.args(["--k", "3", "--method", method, "--variant", variant]);
        command.args(["--radius", "4", "--max-iterations", "20"]);
        command.arg("--fit").arg(&fit).arg("--perturbation").arg(&v);
        let says = shell::run(&mut command);
        assert!(says.starts_with("fitted to ") && says.contains("controls: −v "), "{says}");
        let mut attacked = Npz::open(&out);
        let success = attacked.vector::<u8>("success");
        assert_eq!(attacked.vector::<u8>("negated").len(), success.len());
        let shuffled = attacked.vector::<f32>("shuffled");
        assert!(shuffled.iter().all(|share| (0.0..=1.0).contains(share)));
        assert!(fs::read(path("v.png")).unwrap().starts_with(b"\x89PNG"));

        // The same success from the file, on the same images and model.
        let again = path("again.npz");
        let apply = || {
            let mut command = shell::tkmia();
            command.arg("apply").arg("--perturbation").arg(&v).arg("--input").arg(&input);
            command.arg("--output").arg(&again);
            command
        };
        shell::run(apply().arg("--model").arg(shell::victim()).args(["--k", "3"]));
        let mut found = Npz::open(&again);
        assert_eq!(found.vector::<u8>("success"), success, "{variant}");
        assert_eq!(found.vector::<f32>("shuffled"), shuffled);
        assert_eq!(found.images("adversarial"), attacked.images("adversarial"));

        // And without a model: each image, whatever its labels are, where they don't say what is added.
        if method == "cmlu" {
            let says = shell::fail(&mut apply());
            assert!(says.contains("expected images with specified labels"), "{says}");
            continue;
        }
        shell::run(&mut apply());
        let plain = Npz::open(&again).images("adversarial");
        let perturbed = attacked.images("adversarial");
        for (row, norm) in attacked.vector::<f32>("norm").iter().enumerate() {
            let row =
                |images: &ndarray::Array4<f32>| images.index_axis(ndarray::Axis(0), row).to_owned();
            assert!(*norm == 0.0 || row(&plain) == row(&perturbed));
        }
    }
}

#[test]
fn images_that_are_fitted_to_are_not_attacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut fit = Input::read(&shell::golden("tkmia-corrected-k3", "input.npz"));
    fit.write(&path("in.npz"));
    let one = fit.images.index_axis(ndarray::Axis(0), 2).to_owned();
    fit.images.fill(0.5);
    fit.images.index_axis_mut(ndarray::Axis(0), 1).assign(&one);
    fit.write(&path("fit.npz"));
    let mut command = shell::attack(&path("in.npz"), &path("out.npz"));
    command.args(["--k", "3", "--method", "kuap", "--radius", "4"]);
    let says = shell::fail(command.arg("--fit").arg(path("fit.npz")));
    assert!(says.contains("fit.npz, row 1") && says.contains("in.npz, row 2"), "{says}");
    assert!(!path("out.npz").exists());
}

#[test]
fn a_file_that_holds_no_perturbation_and_images_of_another_size_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let input = shell::golden("tkmia-corrected-k3", "input.npz");
    let apply = |v: &std::path::Path, input: &std::path::Path| {
        let mut command = shell::tkmia();
        command.arg("apply").arg("--perturbation").arg(v).arg("--input").arg(input);
        command.arg("--output").arg(path("out.npz"));
        shell::fail(&mut command)
    };
    let says = apply(&input, &input);
    assert!(says.contains("input.npz: expected `perturbation`, `tanh` and `bounds`"), "{says}");
    let says = apply(&path("none.npz"), &input);
    assert!(says.contains("none.npz: can't be read"), "{says}");

    let mut npz = ndarray_npy::NpzWriter::new(fs::File::create(path("v.npz")).unwrap());
    npz.add_array("perturbation", &ndarray::Array3::<f32>::zeros((3, 8, 8))).unwrap();
    npz.add_array("tanh", &ndarray::arr1(&[0_u8])).unwrap();
    npz.add_array("bounds", &ndarray::arr1(&[-1.0_f32, 1.0])).unwrap();
    npz.finish().unwrap();
    let says = apply(&path("v.npz"), &input);
    assert!(says.contains("array `images`: expected shape [n, 3, 8, 8]"), "{says}");
    assert!(!path("out.npz").exists());
}

#[test]
fn what_is_said_of_a_victim_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let input = shell::golden("tkmia-corrected-k3", "input.npz");
    for (flags, says) in [
        (&["--range", "0..1"][..], "range 0..1: that is for a victim, expected --model"),
        (&["--mean", "0,0,0", "--std", "1,1,1"], "mean 0,0,0, std 1,1,1: that is for a victim"),
        (&["--keep-sigmoid"], "keep-sigmoid true: that is for a victim"),
        (&["--stop", "imperceptible"], "--model"),
        (&["--workers", "2"], "--batch-size or --workers: that is for a victim"),
    ] {
        let mut command = shell::tkmia();
        command.arg("apply").arg("--perturbation").arg(folder.path().join("v.npz"));
        command.arg("--input").arg(&input).arg("--output").arg(folder.path().join("out.npz"));
        let found = shell::fail(command.args(flags));
        assert!(found.contains(says), "{found}");
    }
}
