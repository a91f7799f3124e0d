//! Makes a difference real, step by step, each read again after it; and takes it back if one of them fails.

use std::fmt;
use std::time::Duration;

use super::api::OperatorApi;
use super::step::{Step, StepError, StepState};
use crate::change::BucketName;

/// What is to be changed of a bucket; without steps it is all as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// The bucket.
    pub bucket: BucketName,
    /// What to do, in this order.
    pub steps: Vec<Step>,
}

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
            return f.write_str("; nothing of this command is left");
        }
        write!(
            f,
            "; this was done, or may be, and could not be taken back: {}; run the command again",
            self.left.join(", ")
        )
    }
}

impl std::error::Error for ApplyError {}

/// Does all steps of a difference, or none. `pause` is waited between two looks at what was written.
///
/// # Errors
/// [`ApplyError`] if the bucket changed since the difference was made, or a step failed.
pub async fn apply(cloud: &impl OperatorApi, change_set: &ChangeSet, pause: Duration) -> Result<(), ApplyError> {
    let bucket = &change_set.bucket;
    let unchanged = |reason: String| ApplyError { reason, left: Vec::new() };
    for step in &change_set.steps {
        let state = step.read_state(cloud, bucket).await.map_err(|error| unchanged(error.to_string()))?;
        if state != StepState::Before {
            return Err(unchanged(step.conflict_message()));
        }
    }
    for (number, step) in change_set.steps.iter().enumerate() {
        if let Err(StepError { reason, is_unchanged }) = step.apply(cloud, bucket, pause).await {
            let mut left = Vec::new();
            if !is_unchanged {
                left.extend(roll_back(cloud, bucket, step, StepDone::Maybe, pause).await);
            }
            for done in change_set.steps.iter().take(number).rev() {
                left.extend(roll_back(cloud, bucket, done, StepDone::Yes, pause).await);
            }
            return Err(ApplyError { reason, left });
        }
    }
    Ok(())
}

/// Whether a step was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StepDone {
    Maybe,
    Yes,
}

/// Takes a step back; what is left of it if that fails. What somebody else has written since stays: to write over it would
/// lose more.
async fn roll_back(
    cloud: &impl OperatorApi,
    bucket: &BucketName,
    step: &Step,
    done: StepDone,
    pause: Duration,
) -> Vec<String> {
    let reversed = step.reversed();
    let is_rolled_back = match reversed.read_state(cloud, bucket).await {
        // What was seen to be done and does not show is shown late: it is taken back all the same.
        Ok(StepState::Before) => reversed.write_and_verify(cloud, bucket, pause).await.is_ok(),
        Ok(StepState::After) if done == StepDone::Yes => reversed.write_and_verify(cloud, bucket, pause).await.is_ok(),
        _ => false,
    };
    if is_rolled_back { Vec::new() } else { step.lines().1 }
}
