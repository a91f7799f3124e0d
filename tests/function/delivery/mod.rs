//! The handling of changes and requests, from every event source.

pub(crate) mod changes;
pub(crate) mod enqueue;
pub(crate) mod large_events;
pub(crate) mod largest_batch;
pub(crate) mod path_vectors;
pub(crate) mod poll;
pub(crate) mod queue;
pub(crate) mod redelivery;
pub(crate) mod requests;
pub(crate) mod retries;
pub(crate) mod size;
pub(crate) mod throttling;
