//! Every error that an input of a reader or an environment variable can cause: `tests/data/errors.json` has an input for
//! each, and the whole message. A message says what is wrong, where it is, why, and what to write instead. The tables of
//! the commands and of the function are those of `tests/function/error_table.rs`; no error is missing in all of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use s3_cloudfront_invalidator::cli::config_json;
use s3_cloudfront_invalidator::cli::keys::{LineOptions, read, read_aws_output};
use s3_cloudfront_invalidator::config::Config;
use s3_cloudfront_invalidator::event::{Event, Request, decode};
use s3_cloudfront_invalidator::path::{BucketDefaults, named_items};
use serde_json::Value;

/// The reader of an environment variable is this and its name.
const VARIABLE: &str = "variable ";

/// What reads an input, by the name in the table.
fn error(reader: &str, input: &str) -> Option<String> {
    let literal = LineOptions { literal: true, strip_prefix: None };
    let stripped = LineOptions { literal: false, strip_prefix: Some("site/".to_owned()) };
    match reader {
        "event" => match decode(input.as_bytes()) {
            Ok(Event::Changes(batch)) => batch.failed.first().map(ToString::to_string),
            Ok(Event::Job(job)) => job.request.err().map(|error| error.to_string()),
            Ok(_) => None,
            Err(error) => Some(error.reason()),
        },
        "whole event" => decode(input.as_bytes()).err().map(|error| error.to_string()),
        "parameters" => Request::parse_parameters(input).err().map(|error| error.to_string()),
        "path" => named_items([input]).err().map(|error| error.to_string()),
        "keys" => read(input.as_bytes(), false, &LineOptions::default()).err().map(|error| error.to_string()),
        "keys -z" => read(input.as_bytes(), true, &LineOptions::default()).err().map(|error| error.to_string()),
        "keys --strip-prefix" => read(input.as_bytes(), false, &stripped).err().map(|error| error.to_string()),
        "listing" => {
            let read = read(input.as_bytes(), false, &LineOptions::default());
            read.err().map(|error| error.without_lines().to_string())
        }
        "keys in hex" => {
            let bytes: Vec<_> =
                (0..input.len()).step_by(2).map(|at| u8::from_str_radix(&input[at..at + 2], 16).unwrap()).collect();
            read(&bytes, false, &LineOptions::default()).err().map(|error| error.to_string())
        }
        "keys --lines" => read(input.as_bytes(), false, &literal).err().map(|error| error.to_string()),
        "sync" => match read_aws_output(input.as_bytes()) {
            Ok(list) => list.uncertain.first().map(|line| line.reason.clone()),
            Err(error) => Some(error.to_string()),
        },
        "config" => config_json::parse(input).err().map(|error| format!("{error:#}")),
        reader if let Some(variable) = reader.strip_prefix(VARIABLE) => {
            let lookup = |name: &str| (name == variable).then(|| input.to_owned());
            Config::from_lookup(lookup).err().map(|error| error.to_string())
        }
        tag => {
            let tags = [("distributionId", "E1"), (tag, input)].map(|(tag, value)| (tag.to_owned(), value.to_owned()));
            let defaults = BucketDefaults { distribution_tag: "distributionId".into(), index_documents: Vec::new() };
            defaults.parse(&BTreeMap::from(tags)).err().map(|error| error.to_string())
        }
    }
}

fn table() -> Vec<[String; 3]> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/errors.json")).unwrap();
    let table: Vec<BTreeMap<String, String>> = serde_json::from_str(&text).unwrap();
    table.into_iter().map(|row| ["reader", "input", "message"].map(|column| row[column].clone())).collect()
}

#[test]
fn every_input_has_its_message() {
    let mut wrong = Vec::new();
    for [reader, input, message] in table() {
        let actual = error(&reader, &input);
        if actual.as_deref() != Some(&*message) {
            wrong.push(serde_json::json!({ "reader": reader, "input": input, "message": actual }));
        }
    }
    assert!(wrong.is_empty(), "{}", Value::from(wrong));
}

#[test]
fn every_variable_has_an_error_in_the_table() {
    let read = RefCell::new(BTreeSet::new());
    Config::from_lookup(|variable| {
        read.borrow_mut().insert(variable.to_owned());
        None
    })
    .unwrap();
    let in_table = table().into_iter().filter_map(|[reader, ..]| Some(reader.strip_prefix(VARIABLE)?.to_owned()));
    assert_eq!(in_table.collect::<BTreeSet<_>>(), read.into_inner());
}

/// The sources of errors that an input, an option, a variable, a tag or a missing permission can cause.
const SOURCES: [&str; 17] = [
    "src/change/text.rs",
    "src/cli/aws_args.rs",
    "src/cli/changes.rs",
    "src/cli/config.rs",
    "src/cli/config_json.rs",
    "src/cli/input.rs",
    "src/cli/invalidate.rs",
    "src/cli/keys/",
    "src/cli/plan.rs",
    "src/cli/recovery.rs",
    "src/config.rs",
    "src/event/",
    "src/handler/",
    "src/lookup/tags.rs",
    "src/path/",
    "src/report/failure.rs",
    "src/report/invocation_error.rs",
];

/// Texts of these sources that are no error in a table.
const OTHERS: [&str; 24] = [
    // Names of events, and what other programs print.
    "AWS API Call via CloudTrail",
    "Object Access Tier Changed",
    "Object Storage Class Changed",
    "Lambda Function Invocation Result",
    "warning: Provided s3 paths ",
    // Warnings, and parts of an output that is no error.
    "\" has no effect; ",
    "rename it to \"",
    " left out, because these cover them",
    " skipped: outside the origin path, served by other origins, or not cached.",
    "one path per object",
    "already invalidated by an earlier request (status not checked)",
    // Errors of a value that is checked before, so that no input has it; clap refuses a command without an input.
    "a function at origin-request is in front of this bucket",
    "a function at viewer-request is in front of this bucket",
    "a path must start with \"/\"",
    "\"%\" is not followed by two hex digits",
    "is not a cache policy ID (letters, digits and hyphens)",
    "is not a job ID (letters, digits and hyphens)",
    "is not the address of an object",
    "is not an invalidation ID (capital letters and digits)",
    "no input; specify --event, --keys, --sync or --paths",
    // Only a broken standard input, a function's ARN without account, or AWS causes these.
    "cannot read standard input",
    "the function's ARN does not contain the account ID",
    "the deadline passed before AWS responded",
    "; correct the paths",
];

fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = SOURCES.iter().flat_map(|path| {
        let path = root.join(path);
        if path.is_dir() { fs::read_dir(path).unwrap().map(|it| it.unwrap().path()).collect() } else { vec![path] }
    });
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The texts in a source of four words or more, each as the longest part between what is inserted into it.
fn sentences(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    // Help and log lines are no errors.
    let parts = [("#[arg(", ")]\n"), ("#[command(", ")]\n"), ("tracing::", ");")];
    let code = parts.iter().fold(code.join("\n"), |code, (start, end)| {
        let mut others = code.split(start);
        let first = others.next().unwrap_or_default().to_owned();
        first + &others.filter_map(|part| Some(part.split_once(end)?.1)).collect::<String>()
    });
    let code = code.replace("'\"'", "").replace("\\\"", "\u{1}");
    // Between two double quotes is a text, then code, then a text again.
    let texts = code.split('"').skip(1).step_by(2);
    let parts = texts.filter_map(|text| {
        // A backslash at the end of a line continues the text in the next one.
        let text = text.split("\\\n").map(|line| line.trim_start_matches(' ')).collect::<String>();
        let text = text.replace("{{", "\u{2}").replace("}}", "\u{3}").replace("\\\\", "\\");
        let text = text.replace("\\n", "\n");
        let parts = text.split('{').map(|part| part.split_once('}').map_or(part, |(_, part)| part).to_owned());
        let longest = parts.max_by_key(String::len).unwrap_or_default();
        (longest.split_whitespace().count() >= 4).then_some(longest)
    });
    parts.map(|part| part.replace('\u{1}', "\"").replace('\u{2}', "{").replace('\u{3}', "}")).collect()
}

/// The messages of all tables.
fn messages() -> Vec<String> {
    let tables = ["errors.json", "command-errors.json", "function-errors.json"].map(|table| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(table)).unwrap();
        serde_json::from_str::<Vec<Value>>(&text).unwrap()
    });
    tables.iter().flatten().map(|row| row["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_sentence_of_an_error_is_in_a_table() {
    let messages = messages();
    let missing: Vec<_> = sources()
        .into_iter()
        .flat_map(|source| sentences(&source))
        .filter(|sentence| !messages.iter().any(|message| message.contains(sentence.as_str())))
        .collect();
    let unknown: Vec<_> = missing.iter().filter(|text| !OTHERS.iter().any(|other| text.contains(other))).collect();
    assert!(unknown.is_empty(), "no row of a table causes these: {unknown:#?}");
    let unused: Vec<_> = OTHERS.iter().filter(|other| !missing.iter().any(|text| text.contains(**other))).collect();
    assert!(unused.is_empty(), "these are in a table, or in no source: {unused:#?}");
}
