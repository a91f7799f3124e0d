//! How a distribution shows a bucket: which URLs an object has in it, if any.
//!
//! With the distribution's settings this is known: through which of its origins the bucket is seen, below which path, and
//! which requests get there. Without them it is taken that the whole bucket is served at the root, or below the origin path
//! that its tag names. Where a function at the edge can send a request elsewhere than its path says, no URL is ruled out.

use std::sync::Arc;

use super::{
    Behavior, BucketOptions, DirectoryUrls, DistributionConfig, Endpoint, IndexDocuments, InvalidationPath, Origin,
    OriginPath, QueryStrings, ViewerKey, ViewerUrl, urls,
};
use crate::change::{Bucket, ObjectKey};

use super::routing::normalized;
use super::routing::{NotServed, RoutedUrl, Routing};

/// How a distribution shows a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    origin_matches: Vec<OriginMatch>,
    directory_urls: DirectoryUrls,
    /// What the bucket's tag says.
    query_strings: Option<bool>,
    config: Option<Arc<DistributionConfig>>,
    /// Whether the settings are those read last, since they could not be read again.
    is_stale: bool,
    /// Whether it is known of every origin whether it is the bucket.
    is_certain: bool,
    /// What is taken of objects that are not seen, where it is not.
    fallback: Option<Box<Self>>,
}

/// A folder of the bucket that is seen at the root of the distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OriginMatch {
    path: OriginPath,
    /// The origins that look there; none if the settings are not known.
    origins: Vec<String>,
    /// Files that a directory of it shows.
    index_documents: Vec<String>,
}

impl Mapping {
    /// How a distribution with these settings shows the bucket. What the bucket's tags say comes before what the settings do.
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
        let rewrites = config.is_none_or(|config| config.rewrites());
        let is_other = |origin: &&Origin| origins.iter().all(|(known, ..)| known.id != origin.id);
        // Those that may be the bucket under another name.
        let possible = config.iter().flat_map(|config| &config.origins);
        let possible: Vec<_> = possible.filter(|it| it.may_be_any_bucket()).filter(is_other).collect();
        let possible_matches = possible.iter().map(|origin| (*origin, origin.path.as_ref(), Endpoint::Rest));
        let mut origin_matches: Vec<OriginMatch> = Vec::new();
        let mut is_certain = !origins.is_empty() && possible.is_empty();
        for (origin, path, endpoint) in
            origins.iter().map(|(it, path, kind)| (*it, path.as_ref(), *kind)).chain(possible_matches)
        {
            let Some(path) = options.origin_path.as_ref().or(path) else {
                is_certain = false;
                continue;
            };
            let names = index_documents(rewrites || endpoint == Endpoint::Website);
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
        let fallback = (!is_certain && config.is_some()).then(|| Box::new(Self::without_config(options)));
        let (directory_urls, query_strings) = (options.directory_urls, options.query_strings);
        Self { origin_matches, directory_urls, query_strings, config, is_stale: false, is_certain, fallback }
    }

    /// How a distribution is taken to show a bucket of which nothing but the tags is known.
    #[must_use]
    pub fn without_config(options: &BucketOptions) -> Self {
        Self::from_origins(&[], options, None)
    }

    /// The same, from settings that could not be read again.
    #[must_use]
    pub fn stale(self) -> Self {
        Self { is_stale: true, ..self }
    }

    /// Whether it is taken from settings that could not be read again, and may have changed.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Whether it is taken from the distribution's settings, and not from tags and defaults where those do not tell.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.is_certain
    }

    /// The paths to invalidate when this object changes, sorted, each once; at least one.
    ///
    /// # Errors
    /// [`NotServed`] if no viewer can see the object through this distribution.
    pub fn paths(&self, key: &ObjectKey) -> Result<Vec<InvalidationPath>, NotServed> {
        let mut paths = Vec::with_capacity(1);
        let mut reason = NotServed::OutsideOriginPath;
        for (origin_match, key) in self.matches_of(key) {
            reason = NotServed::Elsewhere;
            for RoutedUrl { url, routing } in self.routed_urls(origin_match, key) {
                if routing.is_served() {
                    paths.extend(url.paths(self.has_query_strings(origin_match, routing)));
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

    /// The distribution's settings, if they are known.
    #[must_use]
    pub fn config(&self) -> Option<&Arc<DistributionConfig>> {
        self.config.as_ref()
    }

    /// The folders that it looks into, each empty or ending with `/`.
    pub fn folders(&self) -> impl Iterator<Item = String> {
        self.origin_matches.iter().map(|origin_match| origin_match.path.folder())
    }

    /// The origins that look into each folder.
    pub fn origins_by_folder(&self) -> impl Iterator<Item = (&[String], String)> {
        self.origin_matches.iter().map(|origin_match| (origin_match.origins.as_slice(), origin_match.path.folder()))
    }

    /// The URLs at which a viewer may see an object.
    pub fn served_urls(&self, key: &ObjectKey) -> impl Iterator<Item = String> + use<'_> {
        self.explain(key).into_iter().filter(|it| it.routing.is_served()).map(|it| it.url.text)
    }

    /// All URLs of an object, whether requests for them get to the bucket or not; none if it lies outside.
    #[must_use]
    pub fn explain(&self, key: &ObjectKey) -> Vec<RoutedUrl<'_>> {
        let routed_urls: Vec<_> =
            self.matches_of(key).flat_map(|(origin_match, key)| self.routed_urls(origin_match, key)).collect();
        match &self.fallback {
            Some(fallback) if !routed_urls.iter().any(|it| it.routing.is_served()) => fallback.explain(key),
            _ => routed_urls,
        }
    }

    /// The folders that the object lies in, with its key there.
    fn matches_of<'k>(&self, key: &'k ObjectKey) -> impl Iterator<Item = (&OriginMatch, ViewerKey<'k>)> {
        self.origin_matches.iter().filter_map(move |origin_match| Some((origin_match, origin_match.path.strip(key)?)))
    }

    fn routed_urls(&self, origin_match: &OriginMatch, key: ViewerKey<'_>) -> Vec<RoutedUrl<'_>> {
        let mut urls = urls(key, &origin_match.index_documents, self.directory_urls);
        let root = self.config.as_ref().and_then(|config| config.default_root_object.as_deref());
        if root == Some(key.as_str()) && !urls.contains(&ViewerUrl::root()) {
            urls.push(ViewerUrl::root());
        }
        urls.into_iter().map(|url| RoutedUrl { routing: self.routing(origin_match, &url, key), url }).collect()
    }

    fn routing(&self, origin_match: &OriginMatch, url: &ViewerUrl, key: ViewerKey<'_>) -> Routing<'_> {
        let Some(config) = &self.config else { return Routing::ConfigUnknown };
        let goes_to_bucket =
            |behavior: &&Behavior| origin_match.origins.iter().any(|origin| config.goes_to(behavior, origin));
        let decoded = url.decoded();
        // The root may stand for its object's own URL.
        let root = (*url == ViewerUrl::root()).then(|| format!("/{}", key.as_str()));
        let spellings = [Some(url.text.as_str()), decoded.as_deref(), root.as_deref()];
        let normal: Vec<_> = spellings.iter().flatten().filter_map(|spelling| normalized(spelling)).collect();
        let spellings = || spellings.into_iter().flatten().chain(normal.iter().map(String::as_str));
        let candidates = || spellings().flat_map(|spelling| config.behaviors_of(spelling));
        match candidates().filter(goes_to_bucket).max_by_key(|it| it.query_strings == QueryStrings::InKey) {
            Some(behavior) => Routing::ToBucket(behavior),
            None if config.rewrites() => Routing::EdgeFunction,
            None => candidates().next().map_or(Routing::NoBehavior, Routing::Elsewhere),
        }
    }

    /// Whether there can be an entry of such a URL for each query string.
    fn has_query_strings(&self, origin_match: &OriginMatch, routing: Routing<'_>) -> bool {
        let in_key = |behavior: &Behavior| behavior.query_strings == QueryStrings::InKey;
        self.query_strings.unwrap_or_else(|| match (&self.config, routing) {
            (Some(config), _) if config.rewrites() => {
                // Another behaviour's requests may have been given this path.
                let may_come = |behavior: &&Behavior| {
                    behavior.rewrites || origin_match.origins.iter().any(|origin| config.goes_to(behavior, origin))
                };
                config.behaviors.iter().filter(may_come).any(in_key)
            }
            (_, Routing::ToBucket(behavior)) => in_key(behavior),
            _ => false,
        })
    }
}
