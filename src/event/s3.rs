//! Records of S3 event notifications, versions 2.0 to 2.6.
//!
//! Only the fields that an invalidation needs are decoded, so a record without a size, an eTag, an identity or a time
//! is valid. Source: S3 user guide, "Event message structure".
//!
//! S3 encodes the key like form data: a space becomes `+`, and other unusual characters become percent-encoded UTF-8.
//! The key in an EventBridge event is literal and must not be decoded.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::effect::Effect;
use super::fields::{JsonObject, JsonText};
use crate::change::text::{excerpt, excerpt_of_message};
use crate::change::{
    Batch, Bucket, BucketName, Change, FieldError, NameError, ObjectKey, Region, SkippedRecord, Timestamp,
};

/// The decoded fields of a record. None is required here, so that an error can name the missing one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct S3Record<'a> {
    event_source: Option<JsonText<'a>>,
    aws_region: Option<JsonText<'a>>,
    event_name: Option<JsonText<'a>>,
    /// Raw, because a time of the wrong type must not fail the record.
    event_time: Option<&'a RawValue>,
    s3: Option<JsonObject<S3Entity<'a>>>,
}

/// The bucket and object of an event: `s3` in a notification record, `detail` in an EventBridge event.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct S3Entity<'a> {
    bucket: Option<JsonObject<S3Bucket<'a>>>,
    object: Option<JsonObject<S3Object<'a>>>,
    /// Only from EventBridge: the API call, or Lifecycle.
    pub(super) reason: Option<JsonText<'a>>,
    /// Only from EventBridge, of deletions.
    #[serde(rename = "deletion-type")]
    pub(super) deletion_type: Option<JsonText<'a>>,
}

#[derive(Deserialize)]
struct S3Bucket<'a> {
    #[serde(borrow)]
    name: Option<JsonText<'a>>,
}

#[derive(Deserialize)]
struct S3Object<'a> {
    #[serde(borrow)]
    key: Option<JsonText<'a>>,
    /// From EventBridge `version-id`. Absent in a bucket without versioning.
    #[serde(borrow, rename = "versionId", alias = "version-id")]
    version: Option<JsonText<'a>>,
}

impl<'a> S3Entity<'a> {
    /// Returns the version of the object.
    pub(super) fn version(&self) -> Option<&str> {
        let JsonText(version) = self.object.as_ref()?.0.version.as_ref()?;
        Some(version)
    }

    /// Returns the bucket's name and the key as the event contains it, not decoded. `at` precedes the location in
    /// errors.
    pub(super) fn names(self, at: &str) -> Result<(BucketName, Cow<'a, str>), FieldError> {
        let missing = |field| FieldError::missing(format!("{at}{field}"));
        let JsonText(bucket) = self.bucket.and_then(|it| it.0.name).ok_or_else(|| missing("bucket.name"))?;
        let JsonText(key) = self.object.and_then(|it| it.0.key).ok_or_else(|| missing("object.key"))?;
        let bucket = BucketName::new(&bucket).map_err(|error| FieldError::new(format!("{at}bucket.name"), &error))?;
        Ok((bucket, key))
    }
}

/// Validates the Region in the field `at`.
pub(super) fn region(name: Option<JsonText<'_>>, at: &str) -> Result<Option<Region>, FieldError> {
    name.map(|JsonText(name)| Region::new(&name)).transpose().map_err(|error| FieldError::new(at, &error))
}

/// Returns the time in a field, or `None` if it is missing or invalid.
pub(super) fn time(field: Option<&RawValue>) -> Option<Timestamp> {
    let JsonText(text) = serde_json::from_str(field?.get()).ok()?;
    Timestamp::parse(&text)
}

/// Checks that a record names the service `expected` as its source in the field `at`.
pub(super) fn check_source(source: Option<JsonText<'_>>, at: &str, expected: &str) -> Result<(), FieldError> {
    match source {
        Some(JsonText(source)) if source == expected => Ok(()),
        Some(JsonText(other)) => Err(FieldError::new(at, &format!("\"{}\" is not \"{expected}\"", excerpt(&other)))),
        None => Err(FieldError::missing(at)),
    }
}

/// Adds the change that a record reports to the batch, or lists the record as skipped.
pub(super) fn decode(raw: &RawValue, batch: &mut Batch) -> Result<(), FieldError> {
    let JsonObject(record): JsonObject<S3Record<'_>> =
        serde_json::from_str(raw.get()).map_err(|error| wrong_type(raw, &error))?;
    check_source(record.event_source, "eventSource", "aws:s3")?;
    let JsonText(event_name) = record.event_name.ok_or_else(|| FieldError::missing("eventName"))?;
    let entity = record.s3.map(|JsonObject(entity)| entity);
    if !Effect::of_event_name(&event_name)?.changes_content(entity.as_ref().and_then(S3Entity::version)) {
        batch.skipped.push(SkippedRecord { event_name: excerpt(&event_name) });
        return Ok(());
    }
    let (name, key) = entity.ok_or_else(|| FieldError::missing("s3"))?.names("s3.")?;
    let bucket = Bucket { name, region: region(record.aws_region, "awsRegion")? };
    let key = decode_key(&key).map_err(|error| FieldError::new("s3.object.key", &error.about(&key)))?;
    batch.push(Change { bucket, key }, time(record.event_time));
    Ok(())
}

/// Decodes a record again, by a slower method that names the field of the wrong type.
fn wrong_type(raw: &RawValue, error: &serde_json::Error) -> FieldError {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    match serde_path_to_error::deserialize::<_, JsonObject<S3Record<'_>>>(&mut deserializer) {
        // `?` stands for a field name that could not be parsed.
        Err(named) if named.path().iter().len() > 0 && named.path().to_string() != "?" => {
            FieldError::new(named.path().to_string(), &excerpt_of_message(named.inner()))
        }
        _ => FieldError::new("", &excerpt_of_message(&error)),
    }
}

/// The reason that an encoded key is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A `%` at this byte is not followed by two hex digits.
    #[error("\"%\" at byte {0} is not followed by two hex digits")]
    Escape(usize),
    /// The decoded bytes are not valid UTF-8 from this byte on.
    #[error("the decoded key is not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    /// The decoded key is empty or too long.
    #[error(transparent)]
    Length(#[from] NameError),
}

impl KeyError {
    /// The error with the encoded key that it is about.
    fn about(&self, key: &str) -> String {
        match self {
            Self::Length(error) => error.to_string(),
            other => format!("\"{}\": {other}", excerpt(key)),
        }
    }
}

/// Decodes the key of an event notification, once: every `+` to a space, every `%XX` to a byte.
///
/// # Errors
/// [`KeyError`] for an incomplete escape, for bytes that are not UTF-8, and for an empty or overlong key. Decoding is
/// strict: a wrongly decoded key would invalidate the wrong path and leave the changed object cached.
///
/// ```
/// use s3_cloudfront_invalidator::event::decode_key;
///
/// assert_eq!(decode_key("this+im+%2B+age.txt")?.as_str(), "this im + age.txt");
/// assert_eq!(decode_key("5%253A00.log")?.as_str(), "5%3A00.log");
/// assert!(decode_key("a%2").is_err());
/// # Ok::<(), s3_cloudfront_invalidator::event::KeyError>(())
/// ```
pub fn decode_key(encoded: &str) -> Result<ObjectKey, KeyError> {
    let is_escape = |at: usize| {
        let digits = encoded.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    // An escape cannot begin within another, since `%` is no hex digit.
    if let Some((at, _)) = encoded.match_indices('%').find(|(at, _)| !is_escape(*at)) {
        return Err(KeyError::Escape(at));
    }
    let spaced = encoded.replace('+', " ");
    let key = percent_decode_str(&spaced).decode_utf8().map_err(|error| KeyError::NotUtf8(error.valid_up_to()))?;
    Ok(ObjectKey::new(&key)?)
}

/// The bytes of a key that S3 percent-encodes in a notification, and the space, which becomes `+`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');

/// Writes changes as an event notification of S3, of which [`decode`](super::decode) returns the same changes.
#[must_use]
pub fn notification<'c>(changes: impl IntoIterator<Item = (&'c Change, Option<Timestamp>)>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Record<'c> {
        event_source: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        aws_region: Option<&'c str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        event_time: Option<String>,
        event_name: &'static str,
        s3: serde_json::Value,
    }
    let records: Vec<_> = changes
        .into_iter()
        .map(|(Change { bucket, key }, time)| {
            let key = utf8_percent_encode(key.as_str(), ENCODED).to_string().replace("%20", "+");
            Record {
                event_source: "aws:s3",
                aws_region: bucket.region.as_ref().map(Region::as_str),
                event_time: time.map(|time| time.to_string()),
                // A cache treats all changes alike.
                event_name: "ObjectCreated:Put",
                s3: serde_json::json!({ "bucket": { "name": bucket.name.as_str() }, "object": { "key": key } }),
            }
        })
        .collect();
    serde_json::json!({ "Records": records }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, decode};

    fn batch(records: &str) -> Batch {
        match decode(format!("{{\"Records\":[{records}]}}").as_bytes()) {
            Ok(Event::Changes(batch)) => batch,
            other => panic!("{other:?}"),
        }
    }

    fn record(name: &str, rest: &str) -> String {
        format!(r#"{{"eventSource":"aws:s3","eventName":"{name}"{rest}}}"#)
    }

    const SITE: &str = r#","awsRegion":"eu-central-1","s3":{"bucket":{"name":"site"},"object":{"key":"a.txt"}}"#;

    #[test]
    fn events_are_matched_by_family() {
        for name in [
            "ObjectCreated:Put",
            "ObjectCreated:CompleteMultipartUpload",
            "ObjectCreated:InventedLater",
            "ObjectRemoved:Delete",
            "ObjectRemoved:DeleteMarkerCreated",
            "LifecycleExpiration:Delete",
            "LifecycleExpiration:DeleteMarkerCreated",
            "s3:ObjectCreated:Put",
        ] {
            assert_eq!(batch(&record(name, SITE)).changes.len(), 1, "{name}");
        }
        for name in [
            "ObjectTagging:Put",
            "ObjectAcl:Put",
            "ObjectRestore:Completed",
            "Replication:OperationFailedReplication",
            "LifecycleTransition",
            "IntelligentTiering",
            "ReducedRedundancyLostObject",
            "ObjectRetention:Put",
            "s3:ObjectAnnotation:Put",
            "s3:ObjectAccessed:Get",
        ] {
            let batch = batch(&record(name, SITE));
            assert_eq!(batch.skipped, [SkippedRecord { event_name: name.into() }]);
            assert!(batch.changes.is_empty() && batch.failed.is_empty(), "{name}");
        }
        for name in ["ObjectCreatedLater:Put", "ObjectRenamed:Put", "s3:", ""] {
            let batch = batch(&record(name, SITE));
            assert!(batch.changes.is_empty() && batch.skipped.is_empty(), "{name}");
            let expected = format!("Records[0].eventName: \"{name}\" is no known event of S3");
            assert!(batch.failed[0].to_string().starts_with(&expected), "{:?}", batch.failed);
        }
    }

    /// Lifecycle deletes only versions that no viewer gets.
    #[test]
    fn an_expired_version_is_no_change() {
        let versions = [(r#","versionId":"v1""#, 0), (r#","versionId":"""#, 1), (r#","versionId":null"#, 1), ("", 1)];
        for (version, changes) in versions {
            let object = format!(r#","s3":{{"bucket":{{"name":"site"}},"object":{{"key":"k"{version}}}}}"#);
            for (name, changes) in [
                ("LifecycleExpiration:Delete", changes),
                ("LifecycleExpiration:DeleteMarkerCreated", 1),
                ("ObjectRemoved:Delete", 1),
                ("ObjectCreated:Put", 1),
            ] {
                let batch = batch(&record(name, &object));
                assert_eq!((batch.changes.len(), batch.skipped.len()), (changes, 1 - changes), "{name} {version}");
            }
        }
    }

    #[test]
    fn a_bad_record_names_its_index_and_field_and_fails_alone() {
        let bad = [
            (record("ObjectCreated:Put", ""), "Records[1].s3: missing"),
            (record("ObjectCreated:Put", r#","s3":{"object":{"key":"k"}}"#), "Records[1].s3.bucket.name: missing"),
            (record("ObjectCreated:Put", r#","s3":{"bucket":{"name":"site"}}"#), "Records[1].s3.object.key: missing"),
            (
                record("ObjectCreated:Put", r#","s3":{"bucket":{"name":"site"},"object":{"key":5}}"#),
                "Records[1].s3.object.key: invalid type: integer `5`, expected a string",
            ),
            (
                record("ObjectCreated:Put", r#","s3":{"bucket":{"name":"s/../x"},"object":{"key":"k"}}"#),
                "Records[1].s3.bucket.name: \"s/../x\" is not a bucket name",
            ),
            (
                record("ObjectCreated:Put", r#","s3":{"bucket":{"name":"site"},"object":{"key":"a%FFb"}}"#),
                "Records[1].s3.object.key: \"a%FFb\": the decoded key is not UTF-8",
            ),
            (
                record(
                    "ObjectCreated:Put",
                    r#","awsRegion":"x.evil","s3":{"bucket":{"name":"site"},"object":{"key":"k"}}"#,
                ),
                "Records[1].awsRegion: \"x.evil\" is not a Region name",
            ),
            (
                record("ObjectCreated:Put", r#","s3":[["site"],["k"]]"#),
                "Records[1].s3: invalid type: sequence, expected an object",
            ),
            (
                record("ObjectCreated:Put", r#","\ud800":1,"s3":{"bucket":{"name":"site"},"object":{"key":"k"}}"#),
                "Records[1]: unexpected end of hex escape",
            ),
            (r#"{"eventSource":"aws:s3"}"#.into(), "Records[1].eventName: missing"),
            (r#"{"eventSource":"aws:sqs"}"#.into(), "Records[1].eventSource: \"aws:sqs\" is not \"aws:s3\""),
            ("5".into(), "Records[1]: invalid type: integer `5`"),
        ];
        let good = record("ObjectCreated:Put", SITE);
        for (record, expected) in bad {
            let batch = batch(&format!("{good},{record},{good}"));
            assert_eq!(batch.changes.len(), 2, "{expected}");
            assert_eq!(batch.failed.len(), 1, "{expected}");
            let message = batch.failed[0].to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn the_event_time_is_optional() {
        for (time, expected) in [
            (r#","eventTime":"2026-01-02T03:04:05.006Z""#, Some(1_767_323_045_006)),
            (r#","eventTime":"1970-01-01T00:00:00.000Z""#, None),
            (r#","eventTime":"soon""#, None),
            (r#","eventTime":5"#, None),
            (r#","eventTime":null"#, None),
            ("", None),
        ] {
            let batch = batch(&record("ObjectCreated:Put", &format!("{SITE}{time}")));
            assert_eq!(batch.times, [expected.and_then(Timestamp::new)], "{time}");
            assert_eq!(batch.changes.len(), 1, "{time}");
        }
    }

    #[test]
    fn json_escapes_in_names_are_decoded() {
        let batch = batch(
            r#"{"event\u0053ource":"aws:s3","eventName":"Object\u0043reated:Put","s3":{"bucket":{"name":"\u0073ite"},"object":{"key":"\u0061%2Bb"}}}"#,
        );
        assert_eq!(batch.changes[0].key.as_str(), "a+b");
        assert_eq!(batch.changes[0].bucket.region, None);
    }
}

#[cfg(test)]
mod key_tests {
    use super::*;
    use crate::event::{Event, decode};

    #[test]
    fn a_notification_is_decoded_to_the_same_changes() {
        let time = Timestamp::parse("2026-01-02T03:04:05.006Z");
        let keys = ["a b+c/%2F~é.html", "\u{0}\n\"\\", "index.html", "*-._!'()", &"é".repeat(512)];
        for region in [None, Region::new("eu-central-1").ok()] {
            let bucket = Bucket { name: BucketName::new("site").unwrap(), region };
            let change = |key| Change { bucket: bucket.clone(), key: ObjectKey::new(key).unwrap() };
            let changes = keys.map(change);
            let json = notification(changes.iter().zip([time, None].into_iter().cycle()));
            let Ok(Event::Changes(batch)) = decode(json.as_bytes()) else { panic!("{json}") };
            assert_eq!(batch.changes, changes);
            assert_eq!(batch.times, [time, None, time, None, time]);
        }
        assert!(notification([]).contains("[]"));
    }

    #[test]
    fn errors_name_the_byte_offset() {
        assert_eq!(decode_key("a%2"), Err(KeyError::Escape(1)));
        assert_eq!(decode_key("ab%"), Err(KeyError::Escape(2)));
        assert_eq!(decode_key("%+1"), Err(KeyError::Escape(0)));
        assert_eq!(decode_key("caf%C3%A9%FF"), Err(KeyError::NotUtf8(5)));
        assert!(matches!(decode_key(""), Err(KeyError::Length(_))));
    }

    #[test]
    fn the_limit_holds_for_the_decoded_key() {
        assert!(decode_key(&"%C3%A9".repeat(512)).is_ok());
        assert!(matches!(decode_key(&"%C3%A9".repeat(513)), Err(KeyError::Length(_))));
    }

    #[test]
    fn raw_utf8_from_emulators_is_kept() {
        assert_eq!(decode_key("café/naïve.html").unwrap().as_str(), "café/naïve.html");
    }
}
