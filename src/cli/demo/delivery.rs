//! Sends the function the events of a deploy: through its queue, or one by one.

use anyhow::bail;
use serde::Deserialize;

use super::site::{BUCKET, QUEUE, Site};
use crate::local::events::{notification, record};
use crate::local::{FakeAws, FakeQueue, InvocationOutcome, Invoke, Lambda};

/// The fake AWS and the function that receives the events.
pub(super) struct Deliveries<'a> {
    aws: &'a FakeAws,
    lambda: &'a Lambda,
    /// How often the function was invoked.
    invocations: usize,
}

/// What became of the events of a deploy.
pub(super) struct Delivered {
    pub(super) invocations: usize,
    /// The paths of each invalidation that CloudFront accepted.
    pub(super) invalidations: Vec<Vec<String>>,
}

/// Whether the function could do everything, according to its report.
#[derive(Deserialize)]
struct Outcome {
    ok: bool,
}

impl<'a> Deliveries<'a> {
    pub(super) fn new(aws: &'a FakeAws, lambda: &'a Lambda) -> Self {
        Self { aws, lambda, invocations: 0 }
    }

    /// S3 sends the events to the queue. Then the schedule invokes the function until the queue is empty.
    pub(super) async fn through_queue(&mut self, events: &[String]) -> anyhow::Result<Delivered> {
        self.aws.with(|state| {
            let queue = state.queues.entry(QUEUE.to_owned()).or_default();
            for event in events {
                queue.send(event);
            }
        });
        let (before, accepted) = (self.invocations, self.aws.accepted_invalidations().len());
        loop {
            let left = self.in_queue();
            if left == 0 {
                return Ok(self.since(before, accepted));
            }
            self.invoke(r#"{"pollQueue":true}"#.to_owned()).await?;
            if self.in_queue() == left {
                bail!("a poll left all {left} messages in the queue");
            }
        }
    }

    /// S3 invokes the function with each event.
    pub(super) async fn one_by_one(&mut self, events: &[String]) -> anyhow::Result<Delivered> {
        let (before, accepted) = (self.invocations, self.aws.accepted_invalidations().len());
        for event in events {
            self.invoke(event.clone()).await?;
        }
        Ok(self.since(before, accepted))
    }

    async fn invoke(&mut self, event: String) -> anyhow::Result<()> {
        self.invocations += 1;
        let request_id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        match self.lambda.invoke(event, Invoke::new(request_id)).await {
            InvocationOutcome::Response(body) if serde_json::from_slice::<Outcome>(&body)?.ok => Ok(()),
            InvocationOutcome::Response(body) => {
                bail!("the function reported failed changes: {}", String::from_utf8_lossy(&body))
            }
            InvocationOutcome::Error { error_type, message } => {
                bail!("the function failed with {error_type}: {message}")
            }
            InvocationOutcome::TimedOut => bail!("the function timed out"),
        }
    }

    fn in_queue(&self) -> usize {
        self.aws.with(|state| state.queues.get(QUEUE).map_or(0, FakeQueue::len))
    }

    fn since(&self, invocations: usize, accepted: usize) -> Delivered {
        let invalidations = self.aws.accepted_invalidations().into_iter().skip(accepted);
        Delivered {
            invocations: self.invocations - invocations,
            invalidations: invalidations.map(|it| it.paths).collect(),
        }
    }
}

/// The events of a deploy: one for each changed object, as S3 usually sends them.
pub(super) fn events(site: &Site) -> Vec<String> {
    let event = |key| {
        let name = if site.keys.contains(key) { "ObjectCreated:Put" } else { "ObjectRemoved:Delete" };
        notification(&[record(name, BUCKET, key.as_str())])
    };
    site.changed.iter().map(event).collect()
}
