//! The book's pages are in its summary, and what they link to is there.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

/// The targets of a page's links, `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// A heading as mdBook and GitHub make an anchor of it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> Vec<String> {
    let mut in_block = false;
    let headings = text.lines().filter(move |line| {
        in_block ^= line.starts_with("```");
        !in_block && line.starts_with('#')
    });
    headings.map(anchor).collect()
}

#[test]
fn what_pages_link_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<_> =
        fs::read_dir(root.join("docs/src")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let summary = fs::read_to_string(root.join("docs/src/SUMMARY.md")).unwrap();
    for page in &pages {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name}");
    }
    pages.extend(
        ["README.md", "DESIGN.md", "CONTRIBUTING.md", "benches/README.md"]
            .map(|page| root.join(page)),
    );
    let mut wrong = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for target in links(&text) {
            let own = target.strip_prefix("https://github.com/tkmia/tkmia/blob/main/");
            if own.is_none() && target.contains("://") {
                continue;
            }
            let (path, part) = target.split_once('#').unwrap_or((target, ""));
            let file = match own {
                Some(_) => root.join(path.rsplit_once("/blob/main/").unwrap().1),
                None if path.is_empty() => page.clone(),
                None => page.parent().unwrap().join(path),
            };
            let found = file.exists()
                && (part.is_empty()
                    || anchors(&fs::read_to_string(&file).unwrap()).iter().any(|it| it == part));
            if !found {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row of the page on equations names what its file tells of.
#[test]
fn each_equation_is_where_the_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src");
    let page = fs::read_to_string(root.join("equations.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| Eq.") || line.starts_with("| Alg"));
    let rows: Vec<&str> = rows.collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let named = row.split('|').nth(1).unwrap();
        let file = links(row).next().unwrap();
        let text = fs::read_to_string(root.join(file)).unwrap();
        for equation in named.split(',').map(str::trim) {
            assert!(text.contains(equation), "{equation}: {file}");
        }
    }
}
