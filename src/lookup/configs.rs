//! Looks up distribution configs and the cache policies they refer to, and derives how each distribution maps a
//! bucket's keys to URLs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{CacheTtl, Cached, CachedLookup, Clock, Operation, concurrency};
use crate::aws::{CallError, CloudFront, ErrorClass};
use crate::change::{Bucket, DistributionId};
use crate::path::{BucketOptions, DistributionConfig, Mapping, PolicyId};

/// The most distribution configs that are cached. An account has at most 200 distributions by default (CloudFront
/// quotas).
const CACHED_DISTRIBUTIONS: u64 = 1000;
/// The most cache policies that are cached. An account has at most 20 by default (CloudFront quotas).
const CACHED_POLICIES: u64 = 1000;

/// The most distributions that are looked up concurrently, apart from calls that hang (see [`concurrency`]).
const MAX_CONCURRENT_CONFIG_LOOKUPS: usize = 8;

/// Both operations have their own name in errors but share their counters.
const fn operation(name: &'static str) -> Operation {
    Operation { name, hit: |stats| stats.config_cache_hits += 1, miss: |stats| stats.config_cache_misses += 1 }
}

/// A cached reader of distribution configs.
pub struct ConfigLookup {
    /// Whether distribution configs are read at all.
    is_enabled: bool,
    ttl: CacheTtl,
    clock: Clock,
    configs_cache: CachedLookup<DistributionId, Arc<CachedConfig>>,
    /// Whether a policy's cache key includes query strings; `None` if access to the policy is denied.
    policies_cache: CachedLookup<PolicyId, Option<bool>>,
}

/// A cache entry for a distribution.
struct CachedConfig {
    /// The config, with cache policies not resolved yet; `None` if access to it is denied.
    config: Option<Arc<DistributionConfig>>,
    read_at: SystemTime,
    /// Why `config` is an earlier one, if it is: access to the current one is denied.
    error: Option<Arc<CallError>>,
    /// The buckets for which a warning was logged that their origins are not known for certain.
    warned_buckets: Mutex<BTreeSet<Bucket>>,
}

/// The result of the lookup for one distribution.
struct ConfigAnswer {
    cached: Arc<CachedConfig>,
    /// The config with its cache policies resolved, as far as they may be read; `None` if access to the config is
    /// denied.
    config: Option<Arc<DistributionConfig>>,
    /// Why the config may be outdated, if it may.
    error: Option<Arc<CallError>>,
}

/// The result of the lookup for each distribution. The configs of others are unknown.
#[derive(Default)]
pub struct ResolvedConfigs(BTreeMap<DistributionId, Result<ConfigAnswer, Arc<CallError>>>);

impl ConfigLookup {
    /// Creates a lookup that reads configs if `is_enabled`. `backoff` is the longest delay before the first retry of
    /// `CreateInvalidation`.
    pub fn new(is_enabled: bool, ttl: CacheTtl, backoff: Duration, clock: &Clock) -> Self {
        let clock = || Clock::clone(clock);
        Self {
            is_enabled,
            ttl,
            clock: clock(),
            configs_cache: CachedLookup::new(
                operation("GetDistributionConfig"),
                CACHED_DISTRIBUTIONS,
                ttl,
                backoff,
                clock(),
            ),
            policies_cache: CachedLookup::new(operation("GetCachePolicy"), CACHED_POLICIES, ttl, backoff, clock()),
        }
    }

    /// Looks up the configs of these distributions concurrently. One that has not answered by `deadline` ends with a
    /// stale config or a timeout error.
    pub async fn resolve(
        &self,
        cloudfront: &CloudFront,
        ids: BTreeSet<&DistributionId>,
        deadline: Instant,
    ) -> ResolvedConfigs {
        // A distribution tenant has the config of another distribution, with its own customizations.
        let mut ids: Vec<_> = ids.into_iter().filter(|id| self.is_enabled && !id.is_tenant()).collect();
        // If there is not enough time for all, it should not always be the same ones that fail.
        fastrand::shuffle(&mut ids);
        let lookups = ids
            .into_iter()
            .map(|id| async move { (id.clone(), self.get(cloudfront, id, deadline).await.map_err(Arc::new)) });
        ResolvedConfigs(concurrency::run(lookups, MAX_CONCURRENT_CONFIG_LOOKUPS, deadline).await.into_iter().collect())
    }

    async fn get(
        &self,
        cloudfront: &CloudFront,
        id: &DistributionId,
        deadline: Instant,
    ) -> Result<ConfigAnswer, CallError> {
        let fetch = || self.fetch(cloudfront, id);
        let allow_stale = |cached: &Arc<CachedConfig>| cached.config.is_some();
        let Cached { value: cached, stale_because } = self.configs_cache.get(id, deadline, fetch, allow_stale).await?;
        if let Some(error) = &stale_because {
            tracing::warn!(
                distribution = id.as_str(),
                error = error.to_string(),
                "stale cache entry used: the distribution config could not be read (STALE_IF_ERROR_SECONDS)"
            );
        }
        let mut config = cached.config.clone();
        if let Some(config) = &mut config {
            for policy in config.unresolved_policies() {
                if let Some(in_key) = self.has_query_strings(cloudfront, &policy, deadline).await? {
                    Arc::make_mut(config).resolve_policy(&policy, in_key);
                }
            }
        }
        let error = stale_because.map(Arc::new).or_else(|| cached.error.clone());
        Ok(ConfigAnswer { cached, config, error })
    }

    async fn fetch(
        &self,
        cloudfront: &CloudFront,
        id: &DistributionId,
    ) -> Result<(Arc<CachedConfig>, Duration), CallError> {
        let now = (self.clock)();
        let cached = |config, read_at, error| {
            Arc::new(CachedConfig { config, read_at, error, warned_buckets: Mutex::default() })
        };
        match cloudfront.distribution_config(id).await {
            Ok(config) => Ok((cached(Some(Arc::new(config)), now, None), self.ttl.positive)),
            Err(error) if error.class == ErrorClass::AccessDenied => {
                // An earlier config is better than an estimate. With the negative TTL, a corrected policy of the role
                // takes effect soon.
                let is_recent = |it: &Arc<CachedConfig>| {
                    now.duration_since(it.read_at).is_ok_and(|age| age <= self.ttl.max_stale_age)
                };
                let previous = self.configs_cache.peek(id).await.filter(is_recent);
                let previous = previous.and_then(|it| Some((Arc::clone(it.config.as_ref()?), it.read_at)));
                tracing::warn!(
                    distribution = id.as_str(),
                    error = error.to_string(),
                    "access to the distribution config was denied, so {}; allow cloudfront:GetDistributionConfig, tag \
                     buckets that have an origin path with invalidation:originPath, or set DISTRIBUTION_CONFIG=off",
                    if previous.is_some() {
                        "the cached config is used"
                    } else {
                        "the bucket tags and the defaults are used instead"
                    }
                );
                let ttl = self.ttl.negative;
                Ok(match previous {
                    Some((config, read_at)) => (cached(Some(config), read_at, Some(Arc::new(error))), ttl),
                    None => (cached(None, now, None), ttl),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Returns whether the cache key of this policy includes query strings; `None`, with a warning in the log, if
    /// access to the policy is denied.
    async fn has_query_strings(
        &self,
        cloudfront: &CloudFront,
        id: &PolicyId,
        deadline: Instant,
    ) -> Result<Option<bool>, CallError> {
        let fetch = || async {
            match cloudfront.has_query_strings(id).await {
                Ok(in_key) => Ok((Some(in_key), self.ttl.positive)),
                Err(error) if error.class == ErrorClass::AccessDenied => {
                    tracing::warn!(
                        policy = id.as_str(),
                        error = error.to_string(),
                        "access to the cache policy was denied, so query strings are assumed not to be in the cache \
                         key; allow cloudfront:GetCachePolicy, or tag the bucket with invalidation:queryStrings"
                    );
                    Ok((None, self.ttl.negative))
                }
                Err(error) => Err(error),
            }
        };
        Ok(self.policies_cache.get(id, deadline, fetch, Option::is_some).await?.value)
    }
}

impl ResolvedConfigs {
    /// Returns why the config of this distribution is unknown or may be outdated; `None` if it is current, or was not
    /// looked up.
    #[must_use]
    pub fn error(&self, id: &DistributionId) -> Option<Arc<CallError>> {
        match self.0.get(id)? {
            Ok(answer) => answer.error.clone(),
            Err(error) => Some(Arc::clone(error)),
        }
    }

    /// Returns for each distribution of the bucket how it maps the bucket's keys to URLs; `None` if its config could
    /// not be read. If it is not certain which origins are the bucket, a warning is logged, once for each fetched
    /// config.
    #[must_use]
    pub fn mappings(&self, bucket: &Bucket, options: &BucketOptions) -> Vec<(DistributionId, Option<Mapping>)> {
        let mapping = |id: &DistributionId| match self.0.get(id) {
            None => Some(Mapping::new(bucket, options, None)),
            Some(Err(_)) => None,
            Some(Ok(answer)) => {
                let mut mapping = Mapping::new(bucket, options, answer.config.as_ref());
                mapping.is_stale = answer.error.is_some();
                if answer.config.is_some() && !mapping.is_conclusive() && answer.cached.should_warn(bucket) {
                    tracing::warn!(
                        bucket = bucket.name.as_str(),
                        distribution = id.as_str(),
                        "the distribution config does not identify the origins of this bucket, so the bucket tags and \
                         the defaults are used where the config is inconclusive"
                    );
                }
                Some(mapping)
            }
        };
        options.distributions.iter().map(|id| (id.clone(), mapping(id))).collect()
    }
}

impl CachedConfig {
    fn should_warn(&self, bucket: &Bucket) -> bool {
        self.warned_buckets.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.clone())
    }
}
