//! Texts for people and logs: one line each, whatever they quote.

use proptest::{prop_assert, prop_assert_eq};
use s3_cloudfront_invalidator::change::text::{excerpt, one_line, shortened};
use s3_cloudfront_invalidator::change::{BucketName, DistributionId, ObjectKey, Region};
use s3_cloudfront_invalidator::config::Config;
use s3_cloudfront_invalidator::event::{Request, decode, decode_key};
use s3_cloudfront_invalidator::path::{InvalidationPath, Item, OriginPath, named_items};
use serde_json::json;

use crate::driver::Checked;
use crate::rules::check_one_line;

/// The longest escape of a character, `\u{10ffff}`, in bytes.
const LONGEST_ESCAPE: usize = 10;

/// The longest message that quotes one value, in bytes.
const LONGEST: usize = 2000;

pub(crate) fn lines(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    check_one_line(&one_line(&text), LONGEST_ESCAPE * text.len())?;
    let quoted = excerpt(&text);
    check_one_line(&quoted, 80 * LONGEST_ESCAPE + '…'.len_utf8())?;
    prop_assert_eq!(quoted.ends_with('…') && !text.ends_with('…'), text.chars().count() > 80 && !text.ends_with('…'));
    // No unescaped quote in an excerpt ends the quotes around it.
    prop_assert!(quoted.match_indices('"').all(|(at, _)| quoted[..at].ends_with('\\')), "{quoted}");
    let length = input.len() % 100 + 1;
    let cut = shortened(&text, length);
    prop_assert!(cut.chars().count() <= length);
    prop_assert_eq!(cut == text, text.chars().count() <= length);

    let request = json!({"distributionId": text, "bucket": text, "items": [text], "wait": text}).to_string();
    let errors = [
        decode(input).err().map(|error| error.to_string()),
        decode(json!({"distributionId": text}).to_string().as_bytes()).err().map(|error| error.to_string()),
        decode(json!({ text.as_ref(): 1, "items": [] }).to_string().as_bytes()).err().map(|error| error.to_string()),
        Request::parse(&text).err().map(|error| error.to_string()),
        Request::parse(&request).err().map(|error| error.to_string()),
        Request::parse(&json!({ "keys": text }).to_string()).err().map(|error| error.to_string()),
        decode_key(&text).err().map(|error| error.to_string()),
        BucketName::new(&text).err().map(|error| error.to_string()),
        Region::new(&text).err().map(|error| error.to_string()),
        ObjectKey::new(text.as_ref()).err().map(|error| error.to_string()),
        DistributionId::new(&text).err().map(|error| error.to_string()),
        DistributionId::parse_tag(&text).err().map(|error| error.to_string()),
        OriginPath::parse(&text).err().map(|error| error.to_string()),
        InvalidationPath::parse(&text).err().map(|error| error.to_string()),
        Item::named(&text).err().map(|error| error.to_string()),
        named_items(text.split(',')).err().map(|error| error.to_string()),
    ];
    for error in errors.iter().flatten() {
        check_one_line(error, LONGEST)?;
    }
    // All variables have the same value; their errors make one message.
    if let Err(error) = Config::from_lookup(|_| Some(text.clone().into_owned())) {
        check_one_line(&error.to_string(), 20 * LONGEST)?;
    }
    Ok(format!("{:?} {}", errors.each_ref().map(Option::is_some), quoted.len() / 100))
}
