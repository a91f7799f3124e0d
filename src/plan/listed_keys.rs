//! What lies next to the changes: which keys to list, and what they mean for the wildcards of a distribution.
//!
//! A wildcard is counted where everything is known that it can evict: where requests go to no other origins than those that
//! were listed, and these completely. Elsewhere it is guessed, as is everything where a distribution's settings are not
//! known, since nobody can say then what else is behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{Destination, Destinations, Gathered, Gathering, Listing};
use crate::change::{Batch, Bucket, DistributionId, ObjectKey};
use crate::collapse::{Budget, Extent, Inventory};
use crate::path::{DistributionSettings, InvalidationPath, View};

/// How many paths an invalidation has at least if a listing is to be worth its requests. Below, there is little to save.
const WORTHWHILE_PATHS: usize = 10;

/// A folder of a bucket: empty, or ending with `/`.
pub type Folder = (Bucket, String);

/// The folders to list, with the changed keys in each, sorted.
#[must_use]
pub fn wanted<'b>(
    batch: &'b Batch,
    destinations: &Destinations,
    gathering: &Gathering<'_>,
    budget: Budget,
) -> BTreeMap<Folder, BTreeSet<&'b str>> {
    let mut wanted: BTreeMap<Folder, BTreeSet<&str>> = BTreeMap::new();
    for (distribution, gathered) in gathering.distributions().filter(|(_, it)| is_worthwhile(it, budget)) {
        for change in gathered.changes.iter().filter_map(|&place| batch.changes.get(place)) {
            let Some(view) = view_of(destinations, distribution, &change.bucket) else { continue };
            for folder in view.folders().filter(|folder| change.key.as_str().starts_with(folder.as_str())) {
                wanted.entry((change.bucket.clone(), folder)).or_default().insert(change.key.as_str());
            }
        }
    }
    wanted
}

fn is_worthwhile(gathered: &Gathered, budget: Budget) -> bool {
    gathered.paths >= WORTHWHILE_PATHS || gathered.paths > gathered.max_paths(budget).get()
}

/// How a distribution shows a bucket, if that is known.
fn view_of<'d>(destinations: &'d Destinations, distribution: &DistributionId, bucket: &Bucket) -> Option<&'d View> {
    let Destination::Shown { views, .. } = destinations.get(bucket)? else { return None };
    let (_, view) = views.iter().find(|(id, _)| id == distribution)?;
    view.as_ref().filter(|view| view.is_known())
}

/// What was listed.
#[derive(Debug, Default)]
pub struct Stock(pub BTreeMap<Folder, Listing>);

/// Where all that a distribution shows is known.
#[derive(Debug)]
pub struct Known<'s> {
    settings: Arc<DistributionSettings>,
    /// The origins that were listed.
    origins: Vec<&'s str>,
    /// Each folder that they look into, with what was listed of it.
    folders: Vec<(String, &'s Listing)>,
}

impl Stock {
    /// What is known of all that a distribution shows besides its changes; `None` if that is nothing.
    #[must_use]
    pub fn inventory<'s>(
        &'s self,
        destinations: &'s Destinations,
        distribution: &DistributionId,
        required: &[InvalidationPath],
    ) -> Option<Inventory<Known<'s>>> {
        let mut urls = Vec::new();
        let mut known: Option<Known<'s>> = None;
        let mut seen = BTreeSet::new();
        for (bucket, _) in self.0.keys() {
            let Some(view) = view_of(destinations, distribution, bucket).filter(|_| seen.insert(bucket)) else {
                continue;
            };
            let known = known.get_or_insert_with(|| Known {
                settings: view.settings().cloned().unwrap_or_default(),
                origins: Vec::new(),
                folders: Vec::new(),
            });
            for (origins, folder) in view.origins_by_folder() {
                let Some(listing) = self.0.get(&(bucket.clone(), folder.clone())) else { continue };
                let keys = listing.keys().filter_map(|key| ObjectKey::new(key).ok());
                urls.extend(keys.flat_map(|key| view.seen_urls(&key)));
                known.origins.extend(origins.iter().map(String::as_str));
                known.folders.push((folder, listing));
            }
        }
        known.map(|known| Inventory::new(urls, known, required))
    }
}

impl Extent for Known<'_> {
    fn includes(&self, prefix: &str) -> bool {
        // A space may be spelt as a plus; a literal plus never is.
        let spelt = prefix.strip_prefix('/').unwrap_or(prefix).replace('+', " ");
        let Ok(below) = percent_decode_str(&spelt).decode_utf8() else { return false };
        let is_listed = |(folder, listing): &(String, &Listing)| listing.is_complete(&format!("{folder}{below}"));
        self.folders.iter().all(is_listed) && self.settings.serves_only(prefix, &self.origins)
    }
}
