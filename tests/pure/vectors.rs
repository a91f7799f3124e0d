//! Checks every row of `tests/data/paths.json`.

use s3_cloudfront_invalidator::change::ObjectKey;
use s3_cloudfront_invalidator::event::decode_key;
use s3_cloudfront_invalidator::path::{InvalidationPath, OriginPath, RelativeKey, viewer_paths};
use serde_json::Value;

fn rows(group: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(include_str!("../data/paths.json")).unwrap();
    let rows = vectors[group].as_array().unwrap().clone();
    assert!(!rows.is_empty(), "{group}");
    rows
}

fn text<'r>(row: &'r Value, field: &str) -> &'r str {
    row[field].as_str().unwrap()
}

fn paths_of(row: &Value, index_documents: &[String]) -> Vec<String> {
    let key = ObjectKey::new(text(row, "key")).unwrap();
    let paths = viewer_paths(OriginPath::default().strip(&key).unwrap(), index_documents);
    paths.iter().map(ToString::to_string).collect()
}

fn expected(row: &Value) -> Vec<String> {
    let mut paths: Vec<_> = row["paths"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

#[test]
fn keys_become_paths() {
    for row in rows("key_to_paths") {
        assert_eq!(paths_of(&row, &[]), expected(&row), "{row}");
    }
}

#[test]
fn index_documents_become_directories_too() {
    for row in rows("key_to_paths_with_index_documents") {
        assert_eq!(paths_of(&row, &["index.html".to_owned()]), expected(&row), "{row}");
    }
}

#[test]
fn keys_of_notifications_are_decoded() {
    for row in rows("notification_key") {
        assert_eq!(decode_key(text(&row, "encoded")).unwrap().as_str(), text(&row, "key"), "{row}");
    }
}

#[test]
fn keys_that_name_no_object_are_refused() {
    for row in rows("notification_key_rejected") {
        assert!(decode_key(text(&row, "encoded")).is_err(), "{row}");
    }
}

#[test]
fn origin_paths_are_stripped() {
    for row in rows("origin_path") {
        let key = ObjectKey::new(text(&row, "key")).unwrap();
        let stripped = OriginPath::parse(text(&row, "origin_path")).unwrap().strip(&key).map(RelativeKey::as_str);
        assert_eq!(stripped, row["stripped"].as_str(), "{row}");
    }
}

#[test]
fn items_cover_paths() {
    for row in rows("covers") {
        let [item, path] = ["item", "path"].map(|field| InvalidationPath::parse(text(&row, field)).unwrap());
        assert_eq!(item.covers(&path), row["covered"].as_bool().unwrap(), "{row}");
    }
}
