//! How a distribution routes requests for a bucket's objects, by origin path and cache behaviors.
//!
//! A distribution config determines which origins are the bucket, with which origin path, and which requests reach
//! them. Without it, the whole bucket is assumed to be served at the root, or below the origin path that the bucket's
//! tag names. Where an edge function may change a request's URI or origin, no URL is ruled out.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::invalidation_path::url_of;
use super::url_forms::IndexNames;
use super::{
    Behavior, BucketOptions, BucketOrigin, DirectoryUrls, DistributionConfig, EdgeFunctions, Endpoint,
    InvalidationPath, Origin, OriginPath, QueryStrings, UrlForms, UrlKind, ViewerUrl,
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
    /// Whether viewers may request other URLs: the origin path is not known and no tag names it, or a function at
    /// origin-request is in front of the bucket and no tag names the forms of URLs.
    pub are_urls_uncertain: bool,
    /// The functions in front of the bucket, if no tag names the forms of URLs.
    pub unnamed_functions: EdgeFunctions,
    /// The URL of the default root object, for which CloudFront also returns the object at `/`.
    root_url: Option<String>,
    forms: UrlForms,
    /// The file names that are pages, if a tag names the forms of URLs.
    page_names: Vec<String>,
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
        let mut without_config = Self::without_config(options);
        let Some(config) = config else { return without_config };
        let origins: Vec<_> = config.origins_of(bucket).collect();
        // Origins that may be the bucket under another name.
        let is_other = |id: &str| origins.iter().all(|it| it.origin.id != id);
        let possible = config.origins.iter().filter(|it| it.may_be(bucket) && is_other(&it.id));
        // A CNAME may be one of the website endpoint.
        let endpoint = |it: &Origin| if it.is_named_like(bucket) { Endpoint::Website } else { Endpoint::Rest };
        let possible: Vec<_> = possible
            .map(|origin| BucketOrigin { origin, path: origin.path.clone(), endpoint: endpoint(origin) })
            .collect();
        let ids: Vec<_> = origins.iter().chain(&possible).map(|it| it.origin.id.as_str()).collect();
        // A response to a request that such a function rewrites is cached under the URL that the viewer requested. AWS
        // recommends to invalidate a directory with and without its slash (CloudFront developer guide, "What you need
        // to know when invalidating files").
        let functions = config.functions_before(&ids);
        if functions.at_origin_request && options.directory_urls.is_none() {
            without_config.directory_urls = DirectoryUrls::Both;
        }
        if options.urls.is_none() {
            without_config.unnamed_functions = functions;
            without_config.are_urls_uncertain = functions.at_origin_request;
        }
        let is_unknown = |it: &BucketOrigin<'_>| it.path.is_none() && options.origin_path.is_none();
        without_config.are_urls_uncertain |= origins.iter().any(is_unknown);
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
        let root_url = config.default_root_object.as_deref().map(|root| url_of([root]));
        Self { origin_matches, root_url, config: Some(Arc::clone(config)), fallback, ..without_config }
    }

    /// Returns the mapping that is assumed where only the bucket's tags are known.
    #[must_use]
    pub fn without_config(options: &BucketOptions) -> Self {
        let path = options.origin_path.clone().unwrap_or_default();
        let index_documents = options.index_documents.names(true);
        let page_names = if options.urls.is_some() { index_documents.clone() } else { Vec::new() };
        Self {
            origin_matches: vec![OriginMatch { path, origins: Vec::new(), index_documents }],
            are_urls_uncertain: false,
            unnamed_functions: EdgeFunctions::default(),
            root_url: None,
            forms: options.urls.clone().unwrap_or_default(),
            page_names,
            directory_urls: options.directory_urls.unwrap_or_default(),
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

    /// Whether the keys below a URL are known, so that it can be counted what a wildcard evicts: each form of URLs is a
    /// literal and the key.
    #[must_use]
    pub fn is_invertible(&self) -> bool {
        self.forms.are_invertible()
    }

    /// Whether `includes` holds for prefixes of keys, relative to their origin path, that together include every key
    /// with a URL that starts with `url_prefix`. `false` if no such prefixes are known.
    pub fn all_keys_below(&self, url_prefix: &str, includes: impl Fn(&str) -> bool) -> bool {
        let root = self.config.as_ref().and_then(|config| config.default_root_object.as_deref());
        let root = root.filter(|_| self.root_url.as_ref().is_some_and(|url| url.starts_with(url_prefix)));
        root.is_none_or(&includes) && self.forms.all_keys_below(url_prefix, includes)
    }

    /// Whether no behavior caches anything.
    fn is_caching_disabled(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.behaviors.iter().all(|it| it.is_caching_disabled))
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
        let mut not_served = NotServed::OtherOrigin;
        let mut paths = Vec::with_capacity(urls.len());
        for RoutedUrl { url, routing, query_strings, .. } in urls {
            match routing {
                Routing::NotCached(_) => not_served = NotServed::NotCached,
                _ if routing.is_served() => paths.extend(url.paths(query_strings)),
                _ => {}
            }
        }
        paths.sort_unstable();
        paths.dedup();
        if paths.is_empty() { Err(not_served) } else { Ok(paths) }
    }

    /// Returns the URLs at which the distribution may serve an object.
    pub fn served_urls(&self, key: &ObjectKey) -> impl Iterator<Item = String> + use<'_> {
        self.explain(key).into_iter().filter(|it| it.routing.is_served()).map(|it| it.url.text)
    }

    /// Returns all URLs of an object and where requests for them go; empty if the key is outside every origin path.
    #[must_use]
    pub fn explain(&self, key: &ObjectKey) -> Vec<RoutedUrl<'_>> {
        let root = self.config.as_ref().and_then(|config| config.default_root_object.as_deref());
        let root = root.zip(self.root_url.as_ref());
        let mut routed_urls = Vec::with_capacity(1);
        for origin_match in &self.origin_matches {
            let Some(key) = origin_match.path.strip(key) else { continue };
            let index = IndexNames { served: &origin_match.index_documents, pages: &self.page_names };
            let mut urls = self.forms.urls(key, index, self.directory_urls);
            // For `/` CloudFront requests the default root object, and may cache it under either URL.
            let root = root.and_then(|(name, root_url)| {
                let form = urls.iter().find(|(url, _)| url.text == *root_url).map(|(_, form)| *form);
                Some((root_url, form.or_else(|| self.forms.form_with(key, name))?))
            });
            for (url, form) in
                root.into_iter().flat_map(|(url, form)| [(ViewerUrl::file(url), form), (ViewerUrl::root(), form)])
            {
                if urls.iter().all(|(other, _)| other.text != url.text) {
                    urls.push((url, form));
                }
            }
            routed_urls.extend(urls.into_iter().map(|(url, form)| self.routed(url, form, origin_match)));
        }
        match &self.fallback {
            Some(fallback) if !routed_urls.iter().any(|it| it.routing.is_served()) && !self.is_caching_disabled() => {
                fallback.explain(key)
            }
            _ => routed_urls,
        }
    }

    /// Finds out where requests for a URL of an object go.
    fn routed<'v>(&'v self, url: ViewerUrl, form: &'v str, origin_match: &OriginMatch) -> RoutedUrl<'v> {
        let Some(config) = &self.config else {
            let query_strings = self.query_strings.unwrap_or_default();
            return RoutedUrl { url, form, routing: Routing::ConfigUnknown, query_strings };
        };
        let goes_to_bucket =
            |behavior: &&Behavior| config.targets(behavior).iter().any(|it| origin_match.origins.contains(it));
        let in_cache_key = |behavior: &Behavior| behavior.query_strings == QueryStrings::InCacheKey;
        let decoded = url.text.contains('%').then(|| percent_decode_str(&url.text).decode_utf8_lossy());
        // CloudFront may match a request for `/` with path patterns by the path of the default root object. Without one, it passes `/`
        // on to the origin.
        // <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DefaultRootObject.html>
        let root_object = config.default_root_object.as_deref().filter(|_| url == ViewerUrl::root());
        let object_path = root_object.map(|object| format!("/{object}"));
        let spellings = [Some(url.text.as_str()), decoded.as_deref(), object_path.as_deref()];
        let normal: Vec<_> = spellings.iter().flatten().filter_map(|spelling| normalized(spelling)).collect();
        let spellings = || spellings.into_iter().flatten().chain(normal.iter().map(String::as_str));
        let is_prefix = url.kind == UrlKind::Prefix;
        let candidates = || {
            spellings().flat_map(|spelling| {
                let below = is_prefix.then(|| config.behaviors_below(spelling));
                config.behaviors_of(spelling).chain(below.into_iter().flatten())
            })
        };
        let has_edge_function = config.has_edge_function();
        // A request of another behavior may have been rewritten to this URL, and is cached by that behavior's policy.
        let may_serve = |it: &&Behavior| it.functions.any() || goes_to_bucket(it);
        let may_serve = || has_edge_function.then(|| config.behaviors.iter().filter(may_serve)).into_iter().flatten();
        let routing = match candidates().filter(goes_to_bucket).max_by_key(|it| in_cache_key(it)) {
            Some(behavior) => Routing::ToBucket(behavior),
            None if has_edge_function => Routing::EdgeFunction,
            None => candidates().next().map_or(Routing::NoBehavior, Routing::OtherOrigin),
        };
        let is_cached = || candidates().filter(goes_to_bucket).chain(may_serve()).any(|it| !it.is_caching_disabled);
        let routing = match routing {
            Routing::ToBucket(behavior) if behavior.is_caching_disabled && !is_cached() => Routing::NotCached(behavior),
            Routing::EdgeFunction if !is_cached() => may_serve().next().map_or(routing, Routing::NotCached),
            _ => routing,
        };
        let query_strings = self.query_strings.unwrap_or_else(|| match routing {
            _ if has_edge_function => may_serve().any(in_cache_key),
            Routing::ToBucket(behavior) => in_cache_key(behavior),
            _ => false,
        });
        RoutedUrl { url, form, routing, query_strings }
    }
}

/// Why a distribution does not serve an object. Of several reasons for one object, the greatest is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotServed {
    /// The key is outside every origin path under which the distribution serves the bucket.
    OutsideOriginPath,
    /// Requests for the object's URLs go to other origins, or match no behavior.
    OtherOrigin,
    /// No behavior that may serve the object's URLs caches anything.
    NotCached,
}

/// A URL of an object, and where requests for it go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedUrl<'v> {
    /// The URL.
    pub url: ViewerUrl,
    /// The form that it has, such as `/:key`.
    pub form: &'v str,
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
    /// This cache behavior sends them to the bucket, or may do so, and neither it nor another one that may serve them
    /// caches anything.
    NotCached(&'v Behavior),
    /// This cache behavior, the first that matches, sends them to another origin.
    OtherOrigin(&'v Behavior),
    /// No cache behavior matches. A config from CloudFront always has one that does, the default behavior.
    NoBehavior,
}

impl Routing<'_> {
    /// Whether the distribution may serve the object from its cache at this URL.
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
