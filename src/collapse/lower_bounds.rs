//! Inside–outside tables over the trie: lower bounds on cost, for each number of wildcards, at a price per item.
//!
//! A *part* is a node with its whole subtree, or a node with its direct items and its first few children. Joining parts
//! from the leaves up gives the least cost of each ([`InsideCosts`]). Splitting them again from the root down gives the
//! least cost of everything else ([`Parts::outside`]). The sum of the two is a lower bound for every whole set in which
//! the part has that number of wildcards.

#![expect(clippy::indexing_slicing, reason = "indices of nodes and parts come from the trie itself")]

use super::budget::EffectiveBudget;
use super::lagrangian::{Costs, Score, to_score};

/// Greater than any cost, yet small enough to be added to itself without overflow.
pub(super) const UNREACHABLE: Score = Score::MAX >> 2;

/// The numbering of the parts, and the layout of their costs in a table. Part `node` is a node with its whole subtree.
/// Part `nodes + child` is what the child is joined to: its parent's direct items and the children before it.
pub(super) struct Parts {
    nodes: usize,
    /// By node: the part with its direct items alone.
    first: Vec<usize>,
    /// By child: the part that results from joining it.
    joined: Vec<usize>,
    /// By part: the index of its first cost. A part has one cost for each number of wildcards from 0 to its maximum.
    starts: Vec<usize>,
    most_wildcards: usize,
}

/// The least cost of each part.
pub(super) struct InsideCosts {
    pub(super) price: Score,
    cells: Vec<Cheapest>,
    /// The range of the root's costs.
    whole: std::ops::Range<usize>,
}

/// The cheapest choice for a part with a given number of wildcards.
#[derive(Clone, Copy)]
struct Cheapest {
    /// The score plus the price of the items.
    score_with_price: Score,
    items: usize,
}

impl InsideCosts {
    /// Returns the cheapest whole set for each number of wildcards within the budget: its number of items, and its
    /// score plus the price of the items.
    pub(super) fn whole(&self) -> impl Iterator<Item = (usize, Score)> {
        let cells = &self.cells[self.whole.clone()];
        cells.iter().filter(|cell| cell.score_with_price < UNREACHABLE).map(|cell| (cell.items, cell.score_with_price))
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

    /// Returns the part that results from joining `child`.
    pub(super) fn joined(&self, child: usize) -> usize {
        self.joined[child]
    }

    /// Returns the part with the node's direct items alone.
    pub(super) fn first(&self, node: usize) -> usize {
        self.first[node]
    }

    /// Returns the range of a part's costs in the table.
    fn cells(&self, part: usize) -> std::ops::Range<usize> {
        self.starts[part]..self.starts[part + 1]
    }

    /// Computes the least cost of each part for each number of wildcards, from the leaves up.
    pub(super) fn inside(&self, costs: &Costs, price: Score) -> InsideCosts {
        let mut cells = vec![Cheapest { score_with_price: UNREACHABLE, items: 0 }; self.starts[2 * self.nodes]];
        for node in 0..self.nodes {
            let direct = costs.direct(node);
            if direct.wildcards <= self.most_wildcards {
                let score_with_price = direct.score + to_score(direct.items) * price;
                cells[self.starts[self.first[node]] + direct.wildcards] =
                    Cheapest { score_with_price, items: direct.items };
            }
        }
        for node in 0..self.nodes {
            let own = costs.wildcard(node) + price;
            let with_one = &mut cells[self.starts[node] + 1];
            // At equal cost the wildcard has fewer items.
            if own <= with_one.score_with_price {
                *with_one = Cheapest { score_with_price: own, items: 1 };
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
                    let score_with_price = a.score_with_price + b.score_with_price;
                    if score_with_price < cells[index].score_with_price {
                        cells[index] = Cheapest { score_with_price, items: a.items + b.items };
                    }
                }
            }
        }
        InsideCosts { price, cells, whole: self.cells(self.nodes - 1) }
    }

    /// Computes, for each part and each number of wildcards in it, the least cost of everything else, from the root
    /// down.
    pub(super) fn outside(&self, inside: &InsideCosts) -> OutsideCosts {
        let mut least = vec![UNREACHABLE; self.starts[2 * self.nodes]];
        least[self.cells(self.nodes - 1)].fill(0);
        for node in (0..self.nodes - 1).rev() {
            let (before, child) = (self.cells(self.nodes + node), self.cells(node));
            let together = self.cells(self.joined[node]);
            for (a, from) in before.zip(together.start..) {
                for (b, index) in child.clone().zip(from..together.end) {
                    least[a] = least[a].min(least[index] + inside.cells[b].score_with_price);
                    least[b] = least[b].min(least[index] + inside.cells[a].score_with_price);
                }
            }
        }
        OutsideCosts { least }
    }

    /// Returns the least cost of everything but `part`, by the number of wildcards in the part.
    pub(super) fn outside_costs<'o>(&self, outside: &'o OutsideCosts, part: usize) -> &'o [Score] {
        &outside.least[self.cells(part)]
    }
}

/// The least cost of everything but a part, at the price of the [`InsideCosts`] it was computed from.
pub(super) struct OutsideCosts {
    least: Vec<Score>,
}
