//! Makes a difference real, step by step, each read again after it; and takes it back if one of them fails.

use std::fmt;
use std::time::Duration;

use super::api::Cloud;
use super::step::{Failed, State, Step};
use crate::change::BucketName;

/// What is to be changed of a bucket; without steps it is all as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
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
pub async fn apply(cloud: &impl Cloud, difference: &Difference, pause: Duration) -> Result<(), ApplyError> {
    let bucket = &difference.bucket;
    let untouched = |reason: String| ApplyError { reason, left: Vec::new() };
    for step in &difference.steps {
        let state = step.look(cloud, bucket).await.map_err(|error| untouched(error.to_string()))?;
        if state != State::Before {
            return Err(untouched(step.changed_meanwhile()));
        }
    }
    for (number, step) in difference.steps.iter().enumerate() {
        if let Err(Failed { reason, is_untouched }) = step.take(cloud, bucket, pause).await {
            let mut left = Vec::new();
            if !is_untouched {
                left.extend(take_back(cloud, bucket, step, Done::Perhaps, pause).await);
            }
            for done in difference.steps.iter().take(number).rev() {
                left.extend(take_back(cloud, bucket, done, Done::Surely, pause).await);
            }
            return Err(ApplyError { reason, left });
        }
    }
    Ok(())
}

/// Whether a step was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Perhaps,
    Surely,
}

/// Takes a step back; what is left of it if that fails. What somebody else has written since stays: to write over it would
/// lose more.
async fn take_back(cloud: &impl Cloud, bucket: &BucketName, step: &Step, done: Done, pause: Duration) -> Vec<String> {
    let back = step.reversed();
    let is_back = match back.look(cloud, bucket).await {
        // What was seen to be done and does not show is shown late: it is taken back all the same.
        Ok(State::Before) => back.write_and_look(cloud, bucket, pause).await.is_ok(),
        Ok(State::After) if done == Done::Surely => back.write_and_look(cloud, bucket, pause).await.is_ok(),
        _ => false,
    };
    if is_back { Vec::new() } else { step.lines().1 }
}
