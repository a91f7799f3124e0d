//! How an invocation's time is shared out: every deadline, and the limits of each attempt.

use tokio::time::{Duration, Instant};

use crate::aws::MAX_BATCH;
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

/// In the last part of the time for retries, the time divided by this, a refused invalidation of messages that were
/// received before is sent with fewer wildcards.
const FEWER_WILDCARDS_DIVISOR: u32 = 3;

/// The interval between two parts of an invalidation: the backoff divided by this, and a little more, since requests take
/// different times. With the default backoff of 2 s that is CloudFront's rate in the readings of 2026, one wildcard a
/// second.
const PART_INTERVAL_DIVISOR: u32 = 2;
const PART_INTERVAL_MARGIN: Duration = Duration::from_millis(50);
/// How long what was learned from refusals holds: that one is enough to send an invalidation in parts, and the interval
/// between requests.
pub(super) const LEARNED_TIME: Duration = Duration::from_mins(10);

/// Reading the progress of a job's invalidations may take the remaining time divided by this.
const PROGRESS_DIVISOR: u32 = 2;

/// A poll of the queue begins with one receive, whose wait is long enough to ask all servers of the queue, and short
/// enough for an empty queue to cost next to nothing.
pub(super) const FIRST_RECEIVE_WAIT: Duration = Duration::from_secs(1);
/// If there are messages, this many receives are made at a time, each with this wait, until all of them are empty: the
/// time without a change after which a deploy counts as ended.
pub(super) const RECEIVERS: usize = 4;
const RECEIVE_WAIT: Duration = Duration::from_secs(3);
/// No receive waits longer than until this much of the invocation has passed: the rest is needed to look up, send and
/// delete.
const MAX_RECEIVE_TIME: Duration = Duration::from_secs(25);
const RECEIVE_DIVISOR: u32 = 2;
/// The longest time for an attempt of a call to SQS: longer than the longest wait, so that no receive is dropped.
pub(super) const QUEUE_ATTEMPT_TIMEOUT: Duration = RECEIVE_WAIT.saturating_add(ATTEMPT_TIMEOUT);

/// The most calls that delete messages at a time.
pub(super) const CONCURRENT_DELETES: usize = 8;
/// The time reserved to delete messages: for each call of the batch, and for the slowest. A call takes 50 ms or less,
/// and several are made at a time.
const DELETE_TIME: Duration = Duration::from_millis(10);
const SLOWEST_DELETE_TIME: Duration = Duration::from_secs(2);
/// The reserve is at most the remaining time divided by this.
const DELETE_DIVISOR: u32 = 2;

/// How long changes that S3 sends directly are retried if they can be handed to the queue, but were not refused for the
/// rate: the default of `DIRECT_RETRY_SECONDS`, which is for functions without a queue.
pub(super) const RETRY_TIME_BESIDE_QUEUE: Duration = Duration::from_secs(10);
/// How long changes that S3 sends directly go straight to the queue after CloudFront throttled one.
pub(super) const QUEUE_ONLY_TIME: Duration = Duration::from_mins(1);

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

/// The interval between two parts of an invalidation.
pub(super) fn part_interval(backoff: Duration) -> Duration {
    backoff / PART_INTERVAL_DIVISOR + PART_INTERVAL_MARGIN
}

/// The limits of putting the result of a job, which is attempted until the deadline. Putting a result twice is safe:
/// CodePipeline accepts it once.
pub(super) fn job_result_limits() -> CallLimits {
    let limits = lookup_limits(Duration::ZERO);
    let first_delay = Duration::from_millis(200);
    CallLimits { attempts: u32::MAX, first_delay, attempt_divisor: 3, min_attempt_time: Duration::ZERO, ..limits }
}

/// The limits of sending and deleting messages, which SQS answers within some 10 ms.
pub(super) fn queue_limits() -> CallLimits {
    CallLimits { attempts: 4, attempt_divisor: 3, ..job_result_limits() }
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
        let last_part = retries.saturating_duration_since(Instant::now()) / FEWER_WILDCARDS_DIVISOR;
        let fewer_wildcards_from = retries.checked_sub(last_part).unwrap_or(retries);
        SendDeadlines { retries, last_retry, fewer_wildcards_from, attempts, answers }
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

    /// The deadline for sending and deleting messages.
    pub(super) fn queue_deadline(&self) -> Instant {
        self.before_end(JOB_ANSWER_TIME, JOB_ANSWER_DIVISOR)
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

/// Returns how long the next receives of a poll wait that began at `start`, in whole seconds; `None` if it is too late
/// for another.
pub(super) fn receive_wait(start: Instant, invocation: &Invocation) -> Option<Duration> {
    let time = invocation.deadline.saturating_duration_since(start) / RECEIVE_DIVISOR;
    let left = time.min(MAX_RECEIVE_TIME).saturating_sub(start.elapsed()).min(RECEIVE_WAIT);
    (left >= Duration::from_secs(1)).then(|| Duration::from_secs(left.as_secs()))
}

/// Returns the time that is reserved to delete this many messages.
pub(super) fn delete_reserve(messages: usize, invocation: &Invocation) -> Duration {
    let calls = u32::try_from(messages.div_ceil(MAX_BATCH)).unwrap_or(u32::MAX);
    invocation.reserve(SLOWEST_DELETE_TIME + DELETE_TIME.saturating_mul(calls), DELETE_DIVISOR)
}

/// The end of a part of the time until `deadline`: of that time divided by `divisor`, and of at most `most`.
fn in_part_of(deadline: Instant, divisor: u32, most: Duration) -> Instant {
    let now = Instant::now();
    now + (deadline.saturating_duration_since(now) / divisor).min(most)
}
