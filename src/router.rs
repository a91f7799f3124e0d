//! Finding out where buckets' changes go: their tags, read once in a while.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout_at};

use crate::backoff::pause;
use crate::cache::{Cached, Clock, TtlCache};
use crate::change::Bucket;
use crate::ports::{BucketQuery, BucketTags, CallError, ErrorClass};
use crate::route::{Destination, Route, RouteSettings, TagError};

/// How many buckets' answers are remembered. An account has at most 10,000 buckets by default (S3 quotas, 2024); one
/// answer takes a few hundred bytes.
const CACHED_BUCKETS: u64 = 10_000;

/// How many buckets are asked about at the same time.
pub const CONCURRENT_LOOKUPS: usize = 16;

/// How often a bucket is asked about that does not answer as it should, and what part of the pause that suits CloudFront
/// is made. S3 takes thousands of requests a second for a bucket, so what fails there passes soon.
const LOOKUPS: u32 = 4;
const PAUSE_SHARE: u32 = 10;

/// How long answers are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lives {
    /// That of a bucket with the tag.
    pub tagged: Duration,
    /// That of a bucket without it.
    pub untagged: Duration,
    /// How old the answer for a bucket with the tag may be that serves while S3 cannot be asked.
    pub stale: Duration,
}

/// Why it is not known where a bucket's changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// Its tags could not be read.
    Lookup(CallError),
    /// A tag's value is no good.
    Tag(TagError),
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match self {
            Self::Tag(error) => return error.fmt(f),
            Self::Lookup(error) => error,
        };
        write!(f, "its tags could not be read: {error}")?;
        f.write_str(match error.class {
            ErrorClass::AccessDenied => {
                "; allow s3:GetBucketTagging on the bucket to the function's role, and if the bucket belongs to another \
                 account set EXPECTED_BUCKET_OWNER"
            }
            ErrorClass::NotFound => "; the bucket was deleted, or is not the function's to see",
            ErrorClass::WrongRegion => "; the bucket is in another Region than the event, or the function, says",
            _ => "",
        })
    }
}

impl std::error::Error for RouteError {}

/// What was learnt of each bucket that was asked about.
#[derive(Default)]
pub struct Learnt(BTreeMap<Bucket, Result<Option<Arc<Route>>, Arc<RouteError>>>);

impl Learnt {
    /// Where each bucket's changes go.
    #[must_use]
    pub fn destinations(&self) -> BTreeMap<Bucket, Destination> {
        let destination = |answer: &Result<Option<Arc<Route>>, _>| match answer {
            Ok(Some(route)) => Destination::Route(Arc::clone(route)),
            Ok(None) => Destination::Untagged,
            Err(_) => Destination::Unknown,
        };
        self.0.iter().map(|(bucket, answer)| (bucket.clone(), destination(answer))).collect()
    }

    /// Why it is not known where this bucket's changes go, if it is not.
    #[must_use]
    pub fn error(&self, bucket: &Bucket) -> Option<Arc<RouteError>> {
        self.0.get(bucket)?.as_ref().err().cloned()
    }
}

/// Finds routes, and remembers them.
pub struct Router<T> {
    tags: T,
    settings: RouteSettings,
    lives: Lives,
    backoff: Duration,
    cache: TtlCache<Bucket, Option<Arc<Route>>>,
}

impl<T: BucketTags> Router<T> {
    /// A router that reads tags from `tags`. `backoff` is the longest pause before a second attempt at CloudFront.
    pub fn new(tags: T, settings: RouteSettings, lives: Lives, backoff: Duration, clock: Clock) -> Self {
        Self { tags, settings, lives, backoff, cache: TtlCache::new(CACHED_BUCKETS, clock) }
    }

    /// The tag that names a bucket's distributions.
    pub fn distribution_tag(&self) -> &str {
        &self.settings.distribution_tag
    }

    /// What is known of all these buckets, looked up at the same time, at most [`CONCURRENT_LOOKUPS`] of them. A bucket
    /// that has not answered by `deadline` is not waited for, so that the others' changes are not held up.
    pub async fn learn(&self, queries: Vec<BucketQuery>, deadline: Instant) -> Learnt {
        let answers = stream::iter(queries)
            .map(|query| async move {
                let answer = self.recall(&query, deadline).await;
                (query.bucket, answer.map_err(Arc::new))
            })
            .buffer_unordered(CONCURRENT_LOOKUPS)
            .collect()
            .await;
        Learnt(answers)
    }

    /// The route of a bucket, remembered or looked up. Where S3 does not answer, or for a while not as it should, an old
    /// one serves; that a bucket had no tag does not, as it may have one by now.
    async fn recall(&self, query: &BucketQuery, deadline: Instant) -> Result<Option<Arc<Route>>, RouteError> {
        let look_up = || self.look_up_until(query, deadline);
        let serves = |route: &Option<Arc<Route>>, age: Duration, error: &RouteError| {
            let passes = matches!(error, RouteError::Lookup(error) if error.class.is_transient());
            passes && route.is_some() && age <= self.lives.stale
        };
        let Cached { value, stale } = self.cache.get(&query.bucket, look_up, serves).await?;
        if let Some(error) = stale {
            tracing::warn!(
                bucket = query.bucket.name.as_str(),
                error = error.to_string(),
                "the bucket's tags could not be read again; what they said last is used (STALE_TAG_SECONDS)"
            );
        }
        Ok(value)
    }

    /// Looks a route up, again where that may help.
    async fn look_up_until(
        &self,
        query: &BucketQuery,
        deadline: Instant,
    ) -> Result<(Option<Arc<Route>>, Duration), RouteError> {
        let mut failures = 0;
        loop {
            let no_time = |_| Err(RouteError::Lookup(CallError::no_time("GetBucketTagging")));
            let answer = timeout_at(deadline, self.look_up(query)).await.unwrap_or_else(no_time);
            let pause = pause(self.backoff / PAUSE_SHARE, failures);
            failures += 1;
            match answer {
                Err(RouteError::Lookup(error))
                    if error.class.is_transient() && failures < LOOKUPS && Instant::now() + pause < deadline =>
                {
                    sleep(pause).await;
                }
                answer => return answer,
            }
        }
    }

    async fn look_up(&self, query: &BucketQuery) -> Result<(Option<Arc<Route>>, Duration), RouteError> {
        let tags = self.tags.bucket_tags(query).await.map_err(RouteError::Lookup)?;
        if let Some(route) = self.settings.route(&tags).map_err(RouteError::Tag)? {
            return Ok((Some(Arc::new(route)), self.lives.tagged));
        }
        // Here and not where the answer is used, so that it is said once in the answer's life.
        tracing::info!(
            bucket = query.bucket.name.as_str(),
            tag = self.settings.distribution_tag,
            "changes of this bucket are ignored: it does not have the tag (DISTRIBUTION_ID does not apply to S3 events)"
        );
        Ok((None, self.lives.untagged))
    }
}
