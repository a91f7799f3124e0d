//! Reads from AWS: bucket tags, distribution configs and the keys of buckets.
//!
//! Tags and configs are cached ([`Cache`]), and stale ones are used on errors. Keys are listed anew for each
//! delivery, where it pays. [`calls`] repeats failed calls within their limits and bounds the calls in flight, and
//! [`stats`] counts them; `send` uses both as well.

mod cache;
pub mod calls;
mod configs;
pub mod keys;
pub mod stats;
mod tags;

pub use self::cache::{Cache, CacheTtl, Cached, Clock};
pub use self::calls::CallLimits;
pub use self::configs::{ConfigLookup, ResolvedConfigs};
pub use self::keys::KeyLookup;
pub use self::stats::Stats;
pub use self::tags::{ResolvedTags, TagLookup, TagLookupError};
