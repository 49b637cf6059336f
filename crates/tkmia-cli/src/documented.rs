//! Every command that the documentation shows is one that this version has, with options that it has.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

/// The commands of the code blocks of a page, each with the number of its line.
fn commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let (mut found, mut in_block, mut begun) = (Vec::new(), false, None::<(usize, String)>);
    let is_of_shell = |language: &str| ["sh", "console"].contains(&language);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            in_block = is_of_shell(language);
            continue;
        }
        let line = line.strip_prefix("$ ").unwrap_or(line);
        let (at, whole) = match begun.take() {
            Some((at, before)) => (at, format!("{before} {line}")),
            None if in_block && line.starts_with("tkmia ") => (number, line.to_owned()),
            None => continue,
        };
        match whole.strip_suffix('\\') {
            Some(part) => begun = Some((at, part.to_owned())),
            None => {
                let words = shlex::split(&whole).expect("the quotes of a command are closed");
                // What follows is for the shell.
                let own = |word: &String| !["|", ">", "&&", "&"].contains(&word.as_str());
                found.push((at, words.into_iter().take_while(own).collect()));
            }
        }
    }
    found
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let book = fs::read_dir(root.join("docs/src")).expect("the book is there");
    let book = book.map(|entry| entry.expect("the folder can be read").path());
    let pages = book.filter(|path| path.extension().is_some_and(|it| it == "md"));
    pages.chain([root.join("README.md"), root.join("benches/README.md")]).collect()
}

#[test]
fn every_documented_command_can_be_given() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page is text");
        for (line, words) in commands(&text) {
            checked += 1;
            // Left out, or the shell's.
            if words.iter().any(|word| word == "…" || word.starts_with('$')) {
                continue;
            }
            if let Err(error) = crate::Cli::try_parse_from(&words)
                && error.use_stderr()
            {
                wrong.push(format!("{}:{line}: {words:?}: {error}", page.display()));
            }
        }
    }
    assert!(checked > 50, "{checked}");
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    let page = "tkmia no block\n```sh\ntkmia a 'b c' \\\n    --d   # why\ncargo x\ntkmia e | tkmia f\n```\n";
    let [(3, first), (6, second)] = &commands(page)[..] else { panic!("{:?}", commands(page)) };
    assert_eq!(first, &["tkmia", "a", "b c", "--d"]);
    assert_eq!(second, &["tkmia", "e"]);
}
