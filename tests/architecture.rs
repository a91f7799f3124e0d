//! Guards over the sources themselves: the direction of dependencies and the size of files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `directory`, by its path from the top.
fn sources(directory: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root()).unwrap().to_owned(), text);
            }
        }
    }
    assert!(!found.is_empty(), "{directory}");
    found
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// The module of the crate that a file belongs to: `src/event/key.rs` is `event`.
fn module(path: &Path) -> String {
    let first = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules of the crate that a text names after `crate::`.
fn uses(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split("crate::").skip(1).map(name).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn dependencies_point_one_way() {
    // Each module and what it may know of those before it. `text` is for all.
    let allowed: &[(&str, &[&str])] = &[
        ("text", &[]),
        ("moment", &[]),
        ("tally", &[]),
        ("backoff", &[]),
        ("cache", &[]),
        ("crowd", &[]),
        ("logging", &["moment"]),
        ("change", &[]),
        ("distribution", &[]),
        ("path", &["change"]),
        ("settings", &["change", "path"]),
        ("event", &["change", "distribution", "moment", "path"]),
        ("job", &["distribution", "event"]),
        ("collapse", &["path"]),
        ("route", &["change", "distribution", "path"]),
        ("reference", &["distribution", "path"]),
        ("view", &["change", "distribution", "path", "route", "settings"]),
        ("plan", &["change", "collapse", "distribution", "event", "path", "reference", "route", "view"]),
        ("ports", &["change", "distribution", "event", "job", "plan", "route", "settings"]),
        ("lookup", &["backoff", "cache", "ports", "tally"]),
        ("surveyor", &["cache", "change", "crowd", "distribution", "lookup", "ports", "route", "settings", "view"]),
        ("router", &["cache", "change", "crowd", "lookup", "ports", "route", "surveyor", "view"]),
        ("inventory", &["backoff", "ports", "tally"]),
        ("stock", &["change", "collapse", "distribution", "event", "inventory", "path", "plan", "settings", "view"]),
        ("lister", &["cache", "change", "inventory", "ports", "stock"]),
        ("report", &["distribution", "moment", "path", "plan", "ports"]),
        ("failure", &["change", "distribution", "event", "job", "ports", "report", "router"]),
        ("summary", &["change", "distribution", "event", "failure", "moment", "path", "report", "tally"]),
        ("metrics", &["moment", "summary"]),
        ("config", &["collapse", "distribution", "lookup", "ports", "route"]),
        (
            "app",
            &[
                "backoff",
                "cache",
                "change",
                "collapse",
                "config",
                "crowd",
                "distribution",
                "event",
                "failure",
                "job",
                "lister",
                "moment",
                "path",
                "plan",
                "ports",
                "reference",
                "report",
                "route",
                "router",
                "stock",
                "summary",
                "surveyor",
                "tally",
                "view",
            ],
        ),
        ("operator", &["change", "config", "distribution", "ports", "route", "settings"]),
        ("aws", &["change", "distribution", "event", "job", "operator", "path", "plan", "ports", "route", "settings"]),
        ("handler", &["app", "failure", "metrics", "ports", "report"]),
        ("local", &[]),
        (
            "cli",
            &[
                "app",
                "aws",
                "change",
                "collapse",
                "config",
                "distribution",
                "event",
                "failure",
                "local",
                "logging",
                "operator",
                "path",
                "ports",
                "report",
                "route",
                "settings",
                "view",
            ],
        ),
    ];
    for (place, (module, known)) in allowed.iter().enumerate() {
        for known in *known {
            assert!(
                allowed[..place].iter().any(|(before, _)| before == known),
                "{module} knows {known}, which is not before it"
            );
        }
    }
    let allowed: BTreeMap<_, _> = allowed.iter().copied().collect();
    for (path, text) in sources("src") {
        let module = module(&path);
        if ["lib", "main", "invalidator"].contains(&module.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(module.as_str()) else { panic!("{module} has no place in the direction") };
        for used in uses(without_tests(&text)) {
            let fine = used == module || used == "text" || allowed.contains(&used.as_str());
            assert!(fine, "{} uses crate::{used}", path.display());
        }
    }
}

#[test]
fn only_the_adapters_name_an_sdk() {
    for (path, text) in sources("src") {
        if module(&path) == "aws" {
            continue;
        }
        for sdk in ["aws_sdk_", "aws_config", "aws_smithy", "aws_types"] {
            assert!(!text.contains(sdk), "{} names {sdk}", path.display());
        }
    }
}

#[test]
fn the_pure_side_knows_no_clock_and_no_environment() {
    for (path, text) in sources("src") {
        if [
            "change",
            "collapse",
            "distribution",
            "event",
            "job",
            "path",
            "plan",
            "reference",
            "route",
            "settings",
            "text",
            "view",
        ]
        .contains(&module(&path).as_str())
        {
            for effect in ["std::time", "std::env", "std::fs", "std::net", "tokio", "tracing::", "async "] {
                assert!(!without_tests(&text).contains(effect), "{} has {effect}", path.display());
            }
        }
    }
}

#[test]
fn no_file_is_over_300_lines() {
    for (path, text) in ["src", "tests"].into_iter().flat_map(sources) {
        let lines = text.lines().count();
        assert!(lines <= 300, "{} has {lines} lines", path.display());
    }
    assert!(fs::read_to_string(root().join("src/main.rs")).unwrap().lines().count() <= 60);
}
