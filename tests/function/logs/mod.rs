//! What the function writes.

pub(crate) mod lines;
pub(crate) mod metrics;
pub(crate) mod operations_page;
