//! One write to a bucket's configuration or to the function's policy, and the verification that it was applied.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::api::OperatorApi;
use super::deployment::Deployment;
use super::given_options::GivenOptions;
use super::notification::{Notifications, RULE_ID, tag_difference};
use super::policy::{AccessRequest, S3_PRINCIPAL, allows};
use crate::aws::CallError;
use crate::change::{AccountId, BucketName};
use crate::path::Tags;

/// The most reads that verify a write. Bucket configurations are eventually consistent. Source: S3 user guide, "Amazon
/// S3 data consistency model".
const MAX_READS: u32 = 6;

/// One write, with the states before and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Changes tags of the bucket. What is the same before and after is not written.
    Tags {
        /// All tags before the write.
        before: Tags,
        /// All tags after the write.
        after: Tags,
    },
    /// Replaces the bucket's notification configuration.
    Notifications {
        /// The whole configuration before the write.
        before: Notifications,
        /// The whole configuration after the write.
        after: Notifications,
    },
    /// Adds a statement to the function's policy.
    AddPermission(Permission),
    /// Removes a statement from the function's policy.
    RemovePermission(Permission),
}

/// A policy statement that allows the bucket to invoke the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The function's ARN.
    pub function: String,
    /// The statement ID (`Sid`).
    pub id: String,
    /// The bucket's ARN.
    pub bucket_arn: String,
    /// The bucket's account.
    pub account: AccountId,
    /// The options of the command, for the remedy.
    pub given: GivenOptions,
}

impl Permission {
    /// The statement for a bucket.
    pub(super) fn of(deployment: &Deployment, bucket: &BucketName) -> Self {
        Self {
            function: deployment.function.arn.clone(),
            id: statement_id(bucket),
            bucket_arn: deployment.bucket_arn(bucket),
            account: deployment.account.clone(),
            given: deployment.given.clone(),
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

    /// Whether a policy, as JSON, has a statement with this ID.
    pub(super) fn is_in(&self, policy: &str) -> bool {
        let policy = serde_json::from_str::<Value>(policy).unwrap_or_default();
        let statements = policy.get("Statement").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        statements.iter().any(|it| it.get("Sid").and_then(Value::as_str) == Some(&self.id))
    }
}

/// The statement ID for a bucket: at most 100 letters, digits, `-` and `_`. Source: Lambda API reference,
/// `AddPermission`.
pub(super) fn statement_id(bucket: &BucketName) -> String {
    let name = bucket.as_str();
    if name.len() <= 63 && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-') {
        return format!("{RULE_ID}-{name}");
    }
    let digest = Sha256::digest(name);
    let start = digest.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    format!("{RULE_ID}_{start:032x}")
}

impl Step {
    /// Returns what the step writes to, and its changes, one line each: `+` added, `-` removed, `~` changed.
    #[must_use]
    pub fn lines(&self) -> (&'static str, Vec<String>) {
        match self {
            Self::Tags { before, after } => ("tags", tag_difference(before, after)),
            Self::Notifications { before, after } => ("event notifications", before.difference(after)),
            Self::AddPermission(permission) => {
                ("policy", vec![format!("+ {} may invoke the function", permission.bucket_arn)])
            }
            Self::RemovePermission(permission) => {
                ("policy", vec![format!("- {} may invoke the function", permission.bucket_arn)])
            }
        }
    }

    pub(super) fn reversed(&self) -> Self {
        match self.clone() {
            Self::Tags { before, after } => Self::Tags { before: after, after: before },
            Self::Notifications { before, after } => Self::Notifications { before: after, after: before },
            Self::AddPermission(permission) => Self::RemovePermission(permission),
            Self::RemovePermission(permission) => Self::AddPermission(permission),
        }
    }

    /// Reads the current state and compares it with those before and after the step.
    pub(super) async fn read_state(&self, api: &impl OperatorApi, bucket: &BucketName) -> Result<StepState, CallError> {
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
            Self::Tags { before, after } => tags_state(&api.tags(bucket).await?, before, after),
            Self::Notifications { before, after } => state(&api.notifications(bucket).await?, before, after),
            Self::AddPermission(it) | Self::RemovePermission(it) => {
                let policy = api.function_policy(&it.function).await?.unwrap_or_default();
                match (self, it.is_in(&policy)) {
                    (Self::AddPermission(_), false) | (Self::RemovePermission(_), true) => StepState::Before,
                    (Self::AddPermission(_), true) if !allows(&policy, it.request()) => StepState::Neither,
                    _ => StepState::After,
                }
            }
        })
    }

    async fn write(&self, api: &impl OperatorApi, bucket: &BucketName) -> Result<(), CallError> {
        match self {
            Self::Tags { before, after } => write_tags(api, bucket, before, after).await,
            Self::Notifications { after, .. } => api.put_notifications(bucket, after).await,
            Self::AddPermission(it) => api.add_permission(&it.function, &it.id, &it.bucket_arn, &it.account).await,
            Self::RemovePermission(it) => api.remove_permission(&it.function, &it.id).await,
        }
    }

    /// Writes, and reads until the write is visible. A step that is already applied is not an error.
    pub(super) async fn apply(
        &self,
        api: &impl OperatorApi,
        bucket: &BucketName,
        pause: Duration,
    ) -> Result<(), StepError> {
        // Read immediately before the write: S3 has no conditional writes of bucket configurations.
        match self.read_state(api, bucket).await.map_err(StepError::unchanged)? {
            StepState::Before => self.write_and_verify(api, bucket, pause).await,
            StepState::After => Ok(()),
            StepState::Partial | StepState::Neither => Err(StepError::unchanged(self.conflict_message())),
        }
    }

    pub(super) async fn write_and_verify(
        &self,
        api: &impl OperatorApi,
        bucket: &BucketName,
        pause: Duration,
    ) -> Result<(), StepError> {
        let what = self.lines().0;
        let written = self.write(api, bucket).await;
        // A write that was rejected is not applied. After a transient error, such as a timeout, it may be applied now
        // or later.
        if let Err(error) = &written
            && !error.class.is_transient()
        {
            return match self.read_state(api, bucket).await {
                Ok(StepState::After) => Ok(()),
                Ok(StepState::Partial) => Err(StepError { reason: error.to_string(), is_unchanged: false }),
                _ => Err(StepError::unchanged(error)),
            };
        }
        let mut reads = 0;
        loop {
            let seen = self.read_state(api, bucket).await;
            reads += 1;
            let reason = match (&written, seen) {
                (_, Ok(StepState::After)) => return Ok(()),
                (_, Ok(StepState::Before | StepState::Partial) | Err(_)) if reads < MAX_READS => {
                    tokio::time::sleep(pause * reads).await;
                    continue;
                }
                (Err(error), Ok(StepState::Before | StepState::Partial)) => {
                    format!("{error}; the change may still take effect")
                }
                (Ok(()), Ok(StepState::Before | StepState::Partial)) => {
                    format!("AWS accepted the change to the {what}, but still returns the old state")
                }
                (_, Ok(StepState::Neither)) => {
                    format!("the {what} differ from what was written: another process or user changed them")
                }
                (_, Err(error)) => format!("cannot verify the change to the {what}: {error}"),
            };
            return Err(StepError { reason, is_unchanged: false });
        }
    }

    pub(super) fn conflict_message(&self) -> String {
        match self {
            Self::AddPermission(it) => {
                let words = ["--function-name", &it.function, "--statement-id", &it.id];
                format!(
                    "statement \"{}\" of the function's policy does not allow S3 to invoke the function for the bucket; \
                     remove the statement with {}, then run the command again",
                    it.id,
                    it.given.aws("lambda remove-permission", &words)
                )
            }
            _ => format!("another process or user has changed the bucket's {}; run the command again", self.lines().0),
        }
    }
}

/// Why a step failed.
pub(super) struct StepError {
    pub(super) reason: String,
    /// Whether the step definitely changed nothing.
    pub(super) is_unchanged: bool,
}

impl StepError {
    fn unchanged(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), is_unchanged: true }
    }
}

/// The current state, compared with those before and after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepState {
    Before,
    After,
    /// Some tags are as before the step, and the others as after it.
    Partial,
    Neither,
}

/// Compares the tags that a step changes. What becomes of the others is not its concern.
fn tags_state(now: &Tags, before: &Tags, after: &Tags) -> StepState {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut states = keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).map(|key| {
        let value = now.get(key);
        if value == after.get(key) {
            StepState::After
        } else if value == before.get(key) {
            StepState::Before
        } else {
            StepState::Neither
        }
    });
    let first = states.next().unwrap_or(StepState::After);
    states.fold(first, |one, other| match (one, other) {
        (one, other) if one == other => one,
        (StepState::Neither, _) | (_, StepState::Neither) => StepState::Neither,
        _ => StepState::Partial,
    })
}

/// Writes the tags that change, each by itself, so that a concurrent change of another tag is not lost. Where this is
/// refused, because the caller lacks the permission or the service has no such call, all tags are read, merged and
/// replaced.
async fn write_tags(api: &impl OperatorApi, bucket: &BucketName, before: &Tags, after: &Tags) -> Result<(), CallError> {
    let set: Tags = after.clone().into_iter().filter(|(key, value)| before.get(key) != Some(value)).collect();
    let removed: Vec<_> = before.keys().filter(|key| !after.contains_key(*key)).cloned().collect();
    let refused = match write_single_tags(api, bucket, &set, &removed).await {
        Err(error) if !error.class.is_transient() => error,
        result => return result,
    };
    let mut merged = api.tags(bucket).await?;
    merged.retain(|key, _| !removed.contains(key));
    merged.extend(set);
    let replaced = api.replace_tags(bucket, &merged).await;
    replaced.map_err(|error| CallError { message: format!("{refused}; {error}"), ..error })
}

async fn write_single_tags(
    api: &impl OperatorApi,
    bucket: &BucketName,
    set: &Tags,
    removed: &[String],
) -> Result<(), CallError> {
    if !set.is_empty() {
        api.set_tags(bucket, set).await?;
    }
    if !removed.is_empty() {
        api.remove_tags(bucket, removed).await?;
    }
    Ok(())
}
