//! One call that changes something of a bucket: what it finds, what it leaves, and whether it was done.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::api::OperatorApi;
use super::deployment::Deployment;
use super::notification::{Notifications, OWN_RULE, tag_difference};
use super::policy::{AccessRequest, S3_PRINCIPAL, allows};
use crate::aws::CallError;
use crate::change::{AccountId, BucketName};
use crate::path::Tags;

/// How often it is looked whether S3 shows what was written, which it may do a little later. Source: S3 user guide, "Amazon S3
/// data consistency model": bucket configurations are eventually consistent.
const MAX_READS: u32 = 6;

/// One call that changes something, with what it finds and what it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Of the bucket's tags.
    Tags {
        /// All of them as they are.
        before: Tags,
        /// All of them as they will be.
        after: Tags,
    },
    /// Of its notification configuration.
    Notifications {
        /// All of it as it is.
        before: Notifications,
        /// All of it as it will be.
        after: Notifications,
    },
    /// A statement of the function's policy that is added.
    Allow(Permission),
    /// One that is removed.
    Forbid(Permission),
}

/// A statement that lets the bucket call the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The function's ARN.
    pub function: String,
    /// The statement's id.
    pub id: String,
    /// The bucket's ARN.
    pub bucket_arn: String,
    /// The bucket's account.
    pub account: AccountId,
}

impl Permission {
    /// That of a bucket.
    pub(super) fn of(deployment: &Deployment, bucket: &BucketName) -> Self {
        Self {
            function: deployment.function.arn.clone(),
            id: statement_id(bucket),
            bucket_arn: deployment.bucket_arn(bucket),
            account: deployment.account.clone(),
        }
    }

    pub(super) fn request(&self) -> AccessRequest<'_> {
        AccessRequest {
            service: S3_PRINCIPAL,
            action: "lambda:InvokeFunction",
            resource: &self.function,
            source_arn: &self.bucket_arn,
            source_account: self.account.as_str(),
        }
    }

    /// Whether a statement of this id is in a policy.
    pub(super) fn is_in(&self, policy: &str) -> bool {
        let policy = serde_json::from_str::<Value>(policy).unwrap_or_default();
        let statements = policy.get("Statement").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        statements.iter().any(|it| it.get("Sid").and_then(Value::as_str) == Some(&self.id))
    }
}

/// The id of a bucket's statement: of at most 100 letters, digits, `-` and `_`. Source: Lambda API reference, `AddPermission`.
fn statement_id(bucket: &BucketName) -> String {
    let name = bucket.as_str();
    if name.len() <= 63 && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-') {
        return format!("{OWN_RULE}-{name}");
    }
    let digest = Sha256::digest(name);
    let start = digest.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    format!("{OWN_RULE}_{start:032x}")
}

impl Step {
    /// What it changes, a line for each thing: `+` added, `-` removed, `~` changed.
    #[must_use]
    pub fn lines(&self) -> (&'static str, Vec<String>) {
        match self {
            Self::Tags { before, after } => ("tags", tag_difference(before, after)),
            Self::Notifications { before, after } => ("notifications", before.difference(after)),
            Self::Allow(permission) => {
                ("permission", vec![format!("+ {} may call the function", permission.bucket_arn)])
            }
            Self::Forbid(permission) => {
                ("permission", vec![format!("- {} may call the function", permission.bucket_arn)])
            }
        }
    }

    pub(super) fn reversed(&self) -> Self {
        match self.clone() {
            Self::Tags { before, after } => Self::Tags { before: after, after: before },
            Self::Notifications { before, after } => Self::Notifications { before: after, after: before },
            Self::Allow(permission) => Self::Forbid(permission),
            Self::Forbid(permission) => Self::Allow(permission),
        }
    }

    /// Where the bucket stands with it.
    pub(super) async fn read_state(
        &self,
        cloud: &impl OperatorApi,
        bucket: &BucketName,
    ) -> Result<StepState, CallError> {
        fn state<T: PartialEq>(now: &T, before: &T, after: &T) -> StepState {
            if now == after {
                StepState::After
            } else if now == before {
                StepState::Before
            } else {
                StepState::Neither
            }
        }
        Ok(match self {
            Self::Tags { before, after } => state(&cloud.tags(bucket).await?, before, after),
            Self::Notifications { before, after } => state(&cloud.notifications(bucket).await?, before, after),
            Self::Allow(it) | Self::Forbid(it) => {
                let policy = cloud.function_policy(&it.function).await?.unwrap_or_default();
                match (self, it.is_in(&policy)) {
                    (Self::Allow(_), false) | (Self::Forbid(_), true) => StepState::Before,
                    (Self::Allow(_), true) if !allows(&policy, it.request()) => StepState::Neither,
                    _ => StepState::After,
                }
            }
        })
    }

    async fn write(&self, cloud: &impl OperatorApi, bucket: &BucketName) -> Result<(), CallError> {
        match self {
            Self::Tags { after, .. } => cloud.put_tags(bucket, after).await,
            Self::Notifications { after, .. } => cloud.put_notifications(bucket, after).await,
            Self::Allow(it) => cloud.add_permission(&it.function, &it.id, &it.bucket_arn, &it.account).await,
            Self::Forbid(it) => cloud.remove_permission(&it.function, &it.id).await,
        }
    }

    /// Writes, and looks until it shows.
    pub(super) async fn apply(
        &self,
        cloud: &impl OperatorApi,
        bucket: &BucketName,
        pause: Duration,
    ) -> Result<(), StepError> {
        // As shortly before the write as can be: S3 takes no condition.
        match self.read_state(cloud, bucket).await.map_err(StepError::unchanged)? {
            StepState::Before => self.write_and_verify(cloud, bucket, pause).await,
            StepState::After => Ok(()),
            StepState::Neither => Err(StepError::unchanged(self.conflict_message())),
        }
    }

    pub(super) async fn write_and_verify(
        &self,
        cloud: &impl OperatorApi,
        bucket: &BucketName,
        pause: Duration,
    ) -> Result<(), StepError> {
        let what = self.lines().0;
        let written = self.write(cloud, bucket).await;
        // What was refused is not done. What was not answered may be done now or later.
        if let Err(error) = &written
            && !error.class.is_transient()
        {
            return match self.read_state(cloud, bucket).await {
                Ok(StepState::After) => Ok(()),
                _ => Err(StepError::unchanged(error)),
            };
        }
        let mut reads = 0;
        loop {
            let seen = self.read_state(cloud, bucket).await;
            reads += 1;
            let reason = match (&written, seen) {
                (_, Ok(StepState::After)) => return Ok(()),
                (_, Ok(StepState::Before) | Err(_)) if reads < MAX_READS => {
                    tokio::time::sleep(pause * reads).await;
                    continue;
                }
                (Err(error), Ok(StepState::Before)) => format!("{error}; it may still be done later"),
                (Ok(()), Ok(StepState::Before)) => format!("what was written does not show ({what})"),
                (_, Ok(StepState::Neither)) => {
                    format!("what shows is not what was written ({what}): somebody else writes there too")
                }
                (_, Err(error)) => format!("it is not known whether it was written ({what}): {error}"),
            };
            return Err(StepError { reason, is_unchanged: false });
        }
    }

    pub(super) fn conflict_message(&self) -> String {
        match self {
            Self::Allow(it) => {
                format!(
                    "the function's policy has a statement \"{id}\" that does not let the bucket in; remove it: `aws lambda \
                     remove-permission --function-name {} --statement-id {id}`",
                    it.function,
                    id = it.id
                )
            }
            _ => format!("somebody else has just changed the bucket's {}; run the command again", self.lines().0),
        }
    }
}

/// A step that failed.
pub(super) struct StepError {
    pub(super) reason: String,
    /// Whether it surely changed nothing.
    pub(super) is_unchanged: bool,
}

impl StepError {
    fn unchanged(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), is_unchanged: true }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepState {
    Before,
    After,
    Neither,
}
