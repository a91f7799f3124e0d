//! The commands, options and examples in the documents match what the command line does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli::plan::run;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The documents that mention the command line: the README and every Markdown file in `docs`.
fn documents() -> BTreeMap<String, String> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).unwrap();
    let files = files.map(|file| PathBuf::from("docs").join(file.unwrap().file_name()));
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let names = files.map(|file| file.to_str().unwrap().to_owned()).chain(["README.md".to_owned()]);
    let documents: BTreeMap<_, _> = names.map(|name| (name.clone(), read(&name))).collect();
    assert!(documents.len() > 10, "{:?}", documents.keys());
    documents
}

/// All text that may be a command: inline code, and the lines of shell code blocks.
fn code(text: &str) -> Vec<String> {
    let mut code = Vec::new();
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 0 {
            code.extend(part.split('`').skip(1).step_by(2).map(str::to_owned));
        } else if part.starts_with("sh\n") {
            code.extend(part.replace("\\\n", " ").lines().skip(1).map(str::to_owned));
        }
    }
    code
}

fn options(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.len() > 3 && word.starts_with("--"))
}

/// The options that the help of a command names.
fn known(command: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_invalidator")).args([command, "--help"]).output().unwrap();
    assert!(output.status.success(), "{command}");
    let help = String::from_utf8(output.stdout).unwrap();
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let known: BTreeSet<_> = lines
        .flat_map(|line| options(line.split("  ").next().unwrap()).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert!(known.contains("--help"), "{help}");
    known
}

#[test]
fn every_option_in_the_documents_exists() {
    let commands = ["demo", "invalidate", "link", "plan", "send", "status", "unlink"];
    let known: BTreeMap<_, _> = commands.into_iter().map(|command| (command, known(command))).collect();
    let mut shown = BTreeSet::new();
    for (document, text) in documents() {
        for code in code(&text) {
            for command in code.split(['|', ';', '&', '(']) {
                let mut words = command.split_whitespace();
                let is_ours = words.next().is_some_and(|program| program.rsplit('/').next() == Some("invalidator"));
                let name = words.next().unwrap_or_default();
                let Some(known) = known.get(name).filter(|_| is_ours) else { continue };
                for option in options(command) {
                    assert!(known.contains(option), "{document} shows: {command}");
                    shown.insert(format!("{name} {option}"));
                }
            }
        }
    }
    // The sections about one command also name options without the command.
    let page = read("docs/command-line.md");
    for section in page.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap();
        for option in code(section).iter().filter(|code| code.starts_with("--")).flat_map(|code| options(code)) {
            assert!(known[name].contains(option), "{name}: {option}");
            shown.insert(format!("{name} {option}"));
        }
    }
    assert!(shown.len() > 25, "{shown:?}");
}

/// Runs `plan` on these keys, with a distribution config if one is given, and returns its JSON output.
fn plan(keys: &str, config: Option<&str>, more: &[&str]) -> Value {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("documents-{}", fastrand::u64(..)));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("config.json");
    let mut arguments = vec!["--json", "--keys", "-"];
    if let Some(config) = config {
        fs::write(&file, config).unwrap();
        arguments.extend(["--bucket", "my-site", "--config", file.to_str().unwrap()]);
    }
    arguments.extend(more);
    let (success, printed, errors) = run(&arguments, &[], keys);
    fs::remove_dir_all(&directory).unwrap();
    assert!(success, "{errors}");
    serde_json::from_str(&printed).unwrap()
}

/// The config of a distribution with one S3 origin, as CloudFront returns it.
fn config(query_strings: bool) -> String {
    r#"{"Origins":{"Quantity":1,"Items":[{"Id":"s","DomainName":"my-site.s3.eu-central-1.amazonaws.com","OriginPath":""}]},
        "DefaultCacheBehavior":{"TargetOriginId":"s","ForwardedValues":{"QueryString":QUERY}}}"#
        .replace("QUERY", &query_strings.to_string())
}

fn paths(plan: &Value) -> BTreeSet<String> {
    serde_json::from_value(plan["invalidations"][0]["paths"].clone()).unwrap()
}

#[test]
fn the_documented_keys_become_the_paths_of_their_table() {
    let document = read("docs/distributions.md");
    let table = document.split("| key | paths | reason |\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<_> = table.lines().skip(1).collect();
    assert!(rows.len() > 5, "{rows:?}");
    for row in rows {
        let cells: Vec<_> = row.trim().split(" |").collect();
        let named = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
        let config = cells[2].contains("query strings").then(|| config(true));
        let [key] = &named(cells[0]).into_iter().collect::<Vec<_>>()[..] else { panic!("{row}") };
        assert_eq!(paths(&plan(key, config.as_deref(), &[])), named(cells[1]), "{row}");
    }
}

#[test]
fn the_documented_example_is_the_planned_result() {
    let document = read("docs/collapse.md");
    let example = document.split("\n### Example\n\n").nth(1).unwrap().split("\n\n").next().unwrap().replace('\n', " ");
    let images = (1..=12).flat_map(|month| (1..=5).map(move |number| format!("img/2024-{month:02}-{number}.jpg")));
    let images: Vec<_> = images.collect();
    for part in [format!("{} images", images.len()), format!("`/{}`", images[0]), format!("`/{}`", images[59])] {
        assert!(example.contains(&part), "{part}: {example}");
    }
    let keys = format!("a b/index.html\n{}\n", images.join("\n"));
    let config = config(false);
    let all = paths(&plan(&keys, Some(&config), &["--max-paths", "3000"])).len();
    assert!(example.contains(&format!("{all} paths exceed the limit of 30")), "{all}: {example}");
    // No other object has a key that starts with `img/2024-`.
    let listing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documented-example.txt");
    fs::write(&listing, format!("{keys}img/2023-12-5.jpg\nabout.html\n")).unwrap();
    let planned = plan(&keys, Some(&config), &["--listing", listing.to_str().unwrap()]);
    assert_eq!(planned["invalidations"][0]["unchangedEvicted"], 0, "no unchanged object is evicted: {planned}");
    let paths = paths(&planned);
    assert_eq!(paths.len(), 3, "{planned}");
    for path in &paths {
        assert!(example.contains(&format!("`{path}`")), "{path}: {example}");
    }
    let price =
        format!("sends three paths, which cost ${:.3}", planned["invalidations"][0]["costUsd"].as_f64().unwrap());
    assert!(example.contains(&price), "{price}: {example}");
}
