//! What is right and wrong between a bucket and its distributions, and with the function between them.

mod bucket;
mod deployment;

use serde::Serialize;

use super::api::missing_permissions;
use crate::aws::CallError;

pub use self::bucket::check_bucket;
pub use self::deployment::check_deployment;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is, in a word or two.
    pub text: String,
    /// What is wrong with it, and what to do; `None` if nothing is.
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

/// How a bucket stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BucketStatus {
    /// The bucket.
    pub bucket: String,
    /// Its tags.
    pub tag: Check,
    /// Which way its events take.
    pub notification: Check,
    /// Whether they are let in there.
    pub permission: Check,
    /// The distributions that its tag names.
    pub distributions: Vec<DistributionStatus>,
}

/// How a distribution stands to a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DistributionStatus {
    /// Its id, with what is wrong with it.
    pub distribution: Check,
    /// Below which origin path it shows the bucket.
    pub origin: Check,
    /// Whether its invalidations may be listed.
    #[serde(skip)]
    pub is_listed: bool,
    /// The invalidation it got last: when, in seconds since 1970, and how far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_invalidation: Option<(i64, String)>,
}

/// How the function stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// Its ARN.
    pub function: String,
    /// The queues it is called from.
    pub queues: Vec<QueueStatus>,
    /// Where it leaves what fails for good.
    pub dead_letters: Vec<QueueStatus>,
    /// What is wrong with all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
}

/// How a queue stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// Its name.
    pub name: String,
    /// About how many messages wait there.
    pub waiting: u64,
    /// About how many are being handled.
    pub in_flight: u64,
    /// Whether it works as it should.
    pub state: Check,
}

impl BucketStatus {
    /// All that was looked at.
    pub fn checks(&self) -> impl Iterator<Item = (&'static str, &Check)> {
        let own = [("tag", &self.tag), ("notification", &self.notification), ("permission", &self.permission)];
        let each =
            self.distributions.iter().flat_map(|it| [("distribution", &it.distribution), ("origin", &it.origin)]);
        own.into_iter().chain(each)
    }
}

impl DeploymentStatus {
    /// What is wrong, a line each.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let of_queue = |it: &QueueStatus| Some(format!("queue {}: {}", it.name, it.state.remedy.as_ref()?));
        self.queues.iter().chain(&self.dead_letters).filter_map(of_queue).chain(self.remedies.iter().cloned())
    }
}
