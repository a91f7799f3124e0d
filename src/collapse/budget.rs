//! The budget of an invalidation: the most paths and the most wildcards that a collapsed set may have.

use std::num::NonZeroUsize;

use crate::path::{MAX_ITEMS, MAX_WILDCARDS};

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
