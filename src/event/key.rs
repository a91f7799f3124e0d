//! The key of a notification, form-decoded once and strictly.
//!
//! S3 encodes the key as a form would: a space is `+`, everything else unusual is percent-encoded UTF-8. Source: S3 user
//! guide, "Event message structure". A key in an EventBridge event is literal and must not come here.

use std::fmt;

use crate::change::{NameError, ObjectKey};

/// Why an encoded key names no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// A `%` that is not followed by two hex digits, at this byte.
    Escape(usize),
    /// The decoded bytes are not UTF-8 from this byte on.
    NotUtf8(usize),
    /// Decoded, it breaks the rule for keys.
    Length(NameError),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape(at) => write!(f, "\"%\" without two hex digits at byte {at}"),
            Self::NotUtf8(at) => write!(f, "not UTF-8 once decoded, from byte {at}"),
            Self::Length(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyError {}

/// Decodes the key of a notification: every `+` a space, every `%XX` a byte, once.
///
/// # Errors
/// [`KeyError`]: an incomplete escape, bytes that are not UTF-8, an empty or overlong key. Nothing is guessed: a key
/// that was decoded wrongly would refresh the wrong URL and leave the right one stale.
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
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (byte, tail) = hex_pair(tail).ok_or(KeyError::Escape(encoded.len() - tail.len() - 1))?;
                decoded.push(byte);
                rest = tail;
            }
            other => decoded.push(other),
        }
    }
    let key = String::from_utf8(decoded).map_err(|error| KeyError::NotUtf8(error.utf8_error().valid_up_to()))?;
    ObjectKey::new(key).map_err(KeyError::Length)
}

/// The byte that the first two hex digits of `text` stand for, and what follows them.
fn hex_pair(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], rest) = text.split_first_chunk()?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some((digit(high)? << 4 | digit(low)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_the_byte() {
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
    fn what_emulators_leave_raw_is_kept() {
        assert_eq!(decode_key("café/naïve.html").unwrap().as_str(), "café/naïve.html");
    }
}
