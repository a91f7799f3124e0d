//! Which page to read next.
//!
//! In rounds, each more patient with pieces that do not end. First in each come the directories that hold changes, in
//! their order, several stretches at the same time where there is much to read. Whether what lies between two of them is
//! read too depends on how much such pieces held so far. Then come the gaps, first those of the prefix that becomes
//! complete for the fewest pages per change, and none for more pages than it holds changes.

use super::ranges::{Kind, Piece, Terrain};

/// How many pages may begin in a piece of a directory with changes in the first round, and in the others relative to
/// that; a gap gets one. Each round doubles them.
const CORE_PATIENCE: usize = 8;

/// After as many rounds every piece had thousands of pages.
const ROUNDS: u32 = 12;

/// A gap of at most as many keys is read on the way to what lies behind it: half a page.
const SMALL_GAP: usize = 500;

/// Two readers share a stretch that takes at least as many pages.
const SHARED_PAGES: usize = 4;

/// Where a page begins, and what it is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) piece: usize,
    pub(super) target: usize,
}

/// What is being read, and what was.
#[derive(Debug, Default)]
pub(super) struct Course {
    round: u32,
    in_gaps: bool,
    /// Pages being read.
    busy: Vec<Start>,
    /// Pieces at which readers of directories go on.
    waiting: Vec<usize>,
    /// How many pages were read for directories with changes, and how many of their pieces ended meanwhile.
    core_pages: usize,
    core_ended: usize,
    /// How many pages were read in this round's gaps.
    gap_pages: usize,
}

impl Course {
    /// The next page to read while others are being read; `None` if one of those should end first, or if no page is left
    /// to read. `pages` is how many more there may be.
    pub(super) fn next(&mut self, terrain: &mut Terrain, pages: usize) -> Option<Start> {
        while pages > 0 && self.round < ROUNDS {
            let start =
                if self.in_gaps { self.next_gap(terrain, pages) } else { self.next_core(&terrain.pieces, pages) };
            if let Some(start) = start {
                self.busy.push(start);
                if let Some(piece) = terrain.pieces.get_mut(start.piece) {
                    piece.pages += 1;
                }
                return Some(start);
            }
            if !self.busy.is_empty() {
                return None;
            }
            self.waiting.clear();
            self.gap_pages = 0;
            self.round += u32::from(self.in_gaps);
            self.in_gaps = !self.in_gaps;
        }
        None
    }

    /// Notes that a page was read, or failed for good, and how many pieces of directories with changes ended by it.
    pub(super) fn arrived(&mut self, start: Start, core_ended: usize) {
        self.busy.retain(|busy| *busy != start);
        if self.in_gaps {
            self.gap_pages += 1;
        } else {
            self.core_pages += 1;
            self.core_ended += core_ended;
            self.waiting.push(start.target);
        }
    }

    /// Whether this piece's turn is in this round.
    fn has_turn(&self, piece: &Piece) -> bool {
        let patience = if piece.kind == Kind::Core { CORE_PATIENCE } else { 1 };
        !piece.is_given_up && piece.pages < patience << self.round
    }

    fn next_core(&mut self, pieces: &[Piece], pages: usize) -> Option<Start> {
        let busy = |at: usize| self.busy.iter().any(|busy| busy.target == at);
        let mut open: Vec<_> = pieces
            .iter()
            .enumerate()
            .filter(|(at, piece)| piece.kind != Kind::Gap && piece.is_open && (self.has_turn(piece) || busy(*at)))
            .map(|(at, _)| at)
            .collect();
        // A reader goes on at the next piece that is open, unless another is there.
        let mut goes_on: Vec<_> = self
            .waiting
            .drain(..)
            .filter_map(|at| open.get(open.partition_point(|&next| next < at)).copied())
            .filter(|&at| !busy(at))
            .collect();
        goes_on.sort_unstable();
        goes_on.dedup();
        let first = (!goes_on.is_empty()).then(|| goes_on.remove(0));
        self.waiting = goes_on;
        if let Some(target) = first {
            return Some(Start { piece: on_the_way(pieces, target), target });
        }
        if self.busy.is_empty() {
            // The first page of all begins where everything does: most buckets are small.
            let target = *open.first()?;
            return Some(Start { piece: if self.core_pages == 0 { 0 } else { target }, target });
        }
        if self.busy.len() > self.core_pages {
            return None;
        }
        // Another reader begins in the middle of the longest stretch, of those for which there are pages left.
        let ended = self.core_ended.max(1);
        open.truncate(pages.saturating_mul(ended) / self.core_pages.max(1) + 1);
        let mut readers: Vec<_> =
            open.iter().enumerate().filter(|(_, at)| busy(**at)).map(|(place, _)| place).collect();
        readers.push(open.len());
        let (from, to) = readers
            .iter()
            .zip(readers.iter().skip(1))
            .map(|(from, to)| (*from, *to))
            .max_by_key(|(from, to)| to - from)?;
        let is_long = (to - from).saturating_mul(self.core_pages) >= ended.saturating_mul(SHARED_PAGES);
        let middle = open.get(from + (to - from).div_ceil(2)..to).unwrap_or_default();
        // Where a directory begins, not between what leads to its changes and them.
        let begins =
            |at: usize| !at.checked_sub(1).and_then(|at| pieces.get(at)).is_some_and(|it| it.kind == Kind::Lead);
        let target = middle.iter().copied().find(|at| begins(*at)).filter(|_| is_long)?;
        Some(Start { piece: target, target })
    }

    fn next_gap(&self, terrain: &Terrain, pages: usize) -> Option<Start> {
        if self.busy.len() > self.gap_pages {
            return None;
        }
        let sums = self.sums(&terrain.pieces);
        let within = |(from, to): (usize, usize)| {
            let (before, all) =
                (sums.get(from).copied().unwrap_or_default(), sums.get(to).copied().unwrap_or_default());
            let starts_inside = terrain.pieces.get(from).is_some_and(|it| it.is_open) && before.last_is_open;
            Sum {
                cost: all.cost - before.cost + usize::from(starts_inside),
                barred: all.barred - before.barred,
                free: all.free - before.free,
                last_is_open: all.last_is_open,
            }
        };
        let best = terrain
            .nodes
            .iter()
            .map(|node| (node, within(node.pieces)))
            .filter(|(node, sum)| sum.barred == 0 && sum.free > 0 && sum.cost <= pages.min(node.changes))
            .max_by(|(one, one_sum), (other, other_sum)| {
                (one.changes * other_sum.cost).cmp(&(other.changes * one_sum.cost))
            });
        let (from, to) = best?.0.pieces;
        let piece = (from..to).find(|&at| within((at, at + 1)).free > 0)?;
        Some(Start { piece, target: piece })
    }

    /// What there is to read up to before each piece.
    fn sums(&self, pieces: &[Piece]) -> Vec<Sum> {
        let mut sums = vec![Sum::default()];
        let mut sum = Sum::default();
        let mut is_free = true;
        for (at, piece) in pieces.iter().enumerate() {
            if piece.is_open {
                if !sum.last_is_open {
                    // What touches is read in one go.
                    let run = pieces.iter().enumerate().skip(at).take_while(|(_, piece)| piece.is_open);
                    is_free = !run.into_iter().any(|(at, _)| self.busy.iter().any(|busy| busy.piece == at));
                    sum.cost += 1;
                }
                // As long as it took is how long it may still take.
                sum.cost += piece.pages;
                sum.barred += usize::from(is_free && !self.has_turn(piece));
                sum.free += usize::from(is_free);
            }
            sum.last_is_open = piece.is_open;
            sums.push(sum);
        }
        sums
    }
}

/// Sums over pieces.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// The least number of pages that what is open may take.
    cost: usize,
    /// How many are open and are not about to be read.
    free: usize,
    /// How many of those have no turn in this round.
    barred: usize,
    last_is_open: bool,
}

/// Where to begin a page for piece `target`: at what was left over before it, if that seems small.
fn on_the_way(pieces: &[Piece], target: usize) -> usize {
    let gaps = || pieces.iter().filter(|piece| piece.kind == Kind::Gap);
    let ended = gaps().filter(|piece| !piece.is_open).count();
    let Some(usual) = gaps().map(|piece| piece.keys).sum::<usize>().checked_div(ended) else { return target };
    let mut keys = 0;
    for (at, piece) in pieces.iter().enumerate().take(target).rev() {
        if !piece.is_open {
            return at + 1;
        }
        keys += usual.max(piece.keys);
        if piece.kind != Kind::Gap || piece.is_given_up || keys > SMALL_GAP {
            return target;
        }
        if piece.keys > 0 {
            return at;
        }
    }
    target
}
