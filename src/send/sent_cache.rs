//! What CloudFront has taken, remembered for when the same work comes again.
//!
//! A caller reference names distribution, delivery and items, so what was taken under it is done. Where Lambda delivers an
//! event again because another distribution failed, asking CloudFront once more would only use up the few requests that it
//! takes. And it knows nothing of work that it took in other words; here that is known. Nothing depends on it: what is not
//! remembered, since the process is another one or there was no room, is sent again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::SentInvalidation;
use crate::aws::Accepted;
use crate::lookup::Clock;
use crate::path::Item;
use crate::plan::{CallerReference, Invalidation};

/// How long it is remembered: as long as Lambda delivers an event again (maximum age of an asynchronous event, 6 h).
const TTL: Duration = Duration::from_hours(6);

/// About how many bytes are remembered: some 5,000 invalidations that were taken in the words they were planned in.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// About how many bytes one of those takes, and an item in other words besides its text.
const ENTRY_SIZE: usize = 400;
const ITEM_SIZE: usize = 64;

/// The invalidations that were taken, by the references that they were planned with.
pub struct SentCache {
    clock: Clock,
    entries: Mutex<SentEntries>,
}

#[derive(Default)]
struct SentEntries {
    by_reference: HashMap<CallerReference, SentEntry>,
    /// The oldest first.
    order: VecDeque<CallerReference>,
    size: usize,
}

struct SentEntry {
    accepted: Accepted,
    /// The items that were taken, and their reference, if they are others than those that were planned.
    rewritten: Option<(CallerReference, Vec<Item>)>,
    stored_at: SystemTime,
    size: usize,
}

impl SentCache {
    /// Remembers nothing yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    /// What was taken for this plan, if it was and is remembered.
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

    /// `sent`, which is what was planned or the same in other words, was taken.
    pub(super) fn insert(&self, planned: &CallerReference, sent: &Invalidation, accepted: &Accepted) {
        let is_reworded = sent.caller_reference != *planned;
        let rewritten = is_reworded.then(|| (sent.caller_reference.clone(), sent.items.clone()));
        let items = rewritten.iter().flat_map(|(_, items)| items);
        let size = ENTRY_SIZE + items.map(|item| ITEM_SIZE + item.as_str().len()).sum::<usize>();
        let entry = SentEntry { accepted: accepted.clone(), rewritten, stored_at: (self.clock)(), size };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.size += size;
        match entries.by_reference.insert(planned.clone(), entry) {
            Some(older) => entries.size -= older.size,
            None => entries.order.push_back(planned.clone()),
        }
        while entries.size > MAX_BYTES
            && let Some(oldest) = entries.order.pop_front()
        {
            let evicted = entries.by_reference.remove(&oldest);
            entries.size -= evicted.map_or(0, |it| it.size);
        }
    }

    /// By the wall clock, since a frozen sandbox's own may stand still. One from the future is not fresh.
    fn is_fresh(&self, entry: &SentEntry) -> bool {
        (self.clock)().duration_since(entry.stored_at).is_ok_and(|age| age < TTL)
    }
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
        let reading = Arc::clone(&seconds);
        let now = move || SystemTime::UNIX_EPOCH + Duration::from_secs(reading.load(Ordering::Relaxed));
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
    fn what_was_taken_is_told_again_for_the_same_work_alone() {
        let (sent_cache, _) = sent_cache();
        let plan = planned("/a", "r1");
        assert_eq!(sent_cache.get(&plan), None);
        sent_cache.insert(&plan.caller_reference, &plan, &accepted());
        assert_eq!(sent_cache.get(&plan), Some(SentInvalidation::new(&plan, Some(accepted()))));
        assert_eq!(sent_cache.get(&planned("/a", "r2")), None);
        assert_eq!(sent_cache.get(&planned("/b", "r1")), None);
    }

    #[test]
    fn what_was_taken_in_other_words_is_told_in_those() {
        let (sent_cache, _) = sent_cache();
        let (plan, wider) = (planned("/a", "r1"), planned("/*", "r1"));
        sent_cache.insert(&plan.caller_reference, &wider, &accepted());
        let told = sent_cache.get(&plan).unwrap();
        assert_eq!((told.paths.as_slice(), told.path_count), (wider.items.as_slice(), 1));
        assert_eq!(told.caller_reference, wider.caller_reference.as_str());
    }

    #[test]
    fn it_is_forgotten_with_age() {
        let (sent_cache, seconds) = sent_cache();
        let plan = planned("/a", "r1");
        sent_cache.insert(&plan.caller_reference, &plan, &accepted());
        seconds.fetch_add(6 * 3600 - 1, Ordering::Relaxed);
        assert!(sent_cache.get(&plan).is_some());
        seconds.fetch_add(1, Ordering::Relaxed);
        assert_eq!(sent_cache.get(&plan), None);
        sent_cache.insert(&plan.caller_reference, &plan, &accepted());
        seconds.fetch_sub(10, Ordering::Relaxed);
        assert_eq!(sent_cache.get(&plan), None, "the clock was set back");
    }

    #[test]
    fn its_size_is_bounded_and_the_oldest_is_forgotten_first() {
        let (sent_cache, _) = sent_cache();
        let long = planned(&format!("/{}", "x".repeat(3000)), "r1");
        for number in 0..10_000 {
            let plan = planned("/a", &number.to_string());
            let sent = if number % 2 == 0 { &long } else { &plan };
            sent_cache.insert(&plan.caller_reference, sent, &accepted());
            sent_cache.insert(&plan.caller_reference, sent, &accepted());
        }
        assert!(sent_cache.get(&planned("/a", "9999")).is_some() && sent_cache.get(&planned("/a", "9998")).is_some());
        assert_eq!(sent_cache.get(&planned("/a", "0")), None);
        let entries = sent_cache.entries.lock().unwrap();
        assert!(entries.size <= MAX_BYTES && entries.size > MAX_BYTES / 2);
        assert_eq!(entries.order.len(), entries.by_reference.len());
        assert_eq!(entries.by_reference.values().map(|it| it.size).sum::<usize>(), entries.size);
    }
}
