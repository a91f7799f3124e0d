//! S3 events from EventBridge. Source: S3 user guide, "EventBridge event message structure".

use serde_json::value::RawValue;

use super::fields::{JsonObject, JsonText, read};
use super::s3::{self, S3Entity};
use crate::change::text::excerpt;
use crate::change::{Batch, Bucket, Change, FieldError, ObjectKey, SkippedRecord};

/// The detail types that report a change of content. Expirations and delete markers also arrive as `Object Deleted`.
const CONTENT_DETAIL_TYPES: [&str; 2] = ["Object Created", "Object Deleted"];

/// An event, with its content as raw JSON.
pub(super) struct S3Event<'a> {
    pub(super) detail_type: String,
    pub(super) region: Option<&'a RawValue>,
    pub(super) time: Option<&'a RawValue>,
    pub(super) detail: &'a RawValue,
}

/// Adds the change that an event reports to the batch, or lists the event as skipped.
pub(super) fn decode(event: &S3Event<'_>, batch: &mut Batch) -> Result<(), FieldError> {
    if !CONTENT_DETAIL_TYPES.contains(&event.detail_type.as_str()) {
        batch.skipped.push(SkippedRecord { event_name: excerpt(&event.detail_type) });
        return Ok(());
    }
    let (name, key) = read::<JsonObject<S3Entity<'_>>>(event.detail, "detail")?.0.names("detail")?;
    let region = event.region.map(|region| read::<Option<JsonText<'_>>>(region, "region")).transpose()?.flatten();
    let bucket = Bucket { name, region: s3::region(region, "region")? };
    // Literal: unlike in an event notification, the key is not encoded (aws-samples/s3-to-lambda-patterns#43).
    let key = ObjectKey::new(&key).map_err(|error| FieldError::new("detail.object.key", &error))?;
    batch.push(Change { bucket, key }, s3::time(event.time));
    Ok(())
}
