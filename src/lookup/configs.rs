//! Looks up distribution configs and the cache policies they refer to, and derives how each distribution maps a
//! bucket's keys to URLs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::calls::{self, CacheCounters, retry};
use super::{Cache, CacheTtl, Cached, CallLimits, Clock};
use crate::aws::{CallError, CloudFront, ErrorClass};
use crate::change::{Bucket, DistributionId, PolicyId};
use crate::path::{BucketOptions, DistributionConfig, Mapping, URLS_REWRITTEN, URLS_UNCERTAIN};

/// The most distribution configs that are cached. An account has at most 200 distributions by default (CloudFront
/// quotas).
const CACHED_DISTRIBUTIONS: u64 = 1000;
/// The most cache policies that are cached. An account has at most 20 by default (CloudFront quotas).
const CACHED_POLICIES: u64 = 1000;

/// The most distributions that are looked up concurrently, apart from calls that hang (see [`calls`]).
const MAX_CONCURRENT_CONFIG_LOOKUPS: usize = 8;

const COUNTERS: CacheCounters = |stats| (&mut stats.config_cache_hits, &mut stats.config_cache_misses);

/// A cached reader of distribution configs.
pub struct ConfigLookup {
    /// Whether distribution configs are read at all.
    is_enabled: bool,
    ttl: CacheTtl,
    limits: CallLimits,
    clock: Clock,
    configs_cache: Cache<DistributionId, Arc<CachedConfig>>,
    /// Whether a policy's cache key includes query strings; `None` if access to the policy is denied.
    policies_cache: Cache<PolicyId, Option<bool>>,
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
    /// Why the config, or one of its cache policies, may be outdated, if it may.
    error: Option<Arc<CallError>>,
}

/// Whether a policy's cache key includes query strings; `None` if access to the policy is denied.
type PolicyAnswer = Result<Cached<Option<bool>, CallError>, CallError>;

/// The result of the lookup for each distribution. The configs of others are unknown.
#[derive(Default)]
pub struct ResolvedConfigs(BTreeMap<DistributionId, Result<ConfigAnswer, CallError>>);

/// The lookups of one delivery.
struct Delivery<'d> {
    lookup: &'d ConfigLookup,
    cloudfront: &'d CloudFront,
    deadline: Instant,
    /// The set of policies that the configs refer to. Each is read once, as soon as a config refers to it, and its
    /// error is that of all distributions that use it. The policies are not read after all configs: one config that
    /// hangs would take the time for them.
    policies: RefCell<BTreeMap<PolicyId, Arc<OnceCell<PolicyAnswer>>>>,
}

impl ConfigLookup {
    /// Creates a lookup that reads configs if `is_enabled`.
    pub fn new(is_enabled: bool, ttl: CacheTtl, limits: CallLimits, clock: &Clock) -> Self {
        Self {
            is_enabled,
            ttl,
            limits,
            clock: Clock::clone(clock),
            configs_cache: Cache::new(CACHED_DISTRIBUTIONS, Clock::clone(clock)),
            policies_cache: Cache::new(CACHED_POLICIES, Clock::clone(clock)),
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
        let ids: Vec<_> = ids.into_iter().filter(|id| self.is_enabled && !id.is_tenant()).collect();
        let delivery = Delivery { lookup: self, cloudfront, deadline, policies: RefCell::default() };
        let lookup = async |id: &DistributionId| (id.clone(), delivery.config(id).await);
        ResolvedConfigs(
            calls::run(ids, MAX_CONCURRENT_CONFIG_LOOKUPS, self.limits.hold(Instant::now(), deadline), lookup).await,
        )
    }

    /// Returns for how long a cached config may still be used although AWS returned an error, counted from when it was
    /// read; `None` if it may not, or if access to it was denied.
    fn stale_time_left(&self, cached: &CachedConfig) -> Option<Duration> {
        let age = (self.clock)().duration_since(cached.read_at).ok()?;
        self.ttl.max_stale_age.checked_sub(age).filter(|_| cached.config.is_some())
    }
}

impl Delivery<'_> {
    async fn config(&self, id: &DistributionId) -> Result<ConfigAnswer, CallError> {
        let fetch = async || self.fetch_config(id).await;
        // The cache's age does not count: an entry that was put back after a denial is older than that.
        let allow_stale = |cached: &Arc<CachedConfig>, _, error: &CallError| {
            error.class.is_transient() && self.lookup.stale_time_left(cached).is_some()
        };
        let Cached { value: cached, stale_because } =
            self.lookup.configs_cache.get_or_fetch(id, COUNTERS, fetch, allow_stale).await?;
        if let Some(error) = &stale_because {
            tracing::warn!(
                distribution = id.as_str(),
                error = error.to_string(),
                "stale cache entry used: the distribution config could not be read (STALE_IF_ERROR_SECONDS)"
            );
        }
        let mut error = stale_because.map(Arc::new).or_else(|| cached.error.clone());
        let mut config = cached.config.clone();
        if let Some(config) = &mut config {
            for policy in config.unresolved_policies() {
                let Cached { value, stale_because } = self.has_query_strings(&policy).await?;
                if let Some(in_key) = value {
                    Arc::make_mut(config).resolve_policy(&policy, in_key);
                }
                error = error.or_else(|| stale_because.map(Arc::new));
            }
        }
        Ok(ConfigAnswer { cached, config, error })
    }

    async fn fetch_config(&self, id: &DistributionId) -> Result<(Arc<CachedConfig>, Duration), CallError> {
        let ConfigLookup { configs_cache, ttl, limits, clock, .. } = self.lookup;
        let now = clock();
        let cached = |config, read_at, error| {
            Arc::new(CachedConfig { config, read_at, error, warned_buckets: Mutex::default() })
        };
        let call = async || self.cloudfront.distribution_config(id).await;
        match retry("GetDistributionConfig", limits, self.deadline, call).await {
            Ok(config) => Ok((cached(Some(Arc::new(config)), now, None), ttl.positive)),
            Err(error) if error.class == ErrorClass::AccessDenied => {
                // An earlier config is better than an estimate. With the negative TTL, a corrected policy of the role
                // takes effect soon.
                let previous = configs_cache.peek(id).await;
                let previous = previous.and_then(|it| Some((self.lookup.stale_time_left(&it)?, it)));
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
                Ok(match previous {
                    Some((time_left, it)) => {
                        (cached(it.config.clone(), it.read_at, Some(Arc::new(error))), ttl.negative.min(time_left))
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
    /// Returns why the config of this distribution is unknown or may be outdated; `None` if it is current, or was not
    /// looked up.
    #[must_use]
    pub fn error(&self, id: &DistributionId) -> Option<&CallError> {
        self.0.get(id)?.as_ref().map_or_else(Some, |answer| answer.error.as_deref())
    }

    /// Returns for each distribution of the bucket how it maps the bucket's keys to URLs; `None` if its config could
    /// not be read. Where the URLs are not certain, a warning is logged, once for each fetched config.
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
                let mut warned = answer.cached.warned_buckets.lock().unwrap_or_else(PoisonError::into_inner);
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
    if mapping.are_urls_uncertain {
        tracing::warn!(bucket, distribution, "{}", URLS_UNCERTAIN);
    } else if mapping.may_be_rewritten {
        tracing::info!(bucket, distribution, "{}", URLS_REWRITTEN);
    }
}
