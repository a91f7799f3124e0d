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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagError {
    tag: String,
    reason: String,
}

impl fmt::Display for TagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its tag \"{}\": {}; correct the tag", self.tag, self.reason)
    }
}

impl std::error::Error for TagError {}

impl BucketDefaults {
    /// Parses a bucket's tags. Returns `None` if they name no distribution.
    ///
    /// # Errors
    /// [`TagError`] for the first invalid value.
    pub fn parse(&self, tags: &Tags) -> Result<Option<BucketOptions>, TagError> {
        let Some(ids) = tags.get(&self.distribution_tag) else { return Ok(None) };
        let bad = |tag: &str, reason: String| TagError { tag: tag.to_owned(), reason };
        let distributions =
            DistributionId::parse_tag(ids).map_err(|error| bad(&self.distribution_tag, error.to_string()))?;
        let value = |tag| tags.get(tag).map(|value| value.trim());
        let origin_path = tags
            .get(ORIGIN_PATH_TAG)
            .map(|path| OriginPath::parse(path))
            .transpose()
            .map_err(|error| bad(ORIGIN_PATH_TAG, error.to_string()))?;
        let words = |tag| value(tag).map(|value| value.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>());
        let index_documents = words(INDEX_DOCUMENTS_TAG);
        if let Some(name) = index_documents.iter().flatten().find(|name| name.contains('/')) {
            return Err(bad(INDEX_DOCUMENTS_TAG, format!("\"{}\" is not a file name (without \"/\")", excerpt(name))));
        }
        let default = || IndexDocuments::Default(self.index_documents.clone());
        let directory_urls = match value(DIRECTORY_URLS_TAG) {
            None | Some("slash") => DirectoryUrls::Slash,
            Some("both") => DirectoryUrls::Both,
            Some(other) => {
                let reason = format!("\"{}\" is neither \"slash\" nor \"both\"", excerpt(other));
                return Err(bad(DIRECTORY_URLS_TAG, reason));
            }
        };
        let query_strings = match value(QUERY_STRINGS_TAG) {
            None => None,
            Some("include") => Some(true),
            Some("ignore") => Some(false),
            Some(other) => {
                let reason = format!("\"{}\" is neither \"include\" nor \"ignore\"", excerpt(other));
                return Err(bad(QUERY_STRINGS_TAG, reason));
            }
        };
        let max_paths = value(MAX_PATHS_TAG)
            .map(|text| {
                let number = text.parse().ok().filter(|number| *number <= MAX_ITEMS);
                let reason = || format!("\"{}\" is not a number from 1 to {MAX_ITEMS}", excerpt(text));
                number.ok_or_else(|| bad(MAX_PATHS_TAG, reason()))
            })
            .transpose()?;
        Ok(Some(BucketOptions {
            distributions,
            origin_path,
            index_documents: index_documents.map_or_else(default, IndexDocuments::FromTag),
            directory_urls,
            query_strings,
            max_paths,
            ignored_suffixes: words(IGNORE_TAG).unwrap_or_default(),
        }))
    }
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
