//! Looks up a bucket's tags: which distributions serve it, and with which options.
//!
//! Options are cached for `CACHE_TTL_SECONDS`, and the absence of the tag for `NEGATIVE_CACHE_TTL_SECONDS` (see
//! [`CacheTtl`]).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{CacheTtl, Cached, CachedLookup, Clock, LookupError, Operation, ResolvedConfigs, concurrency};
use crate::aws::{BucketQuery, CallError, ErrorClass, S3};
use crate::change::{Bucket, DistributionId};
use crate::path::{BucketDefaults, BucketOptions, TagError, Tags};
use crate::plan::{Resolution, Resolutions};

/// The most buckets whose tags are cached. An account has at most 10,000 buckets by default (S3 quotas, 2024); an
/// entry takes a few hundred bytes.
const CACHED_BUCKETS: u64 = 10_000;

/// The most buckets that are looked up concurrently, apart from calls that hang (see [`concurrency`]).
pub const MAX_CONCURRENT_TAG_LOOKUPS: usize = 16;

const OPERATION: Operation = Operation {
    name: "GetBucketTagging",
    hit: |stats| stats.tag_cache_hits += 1,
    miss: |stats| stats.tag_cache_misses += 1,
};

/// Why a bucket's options are unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagLookupError {
    /// The tags could not be read.
    Lookup(CallError),
    /// A tag's value is invalid.
    Tag(TagError),
}

impl fmt::Display for TagLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match self {
            Self::Tag(error) => return error.fmt(f),
            Self::Lookup(error) => error,
        };
        write!(f, "its tags could not be read: {error}")?;
        f.write_str(match error.class {
            ErrorClass::AccessDenied => {
                "; allow s3:GetBucketTagging on the bucket for the role or user that makes the call; for a bucket in \
                 another account, also set EXPECTED_BUCKET_OWNER and follow docs/security.md"
            }
            ErrorClass::NotFound => "; correct the bucket name, or stop sending events of the deleted bucket",
            ErrorClass::WrongRegion => {
                "; the bucket is not in the Region that the event names (by default the function's Region); use the \
                 function in the bucket's Region"
            }
            _ => "",
        })
    }
}

impl std::error::Error for TagLookupError {}

impl From<CallError> for TagLookupError {
    fn from(error: CallError) -> Self {
        Self::Lookup(error)
    }
}

impl LookupError for TagLookupError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Lookup(error) if error.class.is_transient())
    }
}

/// The result of the lookup for each bucket: its options, `None` if it does not have the tag, or the error.
#[derive(Default)]
pub struct ResolvedTags(BTreeMap<Bucket, Result<Option<Arc<BucketOptions>>, Arc<TagLookupError>>>);

impl ResolvedTags {
    /// Returns the tagged buckets with their options.
    pub fn options(&self) -> impl Iterator<Item = (&Bucket, &Arc<BucketOptions>)> {
        self.0.iter().filter_map(|(bucket, answer)| Some((bucket, answer.as_ref().ok()?.as_ref()?)))
    }

    /// Resolves each bucket to the distributions that serve it and the mappings of its keys, with these distribution
    /// configs.
    #[must_use]
    pub fn resolutions(&self, configs: &ResolvedConfigs) -> Resolutions {
        let resolution = |bucket: &Bucket, answer: &Result<Option<Arc<BucketOptions>>, _>| match answer {
            Ok(Some(options)) => {
                Resolution::Served { options: Arc::clone(options), mappings: configs.mappings(bucket, options) }
            }
            Ok(None) => Resolution::Untagged,
            Err(_) => Resolution::Failed,
        };
        self.0.iter().map(|(bucket, answer)| (bucket.clone(), resolution(bucket, answer))).collect()
    }

    /// Returns the error of this bucket's lookup, if it failed.
    #[must_use]
    pub fn error(&self, bucket: &Bucket) -> Option<Arc<TagLookupError>> {
        self.0.get(bucket)?.as_ref().err().cloned()
    }
}

/// A cached reader of bucket tags.
pub struct TagLookup {
    defaults: BucketDefaults,
    /// The distribution that replaces the value of the tag that names the distributions, if any.
    distribution_override: Option<DistributionId>,
    ttl: CacheTtl,
    cache: CachedLookup<Bucket, Option<Arc<BucketOptions>>>,
}

impl TagLookup {
    /// Creates a lookup. `distribution_override`, if given, replaces the value of the tag that names the distributions.
    /// `backoff` is the longest delay before the first retry of `CreateInvalidation`.
    pub fn new(
        defaults: BucketDefaults,
        distribution_override: Option<DistributionId>,
        ttl: CacheTtl,
        backoff: Duration,
        clock: Clock,
    ) -> Self {
        let cache = CachedLookup::new(OPERATION, CACHED_BUCKETS, ttl, backoff, clock);
        Self { defaults, distribution_override, ttl, cache }
    }

    /// Returns the key of the tag that names a bucket's distributions.
    pub fn distribution_tag(&self) -> &str {
        &self.defaults.distribution_tag
    }

    /// Looks up the tags of all these buckets concurrently, up to [`MAX_CONCURRENT_TAG_LOOKUPS`] at a time apart from
    /// calls that hang. A bucket that has not answered by `deadline` ends with stale options or a timeout error, so
    /// that it does not delay the other buckets' changes.
    pub async fn resolve(&self, s3: &S3, mut queries: Vec<BucketQuery>, deadline: Instant) -> ResolvedTags {
        // If there is not enough time for all, it should not always be the same ones that fail.
        fastrand::shuffle(&mut queries);
        let lookups = queries.into_iter().map(|query| async move {
            let answer = self.get(s3, &query, deadline).await;
            (query.bucket, answer.map_err(Arc::new))
        });
        let answers = concurrency::run(lookups, MAX_CONCURRENT_TAG_LOOKUPS, deadline).await.into_iter().collect();
        ResolvedTags(answers)
    }

    /// Returns the bucket's options, cached or fetched. Stale options are used if S3 returns a transient error, or no
    /// response in time. That the tag was missing is never used stale, as the bucket may have it by now.
    async fn get(
        &self,
        s3: &S3,
        query: &BucketQuery,
        deadline: Instant,
    ) -> Result<Option<Arc<BucketOptions>>, TagLookupError> {
        let Cached { value, stale_because } =
            self.cache.get(&query.bucket, deadline, || self.fetch(s3, query), Option::is_some).await?;
        if let Some(error) = stale_because {
            tracing::warn!(
                bucket = query.bucket.name.as_str(),
                error = error.to_string(),
                "stale cache entry used: the bucket's tags could not be read (STALE_IF_ERROR_SECONDS)"
            );
        }
        Ok(value)
    }

    async fn fetch(
        &self,
        s3: &S3,
        query: &BucketQuery,
    ) -> Result<(Option<Arc<BucketOptions>>, Duration), TagLookupError> {
        let mut tags = match s3.bucket_tags(query).await {
            // With the distribution given, the tags only add options, so the defaults apply.
            Err(error) if error.class == ErrorClass::AccessDenied && self.distribution_override.is_some() => {
                Tags::new()
            }
            answer => answer.map_err(TagLookupError::Lookup)?,
        };
        if let Some(id) = &self.distribution_override {
            tags.insert(self.defaults.distribution_tag.clone(), id.to_string());
        }
        if let Some(options) = self.defaults.parse(&tags).map_err(TagLookupError::Tag)? {
            return Ok((Some(Arc::new(options)), self.ttl.positive));
        }
        // Logged here and not where the result is used, so that it appears once in a TTL.
        tracing::info!(
            bucket = query.bucket.name.as_str(),
            tag = self.defaults.distribution_tag,
            "changes of this bucket are skipped: the bucket does not have the tag (DISTRIBUTION_ID does not apply to \
             S3 events)"
        );
        Ok((None, self.ttl.negative))
    }
}
