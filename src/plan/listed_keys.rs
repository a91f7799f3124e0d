//! What lies next to the changes: which keys to list, and what they mean for the wildcards of a distribution.
//!
//! A wildcard is counted where everything is known that it can evict: where requests go to no other origins than those that
//! were listed, and these completely. Elsewhere it is guessed, as is everything where a distribution's settings are not
//! known, since nobody can say then what else is behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{AssignedChanges, Assignment, KeyListing, Resolution, Resolutions};
use crate::change::{Batch, Bucket, DistributionId, ObjectKey};
use crate::collapse::{Budget, Counted, Coverage};
use crate::path::{DistributionConfig, InvalidationPath, Mapping};

/// How many paths an invalidation has at least if a listing is to be worth its requests. Below, there is little to save.
const WORTHWHILE_PATHS: usize = 10;

/// A folder of a bucket: empty, or ending with `/`.
pub type BucketPrefix = (Bucket, String);

/// The folders to list, with the changed keys in each, sorted.
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
            for folder in mapping.folders().filter(|folder| change.key.as_str().starts_with(folder.as_str())) {
                prefixes_to_list.entry((change.bucket.clone(), folder)).or_default().insert(change.key.as_str());
            }
        }
    }
    prefixes_to_list
}

fn is_worthwhile(assigned: &AssignedChanges, budget: Budget) -> bool {
    assigned.paths >= WORTHWHILE_PATHS || assigned.paths > assigned.max_paths(budget).get()
}

/// How a distribution shows a bucket, if that is known.
fn mapping_of<'d>(resolutions: &'d Resolutions, distribution: &DistributionId, bucket: &Bucket) -> Option<&'d Mapping> {
    let Resolution::Served { mappings, .. } = resolutions.get(bucket)? else { return None };
    let (_, mapping) = mappings.iter().find(|(id, _)| id == distribution)?;
    mapping.as_ref().filter(|mapping| mapping.is_known())
}

/// What was listed.
#[derive(Debug, Default)]
pub struct ListedKeys(pub BTreeMap<BucketPrefix, KeyListing>);

/// Where all that a distribution shows is known.
#[derive(Debug)]
pub struct ListedOrigins<'s> {
    config: Arc<DistributionConfig>,
    /// The origins that were listed.
    origins: Vec<&'s str>,
    /// Each folder that they look into, with what was listed of it.
    folders: Vec<(String, &'s KeyListing)>,
}

impl ListedKeys {
    /// What is known of all that a distribution shows besides its changes; `None` if that is nothing.
    #[must_use]
    pub fn counted<'s>(
        &'s self,
        resolutions: &'s Resolutions,
        distribution: &DistributionId,
        required: &[InvalidationPath],
    ) -> Option<Counted<ListedOrigins<'s>>> {
        let mut urls = Vec::new();
        let mut known: Option<ListedOrigins<'s>> = None;
        let mut done = BTreeSet::new();
        for (bucket, _) in self.0.keys() {
            let Some(mapping) = mapping_of(resolutions, distribution, bucket).filter(|_| done.insert(bucket)) else {
                continue;
            };
            let known = known.get_or_insert_with(|| ListedOrigins {
                config: mapping.config().cloned().unwrap_or_default(),
                origins: Vec::new(),
                folders: Vec::new(),
            });
            for (origins, folder) in mapping.origins_by_folder() {
                let Some(listing) = self.0.get(&(bucket.clone(), folder.clone())) else { continue };
                let keys = listing.keys().filter_map(|key| ObjectKey::new(key).ok());
                urls.extend(keys.flat_map(|key| mapping.served_urls(&key)));
                known.origins.extend(origins.iter().map(String::as_str));
                known.folders.push((folder, listing));
            }
        }
        known.map(|known| Counted::new(urls, known, required))
    }
}

impl Coverage for ListedOrigins<'_> {
    fn includes(&self, prefix: &str) -> bool {
        // A space may be spelt as a plus; a literal plus never is.
        let spelt = prefix.strip_prefix('/').unwrap_or(prefix).replace('+', " ");
        let Ok(below) = percent_decode_str(&spelt).decode_utf8() else { return false };
        let is_listed = |(folder, listing): &(String, &KeyListing)| listing.is_complete(&format!("{folder}{below}"));
        self.folders.iter().all(is_listed) && self.config.serves_only(prefix, &self.origins)
    }
}
