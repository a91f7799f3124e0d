//! A model of an edge cache that follows CloudFront's rules for invalidations. It knows URLs and items and no tries, so
//! it can check a set of items independently of how the set was found.

use std::collections::BTreeSet;

/// The paths of the URLs that are cached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    cached: BTreeSet<String>,
}

impl Edge {
    pub(crate) fn new(urls: impl IntoIterator<Item = String>) -> Self {
        Self { cached: urls.into_iter().collect() }
    }

    /// Applies an invalidation; returns the URLs that it evicted.
    pub(crate) fn invalidate<'i>(&mut self, items: impl IntoIterator<Item = &'i str>) -> BTreeSet<String> {
        let items: Vec<_> = items.into_iter().collect();
        let (evicted, kept) =
            std::mem::take(&mut self.cached).into_iter().partition(|url| items.iter().any(|item| matches(item, url)));
        self.cached = kept;
        evicted
    }

    pub(crate) fn holds(&self, url: &str) -> bool {
        self.cached.contains(url)
    }
}

/// A `*` at the end stands for zero or more characters. Every other character stands for itself, another `*` too.
fn matches(item: &str, url: &str) -> bool {
    match item.as_bytes() {
        [prefix @ .., b'*'] => url.as_bytes().starts_with(prefix),
        whole => url.as_bytes() == whole,
    }
}

#[test]
fn the_edge_cache_evicts_by_cloudfronts_rules() {
    let urls = ["/", "/a", "/a/", "/a/b", "/ab", "/A", "/a*b"].map(str::to_owned);
    for (item, evicted) in [
        ("/a", &["/a"][..]),
        ("/a/*", &["/a/", "/a/b"]),
        ("/a*", &["/a", "/a*b", "/a/", "/a/b", "/ab"]),
        ("/a*b", &["/a*b"]),
        ("/*", &["/", "/A", "/a", "/a*b", "/a/", "/a/b", "/ab"]),
    ] {
        let mut edge = Edge::new(urls.clone());
        assert_eq!(edge.invalidate([item]).iter().collect::<Vec<_>>(), evicted, "{item}");
        assert!(!edge.holds(evicted[0]));
    }
}
