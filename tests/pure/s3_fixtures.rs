//! S3 event notifications as files, each named by what it shows, and what they are decoded to. They are
//! compared with what `aws_lambda_events` decodes.

use aws_lambda_events::event::s3::S3Event;
use s3_cloudfront_invalidator::change::{Batch, Region};
use s3_cloudfront_invalidator::event::{Event, decode};

fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/s3/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn batch(name: &str) -> Batch {
    match decode(&read(name)) {
        Ok(Event::Changes(batch)) => batch,
        other => panic!("{name}: {other:?}"),
    }
}

fn changes(batch: &Batch) -> Vec<(&str, &str)> {
    batch.changes.iter().map(|change| (change.bucket.name.as_str(), change.key.as_str())).collect()
}

#[test]
fn a_put_is_decoded_to_its_bucket_region_and_key() {
    let batch = batch("created-put");
    assert_eq!(changes(&batch), [("example-site", "images/logo.png")]);
    assert_eq!(batch.changes[0].bucket.region.as_ref().unwrap().as_str(), "eu-central-1");
}

#[test]
fn the_lambda_consoles_templates_are_decoded() {
    for name in ["console-template-put", "console-template-delete"] {
        assert_eq!(changes(&batch(name)), [("example-bucket", "test/key")], "{name}");
    }
}

#[test]
fn records_of_several_buckets_are_decoded_in_order() {
    assert_eq!(
        changes(&batch("several-records-several-buckets")),
        [("example-site", "a.txt"), ("example-docs", "my docs/index.html"), ("example-site", "café/b+c.txt")]
    );
}

#[test]
fn removals_without_size_and_etag_are_decoded() {
    for name in ["removed-without-size-and-etag", "delete-marker-with-version-id", "lifecycle-expiration"] {
        assert_eq!(changes(&batch(name)), [("example-site", "images/logo.png")], "{name}");
    }
}

#[test]
fn event_versions_2_0_to_2_6_are_decoded() {
    let batch = batch("every-version");
    let keys: Vec<_> = batch.changes.iter().map(|change| change.key.as_str()).collect();
    assert_eq!(keys, ["v2.0.txt", "v2.1.txt", "v2.2.txt", "v2.3.txt", "v2.4.txt", "v2.5.txt", "v2.6.txt"]);
}

#[test]
fn fields_that_are_new_or_missing_do_not_matter() {
    assert_eq!(changes(&batch("unknown-fields")), [("example-site", "new.txt")]);
    assert_eq!(changes(&batch("bare-minimum")), [("example-site", "bare.txt")]);
}

#[test]
fn events_without_a_content_change_are_skipped_by_name() {
    let batch = batch("not-a-content-change");
    assert_eq!(changes(&batch), [("example-site", "changed.txt")]);
    let names: Vec<_> = batch.skipped.iter().map(|record| record.event_name.as_str()).collect();
    assert_eq!(
        names,
        ["ObjectTagging:Put", "ObjectAcl:Put", "ObjectRestore:Completed", "Replication:OperationFailedReplication",]
    );
    let failed: Vec<_> = batch.failed.iter().map(ToString::to_string).collect();
    let [unknown] = &failed[..] else { panic!("{failed:?}") };
    assert!(unknown.contains("eventName: \"InventedLater:Put\" is no known event of S3, so it may be a change"));
}

#[test]
fn a_bad_key_fails_only_its_record() {
    let batch = batch("one-bad-key-among-good");
    assert_eq!(changes(&batch), [("example-site", "good-1.txt"), ("example-site", "good-2.txt")]);
    assert_eq!(batch.failed[0].at, "Records[1].s3.object.key");
}

#[test]
fn the_s3_test_event_is_counted_as_no_change() {
    assert_eq!(batch("test-event"), Batch { test_events: 1, ..Batch::default() });
}

/// Compares bucket, Region and key. `aws_lambda_events` leaves the key encoded; `form_urlencoded` decodes it here.
#[test]
fn aws_lambda_events_decodes_the_same_records() {
    for name in [
        "created-put",
        "console-template-put",
        "console-template-delete",
        "several-records-several-buckets",
        "removed-without-size-and-etag",
        "delete-marker-with-version-id",
        "every-version",
        "unknown-fields",
    ] {
        let theirs: S3Event = serde_json::from_slice(&read(name)).unwrap();
        let ours = batch(name);
        assert_eq!(theirs.records.len(), ours.changes.len(), "{name}");
        for (theirs, ours) in theirs.records.iter().zip(&ours.changes) {
            assert_eq!(theirs.s3.bucket.name.as_deref(), Some(ours.bucket.name.as_str()), "{name}");
            assert_eq!(theirs.aws_region.as_deref(), ours.bucket.region.as_ref().map(Region::as_str), "{name}");
            let encoded = theirs.s3.object.key.as_deref().unwrap();
            let form = format!("key={encoded}");
            let (_, decoded) = form_urlencoded::parse(form.as_bytes()).next().unwrap();
            assert_eq!(decoded, ours.key.as_str(), "{name}");
        }
    }
}

/// `aws_lambda_events` requires fields that are not needed here.
#[test]
fn fields_that_aws_lambda_events_requires_may_be_missing() {
    assert!(serde_json::from_slice::<S3Event>(&read("bare-minimum")).is_err());
    assert_eq!(batch("bare-minimum").changes.len(), 1);
}
