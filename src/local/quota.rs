//! CloudFront's quota on invalidations, in each of its readings.
//!
//! Source: CloudFront developer guide, "Quotas". For years it limited the paths in progress per distribution. Readings
//! of the page from 2026 have rates per account instead, and do not say what a rate counts or which error enforces it.
//! Which reading holds is not known here, so the fake AWS can apply each. Apart from the quota, calls are throttled:
//! see [`State::throttle`](super::State::throttle).

use std::time::{Duration, Instant};

/// The shortest interval between two `CreateInvalidation` calls that AWS allows an account: one call in two seconds.
/// Source: aws/aws-sdk-js#3983. It is a value for [`State::throttle`](super::State::throttle).
pub const CREATE_INVALIDATION_INTERVAL: Duration = Duration::from_secs(2);

/// A reading of the quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quota {
    /// At most 3,000 paths and, apart from them, 15 wildcards in progress per distribution. A request beyond them is
    /// answered with `TooManyInvalidationsInProgress`.
    #[default]
    InProgress,
    /// Rates for the account, and no limit on what is in progress.
    Rates(Rates),
}

/// Rates at which the account may invalidate, tenants included. Each is a token bucket: it holds what is allowed in one
/// period, starts full, and is refilled evenly.
///
/// A request that needs more than a bucket holds is refused, so one that needs more than a whole period allows is
/// always refused. A refused request takes no tokens: no page of AWS says that it does, and the token buckets that AWS
/// does document, such as those of EC2's API, remove tokens only for requests that they admit. Otherwise a client that
/// retries too early would never be admitted. Neither does a request take tokens that creates no invalidation, because
/// it is invalid or repeats an earlier caller reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// The paths and cache tags allowed per period, wildcards not counted.
    pub paths: u32,
    /// The wildcards allowed per period.
    pub wildcards: u32,
    /// The period.
    pub per: Duration,
    /// What counts as one wildcard.
    pub wildcard_unit: WildcardUnit,
    /// The error of a request that exceeds a rate.
    pub error: QuotaError,
}

/// What counts as one wildcard of a rate. "One wildcard invalidation a second" can mean either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardUnit {
    /// Each path that ends in `*`.
    Path,
    /// Each request with such a path, however many it has.
    Request,
}

/// The error by which the quota is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaError {
    /// `Throttling`, the error of a request rate.
    Throttling,
    /// `TooManyInvalidationsInProgress`, the error of the older quota.
    TooManyInvalidationsInProgress,
}

/// What the rates have admitted: for each bucket, the time at which it is full again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Consumption {
    paths: Option<Instant>,
    wildcards: Option<Instant>,
}

impl Quota {
    /// Every reading, with AWS's numbers.
    pub const READINGS: [Self; 5] = [
        Self::InProgress,
        Self::Rates(Rates::new(WildcardUnit::Path, QuotaError::Throttling)),
        Self::Rates(Rates::new(WildcardUnit::Path, QuotaError::TooManyInvalidationsInProgress)),
        Self::Rates(Rates::new(WildcardUnit::Request, QuotaError::Throttling)),
        Self::Rates(Rates::new(WildcardUnit::Request, QuotaError::TooManyInvalidationsInProgress)),
    ];
}

impl Rates {
    /// AWS's rates: 150 paths and one wildcard a second.
    #[must_use]
    pub const fn new(wildcard_unit: WildcardUnit, error: QuotaError) -> Self {
        Self { paths: 150, wildcards: 1, per: Duration::from_secs(1), wildcard_unit, error }
    }

    /// Takes the tokens for an invalidation of `paths` and returns `true`. If a bucket holds too few, it takes none and
    /// returns `false`.
    pub(super) fn admit(&self, consumption: &mut Consumption, paths: &[String], now: Instant) -> bool {
        let wildcards = paths.iter().filter(|path| path.ends_with('*')).count();
        let others = paths.len() - wildcards;
        let wildcards = match self.wildcard_unit {
            WildcardUnit::Path => wildcards,
            WildcardUnit::Request => wildcards.min(1),
        };
        let paths = self.full_at(consumption.paths, others, self.paths, now);
        let wildcards = self.full_at(consumption.wildcards, wildcards, self.wildcards, now);
        let is_admitted = paths.is_some() && wildcards.is_some();
        if is_admitted {
            *consumption = Consumption { paths, wildcards };
        }
        is_admitted
    }

    /// The time at which a bucket is full again once `tokens` are taken from it; `None` if it holds fewer. `full_at` is
    /// the time before they are taken.
    fn full_at(&self, full_at: Option<Instant>, tokens: usize, capacity: u32, now: Instant) -> Option<Instant> {
        let refill = full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let refill = refill + self.per.saturating_mul(tokens) / capacity.max(1);
        (refill <= self.per).then(|| now + refill)
    }
}
