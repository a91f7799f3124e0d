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

use driver::{Target, run};
use targets::{collapse, events, grammar, keys, logs, paths, tokens};

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
    /// Error messages and excerpts: one line each, whatever they quote.
    line = logs::lines, TEXT, &[];
}
