//! Decoding of the object key in an S3 event notification.
//!
//! S3 encodes the key like form data: a space becomes `+`, and other unusual characters become percent-encoded UTF-8.
//! Source: S3 user guide, "Event message structure". The key in an EventBridge event is literal and must not be
//! decoded.

use percent_encoding::percent_decode_str;

use crate::change::{NameError, ObjectKey};

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

#[cfg(test)]
mod tests {
    use super::*;

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
