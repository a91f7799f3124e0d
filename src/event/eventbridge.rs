//! Events of S3 from EventBridge. Source: S3 user guide, "EventBridge event message structure".

use serde::Deserialize;
use serde_json::value::RawValue;

use super::object::{Object, Text};
use super::{Batch, IgnoredRecord, RecordError};
use crate::change::{Bucket, BucketName, Change, ObjectKey, Region};
use crate::text::excerpt;

/// The detail types that change what a bucket serves; expirations and delete markers are `Object Deleted` as well.
const CONTENT_TYPES: [&str; 2] = ["Object Created", "Object Deleted"];

#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow)]
    bucket: Option<Object<Named<'a>>>,
    #[serde(borrow)]
    object: Option<Object<Keyed<'a>>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Keyed<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
}

/// The Region of an event, outside of its detail.
#[derive(Deserialize)]
struct Origin<'a> {
    #[serde(borrow)]
    region: Option<Text<'a>>,
}

/// Adds what happened to the batch. `event` is the whole event, of which the shape has been told.
pub(super) fn decode(event: &str, detail_type: &str, detail: &RawValue, batch: &mut Batch) {
    if !CONTENT_TYPES.contains(&detail_type) {
        batch.ignored.push(IgnoredRecord { event_name: excerpt(detail_type) });
        return;
    }
    match change(event, detail) {
        Ok(change) => batch.changes.push(change),
        Err(error) => batch.failed.push(error),
    }
}

fn change(event: &str, detail: &RawValue) -> Result<Change, RecordError> {
    let Object(Origin { region }): Object<Origin<'_>> =
        serde_json::from_str(event).map_err(|error| RecordError::new("region", excerpt(&error.to_string())))?;
    let Object(detail): Object<Detail<'_>> =
        serde_json::from_str(detail.get()).map_err(|error| RecordError::new("detail", excerpt(&error.to_string())))?;
    let missing = |field| RecordError::new(field, "missing");
    let Text(bucket) = detail.bucket.and_then(|it| it.0.name).ok_or_else(|| missing("detail.bucket.name"))?;
    let Text(key) = detail.object.and_then(|it| it.0.key).ok_or_else(|| missing("detail.object.key"))?;
    let region = region.map(|Text(name)| Region::new(&name)).transpose();
    Ok(Change {
        bucket: Bucket {
            name: BucketName::new(&bucket)
                .map_err(|error| RecordError::new("detail.bucket.name", error.to_string()))?,
            region: region.map_err(|error| RecordError::new("region", error.to_string()))?,
        },
        // Literal: unlike in a notification nothing is encoded (aws-samples/s3-to-lambda-patterns#43).
        key: ObjectKey::new(key).map_err(|error| RecordError::new("detail.object.key", error.to_string()))?,
    })
}
