//! The fuzz targets. An input with several parts is lines of text, so that people can read and write a corpus.

pub(crate) mod collapse;
pub(crate) mod configs;
pub(crate) mod events;
pub(crate) mod grammar;
pub(crate) mod keys;
pub(crate) mod lists;
pub(crate) mod logs;
pub(crate) mod paths;
pub(crate) mod tokens;
pub(crate) mod urls;
