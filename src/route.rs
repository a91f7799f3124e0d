//! Where a bucket's changes go: its tags, read once in a while and understood.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::cache::{Clock, TtlCache};
use crate::change::BucketName;
use crate::distribution::DistributionId;
use crate::path::{OriginPath, PathOptions};
use crate::ports::{BucketQuery, BucketTags, CallError, ErrorClass, Tags};

/// How many buckets' answers are remembered. An account has at most 10,000 buckets by default (S3 quotas, 2024); one
/// answer takes a few hundred bytes.
const CACHED_BUCKETS: u64 = 10_000;

/// How many buckets are asked about at the same time.
pub const CONCURRENT_LOOKUPS: usize = 16;

/// The tag that names the folder CloudFront prepends to a viewer's path.
pub const ORIGIN_PATH_TAG: &str = "invalidation:originPath";

/// What a bucket's tags say: the distributions in front of it, and how its keys turn into their paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The distributions to invalidate; at least one.
    pub distributions: Vec<DistributionId>,
    /// How keys turn into paths.
    pub paths: PathOptions,
}

/// Settings of the function that a route depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// The tag that names the distribution.
    pub distribution_tag: String,
    /// How long a tagged bucket's answer is remembered.
    pub tag_ttl: Duration,
    /// How long it is remembered that a bucket has no tag.
    pub missing_tag_ttl: Duration,
    /// File names that are also served under their directory's URL.
    pub index_documents: Vec<String>,
}

/// Why it is not known where a bucket's changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// Its tags could not be read.
    Lookup(CallError),
    /// A tag's value is no good.
    Tag {
        /// The tag.
        tag: String,
        /// What is wrong with its value, which it quotes.
        reason: String,
    },
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(error) => {
                write!(f, "its tags could not be read: {error}")?;
                f.write_str(match error.class {
                    ErrorClass::AccessDenied => {
                        "; allow s3:GetBucketTagging on the bucket to the function's role, and if the bucket belongs to \
                         another account set EXPECTED_BUCKET_OWNER"
                    }
                    ErrorClass::NotFound => "; the bucket was deleted, or is not the function's to see",
                    ErrorClass::WrongRegion => "; the event names another Region than the bucket's",
                    _ => "",
                })
            }
            Self::Tag { tag, reason } => write!(f, "its tag \"{tag}\": {reason}; correct the tag"),
        }
    }
}

impl std::error::Error for RouteError {}

/// What is known of each bucket that was asked about: a route, none because it is not tagged, or why it is not known.
pub type Routes = BTreeMap<BucketName, Result<Option<Arc<Route>>, Arc<RouteError>>>;

/// Finds routes, and remembers them.
pub struct Router<T> {
    tags: T,
    settings: RouteSettings,
    cache: TtlCache<BucketName, Option<Arc<Route>>>,
}

impl<T: BucketTags> Router<T> {
    /// A router that reads tags from `tags`.
    pub fn new(tags: T, settings: RouteSettings, clock: Clock) -> Self {
        Self { tags, settings, cache: TtlCache::new(CACHED_BUCKETS, clock) }
    }

    /// The routes of all `queries`, looked up at the same time, at most [`CONCURRENT_LOOKUPS`] of them.
    pub async fn routes(&self, queries: Vec<BucketQuery>) -> Routes {
        stream::iter(queries)
            .map(|query| async move {
                let route = self.cache.get(&query.bucket, || self.look_up(&query)).await;
                (query.bucket, route)
            })
            .buffer_unordered(CONCURRENT_LOOKUPS)
            .collect()
            .await
    }

    async fn look_up(&self, query: &BucketQuery) -> Result<(Option<Arc<Route>>, Duration), RouteError> {
        let tags = self.tags.bucket_tags(query).await.map_err(RouteError::Lookup)?.unwrap_or_default();
        if let Some(route) = self.settings.route(&tags)? {
            return Ok((Some(Arc::new(route)), self.settings.tag_ttl));
        }
        // Here and not where the answer is used, so that it is said once in the answer's life.
        tracing::info!(
            bucket = query.bucket.as_str(),
            tag = self.settings.distribution_tag,
            "changes of this bucket are ignored: it does not have the tag (DISTRIBUTION_ID does not apply to S3 events)"
        );
        Ok((None, self.settings.missing_tag_ttl))
    }
}

impl RouteSettings {
    /// Understands a bucket's tags; `None` if they name no distribution.
    ///
    /// # Errors
    /// [`RouteError::Tag`] for the first value that is no good.
    pub fn route(&self, tags: &Tags) -> Result<Option<Route>, RouteError> {
        let Some(ids) = tags.get(&self.distribution_tag) else { return Ok(None) };
        let bad = |tag: &str, reason: String| RouteError::Tag { tag: tag.to_owned(), reason };
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
        RouteSettings {
            distribution_tag: "distributionId".into(),
            tag_ttl: Duration::from_mins(5),
            missing_tag_ttl: Duration::from_mins(1),
            index_documents: vec!["index.html".into()],
        }
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
