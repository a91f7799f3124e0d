//! Random distribution configs, as the AWS CLI prints them.

use std::collections::BTreeMap;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::REGION;
use serde_json::{Value, json};

/// A bucket that a distribution may have as an origin.
pub(crate) struct Source<'p> {
    pub(crate) bucket: &'p str,
    /// The prefix of most of its keys; empty or with a `/` at its end.
    pub(crate) home: &'static str,
}

/// Path patterns whose literal parts are encoded alike in every URL.
const PATTERNS: [&str; 10] =
    ["/api/*", "a/*", "/docs/*", "img*", "*.css", "*.html", "/blog-????/*", "/*/1.png", "/b/*.js", "*index*"];

/// What follows the bucket's name in the domains of its endpoints, and whether it is its website endpoint.
pub(crate) const ENDPOINTS: [(&str, bool); 7] = [
    (".s3.eu-central-1.amazonaws.com", false),
    (".s3.amazonaws.com", false),
    (".s3-eu-central-1.amazonaws.com", false),
    (".s3.dualstack.eu-central-1.amazonaws.com", false),
    (".s3-website.eu-central-1.amazonaws.com", true),
    (".s3-website.eu-central-1.amazonaws.com", true),
    (".s3-website-eu-central-1.amazonaws.com", true),
];

/// Two of AWS's managed cache policies: one without query strings in the cache key, and one with them.
pub(crate) const MANAGED: [(&str, bool); 2] =
    [("658327ea-f89d-4fab-a63d-7e88639e58f6", false), ("4cc15a8a-d715-48a4-82b8-cc0b614638fe", true)];

/// The account's own cache policies, by ID.
pub(crate) fn policies(seed: u64) -> BTreeMap<String, Value> {
    assert!(ENDPOINTS.iter().filter(|(end, _)| end.contains("eu-")).all(|(end, _)| end.contains(REGION)));
    let strings = [
        json!({ "QueryStringBehavior": "none" }),
        json!({ "QueryStringBehavior": "all" }),
        json!({ "QueryStringBehavior": "whitelist", "QueryStrings": { "Quantity": 1, "Items": ["v"] } }),
        json!({ "QueryStringBehavior": "allExcept", "QueryStrings": { "Quantity": 1, "Items": ["utm"] } }),
    ];
    let policy = |strings: Value| {
        json!({
            "Name": "of our own <&>",
            "MinTTL": 1,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": true,
                "HeadersConfig": { "HeaderBehavior": "none" },
                "CookiesConfig": { "CookieBehavior": "none" },
                "QueryStringsConfig": strings,
            },
        })
    };
    strings.into_iter().enumerate().map(|(n, strings)| (format!("policy-{seed}-{n}"), policy(strings))).collect()
}

/// A random distribution config. A `plain` one says nothing beyond what the buckets' tags say.
pub(crate) fn draw(rng: &mut Rng, sources: &[Source<'_>], policies: &[&String], plain: bool) -> Value {
    let mut origins = Vec::new();
    // The IDs that a behavior can have as its target origin.
    let mut targets = vec!["api".to_owned()];
    for (number, source) in sources.iter().enumerate() {
        for second in 0..if !plain && rng.u8(0..6) == 0 { 2 } else { 1 } {
            let id = format!("s3-{number}-{second}");
            let end = ENDPOINTS[rng.usize(0..ENDPOINTS.len())].0;
            let domain = match rng.u8(0..12) {
                // A domain of its own, from which the bucket cannot be recognized.
                0 if second == 0 => format!("assets-{number}.example.com"),
                _ => format!("{}{end}", source.bucket),
            };
            origins.push(json!({ "Id": id, "DomainName": domain, "OriginPath": path(rng, source.home, plain) }));
            targets.push(id);
        }
    }
    if rng.u8(0..6) == 0
        && let Some(source) = sources.first()
    {
        let domain = format!("{}-staging.s3.amazonaws.com", source.bucket);
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
    let patterns = if rng.bool() { 0 } else { rng.usize(1..=3) };
    let behaviors: Vec<_> = rng
        .choose_multiple(PATTERNS, patterns)
        .into_iter()
        .map(|pattern| {
            let target = targets[rng.usize(0..targets.len())].clone();
            let mut behavior = behavior(rng, &target, policies);
            behavior["PathPattern"] = pattern.into();
            behavior
        })
        .collect();
    // Usually a bucket.
    let target = if rng.u8(0..8) == 0 { targets.first() } else { targets.last().filter(|it| *it != "look-alike") };
    let default = behavior(rng, target.map_or("s3-0-0", |it| it), policies);
    json!({
        "CallerReference": "example",
        "Comment": "drawn <at random> & \"quoted\"",
        "Enabled": true,
        "DefaultRootObject": root_object(rng, plain),
        "Origins": { "Quantity": origins.len(), "Items": origins },
        "OriginGroups": { "Quantity": groups.len(), "Items": groups },
        "DefaultCacheBehavior": default,
        "CacheBehaviors": { "Quantity": behaviors.len(), "Items": behaviors },
    })
}

fn path(rng: &mut Rng, home: &'static str, plain: bool) -> String {
    let home = home.strip_suffix('/').map_or_else(String::new, |home| format!("/{home}"));
    let parent = home.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
    match rng.u8(0..10) {
        0 if !plain => parent,
        1 if !plain => String::new(),
        // The name of another folder, which starts with that of `home`.
        2 if !plain && home.is_empty() => "/docs".to_owned(),
        2 if !plain => home + "-2",
        _ => home,
    }
}

fn root_object(rng: &mut Rng, plain: bool) -> &'static str {
    match rng.u8(0..8) {
        0..4 => "",
        4 if !plain => "a.css",
        5 if !plain => "docs/index.html",
        _ => "index.html",
    }
}

fn behavior(rng: &mut Rng, target: &str, policies: &[&String]) -> Value {
    let mut behavior = json!({ "TargetOriginId": target, "ViewerProtocolPolicy": "redirect-to-https" });
    match rng.u8(0..8) {
        0 | 1 => behavior["CachePolicyId"] = policies[rng.usize(0..policies.len())].as_str().into(),
        2 => behavior["CachePolicyId"] = MANAGED[rng.usize(0..MANAGED.len())].0.into(),
        3 => {
            behavior["ForwardedValues"] = json!({ "QueryString": rng.bool(), "Cookies": { "Forward": "none" } });
        }
        _ => {}
    }
    let event = |event: &str| json!({ "Quantity": 1, "Items": [{ "FunctionARN": "arn:aws:cloudfront::1:function/f", "EventType": event }] });
    let lambda = |event: &str| json!({ "Quantity": 1, "Items": [{ "LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:f:1", "EventType": event }] });
    match rng.u8(0..24) {
        0 => behavior["FunctionAssociations"] = event("viewer-request"),
        1 => behavior["LambdaFunctionAssociations"] = lambda("origin-request"),
        // Sees responses only, so it cannot rewrite a request.
        2 => behavior["FunctionAssociations"] = event("viewer-response"),
        3 => behavior["LambdaFunctionAssociations"] = lambda("origin-response"),
        _ => {}
    }
    behavior
}
