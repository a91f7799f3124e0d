//! What each part of the trie costs at least, for each number of wildcards in it, at a price per item.
//!
//! A *part* is a node with all below it, or a node with its direct items and its first few children. Putting parts
//! together, from the leaves up, gives the least each costs ([`InsideCosts`]); taking them apart again, from the root down,
//! gives the least that everything else costs ([`Parts::outside`]). The two together are the least that a whole set can
//! cost of which a part is known.

#![expect(clippy::indexing_slicing, reason = "places of nodes and parts come from the trie itself")]

use super::lagrangian::{Costs, EffectiveBudget, Score, amount};

/// More than anything costs, and small enough to be added to itself.
pub(super) const UNREACHABLE: Score = Score::MAX >> 2;

/// How the parts of a trie are numbered, and where each keeps its costs. Part `node` is a node with all below it; part
/// `nodes + child` is what the child is joined to: the child's parent with the children before that one.
pub(super) struct Parts {
    nodes: usize,
    /// Of each node: the part with its direct items alone.
    first: Vec<usize>,
    /// Of each child: the part that it makes together with what it is joined to.
    joined: Vec<usize>,
    /// Where each part's costs start. There is one for each number of wildcards from none to the most it can have.
    starts: Vec<usize>,
    most_wildcards: usize,
}

/// The least that each part costs.
pub(super) struct InsideCosts {
    pub(super) price: Score,
    cells: Vec<Cheapest>,
    /// The costs of the root's part.
    whole: std::ops::Range<usize>,
}

/// The cheapest for a number of wildcards.
#[derive(Clone, Copy)]
struct Cheapest {
    /// The score and the price of the items.
    priced: Score,
    items: usize,
}

impl InsideCosts {
    /// The cheapest whole sets for each number of wildcards within their budget: how many items they have, and their
    /// scores with the price of the items.
    pub(super) fn whole(&self) -> impl Iterator<Item = (usize, Score)> {
        let cells = &self.cells[self.whole.clone()];
        cells.iter().filter(|cell| cell.priced < UNREACHABLE).map(|cell| (cell.items, cell.priced))
    }
}

impl Parts {
    pub(super) fn new(costs: &Costs, budget: EffectiveBudget) -> Self {
        let nodes = costs.nodes();
        let (mut first, mut joined) = (vec![0; nodes], vec![0; nodes]);
        let mut last_child: Vec<Option<usize>> = vec![None; nodes];
        for node in 0..nodes {
            match last_child[node] {
                Some(child) => joined[child] = node,
                None => first[node] = node,
            }
            if let Some(parent) = costs.parent(node) {
                match last_child[parent].replace(node) {
                    Some(child) => joined[child] = nodes + node,
                    None => first[parent] = nodes + node,
                }
            }
        }
        let mut most = vec![0; 2 * nodes];
        for node in 0..nodes {
            most[first[node]] = costs.direct(node).wildcards.min(budget.wildcards);
        }
        for node in 0..nodes {
            most[node] = most[node].max(1);
            if costs.parent(node).is_some() {
                most[joined[node]] = (most[nodes + node] + most[node]).min(budget.wildcards);
            }
        }
        let mut end = 0;
        let starts = std::iter::once(0)
            .chain(most.iter().map(|most| {
                end += most + 1;
                end
            }))
            .collect();
        Self { nodes, first, joined, starts, most_wildcards: budget.wildcards }
    }

    /// The part that a child makes together with what it is joined to.
    pub(super) fn joined(&self, child: usize) -> usize {
        self.joined[child]
    }

    /// The part of a node's direct items alone.
    pub(super) fn first(&self, node: usize) -> usize {
        self.first[node]
    }

    /// Where a part's costs are.
    fn cells(&self, part: usize) -> std::ops::Range<usize> {
        self.starts[part]..self.starts[part + 1]
    }

    /// The least that each part costs.
    pub(super) fn inside(&self, costs: &Costs, price: Score) -> InsideCosts {
        let mut cells = vec![Cheapest { priced: UNREACHABLE, items: 0 }; self.starts[2 * self.nodes]];
        for node in 0..self.nodes {
            let direct = costs.direct(node);
            if direct.wildcards <= self.most_wildcards {
                let priced = direct.score + amount(direct.items) * price;
                cells[self.starts[self.first[node]] + direct.wildcards] = Cheapest { priced, items: direct.items };
            }
        }
        for node in 0..self.nodes {
            let own = costs.wildcard(node) + price;
            let with_one = &mut cells[self.starts[node] + 1];
            // Where both cost the same the wildcard is fewer items.
            if own <= with_one.priced {
                *with_one = Cheapest { priced: own, items: 1 };
            }
            if costs.parent(node).is_none() {
                continue;
            }
            let (before, child) = (self.cells(self.nodes + node), self.cells(node));
            let together = self.cells(self.joined[node]);
            for (a, from) in before.zip(together.start..) {
                let a = cells[a];
                for (b, index) in child.clone().zip(from..together.end) {
                    let b = cells[b];
                    let priced = a.priced + b.priced;
                    if priced < cells[index].priced {
                        cells[index] = Cheapest { priced, items: a.items + b.items };
                    }
                }
            }
        }
        InsideCosts { price, cells, whole: self.cells(self.nodes - 1) }
    }

    /// For each part and each number of wildcards in it, the least that everything else costs.
    pub(super) fn outside(&self, inside: &InsideCosts) -> OutsideCosts {
        let mut least = vec![UNREACHABLE; self.starts[2 * self.nodes]];
        least[self.cells(self.nodes - 1)].fill(0);
        for node in (0..self.nodes - 1).rev() {
            let (before, child) = (self.cells(self.nodes + node), self.cells(node));
            let together = self.cells(self.joined[node]);
            for (a, from) in before.zip(together.start..) {
                for (b, index) in child.clone().zip(from..together.end) {
                    least[a] = least[a].min(least[index] + inside.cells[b].priced);
                    least[b] = least[b].min(least[index] + inside.cells[a].priced);
                }
            }
        }
        OutsideCosts { least }
    }

    /// The least that everything but the part costs, for each number of wildcards in the part.
    pub(super) fn outside_costs<'o>(&self, outside: &'o OutsideCosts, part: usize) -> &'o [Score] {
        &outside.least[self.cells(part)]
    }
}

/// The least that everything but a part costs, at the price of an [`InsideCosts`].
pub(super) struct OutsideCosts {
    least: Vec<Score>,
}
