//! Invalidation paths: from an object's key to the paths that invalidate it in one distribution.
//!
//! [`InvalidationPath`] enforces the rules that CloudFront documents for a path. A path that breaks them either makes
//! CloudFront reject the whole request, or is accepted and matches nothing, which is worse. `encode` percent-encodes a
//! key as viewers' requests do, `viewer_url` lists the URLs that an object is cached under, and `routing` derives from
//! tags and config which of them a distribution serves.
//!
//! Sources: CloudFront developer guide, "What you need to know when invalidating files"; RFC 1738 for the characters.

mod bucket_tags;
mod distribution_config;
mod encode;
mod item;
mod origin_path;
mod routing;
mod viewer_url;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

pub use self::bucket_tags::{
    BucketDefaults, BucketOptions, DIRECTORY_URLS_TAG, IGNORE_TAG, INDEX_DOCUMENTS_TAG, IndexDocuments, MAX_PATHS_TAG,
    ORIGIN_PATH_TAG, QUERY_STRINGS_TAG, TagError, Tags,
};
#[cfg(feature = "cli")]
pub(crate) use self::distribution_config::matches_glob;
pub use self::distribution_config::{
    Behavior, DistributionConfig, DistributionConfigError, Endpoint, Origin, OriginGroup, PathPattern, PolicyId,
    QueryStrings, endpoint_of, is_path_style_endpoint,
};
pub use self::item::{CacheTag, Item, ItemError, named_items};
pub use self::origin_path::{OriginPath, OriginPathError, RelativeKey};
pub use self::routing::{Mapping, NotServed, RoutedUrl, Routing};
pub use self::viewer_url::{DirectoryUrls, ViewerUrl, urls, viewer_paths, viewer_urls};

/// The longest path that CloudFront accepts, in characters.
///
/// Source: CloudFront developer guide, "What you need to know when invalidating files".
pub const MAX_PATH_LENGTH: usize = 4000;

/// The most items of an invalidation: CloudFront's quota of paths in progress per distribution.
///
/// Source: CloudFront developer guide, "Quotas".
pub const MAX_ITEMS: NonZeroUsize = NonZeroUsize::new(3000).unwrap();

/// The most wildcards of an invalidation: CloudFront's quota of wildcard paths in progress per distribution.
///
/// Source: CloudFront developer guide, "Quotas".
pub const MAX_WILDCARDS: NonZeroUsize = NonZeroUsize::new(15).unwrap();

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not start with `/`.
    NoLeadingSlash,
    /// It has more than [`MAX_PATH_LENGTH`] characters.
    TooLong,
    /// It contains a character that must be percent-encoded, or `~`.
    Unsafe(char),
    /// It contains a `%` without two hex digits.
    BadEscape,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeadingSlash => f.write_str("a path must start with \"/\""),
            Self::TooLong => write!(f, "a path can have at most {MAX_PATH_LENGTH} characters"),
            Self::Unsafe('~') => {
                f.write_str("CloudFront cannot invalidate a path with \"~\"; end it before the \"~\" with \"*\"")
            }
            Self::Unsafe(character) => write!(f, "{character:?} must be percent-encoded"),
            Self::BadEscape => f.write_str("\"%\" is not followed by two hex digits"),
        }
    }
}

impl std::error::Error for PathError {}

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

    /// Returns the wildcard for everything that starts with `prefix`, a prefix of a valid path that does not cut a
    /// `%XX`.
    pub(crate) fn wildcard(prefix: &str) -> Self {
        debug_assert!(Self::parse(prefix).is_ok(), "{prefix}");
        Self(format!("{prefix}*").into())
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
        let text = self.wildcard_prefix().unwrap_or(&self.0);
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

    /// Whether invalidating this path also invalidates every URL that `other` matches.
    ///
    /// A plain prefix test: `/a/*` covers `/a/` but not `/a`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // The final `*` of a wildcard is not literal: `/a**` covers what starts with `/a*`, and `/a*` covers more.
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

/// Sorts the paths and removes duplicates and those that another path covers.
#[must_use]
pub fn without_covered(mut paths: Vec<InvalidationPath>) -> Vec<InvalidationPath> {
    // In this order a wildcard is directly followed by all that it covers, because its `*` is not compared.
    paths.sort_unstable_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    let mut kept: Vec<InvalidationPath> = Vec::with_capacity(paths.len());
    let mut last_wildcard: Option<usize> = None;
    for path in paths {
        if last_wildcard.and_then(|at| kept.get(at)).is_some_and(|wildcard| wildcard.covers(&path))
            || kept.last() == Some(&path)
        {
            continue;
        }
        if path.wildcard_prefix().is_some() {
            last_wildcard = Some(kept.len());
        }
        kept.push(path);
    }
    kept.sort_unstable();
    kept
}

/// The sort key: a wildcard's prefix or the path of one URL. A wildcard sorts before an equal path.
fn sort_key(path: &InvalidationPath) -> (&str, bool) {
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
