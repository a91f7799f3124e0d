//! Checks buckets, their distributions, and the function with its queues, and reports each problem with its remedy.

mod bucket;
mod deployment;
mod failures;
mod schedule;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::api::{LastInvalidation, remedy};
use crate::aws::CallError;

pub use self::bucket::check_bucket;
pub use self::deployment::check_deployment;
pub(super) use self::schedule::check_reader;

/// The result of one check.
///
/// In JSON it is `{"ok":true,"state":"…"}`, or `{"ok":false,"state":"…","code":"…","message":"…"}` if there is a
/// problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The state that was found, in a word or two.
    pub state: String,
    /// The problem; `None` if there is none.
    pub problem: Option<Problem>,
}

/// What is wrong, and how to correct it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The kind of the problem, such as `tag-missing`. For a failed call, it is the class of its error, such as
    /// `access-denied`.
    pub code: &'static str,
    /// The problem and its remedy, in one line.
    pub message: String,
}

/// The state of a check that was not made.
const NOT_CHECKED: &str = "not checked";

impl Check {
    fn ok(state: impl Into<String>) -> Self {
        Self { state: state.into(), problem: None }
    }

    fn problem(state: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { state: state.into(), problem: Some(Problem { code, message: message.into() }) }
    }

    fn failed_call(error: &CallError) -> Self {
        Self::problem("unknown", error.class.name(), format!("{error}{}", remedy(error)))
    }

    fn not_checked() -> Self {
        Self::ok(NOT_CHECKED)
    }

    /// Whether there is no problem.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problem.is_none()
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("ok", &self.is_ok())?;
        fields.serialize_entry("state", &self.state)?;
        if let Some(Problem { code, message }) = &self.problem {
            fields.serialize_entry("code", code)?;
            fields.serialize_entry("message", message)?;
        }
        fields.end()
    }
}

/// The status of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketStatus {
    /// The bucket's name.
    pub name: String,
    /// The tag that names its distributions. A bucket of another Region or owner is reported here too.
    pub tag: Check,
    /// How its event notifications reach the function.
    pub events_via: Check,
    /// Whether the destination's policy allows S3 to send them.
    pub policy: Check,
    /// Whether the function can plan an invalidation of an object of the bucket.
    pub dry_run: Check,
    /// The distributions that its tag names.
    pub distributions: Vec<DistributionStatus>,
}

/// The status of a distribution that a bucket's tag names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DistributionStatus {
    /// The distribution's ID.
    pub id: String,
    /// Whether there is such a distribution.
    pub exists: Check,
    /// The origin paths through which it serves the bucket.
    pub origin_path: Check,
    /// Whether the URLs that viewers request are known, with their forms.
    pub urls: Check,
    /// What is no problem but good to know of these URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether its invalidations could be listed.
    #[serde(rename = "invalidationsListed")]
    pub is_listed: bool,
    /// The most recent invalidation; `None` also if they could not be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_invalidation: Option<LastInvalidation>,
}

/// The status of the function and its queues.
///
/// In JSON, `ok` is whether neither the function nor a queue has a problem. The function's own problems are only in the
/// list of all problems that the command prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// The function's ARN.
    pub arn: String,
    /// The version of its package; `None` if its environment variables do not contain it.
    pub version: Option<String>,
    /// Whether something failed in its last invocations.
    pub invocations: Check,
    /// The queues that it reads.
    pub queues: Vec<QueueStatus>,
    /// The dead-letter queues of the function and of its queues.
    pub dead_letter_queues: Vec<QueueStatus>,
    /// The problems of the function itself.
    pub own_problems: Vec<Problem>,
}

impl Serialize for DeploymentStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("arn", &self.arn)?;
        if let Some(version) = &self.version {
            fields.serialize_entry("version", version)?;
        }
        fields.serialize_entry("ok", &self.problems().next().is_none())?;
        fields.serialize_entry("invocations", &self.invocations)?;
        fields.serialize_entry("queues", &self.queues)?;
        fields.serialize_entry("deadLetterQueues", &self.dead_letter_queues)?;
        fields.end()
    }
}

/// The status of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// The queue's name.
    pub name: String,
    /// The queue's ARN.
    pub arn: String,
    /// Whether the function reads it; for a dead-letter queue, whether it is empty.
    pub state: Check,
    /// When it was polled last: a time such as `2026-01-02 03:04 UTC`, or why there is none. `None` if it is not the
    /// queue that the function polls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_poll: Option<Check>,
    /// The approximate number of visible messages.
    pub available: u64,
    /// The approximate number of messages in flight.
    pub in_flight: u64,
}

impl BucketStatus {
    /// All checks, each with the name of its column.
    pub fn checks(&self) -> impl Iterator<Item = (&'static str, &Check)> {
        let own = [
            ("tag", &self.tag),
            ("events via", &self.events_via),
            ("policy", &self.policy),
            ("dry run", &self.dry_run),
        ];
        let each = self
            .distributions
            .iter()
            .flat_map(|it| [("distribution", &it.exists), ("origin path", &it.origin_path), ("URLs", &it.urls)]);
        own.into_iter().chain(each)
    }
}

impl DeploymentStatus {
    /// The problems, each with the name of its queue; `None` for a problem of the function itself.
    pub fn problems(&self) -> impl Iterator<Item = (Option<&str>, &Problem)> {
        let queues = self.queues.iter().chain(&self.dead_letter_queues);
        let checks =
            queues.flat_map(|it| [Some(&it.state), it.last_poll.as_ref()].map(|check| (it.name.as_str(), check)));
        let of_queues = checks.filter_map(|(queue, check)| Some((Some(queue), check?.problem.as_ref()?)));
        let own = self.own_problems.iter().chain(&self.invocations.problem);
        of_queues.chain(own.map(|problem| (None, problem)))
    }
}
