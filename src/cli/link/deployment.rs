//! Which function serves the Region's buckets, and by which queues: found by its stack, or by its name.

use std::collections::BTreeSet;
use std::fmt;

use super::api::{EventSourceMapping, FunctionInfo, OperatorApi, missing_permissions};
use super::notification::{Destination, NotificationRule, Notifications, name_in};
use crate::aws::{CallError, ErrorClass};
use crate::change::AccountId;
use crate::change::text::excerpt;
use crate::config::Config;
use crate::path::BucketDefaults;

/// How the function is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionLocator {
    /// By the stack that it was deployed with, whose output `FunctionArn` names it.
    Stack(String),
    /// By its own name or ARN.
    Function(String),
}

/// The function, and what its events come through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The function.
    pub function: FunctionInfo,
    /// What it is called from.
    pub sources: Vec<EventSourceMapping>,
    /// The account it is in.
    pub account: AccountId,
    /// The Region it is in, from its ARN.
    pub region: String,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindError {
    /// There is no stack of this name.
    Stack(String),
    /// The stack has no output `FunctionArn`.
    Output(String),
    /// There is no function of this name.
    Function(String),
    /// It is of another account than who asks, whose buckets it cannot serve.
    OtherAccount(String),
    /// Its settings are no good.
    Config(String),
    /// AWS could not be asked.
    Call(CallError),
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stack(stack) => write!(
                f,
                "there is no stack \"{}\" in this account and Region; deploy it (scripts/deploy), name it with --stack or the \
                 function with --function, or choose --profile and --region; if the function is gone for good: \
                 `invalidator unlink BUCKET --function-gone`",
                excerpt(stack)
            ),
            Self::Output(stack) => {
                write!(
                    f,
                    "the stack \"{}\" has no output FunctionArn; name the function with --function",
                    excerpt(stack)
                )
            }
            Self::Function(name) => write!(
                f,
                "there is no function \"{}\" in this account and Region; correct --function, or choose --profile and --region",
                excerpt(name)
            ),
            Self::OtherAccount(account) => write!(
                f,
                "the function is in the account {account}, which is not yours; buckets are linked with the credentials of \
                 the function's account: choose --profile"
            ),
            Self::Config(reason) => write!(f, "the function's settings are no good: {reason}"),
            Self::Call(error) => write!(f, "{error}{}", missing_permissions(error)),
        }
    }
}

impl std::error::Error for FindError {}

impl From<CallError> for FindError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Finds the function.
///
/// # Errors
/// [`FindError`], with the remedy.
pub async fn find(cloud: &impl OperatorApi, place: &FunctionLocator) -> Result<Deployment, FindError> {
    let name = match place {
        FunctionLocator::Function(name) => name.clone(),
        FunctionLocator::Stack(stack) => {
            let outputs = cloud.stack_outputs(stack).await?.ok_or_else(|| FindError::Stack(stack.clone()))?;
            outputs.get("FunctionArn").cloned().ok_or_else(|| FindError::Output(stack.clone()))?
        }
    };
    let function = match cloud.function(&name).await {
        Err(error) if error.class == ErrorClass::NotFound => return Err(FindError::Function(name)),
        actual => actual?,
    };
    let account = cloud.account().await?;
    if let Some(own) = AccountId::of_function(&function.arn).filter(|own| *own != account) {
        return Err(FindError::OtherAccount(own.as_str().to_owned()));
    }
    let tag = |name: &str| function.distribution_tag.clone().filter(|_| name == "DISTRIBUTION_TAG");
    if let Err(error) = Config::from_lookup(tag) {
        return Err(FindError::Config(error.to_string()));
    }
    let sources = cloud.event_sources(&function.arn).await?;
    let region = part(&function.arn, 3).unwrap_or_default().to_owned();
    Ok(Deployment { function, sources, account, region })
}

/// Whether an ARN names a queue.
pub(super) fn is_queue(arn: &str) -> bool {
    part(arn, 2) == Some("sqs")
}

/// A part of an ARN: 1 its partition, 2 its service, 3 its Region. Source: IAM user guide, "Amazon Resource Names (ARNs)".
fn part(arn: &str, number: usize) -> Option<&str> {
    arn.split(':').nth(number)
}

fn is_missing(actual: Result<(), CallError>) -> Result<bool, CallError> {
    match actual {
        Err(error) if error.class == ErrorClass::NotFound => Ok(true),
        actual => actual.map(|()| false),
    }
}

impl Deployment {
    /// The queues that the function is called from, by their ARNs.
    pub fn queues(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|it| it.arn.as_str()).filter(|arn| is_queue(arn))
    }

    /// The tag that names a bucket's distributions.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.function.distribution_tag.as_deref().unwrap_or(Config::DEFAULT_DISTRIBUTION_TAG)
    }

    /// The account whose buckets alone the function takes, if that is not its own.
    #[must_use]
    pub fn other_owner(&self) -> Option<&str> {
        let owner = self.function.bucket_owner.as_deref().map(str::trim).filter(|it| !it.is_empty() && *it != "any");
        owner.filter(|owner| *owner != self.account.as_str())
    }

    /// What is left of one whose function is gone: nothing reaches it.
    ///
    /// # Errors
    /// If it cannot be learnt who asks.
    pub async fn without_function(cloud: &impl OperatorApi, region: &str) -> Result<Self, CallError> {
        let account = cloud.account().await?;
        Ok(Self { function: FunctionInfo::default(), sources: Vec::new(), account, region: region.to_owned() })
    }

    /// The rules that `link` made for this function: by their name, and by a target that is its own, or is there no more.
    ///
    /// # Errors
    /// If it cannot be learnt whether a target is there.
    pub async fn link_rules(
        &self,
        cloud: &impl OperatorApi,
        all: &Notifications,
    ) -> Result<BTreeSet<NotificationRule>, CallError> {
        let mut own = BTreeSet::new();
        for rule in all.rules.iter().filter(|rule| rule.has_link_name()) {
            let is_own = self.is_reached_by(&rule.target)
                || match &rule.target {
                    Destination::Queue(arn) => is_missing(cloud.queue(arn).await.map(|_| ()))?,
                    Destination::Function(arn) => is_missing(cloud.function(arn).await.map(|_| ()))?,
                    Destination::Topic(_) => false,
                };
            if is_own {
                own.insert(rule.clone());
            }
        }
        Ok(own)
    }

    /// How a bucket's tags are understood.
    #[must_use]
    pub fn bucket_defaults(&self) -> BucketDefaults {
        BucketDefaults { distribution_tag: self.tag().to_owned(), index_documents: Vec::new() }
    }

    /// The ARN of a bucket in the function's partition.
    #[must_use]
    pub fn bucket_arn(&self, bucket: &crate::change::BucketName) -> String {
        let partition = part(&self.function.arn, 1).unwrap_or("aws");
        format!("arn:{partition}:s3:::{bucket}")
    }

    /// Whether events that go to this target reach the function.
    #[must_use]
    pub fn is_reached_by(&self, target: &Destination) -> bool {
        match target {
            Destination::Queue(arn) => self.queues().any(|queue| queue == arn),
            // With a version or an alias it is another name of the same.
            Destination::Function(arn) => {
                arn.strip_prefix(&self.function.arn).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            }
            Destination::Topic(_) => false,
        }
    }

    /// The function's name.
    #[must_use]
    pub fn name(&self) -> &str {
        name_in(&self.function.arn)
    }
}
