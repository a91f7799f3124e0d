//! The budgets as prices: a bound from below on what any set within them costs.
//!
//! With a price on every item and another on every wildcard in place of the budgets, the cheapest set is found in one
//! walk up the trie. What it costs, less the prices of a budget used up, is never more than the cheapest set within the
//! budget costs (Lagrangian relaxation). Good prices make the bound tight; any prices leave it valid.

#![expect(clippy::indexing_slicing, reason = "places of nodes come from the trie itself")]

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
    /// way. The most expensive prices looked at are those at which the root's wildcard is cheapest.
    pub(super) fn best_relaxation(&self, limits: Limits) -> (Relaxed, Score) {
        let root = self.wildcard.len() - 1;
        let top = self.wildcard[root] + 1;
        let mut best = self.relax(Prices::default(), limits);
        let mut within = self.wildcard[root];
        let mut look = |prices: Prices| {
            let relaxed = self.relax(prices, limits);
            let sum = relaxed.sum;
            if sum.items <= limits.items && sum.wildcards <= limits.wildcards {
                within = within.min(sum.score);
            }
            if relaxed.bound > best.bound {
                best = relaxed;
            }
            sum
        };
        // Too many items, or wildcards, at a price: it has to rise.
        let mut item_price = |wildcard: Score, digits: u32| {
            let mut wildcards = 0;
            let item = rise(top, digits, |item| {
                let sum = look(Prices { item, wildcard });
                if sum.items <= limits.items {
                    wildcards = sum.wildcards;
                }
                sum.items > limits.items
            });
            (item, wildcards)
        };
        let (_, wildcards) = item_price(0, FINE);
        if wildcards > limits.wildcards {
            let wildcard = rise(top, COARSE, |wildcard| item_price(wildcard, COARSE).1 > limits.wildcards);
            item_price(wildcard, FINE);
        }
        (best, within)
    }
}

/// How many binary digits of a price are settled: where the other price is still open, and where it is not.
const COARSE: u32 = 5;
const FINE: u32 = 20;

/// About the least price from 0 to `top` at which `too_low` no longer holds, to so many binary digits.
fn rise(top: Score, digits: u32, mut too_low: impl FnMut(Score) -> bool) -> Score {
    if !too_low(0) {
        return 0;
    }
    // First the place of the leading digit, then the digits after it.
    let (mut low, mut high) = (0, top.ilog2() + 1);
    while low < high {
        let middle = low.midpoint(high);
        if too_low(1 << middle) { low = middle + 1 } else { high = middle }
    }
    let mut price: Score = 1 << high;
    let mut step = price >> 1;
    for _ in 0..digits {
        step >>= 1;
        if step == 0 {
            break;
        }
        if !too_low(price - step) {
            price -= step;
        }
    }
    price
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
