//! Reads from AWS: bucket tags, distribution configs and the keys of buckets.
//!
//! Tags and configs are cached ([`Cache`]), and stale ones are used on errors. Keys are listed anew for each
//! delivery, where it pays. [`retry`] repeats failed calls within their [`CallLimits`], [`concurrency`] bounds the calls
//! in flight, and [`stats`] counts them; `send` uses these limits and the last two as well.

mod cache;
pub mod concurrency;
mod configs;
pub mod keys;
mod limits;
pub mod retry;
pub mod stats;
mod tags;

pub use self::cache::{Cache, CacheTtl, Cached, Clock};
pub use self::configs::{ConfigLookup, ResolvedConfigs};
pub use self::keys::KeyLookup;
pub use self::limits::CallLimits;
pub use self::stats::Stats;
pub use self::tags::{ResolvedTags, TagLookup, TagLookupError};
