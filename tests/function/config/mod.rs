//! What the function reads about buckets and distributions: tags, distribution configs, listings.

pub(crate) mod distribution_config;
pub(crate) mod invalid_config;
pub(crate) mod listing;
pub(crate) mod mapping_cases;
pub(crate) mod stale_config;
pub(crate) mod tags;
pub(crate) mod tenants;
pub(crate) mod uncertain_urls;
pub(crate) mod urls;
