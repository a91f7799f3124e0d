//! The function's log lines and metrics.

pub(crate) mod lines;
pub(crate) mod metrics;
pub(crate) mod operations_page;
