//! How the function is set in a scenario.

use s3_cloudfront_invalidator::config::Config;

/// The function's settings. Each is that of processes of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As an operator finds them.
    #[default]
    Usual,
    /// Distributions are not asked how they are set.
    Unasked,
    /// What is read counts for one delivery.
    Forgetful,
    /// The same, but what was read last serves where nothing can be read.
    Nostalgic,
    /// Few pages of listings, and small invalidations.
    Frugal,
    /// Buckets are not listed.
    Unlisted,
}

impl Mode {
    /// What the function finds in its environment.
    pub(crate) fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Usual => &[],
            Self::Unasked => &[("DISTRIBUTION_SETTINGS", "off")],
            Self::Forgetful => &[("TAG_TTL_SECONDS", "0"), ("STALE_TAG_SECONDS", "0")],
            Self::Nostalgic => &[("TAG_TTL_SECONDS", "0")],
            Self::Frugal => &[("INVENTORY_PAGES", "2"), ("MAX_PATHS", "8"), ("MAX_WILDCARDS", "2")],
            Self::Unlisted => &[("INVENTORY", "off")],
        }
    }

    /// The most paths and wildcards of an invalidation.
    pub(crate) fn budget(self) -> (usize, usize) {
        match self {
            Self::Frugal => (8, 2),
            _ => (Config::DEFAULT_MAX_PATHS.get(), Config::DEFAULT_MAX_WILDCARDS.get()),
        }
    }
}
