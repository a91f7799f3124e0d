//! Lagrangian relaxation of the item budget: a lower bound on the score of any set within the budgets.
//!
//! The relaxation replaces the item budget by a price per item and keeps the wildcard budget. The cheapest set is then
//! found in one pass up the trie (`lower_bounds`). Its score plus the price of its items, minus the price of the whole
//! item budget, never exceeds the score of the best set within both budgets. The bound is valid for any price, and
//! tight for a good one.

#![expect(clippy::indexing_slicing, reason = "the trie has a root, and its costs are in the table")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "floating point only proposes prices, of which none is wrong"
)]

use super::lower_bounds::{Cheapest, Parts, UNREACHABLE};
use super::objective::{Score, to_score};

/// The lower bound at a nearly optimal price per item.
pub(super) struct LagrangianBound {
    pub(super) price: Score,
    /// The least cost of each part of the trie at that price.
    pub(super) inside: Vec<Cheapest>,
    /// The lower bound: no set within the budgets has a smaller score.
    pub(super) bound: Score,
    /// The score of the best set within the budgets that was found on the way. An upper bound.
    pub(super) best_known: Score,
}

/// Solves the relaxation at a nearly optimal price. At the highest price tried, the root's wildcard is cheapest.
pub(super) fn lagrangian_bound(parts: &Parts<'_>) -> LagrangianBound {
    let budget = parts.budget.items;
    let everything = parts.nodes[parts.nodes.len() - 1].wildcard;
    let mut best = LagrangianBound { price: 0, inside: Vec::new(), bound: Score::MIN, best_known: everything };
    maximize_concave(everything + 1, |price| {
        let inside = parts.inside(price);
        let mut cheapest = (Score::MAX, 0);
        for cell in inside[parts.whole()].iter().filter(|cell| cell.score_with_price < UNREACHABLE) {
            cheapest = cheapest.min((cell.score_with_price, cell.items));
            if cell.items <= budget {
                best.best_known = best.best_known.min(cell.score_with_price - to_score(cell.items) * price);
            }
        }
        let bound = cheapest.0 - to_score(budget) * price;
        if bound > best.bound {
            (best.price, best.inside, best.bound) = (price, inside, bound);
        }
        Tangent { price, bound, slope: to_score(cheapest.1) as f64 - to_score(budget) as f64 }
    });
    best
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
