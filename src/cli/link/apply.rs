//! Applies a change set step by step, verifies each step, and rolls all of them back if one fails.

use std::fmt;
use std::time::Duration;

use super::api::OperatorApi;
use super::step::{Step, StepError, StepState};
use crate::change::BucketName;

/// The changes to make for a bucket. Without steps, there is nothing to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// The bucket.
    pub bucket: BucketName,
    /// The steps, in the order of their application.
    pub steps: Vec<Step>,
}

/// Why a change set was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ApplyError {
    /// The reason, with the remedy where there is one.
    pub reason: String,
    /// What was, or may have been, written and could not be rolled back, one line per change.
    pub left: Vec<String>,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.left.is_empty() {
            return f.write_str("; no changes remain");
        }
        write!(f, "; the rollback failed, so these changes may remain: {}; run the command again", self.left.join(", "))
    }
}

/// Applies a change set. If a step fails, it and those before it are rolled back. `pause` is the base delay between two
/// reads that verify a write; it grows with each read.
///
/// # Errors
/// [`ApplyError`] if the bucket has changed since the change set was planned, or if a step failed.
pub async fn apply(api: &impl OperatorApi, change_set: &ChangeSet, pause: Duration) -> Result<(), ApplyError> {
    let bucket = &change_set.bucket;
    let unchanged = |reason: String| ApplyError { reason, left: Vec::new() };
    for step in &change_set.steps {
        let state = step.read_state(api, bucket).await.map_err(|error| unchanged(error.to_string()))?;
        if state != StepState::Before {
            return Err(unchanged(step.conflict_message()));
        }
    }
    for (index, step) in change_set.steps.iter().enumerate() {
        if let Err(StepError { reason, is_unchanged }) = step.apply(api, bucket, pause).await {
            let mut left = Vec::new();
            if !is_unchanged {
                left.extend(roll_back(api, bucket, step, StepDone::Maybe, pause).await);
            }
            for applied in change_set.steps.iter().take(index).rev() {
                left.extend(roll_back(api, bucket, applied, StepDone::Yes, pause).await);
            }
            return Err(ApplyError { reason, left });
        }
    }
    Ok(())
}

/// Whether a step was applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StepDone {
    Maybe,
    Yes,
}

/// Rolls a step back. Returns its lines if that fails. What another process or user has written since is kept:
/// overwriting it would lose more.
async fn roll_back(
    api: &impl OperatorApi,
    bucket: &BucketName,
    step: &Step,
    done: StepDone,
    pause: Duration,
) -> Vec<String> {
    let reversed = step.reversed();
    let is_rolled_back = match reversed.read_state(api, bucket).await {
        Ok(StepState::Before | StepState::Partial) => reversed.write_and_verify(api, bucket, pause).await.is_ok(),
        // The step was verified, so this read is taken to be stale: bucket configurations are eventually consistent.
        Ok(StepState::After) if done == StepDone::Yes => reversed.write_and_verify(api, bucket, pause).await.is_ok(),
        _ => false,
    };
    if is_rolled_back { Vec::new() } else { step.lines().1 }
}
