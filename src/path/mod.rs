//! Invalidation paths: what CloudFront is told, and which URLs that covers.
//!
//! [`InvalidationPath`] carries the rules CloudFront documents for a path. A path that breaks them is rejected together
//! with its whole request, or is accepted and matches nothing; the second is worse. `encode` spells a key as viewers'
//! requests spell it, `forms` knows which URLs one object is cached under.
//!
//! Sources: CloudFront developer guide, "What you need to know when invalidating files"; RFC 1738 for the characters.

mod distribution_config;
mod encode;
mod item;
mod mapping;
mod options;
mod origin_path;
mod routing;
mod viewer_url;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

#[cfg(feature = "cli")]
pub(crate) use self::distribution_config::matches_glob;
pub use self::distribution_config::{
    Behavior, DistributionConfig, DistributionConfigError, Endpoint, Origin, OriginGroup, PathPattern, PolicyId,
    QueryStrings, endpoint_of, serves_by_path,
};
pub use self::item::{CacheTag, Item, ItemError, named_items};
pub use self::mapping::Mapping;
pub use self::options::{
    BucketDefaults, BucketOptions, DIRECTORY_URLS_TAG, IGNORE_TAG, INDEX_DOCUMENTS_TAG, IndexDocuments, MAX_PATHS_TAG,
    ORIGIN_PATH_TAG, QUERY_STRINGS_TAG, TagError, Tags,
};
pub use self::origin_path::{OriginPath, OriginPathError, ViewerKey};
pub use self::routing::{NotServed, RoutedUrl, Routing};
pub use self::viewer_url::{DirectoryUrls, ViewerUrl, urls, viewer_paths, viewer_urls};

/// The longest path CloudFront accepts, in characters. Source: as above.
pub const MAX_PATH_LENGTH: usize = 4000;

/// The most items an invalidation may have: CloudFront's quota of paths in progress for a distribution.
/// Source: CloudFront developer guide, "Quotas".
pub const MAX_ITEMS: NonZeroUsize = NonZeroUsize::new(3000).unwrap();

/// The most wildcards an invalidation may have: CloudFront's quota of wildcards in progress for a distribution.
/// Source: as above.
pub const MAX_WILDCARDS: NonZeroUsize = NonZeroUsize::new(15).unwrap();

/// One item of an invalidation: the path of one URL, or a prefix followed by `*`.
///
/// - starts with `/` and has at most 4,000 characters, all of them ASCII
/// - holds none of the characters RFC 1738 calls unsafe, no control, no space, no `~` (CloudFront cannot invalidate one)
/// - every `%` is followed by two hex digits
/// - ends with `*` if and only if it is a wildcard: CloudFront takes a last `*` for zero or more characters, `/`
///   included, and one anywhere else literally
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
/// A clone shares the text: the same path is sent to several distributions, and told in the answer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvalidationPath(Arc<str>);

/// Why a text is no invalidation path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not start with `/`.
    NoLeadingSlash,
    /// It has more than [`MAX_PATH_LENGTH`] characters.
    TooLong,
    /// It holds a character that must be encoded, or `~`.
    Unsafe(char),
    /// A `%` without two hex digits.
    BadEscape,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeadingSlash => f.write_str("a path starts with \"/\""),
            Self::TooLong => write!(f, "a path has at most {MAX_PATH_LENGTH} characters"),
            Self::Unsafe('~') => {
                f.write_str("CloudFront cannot invalidate a path with \"~\"; end it before with \"*\"")
            }
            Self::Unsafe(character) => write!(f, "{character:?} must be percent-encoded"),
            Self::BadEscape => f.write_str("\"%\" without two hex digits"),
        }
    }
}

impl std::error::Error for PathError {}

impl InvalidationPath {
    /// Takes a path as it is, if it keeps the rules. Nothing is encoded or repaired.
    ///
    /// # Errors
    /// [`PathError`] with the first rule it breaks.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        if !path.starts_with('/') {
            return Err(PathError::NoLeadingSlash);
        }
        let mut rest = path.chars();
        while let Some(character) = rest.next() {
            if character == '%' {
                let digits = rest.as_str().as_bytes().first_chunk::<2>();
                if !digits.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(PathError::BadEscape);
                }
            } else if character == '~' || (character != '?' && encode::must_encode(character)) {
                return Err(PathError::Unsafe(character));
            }
        }
        if path.len() > MAX_PATH_LENGTH {
            return Err(PathError::TooLong);
        }
        Ok(Self(path.into()))
    }

    /// The wildcard for everything below `prefix`, which is a prefix of a valid path that does not cut a `%XX`.
    pub(crate) fn wildcard(prefix: &str) -> Self {
        debug_assert!(Self::parse(prefix).is_ok(), "{prefix}");
        Self(format!("{prefix}*").into())
    }

    /// `/*`, which covers everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::wildcard("/")
    }

    /// The path itself if it holds nothing but letters, digits and `/._-`, or else the wildcard of the part before anything
    /// unusual: what is left when CloudFront takes offence at a path and does not say at which.
    #[must_use]
    pub fn widened(&self) -> Self {
        let text = self.wildcard_prefix().unwrap_or(&self.0);
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        match text.bytes().position(|byte| !usual(byte)) {
            Some(end) => Self::wildcard(text.get(..end).unwrap_or("/")),
            None => self.clone(),
        }
    }

    /// The path as CloudFront gets it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a wildcard's matches start with; `None` for the path of one URL.
    #[must_use]
    pub fn wildcard_prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Whether an invalidation of this item also invalidates every URL that `other` stands for: a plain test of
    /// prefixes, so `/a/*` covers `/a/` but not `/a`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // A wildcard's own `*` is no text: `/a**` covers what starts with `/a*`, and `/a*` is wider.
        let text = other.wildcard_prefix().unwrap_or(&other.0);
        self == other || self.wildcard_prefix().is_some_and(|prefix| text.starts_with(prefix))
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

/// Sorts, and leaves out what occurs twice or is covered by another.
#[must_use]
pub fn without_covered(mut paths: Vec<InvalidationPath>) -> Vec<InvalidationPath> {
    // What a wildcard covers follows it directly in this order, as `*` itself does not count in the comparison.
    paths.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    let mut kept: Vec<InvalidationPath> = Vec::with_capacity(paths.len());
    let mut widest: Option<usize> = None;
    for path in paths {
        if widest.and_then(|at| kept.get(at)).is_some_and(|wildcard| wildcard.covers(&path))
            || kept.last() == Some(&path)
        {
            continue;
        }
        if path.wildcard_prefix().is_some() {
            widest = Some(kept.len());
        }
        kept.push(path);
    }
    kept.sort_unstable();
    kept
}

/// The prefix of a wildcard or the path of one URL, the wildcard first where they are the same.
fn order(path: &InvalidationPath) -> (&str, bool) {
    match path.wildcard_prefix() {
        Some(prefix) => (prefix, false),
        None => (path.as_str(), true),
    }
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
            ("/a~", PathError::Unsafe('~')),
            ("/\u{e9}", PathError::Unsafe('\u{e9}')),
            ("/\u{7f}", PathError::Unsafe('\u{7f}')),
            ("/a%2", PathError::BadEscape),
            ("/a%é", PathError::BadEscape),
        ] {
            assert_eq!(InvalidationPath::parse(path), Err(error), "{path}");
        }
    }

    #[test]
    fn widening_ends_before_anything_unusual() {
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
