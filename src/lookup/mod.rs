//! Reads from AWS: bucket tags, distribution configs and the keys of buckets.
//!
//! Tags and configs are cached ([`Cache`]), and stale ones are used on errors. Keys are listed anew for each
//! delivery, where it pays. [`CachedLookup`] retries, [`backoff`] computes the delays, [`concurrency`] bounds the calls
//! in flight, and [`stats`] counts them; `send` uses the last three as well.

pub mod backoff;
mod cache;
mod cached_lookup;
pub mod concurrency;
mod configs;
pub mod keys;
pub mod stats;
mod tags;

pub use self::cache::{Cache, CacheTtl, Cached, Clock};
pub use self::cached_lookup::{CachedLookup, LookupError, Operation};
pub use self::configs::{ConfigLookup, ResolvedConfigs};
pub use self::keys::KeyLookup;
pub use self::stats::Stats;
pub use self::tags::{MAX_CONCURRENT_TAG_LOOKUPS, ResolvedTags, TagLookup, TagLookupError};
