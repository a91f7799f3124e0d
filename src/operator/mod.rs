//! What an operator's commands do: put a bucket behind the function, take it back, and tell what is wrong.
//!
//! Two of S3's calls replace all there is of their kind, so everything here is read, merged, written and read again, and goes
//! back to what it was when a later step fails. It knows AWS by the port [`Cloud`] only, and prints nothing.

mod apply;
mod cloud;
mod deployment;
mod link;
mod link_error;
mod notification;
mod pattern;
mod permission;
mod status;
mod step;
mod tags;
mod unlink;

pub use apply::{ApplyError, Difference, apply};
pub use cloud::{Cloud, EventRule, EventSource, Function, LastInvalidation, Queue};
pub use deployment::{Deployment, FindError, Place, find};
pub use link::{Linked, Via, Wish, plan_link};
pub use link_error::{LinkError, TagCommand};
pub use notification::{EVENTS, Filter, Notifications, OWN_RULE, Overlap, Rule, Target, name_in};
pub use permission::{Asked, S3_PRINCIPAL, allows};
pub use status::{
    BucketStatus, Cell, DeploymentStatus, DistributionStatus, QueueStatus, check_bucket, check_deployment,
};
pub use step::{Permission, Step};
pub use tags::{LINK_TAG, Manager, TagsError};
pub use unlink::{Unlinked, plan_unlink};
