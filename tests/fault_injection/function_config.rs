//! The function's configuration in a scenario.

use s3_cloudfront_invalidator::config::Config;

/// The function's configuration, the same for the lifetime of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FunctionConfig {
    /// The defaults.
    #[default]
    Default,
    /// Distribution configs are not read.
    ConfigReadsOff,
    /// Tags and distribution configs are cached for one delivery only, and never used when stale.
    NoCache,
    /// Tags and distribution configs are cached for one delivery only; stale entries are used on error.
    StaleCacheOnError,
    /// Few listing requests, and small budgets for paths and wildcards.
    SmallLimits,
    /// Buckets are not listed.
    ListingOff,
}

impl FunctionConfig {
    /// The environment variables that set it.
    pub(crate) fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Default => &[],
            Self::ConfigReadsOff => &[("DISTRIBUTION_CONFIG", "off")],
            Self::NoCache => &[("CACHE_TTL_SECONDS", "0"), ("STALE_IF_ERROR_SECONDS", "0")],
            Self::StaleCacheOnError => &[("CACHE_TTL_SECONDS", "0")],
            Self::SmallLimits => &[("LISTING_MAX_REQUESTS", "2"), ("MAX_PATHS", "8"), ("MAX_WILDCARDS", "2")],
            Self::ListingOff => &[("BUCKET_LISTING", "off")],
        }
    }

    /// The maximum number of paths and of wildcards in an invalidation.
    pub(crate) fn budget(self) -> (usize, usize) {
        match self {
            Self::SmallLimits => (8, 2),
            _ => (Config::DEFAULT_MAX_PATHS.get(), Config::DEFAULT_MAX_WILDCARDS.get()),
        }
    }
}
