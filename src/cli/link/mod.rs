//! Links a bucket to the function, unlinks it, and checks both.
//!
//! `TagResource` and `UntagResource` write single tags. `PutBucketNotificationConfiguration`, and `PutBucketTagging` where
//! these are refused, replace a bucket's whole notification configuration and all of its tags, so each is read, merged and
//! written. Every write is read again, and rolled back if a later step fails. This module knows AWS only through the trait
//! [`OperatorApi`], and prints nothing.

mod api;
mod apply;
mod cached;
mod candidates;
mod deployment;
mod error;
mod event_pattern;
mod given_options;
mod notification;
mod plan;
mod policy;
mod status;
mod step;
mod tags;
mod unlink;

pub use self::api::{
    DryRun, EventRule, EventSourceMapping, FailedInvocation, FailedInvocations, FunctionInfo, LAST_POLL_WINDOW,
    LastInvalidation, ListedDistribution, OperatorApi, Queue, Schedule, call_code, remedy,
};
pub use self::apply::{ApplyError, ChangeSet, apply};
pub use self::cached::CachedApi;
pub use self::candidates::{list_distributions, serving};
pub use self::deployment::{Deployment, FindError, FunctionLocator, Location, find};
pub use self::error::LinkError;
pub use self::given_options::{GivenOptions, quoted};
pub use self::notification::{
    Destination, EVENTS, KeyFilter, NotificationRule, Notifications, Overlap, RULE_ID, name_of_arn,
};
pub use self::plan::{LinkPlan, LinkRequest, Via, plan_link};
pub use self::policy::{AccessRequest, S3_PRINCIPAL, allows};
pub use self::status::{
    BucketStatus, Check, DeploymentStatus, DistributionStatus, Problem, QueueStatus, check_bucket, check_deployment,
};
pub use self::step::{Permission, Step};
pub use self::tags::{ManagedBy, TagsError, ownership_tag};
pub use self::unlink::{UnlinkPlan, plan_unlink};
