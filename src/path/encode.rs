//! Percent-encodes a key as viewers' requests, and so CloudFront's cache keys, have it.
//!
//! The developer guide requires encoding "non-ASCII or unsafe characters as defined in RFC 1738" and no others:
//! CloudFront accepts an over-encoded path, but the path matches nothing.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Whether a character of a key is percent-encoded in a path. `+` and `~` are handled separately.
///
/// The set is RFC 1738's unsafe characters (section 2.2) without `~`, all control and non-ASCII characters, and `?`,
/// which would start a query string. Letters, digits and `$ - _ . ! * ' ( ) , / : @ = & ;` stay raw.
pub(super) fn must_encode(character: char) -> bool {
    match character {
        ' ' | '"' | '#' | '%' | '<' | '>' | '?' | '[' | '\\' | ']' | '^' | '`' | '{' | '|' | '}' => true,
        other => !other.is_ascii() || other.is_ascii_control(),
    }
}

/// Appends a character, percent-encoded unless it is a letter or a digit.
pub(super) fn push_encoded(url: &mut String, character: char) {
    url.extend(utf8_percent_encode(character.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC));
}

/// Whether the text after a `%` makes it an escape.
pub(super) fn starts_with_hex_digits(rest: &str) -> bool {
    rest.as_bytes().first_chunk::<2>().is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
}

/// Returns the URL of a key, relative to its origin path, as a viewer requests it.
///
/// - A space becomes `%20`.
/// - A literal `+` becomes `%2B`: S3 reads a raw `+` in a URL as a space, so such an object is requested with `%2B`.
///   The `+` of an S3 event's key, an encoded space, has been decoded before this.
/// - `*` and `~` stay raw.
pub(super) fn url_of(key: &str) -> String {
    let mut url = String::with_capacity(key.len() + 8);
    url.push('/');
    for character in key.chars() {
        if character == '+' || must_encode(character) {
            push_encoded(&mut url, character);
        } else {
            url.push(character);
        }
    }
    url
}
