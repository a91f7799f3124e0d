//! Architecture tests: the imports between top-level modules, the import cycles between files, the size of files, and
//! the names in use.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules from the bottom up. Each may import only the modules listed with it, all of which come earlier
/// in the table.
const MODULES: [(&str, &[&str]); 13] = [
    ("change", &[]),
    ("path", &["change"]),
    ("event", &["change", "path"]),
    ("collapse", &["path"]),
    ("plan", &["change", "collapse", "path"]),
    ("aws", &["change", "event", "path", "plan"]),
    ("lookup", &["aws", "change", "path", "plan"]),
    ("send", &["aws", "change", "collapse", "lookup", "path", "plan"]),
    ("report", &["aws", "change", "event", "lookup", "path", "plan", "send"]),
    ("config", &["change", "collapse", "lookup", "path"]),
    ("handler", &["aws", "change", "collapse", "config", "event", "lookup", "path", "plan", "report", "send"]),
    ("local", &[]),
    ("cli", &["aws", "change", "collapse", "config", "event", "handler", "local", "path", "plan", "report", "send"]),
];

/// Modules that use no clock, environment, files, network or log, and no `async`.
const PURE: [&str; 5] = ["change", "path", "event", "collapse", "plan"];

/// The directories in which SDK crates may be named: the adapters of the function and those of the command line.
const ADAPTERS: [&str; 2] = ["src/aws", "src/cli/aws"];

/// The most lines of code in a file. Unit tests, blank lines and comments do not count.
const MAX_LINES: usize = 500;

/// Former names of things that now have the field's name.
const RETIRED: &str = "\
    Gathered Gathering Learnt Lister Lives Misplaced Moment Patience Piece Places PlannedInvalidation Route Router \
    RouteSettings Settled Sight Sighting Stock Strand Survey Surveyed Surveyor Terrain Trigger TtlCache Unseen \
    Wish World collateral crowd lets_through misplaced reworded standin strand tally tenure unrouted unseen \
    unsettled";

/// The known import cycles: groups of files that import each other, by path below `src`. A new cycle fails the test;
/// one that no longer exists must be removed from the list.
const IMPORT_CYCLES: [&[&str]; 4] = [
    &["cli/demo.rs", "cli/demo_tables.rs"],
    &["collapse/cost.rs", "collapse/lagrangian.rs", "collapse/lower_bounds.rs", "collapse/mod.rs", "collapse/trie.rs"],
    &["event/error.rs", "event/request.rs", "event/sources.rs"],
    &[
        "local/cloudfront.rs",
        "local/codepipeline.rs",
        "local/denial.rs",
        "local/distribution_config.rs",
        "local/fake_aws.rs",
        "local/listing.rs",
        "local/request.rs",
        "local/s3.rs",
    ],
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `directory`, by its path from the root of the repository.
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

/// The part of a file before its unit tests, without comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The top-level module that a file belongs to: `src/event/key.rs` is in `event`.
fn top_module(path: &Path) -> String {
    let first = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn is_program(path: &Path) -> bool {
    [Path::new("src/lib.rs"), Path::new("src/main.rs"), Path::new("src/cli/main.rs")].contains(&path)
}

/// The module path of a file: `src/lookup/keys/mod.rs` is `lookup::keys`.
fn module(path: &Path) -> Vec<String> {
    let path = path.strip_prefix("src").unwrap().with_extension("");
    let mut parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    parts.pop_if(|last| last == "mod");
    parts
}

/// Every path in the code that starts with `crate`, `self` or `super`, as segments. Imports with braces are expanded.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            expand(&code[at..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Adds one path, or a tree of paths, to `found` and returns the text after it.
fn expand<'c>(text: &'c str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'c str {
    let depth = before.len();
    let mut rest = text.trim_start();
    loop {
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside.trim_start();
            while !rest.starts_with('}') {
                rest = expand(rest, before, found).trim_start();
                rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
            before.truncate(depth);
            return &rest[1..];
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        before.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(more) if more.starts_with(|c: char| c.is_alphabetic() || c == '{' || c == '_') => rest = more,
            _ => break,
        }
    }
    found.push(before.clone());
    before.truncate(depth);
    // The rest of an import is an alias or a glob.
    let end = rest.find([',', '}', ';', '\n']).unwrap_or(rest.len());
    &rest[end..]
}

/// Resolves a path of `module` to one from the crate root.
fn absolute(path: &[String], module: &[String]) -> Vec<String> {
    let mut from: Vec<String> = if path[0] == "crate" { Vec::new() } else { module.to_vec() };
    let mut rest = path;
    while let Some((first, more)) = rest.split_first() {
        match first.as_str() {
            "super" => drop(from.pop()),
            "crate" | "self" => {}
            _ => break,
        }
        rest = more;
    }
    from.extend_from_slice(rest);
    from
}

/// The files that each file imports. An item that a module re-exports under its own name counts as an import of the
/// file that defines it.
fn imports() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let sources: BTreeMap<_, _> = sources("src").into_iter().filter(|(path, _)| !is_program(path)).collect();
    let files: BTreeMap<_, _> = sources.keys().map(|path| (module(path), path.clone())).collect();
    let mut re_exports: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (path, text) in &sources {
        let code = code(text);
        for declaration in code.split("\npub").skip(1).filter_map(|rest| rest.split_once("use ")) {
            let is_use = declaration.0.is_empty() || declaration.0.trim() == "(crate)" || declaration.0 == " ";
            let Some(tree) = declaration.1.split(';').next().filter(|_| is_use) else { continue };
            for from in paths(tree) {
                let from = absolute(&from, &module(path));
                let name = from.last().unwrap().clone();
                re_exports.insert(module(path).into_iter().chain([name]).collect(), from);
            }
        }
    }
    let defining = |path: Vec<String>| {
        let mut path = path;
        while let Some(from) = re_exports.get(&path).filter(|from| **from != path) {
            path.clone_from(from);
        }
        (0..=path.len()).rev().find_map(|length| files.get(&path[..length])).cloned()
    };
    let mut imports = BTreeMap::new();
    for (path, text) in &sources {
        let code = code(text);
        let own: String = code.split_inclusive(';').filter(|part| !is_re_export(part)).collect();
        let named = paths(&own).into_iter().filter_map(|it| defining(absolute(&it, &module(path))));
        let others: BTreeSet<_> = named.filter(|other| other != path).collect();
        imports.insert(path.clone(), others);
    }
    imports
}

fn is_re_export(part: &str) -> bool {
    let line = part.trim_start().lines().rfind(|line| line.contains("use ")).unwrap_or_default();
    line.starts_with("pub use ") || line.starts_with("pub(crate) use ")
}

/// The import cycles: groups of files that import each other, directly or through others.
fn import_cycles() -> BTreeSet<Vec<String>> {
    let imports = imports();
    let reachable = |from: &PathBuf| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(next) = open.pop() {
            open.extend(imports[next].iter().filter(|other| seen.insert((*other).clone())));
        }
        seen
    };
    let reach: BTreeMap<_, _> = imports.keys().map(|path| (path, reachable(path))).collect();
    let name = |path: &PathBuf| path.strip_prefix("src").unwrap().to_str().unwrap().to_owned();
    let cycle = |path: &PathBuf| {
        let both = reach[path].iter().filter(|other| reach[*other].contains(path));
        both.map(name).collect::<Vec<_>>()
    };
    imports.keys().filter(|path| reach[*path].contains(*path)).map(cycle).collect()
}

#[test]
fn modules_import_only_what_is_below_them() {
    for (index, (top, known)) in MODULES.iter().enumerate() {
        for known in *known {
            assert!(
                MODULES[..index].iter().any(|(below, _)| below == known),
                "{top} knows {known}, which is not below it"
            );
        }
    }
    let allowed: BTreeMap<_, _> = MODULES.into_iter().collect();
    for (path, text) in sources("src") {
        if is_program(&path) {
            continue;
        }
        let top = top_module(&path);
        let Some(allowed) = allowed.get(top.as_str()) else { panic!("{top} has no place in the direction") };
        for used in paths(&code(&text)).iter().map(|used| absolute(used, &module(&path))) {
            let used = used.first().unwrap();
            assert!(*used == top || allowed.contains(&used.as_str()), "{} uses crate::{used}", path.display());
        }
    }
}

#[test]
fn the_root_of_the_sources_fits_on_a_screen() {
    let entries = fs::read_dir(root().join("src")).unwrap().count();
    assert!(entries <= 15, "src has {entries} entries");
}

#[test]
fn files_that_import_each_other_are_known() {
    let known = IMPORT_CYCLES.iter().map(|cycle| cycle.iter().map(|&path| path.to_owned()).collect());
    assert_eq!(import_cycles(), known.collect::<BTreeSet<Vec<String>>>());
}

#[test]
fn only_the_adapters_name_an_sdk() {
    for (path, text) in sources("src") {
        if ADAPTERS.iter().any(|adapters| path.starts_with(adapters)) {
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
        if !PURE.contains(&top_module(&path).as_str()) {
            continue;
        }
        // `Timestamp` converts a system time; the clock is read by its caller.
        let text = if path.ends_with("change/timestamp.rs") { text.replace("std::time", "") } else { text };
        for effect in ["std::time", "std::env", "std::fs", "std::net", "tokio", "tracing::", "async "] {
            assert!(!code(&text).contains(effect), "{} has {effect}", path.display());
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in ["src", "tests"].into_iter().flat_map(sources) {
        let lines = code(&text).lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines of code", path.display());
    }
    assert!(fs::read_to_string(root().join("src/main.rs")).unwrap().lines().count() <= 60);
}

#[test]
fn retired_words_stay_out_of_the_sources() {
    let retired: BTreeSet<_> = RETIRED.split_whitespace().collect();
    for (path, text) in sources("src") {
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            assert!(!retired.contains(word), "{} says {word}", path.display());
        }
    }
}
