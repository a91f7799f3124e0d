//! Architecture tests: the imports between top-level modules, the import cycles between files, the size of files, and
//! the names in use.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules from the bottom up, and the parts of `cli` with imports of their own: only `cli::demo` may
/// import `local`. Each may import only the modules listed with it, all of which come earlier in the table.
const MODULES: [(&str, &[&str]); 20] = [
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
    ("cli::link", &["aws", "change", "config", "event", "path"]),
    ("cli::aws", &["aws", "change", "cli::link", "path"]),
    ("cli::terminal", &["change", "plan"]),
    ("cli::config_json", &["change", "path"]),
    ("cli::keys", &["change"]),
    ("cli::input", &["change", "cli::keys"]),
    (
        "cli::demo",
        &["change", "cli::config_json", "cli::input", "cli::keys", "cli::terminal", "config", "local", "path", "plan"],
    ),
    (
        "cli",
        &[
            "aws",
            "change",
            "cli::aws",
            "cli::config_json",
            "cli::demo",
            "cli::input",
            "cli::keys",
            "cli::link",
            "cli::terminal",
            "collapse",
            "config",
            "event",
            "handler",
            "path",
            "plan",
            "report",
            "send",
        ],
    ),
];

/// Modules that use no clock, environment, files, network or log, and no `async`.
const PURE: [&str; 5] = ["change", "path", "event", "collapse", "plan"];

/// What pure code does not contain. `std::{…}` is forbidden because it would hide the modules in it.
const EFFECTS: [&str; 16] = [
    "std::{",
    "std::time",
    "::now",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "print!(",
    "println!(",
    "fastrand",
    "tokio",
    "tracing::",
    "async ",
    ".await",
];

/// The directories in which SDK crates may be named: the adapters of the function and those of the command line.
const ADAPTERS: [&str; 2] = ["src/aws", "src/cli/aws"];

/// The most lines of code in a file. Unit tests, blank lines and comments do not count.
const MAX_LINES: usize = 500;

/// Former names of things. No identifier may be one of them or contain one as a word, nor any comment in `src`.
const RETIRED: &str = "\
    amiss blind bounded_answer collateral course crowd doubtful extent failed_too gathered gathering hollow is_told judge \
    learnt lets_through lister lives misplaced moment pace patience piece place places planned_invalidation recall relax \
    reworded rig route router settle settled sight sighting sights standin stock strand strands survey surveyed surveyor \
    tally tenure terrain trigger ttl_cache unrouted unseen unsettled verdict view wanted ways wish";

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

/// A file without its unit tests and comments.
fn code(text: &str) -> String {
    let mut code = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            // The module ends with the first brace that closes at the start of a line.
            assert!(lines.next().unwrap().contains("mod ") && lines.any(|line| line == "}"), "{text}");
        } else if !line.trim_start().starts_with("//") {
            code.push(line);
        }
    }
    code.join("\n")
}

/// The entry of [`MODULES`] that a module path belongs to, the most specific one: `event::s3` is in `event`.
fn listed_module(path: &[String]) -> Option<&'static str> {
    (1..=path.len()).rev().find_map(|length| {
        let prefix = path[..length].join("::");
        MODULES.iter().map(|(name, _)| *name).find(|name| *name == prefix)
    })
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

/// Every path in the code of a file that starts with `crate`, `self`, `super` or one of the file's own modules, as
/// segments. Imports with braces are expanded.
fn paths(code: &str) -> Vec<Vec<String>> {
    let modules = code.lines().filter_map(|line| line.rsplit_once("mod ")?.1.strip_suffix(';'));
    ["crate", "super", "self"].into_iter().chain(modules).flat_map(|first| paths_from(code, first)).collect()
}

/// Every path in the code whose first segment is `first`.
fn paths_from(code: &str, first: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&format!("{first}::")) {
        let before = code[..at].chars().next_back();
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
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

/// The re-exports of a file, and the rest of its code.
fn split_re_exports(code: &str) -> (String, String) {
    let (mut re_exports, mut rest) = (String::new(), String::new());
    let mut in_re_export = false;
    for line in code.lines() {
        let starts = |prefix: &&str| line.trim_start().starts_with(*prefix);
        in_re_export |= ["pub use ", "pub(crate) use ", "pub(super) use "].iter().any(starts);
        let part = if in_re_export { &mut re_exports } else { &mut rest };
        part.push_str(line);
        part.push('\n');
        in_re_export &= !line.contains(';');
    }
    (re_exports, rest)
}

/// The files that each file imports. An item that a module re-exports under its own name counts as an import of the
/// file that defines it.
fn imports() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let sources: BTreeMap<_, _> = sources("src").into_iter().filter(|(path, _)| !is_program(path)).collect();
    let files: BTreeMap<_, _> = sources.keys().map(|path| (module(path), path.clone())).collect();
    let mut re_exports: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (path, text) in &sources {
        for from in paths(&split_re_exports(&code(text)).0) {
            let from = absolute(&from, &module(path));
            let name = from.last().unwrap().clone();
            re_exports.insert(module(path).into_iter().chain([name]).collect(), from);
        }
    }
    let defining = |mut path: Vec<String>| {
        // The longest part of the path that is re-exported is replaced by what it stands for, until no part is.
        while let Some((length, from)) = (1..=path.len()).rev().find_map(|length| {
            let part = &path[..length];
            Some((length, re_exports.get(part).filter(|from| !from.starts_with(part))?))
        }) {
            path.splice(..length, from.iter().cloned());
        }
        (0..=path.len()).rev().find_map(|length| files.get(&path[..length])).cloned()
    };
    let mut imports = BTreeMap::new();
    for (path, text) in &sources {
        let code = code(text);
        let (_, own) = split_re_exports(&code);
        let mut named: Vec<_> = paths(&own).iter().map(|it| absolute(it, &module(path))).collect();
        // What is named through a module that was imported: `order::ScanOrder` after `use super::order`.
        let imported: Vec<_> = named.iter().filter(|it| files.contains_key(*it) && !it.is_empty()).cloned().collect();
        for module in imported {
            let paths = paths_from(&own, module.last().unwrap());
            named.extend(paths.iter().map(|it| [module.as_slice(), &it[1..]].concat()));
        }
        let others: BTreeSet<_> = named.into_iter().filter_map(defining).filter(|other| other != path).collect();
        imports.insert(path.clone(), others);
    }
    imports
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
    for (index, (module, allowed)) in MODULES.iter().enumerate() {
        for imported in *allowed {
            assert!(
                MODULES[..index].iter().any(|(below, _)| below == imported),
                "{module} may import {imported}, which is not below it"
            );
        }
    }
    let allowed: BTreeMap<_, _> = MODULES.into_iter().collect();
    for (path, text) in sources("src") {
        if is_program(&path) {
            continue;
        }
        let Some(own) = listed_module(&module(&path)) else { panic!("{} is in no listed module", path.display()) };
        for used in paths(&code(&text)).iter().map(|used| absolute(used, &module(&path))) {
            let Some(imported) = listed_module(&used) else {
                panic!("{} imports crate::{}, which is in no listed module", path.display(), used.join("::"))
            };
            assert!(
                imported == own || allowed[own].contains(&imported),
                "{} imports crate::{}: {own} may not import {imported}",
                path.display(),
                used.join("::")
            );
        }
    }
}

#[test]
fn the_root_of_the_sources_fits_on_a_screen() {
    let entries = fs::read_dir(root().join("src")).unwrap().count();
    assert!(entries <= 15, "src has {entries} entries");
}

#[test]
fn no_files_import_each_other() {
    assert_eq!(import_cycles(), BTreeSet::new());
}

#[test]
fn only_the_adapters_name_an_sdk() {
    for (path, text) in sources("src") {
        if ADAPTERS.iter().any(|adapters| path.starts_with(adapters)) {
            continue;
        }
        for sdk in
            ["aws_sdk_", "aws_config", "aws_smithy", "aws_types", "aws_credential_types", "aws_runtime", "aws_sigv4"]
        {
            assert!(!text.contains(sdk), "{} names {sdk}", path.display());
        }
    }
}

#[test]
fn the_pure_side_knows_no_clock_and_no_environment() {
    for (path, text) in sources("src") {
        if !module(&path).first().is_some_and(|first| PURE.contains(&first.as_str())) {
            continue;
        }
        let code = code(&text);
        for effect in EFFECTS {
            assert!(!code.contains(effect), "{} has {effect}", path.display());
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        let lines = code(&text).lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines of code", path.display());
    }
    assert!(fs::read_to_string(root().join("src/main.rs")).unwrap().lines().count() <= 60);
}

/// The words of an identifier, in lower case between underscores: `_camel_case_` for `CamelCase`.
fn words(identifier: &str) -> String {
    let mut words = "_".to_owned();
    for c in identifier.chars() {
        if c.is_uppercase() && words.ends_with(|last: char| last.is_lowercase() || last.is_ascii_digit()) {
            words.push('_');
        }
        words.extend(c.to_lowercase());
    }
    words + "_"
}

#[test]
fn retired_words_stay_out_of_the_sources() {
    let retired: Vec<_> = RETIRED.split_whitespace().map(|word| format!("_{word}_")).collect();
    for (path, text) in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        if path == Path::new("tests/architecture.rs") {
            continue;
        }
        for line in text.lines().filter(|line| path.starts_with("src") || !line.trim_start().starts_with("//")) {
            // Every second part of a line between quotation marks is a text.
            let code: String = line.replace("'\"'", "").split('"').step_by(2).collect::<Vec<_>>().join(" ");
            for identifier in code.split(|c: char| !c.is_alphanumeric() && c != '_') {
                let words = words(identifier);
                let found = retired.iter().find(|word| words.contains(*word));
                assert_eq!(found, None, "{} names something {identifier}", path.display());
            }
        }
    }
}
