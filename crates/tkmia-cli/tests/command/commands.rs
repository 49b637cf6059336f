//! A victim behind a command: scores alone, by what `--command` and `[victim] command` name.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::shell::{self, Npz};

/// The small victim, behind the command itself.
fn answering() -> Vec<String> {
    let [tkmia, model] = [env!("CARGO_BIN_EXE_tkmia").into(), shell::victim()];
    [&tkmia, Path::new("answer"), Path::new("--model"), &model]
        .map(|word| word.to_str().unwrap().to_owned())
        .into()
}

/// A subcommand with the recorded input, on the victim behind `command`.
fn on(command: &str, subcommand: &str) -> Command {
    let mut tkmia = shell::tkmia();
    tkmia.args([subcommand, "--command", command, "--input-size", "32", "--range", "-1..1"]);
    tkmia.arg("--input").arg(shell::golden("tkmia-corrected-k3", "input.npz"));
    tkmia
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

const SQUARE: [&str; 8] =
    ["--k", "3", "--method", "square", "--radius", "4", "--max-iterations", "30"];

#[test]
fn an_attack_by_scores_is_the_same_as_on_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let [by_file, by_command] = ["file.npz", "command.npz"].map(|name| folder.path().join(name));
    let input = shell::golden("tkmia-corrected-k3", "input.npz");
    let expected = shell::run(shell::attack(&input, &by_file).args(SQUARE));
    let mut command = on(&quoted(&answering()), "attack");
    command.args(SQUARE).args(["--batch-size", "2", "--output"]).arg(&by_command);
    assert_eq!(shell::run(&mut command), expected);
    let [mut file, mut command] = [&by_file, &by_command].map(|path| Npz::open(path));
    assert_eq!(file.images("adversarial"), command.images("adversarial"));
    assert_eq!(file.matrix("scores"), command.matrix("scores"));
    let forward = command.vector::<i64>("forward");
    assert_eq!(file.vector::<i64>("forward"), forward);
    assert!(forward.iter().any(|&queries| queries == 30), "{forward}");
}

#[test]
fn scores_are_those_of_the_file_and_gradients_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.npz");
    let command = quoted(&answering());
    shell::run(on(&command, "scores").arg("--output").arg(&output));
    let found = Npz::open(&output).matrix("scores");
    let mut on_file = shell::tkmia();
    on_file.args(["scores", "--model"]).arg(shell::victim());
    on_file.arg("--input").arg(shell::golden("tkmia-corrected-k3", "input.npz"));
    shell::run(on_file.arg("--output").arg(&output));
    assert_eq!(found, Npz::open(&output).matrix("scores"));
    fs::remove_file(&output).unwrap();

    for method in [&["--variant", "min-norm"][..], &["--method", "kfool"], &[]] {
        let mut attack = on(&command, "attack");
        let says = shell::fail(attack.args(["--k", "3", "--output"]).arg(&output).args(method));
        assert!(says.contains("the attack needs gradients, and the classifier gives scores alone: expected square or auto"), "{says}");
    }
    let mut auto = on(&command, "attack");
    auto.args(["--k", "3", "--method", "auto", "--max-iterations", "20", "--output"]).arg(&output);
    shell::run(&mut auto);
    assert!(Npz::open(&output).vector::<i64>("backward").iter().all(|&passes| passes == 0));
    let says = shell::run(&mut {
        let mut check = on(&command, "check-attack");
        check.args(["--k", "3", "--method", "square", "--max-iterations", "300", "--radius", "30"]);
        check
    });
    assert!(says.ends_with("passed\n"), "{says}");
}

#[test]
fn a_program_that_fails_under_way_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.npz");
    let script =
        "for batch in 1 2 3 4; do read n c h w && head -c $((4 * n * c * h * w)) > /dev/null
        for image in $(seq $n); do echo $(seq 20); done; done; echo no quota left >&2; exit 7";
    let command = format!("sh -c '{script}'");
    let mut attack = on(&command, "attack");
    let says = shell::fail(attack.args(SQUARE).args(["--workers", "1", "--output"]).arg(&output));
    assert!(says.contains("no quota left\n"), "{says}");
    assert!(says.contains("`sh -c 'for batch in 1 2 3 4;"), "{says}");
    assert!(says.contains("found those of 0 when it ended (exit status: 7)"), "{says}");
    assert!(!output.exists() && !shell::has_partial(folder.path()));

    let both = shell::fail(
        shell::attack(Path::new("in.npz"), &output).args(["--command", "python score.py"]),
    );
    assert!(both.contains("cannot be used with"), "{both}");
    let neither = shell::fail(
        shell::tkmia().args(["attack", "--input", "in.npz", "--k", "3", "--output", "out.npz"]),
    );
    assert!(neither.contains("--model <FILE>"), "{neither}");
    let open = shell::fail(&mut on("python 'score.py", "scores"));
    assert!(open.contains("expected quotes that are closed"), "{open}");
}

#[test]
fn an_experiment_names_a_command_and_goes_on_with_the_same_only() {
    let folder = tempfile::tempdir().unwrap();
    let text = |victim: &str| {
        format!(
            "title = 'By scores'\n[victim]\n{victim}\ninput-size = 32\nrange = '-1..1'\n[data]\nkind = 'voc-2012'\nroot = 'ROOT'\nsplit = 'val'\n\
             [budget]\nsamples = 4\ndraws = 1\n[[table]]\nscheme = 'random'\nspecified = [1]\nk = [3]\n\
             [[method]]\nname = 'square'\nradius = 4\nmax-iterations = 20\n"
        )
    };
    let records = |victim: &str, output: &str| {
        shell::write_experiment(folder.path(), &text(victim));
        let output = folder.path().join(output);
        let mut run = shell::tkmia();
        run.arg("run").arg(folder.path().join("experiment.toml")).arg("--output").arg(&output);
        shell::run(&mut run);
        let records = fs::read_to_string(output.join("records.jsonl")).unwrap();
        let mut records: Vec<serde_json::Value> =
            records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        records.iter_mut().for_each(|record| record["seconds"] = 0.into());
        records
    };
    let command = format!("command = {:?}", answering());
    let by_command = records(&command, "command");
    assert_eq!(by_command.len(), 4);
    assert_eq!(by_command, records("model = 'MODEL'", "file"));

    let run = |victim: &str| {
        shell::write_experiment(folder.path(), &text(victim));
        let mut run = shell::tkmia();
        run.arg("run").arg(folder.path().join("experiment.toml"));
        run.arg("--output").arg(folder.path().join("command"));
        shell::fail(&mut run)
    };
    assert!(run("model = 'MODEL'").contains("victim.sha256: "));
    let both = run(&format!("model = 'MODEL'\n{command}"));
    assert!(both.contains("expected `model` or `command`, found both"), "{both}");

    // A program that rewrites itself when it is asked: its records would be of one that is no longer there.
    let script = folder.path().join("score.sh");
    fs::write(&script, format!("echo '# asked' >> \"$0\"\nexec {}\n", quoted(&answering())))
        .unwrap();
    let changing = run(&format!("command = ['sh', {script:?}]"));
    assert!(
        changing.contains("score.sh: changed while it was read: expected SHA-256"),
        "{changing}"
    );
}
