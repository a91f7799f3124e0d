//! The fake AWS itself, called without the function.

pub(crate) mod calls;
pub(crate) mod configs;
pub(crate) mod events;
pub(crate) mod jobs;
pub(crate) mod listing;
pub(crate) mod queues;
pub(crate) mod quota;
pub(crate) mod rules;
mod s3_control;
pub(crate) mod sdk;
pub(crate) mod sqs;
pub(crate) mod status;
pub(crate) mod tenants;
