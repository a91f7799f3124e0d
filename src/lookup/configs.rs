//! Finding out how distributions are set, and so how each shows its buckets: asked once in a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{Cached, Clock, Lives, Lookups, Operation, permits};
use crate::aws::{CallError, ErrorClass, Settings};
use crate::change::{Bucket, DistributionId};
use crate::path::{DistributionSettings, PolicyId, Route, View};

/// How many distributions' settings are remembered, and how many cache policies. An account has at most 200 distributions
/// and 20 policies by default (CloudFront quotas).
const CACHED_DISTRIBUTIONS: u64 = 1000;
const CACHED_POLICIES: u64 = 1000;

/// How many distributions are asked about at the same time, besides those that hang.
const CONCURRENT_LOOKUPS: usize = 8;

/// The operations are told apart in errors, and not in what is counted.
const fn operation(name: &'static str) -> Operation {
    Operation { name, hit: |tally| tally.settings_hits += 1, miss: |tally| tally.settings_misses += 1 }
}

/// Reads settings, and remembers them.
pub struct Surveyor {
    /// Whether it reads them at all.
    is_on: bool,
    lives: Lives,
    clock: Clock,
    distributions: Lookups<DistributionId, Arc<Settled>>,
    /// Whether query strings are in the key; `None` where it may not be asked.
    policies: Lookups<PolicyId, Option<bool>>,
}

/// What is known of a distribution for a while.
struct Settled {
    /// `None` where it may not be asked. Cache policies are not looked up yet.
    settings: Option<Arc<DistributionSettings>>,
    read_at: SystemTime,
    /// Why they are those read last, if they are.
    error: Option<Arc<CallError>>,
    /// The buckets that it was said of that no origin is one of them.
    told: Mutex<BTreeSet<Bucket>>,
}

/// What was learnt of a distribution.
struct Known {
    settled: Arc<Settled>,
    /// The settings with all that cache policies say.
    settings: Option<Arc<DistributionSettings>>,
    /// Why they may have changed, if they may.
    error: Option<Arc<CallError>>,
}

/// What was learnt of the distributions that were asked about; the others' settings are not known.
#[derive(Default)]
pub struct Surveyed(BTreeMap<DistributionId, Result<Known, Arc<CallError>>>);

impl Surveyor {
    /// A surveyor that asks if it `is_on`. `backoff` is the longest pause before a second attempt at `CreateInvalidation`.
    pub fn new(is_on: bool, lives: Lives, backoff: Duration, clock: &Clock) -> Self {
        let clock = || Clock::clone(clock);
        Self {
            is_on,
            lives,
            clock: clock(),
            distributions: Lookups::new(
                operation("GetDistributionConfig"),
                CACHED_DISTRIBUTIONS,
                lives,
                backoff,
                clock(),
            ),
            policies: Lookups::new(operation("GetCachePolicy"), CACHED_POLICIES, lives, backoff, clock()),
        }
    }

    /// What is known of these distributions, asked for at the same time. One that has not answered by `deadline` is not
    /// waited for.
    pub async fn learn<S: Settings>(&self, source: &S, ids: BTreeSet<&DistributionId>, deadline: Instant) -> Surveyed {
        // A tenant's settings are those of another distribution, with changes of its own.
        let mut ids: Vec<_> = ids.into_iter().filter(|id| self.is_on && !id.is_tenant()).collect();
        // Where there is no time for all, it must not always be the same that go without.
        fastrand::shuffle(&mut ids);
        let lookups = ids
            .into_iter()
            .map(|id| async move { (id.clone(), self.recall(source, id, deadline).await.map_err(Arc::new)) });
        Surveyed(permits::all(lookups, CONCURRENT_LOOKUPS, deadline).await.into_iter().collect())
    }

    async fn recall<S: Settings>(
        &self,
        source: &S,
        id: &DistributionId,
        deadline: Instant,
    ) -> Result<Known, CallError> {
        let look_up = || self.look_up(source, id);
        let may_serve = |settled: &Arc<Settled>| settled.settings.is_some();
        let Cached { value: settled, stale } = self.distributions.get(id, deadline, look_up, may_serve).await?;
        if let Some(error) = &stale {
            tracing::warn!(
                distribution = id.as_str(),
                error = error.to_string(),
                "the distribution's settings could not be read again; the last are used (STALE_TAG_SECONDS)"
            );
        }
        let mut settings = settled.settings.clone();
        if let Some(known) = &mut settings {
            for policy in known.unknown_policies() {
                if let Some(in_key) = self.policy(source, &policy, deadline).await? {
                    Arc::make_mut(known).resolve(&policy, in_key);
                }
            }
        }
        let error = stale.map(Arc::new).or_else(|| settled.error.clone());
        Ok(Known { settled, settings, error })
    }

    async fn look_up<S: Settings>(
        &self,
        source: &S,
        id: &DistributionId,
    ) -> Result<(Arc<Settled>, Duration), CallError> {
        let now = (self.clock)();
        let settled = |settings, read_at, error| Arc::new(Settled { settings, read_at, error, told: Mutex::default() });
        match source.settings(id).await {
            Ok(settings) => Ok((settled(Some(Arc::new(settings)), now, None), self.lives.tagged)),
            Err(error) if error.class == ErrorClass::AccessDenied => {
                // What was known is better than a guess. Whoever corrects the role should not wait for long.
                let is_recent =
                    |it: &Arc<Settled>| now.duration_since(it.read_at).is_ok_and(|age| age <= self.lives.stale);
                let last = self.distributions.last(id).await.filter(is_recent);
                let last = last.and_then(|it| Some((Arc::clone(it.settings.as_ref()?), it.read_at)));
                tracing::warn!(
                    distribution = id.as_str(),
                    error = error.to_string(),
                    "the distribution's settings may not be read: {}; allow cloudfront:GetDistributionConfig, tag buckets \
                     that have an origin path with invalidation:originPath, or set DISTRIBUTION_SETTINGS=off",
                    if last.is_some() { "the last are used" } else { "buckets' tags and defaults are used instead" }
                );
                let life = self.lives.untagged;
                Ok(match last {
                    Some((settings, read_at)) => (settled(Some(settings), read_at, Some(Arc::new(error))), life),
                    None => (settled(None, now, None), life),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether query strings are in the key of this policy; `None` if it may not be asked, which is said.
    async fn policy<S: Settings>(
        &self,
        source: &S,
        id: &PolicyId,
        deadline: Instant,
    ) -> Result<Option<bool>, CallError> {
        let look_up = || async {
            match source.has_query_strings(id).await {
                Ok(in_key) => Ok((Some(in_key), self.lives.tagged)),
                Err(error) if error.class == ErrorClass::AccessDenied => {
                    tracing::warn!(
                        policy = id.as_str(),
                        error = error.to_string(),
                        "the cache policy may not be read: it is assumed that query strings are not in its key; allow \
                         cloudfront:GetCachePolicy, or tag the bucket with invalidation:queryStrings"
                    );
                    Ok((None, self.lives.untagged))
                }
                Err(error) => Err(error),
            }
        };
        Ok(self.policies.get(id, deadline, look_up, Option::is_some).await?.value)
    }
}

impl Surveyed {
    /// Why the settings of this distribution are not known, or may have changed, if so.
    #[must_use]
    pub fn error(&self, id: &DistributionId) -> Option<Arc<CallError>> {
        match self.0.get(id)? {
            Ok(known) => known.error.clone(),
            Err(error) => Some(Arc::clone(error)),
        }
    }

    /// How each distribution of a bucket shows it. Where no origin is the bucket, that is said once in the settings' life.
    #[must_use]
    pub fn views(&self, bucket: &Bucket, route: &Route) -> Vec<(DistributionId, Option<View>)> {
        let view = |id: &DistributionId| match self.0.get(id) {
            None => Some(View::new(bucket, route, None)),
            Some(Err(_)) => None,
            Some(Ok(known)) => {
                let view = View::new(bucket, route, known.settings.as_ref());
                if known.settings.is_some() && !view.is_known() && known.settled.is_news(bucket) {
                    tracing::warn!(
                        bucket = bucket.name.as_str(),
                        distribution = id.as_str(),
                        "it cannot be told which origins of the distribution are this bucket: its tags and defaults are used \
                         where the settings do not tell"
                    );
                }
                Some(if known.error.is_some() { view.old() } else { view })
            }
        };
        route.distributions.iter().map(|id| (id.clone(), view(id))).collect()
    }
}

impl Settled {
    fn is_news(&self, bucket: &Bucket) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.clone())
    }
}
