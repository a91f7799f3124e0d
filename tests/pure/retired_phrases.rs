//! Words that the product used before it spoke AWS's language stay out of what people read: documents, templates,
//! scripts, and the comments, messages and help texts in the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::document_links::{documents, read, root};

/// Phrases in lower case. A match is of whole words.
const RETIRED: [&str; 93] = [
    "--any-origin",
    "--function-gone",
    "--inventory",
    "--inventory-prefix",
    "--path-weight",
    "--settings",
    "answerpipelines",
    "backoff_milliseconds",
    "blind",
    "bucketsmayinvoke",
    "by hand",
    "campaign",
    "changes are ignored",
    "changes covered",
    "changes ignored",
    "changescovered",
    "changesignored",
    "come again",
    "comes again",
    "covered changes",
    "dead letters",
    "deadlettersalarm",
    "distribution settings",
    "distribution's settings",
    "distribution_settings",
    "distributionsettings",
    "evicts needlessly",
    "failedreasons",
    "fail for good",
    "failed for good",
    "fails for good",
    "fresh when",
    "furtherfailed",
    "furtherignored",
    "furtherinvalidations",
    "going back",
    "ignored by name",
    "ignored changes",
    "ignoredreasons",
    "inventory",
    "inventory_pages",
    "jobmessage",
    "keepfailures",
    "keeps cloudfront",
    "let in",
    "lets in",
    "looks after",
    "mend",
    "mended",
    "missing_tag_ttl_seconds",
    "needless",
    "needlessevictions",
    "needlessly",
    "old answers",
    "oldestchangeage",
    "oldestchangems",
    "path weight",
    "path_weight",
    "patience",
    "patient",
    "readdistributionsettings",
    "receivechanges",
    "remembered",
    "remembers",
    "s3 tells",
    "served-elsewhere",
    "servedelsewhere",
    "settings of a distribution",
    "settings of the distribution",
    "settingshits",
    "settingsmisses",
    "shows my-site below",
    "somebody",
    "stale answer",
    "stale answers",
    "stale_tag_seconds",
    "staleanswers",
    "stand-in",
    "stay fresh",
    "tag_ttl_seconds",
    "taghits",
    "tagmisses",
    "take back",
    "taken back",
    "takes back",
    "tell",
    "tells",
    "the real function",
    "things to mend",
    "told",
    "viewers see it",
    "whatchanged",
    "what it may do",
];

/// Files below `directory` with one of these extensions, without those that tools create.
fn files(directory: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if !(["node_modules", "cdk.out"].contains(&name.as_str()) || name.starts_with('.')) {
                    directories.push(path);
                }
            } else if path.extension().map_or(extensions.is_empty(), |it| extensions.iter().any(|one| it == *one)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{directory} {extensions:?}");
    found
}

/// A text as lower-case words between single spaces, with phrases that continue on the next line in one piece.
fn words(text: &str) -> String {
    let mut words = String::from(" ");
    for line in text.lines() {
        let line = line.trim_start().trim_start_matches(['/', '#', '!', '>', '*', '|']).trim_end_matches('\\');
        for word in line.to_lowercase().split(|c: char| !(c.is_alphanumeric() || "_-'".contains(c))) {
            let word = word.trim_matches('\'');
            if !word.is_empty() {
                words.push_str(word);
                words.push(' ');
            }
        }
    }
    words
}

#[test]
fn retired_phrases_stay_out_of_what_people_read() {
    let mut paths: Vec<_> = documents().into_iter().collect();
    paths.extend(files("src", &["rs"]));
    paths.extend(files("benches", &["rs"]));
    paths.extend(files("infra", &["yaml", "tf", "ts", "py"]));
    paths.extend(files("scripts", &[]));
    paths.extend(files("scripts/smoke.d", &["py"]));
    paths.extend(files(".github", &["yml", "yaml"]));
    paths.extend(["policy.json", "docs/operator-policy.json", "Cargo.toml", ".ci/run"].map(PathBuf::from));
    let retired: Vec<_> = RETIRED.iter().map(|phrase| format!(" {phrase} ")).collect();
    let mut found: BTreeMap<&Path, Vec<&str>> = BTreeMap::new();
    for path in &paths {
        // S3 Inventory is a product of AWS.
        let text = words(&read(path)).replace(" s3 inventory ", " ");
        let here: Vec<_> = retired.iter().filter(|phrase| text.contains(*phrase)).map(|phrase| phrase.trim()).collect();
        if !here.is_empty() {
            found.insert(path, here);
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(paths.len() > 150, "{}", paths.len());
}

#[test]
fn a_retired_phrase_is_found_across_lines_and_in_any_case() {
    let text = "/// What is Told by\n/// hand, `comes\\\n   again`; needless_word, re-told";
    let words = words(text);
    for phrase in [" told ", " by hand ", " comes again "] {
        assert!(words.contains(phrase), "{phrase}: {words}");
    }
    assert!(!words.contains(" needless ") && words.matches(" told ").count() == 1, "{words}");
}
