//! Jobs of pipelines: each is given one result, or its invocation fails.

use fastrand::Rng;
use s3_cloudfront_invalidator::local::events::job;
use s3_cloudfront_invalidator::local::{PutResult, State};
use serde_json::json;

use crate::play::{Cause, Play};
use crate::queues::InvalidationRef;
use crate::resources::Resources;

/// What a job asks for.
pub(crate) struct Task {
    /// Without faults and with them: a function rightly takes what it knows the id of for the same work.
    jobs: [String; 2],
    /// The bucket that it names, if it does not name a distribution.
    bucket: Option<usize>,
    /// The distributions that it is for.
    ids: Vec<String>,
    /// The directory below which it has everything invalidated, and a file of its own.
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

    /// The event, which CodePipeline hands to Lambda's queue.
    pub(crate) fn event(&self, request: String, resources: &Resources, number: usize) -> InvalidationRef {
        let items = [format!("{}/*", self.directory), format!("{}.html", self.directory)];
        let parameters = match self.bucket {
            Some(bucket) => json!({ "bucket": resources.buckets[bucket].name, "items": items }),
            None => json!({ "distributionId": self.ids[0], "items": items }),
        };
        let mut waiting =
            InvalidationRef::new(request, job(&self.jobs[0], Some(&parameters.to_string()), None), Vec::new());
        waiting.job = Some(number);
        waiting
    }

    /// Begins to wait for a result.
    pub(crate) fn begin(&self, state: &mut State) {
        for job in &self.jobs {
            state.jobs.entry(job.clone()).or_default();
        }
    }

    /// The event as it is with faults.
    pub(crate) fn with_faults(&self, body: &str) -> String {
        body.replace(&self.jobs[0], &self.jobs[1])
    }

    /// What it needs of AWS, by name.
    pub(crate) fn names<'t>(&'t self, resources: &'t Resources) -> impl Iterator<Item = &'t str> {
        let bucket = self.bucket.map(|bucket| resources.buckets[bucket].name.as_str());
        self.ids.iter().map(String::as_str).chain(bucket).chain(self.jobs.iter().map(String::as_str))
    }

    /// Whether it cannot succeed.
    fn is_hopeless(&self, resources: &Resources) -> bool {
        self.ids.is_empty() || self.bucket.is_some_and(|bucket| resources.buckets[bucket].is_bad())
    }
}

impl Play<'_, '_> {
    /// Where the invocation succeeds, the job has one result, which is true. Says whether it is a success.
    pub(crate) fn check_job(&mut self, event: &InvalidationRef, number: usize, cause: Cause) -> bool {
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
