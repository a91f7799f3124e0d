//! The calls of the operator's commands, on the in-memory account.

use std::collections::BTreeMap;
use std::time::Duration;

use s3_cloudfront_invalidator::aws::CallError;
use s3_cloudfront_invalidator::change::{AccountId, BucketName, DistributionId, Timestamp};
use s3_cloudfront_invalidator::cli::link::{
    DryRun, EventRule, EventSourceMapping, FailedInvocations, FunctionInfo, LastInvalidation, ListedDistribution,
    Notifications, OperatorApi, Queue, Schedule,
};
use s3_cloudfront_invalidator::path::{Behavior, DistributionConfig, Origin, Tags, Tenant};

use super::fake_account::{
    ACCOUNT, Account, DEAD, FUNCTION, OTHER_FUNCTION, OTHER_QUEUE, QUEUE, denied, failed, missing, policy, statement,
};

impl OperatorApi for Account {
    async fn account(&self) -> Result<AccountId, CallError> {
        Ok(AccountId::new(&self.caller.borrow()).unwrap())
    }

    async fn stack_outputs(&self, stack: &str) -> Result<Option<BTreeMap<String, String>>, CallError> {
        self.called("stack_outputs", stack);
        let schedule = self.schedule_name.borrow().clone().map(|name| ("ScheduleName".to_owned(), name));
        let function = ("FunctionArn".to_owned(), FUNCTION.to_owned());
        let outputs = || schedule.into_iter().chain([function]).collect();
        Ok((stack == "cloudfront-invalidator").then(outputs))
    }

    async fn function(&self, name: &str) -> Result<FunctionInfo, CallError> {
        self.called("function", name);
        if !self.second_is_deleted.get() && [OTHER_FUNCTION, "second"].contains(&name) {
            return Ok(FunctionInfo { arn: OTHER_FUNCTION.into(), ..FunctionInfo::default() });
        }
        if ![FUNCTION, "invalidator"].contains(&name) || self.is_deleted.get() {
            return Err(missing(name));
        }
        let dead_letter_queue = self.function_dead.borrow().clone();
        Ok(FunctionInfo {
            arn: FUNCTION.into(),
            distribution_tag: self.tag.borrow().clone(),
            is_dry_run: self.is_dry_run.get(),
            reads_configs: self.reads_configs.get(),
            bucket_owner: self.owner.borrow().clone(),
            queue_url: self.queue_url.borrow().clone(),
            version: Some("0.1.0".to_owned()),
            dead_letter_queue,
            log_group: self.log_group.borrow().clone(),
        })
    }

    async fn dry_run(&self, function: &str, bucket: &BucketName, _key: &str) -> Result<DryRun, CallError> {
        assert_eq!(function, FUNCTION);
        self.called("dry_run", bucket);
        self.dry_run.borrow().clone()
    }

    async fn event_sources(&self, function: &str) -> Result<Vec<EventSourceMapping>, CallError> {
        self.called("event_sources", function);
        Ok(self.sources.borrow().clone())
    }

    async fn function_policy(&self, function: &str) -> Result<Option<String>, CallError> {
        self.called("function_policy", function);
        let statements: Vec<_> = self
            .statements
            .borrow()
            .iter()
            .map(|(id, statement)| statement.replacen('{', &format!(r#"{{"Sid":"{id}","#), 1))
            .collect();
        self.read((!statements.is_empty()).then(|| policy(&statements)))
    }

    async fn add_permission(
        &self,
        function: &str,
        id: &str,
        bucket_arn: &str,
        account: &AccountId,
    ) -> Result<(), CallError> {
        assert_eq!(account.as_str(), ACCOUNT);
        let statement = statement("s3.amazonaws.com", "lambda:InvokeFunction", function, bucket_arn);
        // An existing statement stays, and the conflict that Lambda then reports is no error in this trait.
        self.write(|| {
            self.statements.borrow_mut().entry(id.to_owned()).or_insert(statement);
        })
    }

    async fn remove_permission(&self, _function: &str, id: &str) -> Result<(), CallError> {
        self.write(|| drop(self.statements.borrow_mut().remove(id)))
    }

    async fn queue(&self, arn: &str) -> Result<Queue, CallError> {
        self.called("queue", arn);
        match arn {
            QUEUE => Ok(self.queue.borrow().clone()),
            OTHER_QUEUE if !self.second_is_deleted.get() => Ok(self.queue.borrow().clone()),
            dead if dead.trim_end_matches(".fifo") == DEAD => Ok(self.dead.borrow().clone()),
            other => Err(missing(other)),
        }
    }

    async fn event_rules(&self, target: &str) -> Result<Vec<EventRule>, CallError> {
        self.called("event_rules", target);
        Ok(if target == QUEUE { self.rules.borrow().clone() } else { Vec::new() })
    }

    async fn schedule(&self, name: &str) -> Result<Option<Schedule>, CallError> {
        self.called("schedule", name);
        if self.schedules_denied.get() {
            return Err(denied("scheduler:GetSchedule"));
        }
        Ok(self.schedules.borrow().iter().find(|it| it.name == name).cloned())
    }

    async fn schedules(&self, function: &str) -> Result<Vec<Schedule>, CallError> {
        self.called("schedules", function);
        if self.schedules_denied.get() {
            return Err(denied("scheduler:ListSchedules"));
        }
        Ok(self.schedules.borrow().iter().filter(|it| it.target.starts_with(function)).cloned().collect())
    }

    async fn last_poll(&self, queue: &str) -> Result<Option<Timestamp>, CallError> {
        self.called("last_poll", queue);
        assert_eq!(queue, QUEUE);
        self.last_poll.borrow().clone()
    }

    async fn buckets(&self) -> Result<Vec<BucketName>, CallError> {
        Ok(vec![BucketName::new("my-site").unwrap()])
    }

    async fn bucket_region(&self, bucket: &BucketName) -> Result<String, CallError> {
        self.called("bucket_region", bucket);
        Ok(self.region.borrow().clone())
    }

    async fn tags(&self, bucket: &BucketName) -> Result<Tags, CallError> {
        self.called("tags", bucket);
        self.read(self.tags.borrow_mut().read())
    }

    async fn set_tags(&self, _bucket: &BucketName, tags: &Tags) -> Result<(), CallError> {
        self.may_write_single_tags("TagResource")?;
        self.write(|| self.change_tags(|all| all.extend(tags.clone())))
    }

    async fn remove_tags(&self, _bucket: &BucketName, keys: &[String]) -> Result<(), CallError> {
        self.may_write_single_tags("UntagResource")?;
        self.write(|| self.change_tags(|all| all.retain(|key, _| !keys.contains(key))))
    }

    async fn replace_tags(&self, _bucket: &BucketName, tags: &Tags) -> Result<(), CallError> {
        if self.abac.get() {
            return Err(failed("PutBucketTagging: refused because of attribute-based access control"));
        }
        self.write(|| self.change_tags(|all| all.clone_from(tags)))
    }

    async fn notifications(&self, bucket: &BucketName) -> Result<Notifications, CallError> {
        self.called("notifications", bucket);
        self.read(self.notifications.borrow_mut().read())
    }

    async fn put_notifications(&self, _bucket: &BucketName, all: &Notifications) -> Result<(), CallError> {
        // S3 refuses overlapping rules.
        let rules: Vec<_> = all.rules.iter().collect();
        for (number, rule) in rules.iter().enumerate() {
            if let Some(other) = rules[..number].iter().find(|other| other.overlaps(rule)) {
                return Err(failed(&format!("configurations overlap: {rule} and {other}")));
            }
        }
        self.write(|| self.notifications.borrow_mut().set(all.clone(), self.late.get()))
    }

    /// `dt_1` is a tenant of `E1`, and the tenants of `E5` are `dt_5`, whose folder is `blue`, and `dt_6`, which has
    /// none.
    async fn tenant(&self, tenant: &DistributionId) -> Result<Tenant, CallError> {
        self.called("tenant", tenant);
        let (distribution, parameters) = match tenant.as_str() {
            "dt_1" => ("E1", [].into()),
            "dt_5" => ("E5", [("tenant".to_owned(), "blue".to_owned())].into()),
            "dt_6" => ("E5", [].into()),
            _ => return Err(missing("EntityNotFound")),
        };
        Ok(Tenant { distribution: DistributionId::new(distribution).unwrap(), parameters })
    }

    async fn distribution_config(&self, distribution: &DistributionId) -> Result<DistributionConfig, CallError> {
        self.called("distribution_config", distribution);
        if self.no_cloud_front.get() {
            return Err(CallError::timed_out("GetDistributionConfig"));
        }
        let origins = self.origins.borrow();
        let origins = origins.get(distribution.as_str()).ok_or_else(|| missing("NoSuchDistribution"))?;
        let origin = |(domain, path): &(String, String)| Origin::new("o", domain, path).unwrap();
        Ok(DistributionConfig {
            origins: origins.iter().map(origin).collect(),
            is_multi_tenant: origins.iter().any(|(_, path)| path.contains("{{")),
            behaviors: vec![Behavior::new(None, "o", None, false, self.function_at.get()).unwrap()],
            ..DistributionConfig::default()
        })
    }

    async fn failed_invocations(
        &self,
        log_group: &str,
        window: Duration,
    ) -> Result<Option<FailedInvocations>, CallError> {
        self.called("failed_invocations", log_group);
        assert!(window >= Duration::from_mins(15), "{window:?}");
        self.failed_invocations.borrow().clone()
    }

    async fn distributions(&self) -> Result<Vec<ListedDistribution>, CallError> {
        self.called("distributions", "");
        if self.no_cloud_front.get() {
            return Err(CallError::timed_out("ListDistributions"));
        }
        let origin = |(domain, path): &(String, String)| Origin::new("o", domain, path).unwrap();
        let listed = |(id, origins): (&String, &Vec<(String, String)>)| ListedDistribution {
            is_live: id != "E4",
            id: DistributionId::new(id).unwrap(),
            domain_names: vec![format!("{}.cloudfront.net", id.to_lowercase())],
            config: DistributionConfig {
                origins: origins.iter().map(origin).collect(),
                is_multi_tenant: origins.iter().any(|(_, path)| path.contains("{{")),
                ..DistributionConfig::default()
            },
        };
        Ok(self.origins.borrow().iter().map(listed).collect())
    }

    async fn last_invalidation(&self, distribution: &DistributionId) -> Result<Option<LastInvalidation>, CallError> {
        self.called("last_invalidation", distribution);
        Ok(Some(LastInvalidation { created_at: Timestamp::new(1_000_000).unwrap(), status: "Completed".into() }))
    }
}
