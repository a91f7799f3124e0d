//! Requests that name what to invalidate: in the `UserParameters` of a pipeline action, or in a direct invocation.

use std::fmt;

use serde_json::value::RawValue;

use super::json::JsonText;
use super::kind::EventFields;
use crate::change::text::excerpt;
use crate::change::{Bucket, BucketName, DistributionId, ObjectKey};
use crate::path::{Item, named_items};

/// The fields of a request. All are optional.
pub(super) const FIELDS: [&str; 6] = ["distributionId", "bucket", PATHS, "keys", "wait", "waitSeconds"];

/// The field with paths and cache tags, and another name of it.
const PATHS: &str = "paths";
pub(super) const PATHS_ALIAS: &str = "items";

/// The longest wait in seconds if a request has `wait` but no `waitSeconds`.
pub const DEFAULT_WAIT: u64 = 900;

/// The largest `waitSeconds`. AWS quotes 25 s for 95 of 100 invalidations (April 2026).
pub const MAX_WAIT: u64 = 3600;

/// What to invalidate, and whether to wait until that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to invalidate.
    pub kind: RequestKind,
    /// How long to wait at most for the invalidations to complete, in seconds. `None` for no wait.
    pub wait: Option<u64>,
}

/// What to invalidate: named paths, or the paths of changed objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Paths and cache tags, sent unchanged.
    Paths {
        /// The distributions.
        target: RequestTarget,
        /// The paths and cache tags; at least one.
        paths: Vec<Item>,
    },
    /// Objects, handled like changes that S3 reported.
    Keys {
        /// The bucket that contains them.
        bucket: Bucket,
        /// Their keys, literal and not encoded; at least one.
        keys: Vec<ObjectKey>,
    },
}

/// The distributions that a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestTarget {
    /// This distribution.
    Distribution(DistributionId),
    /// The distributions in the bucket's tag.
    Bucket(Bucket),
    /// The function's default distribution (`DISTRIBUTION_ID`).
    Default,
}

/// Invalidates everything in the function's default distribution, without a wait.
impl Default for Request {
    fn default() -> Self {
        Self {
            kind: RequestKind::Paths { target: RequestTarget::Default, paths: vec![Item::everything()] },
            wait: None,
        }
    }
}

/// The error for an invalid request: the field and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    field: String,
    reason: String,
}

impl RequestError {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// Prefixes the field with the field `envelope` that contains it.
    pub(super) fn within(self, envelope: &str) -> Self {
        let dot = if self.field.is_empty() { "" } else { "." };
        Self { field: format!("{envelope}{dot}{}", self.field), ..self }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for RequestError {}

/// The raw JSON values of the fields, in the order of [`FIELDS`].
#[derive(Default)]
struct RequestFields<'a>([Option<&'a RawValue>; FIELDS.len()]);

impl<'a> RequestFields<'a> {
    fn get(&self, field: &str) -> Option<&'a RawValue> {
        let index = FIELDS.iter().position(|name| *name == field)?;
        // `null` counts as absent.
        self.0.get(index).copied().flatten().filter(|value| value.get() != "null")
    }

    fn read<T>(
        &self,
        field: &'static str,
        what: &str,
        read: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Result<Option<T>, RequestError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        // Objects and lists are not quoted, because they could contain anything.
        let quoted = match value.get().get(..1) {
            Some("{") => "an object".to_owned(),
            Some("[") => "this list".to_owned(),
            _ => excerpt(value.get()),
        };
        read(value).map(Some).ok_or_else(|| RequestError::new(field, format!("{quoted} is not {what}")))
    }

    fn texts(&self, field: &'static str) -> Result<Option<Vec<JsonText<'a>>>, RequestError> {
        self.read(field, "a list of strings", |value| serde_json::from_str(value.get()).ok())
    }
}

impl Request {
    /// Parses a request from JSON.
    ///
    /// # Errors
    /// [`RequestError`] with the field and the remedy.
    ///
    /// ```
    /// use s3_cloudfront_invalidator::event::{RequestKind, Request};
    ///
    /// let request = Request::parse(r#"{"distributionId":"E2EXAMPLE1ABCD","paths":["a b.html"],"wait":true}"#)?;
    /// assert_eq!(request.wait, Some(900));
    /// let RequestKind::Paths { paths, .. } = request.kind else { panic!("paths") };
    /// assert_eq!(paths[0].as_str(), "/a%20b.html");
    /// let error = Request::parse(r#"{"distribution":"E2EXAMPLE1ABCD"}"#).unwrap_err();
    /// assert!(error.to_string().starts_with("distribution: "));
    /// # Ok::<(), s3_cloudfront_invalidator::event::RequestError>(())
    /// ```
    pub fn parse(json: &str) -> Result<Self, RequestError> {
        let fields = serde_json::from_str(json)
            .map_err(|error| RequestError::new("", format!("not a JSON object: {}", excerpt(&error.to_string()))))?;
        Self::from_fields(fields)
    }

    pub(super) fn from_fields(fields: EventFields<'_>) -> Result<Self, RequestError> {
        let mut values = RequestFields::default();
        for (name, value) in fields.kept {
            let known = if name == PATHS_ALIAS { PATHS } else { &*name };
            let slot = FIELDS.iter().position(|field| *field == known).and_then(|index| values.0.get_mut(index));
            match slot {
                Some(slot @ None) => *slot = Some(value),
                Some(Some(_)) if known == PATHS => {
                    return Err(RequestError::new(known, "is given twice; \"items\" is another name for it"));
                }
                Some(Some(_)) => return Err(RequestError::new(known, "is given twice")),
                None => {
                    let reason = format!("is unknown; the fields are {}", FIELDS.join(", "));
                    return Err(RequestError::new(excerpt(&name), reason));
                }
            }
        }
        Ok(Self { kind: kind(&values)?, wait: wait(&values)? })
    }
}

fn kind(values: &RequestFields<'_>) -> Result<RequestKind, RequestError> {
    let text = |value: &RawValue| serde_json::from_str(value.get()).ok().map(|text: String| text);
    let distribution = values.read("distributionId", "a string", text)?;
    let distribution = distribution
        .map(|id| DistributionId::new(&id).map_err(|error| RequestError::new("distributionId", error.to_string())))
        .transpose()?;
    let bucket = values.read("bucket", "a string", text)?;
    let bucket = bucket
        .map(|name| BucketName::new(&name).map_err(|error| RequestError::new("bucket", error.to_string())))
        .transpose()?
        .map(|name| Bucket { name, region: None });
    let paths = values.texts(PATHS)?;
    let Some(keys) = values.texts("keys")? else {
        return Ok(RequestKind::Paths {
            target: match (distribution, bucket) {
                (Some(id), _) => RequestTarget::Distribution(id),
                (None, Some(bucket)) => RequestTarget::Bucket(bucket),
                (None, None) => RequestTarget::Default,
            },
            paths: match paths {
                None => vec![Item::everything()],
                Some(paths) => named_items(paths.iter().map(|JsonText(item)| &**item))
                    .map_err(|error| RequestError::new(PATHS, error.to_string()))?,
            },
        });
    };
    if paths.is_some() || distribution.is_some() {
        let reason =
            "are invalidated in the distributions that the bucket's tags name; remove \"paths\" and \"distributionId\"";
        return Err(RequestError::new("keys", reason));
    }
    let bucket = bucket.ok_or_else(|| RequestError::new("keys", "require the \"bucket\" that contains them"))?;
    if keys.is_empty() {
        return Err(RequestError::new("keys", "the list is empty; name at least one object key"));
    }
    let key = |JsonText(key): JsonText<'_>| ObjectKey::new(&key);
    let keys = keys.into_iter().map(key).collect::<Result<Vec<_>, _>>();
    Ok(RequestKind::Keys { bucket, keys: keys.map_err(|error| RequestError::new("keys", error.to_string()))? })
}

fn wait(values: &RequestFields<'_>) -> Result<Option<u64>, RequestError> {
    let wait = values.read("wait", "true or false", |value| serde_json::from_str(value.get()).ok())?;
    let seconds = values.read("waitSeconds", &format!("a number of seconds from 1 to {MAX_WAIT}"), |value| {
        serde_json::from_str(value.get()).ok().filter(|seconds| (1..=MAX_WAIT).contains(seconds))
    })?;
    Ok(wait.unwrap_or(false).then(|| seconds.unwrap_or(DEFAULT_WAIT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(json: &str) -> (RequestTarget, Vec<String>) {
        match Request::parse(json).unwrap().kind {
            RequestKind::Paths { target, paths } => (target, paths.iter().map(ToString::to_string).collect()),
            keys @ RequestKind::Keys { .. } => panic!("{keys:?}"),
        }
    }

    #[test]
    fn everything_is_optional() {
        assert_eq!(Request::parse("{}"), Ok(Request::default()));
        assert_eq!(Request::parse(r#"{"paths":null,"wait":null,"keys":null}"#), Ok(Request::default()));
        let id = DistributionId::new("E1").unwrap();
        assert_eq!(
            paths(r#"{"distributionId":"E1"}"#),
            (RequestTarget::Distribution(id.clone()), vec!["/*".to_owned()])
        );
        assert_eq!(paths(r#"{"distributionId":"E1","bucket":"site"}"#).0, RequestTarget::Distribution(id));
        assert_eq!(
            paths(r#"{"paths":["/b","a b","\u002fa b"]}"#),
            (RequestTarget::Default, vec!["/a%20b".to_owned(), "/b".to_owned()])
        );
        assert!(matches!(paths(r#"{"bucket":"site"}"#).0, RequestTarget::Bucket(_)));
    }

    #[test]
    fn keys_are_literal_and_need_their_bucket() {
        let Ok(Request { kind: RequestKind::Keys { bucket, keys }, wait: Some(60) }) =
            Request::parse(r#"{"bucket":"site","keys":["a+b %41"],"wait":true,"waitSeconds":60}"#)
        else {
            panic!("keys");
        };
        assert_eq!((bucket.name.as_str(), keys[0].as_str()), ("site", "a+b %41"));
    }

    #[test]
    fn an_error_names_the_field_and_the_remedy() {
        for (json, expected) in [
            ("", "not a JSON object: EOF"),
            ("[]", "not a JSON object: invalid type"),
            ("null", "not a JSON object: invalid type"),
            (
                r#"{"item":["/a"]}"#,
                "item: is unknown; the fields are distributionId, bucket, paths, keys, wait, waitSeconds",
            ),
            (r#"{"wait":true,"wait":false}"#, "wait: is given twice"),
            (r#"{"distributionId":"e1"}"#, "distributionId: \"e1\" is not a distribution ID"),
            (r#"{"distributionId":5}"#, "distributionId: 5 is not a string"),
            (r#"{"bucket":"a/b"}"#, "bucket: \"a/b\" is not a bucket name"),
            (r#"{"paths":"/a"}"#, "paths: \\\"/a\\\" is not a list of strings"),
            (r#"{"paths":[]}"#, "paths: the list is empty"),
            (r#"{"items":[]}"#, "paths: the list is empty"),
            (r#"{"items":["/a"],"paths":["/a"]}"#, "paths: is given twice; \"items\" is another"),
            (r#"{"paths":["/~a"]}"#, "paths: \"/~a\": CloudFront cannot invalidate"),
            (r#"{"keys":["a"]}"#, "keys: require the \"bucket\""),
            (r#"{"bucket":"site","keys":[]}"#, "keys: the list is empty; name at least"),
            (r#"{"bucket":"site","keys":[""]}"#, "keys: \"\" is not an object key"),
            (r#"{"bucket":"site","keys":["a"],"paths":["/a"]}"#, "keys: are invalidated in"),
            (r#"{"distributionId":"E1","bucket":"site","keys":["a"]}"#, "keys: are invalidated in"),
            (r#"{"wait":"yes"}"#, "wait: \\\"yes\\\" is not true or false"),
            (r#"{"waitSeconds":0}"#, "waitSeconds: 0 is not a number of seconds from 1 to 3600"),
            (r#"{"waitSeconds":3601}"#, "waitSeconds: 3601 is not"),
        ] {
            let message = Request::parse(json).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
