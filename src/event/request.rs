//! Requests that name what to invalidate: in the `UserParameters` of a pipeline action, or in a direct invocation.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{EventFields, JsonText};
use crate::change::text::{excerpt, excerpt_of_message};
use crate::change::{Bucket, BucketName, DistributionId, FieldError, NameError, ObjectKey};
use crate::path::{Item, named_items};

/// The fields of a request. All are optional.
const FIELDS: [&str; 8] = ["distributionId", "bucket", "paths", "keys", "key", "wait", "waitSeconds", "dryRun"];

/// Other names of fields: of the field of `CreateInvalidation`, and of published functions for CodePipeline.
const OTHER_NAMES: [(&str, &str); 2] = [("items", "paths"), ("objectpaths", "paths")];

/// A request, at the end of error messages.
const EXAMPLE: &str = r#"{"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#;

/// What a switch must be, in error messages.
const TRUE_OR_FALSE: &str = "true or false";

/// The longest wait in seconds if a request has `wait` but no `waitSeconds`.
pub const DEFAULT_WAIT: u64 = 900;

/// The largest `waitSeconds`. AWS quotes 25 s for 95 of 100 invalidations (April 2026).
pub const MAX_WAIT: u64 = 3600;

/// What to invalidate, whether to wait until that is complete, and whether anything is sent at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to invalidate.
    pub kind: RequestKind,
    /// How long to wait at most for the invalidations to complete, in seconds. `None` for no wait.
    pub wait: Option<u64>,
    /// Whether the invalidations are only planned, as with `DRY_RUN`.
    pub dry_run: bool,
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
        /// The number of further ones that were named, but are covered by these.
        left_out: usize,
    },
    /// Objects, handled like changes that S3 reported.
    Keys {
        /// The bucket that contains them.
        bucket: Bucket,
        /// Their keys, literal and not encoded; at least one.
        keys: Vec<ObjectKey>,
    },
}

impl RequestKind {
    fn everything(target: RequestTarget) -> Self {
        Self::Paths { target, paths: vec![Item::everything()], left_out: 0 }
    }
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

/// Returns the field that has this name, in any case and with hyphens or underscores, such as `DISTRIBUTION_ID`.
pub(super) fn field_name(name: &str) -> Option<&'static str> {
    let name = letters(name);
    let field = FIELDS.into_iter().find(|field| letters(field) == name);
    field.or_else(|| OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, field)| *field))
}

/// Returns the field of which this name is a part, or that is a part of this name, such as `distribution`.
pub(super) fn near_field(name: &str) -> Option<&'static str> {
    let name = letters(name);
    let is_near = |known: &str| known.len().min(name.len()) > 3 && (known.contains(&name) || name.contains(known));
    let field = FIELDS.into_iter().find(|field| is_near(&letters(field)));
    field.or_else(|| OTHER_NAMES.iter().find(|(other, _)| is_near(other)).map(|(_, field)| *field))
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// Invalidates everything in the function's default distribution, without a wait.
impl Default for Request {
    fn default() -> Self {
        let kind = RequestKind::everything(RequestTarget::Default);
        Self { kind, wait: None, dry_run: false }
    }
}

impl Request {
    /// Parses a request from JSON.
    ///
    /// # Errors
    /// [`FieldError`] with the field and the remedy.
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
    /// # Ok::<(), s3_cloudfront_invalidator::change::FieldError>(())
    /// ```
    pub fn parse(json: &str) -> Result<Self, FieldError> {
        let fields = serde_json::from_str(json).map_err(|error| {
            FieldError::new("", &format!("not a JSON object such as {EXAMPLE}: {}", excerpt_of_message(&error)))
        })?;
        Self::from_fields(&fields)
    }

    /// Parses the `UserParameters` of a pipeline action: a request, or only the ID of the distribution in which
    /// everything is to be invalidated.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_parameters(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let kind = match DistributionId::from_word(unquoted) {
            _ if text.is_empty() => return Ok(Self::default()),
            Ok(id) => RequestKind::everything(RequestTarget::Distribution(id)),
            Err(_) if text.starts_with("\"{") => {
                let reason = format!("an object in quotes; leave out the quotes around it, as in {EXAMPLE}");
                return Err(FieldError::new("", &reason));
            }
            Err(_) if !text.starts_with('{') => {
                let reason =
                    format!("\"{}\" is neither a distribution ID nor an object such as {EXAMPLE}", excerpt(text));
                return Err(FieldError::new("", &reason));
            }
            Err(_) => return Self::parse(text),
        };
        Ok(Self { kind, wait: None, dry_run: false })
    }

    pub(super) fn from_fields(fields: &EventFields<'_>) -> Result<Self, FieldError> {
        let mut values = BTreeMap::new();
        for (name, value) in &fields.kept {
            let Some(field) = field_name(name) else {
                let near = near_field(name).map(|field| format!(" (\"{field}\"?)")).unwrap_or_default();
                let reason = format!("is unknown{near}; the fields are {}; for example {EXAMPLE}", FIELDS.join(", "));
                return Err(FieldError::new(excerpt(name), &reason));
            };
            if values.insert(field, *value).is_some() {
                let same = if *name == field { String::new() } else { format!(", as \"{}\"", excerpt(name)) };
                return Err(FieldError::new(field, &format!("is given twice{same}")));
            }
        }
        // `null` counts as absent.
        values.retain(|_, value| value.get() != "null");
        let values = RequestFields(values);
        let dry_run = values.read("dryRun", TRUE_OR_FALSE, |_| true)?.unwrap_or(false);
        Ok(Self { kind: kind(&values)?, wait: wait(&values)?, dry_run })
    }
}

/// The raw JSON values of the fields that are present, by name.
struct RequestFields<'a>(BTreeMap<&'a str, &'a RawValue>);

impl<'a> RequestFields<'a> {
    /// Reads a field, which must be `what`.
    fn read<T: Deserialize<'a>>(
        &self,
        field: &str,
        what: &str,
        is_valid: impl FnOnce(&T) -> bool,
    ) -> Result<Option<T>, FieldError> {
        let Some(json) = self.0.get(field).map(|value| value.get()) else { return Ok(None) };
        if let Some(value) = serde_json::from_str(json).ok().filter(is_valid) {
            return Ok(Some(value));
        }
        // Objects and lists are not quoted, because they could contain anything.
        let quoted = match json.get(..1) {
            Some("{") => "an object".to_owned(),
            Some("[") => "this list".to_owned(),
            Some("\"") => format!("\"{}\"", excerpt(&serde_json::from_str::<String>(json).unwrap_or_default())),
            _ => excerpt(json),
        };
        Err(FieldError::new(field, &format!("{quoted} is not {what}")))
    }

    /// Reads a list of strings. A single string is a list of one, but for one that could stand for several: with a blank
    /// or comma, or with a list in it.
    fn texts(&self, field: &str) -> Result<Option<Vec<JsonText<'a>>>, FieldError> {
        const PATHS: &str = "a list of strings, such as [\"/*\"]";
        const KEYS: &str = "a list of strings, such as [\"index.html\"]";
        let what = if field == "keys" { KEYS } else { PATHS };
        if self.0.get(field).is_some_and(|json| json.get().starts_with('"')) {
            let is_one =
                |JsonText(text): &JsonText<'_>| !text.contains([' ', ',', '\t', '\n']) && !text.starts_with("[\"");
            return Ok(self.read(field, what, is_one)?.map(|text| vec![text]));
        }
        self.read(field, what, |_| true)
    }

    fn name<T>(&self, field: &str, new: fn(&str) -> Result<T, NameError>) -> Result<Option<T>, FieldError> {
        let text: Option<JsonText<'_>> = self.read(field, "a string", |_| true)?;
        text.map(|JsonText(text)| new(&text)).transpose().map_err(|error| FieldError::new(field, &error))
    }
}

fn kind(values: &RequestFields<'_>) -> Result<RequestKind, FieldError> {
    let distribution = values.name("distributionId", DistributionId::from_word)?;
    let bucket = values.name("bucket", BucketName::new)?.map(|name| Bucket { name, region: None });
    let paths = values.texts("paths")?;
    let key: Option<JsonText<'_>> = values.read("key", "a string", |_| true)?;
    if key.is_some() && values.0.contains_key("keys") {
        return Err(FieldError::new("key", "is given beside \"keys\"; add it to that list"));
    }
    let Some(keys) = values.texts("keys")?.or_else(|| key.map(|key| vec![key])) else {
        let target = match (distribution, bucket) {
            (Some(id), _) => RequestTarget::Distribution(id),
            (None, Some(bucket)) => RequestTarget::Bucket(bucket),
            (None, None) => RequestTarget::Default,
        };
        let Some(paths) = paths else { return Ok(RequestKind::everything(target)) };
        let items = named_items(paths.iter().map(|JsonText(item)| &**item));
        let (paths, left_out) = items.map_err(|error| FieldError::new("paths", &error))?;
        return Ok(RequestKind::Paths { target, paths, left_out });
    };
    let invalid = |reason: &str| FieldError::new("keys", reason);
    if paths.is_some() || distribution.is_some() {
        return Err(invalid(
            "are invalidated in the distributions that the bucket's tags name; remove \"paths\" and \"distributionId\"",
        ));
    }
    let bucket = bucket.ok_or_else(|| invalid("require the \"bucket\" that contains them"))?;
    if keys.is_empty() {
        return Err(invalid("the list is empty; name at least one object key"));
    }
    let keys = keys.iter().map(|JsonText(key)| ObjectKey::new(key)).collect::<Result<Vec<_>, _>>();
    Ok(RequestKind::Keys { bucket, keys: keys.map_err(|error| FieldError::new("keys", &error))? })
}

fn wait(values: &RequestFields<'_>) -> Result<Option<u64>, FieldError> {
    let wait = values.read("wait", TRUE_OR_FALSE, |_| true)?;
    let what = format!("a number of seconds from 1 to {MAX_WAIT}");
    let seconds = values.read("waitSeconds", &what, |seconds| (1..=MAX_WAIT).contains(seconds))?;
    Ok(wait.unwrap_or(false).then(|| seconds.unwrap_or(DEFAULT_WAIT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(json: &str) -> (RequestTarget, Vec<String>) {
        match Request::parse(json).unwrap().kind {
            RequestKind::Paths { target, paths, .. } => (target, paths.iter().map(ToString::to_string).collect()),
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
        let Ok(Request { kind: RequestKind::Keys { bucket, keys }, wait: Some(60), dry_run: true }) =
            Request::parse(r#"{"bucket":"site","keys":["a+b %41"],"wait":true,"waitSeconds":60,"dry_run":true}"#)
        else {
            panic!("keys");
        };
        assert_eq!((bucket.name.as_str(), keys[0].as_str()), ("site", "a+b %41"));
    }

    #[test]
    fn the_names_of_published_functions_are_read() {
        let expected = Request::parse(r#"{"distributionId":"E1","paths":["/*"]}"#).unwrap();
        for json in [
            r#"{"DistributionId":"E1","objectPaths":["/*"]}"#,
            r#"{"distribution_id":"E1","items":"/*"}"#,
            r#"{"DISTRIBUTION_ID":"E1","PATHS":["/*"]}"#,
            r#"{"distributionID":"E1"}"#,
        ] {
            assert_eq!(Request::parse(json).as_ref(), Ok(&expected), "{json}");
        }
        for text in ["E1", " E1\n", "\"E1\""] {
            assert_eq!(Request::parse_parameters(text).as_ref(), Ok(&expected), "{text}");
        }
        assert_eq!(Request::parse_parameters(" "), Ok(Request::default()));
        for text in ["e1", "E1 E2", "/*", "[\"/*\"]", "5"] {
            let error = Request::parse_parameters(text).unwrap_err().to_string();
            assert!(
                error.contains("\" is neither a distribution ID nor an object such as {\"distributionId\":"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_error_names_the_field_and_the_remedy() {
        for (json, expected) in [
            ("", "not a JSON object such as {\"distributionId\":"),
            (
                "[]",
                "not a JSON object such as {\"distributionId\":\"E2EXAMPLE1ABCD\",\"paths\":[\"/*\"]}: invalid type",
            ),
            ("null", "not a JSON object such as"),
            (
                r#"{"x":["/a"]}"#,
                "x: is unknown; the fields are distributionId, bucket, paths, keys, key, wait, waitSeconds, dryRun; for example {",
            ),
            (r#"{"item":["/a"]}"#, "item: is unknown (\"paths\"?); the fields are"),
            (r#"{"wait":true,"wait":false}"#, "wait: is given twice"),
            (r#"{"distributionId":"e1"}"#, "distributionId: \"e1\" is not a distribution ID"),
            (r#"{"distributionId":5}"#, "distributionId: 5 is not a string"),
            (r#"{"bucket":"a/b"}"#, "bucket: \"a/b\" is not a bucket name"),
            (r#"{"paths":"/a /b"}"#, "paths: \"/a /b\" is not a list of strings, such as [\"/*\"]"),
            (r#"{"paths":"/a,/b"}"#, "paths: \"/a,/b\" is not a list"),
            (r#"{"paths":5}"#, "paths: 5 is not a list of strings"),
            (r#"{"bucket":"site","key":"a","keys":["b"]}"#, "key: is given beside \"keys\""),
            (r#"{"objectPaths":["/a"],"paths":["/a"]}"#, "paths: is given twice"),
            (r#"{"paths":[]}"#, "paths: the list is empty"),
            (r#"{"items":[]}"#, "paths: the list is empty"),
            (r#"{"items":["/a"],"paths":["/a"]}"#, "paths: is given twice"),
            (r#"{"paths":["/~a"]}"#, "paths: \"/~a\": CloudFront cannot invalidate"),
            (r#"{"keys":["a"]}"#, "keys: require the \"bucket\""),
            (r#"{"bucket":"site","keys":[]}"#, "keys: the list is empty; name at least"),
            (r#"{"bucket":"site","keys":[""]}"#, "keys: \"\" is not an object key"),
            (r#"{"bucket":"site","keys":["a"],"paths":["/a"]}"#, "keys: are invalidated in"),
            (r#"{"distributionId":"E1","bucket":"site","keys":["a"]}"#, "keys: are invalidated in"),
            (r#"{"wait":"yes"}"#, "wait: \"yes\" is not true or false"),
            (r#"{"dryRun":"true"}"#, "dryRun: \"true\" is not true or false"),
            (r#"{"waitSeconds":0}"#, "waitSeconds: 0 is not a number of seconds from 1 to 3600"),
            (r#"{"waitSeconds":3601}"#, "waitSeconds: 3601 is not"),
        ] {
            let message = Request::parse(json).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
