//! Finding out where buckets' changes go: their tags, read once in a while.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{CacheTtl, Cached, CachedLookup, Clock, LookupError, Operation, ResolvedConfigs, permits};
use crate::aws::{BucketQuery, BucketTags, CallError, ErrorClass};
use crate::change::Bucket;
use crate::path::{BucketDefaults, BucketOptions, TagError};
use crate::plan::{Resolution, Resolutions};

/// How many buckets' answers are remembered. An account has at most 10,000 buckets by default (S3 quotas, 2024); one
/// answer takes a few hundred bytes.
const CACHED_BUCKETS: u64 = 10_000;

/// How many buckets are asked about at the same time, besides those that hang.
pub const CONCURRENT_LOOKUPS: usize = 16;

const OPERATION: Operation =
    Operation { name: "GetBucketTagging", hit: |stats| stats.tag_hits += 1, miss: |stats| stats.tag_misses += 1 };

/// Why it is not known where a bucket's changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagLookupError {
    /// Its tags could not be read.
    Lookup(CallError),
    /// A tag's value is no good.
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
                "; allow s3:GetBucketTagging on it to the calling role; a bucket of another account takes more, \
                 EXPECTED_BUCKET_OWNER among it (docs/security.md)"
            }
            ErrorClass::NotFound => {
                "; there is no such bucket: correct its name, or have its events sent no more if it was deleted"
            }
            ErrorClass::WrongRegion => {
                "; the bucket is not in the Region that the event names (without one, the function's); ask the deployment of \
                 the bucket's Region"
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

/// What was learnt of each bucket that was asked about.
#[derive(Default)]
pub struct ResolvedTags(BTreeMap<Bucket, Result<Option<Arc<BucketOptions>>, Arc<TagLookupError>>>);

impl ResolvedTags {
    /// The routes that are known, by bucket.
    pub fn options(&self) -> impl Iterator<Item = (&Bucket, &Arc<BucketOptions>)> {
        self.0.iter().filter_map(|(bucket, answer)| Some((bucket, answer.as_ref().ok()?.as_ref()?)))
    }

    /// Where each bucket's changes go, by what is known of the distributions.
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

    /// Why it is not known where this bucket's changes go, if it is not.
    #[must_use]
    pub fn error(&self, bucket: &Bucket) -> Option<Arc<TagLookupError>> {
        self.0.get(bucket)?.as_ref().err().cloned()
    }
}

/// Finds routes, and remembers them.
pub struct TagLookup<T> {
    tags: T,
    defaults: BucketDefaults,
    ttl: CacheTtl,
    cache: CachedLookup<Bucket, Option<Arc<BucketOptions>>>,
}

impl<T: BucketTags> TagLookup<T> {
    /// A router that reads tags from `tags`. `backoff` is the longest pause before a second attempt at CloudFront.
    pub fn new(tags: T, defaults: BucketDefaults, ttl: CacheTtl, backoff: Duration, clock: Clock) -> Self {
        let cache = CachedLookup::new(OPERATION, CACHED_BUCKETS, ttl, backoff, clock);
        Self { tags, defaults, ttl, cache }
    }

    /// What it asks.
    pub fn source(&self) -> &T {
        &self.tags
    }

    /// The tag that names a bucket's distributions.
    pub fn distribution_tag(&self) -> &str {
        &self.defaults.distribution_tag
    }

    /// What is known of all these buckets, looked up at the same time, [`CONCURRENT_LOOKUPS`] of them and those that hang.
    /// A bucket that has not answered by `deadline` is not waited for, so that the others' changes are not held up.
    pub async fn resolve(&self, mut queries: Vec<BucketQuery>, deadline: Instant) -> ResolvedTags {
        // Where there is no time for all, it must not always be the same that go without.
        fastrand::shuffle(&mut queries);
        let lookups = queries.into_iter().map(|query| async move {
            let answer = self.get(&query, deadline).await;
            (query.bucket, answer.map_err(Arc::new))
        });
        let answers = permits::run(lookups, CONCURRENT_LOOKUPS, deadline).await.into_iter().collect();
        ResolvedTags(answers)
    }

    /// The route of a bucket, remembered or looked up. Where S3 does not answer, or for a while not as it should, an old
    /// one serves; that a bucket had no tag does not, as it may have one by now.
    async fn get(&self, query: &BucketQuery, deadline: Instant) -> Result<Option<Arc<BucketOptions>>, TagLookupError> {
        let Cached { value, stale } =
            self.cache.get(&query.bucket, deadline, || self.fetch(query), Option::is_some).await?;
        if let Some(error) = stale {
            tracing::warn!(
                bucket = query.bucket.name.as_str(),
                error = error.to_string(),
                "the bucket's tags could not be read again; what they said last is used (STALE_TAG_SECONDS)"
            );
        }
        Ok(value)
    }

    async fn fetch(&self, query: &BucketQuery) -> Result<(Option<Arc<BucketOptions>>, Duration), TagLookupError> {
        let tags = self.tags.bucket_tags(query).await.map_err(TagLookupError::Lookup)?;
        if let Some(options) = self.defaults.parse(&tags).map_err(TagLookupError::Tag)? {
            return Ok((Some(Arc::new(options)), self.ttl.positive));
        }
        // Here and not where the answer is used, so that it is said once in the answer's life.
        tracing::info!(
            bucket = query.bucket.name.as_str(),
            tag = self.defaults.distribution_tag,
            "changes of this bucket are ignored: it does not have the tag (DISTRIBUTION_ID does not apply to S3 events)"
        );
        Ok((None, self.ttl.negative))
    }
}
