//! Where the URLs that viewers request are not the keys: the forms in the tag `invalidation:urls`, functions at
//! origin-request, origins with the bucket's own name, and behaviors that cache nothing. The function and `plan` find the
//! same paths.

use std::fs;
use std::path::Path;

use s3_cloudfront_invalidator::local::{FakeBucket, FakeDistribution, State};
use serde_json::{Value, json};

use crate::cli::plan::run;
use crate::harness::{Harness, created};

const LIST: &str = "ListObjectsV2";
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

/// The config of a distribution with one origin.
fn config(domain: &str, origin_path: &str, policy: &str, event_type: Option<&str>) -> Value {
    let functions: Vec<_> = event_type
        .map(|event_type| json!({ "LambdaFunctionARN": "arn:aws:lambda:us-east-1:123456789012:function:edge:1", "EventType": event_type }))
        .into_iter()
        .collect();
    json!({
        "CallerReference": "example",
        "Comment": "",
        "Enabled": true,
        "DefaultRootObject": "",
        "Origins": { "Quantity": 1, "Items": [{ "Id": "o0", "DomainName": domain, "OriginPath": origin_path }] },
        "DefaultCacheBehavior": {
            "TargetOriginId": "o0",
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": policy,
            "LambdaFunctionAssociations": { "Quantity": functions.len(), "Items": functions },
        },
    })
}

/// The config of a distribution that serves `site`, with an edge function.
fn with_function(event_type: &str) -> Value {
    config("site.s3.us-east-1.amazonaws.com", "", CACHING_OPTIMIZED, Some(event_type))
}

fn state(bucket: &str, config: &Value, tags: &[(&str, &str)]) -> State {
    let mut state = State::default();
    let tags: Vec<_> = [("distributionId", "E1")].iter().chain(tags).copied().collect();
    state.buckets.insert(bucket.into(), FakeBucket::tagged(&tags));
    let distribution = FakeDistribution { config: Some(config.clone()), ..FakeDistribution::default() };
    state.distributions.insert("E1".into(), distribution);
    state
}

/// Runs `plan --json` on these keys.
fn plan(name: &str, bucket: &str, config: &Value, more: &[&str], keys: &str) -> Value {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("urls-{name}.json"));
    fs::write(&file, json!({ "DistributionConfig": config }).to_string()).unwrap();
    let arguments = ["--json", "--keys", "-", "--bucket", bucket, "--config", file.to_str().unwrap()];
    let (success, printed, errors) = run(&[&arguments[..], more].concat(), &[], keys);
    assert!(success, "{name}: {errors}");
    serde_json::from_str(&printed).unwrap()
}

/// A case that was found in the field: a distribution, the forms of its viewers' URLs, a key and its paths.
struct Case {
    name: &'static str,
    bucket: &'static str,
    config: Value,
    urls: Option<&'static str>,
    key: &'static str,
    paths: &'static [&'static str],
}

#[tokio::test]
async fn the_function_and_plan_find_the_urls_that_viewers_request() {
    let site = |name, config, urls, key, paths| Case { name, bucket: "site", config, urls, key, paths };
    let cases = [
        site(
            "edge-no-slash",
            with_function("origin-request"),
            None,
            "posts/first-post/index.html",
            &["/posts/first-post", "/posts/first-post/", "/posts/first-post/index.html"],
        ),
        site(
            "edge-before-the-lookup",
            with_function("viewer-request"),
            None,
            "posts/first-post/index.html",
            &["/posts/first-post/", "/posts/first-post/index.html"],
        ),
        site(
            "edge-clean-url",
            with_function("origin-request"),
            Some("/:key /:page"),
            "about.html",
            &["/about", "/about.html"],
        ),
        site(
            "edge-language",
            with_function("viewer-request"),
            Some("/:key /:rest"),
            "en/index.html",
            &["/", "/en/", "/en/index.html", "/index.html"],
        ),
        site(
            "edge-prefix",
            with_function("origin-request"),
            Some("/assets/:key"),
            "a b.css",
            &["/assets/a%20b.css", "/assets/a+b.css"],
        ),
        Case {
            name: "cname-origin",
            bucket: "origin.example.com",
            config: config("origin.example.com", "/web", CACHING_OPTIMIZED, None),
            urls: None,
            key: "web/a.html",
            paths: &["/a.html"],
        },
        Case {
            name: "outside-cname-origin",
            bucket: "origin.example.com",
            config: config("origin.example.com", "/web", CACHING_OPTIMIZED, None),
            urls: None,
            key: "other/a.html",
            paths: &["/other/a.html"],
        },
        site(
            "caching-disabled",
            config("site.s3.us-east-1.amazonaws.com", "", CACHING_DISABLED, None),
            None,
            "a.html",
            &[],
        ),
    ];
    for Case { name, bucket, config, urls, key, paths } in cases {
        let tags: Vec<_> = urls.map(|urls| ("invalidation:urls", urls)).into_iter().collect();
        let harness = Harness::start(state(bucket, &config, &tags), &[]).await;
        let report = harness.report("r1", created(&[(bucket, key)])).await;
        let options: Vec<_> = urls.map(|urls| ["--urls", urls]).into_iter().flatten().collect();
        let planned = plan(name, bucket, &config, &options, key);
        if paths.is_empty() {
            assert_eq!(report["skipped"], json!([{ "code": "not-cached", "bucket": bucket, "changes": 1 }]), "{name}");
            assert!(harness.invalidations("E1").is_empty(), "{name}");
            assert_eq!(planned["invalidations"], json!([]), "{name}");
        } else {
            assert_eq!(harness.invalidations("E1"), [paths], "{name}: {report}");
            assert_eq!(planned["invalidations"][0]["paths"], json!(paths), "{name}");
        }
    }
}

#[tokio::test]
async fn changes_in_an_ignored_folder_are_skipped_by_name() {
    let config = with_function("viewer-request");
    let harness = Harness::start(state("site", &config, &[("invalidation:ignore", "logs/ .map")]), &[]).await;
    let report = harness.report("r1", created(&[("site", "logs/a.txt"), ("site", "a/logs/b.txt")])).await;
    assert_eq!(report["skipped"], json!([{ "code": "ignored", "bucket": "site", "rule": "logs/", "changes": 1 }]));
    assert_eq!(harness.invalidations("E1"), [["/a/logs/b.txt"]]);
}

/// Below `/a/` lie the URLs of both language folders, so a listing of one does not tell what a wildcard evicts.
#[tokio::test]
async fn with_two_language_folders_the_evictions_of_a_wildcard_are_unknown() {
    let keys = |folder: &str| (0..40).map(|n| format!("{folder}/a/{n}.html")).collect::<Vec<_>>();
    let (english, german) = (keys("en"), keys("de"));
    let config = with_function("origin-request");
    let event = created(&english.iter().map(|key| ("site", key.as_str())).collect::<Vec<_>>());
    for (urls, is_known) in [("/:key /:rest", false), ("/:rest", false), ("/:key:any", false), ("/:key", true)] {
        let mut state = state("site", &config, &[("invalidation:urls", urls)]);
        let site = state.buckets.get_mut("site").unwrap();
        site.objects = english.iter().chain(&german).cloned().collect();
        let harness = Harness::start(state, &[]).await;
        let report = harness.report("r1", event.clone()).await;
        assert!(harness.invalidations("E1")[0].iter().any(|path| path.ends_with('*')), "{urls}: {report}");
        assert_eq!(
            report["invalidations"][0].get("unchangedEvicted"),
            is_known.then_some(&json!(0)),
            "{urls}: {report}"
        );
        assert_eq!(!harness.aws.calls(LIST).is_empty(), is_known, "{urls}");

        let listing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("urls-listing.txt");
        fs::write(&listing, [&english[..], &german].concat().join("\n")).unwrap();
        let options = ["--urls", urls, "--listing", listing.to_str().unwrap()];
        let planned = plan("languages", "site", &config, &options, &english.join("\n"));
        let planned = &planned["invalidations"][0];
        assert_ne!(planned["wildcardCount"], 0, "{urls}: {planned}");
        assert_eq!(planned.get("unchangedEvicted"), is_known.then_some(&json!(0)), "{urls}: {planned}");
    }
}

#[tokio::test]
async fn a_bad_form_fails_the_buckets_changes_and_is_named_with_its_character() {
    let config = with_function("origin-request");
    let harness = Harness::start(state("site", &config, &[("invalidation:urls", "/:key /a/:kye")]), &[]).await;
    let (_, message) = harness.error("r1", created(&[("site", "x.html")])).await;
    let problem = "its tag \"invalidation:urls\": form 2, \"/a/:kye\", character 4: \":kye\" is not a word";
    assert!(message.contains(problem), "{message}");
    assert!(harness.invalidations("E1").is_empty());
    harness.aws.with(|state| {
        let tags = &mut state.buckets.get_mut("site").unwrap().tags;
        tags.insert("invalidation:urls".into(), "/:key /a/:key".into());
    });
    harness.report("r1", created(&[("site", "x.html")])).await;
    assert_eq!(harness.invalidations("E1"), [["/a/x.html", "/x.html"]]);
    let log = harness.function.stop().await.unwrap();
    let lines = log.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let codes: Vec<_> = lines.filter_map(|line| Some(line["failures"][0]["code"].as_str()?.to_owned())).collect();
    assert_eq!(codes, ["tag-invalid"], "{log:#?}");

    let (success, _, errors) = run(&["--keys", "-", "--urls", "/:key /a/:kye"], &[], "a");
    assert!(!success && errors.contains("form 2, \"/a/:kye\", character 4"), "{errors}");
}
