//! S3 events from EventBridge: S3's own, and API calls that CloudTrail recorded. In both the key is literal: unlike in an
//! event notification, it is not encoded (aws-samples/s3-to-lambda-patterns#43).
//!
//! Sources: S3 user guide, "EventBridge event message structure"; CloudTrail user guide, "CloudTrail record contents".

use serde::Deserialize;
use serde_json::value::RawValue;

use super::effect::Effect;
use super::fields::{JsonObject, JsonText, read};
use super::s3::{self, S3Entity};
use crate::change::text::excerpt;
use crate::change::{Batch, Bucket, BucketName, Change, FieldError, ObjectKey, SkippedRecord};

/// The detail type of the API calls that CloudTrail records.
pub(super) const API_CALL: &str = "AWS API Call via CloudTrail";

/// The event source of S3 in what CloudTrail records.
pub(super) const CLOUD_TRAIL_SOURCE: &str = "s3.amazonaws.com";

/// The reason of what Lifecycle deletes.
const LIFECYCLE: &str = "Lifecycle Expiration";

/// The reasons of the detail types `Object Created` and `Object Deleted`.
const REASONS: [(&str, &str); 6] = [
    ("CompleteMultipartUpload", "Object Created"),
    ("CopyObject", "Object Created"),
    ("POST Object", "Object Created"),
    ("PutObject", "Object Created"),
    ("DeleteObject", "Object Deleted"),
    (LIFECYCLE, "Object Deleted"),
];

/// An event, with its content as raw JSON.
pub(super) struct S3Event<'a> {
    /// The detail type; `None` if a rule passes on only the detail of its events (`InputPath`).
    pub(super) detail_type: Option<String>,
    /// What precedes the names of the detail's fields in errors.
    pub(super) at: &'static str,
    pub(super) region: Option<&'a RawValue>,
    pub(super) time: Option<&'a RawValue>,
    pub(super) detail: &'a RawValue,
}

/// The detail of an API call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct ApiCall<'a> {
    event_name: Option<JsonText<'a>>,
    read_only: Option<bool>,
    error_code: Option<JsonText<'a>>,
    request_parameters: Option<JsonObject<RequestParameters<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RequestParameters<'a> {
    bucket_name: Option<JsonText<'a>>,
    key: Option<JsonText<'a>>,
}

/// Adds the change that an event reports to the batch, or lists the event as skipped.
pub(super) fn decode(event: &S3Event<'_>, batch: &mut Batch) -> Result<(), FieldError> {
    let (event_name, names) = match event.detail_type.as_deref() {
        Some(API_CALL) => from_api_call(event)?,
        detail_type => from_s3(event, detail_type)?,
    };
    let Some((name, key)) = names else {
        batch.skipped.push(SkippedRecord { event_name: excerpt(&event_name) });
        return Ok(());
    };
    let region = event.region.map(|region| read::<Option<JsonText<'_>>>(region, "region")).transpose()?.flatten();
    let bucket = Bucket { name, region: s3::region(region, "region")? };
    batch.push(Change { bucket, key }, s3::time(event.time));
    Ok(())
}

/// The name of an event, and the object whose content it changes.
type NamedObject = (String, Option<(BucketName, ObjectKey)>);

/// Decodes one of S3's own events. Without a detail type, the reason says what it is.
fn from_s3(event: &S3Event<'_>, detail_type: Option<&str>) -> Result<NamedObject, FieldError> {
    let at = event.at;
    let JsonObject(detail): JsonObject<S3Entity<'_>> = read(event.detail, "detail")?;
    let reason = detail.reason.as_ref().map_or("", |JsonText(reason)| reason);
    let Some(detail_type) = detail_type.or_else(|| REASONS.iter().find(|it| it.0 == reason).map(|it| it.1)) else {
        let remedy = "restrict the rule to the detail types \"Object Created\" and \"Object Deleted\"";
        let what = if reason.is_empty() {
            "is missing".to_owned()
        } else {
            format!("\"{}\" is no known change", excerpt(reason))
        };
        return Err(FieldError::new("reason", &format!("{what}; {remedy}")));
    };
    let mut effect = Effect::of_detail_type(detail_type)?;
    let deletion_type = detail.deletion_type.as_ref().map_or("", |JsonText(it)| it);
    if reason == LIFECYCLE && deletion_type == "Permanently Deleted" {
        effect = Effect::of_event_name("LifecycleExpiration:Delete")?;
    }
    if !effect.changes_content(detail.version()) {
        return Ok((detail_type.to_owned(), None));
    }
    let (name, key) = detail.names(at)?;
    let key = ObjectKey::new(&key).map_err(|error| FieldError::new(format!("{at}object.key"), &error))?;
    Ok((detail_type.to_owned(), Some((name, key))))
}

/// Decodes an API call. One that failed, or only read, changed nothing.
fn from_api_call(event: &S3Event<'_>) -> Result<NamedObject, FieldError> {
    let JsonObject(call): JsonObject<ApiCall<'_>> = read(event.detail, "detail")?;
    let at = |field: &str| format!("{}{field}", event.at);
    let JsonText(name) = call.event_name.ok_or_else(|| FieldError::missing(at("eventName")))?;
    let has_failed = call.error_code.is_some_and(|JsonText(code)| !code.is_empty());
    if has_failed || call.read_only == Some(true) || !Effect::of_api_call(&name, event.at)?.changes_content(None) {
        return Ok((name.into_owned(), None));
    }
    let at = |field: &str| at(&format!("requestParameters.{field}"));
    let (bucket, key) = call.request_parameters.map_or((None, None), |JsonObject(it)| (it.bucket_name, it.key));
    let JsonText(bucket) = bucket.ok_or_else(|| FieldError::missing(at("bucketName")))?;
    let JsonText(key) = key.ok_or_else(|| FieldError::missing(at("key")))?;
    let bucket = BucketName::new(&bucket).map_err(|error| FieldError::new(at("bucketName"), &error))?;
    let key = ObjectKey::new(&key).map_err(|error| FieldError::new(at("key"), &error))?;
    Ok((name.into_owned(), Some((bucket, key))))
}
