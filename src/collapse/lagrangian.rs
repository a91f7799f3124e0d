//! The budget of items as a price: a bound from below on what any set within the budgets costs.
//!
//! With a price on every item in place of their budget, and the budget of wildcards kept, the cheapest set is found in one
//! walk up the trie (`profile`). What it costs, less the price of a budget used up, is never more than the cheapest set
//! within both budgets costs (Lagrangian relaxation). A good price makes the bound tight; any price leaves it valid.

#![expect(clippy::indexing_slicing, reason = "places of nodes come from the trie itself")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "floating point only proposes prices, of which none is wrong"
)]

use super::bounds::{InsideCosts, Parts};
use super::trie::Trie;

/// Cost, number of items and number of wildcards of a set in one number, compared in this order: 24 bits each for the
/// two counts, which no event comes near, and the rest for the cost.
pub(super) type Score = i128;

/// One thousandth of a needlessly evicted URL.
const COST: Score = 1 << 48;

/// One item more.
const ITEM: Score = 1 << 24;

/// One wildcard more, besides its being an item.
const WILDCARD: Score = 1;

/// The budgets, as far as the required items can reach them.
#[derive(Clone, Copy, Debug)]
pub(super) struct EffectiveBudget {
    pub(super) items: usize,
    pub(super) wildcards: usize,
}

/// A set, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetTotals {
    pub(super) items: usize,
    pub(super) wildcards: usize,
    pub(super) score: Score,
}

/// The trie as numbers.
pub(super) struct Costs {
    parents: Vec<Option<usize>>,
    /// Items and wildcards right below each node, and their score.
    direct: Vec<SetTotals>,
    /// The score of each node's wildcard.
    wildcard: Vec<Score>,
}

/// The price of an item that makes the bound about as tight as it gets.
pub(super) struct LagrangianBound {
    /// The cheapest of each part of the trie at that price.
    pub(super) inside: InsideCosts,
    /// No set within the budgets costs less.
    pub(super) bound: Score,
    /// The score of the best set within the budgets that was met on the way.
    pub(super) best_known: Score,
}

pub(super) fn amount(count: usize) -> Score {
    Score::try_from(count).unwrap_or(Score::MAX >> 32)
}

impl Costs {
    pub(super) fn new(trie: &Trie) -> Self {
        let direct = |node: &super::trie::Node| {
            let items = node.paths + node.wildcards;
            let score = Score::from(node.items_cost) * COST + amount(items) * ITEM + amount(node.wildcards) * WILDCARD;
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

    /// The score of the node's wildcard.
    pub(super) fn wildcard(&self, node: usize) -> Score {
        self.wildcard[node]
    }

    /// The relaxation at nearly the best price. At the highest price looked at the root's wildcard is cheapest.
    pub(super) fn lagrangian_bound(&self, parts: &Parts, budget: EffectiveBudget) -> LagrangianBound {
        let everything = self.wildcard(self.nodes() - 1);
        let mut best: Option<(Score, InsideCosts)> = None;
        let mut best_known = everything;
        highest(everything + 1, |price| {
            let inside = parts.inside(self, price);
            let mut cheapest = (Score::MAX, 0);
            for (items, priced) in inside.whole() {
                cheapest = cheapest.min((priced, items));
                if items <= budget.items {
                    best_known = best_known.min(priced - amount(items) * price);
                }
            }
            let bound = cheapest.0 - amount(budget.items) * price;
            if best.as_ref().is_none_or(|(other, _)| bound > *other) {
                best = Some((bound, inside));
            }
            Tangent { price, bound, slope: amount(cheapest.1) as f64 - amount(budget.items) as f64 }
        });
        let (bound, inside) = best.unwrap_or_else(|| (0, parts.inside(self, 0)));
        LagrangianBound { inside, bound, best_known }
    }
}

/// How often a price is improved at the most.
const STEPS: usize = 24;

/// The bound at a price, and how it changes with the price.
#[derive(Clone, Copy)]
struct Tangent {
    price: Score,
    bound: Score,
    slope: f64,
}

/// Looks for the highest point of a concave function of a price from 0 to `top`: where its tangents from both sides meet,
/// again and again.
fn highest(top: Score, mut at: impl FnMut(Score) -> Tangent) {
    let mut low = at(0);
    if low.slope <= 0.0 {
        return;
    }
    let mut high = at(top);
    for _ in 0..STEPS {
        let rise = (high.bound - low.bound) as f64 - high.slope * (high.price - low.price) as f64;
        let step = (rise / (low.slope - high.slope)) as Score;
        if step <= 0 || step >= high.price - low.price {
            break;
        }
        let next = at(low.price + step);
        let met = low.bound as f64 + low.slope * step as f64;
        if next.slope > 0.0 {
            low = next;
        } else {
            high = next;
        }
        if next.bound as f64 >= met - met.abs() * f64::EPSILON * 4.0 {
            break;
        }
    }
}
