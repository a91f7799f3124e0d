//! What a wildcard evicts although it did not change: guessed, or counted where the bucket's content is known.

use crate::path::InvalidationPath;

/// The cost of one needlessly evicted URL. Guesses are finer than whole URLs.
pub(super) const SCALE: u64 = 1000;

/// What is known of the URLs that a distribution may have cached.
///
/// The cost of a wildcard is [`count`](Self::count) where that is known. Elsewhere it is the [`estimate`](Self::prior) of its
/// prefix and the costs of the prefixes below it at which required paths part: so it always costs more than the wildcards
/// below it together, and is never free.
pub trait CostModel {
    /// How many URLs start with `prefix` and need no invalidation; `None` if that is not known for all of them.
    fn count(&self, prefix: &str) -> Option<u64>;

    /// A guess for what lies between the `required` paths that start with `prefix` and part there, in thousandths of a
    /// URL; at least 1, and never less for fewer paths.
    fn estimate(&self, prefix: &str, required: usize) -> u64;

    /// Whether all URLs that start with `prefix` are known.
    fn is_listed(&self, prefix: &str) -> bool;
}

/// Nothing is known of the bucket.
///
/// The guess: about a thousand unchanged URLs hide among the folders at the top, a quarter of that a level further
/// down, and again a quarter for each character by which a prefix reaches into a name; and the less, the more has
/// changed below, since where much changed all may have. What matters is the order it puts prefixes in: deep before
/// shallow, within a name before a whole folder, few partings before many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heuristic;

/// The logarithm to base 4 of the guess for the root, in thousandths of a URL: about a million of them, a thousand URLs.
const ROOT_LEVEL: u32 = 10;

impl CostModel for Heuristic {
    fn count(&self, _prefix: &str) -> Option<u64> {
        None
    }

    fn estimate(&self, prefix: &str, required: usize) -> u64 {
        let folders = prefix.bytes().filter(|&byte| byte == b'/').count().saturating_sub(1);
        let into_name = characters(prefix.rsplit('/').next().unwrap_or_default());
        let level = u32::try_from(folders + into_name).map_or(0, |depth| ROOT_LEVEL.saturating_sub(depth));
        (4_u64.pow(level) / u64::from(required.max(1).ilog2() + 1)).max(1)
    }

    fn is_listed(&self, _prefix: &str) -> bool {
        false
    }
}

/// How many characters an encoded name has.
fn characters(name: &str) -> usize {
    let bytes = name.as_bytes();
    let starts = bytes.iter().enumerate().filter(|&(at, &byte)| match byte {
        // A byte of UTF-8 that goes on with a character starts with the bits 10.
        b'%' => !matches!(bytes.get(at + 1), Some(b'8' | b'9' | b'A' | b'B' | b'a' | b'b')),
        _ => true,
    });
    let escapes = name.matches('%').count();
    starts.count().saturating_sub(escapes * 2)
}

/// Where all URLs are known.
pub trait Coverage {
    /// Whether all that start with `prefix` are. If so, they are for each longer prefix.
    fn includes(&self, prefix: &str) -> bool;
}

/// Below some prefixes; `/` stands for everything.
impl Coverage for Vec<String> {
    fn includes(&self, prefix: &str) -> bool {
        self.iter().any(|listed| prefix.starts_with(listed.as_str()))
    }
}

/// The bucket's content is known, wholly or in some parts.
#[derive(Clone, Debug)]
pub struct Counted<E = Vec<String>> {
    /// URLs that need no invalidation, sorted, each once.
    unchanged: Vec<String>,
    /// Where every URL is known.
    listed: E,
}

impl<E: Coverage> Counted<E> {
    /// An inventory of `urls`, the paths of all URLs that the bucket's objects are cached under, as far as they are known:
    /// all of them in the parts that are `listed`. Those that one of `required` covers need an invalidation anyway, so they
    /// are never collateral.
    #[must_use]
    pub fn new(mut urls: Vec<String>, listed: E, required: &[InvalidationPath]) -> Self {
        let required = super::without_covered(required.to_vec());
        urls.sort_unstable();
        urls.dedup();
        urls.retain(|url| !is_covered(&required, url));
        Self { unchanged: urls, listed }
    }
}

/// Whether one of these items covers the URL. They are sorted by what they start with, and none covers another, so it
/// can only be the last that is not behind the URL.
fn is_covered(items: &[InvalidationPath], url: &str) -> bool {
    let behind = items.partition_point(|item| super::trie::text(item) <= url);
    behind.checked_sub(1).and_then(|last| items.get(last)).is_some_and(|item| match item.wildcard_prefix() {
        Some(prefix) => url.starts_with(prefix),
        None => item.as_str() == url,
    })
}

impl<E: Coverage> CostModel for Counted<E> {
    fn count(&self, prefix: &str) -> Option<u64> {
        if !self.is_listed(prefix) {
            return None;
        }
        let first = self.unchanged.partition_point(|url| url.as_str() < prefix);
        let below = self.unchanged.get(first..).unwrap_or_default();
        Some(below.partition_point(|url| url.starts_with(prefix)) as u64)
    }

    fn estimate(&self, prefix: &str, required: usize) -> u64 {
        Heuristic.estimate(prefix, required)
    }

    fn is_listed(&self, prefix: &str) -> bool {
        self.listed.includes(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(urls: &[&str], listed: &[&str], required: &[&str]) -> Counted {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let required: Vec<_> = required.iter().map(|path| InvalidationPath::parse(path).unwrap()).collect();
        Counted::new(own(urls), own(listed), &required)
    }

    #[test]
    fn a_name_is_measured_in_characters() {
        for (name, count) in [("", 0), ("abc", 3), ("%20a", 2), ("%C3%A9", 1), ("a%F0%9F%98%80b%2Bc", 5)] {
            assert_eq!(characters(name), count, "{name}");
        }
        assert_eq!(Heuristic.estimate("/caf%C3%A9", 2), Heuristic.estimate("/cafe", 2));
    }

    #[test]
    fn the_guess_falls_with_depth_and_is_never_nothing() {
        let prefixes = ["/", "/a/", "/a/b/", "/a/b/c", "/a/b/cc", "/a/b/ccccccccccccccc"];
        let guesses: Vec<_> = prefixes.iter().map(|prefix| Heuristic.estimate(prefix, 2)).collect();
        assert!(guesses.is_sorted_by(|a, b| a > b), "{guesses:?}");
        assert_eq!(guesses.last(), Some(&1));
        let guesses: Vec<_> = (0..20).map(|power| Heuristic.estimate("/a/", 1 << power)).collect();
        assert!(guesses.is_sorted_by(|a, b| a > b), "{guesses:?}");
    }

    #[test]
    fn what_is_listed_is_counted() {
        let inventory = inventory(&["/a/1", "/a/2", "/a/2", "/b", "/a.txt"], &["/"], &["/a/1"]);
        for (prefix, count) in [("/", 3), ("/a", 2), ("/a/", 1), ("/c", 0)] {
            assert_eq!(inventory.count(prefix), Some(count), "{prefix}");
        }
    }

    #[test]
    fn what_is_not_listed_is_not_known() {
        let inventory = inventory(&["/a/1", "/b/1"], &["/a/"], &[]);
        assert_eq!(inventory.count("/a/"), Some(1));
        assert_eq!(inventory.count("/a/1"), Some(1));
        assert_eq!(inventory.count("/a"), None, "it reaches beyond");
        assert_eq!(inventory.count("/"), None);
    }

    #[test]
    fn what_is_required_is_no_collateral() {
        let inventory = inventory(&["/a", "/a!", "/a/b", "/ab", "/b"], &["/"], &["/a/*", "/b", "/a"]);
        assert_eq!(inventory.unchanged, ["/a!", "/ab"]);
    }
}
