//! Invalidation paths, sets of them without those that another covers, the encoding of a key in them, and the items of
//! an invalidation: paths, and the cache tags that a person can name.
//!
//! The developer guide requires percent-encoding "non-ASCII or unsafe characters as defined in RFC 1738" and no others:
//! CloudFront accepts an over-encoded path, but the path matches nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::MAX_PATH_LENGTH;
use crate::change::text::excerpt;

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
        if self.is_wildcard() { self.0.get(..self.0.len() - 1) } else { None }
    }

    /// Whether the path is a wildcard.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        // Asked at each comparison of two paths. `str::ends_with` takes several times as long, as it calls `memcmp`.
        self.0.as_bytes().last() == Some(&b'*')
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
    // In this order a wildcard is directly followed by all that it covers: its `*` is not compared, and it sorts before
    // an equal path.
    paths.sort_unstable_by(|a, b| {
        a.without_star().cmp(b.without_star()).then_with(|| b.is_wildcard().cmp(&a.is_wildcard()))
    });
    paths.dedup_by(|path, kept| kept.covers(path));
    paths.sort_unstable();
    paths
}

/// Whether a character of a key is percent-encoded in a path. `+` and `~` are handled separately.
///
/// The set is RFC 1738's unsafe characters (section 2.2) without `~`, all control and non-ASCII characters, and `?`,
/// which would start a query string. Letters, digits and `$ - _ . ! * ' ( ) , / : @ = & ;` stay raw.
fn must_encode(character: char) -> bool {
    match character {
        ' ' | '"' | '#' | '%' | '<' | '>' | '?' | '[' | '\\' | ']' | '^' | '`' | '{' | '|' | '}' => true,
        other => !other.is_ascii() || other.is_ascii_control(),
    }
}

/// Appends a character, percent-encoded unless it is a letter or a digit.
fn push_encoded(url: &mut String, character: char) {
    url.extend(utf8_percent_encode(character.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC));
}

/// Whether the text after a `%` makes it an escape.
fn starts_with_hex_digits(rest: &str) -> bool {
    rest.as_bytes().first_chunk::<2>().is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
}

/// Returns the URL whose decoded path consists of these parts, after a slash, as a viewer requests it.
///
/// - A space becomes `%20`.
/// - A literal `+` becomes `%2B`: S3 reads a raw `+` in a URL as a space, so such an object is requested with `%2B`.
///   The `+` of an S3 event's key, an encoded space, has been decoded before this.
/// - `*` and `~` stay raw.
pub(super) fn url_of<const N: usize>(parts: [&str; N]) -> String {
    let mut url = String::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 8);
    url.push('/');
    for character in parts.into_iter().flat_map(str::chars) {
        if character == '+' || must_encode(character) {
            push_encoded(&mut url, character);
        } else {
            url.push(character);
        }
    }
    url
}

/// The longest cache tag, in characters, without its `#`.
///
/// Source: CloudFront developer guide, "Invalidating content by cache tags".
const MAX_TAG_LENGTH: usize = 256;

/// An item of an invalidation. Both kinds are billed as one path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(untagged)]
pub enum Item {
    /// The path of one URL, or a wildcard.
    Path(InvalidationPath),
    /// A cache tag, which invalidates everything cached with it.
    Tag(CacheTag),
}

/// A cache tag with its `#`: 1 to 256 printable ASCII characters without spaces and commas, not ending in `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct CacheTag(Box<str>);

/// Why a list of items is rejected: the item, if a single one is at fault, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// The list is empty.
    #[error("the list is empty; omit the list to invalidate everything")]
    None,
    /// An item is empty.
    #[error("a path is empty; write \"/\" for the root or \"/*\" for everything")]
    Empty,
    /// A malformed cache tag.
    #[error(
        "\"{0}\" is not a cache tag (\"#\" and 1 to {MAX_TAG_LENGTH} printable ASCII characters without spaces and \
         commas, the last not \"*\")"
    )]
    BadTag(String),
    /// A form that CloudFront accepts but that matches nothing, with the remedy.
    #[error("\"{0}\": {1}")]
    Ineffective(String, &'static str),
    /// A `*` that is not at the end, where CloudFront takes it literally. With the wildcard that covers the path.
    #[error(
        "\"{0}\": CloudFront takes a \"*\" that is not at the end literally, so this matches no URL; write \"{1}\", or \
         name the key if it has a \"*\""
    )]
    InnerStar(String, String),
    /// A malformed path.
    #[error("\"{0}\": {1}")]
    BadPath(String, PathError),
}

impl Item {
    /// Parses an item as a person writes it.
    ///
    /// A missing leading slash is added, and what is not encoded yet is percent-encoded, including a `%` that is not
    /// followed by two hex digits. `?`, which starts a query string, `+` and `*` stay raw.
    ///
    /// # Errors
    /// [`ItemError`], also for what CloudFront accepts although it matches nothing, and for a `~`: CloudFront cannot
    /// invalidate it, and items that a person names are never widened.
    ///
    /// ```
    /// use s3_cloudfront_invalidator::path::Item;
    ///
    /// for (named, item) in [
    ///     ("a b.html", "/a%20b.html"),
    ///     ("/a%20b?x=1", "/a%20b?x=1"),
    ///     ("/100%", "/100%25"),
    ///     ("#news", "#news"),
    /// ] {
    ///     assert_eq!(Item::named(named)?.as_str(), item);
    /// }
    /// assert!(Item::named("/~user/").is_err());
    /// # Ok::<(), s3_cloudfront_invalidator::path::ItemError>(())
    /// ```
    pub fn named(text: &str) -> Result<Self, ItemError> {
        if text.is_empty() {
            return Err(ItemError::Empty);
        }
        if text.starts_with('#') {
            return CacheTag::new(text).map(Self::Tag).ok_or_else(|| ItemError::BadTag(excerpt(text)));
        }
        let contains = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
        let is_blank =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}');
        let is_in = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
        let is_scheme =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        // Browsers resolve these segments before they send the request (WHATWG URL standard, "double-dot URL path
        // segment").
        let is_dots = |segment: &str| [".", ".."].contains(&segment.replace("%2E", ".").replace("%2e", ".").as_str());
        let before_query = text.split('?').next().unwrap_or_default();
        let remedy = if text.starts_with(is_blank) || text.ends_with(is_blank) {
            "the path begins or ends with whitespace or a control character; remove it"
        } else if contains(&["\n/", "\r/"]) {
            "this is several paths on lines; name each by itself"
        } else if is_in('"') || is_in('\'') {
            "the path is in quotes; remove them"
        } else if text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) {
            "this is a URL; name the path without the domain name"
        } else if before_query.split('/').any(is_dots) {
            "no URL has a segment \".\" or \"..\"; name the path without it"
        } else if let Some((prefix, after)) = text.split_once('*')
            && !after.is_empty()
        {
            let covering = format!("{}*", excerpt(prefix));
            return Err(ItemError::InnerStar(excerpt(text), covering));
        } else if contains(&["~", "%7E", "%7e"]) {
            return Err(ItemError::BadPath(excerpt(text), PathError::Tilde));
        } else if contains(&["%2A", "%2a"]) {
            "CloudFront matches no URL with \"%2A\"; write \"*\""
        } else {
            let path = InvalidationPath::parse(&encode(text));
            return path.map(Self::Path).map_err(|error| ItemError::BadPath(excerpt(text), error));
        };
        Err(ItemError::Ineffective(excerpt(text), remedy))
    }

    /// Returns the item `/*`, which covers every path.
    #[must_use]
    pub fn everything() -> Self {
        Self::Path(InvalidationPath::everything())
    }

    /// Returns the path, if the item is one.
    #[must_use]
    pub fn path(&self) -> Option<&InvalidationPath> {
        match self {
            Self::Path(path) => Some(path),
            Self::Tag(_) => None,
        }
    }

    /// Whether the item is a wildcard.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.path().is_some_and(InvalidationPath::is_wildcard)
    }

    /// Returns the item as it is sent to CloudFront.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Path(path) => path.as_str(),
            Self::Tag(tag) => &tag.0,
        }
    }
}

impl CacheTag {
    /// Checks a tag with its `#`. Returns `None` if it is malformed.
    fn new(text: &str) -> Option<Self> {
        let name = text.strip_prefix('#')?;
        let fits =
            (1..=MAX_TAG_LENGTH).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b',');
        (fits && !name.ends_with('*')).then(|| Self(text.into()))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses items as a person writes them: encoded, sorted, deduplicated, and without those that another covers. They are
/// never widened. Cache tags are compared without case, as CloudFront does. Also returns how many were left out.
///
/// # Errors
/// [`ItemError`] for the first bad item, and for an empty list.
pub fn named_items<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<(Vec<Item>, usize), ItemError> {
    let (mut paths, mut tags) = (Vec::new(), BTreeMap::new());
    let mut number = 0;
    for text in texts {
        number += 1;
        match Item::named(text)? {
            Item::Path(path) => paths.push(path),
            Item::Tag(tag) => {
                tags.entry(tag.0.to_ascii_lowercase()).or_insert(tag);
            }
        }
    }
    let mut items: Vec<_> = without_covered(paths).into_iter().map(Item::Path).collect();
    items.extend(tags.into_values().map(Item::Tag));
    if items.is_empty() {
        return Err(ItemError::None);
    }
    let left_out = number - items.len();
    Ok((items, left_out))
}

/// Adds a missing leading slash and percent-encodes every character that must be and is not yet.
fn encode(text: &str) -> String {
    let mut path = String::with_capacity(text.len().min(MAX_PATH_LENGTH) + 8);
    if !text.starts_with('/') {
        path.push('/');
    }
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let is_escape = character == '%' && starts_with_hex_digits(rest.as_str());
        if character == '?' || is_escape || !must_encode(character) {
            path.push(character);
        } else {
            push_encoded(&mut path, character);
        }
    }
    path
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

#[cfg(test)]
mod item_tests {
    use super::*;

    fn items(texts: &[&str]) -> Result<Vec<String>, ItemError> {
        named_items(texts.iter().copied()).map(|(items, _)| items.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn items_are_encoded_unless_they_already_are() {
        for (named, item) in [
            ("*", "/*"),
            ("/", "/"),
            ("a/b", "/a/b"),
            ("/a b.html", "/a%20b.html"),
            ("/a%20b.html", "/a%20b.html"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/caf%c3%a9", "/caf%c3%a9"),
            ("/100%", "/100%25"),
            ("/50%zz", "/50%25zz"),
            ("/a+b", "/a+b"),
            ("/a?x=1&y=a b", "/a?x=1&y=a%20b"),
            ("/a#b", "/a%23b"),
            ("/a\nb", "/a%0Ab"),
            ("/a%20", "/a%20"),
            ("/a?b=./..", "/a?b=./.."),
            ("/.well-known/a..b", "/.well-known/a..b"),
            ("#tag:1*2", "#tag:1*2"),
        ] {
            assert_eq!(items(&[named]), Ok(vec![item.to_owned()]), "{named}");
        }
    }

    #[test]
    fn ineffective_items_are_errors_with_the_remedy() {
        for (named, part) in [
            ("", "\"/*\" for everything"),
            ("/~user/", "end it before the"),
            ("/%7Euser/", "end it before the"),
            ("/a%2A", "write \"*\""),
            (" /a", "begins or ends with whitespace"),
            ("/index.html\n", "begins or ends with whitespace or a control character; remove it"),
            ("/a\u{7f}", "a control character"),
            ("\u{a0}/a", "begins or ends with whitespace"),
            ("/*/list.json", "write \"/*\""),
            ("/news/*.html", "write \"/news/*\""),
            ("/a?x=*&y=1", "write \"/a?x=*\""),
            ("/news/**", "write \"/news/*\""),
            ("/a/../b", "no URL has a segment"),
            ("./a", "no URL has a segment"),
            ("/a/%2e%2E/b", "no URL has a segment"),
            ("/a/.", "no URL has a segment"),
            ("https://site.example/a", "without the domain name"),
            ("#", "not a cache tag"),
            ("#a,b", "not a cache tag"),
            ("#a*", "not a cache tag"),
            ("#caf\u{e9}", "not a cache tag"),
        ] {
            let message = items(&["/fine", named]).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        assert!(items(&[&"a".repeat(4000)]).unwrap_err().to_string().contains("4000"));
        assert!(items(&[]).is_err());
    }

    #[test]
    fn covered_items_are_dropped_and_nothing_is_widened() {
        assert_eq!(
            items(&["/b", "#t", "/a/*", "a/b c", "/b", "#t", "/a!"]),
            Ok(["/a!", "/a/*", "/b", "#t"].map(str::to_owned).to_vec())
        );
        let (items, left_out) = named_items(["/b", "#t", "/a/*", "/b", "#T", "#u", "/a/c*", "b"]).unwrap();
        assert_eq!(items.iter().map(Item::as_str).collect::<Vec<_>>(), ["/a/*", "/b", "#t", "#u"]);
        assert_eq!(left_out, 4);
    }
}
