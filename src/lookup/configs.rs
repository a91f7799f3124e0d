//! Looks up distribution configs, the distribution tenants that share them, and the cache policies they refer to, and
//! derives how each distribution or tenant maps a bucket's keys to URLs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::calls::{self, CacheCounters, retry};
use super::{Cache, CacheTtl, Cached, CallLimits, Clock};
use crate::aws::{CallError, CloudFront, ErrorClass};
use crate::change::{Bucket, DistributionId, PolicyId};
use crate::path::{BucketOptions, DistributionConfig, Mapping, Tenant, URLS_REWRITTEN, URLS_UNCERTAIN};

/// The most distribution configs that are cached. An account has at most 200 distributions by default (CloudFront
/// quotas).
const CACHED_DISTRIBUTIONS: u64 = 1000;
/// The most distribution tenants that are cached. An account has at most 10,000 by default (CloudFront quotas); an entry
/// takes a few hundred bytes.
const CACHED_TENANTS: u64 = 10_000;
/// The most cache policies that are cached. An account has at most 20 by default (CloudFront quotas).
const CACHED_POLICIES: u64 = 1000;

/// The most distributions and tenants that are looked up concurrently, apart from calls that hang (see [`calls`]).
const MAX_CONCURRENT_CONFIG_LOOKUPS: usize = 8;

const COUNTERS: CacheCounters = |stats| (&mut stats.config_cache_hits, &mut stats.config_cache_misses);

/// Why the mapping of a distribution is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigLookupError {
    /// The config, the tenant or a cache policy could not be read.
    #[error("its distribution config could not be read: {0}")]
    Lookup(CallError),
    /// The ID is that of a multi-tenant distribution and not of one of its tenants.
    #[error(
        "it is a multi-tenant distribution, whose cache is invalidated per tenant; name the IDs of its tenants (dt_…, \
         separated by spaces) instead"
    )]
    MultiTenant,
}

impl ConfigLookupError {
    /// Returns whether a wrong ID in a bucket's tag may be the cause.
    #[must_use]
    pub fn may_be_misnamed(&self) -> bool {
        match self {
            Self::Lookup(error) => error.may_be_misnamed(),
            Self::MultiTenant => true,
        }
    }
}

/// A cached reader of distribution configs.
pub struct ConfigLookup {
    /// Whether distribution configs are read at all.
    is_enabled: bool,
    ttl: CacheTtl,
    limits: CallLimits,
    clock: Clock,
    /// The configs, with cache policies and parameters not resolved yet.
    configs: CachedRead<DistributionConfig>,
    tenants: CachedRead<Tenant>,
    /// Whether a policy's cache key includes query strings; `None` if access to the policy is denied.
    policies_cache: Cache<PolicyId, Option<bool>>,
}

/// What is read of each distribution, or of each tenant, and its cache.
struct CachedRead<T> {
    /// AWS's name of the call, which is also that of the permission.
    operation: &'static str,
    /// What the call returns, in the log.
    noun: &'static str,
    cache: Cache<DistributionId, Arc<CacheEntry<T>>>,
}

/// A cache entry for a distribution or a tenant.
struct CacheEntry<T> {
    /// What was read; `None` if access to it is denied.
    value: Option<Arc<T>>,
    read_at: SystemTime,
    /// Why `value` is an earlier one, if it is: access to the current one is denied.
    error: Option<Arc<CallError>>,
    warned_buckets: Arc<WarnedBuckets>,
}

/// The buckets for which a warning was logged that their origins are not known for certain.
type WarnedBuckets = Mutex<BTreeSet<Bucket>>;

/// The result of the lookup for one distribution or tenant.
#[derive(Clone)]
struct ConfigAnswer {
    /// The config with its cache policies resolved, as far as they may be read, and its parameters, if it is a tenant's;
    /// `None` if access to the config or the tenant is denied.
    config: Option<Arc<DistributionConfig>>,
    /// Why the config, the tenant or one of the cache policies may be outdated, if it may.
    error: Option<Arc<CallError>>,
    warned_buckets: Arc<WarnedBuckets>,
}

/// Whether a policy's cache key includes query strings; `None` if access to the policy is denied.
type PolicyAnswer = Result<Cached<Option<bool>, CallError>, CallError>;

/// The result of the lookup for each distribution or tenant. The configs of others are unknown.
#[derive(Default)]
pub struct ResolvedConfigs(BTreeMap<DistributionId, Result<ConfigAnswer, ConfigLookupError>>);

/// What the lookups of one delivery share, by ID. Each is read once, and its error is that of all that use it.
type Shared<K, V> = RefCell<BTreeMap<K, Arc<OnceCell<V>>>>;

/// The lookups of one delivery.
struct Delivery<'d> {
    lookup: &'d ConfigLookup,
    cloudfront: &'d CloudFront,
    deadline: Instant,
    /// The configs, which the tenants of a distribution share.
    configs: Shared<DistributionId, Result<ConfigAnswer, CallError>>,
    /// The policies that the configs refer to. Each is read as soon as a config refers to it. The policies are not read
    /// after all configs: one config that hangs would take the time for them.
    policies: Shared<PolicyId, PolicyAnswer>,
}

impl ConfigLookup {
    /// Creates a lookup that reads configs if `is_enabled`.
    pub fn new(is_enabled: bool, ttl: CacheTtl, limits: CallLimits, clock: &Clock) -> Self {
        Self {
            is_enabled,
            ttl,
            limits,
            clock: Clock::clone(clock),
            configs: CachedRead {
                operation: "GetDistributionConfig",
                noun: "distribution config",
                cache: Cache::new(CACHED_DISTRIBUTIONS, Clock::clone(clock)),
            },
            tenants: CachedRead {
                operation: "GetDistributionTenant",
                noun: "distribution tenant",
                cache: Cache::new(CACHED_TENANTS, Clock::clone(clock)),
            },
            policies_cache: Cache::new(CACHED_POLICIES, Clock::clone(clock)),
        }
    }

    /// Looks up the configs of these distributions and tenants concurrently. One that has not answered by `deadline`
    /// ends with a stale config or a timeout error.
    pub async fn resolve(
        &self,
        cloudfront: &CloudFront,
        ids: BTreeSet<&DistributionId>,
        deadline: Instant,
    ) -> ResolvedConfigs {
        let ids: Vec<_> = ids.into_iter().filter(|_| self.is_enabled).collect();
        let (configs, policies) = (RefCell::default(), RefCell::default());
        let delivery = Delivery { lookup: self, cloudfront, deadline, configs, policies };
        let lookup = async |id: &DistributionId| {
            let answer = if id.is_tenant() {
                delivery.tenant_config(id).await.map_err(ConfigLookupError::Lookup)
            } else {
                delivery.own_config(id).await
            };
            (id.clone(), answer)
        };
        ResolvedConfigs(
            calls::run(ids, MAX_CONCURRENT_CONFIG_LOOKUPS, self.limits.hold(Instant::now(), deadline), lookup).await,
        )
    }

    /// Returns for how long a cached value may still be used although AWS returned an error, counted from when it was
    /// read; `None` if it may not, or if access to it was denied.
    fn stale_time_left<T>(&self, cached: &CacheEntry<T>) -> Option<Duration> {
        let age = (self.clock)().duration_since(cached.read_at).ok()?;
        self.ttl.max_stale_age.checked_sub(age).filter(|_| cached.value.is_some())
    }
}

impl Delivery<'_> {
    /// Looks up the config of a distribution that is not a tenant.
    async fn own_config(&self, id: &DistributionId) -> Result<ConfigAnswer, ConfigLookupError> {
        let answer = self.config(id).await.map_err(ConfigLookupError::Lookup)?;
        if answer.config.as_ref().is_some_and(|config| config.is_multi_tenant) {
            return Err(ConfigLookupError::MultiTenant);
        }
        Ok(answer)
    }

    /// Looks up a tenant and then the config of its distribution.
    async fn tenant_config(&self, id: &DistributionId) -> Result<ConfigAnswer, CallError> {
        let ConfigLookup { tenants, .. } = self.lookup;
        let (cached, error) = self.read(tenants, id, async || self.cloudfront.tenant(id).await).await?;
        let warned_buckets = Arc::clone(&cached.warned_buckets);
        let Some(tenant) = &cached.value else { return Ok(ConfigAnswer { config: None, error, warned_buckets }) };
        let answer = self.config(&tenant.distribution).await;
        if answer.as_ref().is_err_and(|error| error.class == ErrorClass::NotFound) {
            // The tenant may have been moved to another distribution since it was cached.
            tenants.cache.remove(id).await;
        }
        let answer = answer?;
        let config = answer.config.map(|config| Arc::new(config.for_tenant(&tenant.parameters)));
        Ok(ConfigAnswer { config, error: error.or(answer.error), warned_buckets })
    }

    /// Looks up the config of a distribution, once for all its tenants.
    async fn config(&self, id: &DistributionId) -> Result<ConfigAnswer, CallError> {
        let answer = Arc::clone(self.configs.borrow_mut().entry(id.clone()).or_default());
        let lookup = async || {
            let ConfigLookup { configs, .. } = self.lookup;
            let read = async || self.cloudfront.distribution_config(id).await;
            let (cached, mut error) = self.read(configs, id, read).await?;
            let mut config = cached.value.clone();
            if let Some(config) = &mut config {
                for policy in config.unresolved_policies() {
                    let Cached { value, stale_because } = self.has_query_strings(&policy).await?;
                    if let Some(in_key) = value {
                        Arc::make_mut(config).resolve_policy(&policy, in_key);
                    }
                    error = error.or_else(|| stale_because.map(Arc::new));
                }
            }
            Ok(ConfigAnswer { config, error, warned_buckets: Arc::clone(&cached.warned_buckets) })
        };
        answer.get_or_init(lookup).await.clone()
    }

    /// Returns the cached value or reads it, and why it may be outdated, if it may.
    async fn read<T: Send + Sync + 'static>(
        &self,
        of: &CachedRead<T>,
        id: &DistributionId,
        call: impl AsyncFn() -> Result<T, CallError>,
    ) -> Result<(Arc<CacheEntry<T>>, Option<Arc<CallError>>), CallError> {
        let fetch = async || self.fetch(of, id, &call).await;
        // The cache's age does not count: an entry that was put back after a denial is older than that.
        let allow_stale = |cached: &Arc<CacheEntry<T>>, _, error: &CallError| {
            error.class.is_transient() && self.lookup.stale_time_left(cached).is_some()
        };
        let Cached { value: cached, stale_because } = of.cache.get_or_fetch(id, COUNTERS, fetch, allow_stale).await?;
        if let Some(error) = &stale_because {
            tracing::warn!(
                distribution = id.as_str(),
                error = error.to_string(),
                "stale cache entry used: the {} could not be read (STALE_IF_ERROR_SECONDS)",
                of.noun
            );
        }
        let error = stale_because.map(Arc::new).or_else(|| cached.error.clone());
        Ok((cached, error))
    }

    /// Reads a config or a tenant. If access to it is denied, a warning is logged.
    async fn fetch<T: Send + Sync + 'static>(
        &self,
        of: &CachedRead<T>,
        id: &DistributionId,
        call: impl AsyncFn() -> Result<T, CallError>,
    ) -> Result<(Arc<CacheEntry<T>>, Duration), CallError> {
        let ConfigLookup { ttl, limits, clock, .. } = self.lookup;
        let now = clock();
        let cached =
            |value, read_at, error| Arc::new(CacheEntry { value, read_at, error, warned_buckets: Arc::default() });
        match retry(of.operation, limits, self.deadline, call).await {
            Ok(value) => Ok((cached(Some(Arc::new(value)), now, None), ttl.positive)),
            Err(error) if error.class == ErrorClass::AccessDenied => {
                // An earlier value is better than an estimate. With the negative TTL, a corrected policy of the role
                // takes effect soon.
                let previous = of.cache.peek(id).await;
                let previous = previous.and_then(|it| Some((self.lookup.stale_time_left(&it)?, it)));
                let CachedRead { operation, noun, .. } = of;
                tracing::warn!(
                    distribution = id.as_str(),
                    error = error.to_string(),
                    "access to the {noun} was denied, so {}; allow cloudfront:{operation}, tag buckets that have an \
                     origin path with invalidation:originPath, or set DISTRIBUTION_CONFIG=off",
                    if previous.is_some() {
                        "the cached one is used"
                    } else {
                        "its origin path and its cache behaviors are not known, and the bucket tags and the defaults \
                         are used instead"
                    }
                );
                Ok(match previous {
                    Some((time_left, it)) => {
                        (cached(it.value.clone(), it.read_at, Some(Arc::new(error))), ttl.negative.min(time_left))
                    }
                    None => (cached(None, now, None), ttl.negative),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Looks up a policy, once for all distributions that use it.
    async fn has_query_strings(&self, id: &PolicyId) -> PolicyAnswer {
        let ConfigLookup { policies_cache, ttl, .. } = self.lookup;
        let answer = Arc::clone(self.policies.borrow_mut().entry(id.clone()).or_default());
        let fetch = async || self.fetch_policy(id).await;
        let allow_stale = |in_key: &Option<_>, age, error: &_| in_key.is_some() && ttl.allows_stale(age, error);
        let lookup = async || {
            let answer = policies_cache.get_or_fetch(id, COUNTERS, fetch, allow_stale).await;
            if let Ok(Cached { stale_because: Some(error), .. }) = &answer {
                tracing::warn!(
                    policy = id.as_str(),
                    error = error.to_string(),
                    "stale cache entry used: the cache policy could not be read (STALE_IF_ERROR_SECONDS)"
                );
            }
            answer
        };
        answer.get_or_init(lookup).await.clone()
    }

    /// Reads a policy. If access to it is denied, a warning is logged.
    async fn fetch_policy(&self, id: &PolicyId) -> Result<(Option<bool>, Duration), CallError> {
        let ConfigLookup { ttl, limits, .. } = self.lookup;
        let call = async || self.cloudfront.has_query_strings(id).await;
        match retry("GetCachePolicy", limits, self.deadline, call).await {
            Ok(in_key) => Ok((Some(in_key), ttl.positive)),
            Err(error) if error.class == ErrorClass::AccessDenied => {
                tracing::warn!(
                    policy = id.as_str(),
                    error = error.to_string(),
                    "access to the cache policy was denied, so query strings are assumed not to be in the cache key; \
                     allow cloudfront:GetCachePolicy, or tag the bucket with invalidation:queryStrings"
                );
                Ok((None, ttl.negative))
            }
            Err(error) => Err(error),
        }
    }
}

impl ResolvedConfigs {
    /// Returns why the config of this distribution or tenant is unknown or may be outdated; `None` if it is current, or
    /// was not looked up.
    #[must_use]
    pub fn error(&self, id: &DistributionId) -> Option<ConfigLookupError> {
        match self.0.get(id)? {
            Ok(answer) => answer.error.as_deref().cloned().map(ConfigLookupError::Lookup),
            Err(error) => Some(error.clone()),
        }
    }

    /// Returns for each distribution of the bucket how it maps the bucket's keys to URLs; `None` if its config could
    /// not be read, or is not that of a tenant. Where the URLs are not certain, a warning is logged, once for each fetched
    /// config or tenant.
    #[must_use]
    pub fn mappings(&self, bucket: &Bucket, options: &BucketOptions) -> Vec<(DistributionId, Option<Mapping>)> {
        let mapping = |id: &DistributionId| match self.0.get(id) {
            None => Some(Mapping::new(bucket, options, None)),
            Some(Err(_)) => None,
            Some(Ok(answer)) => {
                let mut mapping = Mapping::new(bucket, options, answer.config.as_ref());
                mapping.is_stale = answer.error.is_some();
                // The origin path is what the URLs depend on most, and a tag can name it.
                mapping.are_urls_uncertain |= answer.config.is_none() && options.origin_path.is_none();
                let mut warned = answer.warned_buckets.lock().unwrap_or_else(PoisonError::into_inner);
                if answer.config.is_some() && warned.insert(bucket.clone()) {
                    warn_of_uncertainty(&mapping, bucket, id);
                }
                Some(mapping)
            }
        };
        options.distributions.iter().map(|id| (id.clone(), mapping(id))).collect()
    }
}

/// Logs why viewers may request other URLs than those derived from a distribution config.
fn warn_of_uncertainty(mapping: &Mapping, bucket: &Bucket, id: &DistributionId) {
    let (bucket, distribution) = (bucket.name.as_str(), id.as_str());
    if !mapping.is_conclusive() {
        tracing::warn!(
            bucket,
            distribution,
            "the distribution config does not identify the origins of this bucket, so the bucket tags and the defaults \
             are used where the config is inconclusive"
        );
    }
    if mapping.unnamed_functions.at_origin_request {
        tracing::warn!(bucket, distribution, "{}", URLS_UNCERTAIN);
    } else if mapping.unnamed_functions.at_viewer_request {
        tracing::info!(bucket, distribution, "{}", URLS_REWRITTEN);
    }
}
