//! Inside–outside tables over the trie: lower bounds on cost, for each number of wildcards, at a price per item.
//!
//! A *part* is a node with its whole subtree, or a node with its direct items and its first few children. Joining parts
//! from the leaves up gives the least cost of each ([`Parts::inside`]). Splitting them again from the root down gives
//! the least cost of everything else ([`Parts::outside`]). The sum of the two is a lower bound for every whole set in
//! which the part has that number of wildcards.

#![expect(clippy::indexing_slicing, reason = "indices of nodes and parts come from the trie itself")]

use std::ops::Range;

use super::objective::{EffectiveBudget, Score, to_score};
use super::trie::Node;

/// Greater than any cost, yet small enough to be added to itself without overflow.
pub(super) const UNREACHABLE: Score = Score::MAX >> 2;

/// The numbering of the parts, and the layout of their costs in a table. Part `node` is a node with its whole subtree.
/// Part `nodes + child` is what the child is joined to: its parent's direct items and the children before it.
pub(super) struct Parts<'n> {
    pub(super) nodes: &'n [Node],
    pub(super) budget: EffectiveBudget,
    /// By node: the part with its direct items alone.
    pub(super) first: Vec<usize>,
    /// By child: the part that results from joining it.
    pub(super) joined: Vec<usize>,
    /// By part: the index of its first cost. A part has one cost for each number of wildcards from 0 to its maximum.
    starts: Vec<usize>,
}

/// The cheapest choice for a part with a given number of wildcards.
#[derive(Clone, Copy)]
pub(super) struct Cheapest {
    /// The score plus the price of the items.
    pub(super) score_with_price: Score,
    pub(super) items: usize,
}

impl<'n> Parts<'n> {
    pub(super) fn new(nodes: &'n [Node], budget: EffectiveBudget) -> Self {
        let count = nodes.len();
        let (mut first, mut joined) = (vec![0; count], vec![0; count]);
        let mut last_child: Vec<Option<usize>> = vec![None; count];
        for (index, node) in nodes.iter().enumerate() {
            match last_child[index] {
                Some(child) => joined[child] = index,
                None => first[index] = index,
            }
            if let Some(parent) = node.parent {
                match last_child[parent].replace(index) {
                    Some(child) => joined[child] = count + index,
                    None => first[parent] = count + index,
                }
            }
        }
        let mut most = vec![0; 2 * count];
        for (node, &part) in nodes.iter().zip(&first) {
            most[part] = node.direct.wildcards.min(budget.wildcards);
        }
        for (index, node) in nodes.iter().enumerate() {
            most[index] = most[index].max(1);
            if node.parent.is_some() {
                most[joined[index]] = (most[count + index] + most[index]).min(budget.wildcards);
            }
        }
        let mut starts = vec![0];
        starts.extend(most.iter().scan(0, |end, most| {
            *end += most + 1;
            Some(*end)
        }));
        Self { nodes, budget, first, joined, starts }
    }

    /// Returns the range of a part's costs in the table.
    pub(super) fn cells(&self, part: usize) -> Range<usize> {
        self.starts[part]..self.starts[part + 1]
    }

    /// Returns the range of the costs of the whole trie.
    pub(super) fn whole(&self) -> Range<usize> {
        self.cells(self.nodes.len() - 1)
    }

    /// Computes the least cost of each part for each number of wildcards, from the leaves up.
    pub(super) fn inside(&self, price: Score) -> Vec<Cheapest> {
        let mut cells = vec![Cheapest { score_with_price: UNREACHABLE, items: 0 }; self.starts[2 * self.nodes.len()]];
        for (node, &part) in self.nodes.iter().zip(&self.first) {
            let direct = node.direct;
            if direct.wildcards <= self.budget.wildcards {
                let score_with_price = direct.score + to_score(direct.items) * price;
                cells[self.starts[part] + direct.wildcards] = Cheapest { score_with_price, items: direct.items };
            }
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let own = node.wildcard + price;
            let with_one = &mut cells[self.starts[index] + 1];
            // At equal cost the wildcard has fewer items.
            if own <= with_one.score_with_price {
                *with_one = Cheapest { score_with_price: own, items: 1 };
            }
            if node.parent.is_none() {
                continue;
            }
            let (before, child) = (self.cells(self.nodes.len() + index), self.cells(index));
            let together = self.cells(self.joined[index]);
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
        cells
    }

    /// Computes, for each part and each number of wildcards in it, the least cost of everything else, from the root
    /// down, at the price of `inside`.
    pub(super) fn outside(&self, inside: &[Cheapest]) -> Vec<Score> {
        let mut least = vec![UNREACHABLE; inside.len()];
        least[self.whole()].fill(0);
        for node in (0..self.nodes.len() - 1).rev() {
            let (before, child) = (self.cells(self.nodes.len() + node), self.cells(node));
            let together = self.cells(self.joined[node]);
            for (a, from) in before.zip(together.start..) {
                for (b, index) in child.clone().zip(from..together.end) {
                    least[a] = least[a].min(least[index] + inside[b].score_with_price);
                    least[b] = least[b].min(least[index] + inside[a].score_with_price);
                }
            }
        }
        least
    }
}
