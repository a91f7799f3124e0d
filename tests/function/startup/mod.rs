//! The start of the function, and the certificate authorities it trusts.

pub(crate) mod start;
pub(crate) mod tls;
pub(crate) mod tls_proxy;
