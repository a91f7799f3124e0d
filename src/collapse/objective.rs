//! What a set is optimized for: the budget, which limits its paths and wildcards, and the score, by which the sets within
//! the budget are compared.

use std::num::NonZeroUsize;

use crate::path::{MAX_ITEMS, MAX_WILDCARDS};

/// What the chosen set is optimized for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// The limits of the set.
    pub budget: Budget,
    /// How many unchanged URLs may be evicted to save one item, where they are counted from a listing. At 0, sets
    /// within the budget use only wildcards that evict nothing unchanged.
    pub evictions_per_path: u32,
}

/// The limits of one invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most items, wildcards included. Each is billed as one path.
    pub max_paths: NonZeroUsize,
    /// The most wildcards.
    pub max_wildcards: NonZeroUsize,
}

impl Budget {
    /// The most paths an invalidation may have, wildcards included: CloudFront's quota, see [`MAX_ITEMS`].
    pub const MAX_PATHS: NonZeroUsize = MAX_ITEMS;

    /// The most wildcards an invalidation may have: CloudFront's quota, see [`MAX_WILDCARDS`].
    pub const MAX_WILDCARDS: NonZeroUsize = MAX_WILDCARDS;
}

/// The budgets, each limited to the number of required items.
#[derive(Clone, Copy, Debug)]
pub(super) struct EffectiveBudget {
    pub(super) items: usize,
    pub(super) wildcards: usize,
}

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
