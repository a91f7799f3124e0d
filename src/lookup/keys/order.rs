//! Which page to read next.
//!
//! In rounds, each more patient with pieces that do not end. First in each come the directories that hold changes, in
//! their order, several stretches at the same time where there is much to read. Whether what lies between two of them is
//! read too depends on how much such pieces held so far. Then come the gaps, first those of the prefix that becomes
//! complete for the fewest pages per change, and none for more pages than it holds changes.

use super::ranges::{KeyRange, KeyRanges, RangeKind};

/// How many pages may begin in a piece of a directory with changes in the first round, and in the others relative to
/// that; a gap gets one. Each round doubles them.
const CHANGED_PAGES: usize = 8;

/// After as many rounds every piece had thousands of pages.
const ROUNDS: u32 = 12;

/// A gap of at most as many keys is read on the way to what lies behind it: half a page.
const SMALL_RANGE: usize = 500;

/// Two readers share a stretch that takes at least as many pages.
const SHARED_PAGES: usize = 4;

/// Where a page begins, and what it is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageStart {
    pub(super) range: usize,
    pub(super) target: usize,
}

/// What is being read, and what was.
#[derive(Debug, Default)]
pub(super) struct ScanOrder {
    round: u32,
    in_between: bool,
    /// Pages being read.
    in_flight: Vec<PageStart>,
    /// Pieces at which readers of directories go on.
    resume_at: Vec<usize>,
    /// How many pages were read for directories with changes, and how many of their pieces ended meanwhile.
    changed_pages: usize,
    changed_ended: usize,
    /// How many pages were read in this round's gaps.
    between_pages: usize,
}

impl ScanOrder {
    /// The next page to read while others are being read; `None` if one of those should end first, or if no page is left
    /// to read. `pages` is how many more there may be.
    pub(super) fn next(&mut self, key_ranges: &mut KeyRanges, pages: usize) -> Option<PageStart> {
        while pages > 0 && self.round < ROUNDS {
            let start = if self.in_between {
                self.next_between(key_ranges, pages)
            } else {
                self.next_changed(&key_ranges.ranges, pages)
            };
            if let Some(start) = start {
                self.in_flight.push(start);
                if let Some(range) = key_ranges.ranges.get_mut(start.range) {
                    range.pages += 1;
                }
                return Some(start);
            }
            if !self.in_flight.is_empty() {
                return None;
            }
            self.resume_at.clear();
            self.between_pages = 0;
            self.round += u32::from(self.in_between);
            self.in_between = !self.in_between;
        }
        None
    }

    /// Notes that a page was read, or failed for good, and how many pieces of directories with changes ended by it.
    pub(super) fn record_page(&mut self, start: PageStart, changed_ended: usize) {
        self.in_flight.retain(|in_flight| *in_flight != start);
        if self.in_between {
            self.between_pages += 1;
        } else {
            self.changed_pages += 1;
            self.changed_ended += changed_ended;
            self.resume_at.push(start.target);
        }
    }

    /// Whether this piece's turn is in this round.
    fn is_eligible(&self, range: &KeyRange) -> bool {
        let max_pages = if range.kind == RangeKind::Changed { CHANGED_PAGES } else { 1 };
        !range.is_given_up && range.pages < max_pages << self.round
    }

    fn next_changed(&mut self, ranges: &[KeyRange], pages: usize) -> Option<PageStart> {
        let in_flight = |at: usize| self.in_flight.iter().any(|in_flight| in_flight.target == at);
        let mut open: Vec<_> = ranges
            .iter()
            .enumerate()
            .filter(|(at, range)| {
                range.kind != RangeKind::Between && range.is_open && (self.is_eligible(range) || in_flight(*at))
            })
            .map(|(at, _)| at)
            .collect();
        // A reader goes on at the next piece that is open, unless another is there.
        let mut resumed: Vec<_> = self
            .resume_at
            .drain(..)
            .filter_map(|at| open.get(open.partition_point(|&next| next < at)).copied())
            .filter(|&at| !in_flight(at))
            .collect();
        resumed.sort_unstable();
        resumed.dedup();
        let first = (!resumed.is_empty()).then(|| resumed.remove(0));
        self.resume_at = resumed;
        if let Some(target) = first {
            return Some(PageStart { range: start_before(ranges, target), target });
        }
        if self.in_flight.is_empty() {
            // The first page of all begins where everything does: most buckets are small.
            let target = *open.first()?;
            return Some(PageStart { range: if self.changed_pages == 0 { 0 } else { target }, target });
        }
        if self.in_flight.len() > self.changed_pages {
            return None;
        }
        // Another reader begins in the middle of the longest stretch, of those for which there are pages left.
        let ended = self.changed_ended.max(1);
        open.truncate(pages.saturating_mul(ended) / self.changed_pages.max(1) + 1);
        let mut readers: Vec<_> =
            open.iter().enumerate().filter(|(_, at)| in_flight(**at)).map(|(place, _)| place).collect();
        readers.push(open.len());
        let (from, to) = readers
            .iter()
            .zip(readers.iter().skip(1))
            .map(|(from, to)| (*from, *to))
            .max_by_key(|(from, to)| to - from)?;
        let is_long = (to - from).saturating_mul(self.changed_pages) >= ended.saturating_mul(SHARED_PAGES);
        let middle = open.get(from + (to - from).div_ceil(2)..to).unwrap_or_default();
        // Where a directory begins, not between what leads to its changes and them.
        let begins = |at: usize| {
            !at.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|it| it.kind == RangeKind::BeforeChanges)
        };
        let target = middle.iter().copied().find(|at| begins(*at)).filter(|_| is_long)?;
        Some(PageStart { range: target, target })
    }

    fn next_between(&self, key_ranges: &KeyRanges, pages: usize) -> Option<PageStart> {
        if self.in_flight.len() > self.between_pages {
            return None;
        }
        let sums = self.sums(&key_ranges.ranges);
        let below = |(from, to): (usize, usize)| {
            let (before, all) =
                (sums.get(from).copied().unwrap_or_default(), sums.get(to).copied().unwrap_or_default());
            let starts_inside = key_ranges.ranges.get(from).is_some_and(|it| it.is_open) && before.last_is_open;
            UnreadTotals {
                cost: all.cost - before.cost + usize::from(starts_inside),
                ineligible: all.ineligible - before.ineligible,
                available: all.available - before.available,
                last_is_open: all.last_is_open,
            }
        };
        let best = key_ranges
            .nodes
            .iter()
            .map(|node| (node, below(node.ranges)))
            .filter(|(node, sum)| sum.ineligible == 0 && sum.available > 0 && sum.cost <= pages.min(node.changes))
            .max_by(|(one, one_sum), (other, other_sum)| {
                (one.changes * other_sum.cost).cmp(&(other.changes * one_sum.cost))
            });
        let (from, to) = best?.0.ranges;
        let range = (from..to).find(|&at| below((at, at + 1)).available > 0)?;
        Some(PageStart { range, target: range })
    }

    /// What there is to read up to before each piece.
    fn sums(&self, ranges: &[KeyRange]) -> Vec<UnreadTotals> {
        let mut sums = vec![UnreadTotals::default()];
        let mut sum = UnreadTotals::default();
        let mut is_free = true;
        for (at, range) in ranges.iter().enumerate() {
            if range.is_open {
                if !sum.last_is_open {
                    // What touches is read in one go.
                    let run = ranges.iter().enumerate().skip(at).take_while(|(_, range)| range.is_open);
                    is_free =
                        !run.into_iter().any(|(at, _)| self.in_flight.iter().any(|in_flight| in_flight.range == at));
                    sum.cost += 1;
                }
                // As long as it took is how long it may still take.
                sum.cost += range.pages;
                sum.ineligible += usize::from(is_free && !self.is_eligible(range));
                sum.available += usize::from(is_free);
            }
            sum.last_is_open = range.is_open;
            sums.push(sum);
        }
        sums
    }
}

/// Sums over pieces.
#[derive(Clone, Copy, Debug, Default)]
struct UnreadTotals {
    /// The least number of pages that what is open may take.
    cost: usize,
    /// How many are open and are not about to be read.
    available: usize,
    /// How many of those have no turn in this round.
    ineligible: usize,
    last_is_open: bool,
}

/// Where to begin a page for piece `target`: at what was left over before it, if that seems small.
fn start_before(ranges: &[KeyRange], target: usize) -> usize {
    let between = || ranges.iter().filter(|range| range.kind == RangeKind::Between);
    let ended = between().filter(|range| !range.is_open).count();
    let Some(usual) = between().map(|range| range.keys).sum::<usize>().checked_div(ended) else { return target };
    let mut keys = 0;
    for (at, range) in ranges.iter().enumerate().take(target).rev() {
        if !range.is_open {
            return at + 1;
        }
        keys += usual.max(range.keys);
        if range.kind != RangeKind::Between || range.is_given_up || keys > SMALL_RANGE {
            return target;
        }
        if range.keys > 0 {
            return at;
        }
    }
    target
}
