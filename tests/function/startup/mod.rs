//! Starting, and whom the function trusts.

pub(crate) mod start;
pub(crate) mod tls;
pub(crate) mod tls_proxy;
