//! What other methods would send for the same deploy, and the effect of each on the cache.

use std::collections::BTreeSet;

use super::site::Site;
use crate::change::ObjectKey;
use crate::path::{InvalidationPath, Mapping};

/// The most paths up to which a threshold sends one for each object.
const THRESHOLD: usize = 30;

/// The URLs of a site's objects, as exact paths.
pub(super) struct Urls {
    /// Those of the changed objects: for each the path of the object itself, then those of its directory and of other
    /// spellings.
    changed: Vec<Vec<InvalidationPath>>,
    /// Those of the unchanged ones.
    unchanged: Vec<Vec<InvalidationPath>>,
}

/// The effect of an invalidation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// The changed URLs that stay in the cache.
    pub(super) stale_urls: usize,
    /// The unchanged objects of which a URL is evicted.
    pub(super) unchanged_evicted: usize,
}

impl Urls {
    pub(super) fn of(site: &Site, mapping: &Mapping) -> Self {
        let urls = |key: &ObjectKey| {
            let mut paths = mapping.paths(key).unwrap_or_default();
            // A directory is the start of its index document.
            paths.sort_by_key(|path| std::cmp::Reverse(path.as_str().len()));
            paths
        };
        Self { changed: site.changed.iter().map(urls).collect(), unchanged: site.unchanged().map(urls).collect() }
    }

    /// One path for each changed object.
    pub(super) fn one_path_per_object(&self) -> Vec<InvalidationPath> {
        self.changed.iter().filter_map(|urls| urls.first().cloned()).collect()
    }

    /// The same up to 30 paths. Above, a wildcard for the directory of each object in one.
    pub(super) fn threshold(&self) -> Vec<InvalidationPath> {
        let paths = self.one_path_per_object();
        if paths.len() <= THRESHOLD {
            return paths;
        }
        let directory = |path: InvalidationPath| match path.as_str().rsplit_once('/') {
            Some((directory, _)) if !directory.is_empty() => InvalidationPath::parse(&format!("{directory}/*")).ok(),
            _ => Some(path),
        };
        let paths: BTreeSet<_> = paths.into_iter().filter_map(directory).collect();
        let is_covered = |path: &InvalidationPath| paths.iter().any(|other| other != path && other.covers(path));
        paths.iter().filter(|path| !is_covered(path)).cloned().collect()
    }

    /// The effect of these paths.
    pub(super) fn effect(&self, paths: &[InvalidationPath]) -> Effect {
        let exact: BTreeSet<_> = paths.iter().collect();
        let wildcards: Vec<_> = paths.iter().filter(|path| path.wildcard_prefix().is_some()).collect();
        let is_evicted = |url: &InvalidationPath| exact.contains(url) || wildcards.iter().any(|it| it.covers(url));
        Effect {
            stale_urls: self.changed.iter().flatten().filter(|url| !is_evicted(url)).count(),
            unchanged_evicted: self.unchanged.iter().filter(|urls| urls.iter().any(is_evicted)).count(),
        }
    }

    /// The number of changed objects of which a path evicts a URL.
    pub(super) fn objects_of(&self, path: &InvalidationPath) -> usize {
        self.changed.iter().filter(|urls| urls.iter().any(|url| path.covers(url))).count()
    }
}
