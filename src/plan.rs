//! Changes and routes in, one invalidation per distribution out. Pure, and the same for the same input in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

use crate::change::{Bucket, BucketName, Change};
use crate::collapse::{Blind, Budget, Objective, collapse};
use crate::distribution::DistributionId;
use crate::path::{InvalidationPath, viewer_paths};
use crate::route::{Destination, Destinations};

/// The name under which CloudFront knows one invalidation of one distribution, so that the same work asked for twice is
/// done and billed once.
///
/// A hash of the distribution, the final paths and the identity of the delivery (for a direct event Lambda's request id,
/// which is the same on each of its retries). Never the clock, and never what an event contains: test events repeat
/// theirs, and an invalidation swallowed for a reference that was used before is a lost one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CallerReference(String);

impl CallerReference {
    fn new(distribution: &DistributionId, paths: &[InvalidationPath], delivery: &str) -> Self {
        let mut hash = Sha256::new();
        // Each part by its length first: no two different inputs are the same bytes.
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        part(delivery);
        part(distribution.as_str());
        for path in paths {
            part(path.as_str());
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

/// One invalidation to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedInvalidation {
    /// Where to.
    pub distribution: DistributionId,
    /// Its items, sorted; never empty.
    pub paths: Vec<InvalidationPath>,
    /// The name of this very work.
    pub caller_reference: CallerReference,
    /// The buckets whose changes it covers, sorted.
    pub buckets: Vec<BucketName>,
    /// The changes it answers for, by their place in the batch, ascending.
    pub changes: Vec<usize>,
}

/// What is to become of every change of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The invalidations, one per distribution, sorted by it.
    pub invalidations: Vec<PlannedInvalidation>,
    /// How many changes of each bucket are ignored since it has no tag.
    pub untagged: BTreeMap<Bucket, usize>,
    /// How many changes of each bucket lie outside its origin path.
    pub outside_origin_path: BTreeMap<Bucket, usize>,
    /// The changes of each bucket whose destination is not known, by their place in the batch.
    pub unrouted: BTreeMap<Bucket, Vec<usize>>,
}

/// What one distribution is to be told, while it is gathered.
#[derive(Default)]
struct Gathered {
    paths: Vec<InvalidationPath>,
    buckets: BTreeSet<BucketName>,
    changes: Vec<usize>,
}

/// Plans the invalidations of a batch. `delivery` is the identity of the delivery, see [`CallerReference`].
#[must_use]
pub fn plan(changes: &[Change], destinations: &Destinations, budget: Budget, delivery: &str) -> Plan {
    let mut plan = Plan::default();
    let mut gathered: BTreeMap<&DistributionId, Gathered> = BTreeMap::new();
    for (place, change) in changes.iter().enumerate() {
        let route = match destinations.get(&change.bucket) {
            Some(Destination::Route(route)) => route,
            Some(Destination::Untagged) => {
                *plan.untagged.entry(change.bucket.clone()).or_default() += 1;
                continue;
            }
            Some(Destination::Unknown) | None => {
                plan.unrouted.entry(change.bucket.clone()).or_default().push(place);
                continue;
            }
        };
        let Some(key) = route.paths.origin_path.strip(&change.key) else {
            *plan.outside_origin_path.entry(change.bucket.clone()).or_default() += 1;
            continue;
        };
        let paths = viewer_paths(key, &route.paths.index_documents);
        for distribution in &route.distributions {
            let gathered = gathered.entry(distribution).or_default();
            gathered.paths.extend_from_slice(&paths);
            gathered.changes.push(place);
            if !gathered.buckets.contains(&change.bucket.name) {
                gathered.buckets.insert(change.bucket.name.clone());
            }
        }
    }
    plan.invalidations = gathered
        .into_iter()
        .map(|(distribution, Gathered { paths, buckets, changes })| {
            let paths = collapse(paths, Objective { budget, path_weight: 0 }, &Blind).items;
            PlannedInvalidation {
                distribution: distribution.clone(),
                caller_reference: CallerReference::new(distribution, &paths, delivery),
                paths,
                buckets: buckets.into_iter().collect(),
                changes,
            }
        })
        .collect();
    plan
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::change::ObjectKey;
    use crate::path::{OriginPath, PathOptions};
    use crate::route::Route;

    fn bucket(name: &str) -> Bucket {
        Bucket { name: BucketName::new(name).unwrap(), region: None }
    }

    fn change(name: &str, key: &str) -> Change {
        Change { bucket: bucket(name), key: ObjectKey::new(key).unwrap() }
    }

    fn route(ids: &str, origin_path: &str) -> Destination {
        Destination::Route(Arc::new(Route {
            distributions: DistributionId::parse_list(ids).unwrap(),
            paths: PathOptions {
                origin_path: OriginPath::parse(origin_path).unwrap(),
                index_documents: vec!["index.html".into()],
            },
        }))
    }

    fn destinations() -> Destinations {
        [
            (bucket("one"), route("E1", "")),
            (bucket("two"), route("E1 E2", "/web")),
            (bucket("untagged"), Destination::Untagged),
            (bucket("denied"), Destination::Unknown),
        ]
        .into()
    }

    const BUDGET: Budget = Budget { max_paths: Budget::MOST_PATHS, max_wildcards: Budget::MOST_WILDCARDS };

    #[test]
    fn every_change_has_its_place() {
        let changes = [
            change("one", "a.txt"),
            change("two", "web/b/index.html"),
            change("two", "elsewhere/c.txt"),
            change("untagged", "d.txt"),
            change("denied", "e.txt"),
            change("never-asked", "f.txt"),
        ];
        let plan = plan(&changes, &destinations(), BUDGET, "request");
        let [first, second] = plan.invalidations.as_slice() else { panic!("{plan:?}") };
        assert_eq!(first.distribution.as_str(), "E1");
        assert_eq!(
            first.paths.iter().map(InvalidationPath::as_str).collect::<Vec<_>>(),
            ["/a.txt", "/b/", "/b/index.html"]
        );
        assert_eq!((first.changes.as_slice(), first.buckets.len()), (&[0, 1][..], 2));
        assert_eq!(second.distribution.as_str(), "E2");
        assert_eq!((second.changes.as_slice(), second.buckets.len()), (&[1][..], 1));
        assert_eq!(plan.outside_origin_path, [(bucket("two"), 1)].into());
        assert_eq!(plan.untagged, [(bucket("untagged"), 1)].into());
        assert_eq!(plan.unrouted, [(bucket("denied"), vec![4]), (bucket("never-asked"), vec![5])].into());
    }

    #[test]
    fn a_reference_depends_on_distribution_paths_and_delivery_and_on_nothing_else() {
        let reference = |changes: &[Change], delivery: &str| {
            plan(changes, &destinations(), BUDGET, delivery).invalidations.remove(0).caller_reference
        };
        let (a, b) = (change("one", "a.txt"), change("one", "b.txt"));
        let base = reference(&[a.clone(), b.clone()], "request");
        assert_eq!(base.as_str().len(), 64);
        assert_eq!(base, reference(&[b.clone(), a.clone(), b.clone()], "request"), "order and repetition");
        assert_ne!(base, reference(&[a.clone(), b], "request 2"), "delivery");
        assert_ne!(base, reference(std::slice::from_ref(&a), "request"), "paths");
        let both = plan(&[change("two", "web/a.txt")], &destinations(), BUDGET, "request").invalidations;
        assert_ne!(both[0].caller_reference, both[1].caller_reference, "distribution");
        assert_eq!(both[0].paths, both[1].paths);
    }

    #[test]
    fn a_reference_tells_apart_what_is_the_same_when_strung_together() {
        let path = |text| InvalidationPath::parse(text).unwrap();
        let id = |text| DistributionId::new(text).unwrap();
        let references = [
            CallerReference::new(&id("E1"), &[path("/a/b")], "r"),
            CallerReference::new(&id("E1"), &[path("/a"), path("/b")], "r"),
            CallerReference::new(&id("E1"), &[path("/a/b")], "rE"),
            CallerReference::new(&id("EE1"), &[path("/a/b")], "r"),
        ];
        let different: BTreeSet<_> = references.iter().map(CallerReference::as_str).collect();
        assert_eq!(different.len(), references.len());
    }

    #[test]
    fn nothing_to_do_plans_nothing() {
        assert_eq!(plan(&[], &destinations(), BUDGET, "request"), Plan::default());
    }
}
