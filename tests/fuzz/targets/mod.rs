//! The fuzz targets. An input with several parts is lines of text, so that a corpus can be read and written by hand.

pub(crate) mod collapse;
pub(crate) mod events;
pub(crate) mod grammar;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod paths;
pub(crate) mod tokens;
