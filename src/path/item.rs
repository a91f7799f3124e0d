//! Items of an invalidation that a person names, in a pipeline action or when invoking the function directly.

use std::fmt;

use super::encode::{must_encode, push_encoded, starts_with_hex_digits};
use super::{InvalidationPath, MAX_ITEMS, MAX_PATH_LENGTH, MAX_WILDCARDS, PathError, without_covered};
use crate::change::text::excerpt;

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
    /// There are more than [`MAX_ITEMS`] items.
    #[error("{0} paths exceed the {MAX_ITEMS} that CloudFront accepts at a time; name fewer")]
    TooMany(usize),
    /// There are more than [`MAX_WILDCARDS`] wildcards.
    #[error("{0} wildcards exceed the {MAX_WILDCARDS} that CloudFront accepts at a time; name fewer")]
    TooManyWildcards(usize),
    /// A malformed cache tag.
    #[error(
        "\"{0}\" is not a cache tag (\"#\" and 1 to {MAX_TAG_LENGTH} printable ASCII characters without spaces and \
         commas, the last not \"*\")"
    )]
    BadTag(String),
    /// A form that CloudFront accepts but that matches nothing, with the remedy.
    #[error("\"{0}\": {1}")]
    Ineffective(String, &'static str),
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
    /// [`ItemError`], also for a `~`: CloudFront cannot invalidate it, and items that a person names are never widened.
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
        let remedy = if text.starts_with(char::is_whitespace) {
            "the path starts with whitespace; start with \"/\""
        } else if text.starts_with("http://") || text.starts_with("https://") {
            "this is a URL; name the path without the domain name"
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

    /// Whether the item is a wildcard.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::Path(path) if path.is_wildcard())
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
/// never widened.
///
/// # Errors
/// [`ItemError`] for the first bad item, for an empty list, and for more items or wildcards than CloudFront accepts.
pub fn named_items<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Vec<Item>, ItemError> {
    let (mut paths, mut tags) = (Vec::new(), Vec::new());
    for text in texts {
        match Item::named(text)? {
            Item::Path(path) => paths.push(path),
            Item::Tag(tag) => tags.push(tag),
        }
    }
    tags.sort_unstable();
    tags.dedup();
    let paths = without_covered(paths);
    let wildcards = paths.iter().filter(|path| path.is_wildcard()).count();
    let items: Vec<_> = paths.into_iter().map(Item::Path).chain(tags.into_iter().map(Item::Tag)).collect();
    match items.len() {
        0 => Err(ItemError::None),
        number if number > MAX_ITEMS.get() => Err(ItemError::TooMany(number)),
        _ if wildcards > MAX_WILDCARDS.get() => Err(ItemError::TooManyWildcards(wildcards)),
        _ => Ok(items),
    }
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

    fn items(texts: &[&str]) -> Result<Vec<String>, ItemError> {
        named_items(texts.iter().copied()).map(|items| items.iter().map(ToString::to_string).collect())
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
            (" /a", "starts with whitespace"),
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
        let many: Vec<_> = (0..3000).map(|n| format!("/{n}x")).collect();
        let mut many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(items(&many).unwrap().len(), 3000);
        many.push("#t");
        assert_eq!(items(&many), Err(ItemError::TooMany(3001)));
        let wildcards: Vec<_> = (10..26).map(|n| format!("/{n}*")).collect();
        let wildcards: Vec<_> = wildcards.iter().map(String::as_str).collect();
        assert_eq!(items(&wildcards), Err(ItemError::TooManyWildcards(16)));
    }
}
