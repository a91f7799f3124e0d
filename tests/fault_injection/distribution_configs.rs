//! Random distribution configs, as the AWS CLI prints them.

use std::collections::BTreeMap;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::REGION;
use serde_json::{Value, json};

/// A bucket that a distribution may have as an origin.
pub(crate) struct BucketOrigin<'p> {
    pub(crate) bucket: &'p str,
    /// The prefix of most of its keys; empty or with a `/` at its end.
    pub(crate) key_prefix: &'static str,
    /// Whether `/` is a URL of `index.html`, according to its tags alone.
    pub(crate) has_root_in_tags: bool,
}

/// Path patterns whose literal parts are encoded alike in every URL.
const PATH_PATTERNS: [&str; 10] =
    ["/api/*", "a/*", "/docs/*", "img*", "*.css", "*.html", "/blog-????/*", "/*/1.png", "/b/*.js", "*index*"];

/// What follows the bucket's name in the domains of its endpoints, and whether it is its website endpoint.
pub(crate) const S3_ENDPOINT_SUFFIXES: [(&str, bool); 7] = [
    (".s3.eu-central-1.amazonaws.com", false),
    (".s3.amazonaws.com", false),
    (".s3-eu-central-1.amazonaws.com", false),
    (".s3.dualstack.eu-central-1.amazonaws.com", false),
    (".s3-website.eu-central-1.amazonaws.com", true),
    (".s3-website.eu-central-1.amazonaws.com", true),
    (".s3-website-eu-central-1.amazonaws.com", true),
];

/// Two of AWS's managed cache policies: one without query strings in the cache key, and one with them.
pub(crate) const MANAGED_POLICIES: [(&str, bool); 2] =
    [("658327ea-f89d-4fab-a63d-7e88639e58f6", false), ("4cc15a8a-d715-48a4-82b8-cc0b614638fe", true)];

/// The managed cache policy under which nothing is cached.
pub(crate) const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

/// The account's own cache policies, by ID.
pub(crate) fn cache_policies(seed: u64) -> BTreeMap<String, Value> {
    assert!(
        S3_ENDPOINT_SUFFIXES
            .iter()
            .filter(|(suffix, _)| suffix.contains("eu-"))
            .all(|(suffix, _)| suffix.contains(REGION))
    );
    let query_string_configs = [
        json!({ "QueryStringBehavior": "none" }),
        json!({ "QueryStringBehavior": "all" }),
        json!({ "QueryStringBehavior": "whitelist", "QueryStrings": { "Quantity": 1, "Items": ["v"] } }),
        json!({ "QueryStringBehavior": "allExcept", "QueryStrings": { "Quantity": 1, "Items": ["utm"] } }),
    ];
    let policy = |query_strings: Value| {
        json!({
            "Name": "custom <&>",
            "MinTTL": 1,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": true,
                "HeadersConfig": { "HeaderBehavior": "none" },
                "CookiesConfig": { "CookieBehavior": "none" },
                "QueryStringsConfig": query_strings,
            },
        })
    };
    query_string_configs
        .into_iter()
        .enumerate()
        .map(|(n, query_strings)| (format!("policy-{seed}-{n}"), policy(query_strings)))
        .collect()
}

/// A random distribution config. If `same_as_tags`, it is equivalent to the buckets' tags.
pub(crate) fn random(
    rng: &mut Rng,
    bucket_origins: &[BucketOrigin<'_>],
    cache_policies: &[&String],
    same_as_tags: bool,
) -> Value {
    let mut origins = Vec::new();
    // The IDs that a behavior can have as its target origin.
    let mut targets = vec!["api".to_owned()];
    for (number, bucket_origin) in bucket_origins.iter().enumerate() {
        for copy in 0..if !same_as_tags && rng.u8(0..6) == 0 { 2 } else { 1 } {
            let id = format!("s3-{number}-{copy}");
            let suffix = S3_ENDPOINT_SUFFIXES[rng.usize(0..S3_ENDPOINT_SUFFIXES.len())].0;
            let domain = match rng.u8(0..12) {
                // A custom domain, from which the bucket cannot be recognized.
                0 if copy == 0 => format!("assets-{number}.example.com"),
                _ => format!("{}{suffix}", bucket_origin.bucket),
            };
            origins.push(json!({
                "Id": id,
                "DomainName": domain,
                "OriginPath": random_origin_path(rng, bucket_origin.key_prefix, same_as_tags),
            }));
            targets.push(id);
        }
    }
    if rng.u8(0..6) == 0
        && let Some(bucket_origin) = bucket_origins.first()
    {
        let domain = format!("{}-staging.s3.amazonaws.com", bucket_origin.bucket);
        origins.push(json!({ "Id": "look-alike", "DomainName": domain, "OriginPath": "" }));
        targets.push("look-alike".into());
    }
    origins.push(json!({ "Id": "api", "DomainName": "api.example.com", "OriginPath": "/v1" }));
    let mut groups = Vec::new();
    if rng.u8(0..5) == 0 {
        let mut members = rng.choose_multiple(&targets, 2);
        members.dedup();
        let members: Vec<_> = members.iter().map(|id| json!({ "OriginId": id })).collect();
        groups.push(json!({
            "Id": "group",
            "FailoverCriteria": { "StatusCodes": { "Quantity": 2, "Items": [403, 500] } },
            "Members": { "Quantity": members.len(), "Items": members },
        }));
        targets.push("group".into());
    }
    let pattern_count = if rng.bool() { 0 } else { rng.usize(1..=3) };
    let behaviors: Vec<_> = rng
        .choose_multiple(PATH_PATTERNS, pattern_count)
        .into_iter()
        .map(|pattern| {
            let target = targets[rng.usize(0..targets.len())].clone();
            let mut behavior = random_behavior(rng, &target, cache_policies);
            behavior["PathPattern"] = pattern.into();
            behavior
        })
        .collect();
    // Usually a bucket.
    let target = if rng.u8(0..8) == 0 { targets.first() } else { targets.last().filter(|it| *it != "look-alike") };
    let default = random_behavior(rng, target.map_or("s3-0-0", |it| it), cache_policies);
    json!({
        "CallerReference": "example",
        "Comment": "random <comment> & \"quoted\"",
        "Enabled": true,
        "DefaultRootObject": random_root_object(rng, bucket_origins, same_as_tags),
        "Origins": { "Quantity": origins.len(), "Items": origins },
        "OriginGroups": { "Quantity": groups.len(), "Items": groups },
        "DefaultCacheBehavior": default,
        "CacheBehaviors": { "Quantity": behaviors.len(), "Items": behaviors },
    })
}

fn random_origin_path(rng: &mut Rng, key_prefix: &'static str, same_as_tags: bool) -> String {
    let origin_path = key_prefix.strip_suffix('/').map_or_else(String::new, |prefix| format!("/{prefix}"));
    let parent = origin_path.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
    match rng.u8(0..10) {
        0 if !same_as_tags => parent,
        1 if !same_as_tags => String::new(),
        // The path of another directory, which has `origin_path` as a string prefix.
        2 if !same_as_tags && origin_path.is_empty() => "/docs".to_owned(),
        2 if !same_as_tags => origin_path + "-2",
        _ => origin_path,
    }
}

fn random_root_object(rng: &mut Rng, bucket_origins: &[BucketOrigin<'_>], same_as_tags: bool) -> &'static str {
    match rng.u8(0..8) {
        _ if same_as_tags && !bucket_origins.iter().all(|it| it.has_root_in_tags) => "",
        0..4 => "",
        4 if !same_as_tags => "a.css",
        5 if !same_as_tags => "docs/index.html",
        _ => "index.html",
    }
}

fn random_behavior(rng: &mut Rng, target: &str, cache_policies: &[&String]) -> Value {
    let mut behavior = json!({ "TargetOriginId": target, "ViewerProtocolPolicy": "redirect-to-https" });
    match rng.u8(0..9) {
        8 => behavior["CachePolicyId"] = CACHING_DISABLED.into(),
        0 | 1 => behavior["CachePolicyId"] = cache_policies[rng.usize(0..cache_policies.len())].as_str().into(),
        2 => behavior["CachePolicyId"] = MANAGED_POLICIES[rng.usize(0..MANAGED_POLICIES.len())].0.into(),
        3 => {
            behavior["ForwardedValues"] = json!({ "QueryString": rng.bool(), "Cookies": { "Forward": "none" } });
        }
        _ => {}
    }
    let function_association = |event: &str| json!({ "Quantity": 1, "Items": [{ "FunctionARN": "arn:aws:cloudfront::1:function/f", "EventType": event }] });
    let lambda_association = |event: &str| json!({ "Quantity": 1, "Items": [{ "LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:f:1", "EventType": event }] });
    match rng.u8(0..24) {
        0 => behavior["FunctionAssociations"] = function_association("viewer-request"),
        1 => behavior["LambdaFunctionAssociations"] = lambda_association("origin-request"),
        // Sees responses only, so it cannot rewrite a request.
        2 => behavior["FunctionAssociations"] = function_association("viewer-response"),
        3 => behavior["LambdaFunctionAssociations"] = lambda_association("origin-response"),
        _ => {}
    }
    behavior
}
