//! S3's `ListObjectsV2`: the keys of a bucket, one page at a time.
//!
//! Sources: S3 API reference, `ListObjectsV2`; S3 user guide, "Listing object keys programmatically" and "Organizing
//! objects using prefixes". Neither says what happens to a `start-after` inside a common prefix. Here, as in other
//! S3-compatible stores, the prefix is listed if a later key has it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Bound;

use quick_xml::escape::escape;

use super::events::encode_key;
use super::request::Service::S3;
use super::request::{ApiRequest, ApiResponse};
use super::s3::{NAMESPACE, bucket};
use super::state::State;

/// The most entries on a page, common prefixes included.
const MAX_KEYS: usize = 1000;

/// The `ETag` of an empty object, as all objects are.
const EMPTY_OBJECT_ETAG: &str = "\"d41d8cd98f00b204e9800998ecf8427e\"";

/// The parameters of a request for one page.
struct ListRequest {
    prefix: String,
    delimiter: String,
    start_after: String,
    token: Option<String>,
    max_keys: usize,
    encoded: bool,
}

/// One entry of a listing. Both variants borrow from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListEntry<'a> {
    Object(&'a str),
    /// The start of one or more keys, up to and including the delimiter.
    CommonPrefix(&'a str),
}

/// `ListObjectsV2`.
pub(super) fn list_objects_v2(state: &State, request: &ApiRequest) -> ApiResponse {
    let list = || {
        let bucket = bucket(state, request)?;
        let list_request = ListRequest::read(&request.argument)?;
        let (entries, more) = list_request.page(&bucket.objects)?;
        list_request.write(&request.target, &entries, more)
    };
    match list() {
        Ok(body) => ApiResponse { status: 200, code: None, headers: Vec::new(), body },
        Err(refusal) => refusal,
    }
}

impl ListRequest {
    fn read(query: &str) -> Result<Self, ApiResponse> {
        let value = |parameter: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == parameter)
                .map(|(_, value)| value.into_owned())
        };
        let max_keys = match value("max-keys").map(|text| text.parse::<i32>().map(usize::try_from)) {
            None => MAX_KEYS,
            Some(Ok(Ok(number))) => number.min(MAX_KEYS),
            Some(_) => return Err(invalid("Provided max-keys not an integer or within integer range")),
        };
        let encoded = match value("encoding-type").as_deref() {
            None => false,
            Some("url") => true,
            Some(_) => return Err(invalid("Invalid Encoding Method specified in Request")),
        };
        Ok(Self {
            prefix: value("prefix").unwrap_or_default(),
            delimiter: value("delimiter").unwrap_or_default(),
            start_after: value("start-after").unwrap_or_default(),
            token: value("continuation-token"),
            max_keys,
            encoded,
        })
    }

    /// Returns the entries of the page, and whether more follow. Each entry is found by a range lookup: the cost
    /// depends neither on the keys that a common prefix skips nor on those after the page.
    fn page<'a>(&'a self, objects: &'a BTreeSet<String>) -> Result<(Vec<ListEntry<'a>>, bool), ApiResponse> {
        let mut entries: Vec<ListEntry> = Vec::new();
        let start = match &self.token {
            Some(token) => after_token(token).ok_or_else(|| invalid("The continuation token provided is incorrect"))?,
            None => Some(Bound::Excluded(Cow::Borrowed(self.start_after.as_str()))),
        };
        let mut next = start.map(|start| match &start {
            Bound::Included(key) | Bound::Excluded(key) if **key >= *self.prefix => start,
            _ => Bound::Included(Cow::Borrowed(self.prefix.as_str())),
        });
        while let Some(from) = next.filter(|_| self.max_keys > 0) {
            let from = (from.as_ref().map(Cow::as_ref), Bound::Unbounded);
            let key = objects.range::<str, _>(from).next().filter(|key| key.starts_with(&self.prefix));
            let Some(key) = key else { break };
            if entries.len() == self.max_keys {
                return Ok((entries, true));
            }
            let entry = self.entry(key);
            entries.push(entry);
            next = entry.end();
        }
        Ok((entries, false))
    }

    /// Returns the entry under which a key is listed.
    fn entry<'a>(&self, key: &'a str) -> ListEntry<'a> {
        let rest = key.get(self.prefix.len()..).unwrap_or_default();
        let delimiter_at = Some(&self.delimiter).filter(|it| !it.is_empty()).and_then(|it| rest.find(it.as_str()));
        let common = delimiter_at.and_then(|at| key.get(..self.prefix.len() + at + self.delimiter.len()));
        common.map_or(ListEntry::Object(key), ListEntry::CommonPrefix)
    }

    fn write(&self, bucket: &str, entries: &[ListEntry], more: bool) -> Result<String, ApiResponse> {
        let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"{NAMESPACE}\">");
        let mut element = |name: &str, text: &str| xml.extend(["<", name, ">", text, "</", name, ">"]);
        element("Name", &escape(bucket));
        element("Prefix", &self.text(&self.prefix)?);
        if !self.start_after.is_empty() {
            element("StartAfter", &self.text(&self.start_after)?);
        }
        if let Some(token) = &self.token {
            element("ContinuationToken", &escape(token));
        }
        if let Some(last) = entries.last().filter(|_| more) {
            element("NextContinuationToken", &last.token());
        }
        element("KeyCount", &entries.len().to_string());
        element("MaxKeys", &self.max_keys.to_string());
        if !self.delimiter.is_empty() {
            element("Delimiter", &self.text(&self.delimiter)?);
        }
        if self.encoded {
            element("EncodingType", "url");
        }
        element("IsTruncated", if more { "true" } else { "false" });
        for entry in entries {
            match entry {
                ListEntry::Object(key) => {
                    let (key, etag) = (self.text(key)?, escape(EMPTY_OBJECT_ETAG));
                    let contents = format!(
                        "<Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>{etag}</ETag><Size>0</Size>\
                         <StorageClass>STANDARD</StorageClass>"
                    );
                    element("Contents", &contents);
                }
                ListEntry::CommonPrefix(prefix) => {
                    element("CommonPrefixes", &format!("<Prefix>{}</Prefix>", self.text(prefix)?));
                }
            }
        }
        xml.push_str("</ListBucketResult>");
        Ok(xml)
    }

    /// A key or prefix as the document contains it. Without `encoding-type=url`, S3 writes characters that XML parsers
    /// reject; here that is an error that names the key, so that the cause is found.
    fn text(&self, key: &str) -> Result<String, ApiResponse> {
        if self.encoded {
            return Ok(encode_key(key));
        }
        // XML 1.0, section 2.2, "Char".
        let is_xml_char = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        if key.chars().all(is_xml_char) {
            // An XML parser turns a literal carriage return into a line feed. Source: XML 1.0, section 2.11.
            Ok(escape(key).replace('\r', "&#13;"))
        } else {
            Err(invalid(&format!("XML 1.0 cannot carry the key {key:?}: it needs encoding-type=url")))
        }
    }
}

impl ListEntry<'_> {
    /// The position at which the listing continues after this entry; `None` if no key can follow.
    fn end(self) -> Option<Bound<Cow<'static, str>>> {
        match self {
            Self::Object(key) => Some(Bound::Excluded(Cow::Owned(key.to_owned()))),
            Self::CommonPrefix(prefix) => prefix_successor(prefix).map(|key| Bound::Included(Cow::Owned(key))),
        }
    }

    /// The continuation token after this entry. It is opaque to clients and, like S3's own, has characters that must be
    /// encoded in a query string.
    fn token(self) -> String {
        let (kind, text) = match self {
            Self::Object(key) => ('1', key),
            Self::CommonPrefix(prefix) => ('2', prefix),
        };
        text.bytes().fold(format!("{kind}/+"), |mut token, byte| {
            // Writing to a `String` cannot fail.
            let _ = write!(token, "{byte:02x}");
            token
        }) + "=="
    }
}

/// The position at which the listing continues after the entry of a token; `None` if the token is malformed.
#[expect(clippy::option_option, reason = "the inner one is the end of all keys")]
fn after_token(token: &str) -> Option<Option<Bound<Cow<'_, str>>>> {
    let (kind, digits) = token.strip_suffix("==")?.split_once("/+")?;
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let text = String::from_utf8(digits.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?).ok()?;
    match kind {
        "1" => Some(ListEntry::Object(&text).end()),
        "2" => Some(ListEntry::CommonPrefix(&text).end()),
        _ => None,
    }
}

/// The least string greater than every string that starts with `prefix`; `None` if there is none.
fn prefix_successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

fn invalid(message: &str) -> ApiResponse {
    S3.error(400, "InvalidArgument", message)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_prefix_successor_is_minimal() {
        for (prefix, after) in [
            ("a", Some("b")),
            ("a/", Some("a0")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(prefix_successor(prefix).as_deref(), after, "{prefix:?}");
        }
    }

    #[test]
    fn a_pages_cost_depends_on_its_size_only() {
        let objects = (0..100_000).map(|n| format!("{}/{n:05}", n / 50_000)).collect();
        let began = Instant::now();
        for (query, entries) in [
            ("start-after=1/9999&max-keys=1", [ListEntry::Object("1/99990")].as_slice()),
            ("prefix=1/&max-keys=1", &[ListEntry::Object("1/50000")]),
            ("delimiter=/", &[ListEntry::CommonPrefix("0/"), ListEntry::CommonPrefix("1/")]),
        ] {
            let request = ListRequest::read(query).ok().unwrap();
            for _ in 0..1000 {
                assert_eq!(request.page(&objects).ok().unwrap().0, entries);
            }
        }
        // This takes about a fiftieth of the limit. Scanning every key for each page would take ten times the limit.
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }

    #[test]
    fn a_token_continues_after_its_entry() {
        let key = "é+\u{1}/";
        assert_eq!(after_token(&ListEntry::Object(key).token()), Some(ListEntry::Object(key).end()));
        assert_eq!(after_token(&ListEntry::CommonPrefix(key).token()), Some(ListEntry::CommonPrefix(key).end()));
        for token in ["", "a", "1/+==", "1/ 61==", "3/+61==", "1/+6x==", "1/+ff==", "1/+61"] {
            assert_eq!(after_token(token).is_some(), token == "1/+==", "{token}");
        }
    }
}
