//! Which keys to list, and what the listed keys mean for a distribution's wildcards.
//!
//! What a wildcard evicts can be counted where everything that it matches is known: all matching requests go to origins
//! that were listed, and the listing is complete there. Elsewhere it is estimated. Without a distribution config
//! everything is estimated, since the distribution may have any other origins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{AssignedChanges, Assignment, KeyListing, Resolution, Resolutions};
use crate::change::{Batch, Bucket, DistributionId, ObjectKey};
use crate::collapse::{Budget, Counted, Coverage};
use crate::path::{DistributionConfig, InvalidationPath, Mapping};

/// The least number of paths for which listing is worth its requests. Below it there is little to save.
const MIN_PATHS_TO_LIST: usize = 10;

/// A bucket and a key prefix to list, which is empty or ends with `/`.
pub type BucketPrefix = (Bucket, String);

/// Returns the prefixes to list, each with the changed keys below it, sorted.
#[must_use]
pub fn prefixes_to_list<'b>(
    batch: &'b Batch,
    resolutions: &Resolutions,
    assignment: &Assignment<'_>,
    budget: Budget,
) -> BTreeMap<BucketPrefix, BTreeSet<&'b str>> {
    let mut prefixes_to_list: BTreeMap<BucketPrefix, BTreeSet<&str>> = BTreeMap::new();
    for (distribution, assigned) in assignment.distributions().filter(|(_, it)| is_worthwhile(it, budget)) {
        for change in assigned.changes.iter().filter_map(|&index| batch.changes.get(index)) {
            let Some(mapping) = mapping_of(resolutions, distribution, &change.bucket) else { continue };
            for key_prefix in
                mapping.key_prefixes().filter(|key_prefix| change.key.as_str().starts_with(key_prefix.as_str()))
            {
                prefixes_to_list.entry((change.bucket.clone(), key_prefix)).or_default().insert(change.key.as_str());
            }
        }
    }
    prefixes_to_list
}

fn is_worthwhile(assigned: &AssignedChanges, budget: Budget) -> bool {
    assigned.paths >= MIN_PATHS_TO_LIST || assigned.paths > assigned.max_paths(budget).get()
}

/// Returns the mapping of a bucket in a distribution, if the distribution config settles it.
fn mapping_of<'d>(resolutions: &'d Resolutions, distribution: &DistributionId, bucket: &Bucket) -> Option<&'d Mapping> {
    let Resolution::Served { mappings, .. } = resolutions.get(bucket)? else { return None };
    let (_, mapping) = mappings.iter().find(|(id, _)| id == distribution)?;
    mapping.as_ref().filter(|mapping| mapping.is_conclusive())
}

/// The keys listed, by bucket and prefix.
#[derive(Debug, Default)]
pub struct ListedKeys(pub BTreeMap<BucketPrefix, KeyListing>);

/// The listed origins of a distribution: [`Coverage`] of the URLs that only they serve.
#[derive(Debug)]
pub struct ListedOrigins<'s> {
    config: Arc<DistributionConfig>,
    /// The IDs of the listed origins.
    origins: Vec<&'s str>,
    /// The key prefixes of their origin paths, each with its listing.
    key_prefixes: Vec<(String, &'s KeyListing)>,
}

impl ListedKeys {
    /// Returns the cost model that counts a distribution's URLs other than those `required`; `None` if no keys were
    /// listed for it.
    #[must_use]
    pub fn counted<'s>(
        &'s self,
        resolutions: &'s Resolutions,
        distribution: &DistributionId,
        required: &[InvalidationPath],
    ) -> Option<Counted<ListedOrigins<'s>>> {
        let mut urls = Vec::new();
        let mut listed: Option<ListedOrigins<'s>> = None;
        let mut visited = BTreeSet::new();
        for (bucket, _) in self.0.keys() {
            let Some(mapping) = mapping_of(resolutions, distribution, bucket).filter(|_| visited.insert(bucket)) else {
                continue;
            };
            let listed = listed.get_or_insert_with(|| ListedOrigins {
                config: mapping.config().cloned().unwrap_or_default(),
                origins: Vec::new(),
                key_prefixes: Vec::new(),
            });
            for (origins, key_prefix) in mapping.origins_by_key_prefix() {
                let Some(listing) = self.0.get(&(bucket.clone(), key_prefix.clone())) else { continue };
                let keys = listing.keys().filter_map(|key| ObjectKey::new(key).ok());
                urls.extend(keys.flat_map(|key| mapping.served_urls(&key)));
                listed.origins.extend(origins.iter().map(String::as_str));
                listed.key_prefixes.push((key_prefix, listing));
            }
        }
        listed.map(|listed| Counted::new(urls, listed, required))
    }
}

impl Coverage for ListedOrigins<'_> {
    fn includes(&self, prefix: &str) -> bool {
        // In a URL a raw `+` is a space; a literal `+` is `%2B`.
        let with_spaces = prefix.strip_prefix('/').unwrap_or(prefix).replace('+', " ");
        let Ok(relative_prefix) = percent_decode_str(&with_spaces).decode_utf8() else { return false };
        let is_listed = |(key_prefix, listing): &(String, &KeyListing)| {
            listing.is_complete(&format!("{key_prefix}{relative_prefix}"))
        };
        self.key_prefixes.iter().all(is_listed) && self.config.is_served_only_by(prefix, &self.origins)
    }
}
