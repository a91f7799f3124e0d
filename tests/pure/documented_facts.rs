//! What the documents say of the code is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use s3_cloudfront_invalidator::aws::{CallError, ErrorClass};
use s3_cloudfront_invalidator::change::DistributionId;
use s3_cloudfront_invalidator::event::Request;
use s3_cloudfront_invalidator::report::Failure;
use serde_json::Value;

use crate::document_links::{documents, lines, named, prose, read, root};

/// The inline code in a text without code blocks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A section of a document: from a heading to the next one of the same level.
fn section(document: &str, heading: &str) -> String {
    let text = read(document);
    let rest = text.split(&format!("\n{heading}\n")).nth(1).unwrap_or_else(|| panic!("{document} has no {heading}"));
    let rank = heading.split(' ').next().unwrap();
    rest.split(&format!("\n{rank} ")).next().unwrap().to_owned()
}

/// The first cells of the first table in a text, without its header.
fn first_cells(text: &str) -> Vec<String> {
    let rows = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|')).map(|row| row.split(" | ").next().unwrap().to_owned()).collect()
}

/// The fields that a request may have, as its error message lists them.
fn fields() -> BTreeSet<String> {
    let error = Request::parse(r#"{"other":1}"#).unwrap_err().to_string();
    error.split("the fields are ").nth(1).unwrap().split(';').next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn every_request_in_the_documents_is_accepted() {
    let fields = fields();
    let mut shown = 0;
    for document in documents() {
        let text = read(&document);
        let mut candidates = named(&text);
        candidates.extend(text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()));
        candidates.extend(text.split("--payload '").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned()));
        for candidate in candidates {
            let first = candidate.trim_start().strip_prefix('{').and_then(|rest| rest.trim_start().strip_prefix('"'));
            let first = first.and_then(|rest| rest.split('"').next());
            if !first.is_some_and(|name| fields.contains(name)) {
                continue;
            }
            // A reader replaces these placeholders.
            let filled = candidate.replace("\"E…\"", "\"E2EXAMPLE1ABCD\"").replace("\"…\"", "\"my-site\"");
            let parsed = Request::parse(&filled);
            assert!(parsed.is_ok(), "{}: {candidate}: {parsed:?}", document.display());
            shown += 1;
        }
    }
    assert!(shown >= 5, "{shown}");
    let table = first_cells(&section("docs/sources.md", "## CodePipeline"));
    assert_eq!(table.iter().flat_map(|cell| quoted(cell)).collect::<BTreeSet<_>>(), fields);
}

/// The string literals of a source that consist of words with hyphens between them, as codes do.
fn literal_codes(source: &str) -> BTreeSet<String> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let is_code = |text: &&str| text.contains('-') && text.split('-').all(is_word);
    source.split('"').filter(is_code).map(str::to_owned).collect()
}

/// The names of the classes of failed calls.
fn class_names() -> BTreeSet<String> {
    let source = read("src/aws/response.rs");
    let body = source.split("pub fn name(self)").nth(1).unwrap().split("\n    }\n").next().unwrap();
    let names: BTreeSet<_> = body.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(names.len() > 5, "{names:?}");
    names
}

/// The codes of failures that are not composed of a step and a class.
fn whole_codes() -> BTreeSet<String> {
    let files =
        ["src/report/failure.rs", "src/report/mod.rs", "src/report/invocation_error.rs", "src/cli/invalidate.rs"];
    let codes: BTreeSet<_> = files.iter().flat_map(|file| literal_codes(&read(file))).collect();
    assert!(codes.len() > 6, "{codes:?}");
    codes
}

/// Every code that a failure can have.
fn codes() -> BTreeSet<String> {
    let names = class_names();
    let source = read("src/report/failure.rs");
    let steps: Vec<_> = source.split("Self::of_call(\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
    assert!(steps.len() > 2, "{steps:?}");
    let class = |name: &String| steps.iter().map(|step| format!("{step}-{name}")).collect::<Vec<_>>();
    let mut codes: BTreeSet<_> = names.iter().flat_map(class).collect();
    let error = CallError { class: ErrorClass::NotFound, message: String::new() };
    let distribution = DistributionId::new("E2EXAMPLE1ABCD").unwrap();
    assert!(codes.contains(&Failure::wait(&distribution, &error).code), "{codes:?}");
    codes.extend(whole_codes());
    codes
}

#[test]
fn documented_codes_and_alarms_exist() {
    let codes = codes();
    let operations = prose(&read("docs/operations.md"));
    let alarms = prose(&section("docs/operations.md", "## Alarms"));
    let listed = prose(&section("docs/json.md", "## Failure codes"));
    let mut documented = BTreeSet::new();
    for name in quoted(&operations).into_iter().chain(quoted(&listed)) {
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
        if let Some(class) = name.strip_prefix("…-") {
            assert!(codes.iter().any(|code| code.ends_with(&format!("-{class}"))), "{name}");
        } else if name.contains('-') && name.split('-').all(is_word) {
            assert!(codes.contains(&name), "{name} is none of {codes:?}");
            documented.insert(name);
        }
    }
    assert!(documented.len() > 8, "{documented:?}");
    let listed = quoted(&listed);
    for code in whole_codes() {
        assert!(listed.contains(&code), "{code}");
    }
    for class in class_names() {
        assert!(listed.contains(&format!("…-{class}")), "{class}");
    }

    let template = read("infra/cloudformation/template.yaml");
    let made = template.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix("Alarm:"));
    let made: BTreeSet<_> = made.map(|name| format!("{name}Alarm")).collect();
    let headings = alarms.split("\n### ").skip(1).map(|rest| rest.lines().next().unwrap().to_owned());
    assert_eq!(headings.collect::<BTreeSet<_>>(), made);
    for document in documents() {
        let text = read(&document);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        for word in words.filter(|word| word.len() > 5 && word.ends_with("Alarm") && !word.ends_with("MetricAlarm")) {
            assert!(made.contains(word), "{}: {word}", document.display());
        }
    }
}

#[test]
fn the_codes_and_states_of_status_are_documented() {
    let sources = sources();
    let files = sources.iter().filter(|(path, _)| path.starts_with("cli/link/status"));
    let source: String = files.map(|(_, text)| text.as_str()).collect();
    let page = section("docs/json.md", "## Status");
    let problems = page.split("\n### Problem codes\n").nth(1).unwrap();
    let (own, classes) = problems.split_once("\n| class |").unwrap();
    let documented = |table: &str| first_cells(table).iter().flat_map(|cell| quoted(cell)).collect::<BTreeSet<_>>();
    assert_eq!(documented(own), literal_codes(&source));
    assert_eq!(documented(classes), class_names());

    let states = quoted(page.split("\n### States\n").nth(1).unwrap().split("\n### ").next().unwrap());
    let calls = source.split("Check::ok(").chain(source.split("::problem("));
    let literals = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    let set: BTreeSet<_> = literals.map(str::to_owned).collect();
    assert!(set.len() > 10, "{set:?}");
    assert!(set.is_subset(&states), "{set:?} {states:?}");
}

/// The value of a constant in a source, as a document shows it.
fn constant(file: &str, name: &str) -> String {
    let source = read(file);
    let rest = source.split(&format!("const {name}: usize = ")).nth(1).unwrap_or_else(|| panic!("{file}: no {name}"));
    rest.split(';').next().unwrap().replace(" * 1024", " KiB")
}

#[test]
fn the_documented_limits_of_lists_are_those_of_the_code() {
    let of_report = |name: &str| constant("src/report/mod.rs", name);
    let of_line = |name: &str| constant("src/report/logging.rs", name);
    let buckets = constant("src/send/sent.rs", "MAX_LISTED_BUCKETS");
    let page = section("docs/json.md", "## Limits of the lists");
    for (list, in_report, in_line) in [
        ("`failures`", of_report("LISTED_CODES"), of_line("LOGGED_CODES")),
        ("`skipped`", of_report("LISTED_CODES"), of_line("LOGGED_CODES")),
        ("`invalidations`", of_report("LISTED_INVALIDATIONS"), of_line("LOGGED_INVALIDATIONS")),
        ("`buckets`", buckets, of_line("LOGGED_BUCKETS")),
        ("`paths`", "no limit".to_owned(), of_line("LOGGED_PATHS")),
        ("length of all paths", of_report("LISTED_BYTES"), of_line("LOGGED_BYTES")),
    ] {
        let row = page.lines().find(|row| row.starts_with(&format!("| {list}"))).unwrap();
        assert!(row.ends_with(&format!(" | {in_report} | {in_line} |")), "{row}");
    }
    let fields = section("docs/json.md", "## Report and log line").replace(',', "");
    for field in ["failures[].message", "job.message"] {
        let row = fields.lines().find(|row| row.starts_with(&format!("| `{field}` |"))).unwrap();
        assert!(row.contains(&format!("at most {} characters", of_report("MESSAGE_LENGTH"))), "{row}");
    }
}

#[test]
fn the_security_page_lists_exactly_the_roles_statements() {
    let policy: Value = serde_json::from_str(&read("policy.json")).unwrap();
    let sids = policy["Statement"].as_array().unwrap().iter().map(|it| it["Sid"].as_str().unwrap().to_owned());
    let template = read("infra/cloudformation/template.yaml");
    let role = template.split("\n  Role:\n").nth(1).unwrap().split("\n  Queue:\n").next().unwrap();
    let own = role.split("Sid: ").skip(1).map(|rest| rest.split_whitespace().next().unwrap().to_owned());
    let expected: BTreeSet<_> = sids.chain(own).collect();
    let table = first_cells(&section("docs/security.md", "## The role, statement by statement"));
    let documented: BTreeSet<_> = table.iter().flat_map(|cell| quoted(cell)).collect();
    assert_eq!(documented, expected);
    let operator: Value = serde_json::from_str(&read("docs/operator-policy.json")).unwrap();
    let sids = operator["Statement"].as_array().unwrap().iter().map(|it| it["Sid"].as_str().unwrap().to_owned());
    let known: BTreeSet<_> = sids.collect();
    for name in quoted(&section("docs/security.md", "## The operator")) {
        let is_sid =
            name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphabetic());
        assert!(!is_sid || known.contains(&name), "{name} is none of {known:?}");
    }
}

/// The files in `src` with their content, by path from there.
fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root().join("src")).unwrap().to_owned(), text);
            }
        }
    }
    found
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|it| it == word)
}

/// Whether `owner`, a type or a module, has a function or a variant `name`.
fn is_defined(sources: &BTreeMap<PathBuf, String>, owner: &str, name: &str) -> bool {
    if owner.starts_with(|c: char| c.is_ascii_lowercase()) {
        let is_module = |path: &PathBuf| {
            path.components().any(|part| part.as_os_str().to_str().unwrap().trim_end_matches(".rs") == owner)
        };
        return sources.iter().any(|(path, text)| is_module(path) && text.contains(&format!("fn {name}")));
    }
    let is_its = |line: &str| line.trim_start().starts_with("impl") && has_word(line, owner);
    sources.values().any(|text| {
        let mut blocks = text
            .split("\nimpl")
            .skip(1)
            .map(|block| (block.split('{').next().unwrap(), block.split("\n}").next().unwrap()));
        let has_function = blocks.any(|(head, body)| {
            is_its(&format!("impl{head}")) && has_word(body, name) && body.contains(&format!("fn {name}"))
        });
        let variants = text.split(&format!("enum {owner} {{")).nth(1).map(|rest| rest.split("\n}").next().unwrap());
        has_function || variants.is_some_and(|body| has_word(body, name))
    })
}

#[test]
fn names_in_the_architecture_page_exist() {
    let sources = sources();
    let text = read("docs/architecture.md");
    let diagram = text.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let manifest = read("Cargo.toml");
    let template = read("infra/cloudformation/template.yaml");
    let mut paths = 0;
    let mut words = 0;
    let in_diagram = diagram.split(|c: char| c.is_whitespace() || "()".contains(c)).map(str::to_owned);
    for name in named(&text).into_iter().chain(in_diagram.filter(|word| word.contains("::"))) {
        let is_name = |it: &str| !it.is_empty() && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match name.split_once("::") {
            Some((owner, member)) if is_name(owner) && is_name(member) => {
                paths += 1;
                assert!(is_defined(&sources, owner, member), "{name}");
            }
            None if is_name(&name) => {
                words += 1;
                let is_module = sources.contains_key(&PathBuf::from(format!("{name}.rs")))
                    || root().join("src").join(&name).is_dir();
                assert!(
                    is_module
                        || sources.values().any(|text| has_word(text, &name))
                        || has_word(&manifest, &name)
                        || has_word(&template, &name),
                    "{name}"
                );
            }
            _ => {}
        }
    }
    assert!(paths > 15 && words > 40, "{paths} {words}");

    let library = read("src/lib.rs");
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let modules: BTreeSet<_> = modules.map(str::to_owned).collect();
    let cells = first_cells(&section("docs/architecture.md", "## What each module knows"));
    // A feature is named in parentheses after its module.
    let documented = cells.iter().flat_map(|cell| quoted(cell.split(" (").next().unwrap()));
    assert_eq!(documented.collect::<BTreeSet<_>>(), modules);

    let programs = first_cells(&section("docs/architecture.md", "## Programs and features"));
    let programs: BTreeSet<_> = programs.iter().flat_map(|cell| quoted(cell)).collect();
    let binaries = manifest.split("[[bin]]\nname = \"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    assert_eq!(programs, binaries.collect());
}

#[test]
fn bench_subcommands_are_listed_consistently() {
    let script = read("scripts/bench");
    let labels = script.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(')'));
    let labels = labels.filter(|label| label.chars().all(|c| c.is_ascii_lowercase() || " |".contains(c)));
    let labels: BTreeSet<_> = labels.flat_map(|label| label.split(" | ")).collect();
    assert!(labels.len() > 5, "{labels:?}");
    let usage = script.lines().find_map(|line| line.strip_prefix("# Measures: scripts/bench ")).unwrap();
    assert_eq!(usage.split('|').collect::<BTreeSet<_>>(), labels);
    let described = script.lines().filter_map(|line| line.strip_prefix("#   ")?.split("  ").next());
    assert_eq!(described.filter(|word| !word.is_empty()).collect::<BTreeSet<_>>(), labels);
    let contributing = read(".github/CONTRIBUTING.md");
    let row = contributing.lines().find(|line| line.starts_with("| measure |")).unwrap();
    let row: BTreeSet<_> = quoted(row);
    assert_eq!(row.iter().map(|word| word.trim_start_matches("scripts/bench ")).collect::<BTreeSet<_>>(), labels);
    for document in documents() {
        for (_, line) in lines(&read(&document)) {
            for rest in line.split("scripts/bench ").skip(1) {
                let word = rest.split(|c: char| !c.is_ascii_lowercase()).next().unwrap();
                assert!(
                    word.is_empty() || !line.contains(&format!("`scripts/bench {word}")) || labels.contains(word),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn the_readme_is_short() {
    let readme = read("README.md");
    assert!(readme.split_whitespace().count() <= 1500, "{} words", readme.split_whitespace().count());
    let long: Vec<_> = readme.lines().filter(|line| line.chars().count() > 120).collect();
    assert_eq!(long, [""; 0]);
}
