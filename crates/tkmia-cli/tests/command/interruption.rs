//! Ctrl-C and SIGTERM during `tkmia attack`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use ndarray::{Array1, Array4};
use ndarray_npy::NpzReader;

use crate::shell::{self, Input};

#[test]
fn what_is_finished_is_written_with_its_rows() {
    for signal in ["-INT", "-TERM"] {
        interrupt(signal);
    }
}

fn interrupt(signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Images 1 and 4 take no part and are done at once; the others would go on for hours.
    let mut input = Input::read(&shell::golden("tkmia-corrected-k3", "input.npz"));
    for row in [1, 4] {
        input.labels.row_mut(row).assign(&input.specified.row(row));
    }
    input.write(&path("in.npz"));
    let mut command = shell::attack(&path("in.npz"), &path("out.npz"));
    command.args(["--k", "3", "--lr", "1e-12", "--max-iterations", "100000000"]);
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut progress = BufReader::new(running.stderr.take().unwrap()).lines();
    assert!(progress.any(|line| line.unwrap() == "2/12 images"), "it ended before two were done");
    assert!(shell::has_partial(folder.path()));
    let signalled = Command::new("kill").args([signal, &running.id().to_string()]).status();
    assert!(signalled.unwrap().success());
    let output = running.wait_with_output().unwrap();

    assert_eq!(output.status.code(), Some(130));
    let says = String::from_utf8(output.stdout).unwrap();
    assert!(says.contains("interrupted: ") && says.contains("the 2 of 12 images"), "{says}");
    assert!(!shell::has_partial(folder.path()));
    let mut npz = NpzReader::new(File::open(path("out.npz")).unwrap()).unwrap();
    let rows: Array1<i64> = npz.by_name("rows").unwrap();
    let adversarial: Array4<f32> = npz.by_name("adversarial").unwrap();
    assert_eq!(rows.to_vec(), [1, 4]);
    assert_eq!(adversarial.shape(), [2, 3, 32, 32]);
}
