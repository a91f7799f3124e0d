//! CodePipeline jobs: each gets exactly one result, or its invocation fails.

use fastrand::Rng;
use s3_cloudfront_invalidator::local::events::job;
use s3_cloudfront_invalidator::local::{PutResult, State};
use serde_json::json;

use crate::play::{Cause, Play};
use crate::queues::PendingDelivery;
use crate::resources::Resources;

/// A CodePipeline job and what it requests.
pub(crate) struct Task {
    /// The job's IDs in the run without faults and in the run with them. The function would take an ID that it has seen
    /// for the same work.
    jobs: [String; 2],
    /// The index of the bucket that the job names; `None` if it names a distribution.
    bucket: Option<usize>,
    /// The distributions to invalidate.
    ids: Vec<String>,
    /// The path of a directory, below which everything is invalidated. The file of that name with `.html` appended is
    /// invalidated too.
    directory: String,
}

impl Task {
    pub(crate) fn draw(rng: &mut Rng, resources: &Resources, seed: u64, number: usize) -> Self {
        let jobs = ["4000", "4001"].map(|part| format!("{:08x}-0000-{part}-8000-{number:012x}", seed & 0xffff_ffff));
        let bucket = rng.bool().then(|| rng.usize(0..resources.buckets.len()));
        let ids = match bucket {
            Some(bucket) => resources.buckets[bucket].ids.clone(),
            None => rng.choice(&resources.distributions).cloned().into_iter().collect(),
        };
        Self { jobs, bucket, ids, directory: format!("/job-{number}") }
    }

    /// The job's event, which CodePipeline hands to Lambda's asynchronous queue.
    pub(crate) fn event(&self, request: String, resources: &Resources, number: usize) -> PendingDelivery {
        let items = [format!("{}/*", self.directory), format!("{}.html", self.directory)];
        let parameters = match self.bucket {
            Some(bucket) => json!({ "bucket": resources.buckets[bucket].name, "items": items }),
            None => json!({ "distributionId": self.ids[0], "items": items }),
        };
        let mut waiting =
            PendingDelivery::new(request, job(&self.jobs[0], Some(&parameters.to_string()), None), Vec::new());
        waiting.job = Some(number);
        waiting
    }

    /// Registers the job with the fake AWS, under both IDs, as waiting for its result.
    pub(crate) fn begin(&self, state: &mut State) {
        for job in &self.jobs {
            state.jobs.entry(job.clone()).or_default();
        }
    }

    /// The event's body for the run with faults.
    pub(crate) fn with_faults(&self, body: &str) -> String {
        body.replace(&self.jobs[0], &self.jobs[1])
    }

    /// The names of the AWS resources that the job depends on.
    pub(crate) fn names<'t>(&'t self, resources: &'t Resources) -> impl Iterator<Item = &'t str> {
        let bucket = self.bucket.map(|bucket| resources.buckets[bucket].name.as_str());
        self.ids.iter().map(String::as_str).chain(bucket).chain(self.jobs.iter().map(String::as_str))
    }

    /// Whether the job must fail: it has no distribution, or its bucket has a defect.
    fn is_hopeless(&self, resources: &Resources) -> bool {
        self.ids.is_empty() || self.bucket.is_some_and(|bucket| resources.buckets[bucket].is_bad())
    }
}

impl Play<'_, '_> {
    /// Checks that the job of a successful invocation has exactly one result, and that the result is justified. Returns
    /// whether it is a success.
    pub(crate) fn check_job(&mut self, event: &PendingDelivery, number: usize, cause: Cause) -> bool {
        let task = &self.plan.jobs[number];
        let job = &task.jobs[usize::from(self.faults.is_some())];
        let resources = &self.plan.resources;
        let (file, below) = (format!("{}.html", task.directory), format!("{}/*", task.directory));
        let (results, invalidated) = self.lane.aws.with(|state| {
            let has = |id: &String| {
                let mut all = state.distributions[id].invalidations.iter();
                all.any(|it| [&file, &below].iter().all(|item| it.paths.contains(*item)))
            };
            (state.jobs[job].results.clone(), task.ids.iter().all(has))
        });
        let excused = task.is_hopeless(resources) || event.tries > 0 || cause.provoked || cause.disturbed;
        let is_true = match &results[..] {
            [PutResult::Success { .. }] => !task.is_hopeless(resources) && invalidated,
            [PutResult::Failure { .. }] => excused,
            _ => false,
        };
        if !is_true {
            let name = &event.id;
            self.found.push(format!("{name}: the invocation succeeded; its job {job} has {results:?}"));
        }
        matches!(&results[..], [PutResult::Success { .. }])
    }
}
