//! Buckets, distributions and keys, drawn at random.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{Bucket, Distribution, World};

/// Parts of keys, among them all that is spelt otherwise in an event, in a path or in a log.
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

pub(crate) struct Place {
    pub(crate) name: String,
    /// The distributions that its tag names; none where it is not tagged.
    pub(crate) ids: Vec<String>,
    /// The folder that its origin path names; empty or with a `/` at its end.
    pub(crate) folder: &'static str,
    bad: Option<Bad>,
    other_tags: bool,
}

#[derive(Clone, Copy)]
enum Bad {
    Tag,
    Bucket,
    Distribution,
}

/// What must become of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Covered,
    /// For this reason.
    Ignored(&'static str),
    /// Until somebody puts a tag or a bucket right, which nobody here does.
    Fails,
}

impl Place {
    pub(crate) fn fate(&self, key: &str) -> Fate {
        match self.bad {
            Some(Bad::Bucket | Bad::Tag) => Fate::Fails,
            _ if self.ids.is_empty() => Fate::Ignored("bucket-not-tagged"),
            _ if !key.starts_with(self.folder) => Fate::Ignored("outside-origin-path"),
            Some(Bad::Distribution) => Fate::Fails,
            None => Fate::Covered,
        }
    }
}

/// All that a scenario plays with. The names hold its seed, so that nothing is remembered from another.
pub(crate) struct Places {
    pub(crate) buckets: Vec<Place>,
    pub(crate) distributions: Vec<String>,
    takes: Duration,
}

impl Places {
    pub(crate) fn draw(rng: &mut Rng, seed: u64) -> Self {
        let distributions: Vec<_> = (0..rng.usize(1..=4)).map(|n| format!("E{seed}D{n}")).collect();
        let buckets = (0..rng.usize(1..=6)).map(|n| {
            let tagged = rng.u8(0..6) > 0;
            let several = if rng.u8(0..3) == 0 { 2 } else { 1 };
            let mut ids = rng.choose_multiple(&distributions, several);
            ids.sort_unstable();
            let bad = match rng.u8(0..150) {
                0 if tagged => Some(Bad::Tag),
                1 => Some(Bad::Bucket),
                2 if tagged => Some(Bad::Distribution),
                _ => None,
            };
            Place {
                name: format!("bucket-{seed}-{n}"),
                ids: if tagged { ids.into_iter().cloned().collect() } else { Vec::new() },
                folder: if tagged && rng.u8(0..4) == 0 { "web/site/" } else { "" },
                bad,
                other_tags: rng.bool(),
            }
        });
        let buckets = buckets.collect();
        // In progress for so long that wildcards of several invalidations meet.
        let takes = Duration::from_millis(if rng.u8(0..6) == 0 { 300 } else { 0 });
        Self { buckets, distributions, takes }
    }

    pub(crate) fn world(&self) -> World {
        let mut world = World::default();
        for place in &self.buckets {
            let mut ids = place.ids.join(" ");
            match place.bad {
                Some(Bad::Tag) => ids.push_str(" e1/.."),
                Some(Bad::Distribution) => ids.push_str(" EGONE"),
                Some(Bad::Bucket) => continue,
                None => {}
            }
            let mut bucket = Bucket::tagged(if place.other_tags { &[("team", "web <&>")] } else { &[] });
            if !place.ids.is_empty() {
                bucket.tags.insert("distributionId".into(), ids);
            }
            if let Some(folder) = place.folder.strip_suffix('/') {
                bucket.tags.insert("invalidation:originPath".into(), format!("/{folder}"));
            }
            world.buckets.insert(place.name.clone(), bucket);
        }
        for id in &self.distributions {
            world.distributions.insert(id.clone(), Distribution { takes: self.takes, ..Distribution::default() });
        }
        world
    }

    /// Whether an invalidation is in progress for a while, so that there can be too many.
    pub(crate) fn crowded(&self) -> bool {
        !self.takes.is_zero()
    }
}

/// A key, most often inside of the folder.
pub(crate) fn key(rng: &mut Rng, folder: &str) -> String {
    let mut key = if rng.u8(0..6) > 0 { folder.to_owned() } else { String::new() };
    for _ in 0..rng.usize(0..4) {
        // Mostly the plain ones, so that keys share directories.
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

/// The URLs that viewers may have an object cached under, by the documented rules; none outside of the folder.
///
/// Written apart from the crate's own paths and sharing nothing with them.
pub(crate) fn urls(key: &str, folder: &str) -> BTreeSet<String> {
    let Some(key) = key.strip_prefix(folder) else { return BTreeSet::new() };
    let mut forms = vec![key];
    if let Some(directory) = key.strip_suffix("index.html")
        && (directory.is_empty() || directory.ends_with('/'))
    {
        forms.push(directory);
    }
    forms.iter().flat_map(|form| ["%20", "+"].map(|space| spell(form, space))).collect()
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
