//! The names of invalidations, by which CloudFront knows the same work when it sees it again.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

use crate::distribution::DistributionId;
use crate::path::Item;

/// Whose work an invalidation is: what stays the same when the same work is asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    /// An event that the function was invoked with: Lambda's request id, the same on each of its retries.
    Invocation(&'a str),
    /// Messages of a queue, which come again in other batches: their ids.
    Messages(BTreeSet<&'a str>),
    /// An action of a pipeline: the id of its job.
    Job(&'a str),
}

/// The name under which CloudFront knows one invalidation of one distribution, so that the same work asked for twice is
/// done and billed once.
///
/// A hash of the distribution, the final items and the identity of the delivery. Never the clock, and never what an event
/// contains: test events repeat theirs, and an invalidation swallowed for a reference that was used before is a lost one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CallerReference(String);

impl CallerReference {
    pub(crate) fn new(distribution: &DistributionId, items: &[Item], identity: &Identity<'_>) -> Self {
        let mut hash = Sha256::new();
        // Each part by its length first, and each list by its own: no two different inputs are the same bytes.
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        match identity {
            Identity::Invocation(id) => {
                part("invocation");
                part(id);
            }
            Identity::Job(id) => {
                part("job");
                part(id);
            }
            Identity::Messages(ids) => {
                part("messages");
                part(&ids.len().to_string());
                for id in ids {
                    part(id);
                }
            }
        }
        part(distribution.as_str());
        for item in items {
            part(item.as_str());
        }
        let mut reference = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(reference, "{byte:02x}");
        }
        Self(reference)
    }

    /// The reference: 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CallerReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_tells_apart_what_is_the_same_when_strung_together() {
        let items = |paths: &[&str]| paths.iter().map(|path| Item::named(path).unwrap()).collect::<Vec<_>>();
        let id = |text| DistributionId::new(text).unwrap();
        let messages = |ids: &[&'static str]| Identity::Messages(ids.iter().copied().collect());
        let references = [
            CallerReference::new(&id("E1"), &items(&["/a/b"]), &Identity::Invocation("r")),
            CallerReference::new(&id("E1"), &items(&["/a", "/b"]), &Identity::Invocation("r")),
            CallerReference::new(&id("E1"), &items(&["/a/b"]), &Identity::Invocation("rE")),
            CallerReference::new(&id("EE1"), &items(&["/a/b"]), &Identity::Invocation("r")),
            CallerReference::new(&id("E1"), &items(&["/a/b"]), &Identity::Job("r")),
            CallerReference::new(&id("E1"), &items(&["/a/b"]), &messages(&["r"])),
            CallerReference::new(&id("E1"), &items(&["/a/b"]), &messages(&["r", "s"])),
            CallerReference::new(&id("E1"), &items(&["/a/b"]), &messages(&["rs"])),
        ];
        let different: BTreeSet<_> = references.iter().map(CallerReference::as_str).collect();
        assert_eq!(different.len(), references.len());
    }
}
