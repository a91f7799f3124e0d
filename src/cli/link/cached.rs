//! A cache in front of the AWS calls of `status`, which asks the same of several buckets: their queue, their function and
//! their distributions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::api::{
    DryRun, EventRule, EventSourceMapping, FailedInvocations, FunctionInfo, LastInvalidation, ListedDistribution,
    OperatorApi, Queue, Schedule,
};
use super::notification::Notifications;
use crate::aws::CallError;
use crate::change::{AccountId, BucketName, DistributionId, Timestamp};
use crate::path::{DistributionConfig, Tags, Tenant};

/// The result of a call once it is made, errors included. Concurrent calls share one.
type Cell<T> = Arc<OnceCell<Result<T, CallError>>>;

/// The results of one operation, by its argument.
struct Results<T>(Mutex<BTreeMap<String, Cell<T>>>);

impl<T> Default for Results<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Results<T> {
    async fn get(
        &self,
        argument: impl ToString,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let result = {
            let mut results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(results.entry(argument.to_string()).or_default())
        };
        result.get_or_init(|| call).await.clone()
    }
}

/// Calls that read, each made once for the same argument. Calls that write are not cached, and do not change what is.
pub struct CachedApi<'a, A> {
    api: &'a A,
    stack_outputs: Results<Option<BTreeMap<String, String>>>,
    function: Results<FunctionInfo>,
    event_sources: Results<Vec<EventSourceMapping>>,
    function_policy: Results<Option<String>>,
    queue: Results<Queue>,
    event_rules: Results<Vec<EventRule>>,
    schedule: Results<Option<Schedule>>,
    schedules: Results<Vec<Schedule>>,
    last_poll: Results<Option<Timestamp>>,
    bucket_region: Results<String>,
    tags: Results<Tags>,
    notifications: Results<Notifications>,
    tenant: Results<Tenant>,
    distribution_config: Results<DistributionConfig>,
    last_invalidation: Results<Option<LastInvalidation>>,
}

impl<'a, A> CachedApi<'a, A> {
    /// Creates an empty cache.
    #[must_use]
    pub fn new(api: &'a A) -> Self {
        Self {
            api,
            stack_outputs: Results::default(),
            function: Results::default(),
            event_sources: Results::default(),
            function_policy: Results::default(),
            queue: Results::default(),
            event_rules: Results::default(),
            schedule: Results::default(),
            schedules: Results::default(),
            last_poll: Results::default(),
            bucket_region: Results::default(),
            tags: Results::default(),
            notifications: Results::default(),
            tenant: Results::default(),
            distribution_config: Results::default(),
            last_invalidation: Results::default(),
        }
    }
}

impl<A: OperatorApi> OperatorApi for CachedApi<'_, A> {
    async fn account(&self) -> Result<AccountId, CallError> {
        self.api.account().await
    }

    async fn stack_outputs(&self, stack: &str) -> Result<Option<BTreeMap<String, String>>, CallError> {
        self.stack_outputs.get(stack, self.api.stack_outputs(stack)).await
    }

    async fn function(&self, name: &str) -> Result<FunctionInfo, CallError> {
        self.function.get(name, self.api.function(name)).await
    }

    async fn dry_run(&self, function: &str, bucket: &BucketName, key: &str) -> Result<DryRun, CallError> {
        self.api.dry_run(function, bucket, key).await
    }

    async fn event_sources(&self, function: &str) -> Result<Vec<EventSourceMapping>, CallError> {
        self.event_sources.get(function, self.api.event_sources(function)).await
    }

    async fn function_policy(&self, function: &str) -> Result<Option<String>, CallError> {
        self.function_policy.get(function, self.api.function_policy(function)).await
    }

    async fn add_permission(
        &self,
        function: &str,
        id: &str,
        bucket_arn: &str,
        account: &AccountId,
    ) -> Result<(), CallError> {
        self.api.add_permission(function, id, bucket_arn, account).await
    }

    async fn remove_permission(&self, function: &str, id: &str) -> Result<(), CallError> {
        self.api.remove_permission(function, id).await
    }

    async fn queue(&self, arn: &str) -> Result<Queue, CallError> {
        self.queue.get(arn, self.api.queue(arn)).await
    }

    async fn event_rules(&self, target: &str) -> Result<Vec<EventRule>, CallError> {
        self.event_rules.get(target, self.api.event_rules(target)).await
    }

    async fn schedule(&self, name: &str) -> Result<Option<Schedule>, CallError> {
        self.schedule.get(name, self.api.schedule(name)).await
    }

    async fn schedules(&self, function: &str) -> Result<Vec<Schedule>, CallError> {
        self.schedules.get(function, self.api.schedules(function)).await
    }

    async fn last_poll(&self, queue: &str) -> Result<Option<Timestamp>, CallError> {
        self.last_poll.get(queue, self.api.last_poll(queue)).await
    }

    async fn failed_invocations(
        &self,
        log_group: &str,
        window: Duration,
    ) -> Result<Option<FailedInvocations>, CallError> {
        self.api.failed_invocations(log_group, window).await
    }

    async fn buckets(&self) -> Result<Vec<BucketName>, CallError> {
        self.api.buckets().await
    }

    async fn bucket_region(&self, bucket: &BucketName) -> Result<String, CallError> {
        self.bucket_region.get(bucket, self.api.bucket_region(bucket)).await
    }

    async fn tags(&self, bucket: &BucketName) -> Result<Tags, CallError> {
        self.tags.get(bucket, self.api.tags(bucket)).await
    }

    async fn set_tags(&self, bucket: &BucketName, tags: &Tags) -> Result<(), CallError> {
        self.api.set_tags(bucket, tags).await
    }

    async fn remove_tags(&self, bucket: &BucketName, keys: &[String]) -> Result<(), CallError> {
        self.api.remove_tags(bucket, keys).await
    }

    async fn replace_tags(&self, bucket: &BucketName, tags: &Tags) -> Result<(), CallError> {
        self.api.replace_tags(bucket, tags).await
    }

    async fn notifications(&self, bucket: &BucketName) -> Result<Notifications, CallError> {
        self.notifications.get(bucket, self.api.notifications(bucket)).await
    }

    async fn put_notifications(&self, bucket: &BucketName, notifications: &Notifications) -> Result<(), CallError> {
        self.api.put_notifications(bucket, notifications).await
    }

    async fn tenant(&self, tenant: &DistributionId) -> Result<Tenant, CallError> {
        self.tenant.get(tenant, self.api.tenant(tenant)).await
    }

    async fn distributions(&self) -> Result<Vec<ListedDistribution>, CallError> {
        self.api.distributions().await
    }

    async fn distribution_config(&self, distribution: &DistributionId) -> Result<DistributionConfig, CallError> {
        self.distribution_config.get(distribution, self.api.distribution_config(distribution)).await
    }

    async fn last_invalidation(&self, distribution: &DistributionId) -> Result<Option<LastInvalidation>, CallError> {
        self.last_invalidation.get(distribution, self.api.last_invalidation(distribution)).await
    }
}
