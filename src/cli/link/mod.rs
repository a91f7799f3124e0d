//! What an operator's commands do: put a bucket behind the function, take it back, and tell what is wrong.
//!
//! Two of S3's calls replace all there is of their kind, so everything here is read, merged, written and read again, and goes
//! back to what it was when a later step fails. It knows AWS by the port [`Cloud`] only, and prints nothing.

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

pub use self::api::{Cloud, EventRule, EventSource, Function, LastInvalidation, Queue};
pub use self::apply::{ApplyError, Difference, apply};
pub use self::deployment::{Deployment, FindError, Place, find};
pub use self::error::{LinkError, TagCommand};
pub use self::notification::{EVENTS, Filter, Notifications, OWN_RULE, Overlap, Rule, Target, name_in};
pub use self::plan::{Linked, Via, Wish, plan_link};
pub use self::policy::{Asked, S3_PRINCIPAL, allows};
pub use self::status::{
    BucketStatus, Cell, DeploymentStatus, DistributionStatus, QueueStatus, check_bucket, check_deployment,
};
pub use self::step::{Permission, Step};
pub use self::tags::{LINK_TAG, Manager, TagsError};
pub use self::unlink::{Unlinked, plan_unlink};
