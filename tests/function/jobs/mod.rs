//! CodePipeline jobs.

pub(crate) mod messages;
pub(crate) mod results;
pub(crate) mod wait;
