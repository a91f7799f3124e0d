//! Checks buckets, their distributions, and the function with its queues, and reports each problem with its remedy.

mod bucket;
mod deployment;

use serde::Serialize;

use super::api::missing_permissions;
use crate::aws::CallError;

pub use self::bucket::check_bucket;
pub use self::deployment::check_deployment;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The state that was found, in a word or two.
    pub text: String,
    /// The problem and its remedy; `None` if there is no problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn ok(text: impl Into<String>) -> Self {
        Self { text: text.into(), remedy: None }
    }

    fn problem(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { text: text.into(), remedy: Some(remedy.into()) }
    }

    fn unknown(error: &CallError) -> Self {
        Self::problem("unknown", format!("{error}{}", missing_permissions(error)))
    }
}

/// The status of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BucketStatus {
    /// The bucket's name.
    pub bucket: String,
    /// The tag that names its distributions; a wrong Region or owner is reported here too.
    pub tag: Check,
    /// How its events reach the function.
    pub notification: Check,
    /// Whether the destination's policy allows them.
    pub permission: Check,
    /// The distributions that its tag names.
    pub distributions: Vec<DistributionStatus>,
}

/// The status of a distribution that a bucket's tag names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DistributionStatus {
    /// The distribution's id; a problem if there is no such distribution.
    pub distribution: Check,
    /// The origin paths through which it serves the bucket.
    pub origin: Check,
    /// Whether its invalidations could be listed.
    #[serde(skip)]
    pub is_listed: bool,
    /// The most recent invalidation: its creation time, in seconds since the Unix epoch, and its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_invalidation: Option<(i64, String)>,
}

/// The status of the function and its queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// The function's ARN.
    pub function: String,
    /// The queues that it reads.
    pub queues: Vec<QueueStatus>,
    /// The dead-letter queues of the function and of its queues.
    pub dead_letters: Vec<QueueStatus>,
    /// The problems of the function itself, each with its remedy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
}

/// The status of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// The queue's name.
    pub name: String,
    /// The approximate number of visible messages.
    pub waiting: u64,
    /// The approximate number of messages in flight.
    pub in_flight: u64,
    /// Whether the function reads it; for a dead-letter queue, whether it is empty.
    pub state: Check,
}

impl BucketStatus {
    /// All checks, each with its name.
    pub fn checks(&self) -> impl Iterator<Item = (&'static str, &Check)> {
        let own = [("tag", &self.tag), ("notification", &self.notification), ("permission", &self.permission)];
        let each =
            self.distributions.iter().flat_map(|it| [("distribution", &it.distribution), ("origin", &it.origin)]);
        own.into_iter().chain(each)
    }
}

impl DeploymentStatus {
    /// The problems with their remedies, one line each.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let of_queue = |it: &QueueStatus| Some(format!("queue {}: {}", it.name, it.state.remedy.as_ref()?));
        self.queues.iter().chain(&self.dead_letters).filter_map(of_queue).chain(self.remedies.iter().cloned())
    }
}
