//! A bucket's options: its tags, parsed. They name the distributions to invalidate, and how these map the bucket's keys
//! to URLs: below an origin path ([`OriginPath`]), in other forms ([`UrlForms`]), and as a directory.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use super::{DirectoryUrls, LINK_TAG_PREFIX, MAX_ITEMS, OriginPath, UrlForms};
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

/// The tag for the folders and suffixes of keys, such as `logs/` and `.map`, whose changes are skipped.
pub const IGNORE_TAG: &str = "invalidation:ignore";

/// The tag for the forms of the URLs that viewers request, such as `/:key` and `/:page`.
pub const URLS_TAG: &str = "invalidation:urls";

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
    /// How the directory of an index document is requested, if a tag specifies it.
    pub directory_urls: Option<DirectoryUrls>,
    /// The forms of the URLs that viewers request, if a tag specifies them.
    pub urls: Option<UrlForms>,
    /// Whether the distributions include query strings in the cache key, if a tag specifies it.
    pub query_strings: Option<bool>,
    /// The most paths of an invalidation that the bucket contributes to, if a tag specifies it.
    pub max_paths: Option<NonZeroUsize>,
    /// The folders, with their slash, and the suffixes of keys whose changes are skipped.
    pub ignored: Vec<String>,
}

impl BucketOptions {
    /// Returns the folder or the suffix in the bucket's tag for which changes of this key are skipped, if any.
    ///
    /// A folder ends with `/`, and is compared with the start of the whole key, also where there is an origin path.
    #[must_use]
    pub fn ignore_rule(&self, key: &ObjectKey) -> Option<&str> {
        let key = key.as_str();
        let applies = |rule: &&String| if rule.ends_with('/') { key.starts_with(*rule) } else { key.ends_with(*rule) };
        self.ignored.iter().find(applies).map(String::as_str)
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
            directory_urls: parse_tag(tags, DIRECTORY_URLS_TAG, directory_urls)?,
            urls: parse_tag(tags, URLS_TAG, UrlForms::parse)?,
            query_strings: parse_tag(tags, QUERY_STRINGS_TAG, query_strings)?,
            max_paths: parse_tag(tags, MAX_PATHS_TAG, max_paths)?,
            ignored: parse_tag(tags, IGNORE_TAG, ignored)?.unwrap_or_default(),
        }))
    }
}

/// The tags of a bucket besides the one that names the distributions.
const OTHER_TAGS: [&str; 7] =
    [ORIGIN_PATH_TAG, MAX_PATHS_TAG, INDEX_DOCUMENTS_TAG, DIRECTORY_URLS_TAG, QUERY_STRINGS_TAG, IGNORE_TAG, URLS_TAG];

impl BucketDefaults {
    /// Returns the tags that have no effect because of their names, each with the tag that it may be meant to be: those
    /// with the prefix `invalidation:`, and those that differ from the tag that names the distributions only by case,
    /// hyphens or underscores.
    #[must_use]
    pub fn misnamed_tags<'t>(&'t self, tags: &'t Tags) -> Vec<(&'t str, Option<&'t str>)> {
        let letters = |name: &str| name.to_lowercase().replace(['-', '_'], "");
        let known = || OTHER_TAGS.into_iter().chain([self.distribution_tag.as_str()]);
        let is_known = |tag: &str| known().any(|known| known == tag) || tag.starts_with(LINK_TAG_PREFIX);
        let unknown = tags.keys().filter(|tag| !is_known(tag));
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

/// What is said where a function at origin-request is in front of a bucket without [`URLS_TAG`].
pub const URLS_UNCERTAIN: &str = "a function at origin-request is in front of this bucket, so viewers may request other \
                                  URLs than those that are invalidated; name the forms of these URLs in the tag \
                                  invalidation:urls (\"/:key\" if they are the keys)";

/// What is said where a function at viewer-request is in front of a bucket without [`URLS_TAG`].
pub const URLS_REWRITTEN: &str = "a function at viewer-request is in front of this bucket; the URLs that it returns are \
                                  cached, so nothing is to be done if they are the keys; otherwise name their forms in \
                                  the tag invalidation:urls";

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

fn ignored(value: &str) -> Result<Vec<String>, String> {
    match value.split_whitespace().find(|rule| rule.starts_with('/') && rule.ends_with('/')) {
        Some(folder) => Err(format!(
            "\"{}\" is not a folder (such as \"logs/\", without a leading \"/\", as keys begin)",
            excerpt(folder)
        )),
        None => Ok(words(value)),
    }
}

fn max_paths(value: &str) -> Result<NonZeroUsize, String> {
    let number = value.trim().parse().ok().filter(|number| *number <= MAX_ITEMS);
    number.ok_or_else(|| format!("\"{}\" is not a number from 1 to {MAX_ITEMS}", excerpt(value.trim())))
}

fn words(value: &str) -> Vec<String> {
    value.split_whitespace().map(ToOwned::to_owned).collect()
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
            (IGNORE_TAG, ".map  .LICENSE.txt logs/ tmp/x/"),
            (URLS_TAG, "/:key  /assets/:key:any"),
        ]);
        let options = defaults().parse(&tags).unwrap().unwrap();
        assert_eq!(options.max_paths.map(NonZeroUsize::get), Some(10));
        assert_eq!(options.index_documents, IndexDocuments::FromTag(vec!["default.htm".into(), "home.html".into()]));
        assert_eq!((options.directory_urls, options.query_strings), (Some(DirectoryUrls::Both), Some(true)));
        assert_eq!(options.urls.as_ref().unwrap().to_string(), "/:key /assets/:key:any");
        let ignored = |key| options.ignore_rule(&ObjectKey::new(key).unwrap());
        for (key, rule) in [
            ("js/app.js.map", Some(".map")),
            ("js/app.map.js", None),
            ("a.license.txt", None),
            ("logs/a.txt", Some("logs/")),
            ("logs/", Some("logs/")),
            ("logs", None),
            ("web/logs/a.txt", None),
            ("tmp/x/a", Some("tmp/x/")),
            ("tmp/y", None),
        ] {
            assert_eq!(ignored(key), rule, "{key}");
        }
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
            (IGNORE_TAG, "/logs/"),
            (URLS_TAG, "/:kye"),
        ] {
            let mut tags = tags(&[("distributionId", "E1")]);
            tags.insert(key.into(), value.into());
            let message = defaults().parse(&tags).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains(&format!("\"{value}\"")), "{message}");
        }
    }
}
