//! An in-memory account, with faults at chosen calls.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use s3_cloudfront_invalidator::aws::{CallError, ErrorClass};
use s3_cloudfront_invalidator::change::Timestamp;
use s3_cloudfront_invalidator::cli::link::{
    DryRun, EventRule, EventSourceMapping, FailedInvocations, Notifications, Queue, Schedule,
};
use s3_cloudfront_invalidator::path::Tags;

pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:invalidator";
/// The function of another deployment.
pub(crate) const OTHER_FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:second";
pub(crate) const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:changes";
pub(crate) const QUEUE_URL: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/changes";
/// A queue of others, configured as `QUEUE` is.
pub(crate) const OTHER_QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:others";
pub(crate) const DEAD: &str = "arn:aws:sqs:eu-central-1:123456789012:dead";
pub(crate) const RULE: &str = "arn:aws:events:eu-central-1:123456789012:rule/sites";

/// What happens at one of the writing calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call fails and changes nothing.
    Refused,
    /// The call takes effect, and its response is lost.
    AnswerLost,
    /// The program is killed before the call: neither it nor any later call takes effect.
    Killed,
    /// The call takes effect, and then the program is killed.
    KilledAfter,
    /// The call times out and takes effect a little later.
    Late,
    /// The call takes effect, and then another process tags the bucket.
    Interference,
    /// Another process tags the bucket, and then the call takes effect.
    InterferenceBefore,
}

/// A configuration of a bucket, eventually consistent: what was written last, and older values that the next reads
/// return.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eventual<T> {
    pub(crate) newest: T,
    old: VecDeque<T>,
}

impl<T: Clone> Eventual<T> {
    pub(crate) fn of(newest: T) -> Self {
        Self { newest, old: VecDeque::new() }
    }

    pub(crate) fn set(&mut self, value: T, late: usize) {
        self.old = std::iter::repeat_n(self.newest.clone(), late).collect();
        self.newest = value;
    }

    pub(crate) fn read(&mut self) -> T {
        self.old.pop_front().unwrap_or_else(|| self.newest.clone())
    }
}

/// An account with one bucket.
pub(crate) struct Account {
    pub(crate) tags: RefCell<Eventual<Tags>>,
    pub(crate) notifications: RefCell<Eventual<Notifications>>,
    /// The function's policy: statements by ID.
    pub(crate) statements: RefCell<BTreeMap<String, String>>,
    pub(crate) queue: RefCell<Queue>,
    pub(crate) dead: RefCell<Queue>,
    /// The function's `QUEUE_URL`.
    pub(crate) queue_url: RefCell<Option<String>>,
    pub(crate) schedules: RefCell<Vec<Schedule>>,
    /// The stack's output `ScheduleName`.
    pub(crate) schedule_name: RefCell<Option<String>>,
    /// Whether the caller may not read schedules.
    pub(crate) schedules_denied: Cell<bool>,
    /// When `QUEUE` was polled last.
    pub(crate) last_poll: RefCell<Result<Option<Timestamp>, CallError>>,
    /// The function's log group, if its failures can be read.
    pub(crate) log_group: RefCell<Option<String>>,
    /// The failed invocations in the log.
    pub(crate) failed_invocations: RefCell<Result<Option<FailedInvocations>, CallError>>,
    /// What the function answers to a dry run.
    pub(crate) dry_run: RefCell<Result<DryRun, CallError>>,
    pub(crate) sources: RefCell<Vec<EventSourceMapping>>,
    pub(crate) rules: RefCell<Vec<EventRule>>,
    pub(crate) origins: RefCell<BTreeMap<String, Vec<(String, String)>>>,
    pub(crate) caller: RefCell<String>,
    /// The function's `EXPECTED_BUCKET_OWNER` and `DRY_RUN`.
    pub(crate) owner: RefCell<Option<String>>,
    pub(crate) is_dry_run: Cell<bool>,
    /// Whether the function's `DISTRIBUTION_CONFIG` is not `off`.
    pub(crate) reads_configs: Cell<bool>,
    /// Where a function runs in front of each distribution's origins.
    pub(crate) function_at: Cell<Option<&'static str>>,
    pub(crate) region: RefCell<String>,
    /// Whether `OTHER_FUNCTION` and `OTHER_QUEUE` no longer exist.
    pub(crate) second_is_deleted: Cell<bool>,
    /// Whether the function does not exist any more.
    pub(crate) is_deleted: Cell<bool>,
    /// Whether CloudFront has no endpoint.
    pub(crate) no_cloud_front: Cell<bool>,
    /// The calls that read, each with its argument.
    pub(crate) calls: RefCell<Vec<String>>,
    pub(crate) tag: RefCell<Option<String>>,
    /// Whether attribute-based access control is enabled for the bucket.
    pub(crate) abac: Cell<bool>,
    /// The operation on single tags that the caller lacks the permission for.
    pub(crate) no_single_tags: Cell<Option<&'static str>>,
    pub(crate) function_dead: RefCell<Option<String>>,
    /// How many reads after a write return the old value.
    pub(crate) late: Cell<usize>,
    /// The fault, and the writing call at which it happens, counted from 0.
    pub(crate) fault: Cell<Option<(usize, Fault)>>,
    pub(crate) writes: Cell<usize>,
    dead_program: Cell<bool>,
}

pub(crate) fn statement(service: &str, action: &str, resource: &str, arn: &str) -> String {
    serde_json::json!({
        "Effect": "Allow", "Principal": { "Service": service }, "Action": action, "Resource": resource,
        "Condition": { "StringEquals": { "aws:SourceAccount": ACCOUNT }, "ArnLike": { "aws:SourceArn": arn } },
    })
    .to_string()
}

pub(crate) fn policy(statements: &[String]) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

/// The input of the templates' schedule.
pub(crate) const POLL: &str =
    r#"{"pollQueue":true,"scheduledTime":"<aws.scheduler.scheduled-time>","intervalMinutes":5}"#;

pub(crate) fn schedule(name: &str, target: &str, input: &str) -> Schedule {
    Schedule {
        name: name.into(),
        is_enabled: true,
        target: target.into(),
        input: Some(input.into()),
        modified_at: Some(minutes_ago(100_000)),
    }
}

/// The time of the checks.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-01-02T03:04:05.006Z").unwrap()
}

pub(crate) fn minutes_ago(minutes: u64) -> Timestamp {
    Timestamp::new(now().milliseconds() - minutes * 60_000).unwrap()
}

impl Account {
    /// A deployment as the template makes it, and a bucket without configuration.
    pub(crate) fn new() -> Self {
        let from_buckets = statement("s3.amazonaws.com", "sqs:SendMessage", QUEUE, "arn:aws:s3:::*");
        let from_rule = statement("events.amazonaws.com", "sqs:SendMessage", QUEUE, RULE);
        let queue = Queue {
            policy: Some(policy(&[from_buckets, from_rule])),
            dead_letter_queue: Some(DEAD.into()),
            visibility_timeout: 180,
            max_receive_count: Some(5),
            ..Queue::default()
        };
        let pattern = serde_json::json!({
            "source": ["aws.s3"], "detail-type": ["Object Created", "Object Deleted"],
            "detail": { "bucket": { "name": ["my-site"] } },
        });
        let rule = EventRule { arn: RULE.into(), is_enabled: true, pattern: Some(pattern.to_string()) };
        let origin = |path: &str| vec![("my-site.s3.eu-central-1.amazonaws.com".to_owned(), path.to_owned())];
        let account_bound = statement("s3.amazonaws.com", "lambda:InvokeFunction", FUNCTION, "arn:aws:s3:::*");
        Self {
            tags: RefCell::default(),
            notifications: RefCell::default(),
            statements: RefCell::new([("template".to_owned(), account_bound)].into()),
            queue: RefCell::new(queue),
            dead: RefCell::default(),
            queue_url: RefCell::new(Some(QUEUE_URL.into())),
            schedules: RefCell::new(vec![schedule("poll", FUNCTION, POLL)]),
            schedule_name: RefCell::new(Some("poll".into())),
            schedules_denied: Cell::new(false),
            last_poll: RefCell::new(Ok(Some(minutes_ago(2)))),
            log_group: RefCell::new(Some("/aws/lambda/invalidator".into())),
            failed_invocations: RefCell::new(Ok(None)),
            dry_run: RefCell::new(Ok(DryRun::Planned { urls_uncertain: false })),
            sources: RefCell::default(),
            rules: RefCell::new(vec![rule]),
            origins: RefCell::new([("E1".to_owned(), origin("")), ("E2".to_owned(), origin("/web"))].into()),
            caller: RefCell::new(ACCOUNT.into()),
            owner: RefCell::new(None),
            is_dry_run: Cell::new(false),
            reads_configs: Cell::new(true),
            function_at: Cell::new(None),
            region: RefCell::new(REGION.into()),
            second_is_deleted: Cell::new(false),
            is_deleted: Cell::new(false),
            no_cloud_front: Cell::new(false),
            calls: RefCell::default(),
            tag: RefCell::new(None),
            abac: Cell::new(false),
            no_single_tags: Cell::new(None),
            function_dead: RefCell::new(Some(DEAD.into())),
            late: Cell::new(0),
            fault: Cell::new(None),
            writes: Cell::new(0),
            dead_program: Cell::new(false),
        }
    }

    /// Replaces the schedule by an event source mapping: a deployment without `QUEUE_URL`.
    pub(crate) fn use_mapping(&self) {
        *self.queue_url.borrow_mut() = None;
        *self.schedule_name.borrow_mut() = None;
        self.schedules.borrow_mut().clear();
        self.add_mapping(QUEUE);
    }

    /// Adds `E5`, whose tenants each have a folder of the bucket.
    pub(crate) fn add_multi_tenant_distribution(&self) {
        let origin = ("my-site.s3.eu-central-1.amazonaws.com".to_owned(), "/{{tenant}}".to_owned());
        self.origins.borrow_mut().insert("E5".to_owned(), vec![origin]);
    }

    pub(crate) fn add_mapping(&self, queue: &str) {
        self.sources.borrow_mut().push(EventSourceMapping {
            arn: queue.into(),
            state: "Enabled".into(),
            reports_batch_item_failures: true,
        });
    }

    /// Starts the program anew, without faults.
    pub(crate) fn restart(&self) {
        self.dead_program.set(false);
        self.fault.set(None);
        self.writes.set(0);
    }

    pub(crate) fn change_tags(&self, change: impl FnOnce(&mut Tags)) {
        let mut tags = self.tags.borrow_mut();
        let mut changed = tags.newest.clone();
        change(&mut changed);
        tags.set(changed, self.late.get());
    }

    pub(crate) fn may_write_single_tags(&self, operation: &str) -> Result<(), CallError> {
        if self.no_single_tags.get() == Some(operation) { Err(denied(operation)) } else { Ok(()) }
    }

    pub(crate) fn called(&self, operation: &str, argument: impl std::fmt::Display) {
        self.calls.borrow_mut().push(format!("{operation} {argument}"));
    }

    pub(crate) fn read<T>(&self, value: T) -> Result<T, CallError> {
        if self.dead_program.get() { Err(failed("killed")) } else { Ok(value) }
    }

    pub(crate) fn write(&self, effect: impl FnOnce()) -> Result<(), CallError> {
        self.read(())?;
        let number = self.writes.replace(self.writes.get() + 1);
        match self.fault.get().filter(|(at, _)| *at == number).map(|(_, fault)| fault) {
            None => effect(),
            Some(Fault::Refused) => return Err(failed("refused")),
            Some(Fault::AnswerLost) => {
                effect();
                return Err(CallError::timed_out("it"));
            }
            Some(Fault::Killed) => {
                self.dead_program.set(true);
                return Err(failed("killed"));
            }
            Some(Fault::KilledAfter) => {
                effect();
                self.dead_program.set(true);
            }
            // Left out: it would take effect when nobody reads the value any more.
            Some(Fault::Late) => return Err(CallError::timed_out("it")),
            Some(Fault::Interference) => {
                effect();
                self.tags.borrow_mut().newest.insert("another".into(), "process".into());
            }
            Some(Fault::InterferenceBefore) => {
                self.tags.borrow_mut().newest.insert("another".into(), "process".into());
                effect();
            }
        }
        Ok(())
    }
}

pub(crate) fn failed(message: &str) -> CallError {
    CallError { class: ErrorClass::Other, message: message.into() }
}

pub(crate) fn denied(message: &str) -> CallError {
    CallError { class: ErrorClass::AccessDenied, message: message.into() }
}

pub(crate) fn missing(message: &str) -> CallError {
    CallError { class: ErrorClass::NotFound, message: message.into() }
}
