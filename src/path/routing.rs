//! How a distribution routes requests for a bucket's objects, by origin path and cache behaviors.
//!
//! A distribution config determines which origins are the bucket, with which origin path, and which requests reach
//! them. Without it, the whole bucket is assumed to be served at the root, or below the origin path that the bucket's
//! tag names. Where an edge function may change a request's URI or origin, no URL is ruled out.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{
    Behavior, BucketOptions, BucketOrigin, DirectoryUrls, DistributionConfig, Endpoint, InvalidationPath, OriginPath,
    QueryStrings, RelativeKey, ViewerUrl, urls,
};
use crate::change::{Bucket, ObjectKey};

/// How a distribution maps a bucket's keys to URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The origin paths under which the distribution serves the bucket; at least one.
    pub origin_matches: Vec<OriginMatch>,
    /// The distribution config, if the mapping is derived from one.
    pub config: Option<Arc<DistributionConfig>>,
    /// Whether the config is a stale one: it could not be refreshed and may have changed.
    pub is_stale: bool,
    directory_urls: DirectoryUrls,
    /// Whether query strings are part of the cache key, according to the bucket's tag, if it has one.
    query_strings: Option<bool>,
    /// The mapping by tags and defaults alone, used for objects that this one does not serve. `None` without a config,
    /// and where the config settles the mapping: at least one origin is the bucket, the origin path of each is known,
    /// and no other origin may be the bucket.
    fallback: Option<Box<Self>>,
}

/// An origin path under which the distribution serves the bucket, with the same index documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginMatch {
    /// The origin path.
    pub path: OriginPath,
    /// The IDs of the origins with this origin path and these index documents; empty without a config.
    pub origins: Vec<String>,
    /// File names that are also served under their directory's URL.
    pub index_documents: Vec<String>,
}

impl Mapping {
    /// Derives the mapping of a bucket from its options and the distribution config. The bucket's tags take precedence.
    #[must_use]
    pub fn new(bucket: &Bucket, options: &BucketOptions, config: Option<&Arc<DistributionConfig>>) -> Self {
        let without_config = Self::without_config(options);
        let Some(config) = config else { return without_config };
        let origins: Vec<_> = config.origins_of(bucket).collect();
        // Origins that may be the bucket under another name.
        let is_other = |id: &str| origins.iter().all(|it| it.origin.id != id);
        let possible = config.origins.iter().filter(|it| it.may_be_any_bucket() && is_other(&it.id));
        let possible: Vec<_> = possible
            .map(|origin| BucketOrigin { origin, path: origin.path.clone(), endpoint: Endpoint::Rest })
            .collect();
        let mut is_conclusive = !origins.is_empty() && possible.is_empty();
        let mut origin_matches: Vec<OriginMatch> = Vec::new();
        for BucketOrigin { origin, path, endpoint } in origins.into_iter().chain(possible) {
            let Some(path) = options.origin_path.clone().or(path) else {
                is_conclusive = false;
                continue;
            };
            let has_directories = config.has_edge_function() || endpoint == Endpoint::Website;
            let index_documents = options.index_documents.names(has_directories);
            // The website endpoint of a bucket has URLs that its REST endpoint does not have.
            match origin_matches.iter_mut().find(|it| it.path == path && it.index_documents == index_documents) {
                Some(origin_match) => origin_match.origins.push(origin.id.clone()),
                None => origin_matches.push(OriginMatch { path, origins: vec![origin.id.clone()], index_documents }),
            }
        }
        if origin_matches.is_empty() {
            return without_config;
        }
        let fallback = (!is_conclusive).then(|| Box::new(without_config.clone()));
        Self { origin_matches, config: Some(Arc::clone(config)), fallback, ..without_config }
    }

    /// Returns the mapping that is assumed where only the bucket's tags are known.
    #[must_use]
    pub fn without_config(options: &BucketOptions) -> Self {
        let path = options.origin_path.clone().unwrap_or_default();
        let index_documents = options.index_documents.names(true);
        Self {
            origin_matches: vec![OriginMatch { path, origins: Vec::new(), index_documents }],
            directory_urls: options.directory_urls,
            query_strings: options.query_strings,
            config: None,
            is_stale: false,
            fallback: None,
        }
    }

    /// Whether the config settles the mapping, so that it does not rest on tags and defaults.
    #[must_use]
    pub fn is_conclusive(&self) -> bool {
        self.config.is_some() && self.fallback.is_none()
    }

    /// Returns the paths to invalidate when this object changes: sorted, deduplicated, at least one.
    ///
    /// # Errors
    /// [`NotServed`] if the distribution does not serve the object.
    pub fn paths(&self, key: &ObjectKey) -> Result<Vec<InvalidationPath>, NotServed> {
        let urls = self.explain(key);
        if urls.is_empty() {
            return Err(NotServed::OutsideOriginPath);
        }
        let served = urls.into_iter().filter(|it| it.routing.is_served());
        let mut paths: Vec<_> = served.flat_map(|it| it.url.paths(it.query_strings)).collect();
        paths.sort_unstable();
        paths.dedup();
        if paths.is_empty() { Err(NotServed::OtherOrigin) } else { Ok(paths) }
    }

    /// Returns the URLs at which the distribution may serve an object.
    pub fn served_urls(&self, key: &ObjectKey) -> impl Iterator<Item = String> + use<'_> {
        self.explain(key).into_iter().filter(|it| it.routing.is_served()).map(|it| it.url.text)
    }

    /// Returns all URLs of an object and where requests for them go; empty if the key is outside every origin path.
    #[must_use]
    pub fn explain(&self, key: &ObjectKey) -> Vec<RoutedUrl<'_>> {
        let root = self.config.as_ref().and_then(|config| config.default_root_object.as_deref());
        let mut routed_urls = Vec::with_capacity(1);
        for origin_match in &self.origin_matches {
            let Some(key) = origin_match.path.strip(key) else { continue };
            let mut urls = urls(key, &origin_match.index_documents, self.directory_urls);
            if root == Some(key.as_str()) && !urls.contains(&ViewerUrl::root()) {
                urls.push(ViewerUrl::root());
            }
            routed_urls.extend(urls.into_iter().map(|url| self.routed(url, origin_match, key)));
        }
        match &self.fallback {
            Some(fallback) if !routed_urls.iter().any(|it| it.routing.is_served()) => fallback.explain(key),
            _ => routed_urls,
        }
    }

    fn routed(&self, url: ViewerUrl, origin_match: &OriginMatch, key: RelativeKey<'_>) -> RoutedUrl<'_> {
        let Some(config) = &self.config else {
            let query_strings = self.query_strings.unwrap_or_default();
            return RoutedUrl { url, routing: Routing::ConfigUnknown, query_strings };
        };
        let goes_to_bucket =
            |behavior: &&Behavior| config.targets(behavior).iter().any(|it| origin_match.origins.contains(it));
        let in_cache_key = |behavior: &Behavior| behavior.query_strings == QueryStrings::InCacheKey;
        let decoded = url.text.contains('%').then(|| percent_decode_str(&url.text).decode_utf8_lossy());
        // CloudFront may match a request for `/` with path patterns by the path of the object that it returns.
        let object_path = (url == ViewerUrl::root()).then(|| format!("/{}", key.as_str()));
        let spellings = [Some(url.text.as_str()), decoded.as_deref(), object_path.as_deref()];
        let normal: Vec<_> = spellings.iter().flatten().filter_map(|spelling| normalized(spelling)).collect();
        let spellings = || spellings.into_iter().flatten().chain(normal.iter().map(String::as_str));
        let candidates = || spellings().flat_map(|spelling| config.behaviors_of(spelling));
        let routing = match candidates().filter(goes_to_bucket).max_by_key(|it| in_cache_key(it)) {
            Some(behavior) => Routing::ToBucket(behavior),
            None if config.has_edge_function() => Routing::EdgeFunction,
            None => candidates().next().map_or(Routing::NoBehavior, Routing::OtherOrigin),
        };
        let query_strings = self.query_strings.unwrap_or_else(|| match routing {
            // A request of another behavior may have been rewritten to this URL, and is cached by that behavior's
            // policy.
            _ if config.has_edge_function() => {
                let mut behaviors = config.behaviors.iter().filter(|it| it.has_edge_function || goes_to_bucket(it));
                behaviors.any(in_cache_key)
            }
            Routing::ToBucket(behavior) => in_cache_key(behavior),
            _ => false,
        });
        RoutedUrl { url, routing, query_strings }
    }
}

/// Why a distribution does not serve an object. Of several reasons for one object, the greatest is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotServed {
    /// The key is outside every origin path under which the distribution serves the bucket.
    OutsideOriginPath,
    /// Requests for the object's URLs go to other origins, or match no behavior.
    OtherOrigin,
}

/// A URL of an object, and where requests for it go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedUrl<'v> {
    /// The URL.
    pub url: ViewerUrl,
    /// Where requests for it go.
    pub routing: Routing<'v>,
    /// Whether it may be cached once for each query string.
    pub query_strings: bool,
}

/// Where requests for a URL go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing<'v> {
    /// Unknown, since the mapping is not derived from a distribution config. It is assumed that the bucket receives
    /// them.
    ConfigUnknown,
    /// No behavior sends them to the bucket, but an edge function may.
    EdgeFunction,
    /// This cache behavior sends them to the bucket.
    ToBucket(&'v Behavior),
    /// This cache behavior, the first that matches, sends them to another origin.
    OtherOrigin(&'v Behavior),
    /// No cache behavior matches. A config from CloudFront always has one that does, the default behavior.
    NoBehavior,
}

impl Routing<'_> {
    /// Whether the distribution may serve the object at this URL.
    #[must_use]
    pub fn is_served(self) -> bool {
        matches!(self, Self::ConfigUnknown | Self::EdgeFunction | Self::ToBucket(_))
    }
}

/// Removes empty and dot segments from a path. `None` if it contains neither `//` nor `/.`, so that there is nothing to
/// remove.
///
/// CloudFront compares the normalized path with path patterns, but sends the path to the origin as received.
///
/// Source: CloudFront developer guide, "Path normalization".
fn normalized(path: &str) -> Option<String> {
    if !path.contains("//") && !path.contains("/.") {
        return None;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let is_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && !segments.is_empty();
    Some(format!("/{}{}", segments.join("/"), if is_folder { "/" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_dot_segments_are_removed() {
        for (path, normal) in [
            ("//assets/a", Some("/assets/a")),
            ("/./assets/a", Some("/assets/a")),
            ("/x/../assets/a", Some("/assets/a")),
            ("/../../a", Some("/a")),
            ("/a//", Some("/a/")),
            ("/a/..", Some("/")),
            ("/a/b/.", Some("/a/b/")),
            ("//", Some("/")),
            ("/.well-known/a", Some("/.well-known/a")),
            ("/a/b", None),
            ("/", None),
        ] {
            assert_eq!(normalized(path).as_deref(), normal, "{path}");
        }
    }
}
