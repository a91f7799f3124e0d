//! Random object keys, and the URLs that viewers use for them.

use std::collections::BTreeSet;
use std::fmt::Write;

use fastrand::Rng;

/// Parts of keys, with everything that is encoded differently in an event, a path or a log.
const PARTS: [&str; 30] = [
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

const FILES: [&str; 8] = ["index.html", "myindex.html", "a.css", "b c.js", "1.png", "2.png", "x+y~z.map", "end*"];

/// A random key, in five of six cases below `folder`.
pub(crate) fn key(rng: &mut Rng, folder: &str) -> String {
    let mut key = if rng.u8(0..6) > 0 { folder.to_owned() } else { String::new() };
    for _ in 0..rng.usize(0..4) {
        // Mostly plain parts, so that keys share directories.
        let known = if rng.bool() { 5 } else { PARTS.len() };
        key.push_str(PARTS[rng.usize(0..known)]);
        key.push('/');
    }
    key.push_str(FILES[rng.usize(0..FILES.len())]);
    if rng.bool() {
        key.push_str(&rng.u16(0..300).to_string());
    }
    key
}

/// The URLs that viewers may have an object cached under, by CloudFront's documented rules; none for a key outside
/// `folder`.
///
/// Implemented independently of the crate's path rules, with no shared code.
pub(crate) fn urls(key: &str, folder: &str) -> BTreeSet<String> {
    let Some(key) = key.strip_prefix(folder) else { return BTreeSet::new() };
    let mut forms = vec![key];
    if let Some(directory) = key.strip_suffix("index.html")
        && (directory.is_empty() || directory.ends_with('/'))
    {
        forms.push(directory);
    }
    forms.into_iter().flat_map(spellings).collect()
}

/// A URL with spaces as `%20`, and with spaces as `+`.
pub(crate) fn spellings(form: &str) -> BTreeSet<String> {
    ["%20", "+"].into_iter().map(|space| spell(form, space)).collect()
}

fn spell(key: &str, space: &str) -> String {
    let mut url = "/".to_owned();
    for byte in key.bytes() {
        match byte {
            b' ' => url.push_str(space),
            b if b.is_ascii_alphanumeric() || b"$-_.!*'(),/:@=&;~".contains(&b) => url.push(char::from(b)),
            b => {
                // Writing to a String cannot fail.
                let _ = write!(url, "%{b:02X}");
            }
        }
    }
    url
}
