//! Chooses the page of keys to read next.
//!
//! Reading proceeds in rounds. In each, a range may take twice as many pages as in the one before, so that a huge
//! range does not hold up the others. A round first reads the directories with changes, in key order; where there is
//! much to read, several parts of the key space concurrently. A gap between two of them is read on the way if it seems
//! small, judged by the gaps read so far. Then the round reads the gaps ([`RangeKind::Gap`]), first those of the
//! directory that becomes complete for the fewest pages per change. A directory is not completed if that is expected
//! to take more pages than it holds changes.

use super::ranges::{KeyRange, KeyRanges, RangeKind};

/// The most pages that may start in a [`RangeKind::Changed`] range in the first round; in a range of another kind it
/// is one. Each round doubles both.
const CHANGED_PAGES: usize = 8;

/// The number of rounds. By the end of the last, a range may have taken 2,048 pages, and one of kind
/// [`RangeKind::Changed`] eight times as many.
const ROUNDS: u32 = 12;

/// A gap of at most this many keys is read on the way to the changes behind it: half a page.
const SMALL_GAP_KEYS: usize = 500;

/// A stretch of ranges is divided between two readers if it is expected to take at least this many pages.
const MIN_PAGES_TO_SPLIT: usize = 4;

/// The range in which a page starts, and the range it is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageStart {
    pub(super) range: usize,
    pub(super) target: usize,
}

/// The state of the scan: the pages in flight, and the progress so far.
#[derive(Debug, Default)]
pub(super) struct ScanOrder {
    round: u32,
    /// Whether the round has come to the gaps.
    is_reading_gaps: bool,
    /// The pages in flight.
    in_flight: Vec<PageStart>,
    /// The targets of finished pages, from which their readers continue.
    resume_at: Vec<usize>,
    /// How many pages were read for directories with changes.
    changed_pages: usize,
    /// How many ranges of directories with changes these pages completed.
    changed_ended: usize,
    /// How many pages were read in this round's gaps.
    gap_pages: usize,
}

impl ScanOrder {
    /// Returns the next page to read; `None` if a page in flight must end first, or if there is nothing left to read.
    /// `pages` is the number of pages that may still be read.
    pub(super) fn next(&mut self, key_ranges: &mut KeyRanges, pages: usize) -> Option<PageStart> {
        while pages > 0 && self.round < ROUNDS {
            let start = if self.is_reading_gaps {
                self.next_gap(key_ranges, pages)
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
            self.gap_pages = 0;
            self.round += u32::from(self.is_reading_gaps);
            self.is_reading_gaps = !self.is_reading_gaps;
        }
        None
    }

    /// Records that a page was read, or failed permanently. `changed_ended` is the number of ranges of directories with
    /// changes that it completed.
    pub(super) fn record_page(&mut self, start: PageStart, changed_ended: usize) {
        self.in_flight.retain(|in_flight| *in_flight != start);
        if self.is_reading_gaps {
            self.gap_pages += 1;
        } else {
            self.changed_pages += 1;
            self.changed_ended += changed_ended;
            self.resume_at.push(start.target);
        }
    }

    /// Whether another page of this range may be read in this round.
    fn is_eligible(&self, range: &KeyRange) -> bool {
        let max_pages = if range.kind == RangeKind::Changed { CHANGED_PAGES } else { 1 };
        !range.is_unreadable && range.pages < max_pages << self.round
    }

    fn next_changed(&mut self, ranges: &[KeyRange], pages: usize) -> Option<PageStart> {
        let is_target = |at: usize| self.in_flight.iter().any(|in_flight| in_flight.target == at);
        let mut unread: Vec<_> = ranges
            .iter()
            .enumerate()
            .filter(|(at, range)| {
                range.kind != RangeKind::Gap && range.is_unread && (self.is_eligible(range) || is_target(*at))
            })
            .map(|(at, _)| at)
            .collect();
        // A reader continues at the next unread range, unless another page in flight is read for it.
        let mut resumed: Vec<_> = self
            .resume_at
            .drain(..)
            .filter_map(|at| unread.get(unread.partition_point(|&next| next < at)).copied())
            .filter(|&at| !is_target(at))
            .collect();
        resumed.sort_unstable();
        resumed.dedup();
        let first = (!resumed.is_empty()).then(|| resumed.remove(0));
        self.resume_at = resumed;
        if let Some(target) = first {
            return Some(PageStart { range: start_before(ranges, target), target });
        }
        if self.in_flight.is_empty() {
            // The very first page starts at the first range: most buckets are small.
            let target = *unread.first()?;
            return Some(PageStart { range: if self.changed_pages == 0 { 0 } else { target }, target });
        }
        if self.in_flight.len() > self.changed_pages {
            return None;
        }
        // Another reader starts in the middle of the longest stretch, among the ranges for which the remaining pages
        // suffice.
        let ended = self.changed_ended.max(1);
        unread.truncate(pages.saturating_mul(ended) / self.changed_pages.max(1) + 1);
        let mut readers: Vec<_> =
            unread.iter().enumerate().filter(|(_, at)| is_target(**at)).map(|(index, _)| index).collect();
        readers.push(unread.len());
        let (from, to) = readers
            .iter()
            .zip(readers.iter().skip(1))
            .map(|(from, to)| (*from, *to))
            .max_by_key(|(from, to)| to - from)?;
        let is_long = (to - from).saturating_mul(self.changed_pages) >= ended.saturating_mul(MIN_PAGES_TO_SPLIT);
        let middle = unread.get(from + (to - from).div_ceil(2)..to).unwrap_or_default();
        // Not between a `BeforeChanges` range and the changes of its directory.
        let may_start_at = |at: usize| {
            !at.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|it| it.kind == RangeKind::BeforeChanges)
        };
        let target = middle.iter().copied().find(|at| may_start_at(*at)).filter(|_| is_long)?;
        Some(PageStart { range: target, target })
    }

    fn next_gap(&self, key_ranges: &KeyRanges, pages: usize) -> Option<PageStart> {
        if self.in_flight.len() > self.gap_pages {
            return None;
        }
        let sums = self.sums(&key_ranges.ranges);
        let totals_within = |(from, to): (usize, usize)| {
            let (before_start, before_end) =
                (sums.get(from).copied().unwrap_or_default(), sums.get(to).copied().unwrap_or_default());
            let starts_inside =
                key_ranges.ranges.get(from).is_some_and(|it| it.is_unread) && before_start.last_is_unread;
            UnreadTotals {
                cost: before_end.cost - before_start.cost + usize::from(starts_inside),
                idle_ineligible: before_end.idle_ineligible - before_start.idle_ineligible,
                idle_ranges: before_end.idle_ranges - before_start.idle_ranges,
                last_is_unread: before_end.last_is_unread,
            }
        };
        let best = key_ranges
            .directories
            .iter()
            .map(|node| (node, totals_within(node.ranges)))
            .filter(|(node, sum)| {
                sum.idle_ineligible == 0 && sum.idle_ranges > 0 && sum.cost <= pages.min(node.changes)
            })
            .max_by(|(one, one_sum), (other, other_sum)| {
                (one.changes * other_sum.cost).cmp(&(other.changes * one_sum.cost))
            });
        let (from, to) = best?.0.ranges;
        let range = (from..to).find(|&at| totals_within((at, at + 1)).idle_ranges > 0)?;
        Some(PageStart { range, target: range })
    }

    /// Returns running totals: element `n` covers the ranges before index `n`.
    fn sums(&self, ranges: &[KeyRange]) -> Vec<UnreadTotals> {
        let mut sums = vec![UnreadTotals::default()];
        let mut sum = UnreadTotals::default();
        let mut is_idle = true;
        for (at, range) in ranges.iter().enumerate() {
            if range.is_unread {
                if !sum.last_is_unread {
                    // Adjacent unread ranges are read in one run.
                    let run = ranges.iter().enumerate().skip(at).take_while(|(_, range)| range.is_unread);
                    is_idle =
                        !run.into_iter().any(|(at, _)| self.in_flight.iter().any(|in_flight| in_flight.range == at));
                    sum.cost += 1;
                }
                // A range is expected to take as many more pages as it has taken so far.
                sum.cost += range.pages;
                sum.idle_ineligible += usize::from(is_idle && !self.is_eligible(range));
                sum.idle_ranges += usize::from(is_idle);
            }
            sum.last_is_unread = range.is_unread;
            sums.push(sum);
        }
        sums
    }
}

/// Totals over the unread ranges of a part of the key space.
#[derive(Clone, Copy, Debug, Default)]
struct UnreadTotals {
    /// The expected number of pages: one for each run of adjacent unread ranges, and as many as each range has taken so
    /// far.
    cost: usize,
    /// The number of unread ranges in runs without a page in flight.
    idle_ranges: usize,
    /// The number of those that may take no other page in this round.
    idle_ineligible: usize,
    /// Whether the last range of the part is unread.
    last_is_unread: bool,
}

/// Returns the range in which to start a page for range `target`: at the start of the unread keys before it, if they
/// seem few.
fn start_before(ranges: &[KeyRange], target: usize) -> usize {
    let gaps = || ranges.iter().filter(|range| range.kind == RangeKind::Gap);
    let read_gaps = gaps().filter(|range| !range.is_unread).count();
    let Some(average_keys) = gaps().map(|range| range.keys).sum::<usize>().checked_div(read_gaps) else {
        return target;
    };
    let mut keys = 0;
    for (at, range) in ranges.iter().enumerate().take(target).rev() {
        if !range.is_unread {
            return at + 1;
        }
        keys += average_keys.max(range.keys);
        if range.kind != RangeKind::Gap || range.is_unreadable || keys > SMALL_GAP_KEYS {
            return target;
        }
        if range.keys > 0 {
            return at;
        }
    }
    target
}
