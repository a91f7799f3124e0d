//! The cheapest set within the budgets, exactly: dynamic programming over the trie, kept small by the relaxation's bound.
//!
//! For each part of the trie and each number of items and of wildcards in it, the cheapest way to cover what is below. A
//! way is dropped if with the least that everything else costs, at the relaxation's price, it costs more than a set can
//! that is better than the one that is known. By how much such sets can exceed the relaxation's bound is the *gap*, of
//! which a part is tried first. The result is exact whatever the price was, which only decides how little is left to
//! look at.

#![expect(clippy::indexing_slicing, reason = "places of nodes and ways come from the tables themselves")]

use super::bounds::{Outside, Shape};
use super::frontier::{Grid, Way};
use super::lagrangian::{Costs, Limits, Score, amount};

/// What part of the gap is tried first: a look at a few ways, which often finds a set that makes the gap much narrower.
const FIRST_GAP: Score = 32;

/// Stands for the node's wildcard in place of a way of its children.
const WILDCARD: u32 = u32::MAX;

/// The nodes whose wildcards belong to the cheapest set; what is below none of them is sent as it is.
pub(super) fn wildcards(costs: &Costs, limits: Limits) -> Vec<usize> {
    let shape = Shape::new(costs, limits);
    let relaxed = costs.relax(&shape, limits);
    let outside = shape.outside(&relaxed.inside);
    let bounds = Bounds { shape, outside, price: relaxed.inside.price, least: relaxed.bound, limits };
    let gap = (relaxed.known - relaxed.bound) / FIRST_GAP;
    let tables = Tables::build(costs, &bounds, gap);
    let best = tables.best();
    // What costs no more than this is a set that is known, or better.
    let needed = best.map_or(relaxed.known, |(_, score)| score.min(relaxed.known)) - relaxed.bound;
    match best {
        Some((way, _)) if needed <= gap || !tables.dropped => tables.trace(way),
        _ => {
            let tables = Tables::build(costs, &bounds, needed);
            tables.best().map_or_else(|| vec![costs.nodes() - 1], |(way, _)| tables.trace(way))
        }
    }
}

/// What tells whether a way can be part of a better set.
struct Bounds {
    shape: Shape,
    outside: Outside,
    /// What an item costs on top.
    price: Score,
    /// No set within the budgets costs less.
    least: Score,
    limits: Limits,
}

impl Bounds {
    /// For each number of wildcards in a part, what its ways may cost, price included.
    fn most(&self, part: usize, gap: Score) -> impl Fn(usize) -> Score {
        let most = self.least + amount(self.limits.items) * self.price + gap;
        let beside = self.shape.beside(&self.outside, part);
        move |wildcards| beside.get(wildcards).map_or(-1, |beside| most - beside)
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
    price: Score,
    /// Whether any way was dropped for the gap. If none was, these are all the ways there are.
    dropped: bool,
}

impl<'c> Tables<'c> {
    fn build(costs: &'c Costs, bounds: &Bounds, gap: Score) -> Self {
        let nodes = costs.nodes();
        let Bounds { shape, limits, price, .. } = bounds;
        let mut dropped = false;
        let mut open = vec![Vec::new(); nodes];
        for (node, ways) in open.iter_mut().enumerate() {
            let direct = costs.direct(node);
            if direct.items <= limits.items && direct.wildcards <= limits.wildcards {
                let priced = direct.score + amount(direct.items) * price;
                if priced <= bounds.most(shape.first(node), gap)(direct.wildcards) {
                    ways.push(Way { items: direct.items, wildcards: direct.wildcards, priced, from: (0, 0) });
                } else {
                    dropped = true;
                }
            }
        }
        let mut finished = vec![Vec::new(); nodes];
        let mut joined = vec![Vec::new(); nodes];
        let mut grid = Grid::new(*limits, *price);
        let mut ways: Vec<Way> = Vec::new();
        for node in 0..nodes {
            ways = std::mem::take(&mut open[node]);
            for (way, place) in ways.iter_mut().zip(0..) {
                way.from = (place, 0);
            }
            let own = costs.wildcard(node) + price;
            if own <= bounds.most(node, gap)(1) {
                // Of equal ways, those without a wildcard here stay first.
                let place = ways.partition_point(|way| (way.wildcards, way.priced) <= (1, own));
                ways.insert(place, Way { items: 1, wildcards: 1, priced: own, from: (WILDCARD, 0) });
            } else {
                dropped = true;
            }
            finished[node] = ways.iter().map(|way| way.from.0).collect();
            if let Some(parent) = costs.parent(node) {
                let most = bounds.most(shape.joined(node), gap);
                dropped |= grid.join(&mut open[parent], &ways, most);
                joined[node] = open[parent].iter().map(|way| way.from).collect();
            }
        }
        Self { costs, finished, joined, root: ways, price: *price, dropped }
    }

    /// The best way of the root, and its score.
    fn best(&self) -> Option<(usize, Score)> {
        let ways = self.root.iter().map(|way| way.priced - amount(way.items) * self.price).enumerate();
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::collapse::bounds::UNREACHABLE;
    use crate::collapse::lagrangian::Sum;
    use crate::collapse::trie::Trie;
    use crate::collapse::{Blind, Inventory, without_covered};
    use crate::path::InvalidationPath;

    /// The score of the set that `wildcards` finds, and the best with a gap that drops nothing.
    fn scores(costs: &Costs, trie: &Trie, limits: Limits) -> (Score, Score) {
        let chosen = wildcards(costs, limits);
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
        let wildcard = |&node: &usize| Sum { items: 1, wildcards: 1, score: costs.wildcard(node) };
        let set: Vec<_> = chosen.iter().map(wildcard).chain(rest).collect();
        assert!(set.iter().map(|it| it.items).sum::<usize>() <= limits.items);
        assert!(set.iter().map(|it| it.wildcards).sum::<usize>() <= limits.wildcards);
        let shape = Shape::new(costs, limits);
        let inside = shape.inside(costs, 0);
        let outside = shape.outside(&inside);
        let bounds = Bounds { shape, outside, price: 0, least: 0, limits };
        let everything = Tables::build(costs, &bounds, UNREACHABLE >> 1);
        (set.iter().map(|it| it.score).sum(), everything.best().unwrap().1)
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
