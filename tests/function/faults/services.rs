//! Distributions and services that fail.

use std::time::Duration;

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeDistribution, InvocationOutcome, Invoke};

use crate::harness::{Harness, created, state, within};

#[tokio::test]
async fn one_distribution_failing_leaves_the_others_done() {
    let mut state = state(&[("one", "E1"), ("two", "E2"), ("three", "E3"), ("both", "E1 E2")]);
    state.distributions.remove("E2");
    state.faults.push(Fault::always("CreateInvalidation", "E3", Effect::error(403, "AccessDenied")));
    let harness = Harness::start(state, &[]).await;
    let event = created(&[("one", "1"), ("two", "2"), ("three", "3"), ("both", "4")]);
    let (error_type, message) = harness.error("r1", event.clone()).await;
    assert_eq!(error_type, "ChangesNotInvalidated");
    assert!(message.starts_with("3 of 4 changes failed: "), "{message}");
    assert!(
        message.contains(
            "distribution E2 (2 changes in buckets \"both\", \"two\"): its distribution config could not be read: "
        ) && message.contains("NoSuchDistribution"),
        "{message}"
    );
    assert!(
        message.contains("distribution E3 (1 change in bucket \"three\"): CreateInvalidation: AccessDenied"),
        "{message}"
    );
    assert!(
        message.contains("cloudfront:CreateInvalidation")
            && message.contains("correct the distribution ID in the bucket tags"),
        "{message}"
    );
    assert!(!message.contains('\n'), "{message}");
    assert_eq!(harness.invalidations("E1"), [["/1", "/4"]]);

    // Lambda's retry, after the errors were corrected.
    harness.aws.with(|state| {
        state.faults.clear();
        state.distributions.insert("E2".into(), FakeDistribution::default());
    });
    assert_eq!(harness.report("r1", event).await["changes"]["invalidated"], 4);
    assert_eq!(harness.invalidations("E1").len(), 1, "what was done is not done again");
    assert_eq!(harness.invalidations("E2"), [["/2", "/4"]]);
    assert_eq!(harness.invalidations("E3"), [["/3"]]);
}

/// A cached tag is not held against its correction, which the next of Lambda's attempts sees.
#[tokio::test]
async fn a_tag_that_named_a_wrong_distribution_is_read_anew() {
    for variables in [&[][..], &[("DISTRIBUTION_CONFIG", "off")]] {
        for effect in [None, Some(Effect::error(403, "AccessDenied"))] {
            let mut state = state(&[("site", "EWRONG"), ("other", "E1")]);
            match effect {
                Some(denied) => state.faults.push(Fault::always("CreateInvalidation", "EWRONG", denied)),
                None => drop(state.distributions.remove("EWRONG")),
            }
            let harness = Harness::start(state, variables).await;
            let event = created(&[("site", "a"), ("other", "b")]);
            harness.error("r1", event.clone()).await;
            harness.aws.with(|state| {
                let tags = &mut state.buckets.get_mut("site").unwrap().tags;
                tags.insert("distributionId".into(), "E1".into());
            });
            assert_eq!(harness.report("r2", event).await["changes"]["invalidated"], 2);
            assert_eq!(harness.invalidations("E1").last().unwrap(), &["/a", "/b"]);
            let reads = harness.aws.calls("GetBucketTagging");
            assert_eq!(reads.iter().filter(|call| call.target == "other").count(), 1, "still cached");
        }
    }
}

#[tokio::test]
async fn a_request_reads_a_corrected_tag_anew() {
    for request in [r#"{"bucket":"site","paths":["/a"]}"#, r#"{"bucket":"site","keys":["a"]}"#] {
        let mut state = state(&[("site", "EWRONG"), ("other", "E1")]);
        state.distributions.remove("EWRONG");
        let harness = Harness::start(state, &[]).await;
        harness.error("r1", request).await;
        harness.aws.with(|state| {
            state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "E1".into());
        });
        let report = harness.report("r2", request).await;
        assert_eq!(report["invalidations"][0]["distributionId"], "E1", "{report}");
    }
}

#[tokio::test]
async fn a_misnamed_tag_is_warned_of_once() {
    let mut state = state(&[("site", "E1"), ("untagged", ""), ("invalid", "E1")]);
    let tags = [
        ("site", "invalidation:maxpaths"),
        ("site", "invalidation:later"),
        ("untagged", "DistributionId"),
        ("invalid", "invalidation:indexdocuments"),
    ];
    for (bucket, tag) in tags {
        state.buckets.get_mut(bucket).unwrap().tags.insert(tag.into(), "5".into());
    }
    state.buckets.get_mut("invalid").unwrap().tags.insert("invalidation:originPath".into(), "web".into());
    let harness = Harness::start(state, &[]).await;
    for id in ["r1", "r2"] {
        harness.report(id, created(&[("site", "a"), ("untagged", "b")])).await;
        // These tags are not cached, because one of them is invalid.
        harness.error(id, created(&[("invalid", "c")])).await;
    }
    harness.aws.with(|state| state.buckets.get_mut("invalid").unwrap().tags.remove("invalidation:originPath"));
    harness.report("r3", created(&[("invalid", "c")])).await;
    let log = harness.function.stop().await.unwrap();
    for part in [
        "the tag \\\"invalidation:maxpaths\\\" has no effect; rename it to \\\"invalidation:maxPaths\\\"",
        "the tag \\\"invalidation:later\\\" has no effect; remove it",
        "the tag \\\"DistributionId\\\" has no effect; rename it to \\\"distributionId\\\"",
        "the tag \\\"invalidation:indexdocuments\\\" has no effect; rename it to \\\"invalidation:indexDocuments\\\"",
    ] {
        let lines = log.iter().filter(|line| line.contains(part) && line.contains("WARN"));
        assert_eq!(lines.count(), 1, "{part}: {log:#?}");
    }
}

#[tokio::test]
async fn transient_errors_are_retried() {
    for effect in [
        Effect::error(400, "Throttling"),
        Effect::error(503, "ServiceUnavailable"),
        Effect::Disconnect,
        Effect::Raw { status: 502, body: "<html>Bad gateway</html>".into() },
    ] {
        for (operation, target) in [("GetBucketTagging", "site"), ("CreateInvalidation", "E1")] {
            let mut state = state(&[("site", "E1")]);
            state.faults.push(Fault::once(operation, target, effect.clone()));
            let harness = Harness::start(state, &[]).await;
            let report = harness.report("r1", created(&[("site", "a")])).await;
            assert_eq!(report["changes"]["invalidated"], 1, "{operation} {effect:?}");
            assert_eq!(harness.aws.calls(operation).len(), 2, "{operation} {effect:?}");
        }
    }
}

#[tokio::test]
async fn a_lost_response_is_not_billed_again() {
    let mut state = state(&[("site", "E1")]);
    state.faults.push(Fault::once("CreateInvalidation", "E1", Effect::SucceedThenDisconnect));
    let harness = Harness::start(state, &[]).await;
    let report = harness.report("r1", created(&[("site", "a")])).await;
    assert_eq!(report["invalidations"][0]["status"], "accepted");
    assert_eq!(harness.aws.calls("CreateInvalidation").len(), 2);
    assert_eq!(harness.invalidations("E1").len(), 1);
}

#[tokio::test]
async fn a_caller_reference_already_used_counts_as_done() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    let event = created(&[("site", "a")]);
    harness.report("r1", event.clone()).await;
    // CloudFront now has other paths under this caller reference, and reports that as it does in practice.
    harness.aws.with(|state| {
        let distribution = state.distributions.get_mut("E1").unwrap();
        distribution.invalidations[0].paths = vec!["/other".into()];
    });
    let harness = harness.in_a_new_sandbox(&[]).await;
    let report = harness.report("r1", event).await;
    assert_eq!(harness.aws.calls("CreateInvalidation")[1].code.as_deref(), Some("InvalidArgument"));
    assert_eq!(report["invalidations"][0]["status"], "already-exists");
    assert_eq!(report["changes"]["invalidated"], 1);
}

#[tokio::test]
async fn the_other_error_code_for_a_used_reference_counts_as_done_too() {
    let mut state = state(&[("site", "E1")]);
    state.faults.push(Fault::once("CreateInvalidation", "E1", Effect::error(400, "InvalidationBatchAlreadyExists")));
    let harness = Harness::start(state, &[]).await;
    let report = harness.report("r1", created(&[("site", "a")])).await;
    assert_eq!(report["invalidations"][0]["status"], "already-exists");
}

#[tokio::test]
async fn a_services_message_is_one_line_of_bounded_length() {
    let mut state = state(&[("site", "E1")]);
    let message = format!("first\n\u{85}second {}", "x".repeat(10_000));
    let body =
        format!("<ErrorResponse><Error><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>");
    state.faults.push(Fault::always("CreateInvalidation", "E1", Effect::Raw { status: 403, body }));
    let harness = Harness::start(state, &[]).await;
    let (_, message) = harness.error("r1", created(&[("site", "a")])).await;
    assert!(message.contains("AccessDenied: first\\n\\u{85}second") && message.len() < 1000, "{message}");
    assert!(!message.contains(char::is_control), "{message}");
}

#[tokio::test]
async fn a_bucket_that_does_not_respond_delays_no_other() {
    let mut state = state(&[("good", "E1"), ("hung", "E2")]);
    state.faults.push(Fault::always("GetBucketTagging", "hung", Effect::Delay(Duration::from_mins(2))));
    let harness = Harness::start(state, &[]).await;
    let invoke = Invoke { timeout: Duration::from_secs(6), ..Invoke::new("r1") };
    let outcome = within(harness.lambda.invoke(created(&[("good", "a"), ("hung", "b")]), invoke)).await;
    let InvocationOutcome::Error { message, .. } = outcome else { panic!("{outcome:?}") };
    assert!(message.starts_with("1 of 2 changes failed: bucket \"hung\""), "{message}");
    assert_eq!(harness.invalidations("E1"), [["/a"]]);
}

#[tokio::test]
async fn errors_of_every_class_fail_with_code_and_status() {
    for (status, code) in [
        (400, "InvalidArgument"),
        (400, "TooManyInvalidationsInProgress"),
        (413, "BatchTooLarge"),
        (403, "AccessDenied"),
        (404, "NoSuchDistribution"),
        (400, "InventedLater"),
    ] {
        let mut state = state(&[("site", "E1")]);
        state.faults.push(Fault::always("CreateInvalidation", "E1", Effect::error(status, code)));
        let harness = Harness::start(state, &[("DIRECT_RETRY_SECONDS", "0")]).await;
        let (_, message) = harness.error("r1", created(&[("site", "a")])).await;
        assert!(message.contains(&format!("{code}: ")) && message.contains(&format!("(HTTP {status})")), "{message}");
    }
}

#[tokio::test]
async fn malformed_responses_fail_in_one_line() {
    let harness = Harness::start(
        state(&[("site", "E1")]),
        &[
            ("RETRY_BASE_DELAY_MS", "20"),
            ("CACHE_TTL_SECONDS", "0"),
            ("STALE_IF_ERROR_SECONDS", "0"),
            ("DIRECT_RETRY_SECONDS", "0"),
        ],
    )
    .await;
    let tag = "<Tag><Key>team</Key><Value>web</Value></Tag>";
    let bodies = [
        "",
        "<",
        "<html>\n<body>\u{1b}[31mno\n</body>",
        "<html><body/></html>",
        "{}",
        "\u{0}",
        "<ErrorResponse><Error>",
        "<Invalidation>",
        "<Invalidation><Id></Id></Invalidation>",
        "<Tagging>",
        "<Tagging></Tagging>",
        "<Tagging><TagSet>",
        &format!("<Tagging><TagSet>{tag}"),
        &format!("<Tagging><TagSet>{tag}<Tag>"),
        &format!("<Tagging><TagSet>{tag}</TagSet>"),
    ];
    for (operation, target) in [("GetBucketTagging", "site"), ("CreateInvalidation", "E1")] {
        for body in bodies {
            for status in [200, 201, 204, 400, 403, 500] {
                let effect = Effect::Raw { status, body: body.into() };
                harness.aws.with(|state| state.faults = vec![Fault::always(operation, target, effect)]);
                let (_, message) = harness.error("r1", created(&[("site", "a")])).await;
                let expected = format!("{operation}: ");
                assert!(message.contains(&expected), "{status} {body:?}: {message}");
                assert!(!message.contains(char::is_control), "{status} {body:?}: {message}");
            }
        }
    }
}

#[tokio::test]
async fn an_endless_response_is_not_read_to_the_end() {
    let mut state = state(&[("site", "E1")]);
    let body = "x".repeat(20 * 1024 * 1024);
    for (operation, target) in [("GetBucketTagging", "site"), ("CreateInvalidation", "E1")] {
        state.faults.push(Fault::once(operation, target, Effect::Raw { status: 200, body: body.clone() }));
    }
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20")]).await;
    assert_eq!(harness.report("r1", created(&[("site", "a")])).await["changes"]["invalidated"], 1);
    assert_eq!(harness.aws.calls("GetBucketTagging").len(), 2);
    assert_eq!(harness.aws.calls("CreateInvalidation").len(), 2);
}

#[tokio::test]
async fn a_slow_response_is_awaited() {
    let mut state = state(&[("site", "E1")]);
    state.faults.push(Fault::once("GetBucketTagging", "site", Effect::Delay(Duration::from_millis(700))));
    let harness = Harness::start(state, &[]).await;
    assert_eq!(harness.report("r1", created(&[("site", "a")])).await["changes"]["invalidated"], 1);
    assert_eq!(harness.aws.calls("GetBucketTagging").len(), 1);
}
