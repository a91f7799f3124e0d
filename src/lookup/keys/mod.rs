//! Lists the keys of buckets where that can save paths or evictions of unchanged objects, within a limit of requests.
//!
//! Listed keys are not cached; that access to a bucket was denied is.

mod directories;
mod order;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{Cache, CallLimits, Clock};
use crate::aws::{BucketKeys, BucketQuery, ErrorClass};
use crate::change::Bucket;
use crate::plan::{BucketPrefix, ListedKeys};

pub use self::scan::{ScanLimits, scan_keys};

/// The most prefixes that are listed concurrently.
const CONCURRENT_PREFIXES: usize = 4;
/// The most concurrent requests for one prefix.
const CONCURRENT_REQUESTS: usize = 8;

/// The most buckets for which a denied listing is cached.
const CACHED_DENIALS: u64 = 10_000;

/// Lists the keys around changed keys.
pub struct KeyLookup {
    /// The most requests for a delivery; `None` if nothing is listed.
    max_requests: Option<NonZeroUsize>,
    calls: CallLimits,
    /// How long a denied listing is cached.
    ttl: Duration,
    denied: Cache<Bucket, ()>,
}

impl KeyLookup {
    /// Creates a lookup that makes at most `max_requests` requests for a delivery. A denied listing is cached for
    /// `ttl`.
    pub fn new(max_requests: Option<NonZeroUsize>, ttl: Duration, calls: CallLimits, clock: Clock) -> Self {
        Self { max_requests, calls, ttl, denied: Cache::new(CACHED_DENIALS, clock) }
    }

    /// Returns whether anything is listed.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.max_requests.is_some()
    }

    /// Lists each prefix around the changed keys in it, until `deadline`. Errors are logged and not returned: keys
    /// that could not be listed are unknown, and wildcards over them are estimated.
    pub async fn list<O: BucketKeys>(
        &self,
        source: &O,
        prefixes: BTreeMap<BucketPrefix, BTreeSet<&str>>,
        queries: &[BucketQuery],
        deadline: Instant,
    ) -> ListedKeys {
        let Some(max_requests) = self.max_requests else { return ListedKeys::default() };
        let mut scans = Vec::new();
        for ((bucket, prefix), keys) in prefixes {
            if let Some(query) = queries.iter().find(|query| query.bucket == bucket)
                && self.denied.fresh(&bucket).await.is_none()
            {
                scans.push((query, prefix, keys));
            }
        }
        // The prefixes with the most changes have the most to save.
        scans.sort_by_key(|(.., keys)| std::cmp::Reverse(keys.len()));
        scans.truncate(max_requests.get());
        let limits = ScanLimits {
            max_requests: max_requests.get() / scans.len().max(1),
            concurrency: CONCURRENT_REQUESTS,
            deadline,
            calls: self.calls,
        };
        let listings = stream::iter(scans)
            .map(|(query, prefix, keys)| async move {
                let keys: Vec<_> = keys.into_iter().collect();
                let (listing, error) = scan_keys(source, query, &prefix, &keys, &limits).await;
                if let Some(error) = error {
                    let is_denied = error.class == ErrorClass::AccessDenied;
                    tracing::warn!(
                        bucket = query.bucket.name.as_str(),
                        error = error.to_string(),
                        "the bucket could not be listed, so the unchanged objects that wildcards evict are estimated{}",
                        if is_denied { "; allow s3:ListBucket, or set BUCKET_LISTING=off" } else { "" }
                    );
                    if is_denied {
                        self.denied.put(query.bucket.clone(), (), self.ttl).await;
                    }
                }
                ((query.bucket.clone(), prefix), listing)
            })
            .buffer_unordered(CONCURRENT_PREFIXES)
            .collect()
            .await;
        ListedKeys(listings)
    }
}
