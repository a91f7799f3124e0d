//! Percent-encodes a key as viewers' requests, and so CloudFront's cache keys, have it.
//!
//! The developer guide requires encoding "non-ASCII or unsafe characters as defined in RFC 1738" and no others:
//! CloudFront accepts an over-encoded path, but the path matches nothing.

use std::fmt::Write;

use super::InvalidationPath;

/// How a space is encoded: URL encoders write `%20`, form encoders `+`. No encoder mixes the two in one URL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Percent,
    Plus,
}

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

/// Returns the URL of a key, relative to its origin path, as a viewer requests it.
///
/// - A literal `+` becomes `%2B`: S3 reads a raw `+` in a URL as a space, so such an object is requested with `%2B`.
///   The `+` of an S3 event's key, an encoded space, has been decoded before this.
/// - `*` and `~` stay raw.
pub(super) fn url_of(key: &str, space: Space) -> String {
    let mut url = String::with_capacity(key.len() + 8);
    url.push('/');
    for character in key.chars() {
        match character {
            '+' => url.push_str("%2B"),
            ' ' if space == Space::Plus => url.push('+'),
            other if must_encode(other) => {
                for byte in other.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a String cannot fail.
                    let _ = write!(url, "%{byte:02X}");
                }
            }
            other => url.push(other),
        }
    }
    url
}

/// Returns the path that invalidates a URL.
///
/// - `*` stays raw, since `%2A` matches nothing. A URL that ends in `*` becomes a wildcard, which covers that URL.
/// - `~` cannot be invalidated, raw or encoded (aws/aws-sdk#525): the path is cut before it and becomes a wildcard.
pub(super) fn path_of(url: String) -> InvalidationPath {
    match url.find('~') {
        Some(tilde) => InvalidationPath::wildcard(url.get(..tilde).unwrap_or("/")),
        None => InvalidationPath(url.into()),
    }
}
