//! The cost model: how many unchanged URLs a wildcard evicts, estimated, or counted from a bucket listing.

use percent_encoding::percent_decode_str;

use crate::path::{InvalidationPath, without_covered};

/// The cost of evicting one unchanged URL. Estimates are finer than one URL.
pub(super) const SCALE: u64 = 1000;

/// The cost model of wildcards.
///
/// The cost of a wildcard is [`count`](Self::count) where that is known. Elsewhere it is the
/// [`estimate`](Self::estimate) of its prefix plus the costs of the prefixes directly below it at which required paths
/// branch. An estimated wildcard therefore always costs more than the wildcards below it together, and is never free.
pub trait CostModel {
    /// Returns how many URLs start with `prefix` and need no invalidation, or `None` unless all URLs there are known. If
    /// they are known, they are known for every longer prefix too.
    fn count(&self, prefix: &str) -> Option<u64>;

    /// Returns the estimated number of unchanged URLs among the `required` paths that start with `prefix` and branch
    /// there, in thousandths of a URL. It is at least 1, and does not increase with `required`.
    fn estimate(&self, prefix: &str, required: usize) -> u64;

    /// Returns whether all URLs that start with `prefix` are known.
    fn is_listed(&self, prefix: &str) -> bool {
        self.count(prefix).is_some()
    }
}

/// The cost model without any knowledge of the bucket.
///
/// The heuristic estimate is about 500 unchanged URLs at the root for two paths. It falls to a quarter with each folder
/// level, and with each character by which the prefix extends into a name. It also falls with the logarithm of the
/// number of required paths, since where much changed, everything may have. Only the resulting order matters: deep
/// prefixes before shallow ones, prefixes within a name before whole folders, few branches before many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heuristic;

/// The base-4 logarithm of the estimate for the root and a single path, in thousandths of a URL: about a million, or
/// 1,000 URLs.
const ROOT_LEVEL: u32 = 10;

impl CostModel for Heuristic {
    fn count(&self, _prefix: &str) -> Option<u64> {
        None
    }

    fn estimate(&self, prefix: &str, required: usize) -> u64 {
        let folders = prefix.bytes().filter(|&byte| byte == b'/').count().saturating_sub(1);
        let into_name = character_count(prefix.rsplit('/').next().unwrap_or_default());
        let level = u32::try_from(folders + into_name).map_or(0, |depth| ROOT_LEVEL.saturating_sub(depth));
        (4_u64.pow(level) / u64::from(required.max(1).ilog2() + 1)).max(1)
    }
}

/// Returns the number of characters in an encoded name.
fn character_count(name: &str) -> usize {
    percent_decode_str(name).decode_utf8_lossy().chars().count()
}

/// The prefixes below which all URLs are known.
pub trait Coverage {
    /// Returns whether all URLs that start with `prefix` are known. If so, it returns true for every longer prefix too.
    fn includes(&self, prefix: &str) -> bool;
}

/// A list of prefixes; `/` stands for all URLs.
impl Coverage for Vec<String> {
    fn includes(&self, prefix: &str) -> bool {
        self.iter().any(|listed| prefix.starts_with(listed.as_str()))
    }
}

/// The cost model with a bucket listing, complete or of some prefixes.
#[derive(Clone, Debug)]
pub struct Counted<E = Vec<String>> {
    /// The URLs that need no invalidation, sorted and without duplicates.
    unchanged: Vec<String>,
    /// Where all URLs are known.
    listed: E,
}

impl<E: Coverage> Counted<E> {
    /// Creates the model from `urls`, the paths of all known URLs under which the bucket's objects are cached; they
    /// must be complete within `listed`. A URL that an item of `required` covers is invalidated anyway and never counts
    /// as unchanged.
    #[must_use]
    pub fn new(mut urls: Vec<String>, listed: E, required: &[InvalidationPath]) -> Self {
        let required = without_covered(required.to_vec());
        urls.sort_unstable();
        urls.dedup();
        urls.retain(|url| !is_covered(&required, url));
        Self { unchanged: urls, listed }
    }
}

/// Returns whether one of `items` covers the URL. The items are sorted and none covers another, so only the last one
/// that does not sort after the URL can cover it.
fn is_covered(items: &[InvalidationPath], url: &str) -> bool {
    let behind = items.partition_point(|item| item.without_star() <= url);
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
        let from_first = self.unchanged.get(first..).unwrap_or_default();
        Some(from_first.partition_point(|url| url.starts_with(prefix)) as u64)
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

    fn counted(urls: &[&str], listed: &[&str], required: &[&str]) -> Counted {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let required: Vec<_> = required.iter().map(|path| InvalidationPath::parse(path).unwrap()).collect();
        Counted::new(own(urls), own(listed), &required)
    }

    #[test]
    fn a_name_is_measured_in_characters() {
        for (name, count) in [("", 0), ("abc", 3), ("%20a", 2), ("%C3%A9", 1), ("a%F0%9F%98%80b%2Bc", 5)] {
            assert_eq!(character_count(name), count, "{name}");
        }
        assert_eq!(Heuristic.estimate("/caf%C3%A9", 2), Heuristic.estimate("/cafe", 2));
    }

    #[test]
    fn the_estimate_falls_with_depth_and_is_at_least_1() {
        let prefixes = ["/", "/a/", "/a/b/", "/a/b/c", "/a/b/cc", "/a/b/ccccccccccccccc"];
        let estimates: Vec<_> = prefixes.iter().map(|prefix| Heuristic.estimate(prefix, 2)).collect();
        assert!(estimates.is_sorted_by(|a, b| a > b), "{estimates:?}");
        assert_eq!(estimates.last(), Some(&1));
        let estimates: Vec<_> = (0..20).map(|power| Heuristic.estimate("/a/", 1 << power)).collect();
        assert!(estimates.is_sorted_by(|a, b| a > b), "{estimates:?}");
    }

    #[test]
    fn listed_prefixes_are_counted() {
        let model = counted(&["/a/1", "/a/2", "/a/2", "/b", "/a.txt"], &["/"], &["/a/1"]);
        for (prefix, count) in [("/", 3), ("/a", 2), ("/a/", 1), ("/c", 0)] {
            assert_eq!(model.count(prefix), Some(count), "{prefix}");
        }
    }

    #[test]
    fn unlisted_prefixes_are_unknown() {
        let model = counted(&["/a/1", "/b/1"], &["/a/"], &[]);
        assert_eq!(model.count("/a/"), Some(1));
        assert_eq!(model.count("/a/1"), Some(1));
        assert_eq!(model.count("/a"), None, "it reaches beyond");
        assert_eq!(model.count("/"), None);
    }

    #[test]
    fn required_urls_are_not_unchanged() {
        let model = counted(&["/a", "/a!", "/a/b", "/ab", "/b"], &["/"], &["/a/*", "/b", "/a"]);
        assert_eq!(model.unchanged, ["/a!", "/ab"]);
    }
}
