//! A bucket's options: its tags, parsed. They name the distributions to invalidate, and how they map the bucket's keys
//! to URLs ([`ViewerUrl`]): below an origin path ([`OriginPath`]), with both encodings of a space, and as a directory.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use super::invalidation_path::url_of;
use super::{InvalidationPath, LINK_TAG, MAX_ITEMS};
use crate::change::text::excerpt;
use crate::change::{DistributionId, ObjectKey};

/// The tag for the origin path, which CloudFront prepends to a viewer's path.
pub const ORIGIN_PATH_TAG: &str = "invalidation:originPath";

/// The tag that lowers the maximum number of paths of the invalidations that the bucket contributes to.
pub const MAX_PATHS_TAG: &str = "invalidation:maxPaths";

/// The tag for the bucket's index documents, which replaces `INDEX_DOCUMENTS`.
pub const INDEX_DOCUMENTS_TAG: &str = "invalidation:indexDocuments";

/// The tag for how the directory of an index document is requested: `slash` or `both`.
pub const DIRECTORY_URLS_TAG: &str = "invalidation:directoryUrls";

/// The tag for whether query strings are part of the cache key: `include` or `ignore`.
pub const QUERY_STRINGS_TAG: &str = "invalidation:queryStrings";

/// The tag for the suffixes of keys, such as `.map`, whose changes are skipped.
pub const IGNORE_TAG: &str = "invalidation:ignore";

/// A bucket's tags: keys and values.
pub type Tags = BTreeMap<String, String>;

/// What a bucket's tags specify: the distributions that serve it, and how its keys map to their paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketOptions {
    /// The distributions to invalidate; at least one.
    pub distributions: Vec<DistributionId>,
    /// The origin path, if a tag specifies it.
    pub origin_path: Option<OriginPath>,
    /// File names that are also served under their directory's URL.
    pub index_documents: IndexDocuments,
    /// How the directory of an index document is requested.
    pub directory_urls: DirectoryUrls,
    /// Whether the distributions include query strings in the cache key, if a tag specifies it.
    pub query_strings: Option<bool>,
    /// The most paths of an invalidation that the bucket contributes to, if a tag specifies it.
    pub max_paths: Option<NonZeroUsize>,
    /// The suffixes of keys whose changes are skipped.
    pub ignored_suffixes: Vec<String>,
}

impl BucketOptions {
    /// Returns the suffix in the bucket's tag for which changes of this key are skipped, if any.
    #[must_use]
    pub fn ignored_suffix(&self, key: &ObjectKey) -> Option<&str> {
        self.ignored_suffixes.iter().find(|suffix| key.as_str().ends_with(*suffix)).map(String::as_str)
    }
}

/// An origin path: empty, or `/` and a folder without a trailing slash, as CloudFront stores it.
///
/// ```
/// use s3_cloudfront_invalidator::change::ObjectKey;
/// use s3_cloudfront_invalidator::path::OriginPath;
///
/// let origin_path = OriginPath::parse("/web")?;
/// let key = ObjectKey::new("web/images/a.png")?;
/// assert_eq!(origin_path.strip(&key).map(|it| it.as_str()), Some("images/a.png"));
/// assert!(origin_path.strip(&ObjectKey::new("website/a.png")?).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginPath(String);

impl OriginPath {
    /// Parses an origin path as CloudFront's console and API show it. A single `/` means none.
    ///
    /// # Errors
    /// [`OriginPathError`] if it does not start with `/`, or ends with one.
    pub fn parse(text: &str) -> Result<Self, OriginPathError> {
        match text {
            "" | "/" => Ok(Self::default()),
            _ if text.starts_with('/') && !text.ends_with('/') => Ok(Self(text.to_owned())),
            _ => Err(OriginPathError(excerpt(text))),
        }
    }

    /// Returns the path below its first folder, if that is `folder`.
    #[must_use]
    pub fn strip_first_folder(&self, folder: &str) -> Option<Self> {
        let rest = self.0.strip_prefix('/')?.strip_prefix(folder)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| Self(rest.to_owned()))
    }

    /// Returns the prefix of the keys below the origin path: empty, or the folder and a slash.
    #[must_use]
    pub fn key_prefix(&self) -> String {
        self.0.strip_prefix('/').map_or_else(String::new, |folder| format!("{folder}/"))
    }

    /// Returns the key relative to the origin path; `None` if the key is outside, and so not served by the origin.
    #[must_use]
    pub fn strip<'k>(&self, key: &'k ObjectKey) -> Option<RelativeKey<'k>> {
        match self.0.strip_prefix('/') {
            None => Some(RelativeKey(key.as_str())),
            Some(folder) => key.as_str().strip_prefix(folder)?.strip_prefix('/').map(RelativeKey),
        }
    }
}

impl fmt::Display for OriginPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not an origin path, with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an origin path (such as \"/web\", with a leading but no trailing slash)")]
pub struct OriginPathError(String);

/// A key relative to its origin path; empty for the folder itself.
///
/// It is never longer than the key, so its path is within CloudFront's limit even if every byte is percent-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativeKey<'k>(&'k str);

impl<'k> RelativeKey<'k> {
    /// Returns the relative key.
    #[must_use]
    pub fn as_str(self) -> &'k str {
        self.0
    }
}

/// File names that are also served under their directory's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexDocuments {
    /// The names in the bucket's tag. They always apply.
    FromTag(Vec<String>),
    /// The configured default names. They apply where directory URLs can be served: on a website endpoint, with an edge
    /// function, or without a distribution config.
    Default(Vec<String>),
}

impl IndexDocuments {
    /// Parses the names in a bucket's tag, separated by whitespace.
    ///
    /// # Errors
    /// The message for the first name with a slash, which would match no key.
    pub fn parse(value: &str) -> Result<Self, String> {
        match value.split_whitespace().find(|name| name.contains('/')) {
            Some(name) => Err(format!("\"{}\" is not a file name (without \"/\")", excerpt(name))),
            None => Ok(Self::FromTag(words(value))),
        }
    }

    /// Returns the names that apply where directory URLs can or cannot be served.
    pub(super) fn names(&self, has_directories: bool) -> Vec<String> {
        match self {
            Self::Default(_) if !has_directories => Vec::new(),
            Self::FromTag(names) | Self::Default(names) => names.clone(),
        }
    }
}

/// How the directory of an index document is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectoryUrls {
    /// As `/docs/`.
    #[default]
    Slash,
    /// As `/docs/`, and as `/docs`, which an edge function rewrites.
    Both,
}

/// A URL that an object is cached under, relative to the distribution, as viewers request it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerUrl {
    /// The URL's path. It starts with `/`, and any `~` and final `*` in it are literal.
    pub text: String,
    /// Whether this is the URL of the object itself, not that of its directory.
    pub is_file: bool,
}

impl ViewerUrl {
    /// Returns the root URL `/`, for which CloudFront returns the default root object.
    #[must_use]
    pub fn root() -> Self {
        Self { text: "/".into(), is_file: false }
    }

    /// Returns the paths that invalidate the URL.
    ///
    /// With `query_strings`, the URL is cached once for each query string, and a file's path gets a final `*`. A
    /// directory gets two paths, its own and that with `?*`, since its own with `*` would cover everything in the
    /// directory.
    pub fn paths(self, query_strings: bool) -> impl Iterator<Item = InvalidationPath> {
        let Self { text, is_file } = self;
        let path = InvalidationPath::of_url(&text);
        // A wildcard already covers every query string.
        let has_queries = query_strings && !path.is_wildcard();
        let queries = has_queries.then(|| InvalidationPath::of_url(&(text + if is_file { "*" } else { "?*" })));
        let path = (!has_queries || !is_file).then_some(path);
        path.into_iter().chain(queries)
    }
}

/// The configuration of the function that applies to every bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketDefaults {
    /// The tag that names the distributions.
    pub distribution_tag: String,
    /// The index documents of buckets that have no tag for them.
    pub index_documents: Vec<String>,
}

impl BucketDefaults {
    /// Parses a bucket's tags. Returns `None` if they name no distribution.
    ///
    /// # Errors
    /// [`TagError`] for the first invalid value.
    pub fn parse(&self, tags: &Tags) -> Result<Option<BucketOptions>, TagError> {
        let Some(distributions) = parse_tag(tags, &self.distribution_tag, DistributionId::parse_tag)? else {
            return Ok(None);
        };
        let default = || IndexDocuments::Default(self.index_documents.clone());
        Ok(Some(BucketOptions {
            distributions,
            origin_path: parse_tag(tags, ORIGIN_PATH_TAG, OriginPath::parse)?,
            index_documents: parse_tag(tags, INDEX_DOCUMENTS_TAG, IndexDocuments::parse)?.unwrap_or_else(default),
            directory_urls: parse_tag(tags, DIRECTORY_URLS_TAG, directory_urls)?.unwrap_or_default(),
            query_strings: parse_tag(tags, QUERY_STRINGS_TAG, query_strings)?,
            max_paths: parse_tag(tags, MAX_PATHS_TAG, max_paths)?,
            ignored_suffixes: tags.get(IGNORE_TAG).map(|value| words(value)).unwrap_or_default(),
        }))
    }
}

/// The tags of a bucket besides the one that names the distributions.
const OTHER_TAGS: [&str; 7] =
    [ORIGIN_PATH_TAG, MAX_PATHS_TAG, INDEX_DOCUMENTS_TAG, DIRECTORY_URLS_TAG, QUERY_STRINGS_TAG, IGNORE_TAG, LINK_TAG];

impl BucketDefaults {
    /// Returns the tags that have no effect because of their names, each with the tag that it may be meant to be: those
    /// with the prefix `invalidation:`, and those that differ from the tag that names the distributions only by case,
    /// hyphens or underscores.
    #[must_use]
    pub fn misnamed_tags<'t>(&'t self, tags: &'t Tags) -> Vec<(&'t str, Option<&'t str>)> {
        let letters = |name: &str| name.to_lowercase().replace(['-', '_'], "");
        let known = || OTHER_TAGS.into_iter().chain([self.distribution_tag.as_str()]);
        let unknown = tags.keys().filter(|tag| !known().any(|known| known == *tag));
        let named = unknown.map(|tag| (tag.as_str(), known().find(|known| letters(known) == letters(tag))));
        named.filter(|(tag, meant)| meant.is_some() || letters(tag).starts_with("invalidation:")).collect()
    }
}

/// What is said of a tag from [`BucketDefaults::misnamed_tags`].
#[must_use]
pub fn misnamed_tag_message(tag: &str, meant: Option<&str>) -> String {
    let remedy = meant.map_or_else(|| "remove it".to_owned(), |meant| format!("rename it to \"{meant}\""));
    format!("the tag \"{}\" has no effect; {remedy}", excerpt(tag))
}

/// A tag with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its tag \"{tag}\": {reason}; correct the tag")]
pub struct TagError {
    tag: String,
    reason: String,
}

/// Parses the value of a tag, if the bucket has it.
fn parse_tag<T, E: fmt::Display>(
    tags: &Tags,
    tag: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, TagError> {
    let parsed = tags.get(tag).map(|value| parse(value)).transpose();
    parsed.map_err(|error| TagError { tag: tag.to_owned(), reason: error.to_string() })
}

fn directory_urls(value: &str) -> Result<DirectoryUrls, String> {
    match value.trim() {
        "slash" => Ok(DirectoryUrls::Slash),
        "both" => Ok(DirectoryUrls::Both),
        other => Err(format!("\"{}\" is neither \"slash\" nor \"both\"", excerpt(other))),
    }
}

fn query_strings(value: &str) -> Result<bool, String> {
    match value.trim() {
        "include" => Ok(true),
        "ignore" => Ok(false),
        other => Err(format!("\"{}\" is neither \"include\" nor \"ignore\"", excerpt(other))),
    }
}

fn max_paths(value: &str) -> Result<NonZeroUsize, String> {
    let number = value.trim().parse().ok().filter(|number| *number <= MAX_ITEMS);
    number.ok_or_else(|| format!("\"{}\" is not a number from 1 to {MAX_ITEMS}", excerpt(value.trim())))
}

fn words(value: &str) -> Vec<String> {
    value.split_whitespace().map(ToOwned::to_owned).collect()
}

/// Returns the URLs under which CloudFront may have cached an object.
///
/// These are the object's own and, if its name is in `index_documents`, those of its directory. With
/// [`DirectoryUrls::Both`], the directory's URL without the trailing slash is included.
#[must_use]
pub fn urls(key: RelativeKey<'_>, index_documents: &[String], directory_urls: DirectoryUrls) -> Vec<ViewerUrl> {
    let (directory, file) = key.as_str().split_at(key.as_str().rfind('/').map_or(0, |slash| slash + 1));
    let is_index = index_documents.iter().any(|name| name == file);
    let bare = directory.strip_suffix('/').filter(|_| directory_urls == DirectoryUrls::Both);
    let directories = [Some(directory), bare].into_iter().flatten().filter(|_| is_index);
    let mut urls = Vec::with_capacity(1);
    for (form, is_file) in std::iter::once((key.as_str(), true)).chain(directories.map(|form| (form, false))) {
        let text = url_of(form);
        // URL encoders write a space as `%20`, form encoders as `+`. No encoder mixes the two in one URL.
        let with_plus = form.contains(' ').then(|| ViewerUrl { text: text.replace("%20", "+"), is_file });
        urls.push(ViewerUrl { text, is_file });
        urls.extend(with_plus);
    }
    urls
}

/// Returns the paths that invalidate an object: sorted, deduplicated, one to four.
///
/// - A space gives two: one with every space as `%20`, and one with every space as `+`.
/// - An index document also gives its directory: `docs/index.html` gives `/docs/` and `/docs/index.html`. The file name
///   is compared in full, so `docs/myindex.html` is not an index document.
///
/// ```
/// use s3_cloudfront_invalidator::change::ObjectKey;
/// use s3_cloudfront_invalidator::path::{OriginPath, viewer_paths};
///
/// let key = ObjectKey::new("my docs/index.html")?;
/// let origin_path = OriginPath::default();
/// let paths = viewer_paths(origin_path.strip(&key).unwrap(), &["index.html".into()]);
/// let paths: Vec<_> = paths.iter().map(|path| path.as_str()).collect();
/// assert_eq!(paths, ["/my%20docs/", "/my%20docs/index.html", "/my+docs/", "/my+docs/index.html"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn viewer_paths(key: RelativeKey<'_>, index_documents: &[String]) -> Vec<InvalidationPath> {
    let mut paths: Vec<_> = viewer_urls(key, index_documents).iter().map(|url| InvalidationPath::of_url(url)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Returns the URLs under which CloudFront may have cached an object, as viewers request them.
///
/// They are what the paths of [`viewer_paths`] must match. Any `~` and final `*` in them are literal.
#[must_use]
pub fn viewer_urls(key: RelativeKey<'_>, index_documents: &[String]) -> Vec<String> {
    urls(key, index_documents, DirectoryUrls::Slash).into_iter().map(|url| url.text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> BucketDefaults {
        BucketDefaults { distribution_tag: "distributionId".into(), index_documents: vec!["index.html".into()] }
    }

    fn tags(tags: &[(&str, &str)]) -> Tags {
        tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_bucket_without_the_tag_has_no_options() {
        assert_eq!(defaults().parse(&tags(&[("team", "web"), ("distributionid", "E1")])), Ok(None));
    }

    #[test]
    fn a_tag_names_distributions_and_another_the_origin_path() {
        let options =
            defaults().parse(&tags(&[("distributionId", "E1 E2"), (ORIGIN_PATH_TAG, "/web")])).unwrap().unwrap();
        assert_eq!(options.distributions.len(), 2);
        assert_eq!(options.origin_path.unwrap().to_string(), "/web");
        assert_eq!(options.index_documents, IndexDocuments::Default(vec!["index.html".into()]));
    }

    #[test]
    fn every_option_has_its_tag() {
        let tags = tags(&[
            ("distributionId", "E1"),
            (MAX_PATHS_TAG, " 10 "),
            (INDEX_DOCUMENTS_TAG, "default.htm  home.html"),
            (DIRECTORY_URLS_TAG, "both"),
            (QUERY_STRINGS_TAG, "include"),
            (IGNORE_TAG, ".map  .LICENSE.txt"),
        ]);
        let options = defaults().parse(&tags).unwrap().unwrap();
        assert_eq!(options.max_paths.map(NonZeroUsize::get), Some(10));
        assert_eq!(options.index_documents, IndexDocuments::FromTag(vec!["default.htm".into(), "home.html".into()]));
        assert_eq!((options.directory_urls, options.query_strings), (DirectoryUrls::Both, Some(true)));
        let ignored = |key| options.ignored_suffix(&ObjectKey::new(key).unwrap());
        assert_eq!(ignored("js/app.js.map"), Some(".map"));
        assert_eq!((ignored("js/app.map.js"), ignored("a.license.txt")), (None, None));
        let empty_tag = defaults()
            .parse(&[("distributionId".into(), "E1".into()), (INDEX_DOCUMENTS_TAG.into(), String::new())].into());
        assert_eq!(empty_tag.unwrap().unwrap().index_documents, IndexDocuments::FromTag(Vec::new()));
    }

    #[test]
    fn a_bad_value_names_tag_and_value() {
        for (key, value) in [
            ("distributionId", "E1/../x"),
            ("distributionId", ""),
            (ORIGIN_PATH_TAG, "web"),
            (MAX_PATHS_TAG, "0"),
            (MAX_PATHS_TAG, "3001"),
            (MAX_PATHS_TAG, ""),
            (INDEX_DOCUMENTS_TAG, "a/index.html"),
            (DIRECTORY_URLS_TAG, "none"),
            (QUERY_STRINGS_TAG, "true"),
        ] {
            let mut tags = tags(&[("distributionId", "E1")]);
            tags.insert(key.into(), value.into());
            let message = defaults().parse(&tags).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains(&format!("\"{value}\"")), "{message}");
        }
    }
}

#[cfg(test)]
mod viewer_url_tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::change::ObjectKey;
    use crate::path::OriginPath;

    fn paths(key: &str, directory_urls: DirectoryUrls, query_strings: bool) -> Vec<String> {
        let index_documents = vec!["index.html".to_owned()];
        let key = ObjectKey::new(key).unwrap();
        let urls = urls(OriginPath::default().strip(&key).unwrap(), &index_documents, directory_urls);
        let paths: BTreeSet<_> = urls.into_iter().flat_map(|url| url.paths(query_strings)).collect();
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_directory_can_be_requested_without_its_slash() {
        assert_eq!(
            paths("a b/index.html", DirectoryUrls::Both, false),
            ["/a%20b", "/a%20b/", "/a%20b/index.html", "/a+b", "/a+b/", "/a+b/index.html"]
        );
        assert_eq!(paths("index.html", DirectoryUrls::Both, false), ["/", "/index.html"]);
        assert_eq!(paths("a/b.txt", DirectoryUrls::Both, false), ["/a/b.txt"]);
    }

    #[test]
    fn query_strings_of_a_directory_do_not_cover_its_content() {
        assert_eq!(paths("a.jpg", DirectoryUrls::Slash, true), ["/a.jpg*"]);
        assert_eq!(paths("a/index.html", DirectoryUrls::Slash, true), ["/a/", "/a/?*", "/a/index.html*"]);
        assert_eq!(paths("a/index.html", DirectoryUrls::Both, true), ["/a", "/a/", "/a/?*", "/a/index.html*", "/a?*"]);
        assert_eq!(paths("index.html", DirectoryUrls::Slash, true), ["/", "/?*", "/index.html*"]);
        for already_a_wildcard in ["a~b.txt", "a*"] {
            assert_eq!(paths(already_a_wildcard, DirectoryUrls::Slash, true), ["/a*"]);
        }
        assert_eq!(paths("~a/index.html", DirectoryUrls::Both, true), ["/*"]);
    }
}
