//! The function's configuration in a scenario.

use s3_cloudfront_invalidator::config::Config;

/// The function's configuration. A process runs in one mode only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The defaults.
    #[default]
    Usual,
    /// Distribution configs are not read.
    Unasked,
    /// A tag or a distribution config that was read is cached for one delivery only, and never used when stale.
    Forgetful,
    /// The same, but stale cache entries are used on error.
    Nostalgic,
    /// Few listing requests, and small budgets for paths and wildcards.
    Frugal,
    /// Buckets are not listed.
    Unlisted,
}

impl Mode {
    /// The mode's environment variables.
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

    /// The most paths and wildcards that an invalidation may have.
    pub(crate) fn budget(self) -> (usize, usize) {
        match self {
            Self::Frugal => (8, 2),
            _ => (Config::DEFAULT_MAX_PATHS.get(), Config::DEFAULT_MAX_WILDCARDS.get()),
        }
    }
}
