//! Which keys to list, and what the listed keys mean for a distribution's wildcards.
//!
//! What a wildcard evicts can be counted where everything that it matches is known: all matching requests go to origins
//! that were listed, and the listing is complete there. Elsewhere it is estimated. Without a distribution config
//! everything is estimated, since the distribution may have any other origins.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{Assignment, BucketMapping, KeyListing};
use crate::change::{Batch, Bucket, ObjectKey};
use crate::collapse::Coverage;
use crate::path::DistributionConfig;

/// The least number of paths for which listing is worth its requests. Below it there is little to save.
const MIN_PATHS_TO_LIST: usize = 10;

/// A bucket and a key prefix to list, which is empty or ends with `/`.
pub type BucketPrefix = (Bucket, String);

/// Returns the prefixes to list, each with the changed keys below it, sorted.
#[must_use]
pub fn prefixes_to_list<'b>(
    batch: &'b Batch,
    assignments: &[Assignment<'_>],
    max_paths: NonZeroUsize,
) -> BTreeMap<BucketPrefix, BTreeSet<&'b str>> {
    let mut prefixes_to_list: BTreeMap<BucketPrefix, BTreeSet<&str>> = BTreeMap::new();
    let is_worthwhile =
        |it: &&Assignment<'_>| it.path_count >= MIN_PATHS_TO_LIST || it.path_count > it.max_paths(max_paths).get();
    for BucketMapping { bucket, mapping, changes, .. } in
        assignments.iter().filter(is_worthwhile).flat_map(Assignment::conclusive)
    {
        let keys = changes.iter().filter_map(|&index| batch.changes.get(index)).map(|change| change.key.as_str());
        for prefix in mapping.origin_matches.iter().map(|it| it.path.key_prefix()) {
            let mut inside = keys.clone().filter(|key| key.starts_with(&prefix)).peekable();
            if inside.peek().is_some() {
                prefixes_to_list.entry(((*bucket).clone(), prefix.clone())).or_default().extend(inside);
            }
        }
    }
    prefixes_to_list
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
    /// Returns the listed URLs of an assignment's distributions, and where they are complete; `None` if no keys were
    /// listed for them.
    pub(super) fn of<'s>(&'s self, assignment: &'s Assignment<'_>) -> Option<(Vec<String>, ListedOrigins<'s>)> {
        let mut urls = Vec::new();
        let mut listed: Option<ListedOrigins<'s>> = None;
        for BucketMapping { bucket, mapping, .. } in assignment.conclusive() {
            for origin_match in &mapping.origin_matches {
                let key_prefix = origin_match.path.key_prefix();
                let Some(listing) = self.0.get(&((*bucket).clone(), key_prefix.clone())) else { continue };
                let keys = listing.keys().filter_map(|key| ObjectKey::new(key).ok());
                urls.extend(keys.flat_map(|key| mapping.served_urls(&key)));
                let listed = listed.get_or_insert_with(|| ListedOrigins {
                    config: mapping.config.clone().unwrap_or_default(),
                    origins: Vec::new(),
                    key_prefixes: Vec::new(),
                });
                listed.origins.extend(origin_match.origins.iter().map(String::as_str));
                listed.key_prefixes.push((key_prefix, listing));
            }
        }
        Some((urls, listed?))
    }
}

impl Coverage for ListedOrigins<'_> {
    fn includes(&self, prefix: &str) -> bool {
        let Some(relative_prefix) = relative_key_prefix(prefix) else { return false };
        let is_listed = |(key_prefix, listing): &(String, &KeyListing)| {
            listing.is_complete(&format!("{key_prefix}{relative_prefix}"))
        };
        self.key_prefixes.iter().all(is_listed) && self.config.is_served_only_by(prefix, &self.origins)
    }
}

/// Returns the start of the keys, relative to the origin path, whose URLs start with `prefix`; `None` if it is not
/// UTF-8.
#[must_use]
pub fn relative_key_prefix(prefix: &str) -> Option<String> {
    // In a URL a raw `+` is a space; a literal `+` is `%2B`.
    let with_spaces = prefix.strip_prefix('/').unwrap_or(prefix).replace('+', " ");
    percent_decode_str(&with_spaces).decode_utf8().ok().map(Into::into)
}
