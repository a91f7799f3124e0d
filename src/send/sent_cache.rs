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
use crate::plan::{CallerReference, PlannedInvalidation};

/// How long it is remembered: as long as Lambda delivers an event again (maximum age of an asynchronous event, 6 h).
const LIFE: Duration = Duration::from_hours(6);

/// About how many bytes are remembered: some 5,000 invalidations that were taken in the words they were planned in.
const ROOM: usize = 2 * 1024 * 1024;

/// About how many bytes one of those takes, and an item in other words besides its text.
const ENTRY_SIZE: usize = 400;
const ITEM_SIZE: usize = 64;

/// The invalidations that were taken, by the references that they were planned with.
pub struct Memory {
    clock: Clock,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    by_reference: HashMap<CallerReference, Entry>,
    /// The oldest first.
    order: VecDeque<CallerReference>,
    size: usize,
}

struct Entry {
    accepted: Accepted,
    /// The items that were taken, and their reference, if they are others than those that were planned.
    reworded: Option<(CallerReference, Vec<Item>)>,
    since: SystemTime,
    size: usize,
}

impl Memory {
    /// Remembers nothing yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, taken: Mutex::default() }
    }

    /// What was taken for this plan, if it was and is remembered.
    pub(super) fn recall(&self, planned: &PlannedInvalidation) -> Option<SentInvalidation> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = taken.by_reference.get(&planned.caller_reference).filter(|it| self.is_fresh(it))?;
        let mut sent = planned.clone();
        if let Some((caller_reference, items)) = &entry.reworded {
            sent.caller_reference = caller_reference.clone();
            sent.items.clone_from(items);
        }
        Some(SentInvalidation::new(&sent, Some(entry.accepted.clone())))
    }

    /// `sent`, which is what was planned or the same in other words, was taken.
    pub(super) fn remember(&self, planned: &CallerReference, sent: &PlannedInvalidation, accepted: &Accepted) {
        let is_reworded = sent.caller_reference != *planned;
        let reworded = is_reworded.then(|| (sent.caller_reference.clone(), sent.items.clone()));
        let items = reworded.iter().flat_map(|(_, items)| items);
        let size = ENTRY_SIZE + items.map(|item| ITEM_SIZE + item.as_str().len()).sum::<usize>();
        let entry = Entry { accepted: accepted.clone(), reworded, since: (self.clock)(), size };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.size += size;
        match taken.by_reference.insert(planned.clone(), entry) {
            Some(older) => taken.size -= older.size,
            None => taken.order.push_back(planned.clone()),
        }
        while taken.size > ROOM
            && let Some(oldest) = taken.order.pop_front()
        {
            let forgotten = taken.by_reference.remove(&oldest);
            taken.size -= forgotten.map_or(0, |it| it.size);
        }
    }

    /// By the wall clock, since a frozen sandbox's own may stand still. One from the future is not fresh.
    fn is_fresh(&self, entry: &Entry) -> bool {
        (self.clock)().duration_since(entry.since).is_ok_and(|age| age < LIFE)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::change::{DistributionId, InvalidationId};
    use crate::plan::{Identity, plan_named};

    fn memory() -> (Memory, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(1_000_000));
        let reading = Arc::clone(&seconds);
        let now = move || SystemTime::UNIX_EPOCH + Duration::from_secs(reading.load(Ordering::Relaxed));
        (Memory::new(Arc::new(now)), seconds)
    }

    fn planned(path: &str, delivery: &str) -> PlannedInvalidation {
        let items = [Item::named(path).unwrap()];
        plan_named(&[DistributionId::new("E1").unwrap()], &items, None, &Identity::Invocation(delivery)).remove(0)
    }

    fn accepted() -> Accepted {
        Accepted::Created { id: InvalidationId::new("I1").unwrap() }
    }

    #[test]
    fn what_was_taken_is_told_again_for_the_same_work_alone() {
        let (memory, _) = memory();
        let plan = planned("/a", "r1");
        assert_eq!(memory.recall(&plan), None);
        memory.remember(&plan.caller_reference, &plan, &accepted());
        assert_eq!(memory.recall(&plan), Some(SentInvalidation::new(&plan, Some(accepted()))));
        assert_eq!(memory.recall(&planned("/a", "r2")), None);
        assert_eq!(memory.recall(&planned("/b", "r1")), None);
    }

    #[test]
    fn what_was_taken_in_other_words_is_told_in_those() {
        let (memory, _) = memory();
        let (plan, wider) = (planned("/a", "r1"), planned("/*", "r1"));
        memory.remember(&plan.caller_reference, &wider, &accepted());
        let told = memory.recall(&plan).unwrap();
        assert_eq!((told.paths.as_slice(), told.path_count), (wider.items.as_slice(), 1));
        assert_eq!(told.caller_reference, wider.caller_reference.as_str());
    }

    #[test]
    fn it_is_forgotten_with_age() {
        let (memory, seconds) = memory();
        let plan = planned("/a", "r1");
        memory.remember(&plan.caller_reference, &plan, &accepted());
        seconds.fetch_add(6 * 3600 - 1, Ordering::Relaxed);
        assert!(memory.recall(&plan).is_some());
        seconds.fetch_add(1, Ordering::Relaxed);
        assert_eq!(memory.recall(&plan), None);
        memory.remember(&plan.caller_reference, &plan, &accepted());
        seconds.fetch_sub(10, Ordering::Relaxed);
        assert_eq!(memory.recall(&plan), None, "the clock was set back");
    }

    #[test]
    fn its_size_is_bounded_and_the_oldest_is_forgotten_first() {
        let (memory, _) = memory();
        let long = planned(&format!("/{}", "x".repeat(3000)), "r1");
        for number in 0..10_000 {
            let plan = planned("/a", &number.to_string());
            let sent = if number % 2 == 0 { &long } else { &plan };
            memory.remember(&plan.caller_reference, sent, &accepted());
            memory.remember(&plan.caller_reference, sent, &accepted());
        }
        assert!(memory.recall(&planned("/a", "9999")).is_some() && memory.recall(&planned("/a", "9998")).is_some());
        assert_eq!(memory.recall(&planned("/a", "0")), None);
        let taken = memory.taken.lock().unwrap();
        assert!(taken.size <= ROOM && taken.size > ROOM / 2);
        assert_eq!(taken.order.len(), taken.by_reference.len());
        assert_eq!(taken.by_reference.values().map(|it| it.size).sum::<usize>(), taken.size);
    }
}
