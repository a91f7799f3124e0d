//! Which URLs serve an object, by CloudFront's documented rules, from a distribution config as the AWS CLI prints it.
//!
//! Implemented independently of the crate's reading of configs, with no shared code. For each URL it works out what
//! CloudFront does with a request for it, and what the bucket returns then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::distribution_configs::{CACHING_DISABLED, MANAGED_POLICIES, S3_ENDPOINT_SUFFIXES};
use crate::keys::{UrlTags, object_urls, stands_for, url_encodings, viewer_paths};

/// A query string that is in the cache key under every cache policy of this test that includes any.
const QUERY_STRING: &str = "?v=1";

/// Whether a distribution serves an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServedState {
    /// The key is outside every origin path.
    Outside,
    /// Requests for the object's URLs go to other origins.
    Elsewhere,
    /// No behavior that may serve the object's URLs caches anything.
    NotCached,
    Served,
}

/// Whether an object is served, and at which URLs, by the bucket's tags alone.
pub(crate) fn served_by_tags(key: &str, tags: UrlTags) -> (ServedState, BTreeSet<String>) {
    let urls = object_urls(key, tags);
    (if urls.is_empty() { ServedState::Outside } else { ServedState::Served }, urls)
}

/// Whether an object is served, and the URLs that viewers may have it cached under. The origin path in the bucket's tags
/// applies where no origin is recognized as the bucket.
pub(crate) fn served_by_config(
    config: &Value,
    cache_policies: &BTreeMap<String, Value>,
    (bucket, tags): (&str, UrlTags),
    key: &str,
) -> (ServedState, BTreeSet<String>) {
    let origins: Vec<_> = items(&config["Origins"])
        .filter_map(|origin| {
            let suffix = text(&origin["DomainName"]).strip_prefix(bucket)?;
            let is_website = S3_ENDPOINT_SUFFIXES.iter().find(|(endpoint, _)| *endpoint == suffix)?.1;
            Some((text(&origin["Id"]), text(&origin["OriginPath"]), is_website))
        })
        .collect();
    if origins.is_empty() {
        return served_by_tags(key, tags);
    }
    let behaviors: Vec<_> = items(&config["CacheBehaviors"]).chain([&config["DefaultCacheBehavior"]]).collect();
    let any_may_rewrite = behaviors.iter().any(|it| may_rewrite(it));
    let targets = |behavior: &Value, id: &str| {
        let target = text(&behavior["TargetOriginId"]);
        let groups = items(&config["OriginGroups"]).filter(|group| text(&group["Id"]) == target);
        target == id || groups.flat_map(|it| items(&it["Members"])).any(|it| text(&it["OriginId"]) == id)
    };
    let before_bucket: Vec<_> =
        behaviors.iter().filter(|behavior| origins.iter().any(|(id, ..)| targets(behavior, id))).collect();
    let mut state = ServedState::Outside;
    let mut urls = BTreeSet::new();
    for &(id, path, is_website) in &origins {
        // CloudFront requests the origin path followed by the viewer's path.
        let request_path = format!("/{key}");
        let Some(rest) = request_path.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) else { continue };
        state = state.max(ServedState::Elsewhere);
        let targets_this_origin = |behavior: &Value| targets(behavior, id);
        let matching_behavior =
            |url: &str| behaviors.iter().find(|it| matches_pattern(it["PathPattern"].as_str().unwrap_or("*"), url));
        let mut add_url = |url: String, effective_path: &str| {
            // CloudFront documents that it compares the normalized path. A behavior that may match counts as
            // matching.
            let forms = [url.clone(), effective_path.to_owned(), normalize_path(&url), normalize_path(effective_path)];
            let matching: Vec<_> =
                forms.iter().filter_map(|form| matching_behavior(form)).filter(|it| targets_this_origin(it)).collect();
            // An edge function may route requests of any behavior that it is associated with to this origin.
            let query_strings = if any_may_rewrite {
                behaviors.iter().any(|it| {
                    (may_rewrite(it) || targets_this_origin(it)) && query_strings_in_cache_key(it, cache_policies)
                })
            } else {
                matching.iter().any(|it| query_strings_in_cache_key(it, cache_policies))
            };
            let mut serving: Vec<_> = matching.clone();
            if any_may_rewrite {
                serving = behaviors.iter().filter(|it| may_rewrite(it) || targets_this_origin(it)).collect();
            }
            if !serving.is_empty() && serving.iter().all(|it| it["CachePolicyId"] == CACHING_DISABLED) {
                state = state.max(ServedState::NotCached);
            } else if any_may_rewrite || !matching.is_empty() {
                state = ServedState::Served;
                urls.extend(query_strings.then(|| format!("{url}{QUERY_STRING}")));
                urls.insert(url);
            }
        };
        // A website endpoint serves its index document for a directory, and an edge function usually rewrites to it.
        let has_directories = is_website || any_may_rewrite;
        // A function at origin-request runs after the cache lookup, so a directory is cached with and without its slash.
        let without_slash = tags.without_slash || before_bucket.iter().any(|it| runs_at_origin_request(it));
        let paths = viewer_paths(rest, tags, has_directories, without_slash);
        for url in paths.iter().flat_map(|path| url_encodings(path)) {
            add_url(url.clone(), &url);
        }
        let root = text(&config["DefaultRootObject"]);
        // CloudFront requests the object itself in place of `/`, also where a form hides its name.
        if (paths.contains(root) || stands_for(rest, tags, root)) && !root.is_empty() {
            add_url("/".to_owned(), &format!("/{root}"));
        }
    }
    (state, urls)
}

/// A path as CloudFront compares it with path patterns: without dot segments (RFC 3986, section 5.2.4) and without
/// empty segments. Source: developer guide, "Path normalization".
fn normalize_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (last, directories) = segments.split_last().unwrap_or((&"", &[]));
    for segment in directories {
        match *segment {
            ".." => drop(kept.pop()),
            "." | "" => {}
            other => kept.push(other),
        }
    }
    let last_segment = match *last {
        "." => "",
        ".." => {
            kept.pop();
            ""
        }
        other => other,
    };
    kept.push(last_segment);
    format!("/{}", kept.join("/"))
}

/// Whether an edge function may rewrite the behavior's requests.
fn may_rewrite(behavior: &Value) -> bool {
    let associations = items(&behavior["FunctionAssociations"]).chain(items(&behavior["LambdaFunctionAssociations"]));
    associations.map(|it| text(&it["EventType"])).any(|event| event.ends_with("-request"))
}

/// Whether a function runs between the cache and the behavior's origin.
pub(crate) fn runs_at_origin_request(behavior: &Value) -> bool {
    items(&behavior["LambdaFunctionAssociations"]).any(|it| text(&it["EventType"]) == "origin-request")
}

/// Whether the behavior's cache key includes query strings.
fn query_strings_in_cache_key(behavior: &Value, cache_policies: &BTreeMap<String, Value>) -> bool {
    let Some(id) = behavior["CachePolicyId"].as_str() else {
        return behavior["ForwardedValues"]["QueryString"] == true;
    };
    match cache_policies.get(id) {
        Some(policy) => {
            let query_strings = &policy["ParametersInCacheKeyAndForwardedToOrigin"]["QueryStringsConfig"];
            query_strings["QueryStringBehavior"] != "none"
        }
        None => MANAGED_POLICIES.contains(&(id, true)),
    }
}

/// Whether a function runs between the cache and the origin of any behavior of a distribution config.
pub(crate) fn any_runs_at_origin_request(config: &Value) -> bool {
    items(&config["CacheBehaviors"]).chain([&config["DefaultCacheBehavior"]]).any(runs_at_origin_request)
}

/// Whether any behavior of a distribution config has query strings in its cache key.
pub(crate) fn any_query_strings_in_cache_key(config: &Value, cache_policies: &BTreeMap<String, Value>) -> bool {
    let mut behaviors = items(&config["CacheBehaviors"]).chain([&config["DefaultCacheBehavior"]]);
    behaviors.any(|it| query_strings_in_cache_key(it, cache_policies))
}

/// `*` matches any characters, `?` exactly one. A slash at the start is optional.
fn matches_pattern(pattern: &str, url: &str) -> bool {
    fn matches_rest(pattern: &[u8], url: &[u8]) -> bool {
        match (pattern, url) {
            ([], _) => url.is_empty(),
            ([b'*', after @ ..], _) => (0..=url.len()).any(|taken| matches_rest(after, &url[taken..])),
            ([b'?', after @ ..], [_, more @ ..]) => matches_rest(after, more),
            ([one, after @ ..], [other, more @ ..]) => one == other && matches_rest(after, more),
            (_, []) => false,
        }
    }
    matches_rest(
        pattern.strip_prefix('/').unwrap_or(pattern).as_bytes(),
        url.strip_prefix('/').unwrap_or(url).as_bytes(),
    )
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["Items"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
