//! Looks up a bucket's tags: which distributions serve it, and with which options.
//!
//! Options are cached for `CACHE_TTL_SECONDS`, and the absence of the tag for `NEGATIVE_CACHE_TTL_SECONDS` (see
//! [`CacheTtl`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::calls::{self, CacheCounters, retry};
use super::{Cache, CacheTtl, Cached, CallLimits, Clock, ResolvedConfigs};
use crate::aws::{BucketQuery, CallError, ErrorClass, S3};
use crate::change::{Bucket, DistributionId};
use crate::path::{BucketDefaults, BucketOptions, TagError, Tags, misnamed_tag_message};
use crate::plan::{Resolution, Resolutions};

/// The most buckets whose tags are cached. An account has at most 10,000 buckets by default (S3 quotas, 2024); an
/// entry takes a few hundred bytes.
const CACHED_BUCKETS: u64 = 10_000;

/// The most buckets that are looked up concurrently, apart from calls that hang (see [`calls`]).
const MAX_CONCURRENT_TAG_LOOKUPS: usize = 16;

const COUNTERS: CacheCounters = |stats| (&mut stats.tag_cache_hits, &mut stats.tag_cache_misses);

/// A bucket's options; `None` if it does not have the tag.
type Options = Option<Arc<BucketOptions>>;

/// Why a bucket's options are unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TagLookupError {
    /// The tags could not be read.
    #[error("its tags could not be read: {0}{remedy}", remedy = remedy(.0.class))]
    Lookup(CallError),
    /// A tag's value is invalid.
    #[error(transparent)]
    Tag(#[from] TagError),
}

fn remedy(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::AccessDenied => {
            "; allow s3:GetBucketTagging on the bucket for the role or user that makes the call; for a bucket in another \
             account, use that account's credentials, or set the function's EXPECTED_BUCKET_OWNER and follow \
             docs/security.md"
        }
        ErrorClass::NotFound => "; correct the bucket name, or stop sending events of the deleted bucket",
        ErrorClass::WrongRegion => {
            "; the bucket is not in the Region that the event names (by default that of the function or command); use the \
             function in the bucket's Region, or the command's --region"
        }
        _ => "",
    }
}

/// The result of the lookup for each bucket.
#[derive(Default)]
pub struct ResolvedTags(BTreeMap<Bucket, Result<Options, TagLookupError>>);

impl ResolvedTags {
    /// Returns the tagged buckets with their options.
    pub fn options(&self) -> impl Iterator<Item = (&Bucket, &Arc<BucketOptions>)> {
        self.0.iter().filter_map(|(bucket, answer)| Some((bucket, answer.as_ref().ok()?.as_ref()?)))
    }

    /// Resolves each bucket to the distributions that serve it and the mappings of its keys, with these distribution
    /// configs.
    #[must_use]
    pub fn resolutions(&self, configs: &ResolvedConfigs) -> Resolutions {
        let resolution = |bucket: &Bucket, answer: &Result<Options, _>| match answer {
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
    pub fn error(&self, bucket: &Bucket) -> Option<&TagLookupError> {
        self.0.get(bucket)?.as_ref().err()
    }
}

/// A cached reader of bucket tags.
pub struct TagLookup {
    defaults: BucketDefaults,
    /// The distribution that replaces the value of the tag that names the distributions, if any.
    distribution_override: Option<DistributionId>,
    ttl: CacheTtl,
    limits: CallLimits,
    cache: Cache<Bucket, Options>,
}

impl TagLookup {
    /// Creates a lookup. `distribution_override`, if given, replaces the value of the tag that names the distributions.
    pub fn new(
        defaults: BucketDefaults,
        distribution_override: Option<DistributionId>,
        ttl: CacheTtl,
        limits: CallLimits,
        clock: Clock,
    ) -> Self {
        Self { defaults, distribution_override, ttl, limits, cache: Cache::new(CACHED_BUCKETS, clock) }
    }

    /// Returns the key of the tag that names a bucket's distributions.
    pub fn distribution_tag(&self) -> &str {
        &self.defaults.distribution_tag
    }

    /// Looks up the tags of all these buckets concurrently, up to 16 at a time apart from calls that hang. A bucket
    /// that has not answered by `deadline` ends with stale options or a timeout error, so that it does not delay the
    /// other buckets' changes.
    pub async fn resolve(&self, s3: &S3, queries: Vec<BucketQuery>, deadline: Instant) -> ResolvedTags {
        let hold = self.limits.hold(Instant::now(), deadline);
        let lookup = async |query: BucketQuery| {
            let answer = self.get(s3, &query, deadline).await;
            (query.bucket, answer)
        };
        ResolvedTags(calls::run(queries, MAX_CONCURRENT_TAG_LOOKUPS, hold, lookup).await)
    }

    /// Returns the bucket's options, cached or fetched. Stale options are used if S3 returns a transient error, or no
    /// response in time. That the tag was missing is never used stale, as the bucket may have it by now.
    async fn get(&self, s3: &S3, query: &BucketQuery, deadline: Instant) -> Result<Options, TagLookupError> {
        let fetch = async || self.fetch(s3, query, deadline).await;
        let allow_stale = |options: &Option<_>, age, error: &_| {
            options.is_some() && matches!(error, TagLookupError::Lookup(error) if self.ttl.allows_stale(age, error))
        };
        let Cached { value, stale_because } =
            self.cache.get_or_fetch(&query.bucket, COUNTERS, fetch, allow_stale).await?;
        if let Some(error) = stale_because {
            tracing::warn!(
                bucket = query.bucket.name.as_str(),
                error = error.to_string(),
                "stale cache entry used: the bucket's tags could not be read (STALE_IF_ERROR_SECONDS)"
            );
        }
        Ok(value)
    }

    /// Forgets the bucket's options, so that the next delivery reads its tags, which may have been corrected.
    pub async fn forget(&self, bucket: &Bucket) {
        self.cache.remove(bucket).await;
    }

    async fn fetch(
        &self,
        s3: &S3,
        query: &BucketQuery,
        deadline: Instant,
    ) -> Result<(Options, Duration), TagLookupError> {
        let call = async || s3.bucket_tags(query).await;
        let mut tags = match retry("GetBucketTagging", &self.limits, deadline, call).await {
            // With the distribution given, the tags only add options, so the defaults apply.
            Err(error) if error.class == ErrorClass::AccessDenied && self.distribution_override.is_some() => {
                Tags::new()
            }
            answer => answer.map_err(TagLookupError::Lookup)?,
        };
        if let Some(id) = &self.distribution_override {
            tags.insert(self.defaults.distribution_tag.clone(), id.to_string());
        }
        let options = self.defaults.parse(&tags)?;
        // Logged here and not where the result is used, so that it appears once in a TTL; and only now, because tags of
        // which one is invalid are not cached.
        for (tag, meant) in self.defaults.misnamed_tags(&tags) {
            tracing::warn!(bucket = query.bucket.name.as_str(), "{}", misnamed_tag_message(tag, meant));
        }
        if let Some(options) = options {
            return Ok((Some(Arc::new(options)), self.ttl.positive));
        }
        tracing::info!(
            bucket = query.bucket.name.as_str(),
            tag = self.defaults.distribution_tag,
            "changes of this bucket are skipped: the bucket does not have the tag (DISTRIBUTION_ID does not apply to \
             S3 events)"
        );
        Ok((None, self.ttl.negative))
    }
}
