//! Which URLs serve an object, by CloudFront's documented rules, from a distribution config as the AWS CLI prints it.
//!
//! Implemented independently of the crate's reading of configs, with no shared code. For each URL it works out what
//! CloudFront does with a request for it, and what the bucket returns then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::keys::{spellings, urls};
use crate::site::{ENDPOINTS, MANAGED};

/// A query string that is in the cache key under every cache policy of this test that includes any.
const QUERY: &str = "?v=1";

/// How far an object is served by a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServedState {
    /// The key is outside every origin path.
    Outside,
    /// Requests for the object's URLs go to other origins.
    Elsewhere,
    Served,
}

/// How far an object is served, and at which URLs, by the bucket's tags alone.
pub(crate) fn by_tags(key: &str, folder: &str) -> (ServedState, BTreeSet<String>) {
    let urls = urls(key, folder);
    (if urls.is_empty() { ServedState::Outside } else { ServedState::Served }, urls)
}

/// How far an object is served, and the URLs that viewers may have it cached under. `folder` is the origin path in the
/// bucket's tags, which applies where no origin is recognized as the bucket.
pub(crate) fn by_settings(
    config: &Value,
    policies: &BTreeMap<String, Value>,
    (bucket, folder): (&str, &str),
    key: &str,
) -> (ServedState, BTreeSet<String>) {
    let origins: Vec<_> = items(&config["Origins"])
        .filter_map(|origin| {
            let end = text(&origin["DomainName"]).strip_prefix(bucket)?;
            let website = ENDPOINTS.iter().find(|(endpoint, _)| *endpoint == end)?.1;
            Some((text(&origin["Id"]), text(&origin["OriginPath"]), website))
        })
        .collect();
    if origins.is_empty() {
        return by_tags(key, folder);
    }
    let behaviors: Vec<_> = items(&config["CacheBehaviors"]).chain([&config["DefaultCacheBehavior"]]).collect();
    let rewritten = behaviors.iter().any(|it| rewrites(it));
    let mut sight = ServedState::Outside;
    let mut found = BTreeSet::new();
    for (id, path, website) in origins {
        // CloudFront requests the origin path followed by the viewer's path.
        let whole = format!("/{key}");
        let Some(rest) = whole.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) else { continue };
        sight = sight.max(ServedState::Elsewhere);
        let goes_here = |behavior: &Value| {
            let target = text(&behavior["TargetOriginId"]);
            let groups = items(&config["OriginGroups"]).filter(|group| text(&group["Id"]) == target);
            target == id || groups.flat_map(|it| items(&it["Members"])).any(|it| text(&it["OriginId"]) == id)
        };
        let first = |url: &str| behaviors.iter().find(|it| matches(it["PathPattern"].as_str().unwrap_or("*"), url));
        let mut shown = |url: String, as_if: &str| {
            // CloudFront documents that it compares the normalized path. A behavior that only might match counts as one
            // that does.
            let forms = [url.clone(), as_if.to_owned(), normal(&url), normal(as_if)];
            let by: Vec<_> = forms.iter().filter_map(|form| first(form)).filter(|it| goes_here(it)).collect();
            // An edge function may send requests of any behavior that it is associated with to this origin.
            let strings = if rewritten {
                behaviors.iter().any(|it| (rewrites(it) || goes_here(it)) && has_strings(it, policies))
            } else {
                by.iter().any(|it| has_strings(it, policies))
            };
            if rewritten || !by.is_empty() {
                sight = ServedState::Served;
                found.extend(strings.then(|| format!("{url}{QUERY}")));
                found.insert(url);
            }
        };
        let directory = rest.strip_suffix("index.html").filter(|it| it.is_empty() || it.ends_with('/'));
        // A website endpoint serves its index document for a directory, and an edge function usually rewrites to it.
        let directory = directory.filter(|_| website || rewritten);
        for url in [Some(rest), directory].into_iter().flatten().flat_map(spellings) {
            shown(url.clone(), &url);
        }
        if text(&config["DefaultRootObject"]) == rest {
            shown("/".to_owned(), &format!("/{rest}"));
        }
    }
    (sight, found)
}

/// A path as CloudFront compares it with path patterns: without dot segments (RFC 3986, section 5.2.4) and without
/// empty segments. Source: developer guide, "Path normalization".
fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (last, folders) = parts.split_last().unwrap_or((&"", &[]));
    for part in folders {
        match *part {
            ".." => drop(kept.pop()),
            "." | "" => {}
            other => kept.push(other),
        }
    }
    let end = match *last {
        "." => "",
        ".." => {
            kept.pop();
            ""
        }
        other => other,
    };
    kept.push(end);
    format!("/{}", kept.join("/"))
}

/// Whether an edge function may rewrite the behavior's requests.
fn rewrites(behavior: &Value) -> bool {
    let functions = items(&behavior["FunctionAssociations"]).chain(items(&behavior["LambdaFunctionAssociations"]));
    functions.map(|it| text(&it["EventType"])).any(|event| event.ends_with("-request"))
}

/// Whether the behavior's cache key includes query strings.
fn has_strings(behavior: &Value, policies: &BTreeMap<String, Value>) -> bool {
    let Some(id) = behavior["CachePolicyId"].as_str() else {
        return behavior["ForwardedValues"]["QueryString"] == true;
    };
    match policies.get(id) {
        Some(policy) => {
            let strings = &policy["ParametersInCacheKeyAndForwardedToOrigin"]["QueryStringsConfig"];
            strings["QueryStringBehavior"] != "none"
        }
        None => MANAGED.contains(&(id, true)),
    }
}

/// Whether any behavior of a distribution config has query strings in its cache key.
pub(crate) fn any_has_strings(config: &Value, policies: &BTreeMap<String, Value>) -> bool {
    let mut behaviors = items(&config["CacheBehaviors"]).chain([&config["DefaultCacheBehavior"]]);
    behaviors.any(|it| has_strings(it, policies))
}

/// `*` matches any characters, `?` exactly one. A slash at the start is optional.
fn matches(pattern: &str, url: &str) -> bool {
    fn rest(pattern: &[u8], url: &[u8]) -> bool {
        match (pattern, url) {
            ([], _) => url.is_empty(),
            ([b'*', after @ ..], _) => (0..=url.len()).any(|taken| rest(after, &url[taken..])),
            ([b'?', after @ ..], [_, more @ ..]) => rest(after, more),
            ([one, after @ ..], [other, more @ ..]) => one == other && rest(after, more),
            (_, []) => false,
        }
    }
    rest(pattern.strip_prefix('/').unwrap_or(pattern).as_bytes(), url.strip_prefix('/').unwrap_or(url).as_bytes())
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["Items"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
