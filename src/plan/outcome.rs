//! The outcome of each change.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// The outcome of a change. Of its outcomes in several distributions the greatest counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It needs no invalidation. Of several reasons the greatest counts.
    Skipped(Arc<SkipReason>),
    /// CloudFront accepted an invalidation that covers it.
    Invalidated,
    /// The function's own queue has accepted it, and delivers it again. The function has no such queue yet.
    Queued,
    /// It is reported to its sender as failed.
    Failed,
}

impl From<SkipReason> for Outcome {
    fn from(reason: SkipReason) -> Self {
        Self::Skipped(Arc::new(reason))
    }
}

/// The outcomes of a batch's changes, by index. A change without an outcome counts as failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes(Vec<Option<Outcome>>);

impl Outcomes {
    /// No outcomes yet, for this number of changes.
    #[must_use]
    pub fn new(changes: usize) -> Self {
        Self(vec![None; changes])
    }

    /// Joins `outcome` to those that these changes already have.
    pub fn join(&mut self, changes: &[usize], outcome: impl Into<Outcome>) {
        // `None`, no outcome yet, is less than any.
        let outcome = Some(outcome.into());
        for &change in changes {
            if let Some(joined) = self.0.get_mut(change)
                && *joined < outcome
            {
                joined.clone_from(&outcome);
            }
        }
    }

    /// Returns the outcome of every change.
    pub fn iter(&self) -> impl Iterator<Item = &Outcome> {
        self.0.iter().map(|outcome| outcome.as_ref().unwrap_or(&Outcome::Failed))
    }

    /// Returns whether any of these changes failed.
    #[must_use]
    pub fn any_failed(&self, changes: Range<usize>) -> bool {
        let outcomes = self.0.get(changes).unwrap_or_default();
        outcomes.iter().any(|outcome| outcome.as_ref().is_none_or(|outcome| *outcome == Outcome::Failed))
    }
}

/// Why a change is skipped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum SkipReason {
    /// The bucket does not have the tag that names a distribution.
    BucketNotTagged {
        /// The bucket.
        bucket: String,
    },
    /// The key is outside every origin path under which the distributions serve the bucket.
    OutsideOriginPath {
        /// The bucket.
        bucket: String,
    },
    /// Requests for the object's URLs go to other origins of the distribution.
    OtherOrigin {
        /// The bucket.
        bucket: String,
    },
    /// The key ends with a suffix that the bucket's tag `invalidation:ignore` names.
    IgnoredSuffix {
        /// The bucket.
        bucket: String,
        /// The suffix.
        suffix: String,
    },
    /// The event does not change an object's content.
    NotAContentChange {
        /// The name of the event.
        event_name: String,
    },
    /// `DRY_RUN` is on.
    DryRun,
    /// The test event that S3 sends when an event notification is configured. It concerns no object.
    TestEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_outcome_of_a_change_counts() {
        let outside = || SkipReason::OutsideOriginPath { bucket: "site".into() };
        let other = || SkipReason::OtherOrigin { bucket: "site".into() };
        let mut outcomes = Outcomes::new(5);
        outcomes.join(&[0, 1, 2, 3], other());
        outcomes.join(&[0, 1, 2, 3], outside());
        outcomes.join(&[1, 2, 3], Outcome::Invalidated);
        outcomes.join(&[2, 3], Outcome::Queued);
        outcomes.join(&[3], Outcome::Failed);
        outcomes.join(&[3], Outcome::Invalidated);
        outcomes.join(&[99], Outcome::Invalidated);
        let expected = [other().into(), Outcome::Invalidated, Outcome::Queued, Outcome::Failed, Outcome::Failed];
        assert!(outcomes.iter().eq(&expected), "{outcomes:?}");
        assert!(outcomes.any_failed(2..4) && !outcomes.any_failed(0..3) && !outcomes.any_failed(3..3));
    }
}
