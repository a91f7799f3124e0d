//! How an invocation's time is shared out: every deadline, and the limits of each attempt.

use tokio::time::{Duration, Instant};

use crate::lookup::CallLimits;
use crate::send::SendDeadlines;

/// The lookup of bucket tags may take the time until the deadline divided by this; the lookup of distribution configs
/// after it, the time until the answer divided by this. A lookup that hangs must not keep the other changes from being
/// sent.
const LOOKUP_DIVISOR: u32 = 3;

/// Listing buckets may take the time that then remains until the answer divided by this, at most `MAX_LISTING_TIME`.
/// Listing only saves paths and evictions, so it must not take the time needed to send.
const LISTING_DIVISOR: u32 = 4;
const MAX_LISTING_TIME: Duration = Duration::from_secs(10);

/// The time reserved at the end of the invocation for its answer.
const ANSWER_RESERVE: Duration = Duration::from_secs(2);
/// The time reserved before that for the response to the last attempt to send.
const LAST_ATTEMPT_RESERVE: Duration = Duration::from_secs(1);
/// Each reserve is at most the remaining time divided by this.
const RESERVE_DIVISOR: u32 = 4;

/// The time reserved at the end of the invocation for putting the result of a job: the remaining time divided by
/// `RESULT_DIVISOR`, at most `RESULT_TIME`.
const RESULT_DIVISOR: u32 = 3;
const RESULT_TIME: Duration = Duration::from_secs(10);

/// The time reserved after that for the answer to Lambda, in the same way.
const JOB_ANSWER_DIVISOR: u32 = 10;
const JOB_ANSWER_TIME: Duration = Duration::from_millis(500);

/// The last retry of a request to send starts this long before the end of retries.
const LAST_RETRY_MARGIN: Duration = Duration::from_millis(50);

/// If there are too many invalidations in progress once the time for retries divided by this has passed, fewer
/// wildcards are sent.
const ONE_WILDCARD_DIVISOR: u32 = 2;

/// Reading the progress of a job's invalidations may take the remaining time divided by this.
const PROGRESS_DIVISOR: u32 = 2;

/// The interval between two `GetInvalidation` polls of the same invalidations.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The time to answer if the deadline is in the past: Lambda's default timeout. Some tools that imitate Lambda send a
/// deadline in 1970.
pub(super) const UNKNOWN_TIME_LEFT: Duration = Duration::from_secs(3);

/// The longest time to establish a connection. An endpoint in the same Region answers within milliseconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest time for one attempt of a call, including connecting and reading. Most callers set a shorter timeout
/// that suits the operation and the remaining time; this one applies to the others.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of lookups. S3 and CloudFront usually answer them well within a second. `backoff` is the longest delay
/// before the first retry of `CreateInvalidation`; the request rates of other operations are higher, so their errors
/// pass sooner.
pub(super) fn lookup_limits(backoff: Duration) -> CallLimits {
    CallLimits {
        attempts: 4,
        first_delay: backoff / 10,
        max_delay: Duration::from_secs(20),
        attempt_divisor: 2,
        min_attempt_time: Duration::from_secs(1),
        max_attempt_time: Duration::from_secs(3),
        max_hold: Duration::from_secs(1),
        hold_divisor: 4,
    }
}

/// The limits of listing a page of keys.
pub(super) fn listing_limits(backoff: Duration) -> CallLimits {
    CallLimits { attempts: 3, attempt_divisor: 1, min_attempt_time: Duration::ZERO, ..lookup_limits(backoff) }
}

/// The limits of `CreateInvalidation`, which takes up to a few seconds and is attempted until the deadline. One that
/// takes longer is better repeated: with the same caller reference it is the same invalidation.
#[must_use]
pub fn send_limits(backoff: Duration) -> CallLimits {
    let max_attempt_time = Duration::from_secs(5);
    CallLimits { attempts: u32::MAX, first_delay: backoff, max_attempt_time, ..lookup_limits(backoff) }
}

/// The limits of putting the result of a job, which is attempted until the deadline. Putting a result twice is safe:
/// CodePipeline accepts it once.
pub(super) fn job_result_limits() -> CallLimits {
    let limits = lookup_limits(Duration::ZERO);
    let first_delay = Duration::from_millis(200);
    CallLimits { attempts: u32::MAX, first_delay, attempt_divisor: 3, min_attempt_time: Duration::ZERO, ..limits }
}

/// What is known of an invocation besides its event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The request ID. It is the same on each of Lambda's own retries, so it identifies the delivery of a direct event.
    pub request_id: String,
    /// The ARN by which the function was invoked.
    pub function_arn: String,
    /// When the invocation times out.
    pub deadline: Instant,
}

impl Invocation {
    /// The deadline for looking up bucket tags.
    pub(super) fn tags_deadline(&self) -> Instant {
        in_part_of(self.deadline, LOOKUP_DIVISOR, Duration::MAX)
    }

    /// The deadlines for sending. `retries` limits how long failed requests are retried, from now on, so that it
    /// includes the steps before sending; `None` sets no limit of its own.
    pub(super) fn send_deadlines(&self, retries: Option<Duration>) -> SendDeadlines {
        let answers = self.before_end(ANSWER_RESERVE, RESERVE_DIVISOR);
        let attempts = answers.checked_sub(self.reserve(LAST_ATTEMPT_RESERVE, RESERVE_DIVISOR)).unwrap_or(answers);
        let retries = retries.map_or(attempts, |retries| attempts.min(Instant::now() + retries));
        let last_retry = retries.checked_sub(LAST_RETRY_MARGIN).unwrap_or(retries);
        let one_wildcard_from = in_part_of(retries, ONE_WILDCARD_DIVISOR, Duration::MAX);
        SendDeadlines { retries, last_retry, one_wildcard_from, attempts, answers }
    }

    /// The deadline for executing a job.
    pub(super) fn job_deadline(&self) -> Instant {
        self.before_end(RESULT_TIME, RESULT_DIVISOR)
    }

    /// The deadline for reading the progress of a job's invalidations. It is earlier than that of the whole execution:
    /// a status that is late then counts as in progress, and the job is continued instead of failed.
    pub(super) fn progress_deadline(&self) -> Instant {
        in_part_of(self.deadline, PROGRESS_DIVISOR, Duration::MAX)
    }

    /// The deadline for putting the result of a job.
    pub(super) fn job_result_deadline(&self) -> Instant {
        self.before_end(JOB_ANSWER_TIME, JOB_ANSWER_DIVISOR)
    }

    /// The deadline for waiting until invalidations are completed.
    pub(super) fn wait_deadline(&self, wait: Duration) -> Instant {
        self.deadline.checked_sub(ANSWER_RESERVE).unwrap_or_else(Instant::now).min(Instant::now() + wait)
    }

    /// The deadline, earlier by a reserve.
    fn before_end(&self, reserve: Duration, divisor: u32) -> Instant {
        self.deadline.checked_sub(self.reserve(reserve, divisor)).unwrap_or_else(Instant::now)
    }

    /// A reserve: `most`, or the remaining time divided by `divisor` if that is less.
    fn reserve(&self, most: Duration, divisor: u32) -> Duration {
        most.min(self.deadline.saturating_duration_since(Instant::now()) / divisor)
    }
}

/// The deadline for looking up distribution configs.
pub(super) fn configs_deadline(send: SendDeadlines) -> Instant {
    in_part_of(send.answers, LOOKUP_DIVISOR, Duration::MAX)
}

/// The deadline for listing keys.
pub(super) fn listing_deadline(send: SendDeadlines) -> Instant {
    in_part_of(send.answers, LISTING_DIVISOR, MAX_LISTING_TIME)
}

/// The end of a part of the time until `deadline`: of that time divided by `divisor`, and of at most `most`.
fn in_part_of(deadline: Instant, divisor: u32, most: Duration) -> Instant {
    let now = Instant::now();
    now + (deadline.saturating_duration_since(now) / divisor).min(most)
}
