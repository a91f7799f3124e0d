//! Makes a difference real, step by step, each read again after it; and takes it back if one of them fails.

use std::fmt;
use std::time::Duration;

use super::cloud::Cloud;
use super::deployment::Deployment;
use super::notification::{Notifications, OWN_RULE, tag_difference};
use super::permission::{Asked, S3};
use crate::change::BucketName;
use crate::ports::{AccountId, CallError};
use crate::route::Tags;

/// How often it is looked whether S3 shows what was written, which it may do a little later. Source: S3 user guide, "Amazon S3
/// data consistency model": bucket configurations are eventually consistent.
const LOOKS: u32 = 6;

/// What is to be changed of a bucket; without steps it is all as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The bucket.
    pub bucket: BucketName,
    /// What to do, in this order.
    pub steps: Vec<Step>,
}

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
    /// That of a bucket. The id is made of its name, in which there is no `_` today and no dot may stay.
    pub(super) fn of(deployment: &Deployment, bucket: &BucketName) -> Self {
        Self {
            function: deployment.function.arn.clone(),
            id: format!("{OWN_RULE}-{}", bucket.as_str().replace('.', "_")),
            bucket_arn: deployment.bucket_arn(bucket),
            account: deployment.account.clone(),
        }
    }

    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            service: S3,
            action: "lambda:InvokeFunction",
            source_arn: &self.bucket_arn,
            source_account: self.account.as_str(),
        }
    }
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

    fn reversed(&self) -> Self {
        match self.clone() {
            Self::Tags { before, after } => Self::Tags { before: after, after: before },
            Self::Notifications { before, after } => Self::Notifications { before: after, after: before },
            Self::Allow(permission) => Self::Forbid(permission),
            Self::Forbid(permission) => Self::Allow(permission),
        }
    }

    /// Where the bucket stands with it.
    async fn look(&self, cloud: &impl Cloud, bucket: &BucketName) -> Result<State, CallError> {
        fn state<T: PartialEq>(now: &T, before: &T, after: &T) -> State {
            if now == after {
                State::After
            } else if now == before {
                State::Before
            } else {
                State::Neither
            }
        }
        Ok(match self {
            Self::Tags { before, after } => state(&cloud.tags(bucket).await?, before, after),
            Self::Notifications { before, after } => state(&cloud.notifications(bucket).await?, before, after),
            // To add a statement that is there and to remove one that is not is no error, so neither needs a look.
            Self::Allow(_) | Self::Forbid(_) => State::Before,
        })
    }

    async fn write(&self, cloud: &impl Cloud, bucket: &BucketName) -> Result<(), CallError> {
        match self {
            Self::Tags { after, .. } => cloud.put_tags(bucket, after).await,
            Self::Notifications { after, .. } => cloud.put_notifications(bucket, after).await,
            Self::Allow(it) => cloud.add_permission(&it.function, &it.id, &it.bucket_arn, &it.account).await,
            Self::Forbid(it) => cloud.remove_permission(&it.function, &it.id).await,
        }
    }

    /// Writes, and looks until it shows.
    async fn take(&self, cloud: &impl Cloud, bucket: &BucketName, pause: Duration) -> Result<(), String> {
        let what = self.lines().0;
        // As shortly before the write as can be: S3 takes no condition.
        match self.look(cloud, bucket).await.map_err(|error| error.to_string())? {
            State::Before => {}
            State::After => return Ok(()),
            State::Neither => return Err(changed_meanwhile(what)),
        }
        let written = self.write(cloud, bucket).await;
        if matches!(self, Self::Allow(_) | Self::Forbid(_)) {
            return written.map_err(|error| error.to_string());
        }
        let mut looks = 0;
        loop {
            let seen = self.look(cloud, bucket).await;
            looks += 1;
            match (&written, seen) {
                // Also where the answer to the write was lost.
                (_, Ok(State::After)) => return Ok(()),
                (Err(error), Ok(_)) => return Err(error.to_string()),
                (Ok(()), Ok(State::Before)) | (_, Err(_)) if looks < LOOKS => tokio::time::sleep(pause * looks).await,
                (Ok(()), Ok(State::Before)) => return Err(format!("the {what} were written and do not show")),
                (Ok(()), Ok(State::Neither)) => {
                    return Err(format!("the {what} are not what was written: somebody else writes them too"));
                }
                (_, Err(error)) => return Err(format!("it is not known whether the {what} were written: {error}")),
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    After,
    Neither,
}

/// All steps were done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied;

/// A step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyError {
    /// Why.
    pub reason: String,
    /// What was done and could not be taken back, a line for each thing.
    pub left: Vec<String>,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.left.is_empty() {
            return f.write_str("; everything is as it was");
        }
        write!(f, "; this was done and could not be taken back: {}; run the command again", self.left.join(", "))
    }
}

impl std::error::Error for ApplyError {}

/// Does all steps of a difference, or none. `pause` is waited between two looks at what was written.
///
/// # Errors
/// [`ApplyError`] if the bucket changed since the difference was made, or a step failed.
pub async fn apply(cloud: &impl Cloud, difference: &Difference, pause: Duration) -> Result<Applied, ApplyError> {
    let bucket = &difference.bucket;
    let untouched = |reason: String| ApplyError { reason, left: Vec::new() };
    for step in &difference.steps {
        let state = step.look(cloud, bucket).await.map_err(|error| untouched(error.to_string()))?;
        if state != State::Before {
            return Err(untouched(changed_meanwhile(step.lines().0)));
        }
    }
    for (number, step) in difference.steps.iter().enumerate() {
        if let Err(reason) = step.take(cloud, bucket, pause).await {
            let mut left = Vec::new();
            for done in difference.steps.iter().take(number + 1).rev() {
                left.extend(take_back(cloud, bucket, done, pause).await);
            }
            return Err(ApplyError { reason, left });
        }
    }
    Ok(Applied)
}

fn changed_meanwhile(what: &str) -> String {
    format!("somebody else has just changed the bucket's {what}")
}

/// Takes a step back that was done, or perhaps done; what is left of it if that fails. What somebody else has written since
/// stays: to write over it would lose more.
async fn take_back(cloud: &impl Cloud, bucket: &BucketName, done: &Step, pause: Duration) -> Vec<String> {
    let back = done.reversed();
    match back.look(cloud, bucket).await {
        Ok(State::After) => Vec::new(),
        Ok(State::Before) if back.take(cloud, bucket, pause).await.is_ok() => Vec::new(),
        _ => done.lines().1,
    }
}
