//! A bucket's options: its tags, parsed.
//!
//! The tags name the distributions to invalidate, and how they map the bucket's keys to URLs.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use super::{DirectoryUrls, MAX_ITEMS, OriginPath};
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
    /// Returns the names that apply where directory URLs can or cannot be served.
    pub(super) fn names(&self, has_directories: bool) -> Vec<String> {
        match self {
            Self::Default(_) if !has_directories => Vec::new(),
            Self::FromTag(names) | Self::Default(names) => names.clone(),
        }
    }
}

impl BucketOptions {
    /// Returns the suffix in the bucket's tag for which changes of this key are skipped, if any.
    #[must_use]
    pub fn ignored_suffix(&self, key: &ObjectKey) -> Option<&str> {
        self.ignored_suffixes.iter().find(|suffix| key.as_str().ends_with(*suffix)).map(String::as_str)
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

/// A tag with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its tag \"{tag}\": {reason}; correct the tag")]
pub struct TagError {
    tag: String,
    reason: String,
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
            index_documents: parse_tag(tags, INDEX_DOCUMENTS_TAG, file_names)?
                .map_or_else(default, IndexDocuments::FromTag),
            directory_urls: parse_tag(tags, DIRECTORY_URLS_TAG, directory_urls)?.unwrap_or_default(),
            query_strings: parse_tag(tags, QUERY_STRINGS_TAG, query_strings)?,
            max_paths: parse_tag(tags, MAX_PATHS_TAG, max_paths)?,
            ignored_suffixes: tags.get(IGNORE_TAG).map(|value| words(value)).unwrap_or_default(),
        }))
    }
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

fn words(value: &str) -> Vec<String> {
    value.split_whitespace().map(ToOwned::to_owned).collect()
}

fn file_names(value: &str) -> Result<Vec<String>, String> {
    match value.split_whitespace().find(|name| name.contains('/')) {
        Some(name) => Err(format!("\"{}\" is not a file name (without \"/\")", excerpt(name))),
        None => Ok(words(value)),
    }
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
