//! Where a bucket's changes go: its tags, understood.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::change::Bucket;
use crate::distribution::DistributionId;
use crate::path::{OriginPath, PathOptions};

/// The tag that names the folder CloudFront prepends to a viewer's path.
pub const ORIGIN_PATH_TAG: &str = "invalidation:originPath";

/// A bucket's tags, by their keys.
pub type Tags = BTreeMap<String, String>;

/// What a bucket's tags say: the distributions in front of it, and how its keys turn into their paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The distributions to invalidate; at least one.
    pub distributions: Vec<DistributionId>,
    /// How keys turn into paths.
    pub paths: PathOptions,
}

/// What is known of where a bucket's changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To these distributions.
    Route(Arc<Route>),
    /// Nowhere: the bucket does not have the tag.
    Untagged,
    /// It could not be learnt.
    Unknown,
}

/// The destinations of buckets.
pub type Destinations = BTreeMap<Bucket, Destination>;

/// Settings of the function that a route depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// The tag that names the distribution.
    pub distribution_tag: String,
    /// File names that are also served under their directory's URL.
    pub index_documents: Vec<String>,
}

/// A tag whose value is no good.
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

impl RouteSettings {
    /// Understands a bucket's tags; `None` if they name no distribution.
    ///
    /// # Errors
    /// [`TagError`] for the first value that is no good.
    pub fn route(&self, tags: &Tags) -> Result<Option<Route>, TagError> {
        let Some(ids) = tags.get(&self.distribution_tag) else { return Ok(None) };
        let bad = |tag: &str, reason: String| TagError { tag: tag.to_owned(), reason };
        let distributions =
            DistributionId::parse_list(ids).map_err(|error| bad(&self.distribution_tag, error.to_string()))?;
        let origin_path = OriginPath::parse(tags.get(ORIGIN_PATH_TAG).map_or("", String::as_str))
            .map_err(|error| bad(ORIGIN_PATH_TAG, error.to_string()))?;
        let paths = PathOptions { origin_path, index_documents: self.index_documents.clone() };
        Ok(Some(Route { distributions, paths }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RouteSettings {
        RouteSettings { distribution_tag: "distributionId".into(), index_documents: vec!["index.html".into()] }
    }

    fn tags(tags: &[(&str, &str)]) -> Tags {
        tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_bucket_without_the_tag_has_no_route() {
        assert_eq!(settings().route(&tags(&[("team", "web"), ("distributionid", "E1")])), Ok(None));
    }

    #[test]
    fn a_tag_names_distributions_and_another_the_origin_path() {
        let route =
            settings().route(&tags(&[("distributionId", "E1 E2"), (ORIGIN_PATH_TAG, "/web")])).unwrap().unwrap();
        assert_eq!(route.distributions.len(), 2);
        assert_eq!(route.paths.origin_path.to_string(), "/web");
        assert_eq!(route.paths.index_documents, ["index.html"]);
    }

    #[test]
    fn a_bad_value_names_tag_and_value() {
        for (key, value) in [("distributionId", "E1/../x"), ("distributionId", ""), (ORIGIN_PATH_TAG, "web")] {
            let mut tags = tags(&[("distributionId", "E1")]);
            tags.insert(key.into(), value.into());
            let message = settings().route(&tags).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains(&format!("\"{value}\"")), "{message}");
        }
    }
}
