//! The budgets as prices: a bound from below on what any set within them costs.
//!
//! With a price on every item and another on every wildcard in place of the budgets, the cheapest set is found in one
//! walk up the trie. What it costs, less the prices of a budget used up, is never more than the cheapest set within the
//! budget costs (Lagrangian relaxation). Good prices make the bound tight; any prices leave it valid.

#![expect(clippy::indexing_slicing, reason = "places of nodes come from the trie itself")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "floating point only proposes prices, of which none is wrong"
)]

use super::trie::Trie;

/// Cost, number of items and number of wildcards of a set in one number, compared in this order: 24 bits each for the
/// two counts, which no event comes near, and the rest for the cost.
pub(super) type Score = i128;

/// One thousandth of a needlessly evicted URL.
pub(super) const COST: Score = 1 << 48;

/// One item more.
pub(super) const ITEM: Score = 1 << 24;

/// One wildcard more, besides its being an item.
pub(super) const WILDCARD: Score = 1;

/// What an item and a wildcard cost on top, in place of the budgets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prices {
    pub(super) item: Score,
    pub(super) wildcard: Score,
}

/// The budgets, as far as the required items can reach them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) items: usize,
    pub(super) wildcards: usize,
}

/// The trie as numbers.
pub(super) struct Costs {
    parents: Vec<Option<usize>>,
    /// Items and wildcards right below each node, and their score.
    direct: Vec<Sum>,
    /// The score of each node's wildcard.
    wildcard: Vec<Score>,
}

/// A set, or a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) items: usize,
    pub(super) wildcards: usize,
    pub(super) score: Score,
}

/// The cheapest set at some prices.
pub(super) struct Relaxed {
    pub(super) prices: Prices,
    /// What it costs, prices included, less the prices of the budgets: no set within the budgets costs less.
    pub(super) bound: Score,
    /// The set itself; its score is without the prices.
    pub(super) sum: Sum,
    /// For each node, the cheapest way to cover what is below without a wildcard right here; prices included.
    pub(super) split: Vec<Score>,
}

fn amount(count: usize) -> Score {
    Score::try_from(count).unwrap_or(Score::MAX >> 32)
}

impl Costs {
    pub(super) fn new(trie: &Trie) -> Self {
        let direct = |node: &super::trie::Node| {
            let items = node.paths + node.wildcards;
            let score = Score::from(node.items_cost) * COST + amount(items) * ITEM + amount(node.wildcards) * WILDCARD;
            Sum { items, wildcards: node.wildcards, score }
        };
        Self {
            parents: trie.nodes.iter().map(|node| node.parent).collect(),
            direct: trie.nodes.iter().map(direct).collect(),
            wildcard: trie.nodes.iter().map(|node| Score::from(node.wildcard_cost) * COST + ITEM + WILDCARD).collect(),
        }
    }

    pub(super) fn parent(&self, node: usize) -> Option<usize> {
        self.parents[node]
    }

    pub(super) fn direct(&self, node: usize) -> Sum {
        self.direct[node]
    }

    /// The set of the node's wildcard alone.
    pub(super) fn wildcard(&self, node: usize) -> Sum {
        Sum { items: 1, wildcards: 1, score: self.wildcard[node] }
    }

    /// The cheapest set at these prices.
    pub(super) fn relax(&self, prices: Prices, limits: Limits) -> Relaxed {
        let mut sums = self.direct.clone();
        let mut split: Vec<_> = sums.iter().map(|sum| prices.of(*sum)).collect();
        let mut cheapest = Sum::default();
        let mut inside = 0;
        for node in 0..sums.len() {
            let wildcard = self.wildcard(node);
            // Where both cost the same the wildcard is fewer items.
            (cheapest, inside) = if prices.of(wildcard) <= split[node] {
                (wildcard, prices.of(wildcard))
            } else {
                (sums[node], split[node])
            };
            if let Some(parent) = self.parents[node] {
                sums[parent] = sums[parent] + cheapest;
                split[parent] += inside;
            }
        }
        let bound = inside - amount(limits.items) * prices.item - amount(limits.wildcards) * prices.wildcard;
        Relaxed { prices, bound, sum: cheapest, split }
    }

    /// The relaxation with nearly the best bound, and the score of the best set within the limits that was met on the
    /// way. At the highest price looked at the root's wildcard is cheapest.
    pub(super) fn best_relaxation(&self, limits: Limits) -> (Relaxed, Score) {
        let root = self.wildcard.len() - 1;
        let top = self.wildcard[root] + 1;
        let mut best = self.relax(Prices::default(), limits);
        let mut within = self.wildcard[root];
        let over = |used: usize, limit: usize| amount(used) as f64 - amount(limit) as f64;
        let mut at_prices = |item: Score, wildcard: Score| {
            let relaxed = self.relax(Prices { item, wildcard }, limits);
            let (bound, sum) = (relaxed.bound, relaxed.sum);
            if sum.items <= limits.items && sum.wildcards <= limits.wildcards {
                within = within.min(sum.score);
            }
            if bound > best.bound {
                best = relaxed;
            }
            let slopes = (over(sum.items, limits.items), over(sum.wildcards, limits.wildcards));
            Tangent { price: item, bound, slope: slopes.0, other_slope: slopes.1 }
        };
        // For each price of a wildcard the best price of an item, and how the bound there depends on the former.
        highest(top, |wildcard| {
            let at_best = highest(top, |item| at_prices(item, wildcard));
            Tangent { price: wildcard, slope: at_best.other_slope, other_slope: at_best.slope, ..at_best }
        });
        (best, within)
    }
}

/// How often a price is improved at the most.
const STEPS: usize = 16;

/// The bound at a price, and how it changes with that price and with the other.
#[derive(Clone, Copy)]
struct Tangent {
    price: Score,
    bound: Score,
    slope: f64,
    other_slope: f64,
}

/// About the highest point of a concave function of a price from 0 to `top`: where its tangents from both sides meet, again
/// and again. Floating point only proposes prices, of which none is wrong.
fn highest(top: Score, mut at: impl FnMut(Score) -> Tangent) -> Tangent {
    let mut low = at(0);
    if low.slope <= 0.0 {
        return low;
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
    // On the top both slopes are in force, in the proportion in which they cancel out.
    let share = high.slope / (high.slope - low.slope);
    let other_slope = share * low.other_slope + (1.0 - share) * high.other_slope;
    let top = if low.bound > high.bound { low } else { high };
    Tangent { other_slope, ..top }
}

impl Prices {
    /// The score of a set with the prices on top.
    pub(super) fn of(self, sum: Sum) -> Score {
        sum.score + amount(sum.items) * self.item + amount(sum.wildcards) * self.wildcard
    }
}

impl std::ops::Add for Sum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            items: self.items + other.items,
            wildcards: self.wildcards + other.wildcards,
            score: self.score + other.score,
        }
    }
}
