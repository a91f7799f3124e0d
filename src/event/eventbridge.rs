//! S3 events from EventBridge. Source: S3 user guide, "EventBridge event message structure".

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{JsonObject, JsonText};
use super::s3::{self, S3Entity};
use crate::change::text::excerpt;
use crate::change::{Batch, Bucket, Change, ObjectKey, RecordError, SkippedRecord};

/// The detail types that report a change of content. Expirations and delete markers also arrive as `Object Deleted`.
const CONTENT_DETAIL_TYPES: [&str; 2] = ["Object Created", "Object Deleted"];

/// Adds the change that an event reports to the batch, or lists the event as skipped or failed.
pub(super) fn decode(
    detail_type: &str,
    (region, time): (Option<&RawValue>, Option<&RawValue>),
    detail: &RawValue,
    batch: &mut Batch,
) {
    if !CONTENT_DETAIL_TYPES.contains(&detail_type) {
        batch.skipped.push(SkippedRecord { event_name: excerpt(detail_type) });
        return;
    }
    match change(region, detail) {
        Ok(change) => batch.push(change, s3::time(time)),
        Err(error) => batch.failed.push(error),
    }
}

fn change(region: Option<&RawValue>, detail: &RawValue) -> Result<Change, RecordError> {
    let (name, key) = read::<JsonObject<S3Entity<'_>>>(detail, "detail")?.0.names("detail")?;
    let region = region.map(|region| read::<Option<JsonText<'_>>>(region, "region")).transpose()?.flatten();
    Ok(Change {
        bucket: Bucket { name, region: s3::region(region, "region")? },
        // Literal: unlike in an event notification, the key is not encoded (aws-samples/s3-to-lambda-patterns#43).
        key: ObjectKey::new(&key).map_err(|error| RecordError::new("detail.object.key", error.to_string()))?,
    })
}

fn read<'a, T: Deserialize<'a>>(json: &'a RawValue, at: &str) -> Result<T, RecordError> {
    serde_json::from_str(json.get()).map_err(|error| RecordError::new(at, excerpt(&error.to_string())))
}
