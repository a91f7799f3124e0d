//! Listing buckets where that can save paths or evictions, within what it may cost.

mod order;
mod page;
mod ranges;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{Clock, TtlCache};
use crate::aws::{BucketQuery, ErrorClass, Objects};
use crate::change::Bucket;
use crate::plan::{Folder, Stock};

pub use self::scan::{Limits, list};

/// How many folders are listed at the same time, and by how many requests each.
const CONCURRENT_FOLDERS: usize = 4;
const CONCURRENT_REQUESTS: usize = 8;

/// What part of the pause that suits `CreateInvalidation` is made before a page is asked for again.
const PAUSE_SHARE: u32 = 10;

/// How many buckets are remembered that may not be listed.
const REMEMBERED_DENIALS: u64 = 10_000;

/// Lists buckets.
pub struct Lister {
    /// The most requests for a delivery; `None` where nothing is listed.
    pages: Option<NonZeroUsize>,
    backoff: Duration,
    /// How long it is remembered that a bucket may not be listed.
    life: Duration,
    denied: TtlCache<Bucket, ()>,
}

impl Lister {
    /// A lister that makes so many requests for a delivery at the most. That a bucket may not be listed is remembered for
    /// `life`; `backoff` is the longest pause before a second attempt at `CreateInvalidation`.
    pub fn new(pages: Option<NonZeroUsize>, life: Duration, backoff: Duration, clock: Clock) -> Self {
        Self { pages, backoff, life, denied: TtlCache::new(REMEMBERED_DENIALS, clock) }
    }

    /// Whether it lists at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.pages.is_some()
    }

    /// Lists these folders, for the changed keys in each, until `deadline`. What could not be listed is not known, and
    /// nothing is lost for it.
    pub async fn list<O: Objects>(
        &self,
        source: &O,
        wanted: BTreeMap<Folder, BTreeSet<&str>>,
        queries: &[BucketQuery],
        deadline: Instant,
    ) -> Stock {
        let Some(pages) = self.pages else { return Stock::default() };
        let mut listed = Vec::new();
        for (folder, keys) in wanted {
            if self.denied.fresh(&folder.0).await.is_none() {
                listed.push((folder, keys));
            }
        }
        let mut wanted = listed;
        // Where most has changed there is most to save.
        wanted.sort_by_key(|(_, keys)| std::cmp::Reverse(keys.len()));
        wanted.truncate(pages.get());
        let share = pages.get() / wanted.len().max(1);
        let limits =
            Limits { pages: share, concurrency: CONCURRENT_REQUESTS, deadline, backoff: self.backoff / PAUSE_SHARE };
        let listings = stream::iter(wanted)
            .filter_map(async |((bucket, folder), keys)| {
                let query = queries.iter().find(|query| query.bucket == bucket)?;
                Some(((bucket, folder), query, keys))
            })
            .map(|((bucket, folder), query, keys)| async move {
                let keys: Vec<_> = keys.into_iter().collect();
                let (listing, error) = list(source, query, &folder, &keys, &limits).await;
                if let Some(error) = error {
                    let is_denied = error.class == ErrorClass::AccessDenied;
                    tracing::warn!(
                        bucket = bucket.name.as_str(),
                        error = error.to_string(),
                        "the bucket could not be listed, so it is guessed what wildcards evict{}",
                        if is_denied { "; allow s3:ListBucket, or set INVENTORY=off" } else { "" }
                    );
                    if is_denied {
                        self.denied.put(bucket.clone(), (), self.life).await;
                    }
                }
                ((bucket, folder), listing)
            })
            .buffer_unordered(CONCURRENT_FOLDERS)
            .collect()
            .await;
        Stock(listings)
    }
}
