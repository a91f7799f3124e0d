//! Finding out where buckets' changes go: their tags, read once in a while.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Cached, Clock, Lives, LookupError, Lookups, Operation, Surveyed, permits};
use crate::aws::{BucketQuery, BucketTags, CallError, ErrorClass};
use crate::change::Bucket;
use crate::path::{Route, RouteSettings, TagError};
use crate::plan::{Destination, Destinations};

/// How many buckets' answers are remembered. An account has at most 10,000 buckets by default (S3 quotas, 2024); one
/// answer takes a few hundred bytes.
const CACHED_BUCKETS: u64 = 10_000;

/// How many buckets are asked about at the same time, besides those that hang.
pub const CONCURRENT_LOOKUPS: usize = 16;

const OPERATION: Operation =
    Operation { name: "GetBucketTagging", hit: |tally| tally.tag_hits += 1, miss: |tally| tally.tag_misses += 1 };

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

impl std::error::Error for RouteError {}

impl From<CallError> for RouteError {
    fn from(error: CallError) -> Self {
        Self::Lookup(error)
    }
}

impl LookupError for RouteError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Lookup(error) if error.class.is_transient())
    }
}

/// What was learnt of each bucket that was asked about.
#[derive(Default)]
pub struct Learnt(BTreeMap<Bucket, Result<Option<Arc<Route>>, Arc<RouteError>>>);

impl Learnt {
    /// The routes that are known, by bucket.
    pub fn routes(&self) -> impl Iterator<Item = (&Bucket, &Arc<Route>)> {
        self.0.iter().filter_map(|(bucket, answer)| Some((bucket, answer.as_ref().ok()?.as_ref()?)))
    }

    /// Where each bucket's changes go, by what is known of the distributions.
    #[must_use]
    pub fn destinations(&self, surveyed: &Surveyed) -> Destinations {
        let destination = |bucket: &Bucket, answer: &Result<Option<Arc<Route>>, _>| match answer {
            Ok(Some(route)) => Destination::Shown { route: Arc::clone(route), views: surveyed.views(bucket, route) },
            Ok(None) => Destination::Untagged,
            Err(_) => Destination::Unknown,
        };
        self.0.iter().map(|(bucket, answer)| (bucket.clone(), destination(bucket, answer))).collect()
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
    routes: Lookups<Bucket, Option<Arc<Route>>>,
}

impl<T: BucketTags> Router<T> {
    /// A router that reads tags from `tags`. `backoff` is the longest pause before a second attempt at CloudFront.
    pub fn new(tags: T, settings: RouteSettings, lives: Lives, backoff: Duration, clock: Clock) -> Self {
        let routes = Lookups::new(OPERATION, CACHED_BUCKETS, lives, backoff, clock);
        Self { tags, settings, lives, routes }
    }

    /// What it asks.
    pub fn source(&self) -> &T {
        &self.tags
    }

    /// The tag that names a bucket's distributions.
    pub fn distribution_tag(&self) -> &str {
        &self.settings.distribution_tag
    }

    /// What is known of all these buckets, looked up at the same time, [`CONCURRENT_LOOKUPS`] of them and those that hang.
    /// A bucket that has not answered by `deadline` is not waited for, so that the others' changes are not held up.
    pub async fn learn(&self, mut queries: Vec<BucketQuery>, deadline: Instant) -> Learnt {
        // Where there is no time for all, it must not always be the same that go without.
        fastrand::shuffle(&mut queries);
        let lookups = queries.into_iter().map(|query| async move {
            let answer = self.recall(&query, deadline).await;
            (query.bucket, answer.map_err(Arc::new))
        });
        let answers = permits::all(lookups, CONCURRENT_LOOKUPS, deadline).await.into_iter().collect();
        Learnt(answers)
    }

    /// The route of a bucket, remembered or looked up. Where S3 does not answer, or for a while not as it should, an old
    /// one serves; that a bucket had no tag does not, as it may have one by now.
    async fn recall(&self, query: &BucketQuery, deadline: Instant) -> Result<Option<Arc<Route>>, RouteError> {
        let Cached { value, stale } =
            self.routes.get(&query.bucket, deadline, || self.look_up(query), Option::is_some).await?;
        if let Some(error) = stale {
            tracing::warn!(
                bucket = query.bucket.name.as_str(),
                error = error.to_string(),
                "the bucket's tags could not be read again; what they said last is used (STALE_TAG_SECONDS)"
            );
        }
        Ok(value)
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
