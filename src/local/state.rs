//! The resources in the fake AWS, and the calls that it received. The rules of each service are in a file of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::fault::Fault;
use super::queue::FakeQueue;
use super::quota::{Consumption, Quota};
use super::{ACCOUNT, REGION};

/// The resources in the fake AWS, the faults to inject, and the calls received.
#[derive(Default)]
pub struct State {
    /// The buckets, by name.
    pub buckets: BTreeMap<String, FakeBucket>,
    /// The distributions and distribution tenants, by id.
    pub distributions: BTreeMap<String, FakeDistribution>,
    /// The cache policies by id, each as `aws cloudfront get-cache-policy` prints it below `CachePolicyConfig`. None is
    /// predefined, not even one managed by AWS.
    pub cache_policies: BTreeMap<String, Value>,
    /// CodePipeline's jobs, by id.
    pub jobs: BTreeMap<String, FakeJob>,
    /// SQS's queues, all of them standard queues, by name.
    pub queues: BTreeMap<String, FakeQueue>,
    /// The faults to inject, each as often as its `times` says. The first that matches a call applies.
    pub faults: Vec<Fault>,
    /// The operations that the caller's role lacks the permission for. Each is answered with the service's
    /// access-denied error (S3, CloudFront and SQS: `AccessDenied`) and has no effect.
    pub denied: BTreeSet<String>,
    /// The response time, by operation. Other calls are answered in the meantime.
    pub latency: BTreeMap<String, Duration>,
    /// The shortest allowed interval between two `CreateInvalidation` calls of the account, those for tenants included.
    /// A call that comes sooner is answered with `Throttling`, and does not count. It applies beside [`Self::quota`].
    /// AWS's interval is [`CREATE_INVALIDATION_INTERVAL`](super::CREATE_INVALIDATION_INTERVAL).
    pub throttle: Option<Duration>,
    /// The reading of CloudFront's quota on invalidations that applies.
    pub quota: Quota,
    /// Every call, in the order of the responses.
    pub calls: Vec<Call>,
    /// The wait that each valid `ReceiveMessage` asked for, in the same order.
    pub receive_waits: Vec<Duration>,
    /// The highest number of concurrent calls, by operation.
    pub most_in_flight: BTreeMap<&'static str, usize>,
    /// The number of calls received, finished or not.
    pub started_calls: usize,
    pub(super) in_flight: BTreeMap<&'static str, usize>,
    pub(super) last_create_call: Option<Instant>,
    pub(super) consumption: Consumption,
}

impl State {
    /// The number of calls of an operation that are not answered yet. A receive counts until its wait is over, even if its
    /// client has disconnected.
    #[must_use]
    pub fn in_flight(&self, operation: &str) -> usize {
        self.in_flight.get(operation).copied().unwrap_or_default()
    }
}

/// A bucket, as far as the function reads it.
#[derive(Clone, Debug)]
pub struct FakeBucket {
    /// The bucket's Region.
    pub region: String,
    /// The account that owns the bucket.
    pub owner: String,
    /// The tags. For a bucket without any, S3 answers with the error `NoSuchTagSet`.
    pub tags: BTreeMap<String, String>,
    /// The keys of its objects, which are all empty. They are in the order of S3's listings: by their UTF-8 bytes.
    pub objects: BTreeSet<String>,
}

impl FakeBucket {
    /// A bucket in the fake account and Region with these tags and no objects.
    #[must_use]
    pub fn tagged(tags: &[(&str, &str)]) -> Self {
        Self {
            region: REGION.into(),
            owner: ACCOUNT.into(),
            tags: tags.iter().map(|&(key, value)| (key.into(), value.into())).collect(),
            objects: BTreeSet::new(),
        }
    }
}

/// The operation recorded for a request that is unsigned or that the fake does not support.
pub const UNKNOWN_OPERATION: &str = "?";

/// A call that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation, such as `GetBucketTagging`. It is [`UNKNOWN_OPERATION`] for an unsupported request, whose
    /// `target` then holds the reason.
    pub operation: &'static str,
    /// The name or id of the bucket, distribution, tenant, cache policy, job or queue.
    pub target: String,
    /// The HTTP status of the response; 0 if the connection was closed without one.
    pub status: u16,
    /// The error code, if the response is an error in the service's own format.
    pub code: Option<String>,
}

/// A distribution, or a distribution tenant if its id starts with `dt_`, and the invalidations it accepted.
#[derive(Clone, Debug)]
pub struct FakeDistribution {
    /// The accepted invalidations, in order.
    pub invalidations: Vec<AcceptedInvalidation>,
    /// How long an invalidation stays in progress. The default, 25 s, is the 95th percentile that AWS quotes (April
    /// 2026).
    pub delay: Duration,
    /// Its config, as `aws cloudfront get-distribution-config` prints it below `DistributionConfig`. For `None`,
    /// `GetDistributionConfig` is answered with `AccessDenied`, as if the caller's role lacked the permission. A tenant
    /// has none.
    pub config: Option<Value>,
    /// What a tenant has beside. For `None`, `GetDistributionTenant` is answered with `AccessDenied`.
    pub tenant: Option<FakeTenant>,
}

/// A distribution tenant's own part of its configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeTenant {
    /// The id of its multi-tenant distribution.
    pub distribution_id: String,
    /// The values of the distribution's parameters, by name.
    pub parameters: BTreeMap<String, String>,
}

impl FakeDistribution {
    /// A tenant of this distribution with these values of its parameters.
    #[must_use]
    pub fn tenant_of(distribution_id: &str, parameters: &[(&str, &str)]) -> Self {
        let parameters = parameters.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let tenant = FakeTenant { distribution_id: distribution_id.into(), parameters };
        Self { tenant: Some(tenant), ..Self::default() }
    }

    /// Whether this is a multi-tenant distribution, which has no cache of its own to invalidate.
    pub(super) fn is_multi_tenant(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config["ConnectionMode"] == "tenant-only")
    }
}

impl Default for FakeDistribution {
    fn default() -> Self {
        Self { invalidations: Vec::new(), delay: Duration::from_secs(25), config: None, tenant: None }
    }
}

/// An invalidation that CloudFront accepted.
#[derive(Clone, Debug)]
pub struct AcceptedInvalidation {
    /// The id that CloudFront assigned.
    pub id: String,
    /// The caller reference.
    pub caller_reference: String,
    /// The paths as received.
    pub paths: Vec<String>,
    /// Those of its paths that CloudFront accepts without an error but that match nothing.
    pub ineffective: Vec<String>,
    /// When it was accepted.
    pub created: Instant,
}

/// A job and the results put for it. A new job awaits its result.
#[derive(Clone, Debug, Default)]
pub struct FakeJob {
    /// The accepted results, in order.
    pub results: Vec<PutResult>,
    pub(super) answered: bool,
}

/// A result that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutResult {
    /// `PutJobSuccessResult`.
    Success {
        /// The summary that the console shows.
        summary: Option<String>,
        /// The external execution id that the caller gave.
        external_execution_id: Option<String>,
        /// Present if the job is not finished: CodePipeline invokes the action again with this token.
        continuation_token: Option<String>,
        /// The output variables, which later actions can reference.
        output_variables: BTreeMap<String, String>,
    },
    /// `PutJobFailureResult`.
    Failure {
        /// The failure type, such as `JobFailed`.
        failure_type: String,
        /// The message that the console shows.
        message: String,
        /// The external execution id that the caller gave.
        external_execution_id: Option<String>,
    },
}

impl FakeJob {
    /// Continues a job whose last result has a continuation token, so that it accepts one more result. Returns that
    /// token, for the next job event; `None`, without any change, for any other job.
    pub fn resume(&mut self) -> Option<String> {
        let Some(PutResult::Success { continuation_token: Some(token), .. }) = self.results.last() else { return None };
        self.answered = false;
        Some(token.clone())
    }
}
