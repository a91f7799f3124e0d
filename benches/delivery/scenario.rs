//! A deploy in real time: objects are uploaded, S3 notifies the queue or the function, and a schedule polls the queue.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use s3_cloudfront_invalidator::change::Timestamp;
use s3_cloudfront_invalidator::local::{CREATE_INVALIDATION_INTERVAL, FakeAws, Quota};
use serde_json::json;

use super::Result;
use super::lambda::Function;
use super::site::{self, DEAD_LETTER_QUEUE, QUEUE};
use super::table::Row;

/// The interval of the schedule, the template's default.
pub(super) const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// How long to wait for what is not done. Longer than any bound, so that a miss shows by how much.
const TIME_LIMIT: Duration = Duration::from_mins(8);

/// How often the scenario looks whether an upload or a poll is due.
const STEP: Duration = Duration::from_millis(10);

/// What S3 notifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notified {
    Queue,
    Function,
}

/// When the first object is uploaded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// Right after a poll found the queue empty. For a deploy at once that is the worst time: it waits longest.
    AfterIdlePoll,
    /// So long after a poll became due.
    AfterTick(Duration),
}

/// A deploy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) files: usize,
    /// The uploads are spread evenly over this time.
    pub(super) upload_time: Duration,
    pub(super) start: Start,
    pub(super) notified: Notified,
    /// The most invocations at a time.
    pub(super) concurrency: usize,
    pub(super) quota: Quota,
    pub(super) throttle: Option<Duration>,
}

/// What was measured.
pub(super) struct Measured {
    pub(super) row: Row,
    /// The events and messages in dead-letter queues.
    pub(super) dead: usize,
    /// The number of processes.
    pub(super) environments: usize,
}

impl Scenario {
    /// Changes that are gathered in the queue, uploaded at once at the worst time. CloudFront accepts a request in two
    /// seconds.
    pub(super) const fn polled(files: usize) -> Self {
        Self {
            files,
            upload_time: Duration::ZERO,
            start: Start::AfterIdlePoll,
            notified: Notified::Queue,
            // A poll can still be running when the next one is due.
            concurrency: 2,
            quota: Quota::InProgress,
            throttle: Some(CREATE_INVALIDATION_INTERVAL),
        }
    }

    /// Changes that S3 sends to the function, 500 a second.
    pub(super) fn direct(files: usize, concurrency: usize) -> Self {
        let upload_time = Duration::from_secs_f64(files as f64 / super::UPLOADS_PER_SECOND);
        Self { upload_time, notified: Notified::Function, concurrency, ..Self::polled(files) }
    }

    /// Runs the deploy until everything is done, and measures it.
    pub(super) async fn run(self, program: &Path, label: &str) -> Result<Measured> {
        let aws = Arc::new(FakeAws::start(site::state(self.files, self.quota, self.throttle)).await?);
        let function = Function::new(program, &aws, self.concurrency);
        // Written before, so that writing them takes no time of the upload.
        let mut events: Vec<_> = (0..self.files).map(|page| Some(site::event(page))).collect();
        let mut uploads = Vec::with_capacity(self.files);
        let first_tick = Instant::now();
        let (mut ticks, mut upload_start) = (0, None);
        loop {
            let now = Instant::now();
            if now >= first_tick + POLL_INTERVAL * ticks {
                function.send(poll()?);
                ticks += 1;
            }
            if upload_start.is_none() {
                upload_start = match self.start {
                    Start::AfterIdlePoll => function.is_idle().then_some(now),
                    Start::AfterTick(time) => (now >= first_tick + time).then_some(now),
                };
                if upload_start.is_some() {
                    // What the poll of the empty queue took is no part of the deploy.
                    function.take_figures()?;
                }
            }
            if let Some(start) = upload_start {
                let is_due = |page: usize| now >= start + self.upload_time.mul_f64(page as f64 / self.files as f64);
                while uploads.len() < self.files && is_due(uploads.len()) {
                    let event = events.get_mut(uploads.len()).and_then(Option::take).unwrap_or_default();
                    uploads.push(Instant::now());
                    match self.notified {
                        Notified::Function => function.send(event),
                        Notified::Queue => aws.with(|state| {
                            state.queues.entry(QUEUE.into()).or_default().send(event);
                        }),
                    }
                }
                let is_uploaded = uploads.len() == self.files;
                if is_uploaded && function.is_idle() && aws.with(|state| state.queues[QUEUE].is_empty())
                    || now > start + self.upload_time + TIME_LIMIT
                {
                    break;
                }
            }
            tokio::time::sleep(STEP).await;
        }
        self.measured(&aws, &function, &uploads, label)
    }

    fn measured(self, aws: &FakeAws, function: &Function, uploads: &[Instant], label: &str) -> Result<Measured> {
        let figures = function.take_figures()?;
        let accepted = aws.accepted_invalidations();
        if let Some(it) = accepted.iter().find(|it| !it.ineffective.is_empty()) {
            return Err(format!("CloudFront accepted paths that match nothing: {:?}", it.ineffective).into());
        }
        let fresh_at = site::fresh_at(uploads, &accepted);
        let last_upload = uploads.last().copied().ok_or("no upload")?;
        let paths: Vec<_> = accepted.iter().flat_map(|it| &it.paths).collect();
        let invalidated = fresh_at.iter().flatten().count();
        let row = Row {
            label: label.to_owned(),
            is_measured: true,
            plans: figures.plans,
            requests: aws.calls("CreateInvalidation").len(),
            accepted: accepted.len(),
            paths: paths.len(),
            wildcards: Some(paths.iter().filter(|path| path.ends_with('*')).count()),
            invalidated,
            queued: usize::try_from(figures.queued)?,
            never: self.files - invalidated,
            evicted: Some(site::evicted(self.files, &accepted)),
            seconds: fresh_at.iter().flatten().max().map_or(0.0, |last| (*last - last_upload).as_secs_f64()),
            function_seconds: figures.function_time.as_secs_f64(),
            memory: Some(function.peak_memory()?),
        };
        let dead = figures.dead + aws.with(|state| state.queues[DEAD_LETTER_QUEUE].len());
        Ok(Measured { row, dead, environments: function.environments() })
    }
}

/// The event of the schedule, due now.
pub(super) fn poll() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let scheduled = Timestamp::new(u64::try_from(now)?).ok_or("the clock is wrong")?;
    let minutes = POLL_INTERVAL.as_secs() / 60;
    let poll = json!({ "pollQueue": true, "scheduledTime": scheduled.to_string(), "intervalMinutes": minutes });
    Ok(poll.to_string())
}
