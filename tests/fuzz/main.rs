//! Fuzzing: properties that must hold for every input, however hostile, checked on inputs that are mutated at random.
//!
//! A target is a function over bytes (`targets`). Its corpus is in `tests/data/corpus/<target>/`, a file for each
//! behavior. `cargo test` replays the corpus and then tries some thousand inputs mutated from it, with a new seed each
//! time. `scripts/fuzz` runs the same tests for minutes. No check measures time; all of them count.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and a long run prints its progress"
)]

mod driver;
#[path = "../pure/edge_cache.rs"]
mod edge;
mod json_mutation;
mod mutate;
mod rules;
mod targets;
#[path = "../pure/whole_keys.rs"]
mod whole;

use driver::{Target, run};
use targets::{collapse, configs, events, grammar, keys, lists, logs, paths, tokens, urls};

/// Fragments of events, and JSON that parsers often get wrong.
const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "1e999",
    "-0",
    "123456789012345678901234567890",
    "\\u0000",
    "\\ud800",
    "\\u2028",
    "\"Records\":",
    "\"Records\":[],",
    "\"eventSource\":\"aws:s3\",",
    "\"eventSource\":\"aws:sqs\",",
    "\"EventSource\":\"aws:sns\",",
    "\"messageId\":\"\",",
    "\"Event\":\"s3:TestEvent\",",
    "\"CodePipeline.job\":",
    "\"requestPayload\":",
    "\"paths\":[\"/*\"],",
    "\"items\":[\"/*\"],",
    "\"keys\":[\"a\"],",
    "%",
    "%2",
    "%FF",
    "+",
    "\n",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
];

/// Fragments of keys, paths, tags, and lines of an input.
const TEXT: &[&str] = &[
    "/",
    "//",
    "../",
    "index.html",
    " ",
    "+",
    "%",
    "%2",
    "%20",
    "%2B",
    "%2A",
    "%7E",
    "%C3%A9",
    "%C3",
    "%FF",
    "~",
    "*",
    "?",
    "#",
    "&",
    ";",
    "=",
    ",",
    "é",
    "世",
    "\u{1f600}",
    "\u{301}",
    "\n",
    "\r",
    "\u{0}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{202e}",
    "\u{feff}",
    "\"",
    "\\",
    "'",
    "item /",
    "other ",
    "E2EXAMPLE1ABCD",
    "E1 ",
    "eu-central-1",
];

/// Fragments of key lists in all formats, and of outputs that are none.
const LISTS: &[&str] = &[
    "\n",
    "\r",
    "\r\n",
    "\u{0}",
    "\t",
    " ",
    "  ",
    "\"",
    "\\",
    "\\303\\251",
    "\\t",
    "\\u00e9",
    "[",
    "]",
    "{",
    "[id].html",
    "\",\"",
    "a.html",
    "é",
    "site/",
    "./",
    "s3://",
    "s3://my-site/",
    "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/ap/",
    " to ",
    " to s3://my-site/",
    "upload: ",
    "(dryrun) ",
    "copy: s3://",
    "move: s3://my-site/",
    "delete: s3://my-site/",
    "download: ",
    "upload failed: ",
    "Completed 1.0 KiB/~2.0 KiB (1.0 KiB/s) with ~1 file(s) remaining (calculating...)\r",
    "Completed 3 file(s) with 2 file(s) remaining",
    "2026-01-02 03:04:05 ",
    "       1234 ",
    "   1.2 KiB ",
    "0 Bytes ",
    "\nTotal Objects: 1\n   Total Size: 1\n",
    "                           PRE ",
    "2024/05/01 10:00:00 INFO  : ",
    "cp ",
    "rm ",
    "M\t",
    "1\t1\t",
    ":100644 100644 3f2 9d8 M",
    "commit c886ce4597b54dd4cfc95f2b540d55d3bc740aec",
    "error: ",
    "warning: ",
    "modified:   ",
    "?? ",
    " M ",
    "RM ",
    "INFO  : ",
    "2024/05/01 10:00:00 ",
    "DIR ",
    " s3://",
    "S3://",
    "/",
    "null",
    "None",
    "\u{feff}",
];

/// Fragments of forms of URLs and of keys.
const FORMS: &[&str] = &[
    "/:key",
    "/:rest",
    "/:page",
    "/:restpage",
    "/:any",
    ":any",
    ":key",
    ":",
    "/",
    "/assets/",
    "/v",
    ".gz",
    "@2x",
    "=",
    "+",
    "-",
    "_",
    "*",
    "~",
    "?",
    "%",
    "%2B",
    " ",
    "  ",
    "\t",
    "\u{a0}",
    "\n",
    "\u{0}",
    "\u{202e}",
    "\"",
    "A",
    "é",
    "世",
    "\u{301}",
    "index.html",
    ".html",
    "home.html",
    "en/",
];

macro_rules! targets {
    ($($(#[$about:meta])* $name:ident = $check:path, $words:ident, $fixtures:expr;)*) => {$(
        $(#[$about])*
        #[test]
        fn $name() {
            run(&Target { name: stringify!($name), check: $check, words: $words, fixtures: $fixtures });
        }
    )*};
}

targets! {
    /// Whole events: each record is counted once, only valid values are accepted, and the layout of the JSON makes no
    /// difference.
    event = events::event, JSON, &["tests/fixtures/s3"];
    /// A message between two valid ones: it does not affect them, and means what it means alone.
    message = events::message, JSON, &["tests/fixtures/s3"];
    /// The `UserParameters` of a pipeline action: an ID, a request with valid values, or refused.
    parameters = events::parameters, JSON, &[];
    /// Distribution configs as a file: refused with the remedy, or read completely.
    config = configs::config, JSON, &[];
    /// The forms of URLs in a tag: refused with their place, or valid paths for every key.
    urls = urls::urls, FORMS, &[];
    /// Keys, encoded and literal, compared with another decoder.
    key = keys::key, TEXT, &[];
    /// The paths of a key: valid, at most four, and those of its URLs.
    path = paths::path, TEXT, &[];
    /// Paths and cache tags that a person names: valid, and never wider than named.
    item = paths::items, TEXT, &[];
    /// Collapsed paths: within the budget, covering every path, and the same for the same set.
    path_set = collapse::path_set, TEXT, &[];
    /// Names that become part of an address: exactly what their grammar allows is accepted.
    name = grammar::names, TEXT, &[];
    /// Continuation tokens: what was written is read back unchanged.
    token = tokens::token, JSON, &[];
    /// Lists of keys, in whatever format: refused, or only keys that occur whole in the input.
    list = lists::list, LISTS, &["tests/fixtures/keys"];
    /// The same for the output of `aws s3 sync`, `cp`, `mv` and `rm` alone.
    list_aws = lists::aws_output, LISTS, &["tests/fixtures/keys"];
    /// The same for names that git quoted.
    list_git = lists::git_name, LISTS, &[];
    /// The same for JSON arrays.
    list_json = lists::array, LISTS, &[];
    /// The same for keys on lines.
    list_lines = lists::key_lines, LISTS, &[];
    /// The same for the output of `aws s3 ls`.
    list_ls = lists::listed, LISTS, &[];
    /// The same for keys with a NUL character after each.
    list_null = lists::null_separated, LISTS, &[];
    /// Error messages and excerpts: one line each, whatever they quote.
    line = logs::lines, TEXT, &[];
}
