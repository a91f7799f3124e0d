//! Fuzzing: what must hold for every input, however hostile, tried on inputs that are damaged at random.
//!
//! A target is a function over bytes (`targets`). Its corpus lies in `tests/data/corpus/<target>/`, a file per behaviour;
//! `cargo test` replays it and then tries some thousand inputs made from it, from a fresh seed. `scripts/fuzz` runs the same
//! tests for minutes. All checks are counts; none looks at a clock.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and a long run tells how it went"
)]

mod driver;
#[path = "../pure/edge_cache.rs"]
mod edge;
mod graft;
mod mutate;
mod rules;
mod targets;

use driver::{Target, run};
use targets::{collapse, events, grammar, keys, logs, paths, tokens};

/// What events are made of, and what JSON readers stumble over.
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

/// What keys, paths, tags and lines of a list are made of.
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
    /// Whole events: every record counted once, valid values only, the same however the JSON is laid out.
    event = events::event, JSON, &["tests/fixtures/s3"];
    /// One message among good ones: it costs them nothing, and means what it means alone.
    message = events::message, JSON, &["tests/fixtures/s3"];
    /// Keys, encoded and not, against another decoder.
    key = keys::key, TEXT, &[];
    /// The paths of a key: valid, at most four, and those of its URLs.
    path = paths::path, TEXT, &[];
    /// Items that a person names: valid, and never wider than named.
    item = paths::items, TEXT, &[];
    /// The path set: within the budget, covering, the same for the same set.
    path_set = collapse::path_set, TEXT, &[];
    /// Names that address something: nothing but their grammar passes.
    name = grammar::names, TEXT, &[];
    /// Continuation tokens: what is read is what was written.
    token = tokens::token, JSON, &[];
    /// Messages and excerpts: one line each, whatever they quote.
    line = logs::lines, TEXT, &[];
}
