//! Bucket tags: where they are read, how long they are cached, and what happens if they are invalid or cannot be read.

use s3_cloudfront_invalidator::local::Invoke;
use serde_json::json;

use crate::harness::{Harness, created, state, within};

#[tokio::test]
async fn the_tag_and_its_ttls_can_be_set() {
    let mut state = state(&[("site", "E1")]);
    let site = state.buckets.get_mut("site").unwrap();
    site.tags = [("cdn:id".to_owned(), "E1".to_owned())].into();
    let harness = Harness::start(state, &[("DISTRIBUTION_TAG", "cdn:id"), ("CACHE_TTL_SECONDS", "0")]).await;
    for request_id in ["r1", "r2"] {
        assert_eq!(harness.report(request_id, created(&[("site", "a.txt")])).await["changes"]["invalidated"], 1);
    }
    assert_eq!(harness.aws.calls("GetBucketTagging").len(), 2, "nothing is cached");
}

#[tokio::test]
async fn a_bucket_of_another_account_is_refused_unless_it_is_expected() {
    let theirs = "210987654321";
    for (variables, is_accepted) in [
        (&[][..], false),
        (&[("EXPECTED_BUCKET_OWNER", "123456789012")][..], false),
        (&[("EXPECTED_BUCKET_OWNER", theirs)][..], true),
        (&[("EXPECTED_BUCKET_OWNER", "any")][..], true),
    ] {
        let mut state = state(&[("site", "E1")]);
        state.buckets.get_mut("site").unwrap().owner = theirs.into();
        let harness = Harness::start(state, variables).await;
        let event = created(&[("site", "a.txt")]);
        if is_accepted {
            assert_eq!(harness.report("r1", event).await["changes"]["invalidated"], 1, "{variables:?}");
        } else {
            let (_, message) = harness.error("r1", event).await;
            assert!(
                message
                    .contains("bucket \"site\" (1 change): its tags could not be read: GetBucketTagging: AccessDenied"),
                "{message}"
            );
            assert!(message.contains("EXPECTED_BUCKET_OWNER"), "{message}");
        }
    }
}

#[tokio::test]
async fn without_an_account_in_the_arn_no_call_is_made() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    let invoke = Invoke { function_arn: "none".into(), ..Invoke::new("r1") };
    let outcome = within(harness.lambda.invoke(created(&[("site", "a.txt")]), invoke)).await;
    assert!(format!("{outcome:?}").contains("UnknownAccount"), "{outcome:?}");
    assert!(harness.aws.calls("GetBucketTagging").is_empty());
}

#[tokio::test]
async fn the_region_of_the_record_is_called() {
    let mut state = state(&[("site", "E1")]);
    state.buckets.get_mut("site").unwrap().region = "ap-southeast-2".into();
    let harness = Harness::start(state, &[]).await;
    let event = created(&[("site", "a.txt")]);
    let (_, message) = harness.error("r1", event.clone()).await;
    assert!(message.contains("PermanentRedirect") && message.contains("not in the Region"), "{message}");
    assert_eq!(
        harness.report("r2", event.replace("eu-central-1", "ap-southeast-2")).await["changes"]["invalidated"],
        1
    );
}

#[tokio::test]
async fn a_record_of_the_wrong_region_fails_alone() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    let event = created(&[("site", "a.txt"), ("site", "b.txt")]).replacen("eu-central-1", "us-west-2", 1);
    let (_, message) = harness.error("r1", event).await;
    assert!(message.starts_with("1 of 2 changes failed"), "{message}");
    assert_eq!(harness.invalidations("E1"), [["/b.txt"]]);
}

#[tokio::test]
async fn a_bad_tag_fails_its_buckets_changes_only_and_is_read_again() {
    let mut state = state(&[("good", "E1"), ("bad", "E2"), ("worse", "E3")]);
    state.buckets.get_mut("bad").unwrap().tags.insert("distributionId".into(), "E2/../x".into());
    state.buckets.get_mut("worse").unwrap().tags.insert("invalidation:originPath".into(), "web/".into());
    let harness = Harness::start(state, &[]).await;
    let event = created(&[("good", "a"), ("bad", "b"), ("worse", "c")]);
    let (error_type, message) = harness.error("r1", event.clone()).await;
    assert_eq!(error_type, "ChangesNotInvalidated");
    assert!(message.starts_with("2 of 3 changes"), "{message}");
    assert!(
        message.contains("bucket \"bad\" (1 change): its tag \"distributionId\": \"E2/../x\" is not a distribution ID"),
        "{message}"
    );
    assert!(
        message.contains("bucket \"worse\" (1 change): its tag \"invalidation:originPath\": \"web/\""),
        "{message}"
    );
    assert_eq!(harness.invalidations("E1"), [["/a"]]);
    harness.aws.with(|state| {
        state.buckets.get_mut("bad").unwrap().tags.insert("distributionId".into(), "E2".into());
        state.buckets.get_mut("worse").unwrap().tags.remove("invalidation:originPath");
    });
    let report = harness.report("r1", event).await;
    assert_eq!(report["changes"], json!({ "invalidated": 3, "skipped": 0, "failed": 0 }));
    assert_eq!(harness.aws.calls("GetBucketTagging").len(), 5, "the good bucket's tags were cached");
    assert_eq!(harness.invalidations("E1").len(), 1, "the retry is the same invalidation");
}

#[tokio::test]
async fn a_deleted_bucket_is_named() {
    let harness = Harness::start(state(&[]), &[]).await;
    let (_, message) = harness.error("r1", created(&[("gone", "a")])).await;
    assert!(message.contains("bucket \"gone\"") && message.contains("NoSuchBucket"), "{message}");
}

#[tokio::test]
async fn every_option_of_a_bucket_is_a_tag() {
    let mut state = state(&[("site", "E1"), ("other", "E1")]);
    let tags = [
        ("invalidation:indexDocuments", "home.html"),
        ("invalidation:directoryUrls", "both"),
        ("invalidation:queryStrings", "include"),
        ("invalidation:ignore", ".map .txt"),
    ];
    for (tag, value) in tags {
        state.buckets.get_mut("site").unwrap().tags.insert(tag.into(), value.into());
    }
    let harness = Harness::start(state, &[]).await;
    let keys = ["docs/home.html", "docs/index.html", "a.js", "a.js.map", "robots.txt"];
    let mut objects: Vec<_> = keys.iter().map(|key| ("site", *key)).collect();
    objects.push(("other", "robots.txt"));
    let report = harness.report("r1", created(&objects)).await;
    let expected =
        ["/a.js*", "/docs", "/docs/", "/docs/?*", "/docs/home.html*", "/docs/index.html*", "/docs?*", "/robots.txt"];
    assert_eq!(harness.invalidations("E1"), [expected]);
    assert_eq!(report["changes"], json!({ "invalidated": 4, "skipped": 2, "failed": 0 }));
    assert_eq!(
        report["skipped"],
        json!([
            { "code": "ignored", "bucket": "site", "rule": ".map", "changes": 1 },
            { "code": "ignored", "bucket": "site", "rule": ".txt", "changes": 1 },
        ])
    );
}

#[tokio::test]
async fn the_smallest_budget_of_those_that_contribute_counts_and_a_tag_never_raises_it() {
    let mut state = state(&[("small", "E1"), ("large", "E1 E2"), ("larger", "E3")]);
    for (bucket, most) in [("small", "2"), ("large", "3"), ("larger", "3000")] {
        state.buckets.get_mut(bucket).unwrap().tags.insert("invalidation:maxPaths".into(), most.into());
    }
    let harness = Harness::start(state, &[("MAX_PATHS", "4")]).await;
    let keys: Vec<_> = (0..6).map(|n| format!("d{n}/x")).collect();
    let objects: Vec<_> =
        keys.iter().flat_map(|key| ["small", "large", "larger"].map(|bucket| (bucket, key.as_str()))).collect();
    harness.report("r1", created(&objects)).await;
    for (id, most) in [("E1", 2), ("E2", 3), ("E3", 4)] {
        let paths = harness.invalidations(id)[0].len();
        assert!((1..=most).contains(&paths), "{id}: {paths}");
    }
    // Without a change in the other bucket, that bucket's smaller budget does not apply.
    harness.report("r2", created(&[("large", "a"), ("large", "b"), ("large", "c")])).await;
    assert_eq!(harness.invalidations("E1")[1].len(), 3);
}
