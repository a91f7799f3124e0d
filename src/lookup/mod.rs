//! Reads from AWS: bucket tags, distribution configs, distribution tenants and the keys of buckets.
//!
//! Tags and configs are cached ([`Cache`]), and stale ones are used on errors. Keys are listed anew for each
//! delivery, where it pays. [`calls`] repeats failed calls within their limits, bounds the calls in flight and
//! counts them; `send` uses it as well.

mod cache;
pub mod calls;
mod configs;
pub mod keys;
mod tags;

pub use self::cache::{Cache, CacheTtl, Cached, Clock};
pub use self::calls::{CallLimits, Stats};
pub use self::configs::{ConfigLookup, ConfigLookupError, ResolvedConfigs};
pub use self::keys::KeyLookup;
pub use self::tags::{ResolvedTags, TagLookup, TagLookupError};
