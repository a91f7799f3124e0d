//! What the documents refer to exists: files, links and commands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(name: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// Every Markdown file at the top level and, recursively, in `docs`, `.github` and `infra`, by its path from the
/// repository's root. The directories that tools create are left out.
pub(crate) fn documents() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut directories = vec![PathBuf::new(), "docs".into(), ".github".into(), "infra".into()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(root().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                let is_of_a_tool = name == "node_modules" || name.starts_with('.');
                if directory != Path::new("") && !is_of_a_tool {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.insert(path);
            }
        }
    }
    for expected in ["README.md", "docs/sources.md", ".github/SECURITY.md", "infra/cdk/README.md"] {
        assert!(found.contains(Path::new(expected)), "{expected} of {found:?}");
    }
    found
}

/// The lines of a document, each with the language of the code block that it is in, if it is in one.
pub(crate) fn lines(text: &str) -> Vec<(Option<&str>, &str)> {
    let mut block = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(language.trim()) };
        } else {
            lines.push((block, line));
        }
    }
    assert_eq!(block, None, "a block has no end");
    lines
}

/// A document without its code blocks.
pub(crate) fn prose(text: &str) -> String {
    let prose = lines(text).into_iter().filter(|(block, _)| block.is_none());
    prose.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

/// The inline code in a document's prose.
pub(crate) fn named(text: &str) -> Vec<String> {
    prose(text).split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The anchor of a heading, as links name it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_proof_of_every_promise_is_a_file() {
    let reliability = read("docs/reliability.md");
    let rows: Vec<_> = reliability.lines().filter(|line| line.ends_with(" |") && line.contains('`')).collect();
    let mut proofs = BTreeSet::new();
    for row in rows {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        proofs.extend(last.split('`').skip(1).step_by(2).filter(|name| name.contains('/')));
    }
    assert!(proofs.len() > 10, "{proofs:?}");
    for proof in proofs {
        let file = if proof.starts_with("src/") { root().join(proof) } else { root().join("tests").join(proof) };
        assert!(file.exists(), "{proof}");
    }
}

#[test]
fn every_link_between_the_documents_resolves() {
    let mut links = 0;
    for document in documents() {
        let from = document.display();
        for target in prose(&read(&document)).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let linked = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            assert!(root().join(&linked).exists(), "{from} links to {target}");
            if !heading.is_empty() {
                let text = read(&linked);
                let mut headings =
                    lines(&text).into_iter().filter(|(block, line)| block.is_none() && line.starts_with('#'));
                // terraform-docs names its anchors, and escapes the underscores in the links to them.
                let is_named = text.contains(&format!("<a name=\"{}\"></a>", heading.replace('\\', "")));
                assert!(is_named || headings.any(|(_, line)| slug(line) == heading), "{from} links to {target}");
            }
        }
    }
    assert!(links > 30, "{links}");
}

/// A path with a placeholder (`src/…`, `tests/fixtures/*`, `<target>`) is checked up to the placeholder.
#[test]
fn every_path_in_the_documents_exists() {
    let mut paths = 0;
    for document in documents() {
        for name in named(&read(&document)) {
            let Some(path) = name.split_whitespace().next() else { continue };
            if !["scripts/", "src/", "tests/", "infra/"].iter().any(|start| path.starts_with(start)) {
                continue;
            }
            paths += 1;
            let path = path.split(['…', '*', '<', '{', ':']).next().unwrap();
            assert!(root().join(path).exists(), "{} names {name}", document.display());
        }
    }
    assert!(paths > 50, "{paths}");
}

/// The commands of the command line, from the names of their variants.
fn commands() -> BTreeSet<String> {
    let source = read("src/cli/mod.rs");
    let variants = source.split("enum Command {").nth(1).unwrap().split("\n}").next().unwrap();
    let variants = variants.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    variants.filter_map(|line| Some(line.split_once('(')?.0.to_lowercase())).collect()
}

#[test]
fn every_command_in_the_documents_exists() {
    let commands = commands();
    assert_eq!(
        commands.iter().map(String::as_str).collect::<Vec<_>>(),
        ["completions", "demo", "invalidate", "link", "plan", "status", "unlink"]
    );
    let mut shown = BTreeSet::new();
    for document in documents() {
        let text = read(&document);
        let script = lines(&text).into_iter().filter(|(block, _)| matches!(block, Some("sh" | "bash")));
        for (_, line) in script {
            // A command stands at the start of a line or after one of these characters. Elsewhere the word may be a
            // function's name.
            let code = line.split(" #").next().unwrap();
            for command in code.split(['|', ';', '&', '(']) {
                let mut words = command.split_whitespace();
                let is_ours = words.next().is_some_and(|program| program.rsplit('/').next() == Some("invalidator"));
                let Some(name) = words.next().filter(|name| is_ours && !name.starts_with('-')) else { continue };
                assert!(commands.contains(name), "{} shows: {line}", document.display());
                shown.insert(name.to_owned());
            }
        }
    }
    assert!(shown.len() > 3, "{shown:?}");
}
