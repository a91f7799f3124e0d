//! Finds the function that serves a Region's buckets, by its stack or its name, and the queues that it reads.

use std::collections::BTreeSet;
use std::fmt;

use super::api::{EventSourceMapping, FunctionInfo, OperatorApi, call_code, remedy};
use super::given_options::GivenOptions;
use super::notification::{Destination, NotificationRule, Notifications, name_of_arn};
use super::tags::{Owners, linking_functions};
use crate::aws::{CallError, ErrorClass};
use crate::change::AccountId;
use crate::change::text::excerpt;
use crate::config::Config;
use crate::path::{BucketDefaults, Tags};

/// How the function is identified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionLocator {
    /// By the CloudFormation stack that it was deployed with. The stack's output `FunctionArn` identifies it.
    Stack(String),
    /// By the function's name or ARN.
    Function(String),
}

/// The deployed function and its event sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The function.
    pub function: FunctionInfo,
    /// The ARN of the queue that the function polls (`QUEUE_URL`).
    pub polled_queue: Option<String>,
    /// The name of the schedule that invokes the function to poll it, if the stack names it (`ScheduleName`).
    pub schedule: Option<String>,
    /// The function's event source mappings.
    pub sources: Vec<EventSourceMapping>,
    /// The function's account.
    pub account: AccountId,
    /// The function's Region.
    pub region: String,
    /// The options by which it was found.
    pub given: GivenOptions,
}

/// An account and a Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    account: AccountId,
    region: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}, Region {}", self.account.as_str(), self.region)
    }
}

/// Why the function was not found or cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// There is no stack of this name.
    #[error(
        "stack \"{}\" does not exist in {location}; deploy it with scripts/deploy, correct --stack, --profile or --region, or \
         name the function with --function; if the stack was deleted, run {}",
        excerpt(stack),
        unlink
    )]
    Stack {
        /// The stack.
        stack: String,
        /// Where it was looked for.
        location: Location,
        /// The command that unlinks the bucket from a function that no longer exists.
        unlink: String,
    },
    /// The stack has no output `FunctionArn`.
    #[error("stack \"{}\" has no output FunctionArn; name the function with --function", excerpt(.0))]
    Output(String),
    /// The function that the stack names does not exist. An update of the stack does not create it again.
    #[error(
        "function \"{}\" of stack \"{}\" does not exist in {location}; delete the stack, then deploy it again and run link again for \
         each bucket, or run {}",
        excerpt(function),
        excerpt(stack),
        unlink
    )]
    DeletedFunction {
        /// The function.
        function: String,
        /// The stack.
        stack: String,
        /// Where it was looked for.
        location: Location,
        /// The command that unlinks the bucket from a function that no longer exists.
        unlink: String,
    },
    /// There is no function of this name.
    #[error(
        "function \"{}\" does not exist in {location}; correct --function, --profile or --region; if it was deleted, delete the rest \
         of its deployment, and deploy it again",
        excerpt(function)
    )]
    Function {
        /// The function.
        function: String,
        /// Where it was looked for.
        location: Location,
    },
    /// The function is in this account, which is not the caller's. Buckets are linked with the function's account only.
    #[error(
        "the function is in account {0}, but your credentials are of another account; select a profile of the \
         function's account with --profile"
    )]
    OtherAccount(String),
    /// The function's `DISTRIBUTION_TAG` or `QUEUE_URL` is invalid.
    #[error("the function's environment variables are invalid: {0}")]
    Config(String),
    /// A call to AWS failed.
    #[error("{0}{remedy}", remedy = remedy(.0))]
    Call(CallError),
}

impl FindError {
    /// The code in JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stack { .. } => "stack-not-found",
            Self::Output(_) => "stack-without-function",
            Self::Function { .. } | Self::DeletedFunction { .. } => "function-not-found",
            Self::OtherAccount(_) => "other-account",
            Self::Config(_) => "function-config",
            Self::Call(error) => call_code(error),
        }
    }
}

impl From<CallError> for FindError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Finds the function in this Region, its queue and its event sources. `given` are the options for the commands in
/// remedies.
///
/// # Errors
/// [`FindError`], with the remedy.
pub async fn find(
    api: &impl OperatorApi,
    locator: &FunctionLocator,
    region: &str,
    given: &GivenOptions,
) -> Result<Deployment, FindError> {
    // It needs no permission, so that its error is one of the credentials.
    let account = api.account().await?;
    let location = || Location { account: account.clone(), region: region.to_owned() };
    let (name, schedule) = match locator {
        FunctionLocator::Function(name) => (name.clone(), None),
        FunctionLocator::Stack(stack) => {
            let missing =
                || FindError::Stack { stack: stack.clone(), location: location(), unlink: given.forced_unlink() };
            let mut outputs = api.stack_outputs(stack).await?.ok_or_else(missing)?;
            let function = outputs.remove("FunctionArn").ok_or_else(|| FindError::Output(stack.clone()))?;
            (function, outputs.remove("ScheduleName"))
        }
    };
    let function = match api.function(&name).await {
        Err(error) if error.class == ErrorClass::NotFound => {
            return Err(match locator {
                FunctionLocator::Function(_) => FindError::Function { function: name, location: location() },
                FunctionLocator::Stack(stack) => FindError::DeletedFunction {
                    function: name,
                    stack: stack.clone(),
                    location: location(),
                    unlink: given.forced_unlink(),
                },
            });
        }
        result => result?,
    };
    if let Some(other) = AccountId::from_function_arn(&function.arn).filter(|it| *it != account) {
        return Err(FindError::OtherAccount(other.as_str().to_owned()));
    }
    let variable = |name: &str| match name {
        "DISTRIBUTION_TAG" => function.distribution_tag.clone(),
        "QUEUE_URL" => function.queue_url.clone(),
        _ => None,
    };
    let config = Config::from_lookup(variable).map_err(|error| FindError::Config(error.to_string()))?;
    let polled_queue = config.queue_url.map(|url| queue_arn(&url, &function.arn));
    let sources = api.event_sources(&function.arn).await?;
    let region = part(&function.arn, 3).unwrap_or_default().to_owned();
    Ok(Deployment { function, polled_queue, schedule, sources, account, region, given: given.clone() })
}

/// The ARN of the queue at this URL, which ends with the queue's account and name. The queue is in the function's
/// Region.
fn queue_arn(url: &str, function: &str) -> String {
    let mut segments = url.rsplit('/');
    let (name, account) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let (partition, region) = (part(function, 1).unwrap_or("aws"), part(function, 3).unwrap_or_default());
    format!("arn:{partition}:sqs:{region}:{account}:{name}")
}

/// Whether an ARN is that of an SQS queue.
pub(super) fn is_queue(arn: &str) -> bool {
    part(arn, 2) == Some("sqs")
}

/// A part of an ARN: 1 is the partition, 2 the service, 3 the Region. Source: IAM user guide, "Amazon Resource Names
/// (ARNs)".
fn part(arn: &str, number: usize) -> Option<&str> {
    arn.split(':').nth(number)
}

fn is_missing(result: Result<(), CallError>) -> Result<bool, CallError> {
    match result {
        Err(error) if error.class == ErrorClass::NotFound => Ok(true),
        result => result.map(|()| false),
    }
}

impl Deployment {
    /// The ARNs of the queues that the function reads: first the one that it polls, then those that have an event source
    /// mapping to it.
    pub fn queues(&self) -> impl Iterator<Item = &str> {
        let polled = self.polled_queue.as_deref();
        let mapped = self.sources.iter().map(|it| it.arn.as_str()).filter(|arn| is_queue(arn));
        polled.into_iter().chain(mapped.filter(move |arn| polled != Some(*arn)))
    }

    /// The queue's event source mapping to the function.
    pub(super) fn source(&self, queue: &str) -> Option<&EventSourceMapping> {
        self.sources.iter().find(|it| it.arn == queue)
    }

    /// The key of the tag that names a bucket's distributions.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.function.distribution_tag.as_deref().unwrap_or(Config::DEFAULT_DISTRIBUTION_TAG)
    }

    /// The only account whose buckets the function accepts (`EXPECTED_BUCKET_OWNER`), if that is not its own.
    #[must_use]
    pub fn other_owner(&self) -> Option<&str> {
        let owner = self.function.bucket_owner.as_deref().map(str::trim).filter(|it| !it.is_empty() && *it != "any");
        owner.filter(|owner| *owner != self.account.as_str())
    }

    /// Returns a deployment whose function no longer exists. No destination reaches it.
    ///
    /// # Errors
    /// If the caller's account cannot be read.
    pub async fn without_function(
        api: &impl OperatorApi,
        region: &str,
        given: GivenOptions,
    ) -> Result<Self, CallError> {
        let account = api.account().await?;
        let function = FunctionInfo::default();
        Ok(Self {
            function,
            polled_queue: None,
            schedule: None,
            sources: Vec::new(),
            account,
            region: region.to_owned(),
            given,
        })
    }

    /// Returns whose ownership tags a command may change: that of this function, and those of functions that no longer
    /// exist.
    pub(super) async fn owners(&self, api: &impl OperatorApi, tags: &Tags) -> Result<Owners, CallError> {
        let own = Some(self.name()).filter(|name| !name.is_empty()).map(ToOwned::to_owned);
        let mut deleted = BTreeSet::new();
        for name in linking_functions(tags).filter(|name| own.as_deref() != Some(*name)) {
            if is_missing(api.function(name).await.map(|_| ()))? {
                deleted.insert(name.to_owned());
            }
        }
        Ok(Owners { own, deleted })
    }

    /// Returns the notification rules that `link` made for this function: those with an ID of `link` whose destination
    /// reaches the function or no longer exists.
    ///
    /// # Errors
    /// If it cannot be determined whether a destination exists.
    pub async fn link_rules(
        &self,
        api: &impl OperatorApi,
        all: &Notifications,
    ) -> Result<BTreeSet<NotificationRule>, CallError> {
        self.rules(api, all.rules.iter().filter(|rule| rule.has_link_id())).await
    }

    /// Returns the notification rules that reach this function, whoever made them. If the function no longer exists, those
    /// whose destination no longer exists either.
    ///
    /// # Errors
    /// If it cannot be determined whether a destination exists.
    pub async fn all_rules(
        &self,
        api: &impl OperatorApi,
        all: &Notifications,
    ) -> Result<BTreeSet<NotificationRule>, CallError> {
        if self.function.arn.is_empty() {
            return self.rules(api, all.rules.iter()).await;
        }
        Ok(all.rules.iter().filter(|rule| self.is_reached_by(&rule.destination)).cloned().collect())
    }

    /// Those of these rules whose destination reaches the function or no longer exists.
    async fn rules(
        &self,
        api: &impl OperatorApi,
        rules: impl Iterator<Item = &NotificationRule>,
    ) -> Result<BTreeSet<NotificationRule>, CallError> {
        // SQS answers the same for a queue of another account that the caller may not see.
        let is_here =
            |arn: &str| part(arn, 3) == Some(self.region.as_str()) && part(arn, 4) == Some(self.account.as_str());
        let mut found = BTreeSet::new();
        for rule in rules {
            let is_own = self.is_reached_by(&rule.destination)
                || match &rule.destination {
                    Destination::Queue(arn) if is_here(arn) => is_missing(api.queue(arn).await.map(|_| ()))?,
                    Destination::Function(arn) if is_here(arn) => is_missing(api.function(arn).await.map(|_| ()))?,
                    _ => false,
                };
            if is_own {
                found.insert(rule.clone());
            }
        }
        Ok(found)
    }

    /// The defaults for parsing a bucket's tags.
    #[must_use]
    pub fn bucket_defaults(&self) -> BucketDefaults {
        BucketDefaults { distribution_tag: self.tag().to_owned(), index_documents: Vec::new() }
    }

    /// The function's partition, such as `aws` or `aws-cn`.
    pub(super) fn partition(&self) -> &str {
        part(&self.function.arn, 1).unwrap_or("aws")
    }

    /// The ARN of a bucket, in the function's partition.
    #[must_use]
    pub fn bucket_arn(&self, bucket: &crate::change::BucketName) -> String {
        format!("arn:{}:s3:::{bucket}", self.partition())
    }

    /// Whether events sent to this destination reach the function.
    #[must_use]
    pub fn is_reached_by(&self, destination: &Destination) -> bool {
        match destination {
            Destination::Queue(arn) => self.queues().any(|queue| queue == arn),
            // A version or an alias of the function counts as the function.
            Destination::Function(arn) => {
                arn.strip_prefix(&self.function.arn).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            }
            Destination::Topic(_) => false,
        }
    }

    /// The function's name.
    #[must_use]
    pub fn name(&self) -> &str {
        name_of_arn(&self.function.arn)
    }
}
