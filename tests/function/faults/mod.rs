//! Errors of AWS, and of the network before it.

pub(crate) mod empty_config;
pub(crate) mod hangs;
pub(crate) mod services;
pub(crate) mod spoofed_responses;
