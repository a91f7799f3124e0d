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

/// What a bucket's tags say of the URLs of its objects.
#[derive(Clone, Copy, Default)]
pub(crate) struct UrlTags {
    /// The origin path, without the slash at its start; empty or with a `/` at its end.
    pub(crate) origin_prefix: &'static str,
    /// The forms of the URLs; empty without the tag.
    pub(crate) forms: &'static str,
    /// Whether directories are requested without their slash, too.
    pub(crate) without_slash: bool,
}

/// The forms of URLs that a bucket's tag may have; mostly none.
pub(crate) const FORMS: [&str; 12] =
    ["", "", "", "", "", "/:key", "/:page", "/:key /:rest", "/x/:key", "/:key:any", "/:restpage", "/:key /:page"];

/// What may follow a URL whose form ends with `:any`; together they match every path pattern that any such URL matches.
const VARIANTS: [&str; 8] = ["-400w.jpg", ".css", ".html", ".js", "/x", "/x.js", "/1.png", "index"];

/// The URLs that viewers may have an object cached under if only the bucket's tags are known; none for a key outside the
/// origin path.
///
/// Implemented independently of the crate's path rules, with no shared code.
pub(crate) fn object_urls(key: &str, tags: UrlTags) -> BTreeSet<String> {
    let Some(key) = key.strip_prefix(tags.origin_prefix) else { return BTreeSet::new() };
    viewer_paths(key, tags, true, tags.without_slash).iter().flat_map(|path| url_encodings(path)).collect()
}

/// The paths of the URLs that viewers request for a key below the origin path, decoded and without the slash at the
/// start.
pub(crate) fn viewer_paths(key: &str, tags: UrlTags, has_directories: bool, without_slash: bool) -> BTreeSet<String> {
    let forms = if tags.forms.is_empty() { "/:key" } else { tags.forms };
    forms.split(' ').flat_map(|form| paths_of_form(form, key, has_directories, without_slash)).collect()
}

/// Whether a word of the forms stands for this text, whatever the URL that the form makes of it.
pub(crate) fn stands_for(key: &str, tags: UrlTags, text: &str) -> bool {
    let forms = if tags.forms.is_empty() { "/:key" } else { tags.forms };
    let mut parts = forms.split(' ').map(|form| part_of(word_of(form), key));
    parts.any(|part| part == text)
}

fn word_of(form: &str) -> &'static str {
    [":restpage", ":rest", ":page", ":key"].into_iter().find(|word| form.contains(word)).unwrap_or_default()
}

fn part_of<'k>(word: &str, key: &'k str) -> &'k str {
    if word.contains("rest") { key.find('/').map_or(key, |slash| &key[slash + 1..]) } else { key }
}

fn paths_of_form(form: &str, key: &str, has_directories: bool, without_slash: bool) -> Vec<String> {
    let (form, has_variants) = form.strip_suffix(":any").map_or((form, false), |form| (form, true));
    let word = word_of(form);
    let part = part_of(word, key);
    let directory =
        part.strip_suffix("index.html").filter(|directory| directory.is_empty() || directory.ends_with('/'));
    let path = |part: &str| form.replace(word, part).split_off(1);
    let own = match (word.ends_with("page"), directory, part.strip_suffix(".html")) {
        (true, Some(directory), _) => path(directory),
        (true, None, Some(page)) if !page.is_empty() && !page.ends_with('/') => path(page),
        _ => path(part),
    };
    let mut paths = Vec::new();
    if let Some(directory) = directory.filter(|_| has_directories || word.ends_with("page")) {
        paths.push(path(directory));
        paths.extend(path(directory).strip_suffix('/').filter(|_| without_slash).map(str::to_owned));
    }
    let variants = VARIANTS.iter().filter(|_| has_variants);
    paths.extend(variants.map(|variant| format!("{own}{variant}")));
    paths.push(own);
    paths
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
