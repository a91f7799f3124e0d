//! Caller references, by which CloudFront recognizes a repeated request for the same invalidation.

use std::collections::BTreeSet;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::change::DistributionId;
use crate::path::Item;

/// The identity of a delivery, which stays the same when it is retried or redelivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryId<'a> {
    /// An event that the function was invoked with: Lambda's request ID, which is the same on each retry.
    Invocation(&'a str),
    /// Messages of a queue: their IDs, since they may be redelivered in other batches.
    Messages(BTreeSet<&'a str>),
    /// A pipeline action: the ID of its CodePipeline job.
    Job(&'a str),
}

/// The caller reference of an invalidation, which makes `CreateInvalidation` idempotent: a repeated request creates and
/// bills no second invalidation.
///
/// It is a hash of the distribution, the final items and the identity of the delivery. It never depends on the clock or
/// on an event's content: test events repeat their content, and CloudFront creates no invalidation for a reference that
/// was used before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallerReference(String);

impl DeliveryId<'_> {
    /// Returns a hash of the identity.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        match self {
            DeliveryId::Invocation(id) => TextHash::of(["invocation", id]),
            DeliveryId::Job(id) => TextHash::of(["job", id]),
            DeliveryId::Messages(ids) => TextHash::of(["messages"].into_iter().chain(ids.iter().copied())),
        }
    }
}

/// A SHA-256 hash of texts. Each is preceded by its length, so different lists never hash the same bytes.
#[derive(Default)]
pub(crate) struct TextHash(Sha256);

impl TextHash {
    pub(crate) fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> [u8; 32] {
        let mut hash = Self::default();
        texts.into_iter().for_each(|text| hash.part(text));
        hash.0.finalize().into()
    }

    fn part(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }
}

impl CallerReference {
    pub(crate) fn new(distribution: &DistributionId, items: &[Item], delivery_digest: &[u8; 32]) -> Self {
        let mut hash = TextHash::default();
        hash.0.update(delivery_digest);
        hash.part(distribution.as_str());
        for item in items {
            hash.part(item.as_str());
        }
        let mut reference = String::with_capacity(64);
        for byte in hash.0.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(reference, "{byte:02x}");
        }
        Self(reference)
    }

    /// Returns the reference: 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_hashed_with_their_lengths() {
        let items = |paths: &[&str]| paths.iter().map(|path| Item::named(path).unwrap()).collect::<Vec<_>>();
        let id = |text| DistributionId::new(text).unwrap();
        let messages = |ids: &[&'static str]| DeliveryId::Messages(ids.iter().copied().collect());
        let reference = |id: &DistributionId, items: &[Item], delivery_id: DeliveryId<'_>| {
            CallerReference::new(id, items, &delivery_id.digest())
        };
        let references = [
            reference(&id("E1"), &items(&["/a/b"]), DeliveryId::Invocation("r")),
            reference(&id("E1"), &items(&["/a", "/b"]), DeliveryId::Invocation("r")),
            reference(&id("E1"), &items(&["/a/b"]), DeliveryId::Invocation("rE")),
            reference(&id("EE1"), &items(&["/a/b"]), DeliveryId::Invocation("r")),
            reference(&id("E1"), &items(&["/a/b"]), DeliveryId::Job("r")),
            reference(&id("E1"), &items(&["/a/b"]), messages(&["r"])),
            reference(&id("E1"), &items(&["/a/b"]), messages(&["r", "s"])),
            reference(&id("E1"), &items(&["/a/b"]), messages(&["rs"])),
        ];
        let different: BTreeSet<_> = references.iter().map(CallerReference::as_str).collect();
        assert_eq!(different.len(), references.len());
    }
}
