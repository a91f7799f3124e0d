//! Reading a bucket's keys where they matter for a set of changes, in few requests.
//!
//! Keys come in pages of 1,000, in the order of their bytes, from any place on. So what matters is read in that order, and
//! what does not is skipped. Directories that hold changes come first, then what lies between them, so that wildcards for
//! the directories around them can be counted too; a small bucket is read whole. Nothing here fails: what was read before
//! something went wrong is known all the same.
//!
//! Objects may come and go meanwhile. What is known is each part at a time of its own, so counts may be slightly off.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::plan::Listing;

use super::order::Course;
use super::page::{Read, Request, ask};
use super::ranges::Terrain;
use crate::aws::{BucketQuery, CallError, Objects};
use crate::lookup::backoff::pause;
use crate::lookup::stats;
use crate::plan::Place;

/// How often a page is asked for that does not come.
const ATTEMPTS: u32 = 3;

/// After as many pages that did not come, no more are asked for.
const LOST_PAGES: usize = 3;

/// How much may be asked.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The number of requests, repeated ones included.
    pub pages: usize,
    /// The number of requests at the same time.
    pub concurrency: usize,
    /// When it must end. A request that has no answer by then is given up.
    pub deadline: Instant,
    /// The longest pause before a failed request is made again for the first time.
    pub backoff: Duration,
}

/// Lists what matters for the `changed` keys of a bucket: sorted, each once, and all below `within`, a prefix that is
/// empty or ends with `/`. The error is the first that left something unread; without one, if something is unread, it is
/// for the limits.
pub async fn list<O: Objects>(
    objects: &O,
    query: &BucketQuery,
    within: &str,
    changed: &[&str],
    limits: &Limits,
) -> (Listing, Option<CallError>) {
    let mut changed: Vec<_> = changed.iter().copied().filter(|key| key.starts_with(within)).collect();
    changed.sort_unstable();
    changed.dedup();
    let mut survey = Survey { terrain: Terrain::new(within, &changed), pages: limits.pages, ..Survey::default() };
    let mut asked = FuturesUnordered::new();
    loop {
        while asked.len() < limits.concurrency.max(1)
            && let Some((request, pause)) = survey.next(limits)
        {
            asked.push(ask(objects, query, within, request, (pause, limits.deadline)));
        }
        let Some((request, answer)) = asked.next().await else { break };
        match answer {
            Ok(read) => survey.take(&request, read),
            Err(error) => {
                if survey.lose(request, error) {
                    break;
                }
            }
        }
    }
    let error = survey.error.or_else(|| survey.again.pop().map(|(_, error)| error));
    (Listing::new(survey.keys, survey.known, limits.pages - survey.pages), error)
}

/// What was read so far, and what is still to read.
#[derive(Default)]
struct Survey {
    terrain: Terrain,
    course: Course,
    /// How many more requests may be made.
    pages: usize,
    /// Requests that failed, to be made again.
    again: Vec<(Request, CallError)>,
    /// How many pages did not come.
    lost: usize,
    keys: Vec<String>,
    known: Vec<(Place, Place)>,
    error: Option<CallError>,
}

impl Survey {
    /// The next request, and the pause before it.
    fn next(&mut self, limits: &Limits) -> Option<(Request, Duration)> {
        if self.pages == 0 || self.lost >= LOST_PAGES || Instant::now() >= limits.deadline {
            return None;
        }
        let next = if let Some((request, _)) = self.again.last() {
            let pause = pause(limits.backoff, request.failures.saturating_sub(1));
            if Instant::now() + pause >= limits.deadline {
                return None;
            }
            stats::count(|tally| tally.retries += 1);
            (self.again.pop()?.0, pause)
        } else {
            let start = self.course.next(&mut self.terrain, self.pages)?;
            let from = self.terrain.pieces.get(start.piece)?.from.clone();
            (Request { start, from, failures: 0 }, Duration::ZERO)
        };
        self.pages -= 1;
        stats::count(|tally| tally.list_requests += 1);
        Some(next)
    }

    /// Keeps what a page says.
    fn take(&mut self, request: &Request, mut read: Read) {
        let open_before = self.terrain.open_core();
        if read.to > request.from {
            self.terrain.read(request.start.piece, &read.to, &read.keys);
            self.keys.append(&mut read.keys);
            self.known.push((request.from.clone(), read.to));
        } else {
            // So many keys lie right below the place that the page did not get there.
            self.terrain.give_up(request.start.piece);
        }
        self.course.arrived(request.start, open_before - self.terrain.open_core());
    }

    /// Notes that a page did not come. Says whether it is no use to go on.
    fn lose(&mut self, mut request: Request, error: CallError) -> bool {
        let passes = error.class.is_transient();
        request.failures += 1;
        if passes && request.failures < ATTEMPTS && self.pages > 0 {
            self.again.push((request, error));
            return false;
        }
        self.error.get_or_insert(error);
        self.lost += 1;
        self.terrain.give_up(request.start.piece);
        self.course.arrived(request.start, 0);
        !passes
    }
}
