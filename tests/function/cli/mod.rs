//! The command line.

pub(crate) mod demo;
pub(crate) mod documented_commands;
pub(crate) mod documented_urls;
mod failures;
pub(crate) mod key_lists;
pub(crate) mod plan;
