//! An account in memory, with faults at chosen calls.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use s3_cloudfront_invalidator::change::BucketName;
use s3_cloudfront_invalidator::distribution::DistributionId;
use s3_cloudfront_invalidator::operator::{
    Cloud, EventRule, EventSource, Function, LastInvalidation, Notifications, Queue,
};
use s3_cloudfront_invalidator::ports::{AccountId, CallError, ErrorClass, Settings};
use s3_cloudfront_invalidator::route::Tags;
use s3_cloudfront_invalidator::settings::{Behavior, DistributionSettings, Origin, PolicyId};

pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:invalidator";
pub(crate) const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:changes";
pub(crate) const DEAD: &str = "arn:aws:sqs:eu-central-1:123456789012:dead";
pub(crate) const RULE: &str = "arn:aws:events:eu-central-1:123456789012:rule/sites";

/// What happens at one of the writing calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused.
    Refused,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It is not done, and neither is anything after it: the program was killed.
    Killed,
    /// It is done, and nothing after it.
    KilledAfter,
    /// It is not answered, and done a little later.
    Late,
    /// Somebody else tags the bucket just after it.
    Interference,
}

/// What S3 has of a bucket, and what it shows: the newest only after some looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown<T> {
    pub(crate) newest: T,
    old: VecDeque<T>,
}

impl<T: Clone> Shown<T> {
    pub(crate) fn of(newest: T) -> Self {
        Self { newest, old: VecDeque::new() }
    }

    fn set(&mut self, value: T, late: usize) {
        self.old = std::iter::repeat_n(self.newest.clone(), late).collect();
        self.newest = value;
    }

    fn look(&mut self) -> T {
        self.old.pop_front().unwrap_or_else(|| self.newest.clone())
    }
}

/// An account with one bucket that matters.
pub(crate) struct Account {
    pub(crate) tags: RefCell<Shown<Tags>>,
    pub(crate) notifications: RefCell<Shown<Notifications>>,
    /// The function's policy: conditions by the ids of statements.
    pub(crate) statements: RefCell<BTreeMap<String, String>>,
    pub(crate) queue: RefCell<Queue>,
    pub(crate) dead: RefCell<Queue>,
    pub(crate) sources: RefCell<Vec<EventSource>>,
    pub(crate) rules: RefCell<Vec<EventRule>>,
    pub(crate) origins: RefCell<BTreeMap<String, Vec<(String, String)>>>,
    pub(crate) account: RefCell<String>,
    pub(crate) region: RefCell<String>,
    pub(crate) tag: RefCell<Option<String>>,
    pub(crate) abac: Cell<bool>,
    pub(crate) function_dead: RefCell<Option<String>>,
    /// How often the old is shown after a write.
    pub(crate) late: Cell<usize>,
    /// What happens at which of the writing calls, counted from 0.
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

impl Account {
    /// A deployment as the template makes it, and a bucket that nobody has configured.
    pub(crate) fn new() -> Self {
        let from_buckets = statement("s3.amazonaws.com", "sqs:SendMessage", QUEUE, "arn:aws:s3:::*");
        let from_rule = statement("events.amazonaws.com", "sqs:SendMessage", QUEUE, RULE);
        let queue = Queue {
            policy: Some(policy(&[from_buckets, from_rule])),
            dead_letters: Some(DEAD.into()),
            ..Queue::default()
        };
        let source = EventSource { arn: QUEUE.into(), state: "Enabled".into(), reports_failures: true };
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
            sources: RefCell::new(vec![source]),
            rules: RefCell::new(vec![rule]),
            origins: RefCell::new([("E1".to_owned(), origin("")), ("E2".to_owned(), origin("/web"))].into()),
            account: RefCell::new(ACCOUNT.into()),
            region: RefCell::new(REGION.into()),
            tag: RefCell::new(None),
            abac: Cell::new(false),
            function_dead: RefCell::new(Some(DEAD.into())),
            late: Cell::new(0),
            fault: Cell::new(None),
            writes: Cell::new(0),
            dead_program: Cell::new(false),
        }
    }

    /// The next run of the program, without faults.
    pub(crate) fn restart(&self) {
        self.dead_program.set(false);
        self.fault.set(None);
        self.writes.set(0);
    }

    fn read<T>(&self, value: T) -> Result<T, CallError> {
        if self.dead_program.get() { Err(failed("killed")) } else { Ok(value) }
    }

    fn write(&self, effect: impl FnOnce()) -> Result<(), CallError> {
        self.read(())?;
        let number = self.writes.replace(self.writes.get() + 1);
        match self.fault.get().filter(|(at, _)| *at == number).map(|(_, fault)| fault) {
            None => effect(),
            Some(Fault::Refused) => return Err(failed("refused")),
            Some(Fault::AnswerLost) => {
                effect();
                return Err(CallError::no_time("it"));
            }
            Some(Fault::Killed) => {
                self.dead_program.set(true);
                return Err(failed("killed"));
            }
            Some(Fault::KilledAfter) => {
                effect();
                self.dead_program.set(true);
            }
            // Nobody looks any more when it is.
            Some(Fault::Late) => return Err(CallError::no_time("it")),
            Some(Fault::Interference) => {
                effect();
                self.tags.borrow_mut().newest.insert("somebody".into(), "else".into());
            }
        }
        Ok(())
    }
}

fn failed(message: &str) -> CallError {
    CallError { class: ErrorClass::Other, message: message.into() }
}

fn missing(message: &str) -> CallError {
    CallError { class: ErrorClass::NotFound, message: message.into() }
}

impl Cloud for Account {
    async fn account(&self) -> Result<AccountId, CallError> {
        Ok(AccountId::new(&self.account.borrow()).unwrap())
    }

    async fn stack_outputs(&self, stack: &str) -> Result<Option<BTreeMap<String, String>>, CallError> {
        let outputs = || BTreeMap::from([("FunctionArn".to_owned(), FUNCTION.to_owned())]);
        Ok((stack == "cloudfront-invalidator").then(outputs))
    }

    async fn function(&self, name: &str) -> Result<Function, CallError> {
        if ![FUNCTION, "invalidator"].contains(&name) {
            return Err(missing(name));
        }
        let dead_letters = self.function_dead.borrow().clone();
        Ok(Function { arn: FUNCTION.into(), distribution_tag: self.tag.borrow().clone(), dead_letters })
    }

    async fn event_sources(&self, _function: &str) -> Result<Vec<EventSource>, CallError> {
        Ok(self.sources.borrow().clone())
    }

    async fn function_policy(&self, _function: &str) -> Result<Option<String>, CallError> {
        let statements: Vec<_> = self
            .statements
            .borrow()
            .iter()
            .map(|(id, statement)| statement.replacen('{', &format!(r#"{{"Sid":"{id}","#), 1))
            .collect();
        self.read((!statements.is_empty()).then(|| policy(&statements)))
    }

    async fn add_permission(
        &self,
        function: &str,
        id: &str,
        bucket_arn: &str,
        account: &AccountId,
    ) -> Result<(), CallError> {
        assert_eq!(account.as_str(), ACCOUNT);
        let statement = statement("s3.amazonaws.com", "lambda:InvokeFunction", function, bucket_arn);
        // As Lambda does it: what is there stays, which is no error here.
        self.write(|| {
            self.statements.borrow_mut().entry(id.to_owned()).or_insert(statement);
        })
    }

    async fn remove_permission(&self, _function: &str, id: &str) -> Result<(), CallError> {
        self.write(|| drop(self.statements.borrow_mut().remove(id)))
    }

    async fn queue(&self, arn: &str) -> Result<Queue, CallError> {
        match arn {
            QUEUE => Ok(self.queue.borrow().clone()),
            DEAD => Ok(self.dead.borrow().clone()),
            other => Err(missing(other)),
        }
    }

    async fn event_rules(&self, target: &str) -> Result<Vec<EventRule>, CallError> {
        Ok(if target == QUEUE { self.rules.borrow().clone() } else { Vec::new() })
    }

    async fn buckets(&self) -> Result<Vec<BucketName>, CallError> {
        Ok(vec![BucketName::new("my-site").unwrap()])
    }

    async fn bucket_region(&self, _bucket: &BucketName) -> Result<String, CallError> {
        Ok(self.region.borrow().clone())
    }

    async fn tags(&self, _bucket: &BucketName) -> Result<Tags, CallError> {
        self.read(self.tags.borrow_mut().look())
    }

    async fn put_tags(&self, _bucket: &BucketName, tags: &Tags) -> Result<(), CallError> {
        self.write(|| self.tags.borrow_mut().set(tags.clone(), self.late.get()))
    }

    async fn has_tag_access_control(&self, _bucket: &BucketName) -> Result<bool, CallError> {
        Ok(self.abac.get())
    }

    async fn notifications(&self, _bucket: &BucketName) -> Result<Notifications, CallError> {
        self.read(self.notifications.borrow_mut().look())
    }

    async fn put_notifications(&self, _bucket: &BucketName, all: &Notifications) -> Result<(), CallError> {
        // As S3 does it.
        let rules: Vec<_> = all.rules.iter().collect();
        for (number, rule) in rules.iter().enumerate() {
            if let Some(other) = rules[..number].iter().find(|other| other.overlaps(rule)) {
                return Err(failed(&format!("configurations overlap: {rule} and {other}")));
            }
        }
        self.write(|| self.notifications.borrow_mut().set(all.clone(), self.late.get()))
    }

    async fn distribution_of(&self, tenant: &DistributionId) -> Result<DistributionId, CallError> {
        if tenant.as_str() == "dt_1" { Ok(DistributionId::new("E1").unwrap()) } else { Err(missing("EntityNotFound")) }
    }

    async fn last_invalidation(&self, _distribution: &DistributionId) -> Result<Option<LastInvalidation>, CallError> {
        Ok(Some(LastInvalidation { created: 1_000, status: "Completed".into() }))
    }
}

impl Settings for Account {
    async fn settings(&self, distribution: &DistributionId) -> Result<DistributionSettings, CallError> {
        let origins = self.origins.borrow();
        let origins = origins.get(distribution.as_str()).ok_or_else(|| missing("NoSuchDistribution"))?;
        let origin = |(domain, path): &(String, String)| Origin::new("o", domain, path).unwrap();
        Ok(DistributionSettings {
            origins: origins.iter().map(origin).collect(),
            behaviors: vec![Behavior::new(None, "o", None, false, std::iter::empty::<&str>()).unwrap()],
            ..DistributionSettings::default()
        })
    }

    async fn has_query_strings(&self, _policy: &PolicyId) -> Result<bool, CallError> {
        Ok(false)
    }
}
