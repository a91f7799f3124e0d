//! Random rows: a form of URLs, the edge function that reverses it, and keys of parts that paths treat specially.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::distribution::{EdgeFunction, EventType, Folder, Pages, spellings};
use super::rows::{OriginKind, Row, SetUp, Viewers, is_clean, is_variant, row};

const PARTS: [&str; 20] = [
    "a",
    "b c",
    "\u{e9}",
    "+",
    "~",
    "*",
    "?",
    "/",
    "/",
    "/",
    "index.html",
    "home.html",
    ".html",
    ".",
    "en",
    "x.y",
    "%41",
    "#",
    "@2x",
    "-",
];

fn key(random: &mut Rng) -> String {
    (0..random.usize(1..7)).map(|_| *random.choice(&PARTS).unwrap()).collect()
}

/// A row in which viewers request only URLs of the form, as its operator says. The function runs after the lookup.
pub(super) fn random_row(random: &mut Rng, origin_kinds: &[OriginKind]) -> Row {
    let mut keys: BTreeSet<_> = (0..8).map(|_| key(random)).collect();
    keys.extend(["index.html", "en/index.html", "en/a.html", "b c/d.html"].map(str::to_owned));
    let prefix = *random.choice(&["", "", "assets/", "v", "a+b/", "x=1/@"]).unwrap();
    let folder = if random.bool() { Folder::Always } else { Folder::None };
    let word = if folder == Folder::Always { "rest" } else { "key" };
    let page = if folder == Folder::Always { "restpage" } else { "page" };
    let variants = vec!["", ".webp", "/width=100", "@2x"];
    let any_path: fn(&str) -> bool = |_| true;
    let (pages, form, suffixes, request) = match random.u8(0..6) {
        0 => (Pages::Unchanged, word.to_owned(), vec![""], any_path),
        1 => (Pages::Index("index.html"), word.to_owned(), vec![""], any_path),
        2 => (
            Pages::Index("index.html"),
            page.to_owned(),
            vec![""],
            (|path| path.strip_suffix(".html").is_none()) as fn(&str) -> bool,
        ),
        3 => (Pages::Clean, page.to_owned(), vec![""], is_clean as fn(&str) -> bool),
        4 => (Pages::Unchanged, format!("{word}:any"), variants, is_variant as fn(&str) -> bool),
        _ => (Pages::Unchanged, format!("{word}.gz"), vec![".gz"], any_path),
    };
    let encoded = spellings(prefix).into_iter().next().unwrap();
    let function = EdgeFunction {
        prefix: encoded.clone(),
        suffixes: suffixes.iter().copied().filter(|it| !it.is_empty()).collect(),
        pages,
        folder,
    };
    let set_up = SetUp {
        name: "random",
        tags: vec![("invalidation:urls", format!("/{prefix}:{form}"))],
        function: Some((EventType::OriginRequest, function)),
        pattern: format!("/{encoded}*"),
        viewers: Viewers {
            folders: keys.iter().filter_map(|key| Some(spellings(key.split_once('/')?.0))).flatten().collect(),
            prefixes: vec![prefix.to_owned()],
            suffixes,
            request,
        },
    };
    // Nobody requests a variant of a directory, which only a website endpoint returns.
    let origin_kind =
        random.choice(origin_kinds).filter(|_| set_up.viewers.suffixes == [""]).unwrap_or(&origin_kinds[0]);
    let mut row = row(&set_up, origin_kind, random.bool());
    row.keys = keys.into_iter().collect();
    row
}
