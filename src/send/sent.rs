//! What was sent: the report of an invalidation, and the cache of those that CloudFront accepted.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::aws::{Accepted, Progress};
use crate::change::{DistributionId, InvalidationId};
use crate::lookup::Clock;
use crate::path::Item;
use crate::plan::{CallerReference, Invalidation, price_usd};

/// The most buckets of one invalidation that are listed.
pub(crate) const MAX_LISTED_BUCKETS: usize = 10;

/// An invalidation that CloudFront accepted, or that a dry run would have sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentInvalidation {
    /// The distribution.
    pub distribution_id: DistributionId,
    /// The result of sending it.
    pub status: SentStatus,
    /// CloudFront's ID of the invalidation; absent if CloudFront did not return one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_id: Option<InvalidationId>,
    /// The status of the invalidation in CloudFront; absent if nothing waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_status: Option<Progress>,
    /// The caller reference.
    pub caller_reference: String,
    /// The number of buckets whose changes it covers, or whose tag named the distribution.
    pub bucket_count: usize,
    /// The first of these buckets.
    pub buckets: Vec<String>,
    /// The number of changes it covers. A change is counted for each of its distributions. Of an invalidation that was
    /// sent in parts, the first part has those of all parts.
    pub changes: usize,
    /// The number of its paths and cache tags.
    pub path_count: usize,
    /// The number of wildcards among all its paths.
    pub wildcard_count: usize,
    /// The number of URLs of unchanged objects that it evicts; absent if that is only estimated. Of an invalidation that
    /// was sent in parts, the first part has those of all parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged_evicted: Option<u64>,
    /// The number of wildcards that were merged into wider ones, because CloudFront refused the invalidation until it was
    /// late. They evict more than planned, which is counted if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_wildcards: Option<NonZeroUsize>,
    /// The price of its paths in US dollars, beyond the free ones, if CloudFront bills them in this invocation, or would
    /// without the dry run; otherwise 0.
    pub cost_usd: f64,
    /// Its paths and cache tags; a report may list only some.
    pub paths: Vec<Item>,
}

impl SentInvalidation {
    /// Builds the report of `invalidation` from CloudFront's answer; `accepted` is `None` in a dry run.
    #[must_use]
    pub fn new(invalidation: &Invalidation, accepted: Option<Accepted>) -> Self {
        let (status, invalidation_id) = match accepted {
            Some(Accepted::Created { id }) => (SentStatus::Accepted, Some(id)),
            Some(Accepted::AlreadyExists) => (SentStatus::AlreadyExists, None),
            None => (SentStatus::DryRun, None),
        };
        Self {
            distribution_id: invalidation.distribution.clone(),
            status,
            invalidation_id,
            invalidation_status: None,
            caller_reference: invalidation.caller_reference.as_str().to_owned(),
            bucket_count: invalidation.buckets.len(),
            buckets: invalidation.buckets.iter().take(MAX_LISTED_BUCKETS).map(ToString::to_string).collect(),
            changes: invalidation.changes.len(),
            path_count: invalidation.items.len(),
            wildcard_count: invalidation.wildcard_count(),
            unchanged_evicted: invalidation.unchanged_evicted,
            merged_wildcards: None,
            cost_usd: match status {
                SentStatus::Accepted | SentStatus::DryRun => price_usd(invalidation.items.len()),
                SentStatus::AcceptedBefore | SentStatus::AlreadyExists => 0.0,
            },
            paths: invalidation.items.clone(),
        }
    }

    /// Removes the counts that concern the whole invalidation, for its parts but the first.
    pub(super) fn remove_counts(&mut self) {
        (self.changes, self.unchanged_evicted) = (0, None);
    }

    /// Marks it as accepted for an earlier delivery of the same changes.
    #[must_use]
    pub fn cached(self) -> Self {
        let status = if self.status == SentStatus::Accepted { SentStatus::AcceptedBefore } else { self.status };
        Self { status, cost_usd: 0.0, ..self }
    }

    /// Returns whether CloudFront accepted it in this invocation, and so bills it. One that already exists under its
    /// caller reference is not billed again.
    #[must_use]
    pub fn is_billed(&self) -> bool {
        self.status == SentStatus::Accepted
    }
}

/// The result of sending an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentStatus {
    /// CloudFront accepted it.
    Accepted,
    /// CloudFront accepted it for an earlier delivery of the same changes, so it was not sent again.
    AcceptedBefore,
    /// CloudFront answered that it had accepted it before, for an earlier delivery or attempt.
    AlreadyExists,
    /// `DRY_RUN` is on: nothing was sent.
    DryRun,
}

/// How long an entry is cached: as long as Lambda retries an event (maximum age of an asynchronous event, 6 h).
const SENT_TTL: Duration = Duration::from_hours(6);

/// The approximate size limit of the cache, in bytes: some 5,000 invalidations that were accepted with the paths they
/// were planned with.
const MAX_CACHE_BYTES: usize = 2 * 1024 * 1024;

/// The approximate size of an entry without rewritten paths, in bytes.
const ENTRY_SIZE: usize = 400;
/// The approximate size of a rewritten path besides its text, in bytes.
const ITEM_SIZE: usize = 64;

/// The accepted invalidations, by the caller reference they were planned with.
///
/// A caller reference identifies distribution, delivery and paths, so an invalidation that was accepted under it is
/// done. When Lambda retries an event because another distribution failed, sending it again would only use up
/// CloudFront's low request rate. And CloudFront does not recognize an invalidation that it accepted with other paths
/// than planned; this cache does. It is only an optimization: an invalidation that is not cached, in another process
/// or for lack of space, is sent again.
pub struct SentCache {
    clock: Clock,
    entries: Mutex<SentEntries>,
}

impl SentCache {
    /// Creates an empty cache.
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    /// Returns what was accepted for a planned invalidation, if it is cached.
    pub(super) fn get(&self, planned: &Invalidation) -> Option<SentInvalidation> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.by_reference.get(&planned.caller_reference).filter(|it| self.is_fresh(it))?;
        let mut sent = planned.clone();
        if let Some((caller_reference, items)) = &entry.rewritten {
            sent.caller_reference = caller_reference.clone();
            sent.items.clone_from(items);
        }
        Some(SentInvalidation::new(&sent, Some(entry.accepted.clone())))
    }

    /// Caches that `sent` was accepted: the planned invalidation, or the rewritten one that replaced it.
    pub(super) fn insert(&self, planned: &Invalidation, sent: &Invalidation, accepted: &Accepted) {
        let rewritten = (sent.items != planned.items).then(|| (sent.caller_reference.clone(), sent.items.clone()));
        let items = rewritten.iter().flat_map(|(_, items)| items);
        let size = ENTRY_SIZE + items.map(|item| ITEM_SIZE + item.as_str().len()).sum::<usize>();
        let entry = SentEntry { accepted: accepted.clone(), rewritten, stored_at: (self.clock)(), size };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.size += size;
        match entries.by_reference.insert(planned.caller_reference.clone(), entry) {
            Some(older) => entries.size -= older.size,
            None => entries.order.push_back(planned.caller_reference.clone()),
        }
        while entries.size > MAX_CACHE_BYTES
            && let Some(oldest) = entries.order.pop_front()
        {
            let evicted = entries.by_reference.remove(&oldest);
            entries.size -= evicted.map_or(0, |it| it.size);
        }
    }

    /// By the wall clock, since the monotonic clock may stand still while the sandbox is frozen. An entry from the
    /// future is not fresh.
    fn is_fresh(&self, entry: &SentEntry) -> bool {
        (self.clock)().duration_since(entry.stored_at).is_ok_and(|age| age < SENT_TTL)
    }
}

#[derive(Default)]
struct SentEntries {
    by_reference: HashMap<CallerReference, SentEntry>,
    /// The references, the oldest first.
    order: VecDeque<CallerReference>,
    size: usize,
}

struct SentEntry {
    accepted: Accepted,
    /// The caller reference and paths that were accepted, if they are not the planned ones.
    rewritten: Option<(CallerReference, Vec<Item>)>,
    stored_at: SystemTime,
    size: usize,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::change::{DistributionId, InvalidationId};
    use crate::plan::{DeliveryId, plan_named};

    fn sent_cache() -> (SentCache, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(1_000_000));
        let clock_seconds = Arc::clone(&seconds);
        let now = move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock_seconds.load(Ordering::Relaxed));
        (SentCache::new(Arc::new(now)), seconds)
    }

    fn planned(path: &str, delivery: &str) -> Invalidation {
        let items = [Item::named(path).unwrap()];
        plan_named(&[DistributionId::new("E1").unwrap()], &items, None, &DeliveryId::Invocation(delivery)).remove(0)
    }

    fn accepted() -> Accepted {
        Accepted::Created { id: InvalidationId::new("I1").unwrap() }
    }

    #[test]
    fn an_accepted_invalidation_is_returned_for_the_same_delivery_only() {
        let (sent_cache, _) = sent_cache();
        let plan = planned("/a", "r1");
        assert_eq!(sent_cache.get(&plan), None);
        sent_cache.insert(&plan, &plan, &accepted());
        assert_eq!(sent_cache.get(&plan), Some(SentInvalidation::new(&plan, Some(accepted()))));
        assert_eq!(sent_cache.get(&planned("/a", "r2")), None);
        assert_eq!(sent_cache.get(&planned("/b", "r1")), None);
    }

    #[test]
    fn rewritten_paths_are_returned_as_accepted() {
        let (sent_cache, _) = sent_cache();
        let (plan, wider) = (planned("/a", "r1"), planned("/*", "r1"));
        sent_cache.insert(&plan, &wider, &accepted());
        let cached = sent_cache.get(&plan).unwrap();
        assert_eq!((cached.paths.as_slice(), cached.path_count), (wider.items.as_slice(), 1));
        assert_eq!(cached.caller_reference, wider.caller_reference.as_str());
    }

    #[test]
    fn entries_expire() {
        let (sent_cache, seconds) = sent_cache();
        let plan = planned("/a", "r1");
        sent_cache.insert(&plan, &plan, &accepted());
        seconds.fetch_add(6 * 3600 - 1, Ordering::Relaxed);
        assert!(sent_cache.get(&plan).is_some());
        seconds.fetch_add(1, Ordering::Relaxed);
        assert_eq!(sent_cache.get(&plan), None);
        sent_cache.insert(&plan, &plan, &accepted());
        seconds.fetch_sub(10, Ordering::Relaxed);
        assert_eq!(sent_cache.get(&plan), None, "the clock was set back");
    }

    #[test]
    fn the_oldest_entries_are_evicted_first() {
        let (sent_cache, _) = sent_cache();
        let long = planned(&format!("/{}", "x".repeat(3000)), "r1");
        for number in 0..10_000 {
            let plan = planned("/a", &number.to_string());
            let sent = if number % 2 == 0 { &long } else { &plan };
            sent_cache.insert(&plan, sent, &accepted());
            sent_cache.insert(&plan, sent, &accepted());
        }
        assert!(sent_cache.get(&planned("/a", "9999")).is_some() && sent_cache.get(&planned("/a", "9998")).is_some());
        assert_eq!(sent_cache.get(&planned("/a", "0")), None);
        let entries = sent_cache.entries.lock().unwrap();
        assert!(entries.size <= MAX_CACHE_BYTES && entries.size > MAX_CACHE_BYTES / 2);
        assert_eq!(entries.order.len(), entries.by_reference.len());
        assert_eq!(entries.by_reference.values().map(|it| it.size).sum::<usize>(), entries.size);
    }
}
