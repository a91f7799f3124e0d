//! How a distribution routes requests for a bucket's objects, by origin path and cache behaviors.
//!
//! A distribution config determines which origins are the bucket, with which origin path, and which requests reach
//! them. Without it, the whole bucket is assumed to be served at the root, or below the origin path that the bucket's
//! tag names. Where an edge function may change a request's URI or origin, no URL is ruled out.

use std::fmt;
use std::sync::Arc;

use super::{
    Behavior, BucketOptions, DirectoryUrls, DistributionConfig, Endpoint, IndexDocuments, InvalidationPath, Origin,
    OriginPath, QueryStrings, RelativeKey, ViewerUrl, urls,
};
use crate::change::text::excerpt;
use crate::change::{Bucket, ObjectKey};

/// How a distribution maps a bucket's keys to URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    origin_matches: Vec<OriginMatch>,
    directory_urls: DirectoryUrls,
    /// Whether query strings are part of the cache key, according to the bucket's tag, if it has one.
    query_strings: Option<bool>,
    config: Option<Arc<DistributionConfig>>,
    /// Whether the config is a stale one, because it could not be refreshed.
    is_stale: bool,
    /// Whether the config settles the mapping: at least one origin is the bucket, the origin path of each is known, and
    /// no other origin may be the bucket.
    is_conclusive: bool,
    /// The mapping by tags and defaults alone, used for objects that this one does not serve. `None` without a config,
    /// and where the config settles the mapping.
    fallback: Option<Box<Self>>,
}

/// An origin path under which the distribution serves the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OriginMatch {
    path: OriginPath,
    /// The IDs of the origins with this origin path; empty without a config.
    origins: Vec<String>,
    /// File names that are also served under their directory's URL.
    index_documents: Vec<String>,
}

impl Mapping {
    /// Derives the mapping of a bucket from its options and the distribution config. The bucket's tags take precedence.
    #[must_use]
    pub fn new(bucket: &Bucket, options: &BucketOptions, config: Option<&Arc<DistributionConfig>>) -> Self {
        let origins: Vec<_> = config.iter().flat_map(|it| it.origins_of(bucket)).collect();
        Self::from_origins(&origins, options, config)
    }

    fn from_origins(
        origins: &[(&Origin, Option<OriginPath>, Endpoint)],
        options: &BucketOptions,
        config: Option<&Arc<DistributionConfig>>,
    ) -> Self {
        let index_documents = |has_directories: bool| match &options.index_documents {
            IndexDocuments::FromTag(names) => names.clone(),
            IndexDocuments::Default(names) if has_directories => names.clone(),
            IndexDocuments::Default(_) => Vec::new(),
        };
        let has_edge_function = config.is_none_or(|config| config.has_edge_function());
        let is_other = |origin: &&Origin| origins.iter().all(|(known, ..)| known.id != origin.id);
        // Origins that may be the bucket under another name.
        let possible = config.iter().flat_map(|config| &config.origins);
        let possible: Vec<_> = possible.filter(|it| it.may_be_any_bucket()).filter(is_other).collect();
        let possible_matches = possible.iter().map(|origin| (*origin, origin.path.as_ref(), Endpoint::Rest));
        let mut origin_matches: Vec<OriginMatch> = Vec::new();
        let mut is_conclusive = !origins.is_empty() && possible.is_empty();
        for (origin, path, endpoint) in
            origins.iter().map(|(it, path, endpoint)| (*it, path.as_ref(), *endpoint)).chain(possible_matches)
        {
            let Some(path) = options.origin_path.as_ref().or(path) else {
                is_conclusive = false;
                continue;
            };
            let names = index_documents(has_edge_function || endpoint == Endpoint::Website);
            match origin_matches.iter_mut().find(|origin_match| origin_match.path == *path) {
                Some(origin_match) => {
                    origin_match.origins.push(origin.id.clone());
                    if origin_match.index_documents.is_empty() {
                        origin_match.index_documents = names;
                    }
                }
                None => origin_matches.push(OriginMatch {
                    path: path.clone(),
                    origins: vec![origin.id.clone()],
                    index_documents: names,
                }),
            }
        }
        let config = config.filter(|_| !origin_matches.is_empty()).cloned();
        if origin_matches.is_empty() {
            let path = options.origin_path.clone().unwrap_or_default();
            origin_matches.push(OriginMatch { path, origins: Vec::new(), index_documents: index_documents(true) });
        }
        let fallback = (!is_conclusive && config.is_some()).then(|| Box::new(Self::without_config(options)));
        let (directory_urls, query_strings) = (options.directory_urls, options.query_strings);
        Self { origin_matches, directory_urls, query_strings, config, is_stale: false, is_conclusive, fallback }
    }

    /// Returns the mapping that is assumed where only the bucket's tags are known.
    #[must_use]
    pub fn without_config(options: &BucketOptions) -> Self {
        Self::from_origins(&[], options, None)
    }

    /// Marks the mapping as derived from a stale config.
    #[must_use]
    pub fn stale(self) -> Self {
        Self { is_stale: true, ..self }
    }

    /// Whether the mapping is derived from a stale config, which could not be refreshed and may have changed.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Whether the config settles the mapping, so that it does not rest on tags and defaults.
    #[must_use]
    pub fn is_conclusive(&self) -> bool {
        self.is_conclusive
    }

    /// Returns the paths to invalidate when this object changes: sorted, deduplicated, at least one.
    ///
    /// # Errors
    /// [`NotServed`] if the distribution does not serve the object.
    pub fn paths(&self, key: &ObjectKey) -> Result<Vec<InvalidationPath>, NotServed> {
        let mut paths = Vec::with_capacity(1);
        let mut reason = NotServed::OutsideOriginPath;
        for (origin_match, key) in self.matches_of(key) {
            reason = NotServed::OtherOrigin;
            for RoutedUrl { url, routing } in self.routed_urls(origin_match, key) {
                if routing.is_served() {
                    paths.extend(url.paths(self.query_strings_in_cache_key(origin_match, routing)));
                }
            }
        }
        paths.sort_unstable();
        paths.dedup();
        match &self.fallback {
            _ if !paths.is_empty() => Ok(paths),
            Some(fallback) => fallback.paths(key),
            None => Err(reason),
        }
    }

    /// Returns the distribution config, if the mapping is derived from one.
    #[must_use]
    pub fn config(&self) -> Option<&Arc<DistributionConfig>> {
        self.config.as_ref()
    }

    /// Returns the key prefixes of the origin paths, each empty or ending with `/`.
    pub fn key_prefixes(&self) -> impl Iterator<Item = String> {
        self.origin_matches.iter().map(|origin_match| origin_match.path.key_prefix())
    }

    /// Returns the key prefix of each origin path with the IDs of the origins that have it.
    pub fn origins_by_key_prefix(&self) -> impl Iterator<Item = (&[String], String)> {
        self.origin_matches.iter().map(|origin_match| (origin_match.origins.as_slice(), origin_match.path.key_prefix()))
    }

    /// Returns the URLs at which the distribution may serve an object.
    pub fn served_urls(&self, key: &ObjectKey) -> impl Iterator<Item = String> + use<'_> {
        self.explain(key).into_iter().filter(|it| it.routing.is_served()).map(|it| it.url.text)
    }

    /// Returns all URLs of an object and where requests for them go; empty if the key is outside every origin path.
    #[must_use]
    pub fn explain(&self, key: &ObjectKey) -> Vec<RoutedUrl<'_>> {
        let routed_urls: Vec<_> =
            self.matches_of(key).flat_map(|(origin_match, key)| self.routed_urls(origin_match, key)).collect();
        match &self.fallback {
            Some(fallback) if !routed_urls.iter().any(|it| it.routing.is_served()) => fallback.explain(key),
            _ => routed_urls,
        }
    }

    /// Returns the origin paths that contain the object, each with the key relative to it.
    fn matches_of<'k>(&self, key: &'k ObjectKey) -> impl Iterator<Item = (&OriginMatch, RelativeKey<'k>)> {
        self.origin_matches.iter().filter_map(move |origin_match| Some((origin_match, origin_match.path.strip(key)?)))
    }

    fn routed_urls(&self, origin_match: &OriginMatch, key: RelativeKey<'_>) -> Vec<RoutedUrl<'_>> {
        let mut urls = urls(key, &origin_match.index_documents, self.directory_urls);
        let root = self.config.as_ref().and_then(|config| config.default_root_object.as_deref());
        if root == Some(key.as_str()) && !urls.contains(&ViewerUrl::root()) {
            urls.push(ViewerUrl::root());
        }
        urls.into_iter().map(|url| RoutedUrl { routing: self.routing(origin_match, &url, key), url }).collect()
    }

    fn routing(&self, origin_match: &OriginMatch, url: &ViewerUrl, key: RelativeKey<'_>) -> Routing<'_> {
        let Some(config) = &self.config else { return Routing::ConfigUnknown };
        let goes_to_bucket =
            |behavior: &&Behavior| origin_match.origins.iter().any(|origin| config.targets(behavior, origin));
        let decoded = url.decoded();
        // CloudFront may match a request for `/` with path patterns by the path of the object that it returns.
        let object_path = (*url == ViewerUrl::root()).then(|| format!("/{}", key.as_str()));
        let spellings = [Some(url.text.as_str()), decoded.as_deref(), object_path.as_deref()];
        let normal: Vec<_> = spellings.iter().flatten().filter_map(|spelling| normalized(spelling)).collect();
        let spellings = || spellings.into_iter().flatten().chain(normal.iter().map(String::as_str));
        let candidates = || spellings().flat_map(|spelling| config.behaviors_of(spelling));
        match candidates().filter(goes_to_bucket).max_by_key(|it| it.query_strings == QueryStrings::InCacheKey) {
            Some(behavior) => Routing::ToBucket(behavior),
            None if config.has_edge_function() => Routing::EdgeFunction,
            None => candidates().next().map_or(Routing::NoBehavior, Routing::OtherOrigin),
        }
    }

    /// Whether a URL may be cached once for each query string.
    fn query_strings_in_cache_key(&self, origin_match: &OriginMatch, routing: Routing<'_>) -> bool {
        let in_key = |behavior: &Behavior| behavior.query_strings == QueryStrings::InCacheKey;
        self.query_strings.unwrap_or_else(|| match (&self.config, routing) {
            (Some(config), _) if config.has_edge_function() => {
                // A request of another behavior may have been rewritten to this URL, and is cached by that behavior's
                // policy.
                let may_receive_request = |behavior: &&Behavior| {
                    behavior.has_edge_function
                        || origin_match.origins.iter().any(|origin| config.targets(behavior, origin))
                };
                config.behaviors.iter().filter(may_receive_request).any(in_key)
            }
            (_, Routing::ToBucket(behavior)) => in_key(behavior),
            _ => false,
        })
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

impl fmt::Display for Routing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |behavior: &Behavior| (excerpt(&behavior.pattern.to_string()), excerpt(&behavior.target));
        match self {
            Self::ConfigUnknown => f.write_str("the distribution config is unknown"),
            Self::EdgeFunction => f.write_str("an edge function may send requests to the bucket"),
            Self::ToBucket(behavior) => {
                let (pattern, target) = names(behavior);
                write!(f, "cache behavior {pattern} sends requests to origin \"{target}\"")
            }
            Self::OtherOrigin(behavior) => {
                let (pattern, target) = names(behavior);
                write!(f, "not served: cache behavior {pattern} sends requests to origin \"{target}\"")
            }
            Self::NoBehavior => f.write_str("not served: no cache behavior matches"),
        }
    }
}

impl fmt::Display for NotServed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutsideOriginPath => "outside the origin path",
            Self::OtherOrigin => "requests for the object go to other origins",
        })
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
