//! The score of a set of items, by which sets are compared.

/// The cost, the number of items and the number of wildcards of a set, packed into one number and compared in this
/// order. The two counts have 24 bits each, a limit that no event comes near; the rest is the cost.
pub(super) type Score = i128;

/// The score of a thousandth of an unchanged URL evicted.
const COST: Score = 1 << 48;

/// The score of an item, in addition to its cost. A wildcard has one more.
const ITEM: Score = 1 << 24;

/// The size and the score of a set or of a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SetTotals {
    pub(super) items: usize,
    pub(super) wildcards: usize,
    pub(super) score: Score,
}

impl SetTotals {
    pub(super) fn add(&mut self, is_wildcard: bool, cost: u64) {
        self.items += 1;
        self.wildcards += usize::from(is_wildcard);
        self.score += item_score(is_wildcard, cost);
    }
}

pub(super) fn item_score(is_wildcard: bool, cost: u64) -> Score {
    Score::from(cost) * COST + ITEM + Score::from(is_wildcard)
}

pub(super) fn to_score(count: usize) -> Score {
    Score::try_from(count).unwrap_or(Score::MAX >> 32)
}
