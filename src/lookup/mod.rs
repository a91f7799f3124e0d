//! What AWS is asked and cached: the tags of buckets, the configuration of distributions, the keys of buckets.

pub mod backoff;
mod cache;
mod cached_lookup;
mod configs;
pub mod keys;
pub mod permits;
pub mod stats;
mod tags;

pub use self::cache::{Cache, Cached, Clock};
pub use self::cached_lookup::{CacheTtl, CachedLookup, LookupError, Operation};
pub use self::configs::{ConfigLookup, ResolvedConfigs};
pub use self::keys::KeyLookup;
pub use self::stats::Stats;
pub use self::tags::{CONCURRENT_LOOKUPS, ResolvedTags, TagLookup, TagLookupError};
