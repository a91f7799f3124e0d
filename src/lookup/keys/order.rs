//! Chooses the page of keys to read next.
//!
//! The directories with changes are read first, in key order; where there is much to read, several parts of the key
//! space concurrently. Then the gaps that are left are read, first those of the directory that becomes complete for the
//! fewest pages per change. A directory is not completed if that is expected to take more pages than it holds changes.

use super::directories::{Directory, Part, divide};
use crate::plan::{KeyPosition, KnownRanges};

/// The most pages that are read for a [`Part`], so that a huge directory does not hold up the others. What they leave
/// unread is a gap.
const MAX_PART_PAGES: usize = 8;

/// A run of unread parts is divided between two readers if it is expected to take at least this many pages.
const MIN_PAGES_TO_SPLIT: usize = 4;

/// The start of a page.
#[derive(Clone, Debug)]
pub(super) struct PageStart {
    pub(super) from: KeyPosition,
    /// The index of the part that the page is read for; `None` for a gap.
    part: Option<usize>,
}

/// The progress of a scan.
#[derive(Debug, Default)]
pub(super) struct ScanOrder {
    /// Each directory before those in it.
    directories: Vec<Directory>,
    /// In key order.
    parts: Vec<Part>,
    /// What was read so far.
    pub(super) known: KnownRanges,
    in_flight: Vec<PageStart>,
    /// The number of pages that were read or given up.
    ended: usize,
    /// The starts of pages that were given up. No other page starts there.
    given_up: Vec<KeyPosition>,
    /// The ends of pages that did not reach the end of their gap.
    inside_gaps: Vec<KeyPosition>,
}

impl ScanOrder {
    /// Starts a scan around the changes. `changed` is sorted, and each key in it starts with `below`.
    pub(super) fn new(below: &str, changed: &[&str]) -> Self {
        let (directories, parts) = divide(below, changed);
        Self { directories, parts, ..Self::default() }
    }

    /// Returns the next page to read; `None` if a page in flight must end first, or if there is nothing left to read.
    /// `pages` is the number of pages that may still be read.
    pub(super) fn next(&mut self, pages: usize) -> Option<PageStart> {
        let start = self.next_in_parts().or_else(|| {
            let parts_ended = self.in_flight.iter().all(|page| page.part.is_none());
            if parts_ended { self.next_in_gaps(pages) } else { None }
        })?;
        if let Some(part) = start.part.and_then(|part| self.parts.get_mut(part)) {
            part.pages += usize::from(start.from >= part.from);
        }
        self.in_flight.push(start.clone());
        Some(start)
    }

    /// Records that a page was read up to a position, or given up if there is none.
    pub(super) fn end_page(&mut self, start: PageStart, to: Option<KeyPosition>) {
        self.in_flight.retain(|page| page.from != start.from);
        self.ended += 1;
        match to {
            Some(to) if to > start.from => {
                let known_to = self.known.add(start.from, to.clone());
                if start.part.is_none() && known_to == to {
                    self.inside_gaps.push(to);
                }
            }
            // The key to start after is approximate ([`KeyPosition::start_after`]), and so many keys may lie between it
            // and the start of the page that the page does not reach it.
            _ => self.given_up.push(start.from),
        }
    }

    fn next_in_parts(&self) -> Option<PageStart> {
        // The number of readers grows with that of pages read, as these show how much there is to read.
        if self.in_flight.len() >= self.ended.max(1) {
            return None;
        }
        if self.ended == 0 {
            // The very first page starts with the directory that holds all changes: most buckets are small.
            return Some(PageStart { from: self.directories.first()?.from.clone(), part: Some(0) });
        }
        let is_in_flight = |index: usize| self.in_flight.iter().any(|page| page.part == Some(index));
        let unread: Vec<_> = self
            .parts
            .iter()
            .enumerate()
            .filter_map(|(index, part)| Some((index, part, part.unread_from(&self.known)?)))
            .collect();
        let known_parts = self.parts.len() - unread.len();
        // Runs of parts without known keys between them. A reader reads a run from its start to its end.
        let mut runs: Vec<Vec<(usize, &KeyPosition)>> = Vec::new();
        for (index, part, from) in unread {
            if is_in_flight(index) {
                runs.push(vec![(index, from)]);
            } else if part.pages < MAX_PART_PAGES && !self.given_up.contains(from) {
                match runs.last_mut() {
                    Some(run) if *from == part.from && run.last().is_some_and(|(last, _)| last + 1 == index) => {
                        run.push((index, from));
                    }
                    _ => runs.push(vec![(index, from)]),
                }
            }
        }
        let without_reader = runs.iter().filter_map(|run| run.first()).find(|(index, _)| !is_in_flight(*index));
        let (index, from) = without_reader.or_else(|| {
            // Another reader starts in the middle of the longest run.
            let longest = runs.iter().max_by_key(|run| run.len())?;
            let is_long = longest.len() * self.ended >= MIN_PAGES_TO_SPLIT * known_parts.max(1);
            longest.get(longest.len().div_ceil(2)).filter(|_| is_long)
        })?;
        Some(PageStart { from: (*from).clone(), part: Some(*index) })
    }

    fn next_in_gaps(&self, pages: usize) -> Option<PageStart> {
        let may_start_at = |from: &&KeyPosition| {
            !self.in_flight.iter().any(|page| page.from == **from) && !self.given_up.contains(*from)
        };
        let candidates = self.directories.iter().filter_map(|Directory { from, to, changes }| {
            let gaps = || self.known.unread(from, to).map(|(from, _)| from);
            let start = gaps().find(may_start_at)?;
            // A gap is expected to take one page, and as many more as it has taken so far.
            let cost = gaps().count() + self.inside_gaps.iter().filter(|at| (from..to).contains(at)).count();
            (cost <= pages.min(*changes)).then_some((start, cost, changes))
        });
        let (start, ..) =
            candidates.min_by(|(_, cost, changes), (_, other, others)| (cost * *others).cmp(&(other * *changes)))?;
        Some(PageStart { from: start.clone(), part: None })
    }
}
