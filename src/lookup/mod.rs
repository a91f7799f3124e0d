//! What AWS is asked and cached: the tags of buckets, the configuration of distributions, the keys of buckets.

pub mod backoff;
mod cache;
mod cached_lookup;
mod configs;
pub mod keys;
pub mod permits;
pub mod stats;
mod tags;

pub use self::cache::{Cached, Clock, TtlCache};
pub use self::cached_lookup::{Lives, LookupError, Lookups, Operation};
pub use self::configs::{Surveyed, Surveyor};
pub use self::keys::Lister;
pub use self::stats::Tally;
pub use self::tags::{CONCURRENT_LOOKUPS, Learnt, RouteError, Router};
