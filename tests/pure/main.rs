//! Tests of the library from outside, without a process or a network: path vectors, event fixtures, properties, and
//! documents and templates held to the code.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod comparison;
mod document_links;
mod documented_facts;
mod edge_cache;
mod edge_model;
#[cfg(feature = "cli")]
mod error_table;
mod exhaustive;
mod key_listing;
#[cfg(feature = "cli")]
mod key_lists;
#[cfg(feature = "cli")]
mod link;
mod nesting;
mod policies;
mod properties;
mod retired_phrases;
mod s3_fixtures;
mod settings;
mod sources;
mod templates;
mod vectors;
#[cfg(feature = "cli")]
mod whole_keys;
