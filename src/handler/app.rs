//! The function as its handlers use it: the configuration, the AWS clients and the caches, and what all handlers do with
//! them: query buckets and send invalidations.

use std::collections::BTreeSet;

use super::deadline::{
    Invocation, LEARNED_TIME, QUEUE_ATTEMPT_TIMEOUT, listing_limits, lookup_limits, part_interval, send_limits,
};
use crate::aws::{BucketQuery, CloudFront, CodePipeline, Queue, S3, SdkConfig};
use crate::change::{AccountId, Bucket, Timestamp};
use crate::config::{Config, ExpectedOwner};
use crate::lookup::{Clock, ConfigLookup, KeyLookup, TagLookup};
use crate::plan::Invalidation;
use crate::report::{IdSource, logging};
use crate::send::{Refusals, SendDeadlines, SendOptions, SendResult, SentCache, send_all};

/// The function: its configuration, AWS clients and caches.
pub struct App {
    pub(super) s3: S3,
    pub(super) cloudfront: CloudFront,
    pub(super) codepipeline: CodePipeline,
    pub(super) config: Config,
    clock: Clock,
    pub(super) tag_lookup: TagLookup,
    pub(super) config_lookup: ConfigLookup,
    pub(super) key_lookup: KeyLookup,
    sent_cache: SentCache,
    pub(super) refusals: Refusals,
    pub(super) queue: Option<Queue>,
}

impl App {
    /// Creates the function, with clients from `sdk`. `clock` is the wall clock for the age of cache entries, the age
    /// of changes, and the time that a job has waited.
    pub fn new(config: Config, sdk: &SdkConfig, clock: Clock) -> Self {
        let shared = || Clock::clone(&clock);
        let (ttl, limits) = (config.cache_ttl, lookup_limits(config.retries.backoff));
        let (defaults, replacement) = (config.bucket_defaults.clone(), config.distribution_override.clone());
        let listing_limits = listing_limits(config.retries.backoff);
        Self {
            s3: S3::new(sdk),
            cloudfront: CloudFront::new(sdk),
            codepipeline: CodePipeline::new(sdk),
            tag_lookup: TagLookup::new(defaults, replacement, ttl, limits, shared()),
            config_lookup: ConfigLookup::new(config.read_distribution_configs, ttl, limits, &clock),
            key_lookup: KeyLookup::new(config.listing_max_requests, ttl.positive, listing_limits, shared()),
            sent_cache: SentCache::new(shared()),
            queue: config.queue_url.clone().map(|url| Queue::new(sdk, url, QUEUE_ATTEMPT_TIMEOUT)),
            refusals: Refusals::new(shared()),
            config,
            clock,
        }
    }

    /// The current wall-clock time; `None` if the clock is before 1970.
    pub fn now(&self) -> Option<Timestamp> {
        logging::timestamp((self.clock)())
    }

    /// Sends invalidations, unless it is a dry run. `retry_refused` is whether what CloudFront refuses for its rate or
    /// for what is in progress is retried.
    pub(super) async fn send(
        &self,
        invalidations: &[Invalidation],
        dry_run: bool,
        retry_refused: bool,
        deadlines: SendDeadlines,
    ) -> Vec<SendResult> {
        let backoff = self.config.retries.backoff;
        let options = SendOptions {
            calls: send_limits(backoff),
            retry_refused,
            learned: self.refusals.learned(LEARNED_TIME),
            part_interval: part_interval(backoff),
            dry_run,
        };
        send_all(&self.cloudfront, invalidations, &self.sent_cache, &self.refusals, options, deadlines).await
    }

    /// Where the IDs of distributions were read: `input`, unless an option replaces them.
    pub(super) fn id_source(&self, input: IdSource) -> IdSource {
        if self.config.distribution_override.is_some() { IdSource::Option } else { input }
    }

    /// The queries for these buckets, with the expected bucket owner. `None` if that is to be the function's account
    /// and the ARN does not contain it.
    pub(super) fn queries(&self, buckets: BTreeSet<&Bucket>, invocation: &Invocation) -> Option<Vec<BucketQuery>> {
        let expected_owner = match &self.config.expected_owner {
            ExpectedOwner::FunctionAccount if !buckets.is_empty() => {
                Some(AccountId::from_function_arn(&invocation.function_arn)?)
            }
            ExpectedOwner::Account(id) => Some(id.clone()),
            ExpectedOwner::FunctionAccount | ExpectedOwner::Any => None,
        };
        let query = |bucket: &Bucket| BucketQuery { bucket: bucket.clone(), expected_owner: expected_owner.clone() };
        Some(buckets.into_iter().map(query).collect())
    }
}
