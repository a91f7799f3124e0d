//! The pure side of the function, from outside: path vectors, fixtures of events, properties.

#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod fixtures;
mod properties;
mod settings;
mod vectors;
