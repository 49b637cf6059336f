//! Every method of `tkmia attack`, and what must go together.

use std::path::Path;

use strum::IntoEnumIterator;
use tkmia_attacks::AttackName;

use crate::shell::{self, Npz};

/// Runs an attack on the recorded input, and gives its summary and its arrays.
fn attack(folder: &Path, arguments: &[&str]) -> (String, Npz) {
    let output = folder.join("out.npz");
    let mut command = shell::attack(&shell::golden("tkmia-corrected-k3", "input.npz"), &output);
    command.args(["--k", "3", "--max-iterations", "40"]).args(arguments);
    (shell::run(&mut command), Npz::open(&output))
}

#[test]
fn every_method_writes_the_same_arrays() {
    let folder = tempfile::tempdir().unwrap();
    for method in AttackName::iter() {
        let name: &str = method.into();
        let mut arguments = vec!["--method", name];
        let fit = shell::fit_input(folder.path());
        if method.is_in_a_ball() {
            arguments.extend(["--radius", "2"]);
        }
        if method.is_universal() {
            arguments.extend(["--fit", fit.to_str().unwrap()]);
        }
        let (summary, mut npz) = attack(folder.path(), &arguments);
        assert!(summary.lines().any(|line| line.starts_with(name)), "{summary}");
        let rows = npz.vector::<u8>("success").len();
        for name in ["iterations", "excluded", "forward", "backward"] {
            assert_eq!(npz.vector::<i64>(name).len(), rows);
        }
        let forward = npz.vector::<i64>("forward");
        assert!(forward.iter().all(|&forward| forward >= 1), "{name}: {forward}");
        let norms = npz.vector::<f32>("norm_input");
        if method.is_in_a_ball() {
            assert!(norms.iter().all(|&norm| norm <= 2.0 * (1.0 + 1e-5)), "{norms}");
        }
    }
}

#[test]
fn steps_within_a_ball_stay_in_it_and_most_succeed_in_a_large_one() {
    let folder = tempfile::tempdir().unwrap();
    for optimiser in ["pgd", "mi-fgsm", "auto-pgd"] {
        let arguments = ["--optimiser", optimiser, "--norm", "l2", "--radius", "3"];
        let (summary, mut npz) = attack(folder.path(), &arguments);
        assert!(summary.contains(&format!("tkmia (corrected, {optimiser})")), "{summary}");
        let norms = npz.vector::<f32>("norm_input");
        assert!(norms.iter().all(|&norm| norm <= 3.0 * (1.0 + 1e-5)), "{optimiser}: {norms}");
        let success = npz.vector::<u8>("success");
        let succeeded = success.iter().filter(|&&success| success == 1).count();
        assert!(2 * succeeded > success.len(), "{optimiser}: {success}");
    }
}

#[test]
fn random_targets_follow_the_seed_and_not_the_batches() {
    let folder = tempfile::tempdir().unwrap();
    let scores = |seed: &str, batch: &str| {
        let arguments = ["--method", "tkml-ap-t", "--target", "random", "--seed", seed];
        let mut npz = attack(folder.path(), &[&arguments[..], &["--batch-size", batch]].concat()).1;
        npz.matrix("scores")
    };
    assert_eq!(scores("1", "2"), scores("1", "5"));
    assert_ne!(scores("1", "2"), scores("2", "2"));
}

#[test]
fn what_does_not_go_together_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let says = |arguments: &[&str]| {
        let output = folder.path().join("out.npz");
        let input = shell::golden("tkmia-corrected-k3", "input.npz");
        let says = shell::fail(shell::attack(&input, &output).args(["--k", "3"]).args(arguments));
        assert!(!output.exists());
        says
    };
    for (arguments, expected) in [
        (&["--optimiser", "pgd"][..], "pgd moves within a ball"),
        (&["--method", "kuap"], "kuap moves within a ball"),
        (&["--method", "square"], "square moves within a ball"),
        (
            &["--method", "square", "--variant", "released", "--radius", "1"],
            "square has no released",
        ),
        (&["--method", "kuap", "--radius", "-1"], "radius must be a number above 0, found -1"),
        (&["--method", "kfool", "--variant", "literal"], "kfool has no literal variant"),
        (&["--method", "ml-dp", "--variant", "released"], "ml-dp has no released variant"),
        (
            &["--method", "kfool", "--optimiser", "pgd", "--radius", "1"],
            "kfool has steps of its own",
        ),
        (
            &["--optimiser", "pgd", "--radius", "1", "--variant", "released"],
            "pgd has no released variant: expected corrected or literal",
        ),
        (&["--max-forward", "0"], "max forward passes must be at least 1, found 0"),
        (&["--method", "kuap", "--radius", "1"], "expected --fit FIT.npz"),
        (&["--fit", "fit.npz"], "--fit is for universal methods"),
        (&["--perturbation", "v.npz"], "--fit"),
        (&["--method", "kuap", "--radius", "1", "--enough", "1"], "unexpected argument '--enough'"),
        (&["--optimiser", "pgd", "--radius", "1", "--step", "0"], "step must be a number above 0"),
        // A knob that the attack hasn't is named with those that it has.
        (
            &["--method", "kfool", "--lr", "5"],
            "kfool (corrected) has no `lr`: its knobs are max-backward",
        ),
        (&["--radius", "1"], "tkmia (corrected) has no `radius`: its knobs are alpha"),
        (
            &["--variant", "min-norm", "--alpha", "1e-4"],
            "tkmia (min-norm) has no `alpha`: its knobs are border-margin",
        ),
        (&["--method", "ml-cw-u", "--target", "best"], "ml-cw-u (corrected) has no `target`"),
        (&["--method", "ml-cw-u", "--lambda", "exact"], "ml-cw-u (corrected) has no `lambda`"),
        // What min-norm doesn't search for, what has no target, what doesn't fit the labels.
        (
            &["--variant", "min-norm", "--stop", "all-relevant-out"],
            "tkmia (min-norm) doesn't search for `all-relevant-out`",
        ),
        (&["--stop", "target-reached"], "expected a target set for each image"),
        (&["--stop", "excluded or invisible"], "unknown criterion `invisible`"),
        (&["--stop", "imperceptible", "--delta", "1"], "delta"),
        (&["--delta", "9"], "δ must be in 1..="),
    ] {
        let says = says(arguments);
        assert!(says.contains(expected), "{arguments:?}: {says}");
    }
}

#[test]
fn a_cap_on_passes_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut npz = attack(folder.path(), &["--max-backward", "3"]).1;
    assert_eq!(npz.vector::<i64>("backward").iter().max(), Some(&3));
    assert_eq!(npz.vector::<i64>("iterations").iter().max(), Some(&4));
}

#[test]
fn the_minimum_norm_form_keeps_to_its_passes_and_succeeds_where_the_corrected_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, mut ours) = attack(folder.path(), &["--variant", "min-norm"]);
    assert!(summary.starts_with("tkmia (min-norm), k = 3"), "{summary}");
    for name in ["forward", "backward"] {
        let passes = ours.vector::<i64>(name);
        assert!(passes.iter().all(|&passes| passes <= 40), "{name}: {passes}");
    }
    let mut corrected = attack(folder.path(), &["--lr", "1e-2"]).1;
    let [ours, theirs] = [&mut ours, &mut corrected].map(|npz| npz.vector::<u8>("success"));
    assert!(theirs.iter().any(|&success| success == 1));
    assert!(ours.iter().zip(&theirs).all(|(ours, theirs)| ours >= theirs), "{ours} {theirs}");
}
