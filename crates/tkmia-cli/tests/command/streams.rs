//! Standard output and error that are full, or whose reader has gone.

use std::fs::{File, OpenOptions};
use std::process::{Command, Stdio};

use crate::shell;

/// A device on which there is never room.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// The end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn attack(folder: &std::path::Path) -> Command {
    let input = shell::golden("tkmia-corrected-k3", "input.npz");
    let mut command = shell::attack(&input, &folder.join("out.npz"));
    command.args(["--k", "3", "--max-iterations", "1"]);
    command
}

#[test]
fn results_are_kept_whatever_becomes_of_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.npz");
    // The reader of a pipe may go when it has seen enough; a full disk is an error.
    for (stdout, status) in [(closed(), 0), (full().into(), 1)] {
        let run = attack(folder.path()).stdout(stdout).stderr(Stdio::piped()).output().unwrap();
        let says = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(status), "{says}");
        assert_eq!(says.contains("error: standard output: "), status == 1, "{says}");
        assert!(!says.contains("panicked"), "{says}");
        std::fs::remove_file(&output).unwrap();
    }
}

#[test]
fn progress_that_nobody_can_read_is_no_reason_to_end() {
    for stderr in [closed(), full().into()] {
        let folder = tempfile::tempdir().unwrap();
        let run = attack(folder.path()).stderr(stderr).output().unwrap();
        assert!(run.status.success(), "{run:?}");
        assert!(folder.path().join("out.npz").exists());
    }
}

#[test]
fn help_goes_nowhere_without_a_panic() {
    for stdout in [closed(), full().into()] {
        let mut command = shell::tkmia();
        let run = command.arg("--help").stdout(stdout).stderr(Stdio::piped()).output().unwrap();
        assert!(run.status.code().is_some_and(|code| code != 101), "{run:?}");
    }
}
