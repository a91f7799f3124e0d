//! The cheapest set within the budgets, exactly: dynamic programming over the trie, kept small by the relaxation's bound.
//!
//! For each node and each number of items and of wildcards below it, the cheapest way to cover what is below. A way
//! whose *excess*, by which it costs more than the cheapest at the relaxation's prices, is over the gap between the
//! relaxation's bound and a set that is known, is part of no better set and is dropped: excesses add up along the way to
//! the root. The gap is tried small first and widened until it is proved to be wide enough, so the result is exact
//! whatever the prices were; they only decide how little is left to look at.

#![expect(clippy::indexing_slicing, reason = "places of nodes and ways come from the tables themselves")]

use super::relax::{Costs, Limits, Prices, Relaxed, Score, Sum};

/// How much of the gap is tried first.
const FIRST_GAP: Score = 256;

/// By how much a gap that was too narrow grows: little where looking at too many ways would take longer than looking twice.
const GAP_GROWTH: Score = 2;
const GAP_GROWTH_WHILE_FEW: Score = 8;
const GAP_GROWTH_IN_SMALL_TABLES: Score = 32;

/// How many ways there may be for each node for them to be few.
const FEW_WAYS: usize = 4;

/// How many ways of a node there can be for its table to be small.
const SMALL_TABLE: usize = 1000;

/// One way to cover what is below a node.
#[derive(Clone, Copy)]
struct Way {
    sum: Sum,
    /// How much more it costs than the cheapest way, at the relaxation's prices.
    excess: Score,
    /// Where it comes from: a way of the siblings before, and one of this child. Or, of a finished node, a way of all its
    /// children together, or its wildcard.
    from: (u32, u32),
}

/// Stands for the node's wildcard in place of a way of its children.
const WILDCARD: u32 = u32::MAX;

/// The nodes whose wildcards belong to the cheapest set; what is below none of them is sent as it is.
pub(super) fn wildcards(costs: &Costs, nodes: usize, limits: Limits) -> Vec<usize> {
    let free = costs.relax(Prices::default(), limits);
    if free.sum.items <= limits.items && free.sum.wildcards <= limits.wildcards {
        return Tables::build(costs, nodes, &free, limits, 0).trace(0);
    }
    let (relaxed, mut known) = costs.best_relaxation(limits);
    let mut gap = (known - relaxed.bound) / FIRST_GAP;
    loop {
        let tables = Tables::build(costs, nodes, &relaxed, limits, gap);
        if let Some((way, score)) = tables.best() {
            known = known.min(score);
            if known - relaxed.bound <= gap || !tables.dropped {
                return tables.trace(way);
            }
        }
        let growth = if limits.items.saturating_mul(limits.wildcards) <= SMALL_TABLE {
            GAP_GROWTH_IN_SMALL_TABLES
        } else if tables.ways() <= nodes * FEW_WAYS {
            GAP_GROWTH_WHILE_FEW
        } else {
            GAP_GROWTH
        };
        // No wider than proves the set that is known.
        gap = (gap.max(1) * growth).min(known - relaxed.bound).max(gap + 1);
    }
}

/// The ways of all nodes.
struct Tables<'c> {
    costs: &'c Costs,
    /// Of each node, finished: where each of its ways comes from.
    finished: Vec<Vec<u32>>,
    /// Of each child: which ways of the siblings before it and of itself were put together.
    joined: Vec<Vec<(u32, u32)>>,
    root: Vec<Way>,
    /// Whether any way had more excess than the gap allows. If none had, these are all the ways there are.
    dropped: bool,
}

impl<'c> Tables<'c> {
    fn build(costs: &'c Costs, nodes: usize, relaxed: &Relaxed, limits: Limits, gap: Score) -> Self {
        let mut finished = vec![Vec::new(); nodes];
        let mut joined = vec![Vec::new(); nodes];
        let mut open: Vec<Vec<Way>> = (0..nodes)
            .map(|node| {
                let sum = costs.direct(node);
                let way = Way { sum, excess: 0, from: (0, 0) };
                if fits(sum, limits) { vec![way] } else { Vec::new() }
            })
            .collect();
        let mut grid = Grid::new(limits);
        let mut ways = Vec::new();
        let mut dropped = false;
        for node in 0..nodes {
            ways = finish(std::mem::take(&mut open[node]), node, costs, relaxed);
            let all = ways.len();
            ways.retain(|way| way.excess <= gap);
            dropped |= ways.len() < all;
            finished[node] = ways.iter().map(|way| way.from.0).collect();
            if let Some(parent) = costs.parent(node) {
                dropped |= join(&mut open[parent], &ways, limits, gap, &mut grid);
                joined[node] = open[parent].iter().map(|way| way.from).collect();
            }
        }
        Self { costs, finished, joined, root: ways, dropped }
    }

    /// How many ways were looked at.
    fn ways(&self) -> usize {
        self.joined.iter().map(Vec::len).sum()
    }

    /// The best way of the root, and its score.
    fn best(&self) -> Option<(usize, Score)> {
        let ways = self.root.iter().map(|way| way.sum.score).enumerate();
        ways.min_by_key(|&(place, score)| (score, place))
    }

    /// The nodes whose wildcards are part of a way of the root.
    fn trace(&self, way: usize) -> Vec<usize> {
        let nodes = self.finished.len();
        let mut children = vec![Vec::new(); nodes];
        for node in 0..nodes {
            if let Some(parent) = self.costs.parent(node) {
                children[parent].push(node);
            }
        }
        let mut wildcards = Vec::new();
        let mut open = vec![(nodes - 1, way)];
        while let Some((node, way)) = open.pop() {
            let mut way = self.finished[node][way];
            if way == WILDCARD {
                wildcards.push(node);
                continue;
            }
            for &child in children[node].iter().rev() {
                let (before, below) = self.joined[child][way as usize];
                open.push((child, below as usize));
                way = before;
            }
        }
        wildcards
    }
}

fn fits(sum: Sum, limits: Limits) -> bool {
    sum.items <= limits.items && sum.wildcards <= limits.wildcards
}

/// The ways of a node once those of its children are together: one of them, or its wildcard.
fn finish(together: Vec<Way>, node: usize, costs: &Costs, relaxed: &Relaxed) -> Vec<Way> {
    let wildcard = costs.wildcard(node);
    let wildcard_price = relaxed.prices.of(wildcard);
    let cheapest = wildcard_price.min(relaxed.split[node]);
    let more = relaxed.split[node] - cheapest;
    let own = Way { sum: wildcard, excess: wildcard_price - cheapest, from: (WILDCARD, 0) };
    let mut ways: Vec<_> = together
        .into_iter()
        .zip(0..)
        .map(|(way, place)| Way { excess: way.excess + more, from: (place, 0), ..way })
        .chain(std::iter::once(own))
        .collect();
    // Stable: of equal ways, those without a wildcard here stay first.
    ways.sort_by_key(|way| (way.excess, way.sum.items, way.sum.wildcards));
    ways
}

/// For each number of items and of wildcards, where the way with as many is. Cleared by starting a new round.
struct Grid {
    cells: Vec<(u32, u32)>,
    width: usize,
    round: u32,
}

impl Grid {
    fn new(limits: Limits) -> Self {
        let width = limits.wildcards + 1;
        Self { cells: vec![(0, 0); (limits.items + 1) * width], width, round: 0 }
    }

    /// Adds a way unless there is one with as many items and wildcards that costs no more, and else in its place.
    fn put(&mut self, ways: &mut Vec<Way>, way: Way) {
        let (round, place) = &mut self.cells[way.sum.items * self.width + way.sum.wildcards];
        if *round != self.round {
            (*round, *place) = (self.round, u32::try_from(ways.len()).unwrap_or(u32::MAX));
            ways.push(way);
        } else if way.excess < ways[*place as usize].excess {
            ways[*place as usize] = way;
        }
    }
}

/// Puts every way of the siblings before together with every way of the child, as far as limits and gap allow; of several
/// with as many items and wildcards the cheapest stays, and of equal ones the first. Both lists are sorted by excess, and
/// so is the result. Tells whether the gap kept any out.
fn join(siblings: &mut Vec<Way>, child: &[Way], limits: Limits, gap: Score, grid: &mut Grid) -> bool {
    let before = std::mem::take(siblings);
    let ways = siblings;
    let mut dropped = false;
    grid.round += 1;
    for (a, place_a) in before.iter().zip(0..) {
        for (b, place_b) in child.iter().zip(0..) {
            let excess = a.excess + b.excess;
            if excess > gap {
                dropped = true;
                break;
            }
            let sum = a.sum + b.sum;
            if fits(sum, limits) {
                grid.put(ways, Way { sum, excess, from: (place_a, place_b) });
            }
        }
    }
    if before.len() > 1 && child.len() > 1 {
        ways.sort_unstable_by_key(|way| (way.sum.items, way.sum.wildcards));
        drop_worse(ways, limits);
        ways.sort_unstable_by_key(|way| (way.excess, way.sum.items, way.sum.wildcards));
    }
    dropped
}

/// Keeps the ways for which there is none with at most as many items and wildcards that costs at most as much: in every
/// set the other can take their place. They come sorted by items and wildcards.
fn drop_worse(ways: &mut Vec<Way>, limits: Limits) {
    // The least score so far of a way with at most so many wildcards.
    let mut least = vec![Score::MAX; limits.wildcards + 1];
    ways.retain(|way| {
        let Sum { wildcards, score, .. } = way.sum;
        let kept = score < least[wildcards];
        if kept {
            for other in least[wildcards..].iter_mut().take_while(|other| **other > score) {
                *other = score;
            }
        }
        kept
    });
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::collapse::trie::Trie;
    use crate::collapse::{Blind, Inventory, without_covered};
    use crate::path::InvalidationPath;

    /// The score of the set that `wildcards` finds, and the best with a gap that drops nothing.
    fn scores(costs: &Costs, trie: &Trie, limits: Limits) -> (Score, Score) {
        let chosen = wildcards(costs, trie.nodes.len(), limits);
        let covered = |node: usize| {
            let mut above = costs.parent(node);
            while let Some(parent) = above {
                if chosen.contains(&parent) {
                    return true;
                }
                above = costs.parent(parent);
            }
            chosen.contains(&node)
        };
        let rest = (0..trie.nodes.len()).filter(|&node| !covered(node)).map(|node| costs.direct(node));
        let found = chosen.iter().map(|&node| costs.wildcard(node)).chain(rest).fold(Sum::default(), |a, b| a + b);
        assert!(fits(found, limits));
        let relaxed = costs.relax(Prices::default(), limits);
        let everything = Tables::build(costs, trie.nodes.len(), &relaxed, limits, Score::MAX >> 1);
        (found.score, everything.best().unwrap().1)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// On inputs too large to search, where most ways are dropped.
        #[test]
        fn what_is_dropped_is_part_of_no_better_set(
            parts in vec(vec(select(vec!["a", "b", "c", "/", "d/", "e*"]), 1..9), 2..150),
            known in any::<bool>(),
            items in 1..40_usize,
            wildcards in 1..10_usize,
        ) {
            let paths: Vec<_> =
                parts.iter().map(|parts| InvalidationPath::parse(&format!("/{}", parts.concat())).unwrap()).collect();
            // Of two paths one is known to have a sibling, so that counts are small and often the same.
            let urls = paths.iter().step_by(2).map(|path| format!("{}x", path.as_str())).collect();
            let inventory = Inventory::new(urls, vec!["/a".into(), "/d/".into()], &paths);
            let items_of = without_covered(paths);
            let trie = if known { Trie::new(items_of, &inventory, 1000) } else { Trie::new(items_of, &Blind, 0) };
            prop_assume!(!trie.nodes.is_empty());
            let (found, best) = scores(&Costs::new(&trie), &trie, Limits { items, wildcards });
            prop_assert_eq!(found, best);
        }
    }
}
