//! The cheapest set within the budgets, exactly: dynamic programming over the trie, pruned by the Lagrangian bound.
//!
//! For each part of the trie and each number of items and of wildcards in it, the tables hold the cheapest candidate to
//! cover it. A candidate is pruned if its cost plus the least cost of everything else, at the relaxation's price per
//! item, exceeds the lower bound plus the price of the item budget by more than the duality gap: no better set can
//! contain it. The gap is that between the best set known and the lower bound, and a fraction of it is tried first. The
//! result is exact whatever the price, which only determines how many candidates remain.

#![expect(clippy::indexing_slicing, reason = "indices of nodes and candidates come from the tables themselves")]

use super::frontier::{Candidate, Frontier};
use super::lagrangian::lagrangian_bound;
use super::lower_bounds::Parts;
use super::objective::{EffectiveBudget, Score, SetTotals, to_score};
use super::trie::Node;

/// The duality gap, divided by this, is tried first. Few candidates remain, and they often contain a set that narrows
/// the gap considerably.
const FIRST_GAP_DIVISOR: Score = 32;

/// Stands for the node's wildcard, instead of the index of a candidate of its children.
const OWN_WILDCARD: u32 = u32::MAX;

/// Returns the nodes whose wildcards are in the cheapest set, ascending. Required items below none of them are sent
/// unchanged.
pub(super) fn wildcards(nodes: &[Node], budget: EffectiveBudget) -> Vec<usize> {
    let Some(root) = nodes.len().checked_sub(1) else { return Vec::new() };
    let parts = Parts::new(nodes, budget);
    let lagrangian = lagrangian_bound(&parts);
    let outside = parts.outside(&lagrangian.inside);
    let bounds = PruningBounds { parts, outside, price: lagrangian.price, lower_bound: lagrangian.bound };
    let first_gap = (lagrangian.best_known - lagrangian.bound) / FIRST_GAP_DIVISOR;
    let tables = Tables::build(&bounds, first_gap);
    let best = tables.best();
    // The duality gap of the best set known by now. No better set exceeds the lower bound by more.
    let duality_gap =
        best.map_or(lagrangian.best_known, |(_, score)| score.min(lagrangian.best_known)) - lagrangian.bound;
    let mut chosen = match best {
        Some((candidate, _)) if duality_gap <= first_gap || !tables.pruned => tables.trace(candidate),
        _ => {
            let tables = Tables::build(&bounds, duality_gap);
            tables.best().map_or_else(|| vec![root], |(candidate, _)| tables.trace(candidate))
        }
    };
    chosen.sort_unstable();
    chosen
}

/// The bounds that decide whether a candidate can be part of a better set.
struct PruningBounds<'n> {
    parts: Parts<'n>,
    /// For each part and each number of wildcards in it, the least cost of everything else.
    outside: Vec<Score>,
    /// The price of an item.
    price: Score,
    /// The lower bound: no set within the budgets has a smaller score.
    lower_bound: Score,
}

impl PruningBounds<'_> {
    /// Returns the most that a candidate for `part` may cost, item prices included, by its number of wildcards.
    fn most(&self, part: usize, gap: Score) -> impl Fn(usize) -> Score {
        let most = self.lower_bound + to_score(self.parts.budget.items) * self.price + gap;
        let outside = &self.outside[self.parts.cells(part)];
        move |wildcards| outside.get(wildcards).map_or(-1, |outside_cost| most - outside_cost)
    }
}

/// The candidates of all nodes, with what is needed to trace one back.
struct Tables<'n> {
    nodes: &'n [Node],
    /// By node: the origin of each candidate, once all children are joined.
    node_origins: Vec<Vec<u32>>,
    /// By child: which candidates of the siblings before it and of itself were joined.
    joined: Vec<Vec<(u32, u32)>>,
    root: Vec<Candidate>,
    price: Score,
    /// Whether any candidate was pruned because of the gap. If none was, the result is exact whatever the gap.
    pruned: bool,
}

impl<'n> Tables<'n> {
    fn build(bounds: &PruningBounds<'n>, gap: Score) -> Self {
        let PruningBounds { parts, price, .. } = bounds;
        let Parts { nodes, budget, .. } = *parts;
        let mut pruned = false;
        let mut open = vec![Vec::new(); nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            let SetTotals { items, wildcards, score } = node.direct;
            if items <= budget.items && wildcards <= budget.wildcards {
                let score_with_price = score + to_score(items) * price;
                if score_with_price <= bounds.most(parts.first[index], gap)(wildcards) {
                    open[index].push(Candidate { items, wildcards, score_with_price, from: (0, 0) });
                } else {
                    pruned = true;
                }
            }
        }
        let mut node_origins = vec![Vec::new(); nodes.len()];
        let mut joined = vec![Vec::new(); nodes.len()];
        let mut frontier = Frontier::new(budget, *price);
        let mut candidates: Vec<Candidate> = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            candidates = std::mem::take(&mut open[index]);
            for (candidate, from) in candidates.iter_mut().zip(0..) {
                candidate.from = (from, 0);
            }
            let own = node.wildcard + price;
            if own <= bounds.most(index, gap)(1) {
                // At equal cost, candidates without a wildcard here stay first.
                let at = candidates.partition_point(|it| (it.wildcards, it.score_with_price) <= (1, own));
                let from = (OWN_WILDCARD, 0);
                candidates.insert(at, Candidate { items: 1, wildcards: 1, score_with_price: own, from });
            } else {
                pruned = true;
            }
            node_origins[index] = candidates.iter().map(|candidate| candidate.from.0).collect();
            if let Some(parent) = node.parent {
                let most = bounds.most(parts.joined[index], gap);
                pruned |= frontier.join(&mut open[parent], &candidates, most);
                joined[index] = open[parent].iter().map(|candidate| candidate.from).collect();
            }
        }
        Self { nodes, node_origins, joined, root: candidates, price: *price, pruned }
    }

    /// Returns the index and the score of the root's best candidate.
    fn best(&self) -> Option<(usize, Score)> {
        let score = |it: &Candidate| it.score_with_price - to_score(it.items) * self.price;
        self.root.iter().map(score).enumerate().min_by_key(|&(_, score)| score)
    }

    /// Returns the nodes whose wildcards are part of a candidate of the root.
    fn trace(&self, candidate: usize) -> Vec<usize> {
        let mut children = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                children[parent].push(index);
            }
        }
        let mut wildcards = Vec::new();
        let mut open = vec![(self.nodes.len() - 1, candidate)];
        while let Some((node, candidate)) = open.pop() {
            let mut candidate = self.node_origins[node][candidate];
            if candidate == OWN_WILDCARD {
                wildcards.push(node);
                continue;
            }
            for &child in children[node].iter().rev() {
                let (before, of_child) = self.joined[child][candidate as usize];
                open.push((child, of_child as usize));
                candidate = before;
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
    use crate::collapse::lower_bounds::UNREACHABLE;
    use crate::collapse::trie::Trie;
    use crate::collapse::{Counted, Heuristic, without_covered};
    use crate::path::InvalidationPath;

    /// Returns the score of the set that `wildcards` finds, and the best score with a gap that prunes nothing.
    fn scores(trie: &Trie, budget: EffectiveBudget) -> (Score, Score) {
        let chosen = wildcards(&trie.nodes, budget);
        let covered = |node: usize| {
            let mut above = trie.nodes[node].parent;
            while let Some(parent) = above {
                if chosen.contains(&parent) {
                    return true;
                }
                above = trie.nodes[parent].parent;
            }
            chosen.contains(&node)
        };
        let rest = (0..trie.nodes.len()).filter(|&node| !covered(node)).map(|node| trie.nodes[node].direct);
        let wildcard = |&node: &usize| SetTotals { items: 1, wildcards: 1, score: trie.nodes[node].wildcard };
        let set: Vec<_> = chosen.iter().map(wildcard).chain(rest).collect();
        assert!(set.iter().map(|it| it.items).sum::<usize>() <= budget.items);
        assert!(set.iter().map(|it| it.wildcards).sum::<usize>() <= budget.wildcards);
        let parts = Parts::new(&trie.nodes, budget);
        let inside = parts.inside(0);
        let outside = parts.outside(&inside);
        let bounds = PruningBounds { parts, outside, price: 0, lower_bound: 0 };
        let unpruned = Tables::build(&bounds, UNREACHABLE >> 1);
        (set.iter().map(|it| it.score).sum(), unpruned.best().unwrap().1)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Inputs too large for exhaustive search, where most candidates are pruned.
        #[test]
        fn pruning_loses_no_better_set(
            parts in vec(vec(select(vec!["a", "b", "c", "/", "d/", "e*"]), 1..9), 2..150),
            is_listed in any::<bool>(),
            items in 1..40_usize,
            wildcards in 1..10_usize,
        ) {
            let paths: Vec<_> =
                parts.iter().map(|parts| InvalidationPath::parse(&format!("/{}", parts.concat())).unwrap()).collect();
            // Every second path has an unchanged sibling, so that counts are small and often equal.
            let urls = paths.iter().step_by(2).map(|path| format!("{}x", path.as_str())).collect();
            let counted = Counted::new(urls, vec!["/a".into(), "/d/".into()], &paths);
            let required = without_covered(paths);
            let trie = if is_listed { Trie::new(required, &counted, 1000) } else { Trie::new(required, &Heuristic, 0) };
            prop_assume!(!trie.nodes.is_empty());
            let (found, best) = scores(&trie, EffectiveBudget { items, wildcards });
            prop_assert_eq!(found, best);
        }
    }
}
