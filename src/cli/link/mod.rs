//! What an operator's commands do: put a bucket behind the function, take it back, and tell what is wrong.
//!
//! Two of S3's calls replace all there is of their kind, so everything here is read, merged, written and read again, and goes
//! back to what it was when a later step fails. It knows AWS by the port [`OperatorApi`] only, and prints nothing.

mod api;
mod apply;
mod deployment;
mod error;
mod event_pattern;
mod notification;
mod plan;
mod policy;
mod status;
mod step;
mod tags;
mod unlink;

pub use self::api::{EventRule, EventSourceMapping, FunctionInfo, LastInvalidation, OperatorApi, Queue};
pub use self::apply::{ApplyError, ChangeSet, apply};
pub use self::deployment::{Deployment, FindError, FunctionLocator, find};
pub use self::error::{LinkError, TagCommand};
pub use self::notification::{
    Destination, EVENTS, KeyFilter, NotificationRule, Notifications, OWN_RULE, Overlap, name_in,
};
pub use self::plan::{LinkPlan, LinkRequest, Via, plan_link};
pub use self::policy::{AccessRequest, S3_PRINCIPAL, allows};
pub use self::status::{
    BucketStatus, Check, DeploymentStatus, DistributionStatus, QueueStatus, check_bucket, check_deployment,
};
pub use self::step::{Permission, Step};
pub use self::tags::{LINK_TAG, ManagedBy, TagsError};
pub use self::unlink::{UnlinkPlan, plan_unlink};
