//! Lagrangian relaxation of the item budget: a lower bound on the score of any set within the budgets.
//!
//! The relaxation replaces the item budget by a price per item and keeps the wildcard budget. The cheapest set is then
//! found in one pass up the trie (`lower_bounds`). Its score plus the price of its items, minus the price of the whole
//! item budget, never exceeds the score of the best set within both budgets. The bound is valid for any price, and
//! tight for a good one.

#![expect(clippy::indexing_slicing, reason = "indices of nodes come from the trie itself")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "floating point only proposes prices, of which none is wrong"
)]

use super::budget::EffectiveBudget;
use super::lower_bounds::{InsideCosts, Parts};
use super::trie::Trie;

/// The cost, the number of items and the number of wildcards of a set, packed into one number and compared in this
/// order. The two counts have 24 bits each, a limit that no event comes near; the rest is the cost.
pub(super) type Score = i128;

/// The score of a thousandth of an unchanged URL evicted.
const COST: Score = 1 << 48;

/// The score of an item.
const ITEM: Score = 1 << 24;

/// The score of a wildcard, in addition to that of an item.
const WILDCARD: Score = 1;

/// The size and the score of a set or of a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetTotals {
    pub(super) items: usize,
    pub(super) wildcards: usize,
    pub(super) score: Score,
}

/// The scores of the trie's items and wildcards, by node.
pub(super) struct Costs {
    parents: Vec<Option<usize>>,
    /// The direct items of each node.
    direct: Vec<SetTotals>,
    /// The score of each node's wildcard.
    wildcard: Vec<Score>,
}

/// The lower bound at a nearly optimal price per item.
pub(super) struct LagrangianBound {
    /// The least cost of each part of the trie at that price.
    pub(super) inside: InsideCosts,
    /// The lower bound: no set within the budgets has a smaller score.
    pub(super) bound: Score,
    /// The score of the best set within the budgets that was found on the way. An upper bound.
    pub(super) best_known: Score,
}

pub(super) fn to_score(count: usize) -> Score {
    Score::try_from(count).unwrap_or(Score::MAX >> 32)
}

impl Costs {
    pub(super) fn new(trie: &Trie) -> Self {
        let direct = |node: &super::trie::Node| {
            let items = node.paths + node.wildcards;
            let score =
                Score::from(node.items_cost) * COST + to_score(items) * ITEM + to_score(node.wildcards) * WILDCARD;
            SetTotals { items, wildcards: node.wildcards, score }
        };
        Self {
            parents: trie.nodes.iter().map(|node| node.parent).collect(),
            direct: trie.nodes.iter().map(direct).collect(),
            wildcard: trie.nodes.iter().map(|node| Score::from(node.wildcard_cost) * COST + ITEM + WILDCARD).collect(),
        }
    }

    pub(super) fn nodes(&self) -> usize {
        self.parents.len()
    }

    pub(super) fn parent(&self, node: usize) -> Option<usize> {
        self.parents[node]
    }

    pub(super) fn direct(&self, node: usize) -> SetTotals {
        self.direct[node]
    }

    /// Returns the score of the node's wildcard.
    pub(super) fn wildcard(&self, node: usize) -> Score {
        self.wildcard[node]
    }

    /// Solves the relaxation at a nearly optimal price. At the highest price tried, the root's wildcard is cheapest.
    pub(super) fn lagrangian_bound(&self, parts: &Parts, budget: EffectiveBudget) -> LagrangianBound {
        let everything = self.wildcard(self.nodes() - 1);
        let mut best: Option<(Score, InsideCosts)> = None;
        let mut best_known = everything;
        maximize_concave(everything + 1, |price| {
            let inside = parts.inside(self, price);
            let mut cheapest = (Score::MAX, 0);
            for (items, score_with_price) in inside.whole() {
                cheapest = cheapest.min((score_with_price, items));
                if items <= budget.items {
                    best_known = best_known.min(score_with_price - to_score(items) * price);
                }
            }
            let bound = cheapest.0 - to_score(budget.items) * price;
            if best.as_ref().is_none_or(|(other, _)| bound > *other) {
                best = Some((bound, inside));
            }
            Tangent { price, bound, slope: to_score(cheapest.1) as f64 - to_score(budget.items) as f64 }
        });
        let (bound, inside) = best.unwrap_or_else(|| (0, parts.inside(self, 0)));
        LagrangianBound { inside, bound, best_known }
    }
}

/// The most prices to try between the two extremes.
const MAX_STEPS: usize = 24;

/// The bound at a price, and its slope there.
#[derive(Clone, Copy)]
struct Tangent {
    price: Score,
    bound: Score,
    slope: f64,
}

/// Maximizes a concave function of a price from 0 to `top`: repeatedly evaluates it where the tangents of both sides
/// meet.
fn maximize_concave(top: Score, mut at: impl FnMut(Score) -> Tangent) {
    let mut low = at(0);
    if low.slope <= 0.0 {
        return;
    }
    let mut high = at(top);
    for _ in 0..MAX_STEPS {
        let rise = (high.bound - low.bound) as f64 - high.slope * (high.price - low.price) as f64;
        let step = (rise / (low.slope - high.slope)) as Score;
        if step <= 0 || step >= high.price - low.price {
            break;
        }
        let next = at(low.price + step);
        let intersection = low.bound as f64 + low.slope * step as f64;
        if next.slope > 0.0 {
            low = next;
        } else {
            high = next;
        }
        if next.bound as f64 >= intersection - intersection.abs() * f64::EPSILON * 4.0 {
            break;
        }
    }
}
