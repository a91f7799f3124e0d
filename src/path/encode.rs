//! Spelling a key the way viewers' requests, and so CloudFront's cache, spell it.
//!
//! The developer guide asks to encode "non-ASCII or unsafe characters as defined in RFC 1738" and not one more: an item
//! that is over-encoded is accepted and matches nothing.

use std::fmt::Write;

use super::InvalidationPath;

/// How a path spells the space. URL encoders write `%20`, form encoders `+`; none mixes them in one URL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Percent,
    Plus,
}

/// Whether a character of a key is percent-encoded in a path. `+` and `~` are matters of their own.
///
/// The set is RFC 1738's unsafe characters (section 2.2) without `~`, controls, everything that is not ASCII, and `?`,
/// which would start a query string. The rest stays raw: `$ - _ . ! * ' ( ) , / : @ = & ;`, letters and digits.
pub(super) fn must_encode(character: char) -> bool {
    match character {
        ' ' | '"' | '#' | '%' | '<' | '>' | '?' | '[' | '\\' | ']' | '^' | '`' | '{' | '|' | '}' => true,
        other => !other.is_ascii() || other.is_ascii_control(),
    }
}

/// The URL of a key, relative to its origin path, as a viewer's request spells it.
///
/// - A literal `+` becomes `%2B`: S3 reads a raw `+` in a URL as a space, so such an object is requested as `%2B`.
/// - `*` and `~` stay as they are.
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

/// The path that invalidates a URL.
///
/// - `*` stays raw, since `%2A` matches nothing; a URL that ends in `*` becomes a wildcard, a superset of itself.
/// - `~` cannot be invalidated in any spelling (aws/aws-sdk#525): the path ends before it, with `*`.
pub(super) fn path_of(url: String) -> InvalidationPath {
    match url.find('~') {
        Some(tilde) => InvalidationPath::wildcard(url.get(..tilde).unwrap_or("/")),
        None => InvalidationPath(url.into()),
    }
}
