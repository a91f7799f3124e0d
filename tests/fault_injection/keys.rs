//! Random object keys, and the URLs that viewers use for them.

use std::collections::BTreeSet;
use std::fmt::Write;

use fastrand::Rng;

/// Path segments of keys, with every kind of character that is encoded differently in an event, a path or a log.
const SEGMENTS: [&str; 30] = [
    "a",
    "b",
    "img",
    "docs",
    "blog-2026",
    "x y",
    "a+b",
    "100%",
    "~tmp",
    "v~1",
    "st*r",
    "*",
    "caf\u{e9}",
    "\u{1f600}",
    "q?x=1",
    "h#h",
    "new\nline",
    "%2F",
    "",
    "\u{7f}",
    "..",
    "'(!)'",
    "<x>",
    "\"q\"",
    "a&b;c",
    "\\",
    "{|}^`",
    "$@:,=",
    "\u{4e16}\u{754c}",
    "tab\t",
];

const FILE_NAMES: [&str; 8] = ["index.html", "myindex.html", "a.css", "b c.js", "1.png", "2.png", "x+y~z.map", "end*"];

/// A random key, in five of six cases below `prefix`.
pub(crate) fn random_key(rng: &mut Rng, prefix: &str) -> String {
    let mut key = if rng.u8(0..6) > 0 { prefix.to_owned() } else { String::new() };
    for _ in 0..rng.usize(0..4) {
        // Half of them from the first five, so that keys share directories.
        let segment_choices = if rng.bool() { 5 } else { SEGMENTS.len() };
        key.push_str(SEGMENTS[rng.usize(0..segment_choices)]);
        key.push('/');
    }
    key.push_str(FILE_NAMES[rng.usize(0..FILE_NAMES.len())]);
    if rng.bool() {
        key.push_str(&rng.u16(0..300).to_string());
    }
    key
}

/// The URLs that viewers may have an object cached under, by CloudFront's documented rules; none for a key outside
/// `prefix`.
///
/// Implemented independently of the crate's path rules, with no shared code.
pub(crate) fn object_urls(key: &str, prefix: &str) -> BTreeSet<String> {
    let Some(key) = key.strip_prefix(prefix) else { return BTreeSet::new() };
    let mut paths = vec![key];
    if let Some(directory) = key.strip_suffix("index.html")
        && (directory.is_empty() || directory.ends_with('/'))
    {
        paths.push(directory);
    }
    paths.into_iter().flat_map(url_encodings).collect()
}

/// The URL of a path with spaces as `%20`, and with spaces as `+`.
pub(crate) fn url_encodings(path: &str) -> BTreeSet<String> {
    ["%20", "+"].into_iter().map(|encoded_space| encode_url(path, encoded_space)).collect()
}

fn encode_url(key: &str, encoded_space: &str) -> String {
    let mut url = "/".to_owned();
    for byte in key.bytes() {
        match byte {
            b' ' => url.push_str(encoded_space),
            b if b.is_ascii_alphanumeric() || b"$-_.!*'(),/:@=&;~".contains(&b) => url.push(char::from(b)),
            b => {
                // Writing to a String cannot fail.
                let _ = write!(url, "%{b:02X}");
            }
        }
    }
    url
}
