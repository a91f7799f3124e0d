//! The pure side of the function, from outside: path vectors, fixtures of events, properties.

mod fixtures;
mod properties;
mod vectors;
