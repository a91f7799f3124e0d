//! A model of an edge cache, after CloudFront's rules for invalidations. It knows URLs and items and nothing of tries, so
//! that it can tell whether a set of items is right.

use std::collections::BTreeSet;

/// URLs that are cached, by their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    cached: BTreeSet<String>,
}

impl Edge {
    pub(crate) fn new(urls: impl IntoIterator<Item = String>) -> Self {
        Self { cached: urls.into_iter().collect() }
    }

    /// Applies an invalidation; tells which URLs it evicted.
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

/// A last `*` stands for zero or more characters; every other character, `*` included, for itself.
fn matches(item: &str, url: &str) -> bool {
    match item.as_bytes() {
        [prefix @ .., b'*'] => url.as_bytes().starts_with(prefix),
        whole => url.as_bytes() == whole,
    }
}

#[test]
fn it_evicts_by_cloudfronts_rules() {
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
