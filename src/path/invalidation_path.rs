//! An invalidation path, and sets of them without those that another covers.

use std::fmt;
use std::sync::Arc;

use super::MAX_PATH_LENGTH;
use super::encode::{must_encode, starts_with_hex_digits};

/// A path of an invalidation: the path of one URL, or a wildcard, which is a prefix followed by `*`.
///
/// - It starts with `/` and has at most 4,000 characters, all of them ASCII.
/// - It contains no character that RFC 1738 calls unsafe except `%`, no control character, no space, and no `~`, which
///   CloudFront cannot invalidate.
/// - Every `%` is followed by two hex digits.
/// - It ends with `*` if and only if it is a wildcard: to CloudFront a final `*` matches zero or more characters, `/`
///   included, and any other `*` is literal.
///
/// ```
/// use s3_cloudfront_invalidator::path::InvalidationPath;
///
/// let wildcard = InvalidationPath::parse("/img/2024-*")?;
/// assert!(wildcard.covers(&InvalidationPath::parse("/img/2024-05/a.jpg")?));
/// assert!(!wildcard.covers(&InvalidationPath::parse("/img/2023-05/a.jpg")?));
/// for bad in ["img/a.jpg", "/a b", "/caf\u{e9}", "/a~b", "/100%", "/a#b"] {
///     assert!(InvalidationPath::parse(bad).is_err(), "{bad}");
/// }
/// # Ok::<(), s3_cloudfront_invalidator::path::PathError>(())
/// ```
///
/// Cloning is cheap and shares the text, since the same path goes to several distributions and into the report.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvalidationPath(Arc<str>);

/// Why a text is not an invalidation path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not start with `/`.
    #[error("a path must start with \"/\"")]
    NoLeadingSlash,
    /// It has more than [`MAX_PATH_LENGTH`] characters.
    #[error("a path can have at most {MAX_PATH_LENGTH} characters")]
    TooLong,
    /// It contains a `~`.
    #[error("CloudFront cannot invalidate a path with \"~\"; end it before the \"~\" with \"*\"")]
    Tilde,
    /// It contains a character that must be percent-encoded.
    #[error("{0:?} must be percent-encoded")]
    Unsafe(char),
    /// It contains a `%` without two hex digits.
    #[error("\"%\" is not followed by two hex digits")]
    BadEscape,
}

impl InvalidationPath {
    /// Parses a path strictly: nothing is encoded or repaired.
    ///
    /// # Errors
    /// [`PathError`] for the first violation found.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        if !path.starts_with('/') {
            return Err(PathError::NoLeadingSlash);
        }
        let mut rest = path.chars();
        while let Some(character) = rest.next() {
            match character {
                '~' => return Err(PathError::Tilde),
                '%' if !starts_with_hex_digits(rest.as_str()) => return Err(PathError::BadEscape),
                '%' | '?' => {}
                other if must_encode(other) => return Err(PathError::Unsafe(other)),
                _ => {}
            }
        }
        if path.len() > MAX_PATH_LENGTH {
            return Err(PathError::TooLong);
        }
        Ok(Self(path.into()))
    }

    /// Returns the wildcard for everything that starts with `prefix`, a prefix of a valid path that does not cut a
    /// `%XX`.
    pub(crate) fn wildcard(prefix: &str) -> Self {
        debug_assert!(Self::parse(prefix).is_ok(), "{prefix}");
        Self(format!("{prefix}*").into())
    }

    /// Returns the path that invalidates a URL.
    ///
    /// - `*` stays raw, since `%2A` matches nothing. A URL that ends in `*` becomes a wildcard, which covers that URL.
    /// - `~` cannot be invalidated, raw or encoded (aws/aws-sdk#525): the path is cut before it and becomes a wildcard.
    pub(super) fn of_url(url: &str) -> Self {
        url.split_once('~').map_or_else(|| Self(url.into()), |(before, _)| Self::wildcard(before))
    }

    /// Returns `/*`, which covers everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::wildcard("/")
    }

    /// Returns the path itself if, apart from a wildcard's `*`, it contains only ASCII letters, digits and `/._-`;
    /// otherwise the wildcard that ends before the first other character.
    ///
    /// The fallback for when CloudFront rejects a request because of a path and does not say which.
    #[must_use]
    pub fn widened(&self) -> Self {
        let text = self.without_star();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        match text.bytes().position(|byte| !is_plain(byte)) {
            Some(end) => Self::wildcard(text.get(..end).unwrap_or("/")),
            None => self.clone(),
        }
    }

    /// Returns the path as it is sent to CloudFront.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the prefix of a wildcard; `None` for the path of one URL.
    #[must_use]
    pub fn wildcard_prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Whether the path is a wildcard.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.ends_with('*')
    }

    /// Returns the prefix of a wildcard, or the path of one URL.
    pub(crate) fn without_star(&self) -> &str {
        self.wildcard_prefix().unwrap_or(&self.0)
    }

    /// Whether invalidating this path also invalidates every URL that `other` matches.
    ///
    /// A plain prefix test: `/a/*` covers `/a/` but not `/a`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // The final `*` of a wildcard is not literal: `/a**` covers what starts with `/a*`, and `/a*` covers more.
        self == other || self.wildcard_prefix().is_some_and(|prefix| other.without_star().starts_with(prefix))
    }
}

impl fmt::Display for InvalidationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InvalidationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

impl serde::Serialize for InvalidationPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Sorts the paths and removes duplicates and those that another path covers.
#[must_use]
pub fn without_covered(mut paths: Vec<InvalidationPath>) -> Vec<InvalidationPath> {
    // In this order a wildcard is directly followed by all that it covers: its `*` is not compared, and it sorts before an
    // equal path.
    paths.sort_unstable_by(|a, b| {
        a.without_star().cmp(b.without_star()).then_with(|| b.is_wildcard().cmp(&a.is_wildcard()))
    });
    paths.dedup_by(|path, kept| kept.covers(path));
    paths.sort_unstable();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_4000_characters_fits_and_one_more_does_not() {
        assert!(InvalidationPath::parse(&format!("/{}", "a".repeat(3999))).is_ok());
        assert_eq!(InvalidationPath::parse(&format!("/{}", "a".repeat(4000))), Err(PathError::TooLong));
    }

    #[test]
    fn each_rule_has_its_error() {
        for (path, error) in [
            ("", PathError::NoLeadingSlash),
            ("a", PathError::NoLeadingSlash),
            ("/a b", PathError::Unsafe(' ')),
            ("/a~", PathError::Tilde),
            ("/\u{e9}", PathError::Unsafe('\u{e9}')),
            ("/\u{7f}", PathError::Unsafe('\u{7f}')),
            ("/a%2", PathError::BadEscape),
            ("/a%é", PathError::BadEscape),
        ] {
            assert_eq!(InvalidationPath::parse(path), Err(error), "{path}");
        }
    }

    #[test]
    fn widening_ends_before_the_first_other_character() {
        for (path, widened) in [
            ("/a/b-c_d.txt", "/a/b-c_d.txt"),
            ("/a/b*", "/a/b*"),
            ("/a%20b/c", "/a*"),
            ("/a/b+c*", "/a/b*"),
            ("/%C3%A9", "/*"),
            ("/a**", "/a*"),
        ] {
            let path = InvalidationPath::parse(path).unwrap();
            assert_eq!(path.widened().as_str(), widened);
            assert!(path.widened().covers(&path));
        }
    }

    #[test]
    fn a_query_is_part_of_a_path() {
        assert!(InvalidationPath::parse("/a.jpg?size=1&x=*").is_ok());
    }

    #[test]
    fn a_wildcard_covers_narrower_wildcards() {
        let path = |text| InvalidationPath::parse(text).unwrap();
        assert!(path("/a*").covers(&path("/a/b*")));
        assert!(!path("/a/b*").covers(&path("/a*")));
        assert!(path("/a*").covers(&path("/a**")) && !path("/a**").covers(&path("/a*")));
        assert!(InvalidationPath::everything().covers(&path("/")));
    }
}
