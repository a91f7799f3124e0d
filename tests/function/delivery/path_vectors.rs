//! Every row of `tests/data/paths.json`, through the real binary.

use s3_cloudfront_invalidator::change::ObjectKey;
use s3_cloudfront_invalidator::local::FakeBucket;
use s3_cloudfront_invalidator::path::{OriginPath, viewer_paths};
use serde_json::{Value, json};

use crate::harness::{Harness, created, state};

fn rows(group: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(include_str!("../../data/paths.json")).unwrap();
    vectors[group].as_array().unwrap().clone()
}

fn text<'r>(row: &'r Value, field: &str) -> &'r str {
    row[field].as_str().unwrap()
}

fn sorted(paths: &Value) -> Vec<&str> {
    let mut paths: Vec<_> = paths.as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    paths.sort_unstable();
    paths
}

/// The paths in the response to an event of the bucket `site`.
async fn paths(harness: &Harness, event: String) -> Value {
    harness.report("row", event).await["invalidations"][0]["paths"].clone()
}

#[tokio::test]
async fn keys_become_paths() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    for group in ["key_to_paths", "key_to_paths_with_index_documents"] {
        for row in rows(group) {
            let paths = paths(&harness, created(&[("site", text(&row, "key"))])).await;
            assert_eq!(sorted(&paths), sorted(&row["paths"]), "{row}");
        }
    }
    assert!(harness.invalidations("E1").len() > 25);
}

#[tokio::test]
async fn keys_of_notifications_are_decoded() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    for row in rows("notification_key") {
        let event = created(&[("site", "PLACE")]).replace("PLACE", text(&row, "encoded"));
        let key = ObjectKey::new(text(&row, "key")).unwrap();
        let expected = viewer_paths(OriginPath::default().strip(&key).unwrap(), &[]);
        assert_eq!(paths(&harness, event).await, json!(expected), "{row}");
    }
    for row in rows("notification_key_rejected") {
        let event = created(&[("site", "PLACE")]).replace("PLACE", text(&row, "encoded"));
        let (error_type, message) = harness.error("rejected", event).await;
        assert_eq!(error_type, "ChangesNotInvalidated", "{row}");
        assert!(message.contains("Records[0].s3.object.key: "), "{row}: {message}");
    }
}

#[tokio::test]
async fn origin_paths_are_stripped() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    for (number, row) in rows("origin_path").iter().enumerate() {
        let bucket = format!("origin-{number}");
        let mut tags = vec![("distributionId", "E1")];
        if !text(row, "origin_path").is_empty() {
            tags.push(("invalidation:originPath", text(row, "origin_path")));
        }
        harness.aws.with(|state| state.buckets.insert(bucket.clone(), FakeBucket::tagged(&tags)));
        let report = harness.report("row", created(&[(&bucket, text(row, "key"))])).await;
        match row["stripped"].as_str() {
            Some(stripped) => {
                let path = format!("/{stripped}");
                assert!(sorted(&report["invalidations"][0]["paths"]).contains(&path.as_str()), "{row}: {report}");
            }
            None => assert_eq!(report["skipped"][0]["code"], "outside-origin-path", "{row}: {report}"),
        }
    }
}

/// A key that ends in `*` becomes a wildcard. An event with it and another key shows whether it covers the other path.
#[tokio::test]
async fn items_cover_paths() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    for row in rows("covers") {
        let key = |field| text(&row, field).strip_prefix('/').filter(|key| !key.is_empty()).unwrap_or("index.html");
        let paths = paths(&harness, created(&[("site", key("item")), ("site", key("path"))])).await;
        let covered = !sorted(&paths).contains(&text(&row, "path")) || row["item"] == row["path"];
        assert_eq!(covered, row["covered"].as_bool().unwrap(), "{row}: {paths}");
    }
}
