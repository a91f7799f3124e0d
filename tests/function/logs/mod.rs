//! The function's log lines and metrics.

pub(crate) mod documented_fields;
pub(crate) mod lines;
pub(crate) mod metrics;
