//! CodePipeline jobs: each gets exactly one result, or its invocation fails.

use fastrand::Rng;
use s3_cloudfront_invalidator::local::events::job;
use s3_cloudfront_invalidator::local::{PutResult, State};
use serde_json::json;

use crate::queues::PendingDelivery;
use crate::resources::Resources;
use crate::run::{FailureCauses, ScenarioRun};

/// A CodePipeline job and what it requests.
pub(crate) struct PlannedJob {
    /// The job's IDs in the run without faults and in the run with them. The function would treat an ID that it has
    /// seen as a redelivery of the same job.
    job_ids: [String; 2],
    /// The index of the bucket that the job names; `None` if it names a distribution.
    bucket: Option<usize>,
    /// The distributions to invalidate.
    distribution_ids: Vec<String>,
    /// The path of a directory, below which everything is invalidated. The file of that name with `.html` appended is
    /// invalidated too.
    directory: String,
}

impl PlannedJob {
    pub(crate) fn random(rng: &mut Rng, resources: &Resources, seed: u64, index: usize) -> Self {
        let job_ids = ["4000", "4001"].map(|part| format!("{:08x}-0000-{part}-8000-{index:012x}", seed & 0xffff_ffff));
        let bucket = rng.bool().then(|| rng.usize(0..resources.buckets.len()));
        let distribution_ids = match bucket {
            Some(bucket) => resources.buckets[bucket].distribution_ids.clone(),
            None => rng.choice(&resources.distributions).cloned().into_iter().collect(),
        };
        Self { job_ids, bucket, distribution_ids, directory: format!("/job-{index}") }
    }

    /// The job's event, which CodePipeline hands to Lambda's asynchronous queue.
    pub(crate) fn event(&self, request_id: String, resources: &Resources, index: usize) -> PendingDelivery {
        let paths = [format!("{}/*", self.directory), format!("{}.html", self.directory)];
        let parameters = match self.bucket {
            Some(bucket) => json!({ "bucket": resources.buckets[bucket].name, "items": paths }),
            None => json!({ "distributionId": self.distribution_ids[0], "items": paths }),
        };
        let mut delivery =
            PendingDelivery::new(request_id, job(&self.job_ids[0], Some(&parameters.to_string()), None), Vec::new());
        delivery.job = Some(index);
        delivery
    }

    /// Registers the job with the fake AWS, under both IDs, as waiting for its result.
    pub(crate) fn register(&self, state: &mut State) {
        for job_id in &self.job_ids {
            state.jobs.entry(job_id.clone()).or_default();
        }
    }

    /// The event's body for the run with faults.
    pub(crate) fn body_with_faults(&self, body: &str) -> String {
        body.replace(&self.job_ids[0], &self.job_ids[1])
    }

    /// The names of the AWS resources that the job depends on.
    pub(crate) fn resource_names<'t>(&'t self, resources: &'t Resources) -> impl Iterator<Item = &'t str> {
        let bucket = self.bucket.map(|bucket| resources.buckets[bucket].name.as_str());
        self.distribution_ids.iter().map(String::as_str).chain(bucket).chain(self.job_ids.iter().map(String::as_str))
    }

    /// Whether the job must fail: it has no distribution, or its bucket has a defect.
    fn must_fail(&self, resources: &Resources) -> bool {
        self.distribution_ids.is_empty() || self.bucket.is_some_and(|bucket| resources.buckets[bucket].has_defect())
    }
}

impl ScenarioRun<'_, '_> {
    /// Checks that the job of a successful invocation has exactly one result, and that the result is justified. Returns
    /// whether it is a success.
    pub(crate) fn check_job(&mut self, event: &PendingDelivery, index: usize, causes: FailureCauses) -> bool {
        let planned_job = &self.plan.jobs[index];
        let job_id = &planned_job.job_ids[usize::from(self.faults.is_some())];
        let resources = &self.plan.resources;
        let (file_path, wildcard) = (format!("{}.html", planned_job.directory), format!("{}/*", planned_job.directory));
        let (results, invalidated) = self.worker.aws.with(|state| {
            // After three refusals the paths are sent in several invalidations.
            let has_paths = |id: &String| {
                let invalidations = &state.distributions[id].invalidations;
                [&file_path, &wildcard].iter().all(|path| invalidations.iter().any(|it| it.paths.contains(*path)))
            };
            (state.jobs[job_id].results.clone(), planned_job.distribution_ids.iter().all(has_paths))
        });
        let failure_expected = planned_job.must_fail(resources)
            || event.failed_attempts > 0
            || causes.call_fault_occurred
            || causes.process_fault_applied;
        let is_correct = match &results[..] {
            [PutResult::Success { .. }] => !planned_job.must_fail(resources) && invalidated,
            [PutResult::Failure { .. }] => failure_expected,
            _ => false,
        };
        if !is_correct {
            let event_id = &event.id;
            self.violations
                .push(format!("{event_id}: the invocation succeeded, but job {job_id} has the results {results:?}"));
        }
        matches!(&results[..], [PutResult::Success { .. }])
    }
}
