//! What goes wrong at AWS, or on the way to it.

pub(crate) mod empty_config;
pub(crate) mod hangs;
pub(crate) mod services;
pub(crate) mod spoofed_responses;
