//! The URLs that the product invalidates, held against a model that goes the other way: from each URL that viewers may
//! request to the object that is fetched for it. After a change of the object, every one of these URLs is invalidated.

mod distribution;
mod random;
mod rows;

use std::collections::BTreeSet;
use std::sync::Arc;

use s3_cloudfront_invalidator::change::{Bucket, BucketName, ObjectKey};
use s3_cloudfront_invalidator::path::{
    Behavior, BucketDefaults, DistributionConfig, Mapping, Origin, OriginGroup, Tags,
};

use self::distribution::{Request, removes, spellings};
use self::random::random_row;
use self::rows::{Row, origin_kinds, row, set_ups, several_behaviors};

/// The managed cache policy `CachingDisabled`.
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

/// The mapping that the product derives from a row's tags and distribution config.
fn mapping(row: &Row) -> Mapping {
    let defaults = BucketDefaults {
        distribution_tag: "distributionId".to_owned(),
        index_documents: vec!["index.html".to_owned()],
    };
    let mut tags: Tags = row.tags.iter().map(|(tag, value)| ((*tag).to_owned(), value.clone())).collect();
    tags.insert("distributionId".to_owned(), "E2EXAMPLE1ABCD".to_owned());
    let options = defaults.parse(&tags).unwrap().unwrap();
    let bucket = Bucket { name: BucketName::new(row.bucket).unwrap(), region: None };
    let mut config =
        DistributionConfig { default_root_object: row.distribution.root.map(str::to_owned), ..<_>::default() };
    for (index, it) in row.distribution.origins.iter().enumerate() {
        config.origins.push(Origin::new(&index.to_string(), it.domain, it.path).unwrap());
    }
    for it in &row.distribution.behaviors {
        let members: Vec<_> = it.targets.iter().map(ToString::to_string).collect();
        let target = members.join("+");
        if members.len() > 1 {
            config.origin_groups.push(OriginGroup::new(&target, members).unwrap());
        }
        let pattern = Some(it.pattern.as_str()).filter(|pattern| *pattern != "*");
        let policy = (!it.is_cached).then_some(CACHING_DISABLED);
        let event_type = it.function.as_ref().map(|(event_type, _)| match event_type {
            distribution::EventType::ViewerRequest => "viewer-request",
            distribution::EventType::OriginRequest => "origin-request",
        });
        config.behaviors.push(Behavior::new(pattern, &target, policy, it.query_strings, event_type).unwrap());
    }
    Mapping::new(&bucket, &options, row.has_config.then(|| Arc::new(config)).as_ref())
}

/// The paths of all URLs made from the keys that viewers might request, whether they fetch an object or not.
fn candidates(row: &Row) -> BTreeSet<String> {
    let mut parts = BTreeSet::from([String::new()]);
    for key in &row.keys {
        let starts = std::iter::once(0).chain(key.match_indices('/').map(|(slash, _)| slash + 1));
        for part in starts.map(|start| &key[start..]) {
            let directory = part.rfind('/').map_or("", |slash| &part[..slash]);
            let page = part.strip_suffix(".html").unwrap_or(part);
            parts.extend([part, directory, page].map(str::to_owned));
            parts.extend([part, directory, page].map(|it| format!("{it}/")));
        }
    }
    let mut paths = BTreeSet::new();
    for prefix in &row.viewers.prefixes {
        for suffix in &row.viewers.suffixes {
            paths.extend(parts.iter().flat_map(|part| spellings(&format!("/{prefix}{part}{suffix}"))));
        }
    }
    paths.retain(|path| (row.viewers.request)(path));
    paths
}

/// The URLs in the cache that hold an object, each with its key: all that viewers' requests leave there.
fn cached(row: &Row) -> BTreeSet<(String, String)> {
    let keys: BTreeSet<_> = row.keys.iter().map(|key| format!("{}{key}", row.key_prefix)).collect();
    let mut cached = BTreeSet::new();
    for path in candidates(row) {
        for folder in &row.viewers.folders {
            for query in ["", "?", "?v=1"] {
                let request = Request { path: path.clone(), query, folder };
                cached.extend(row.distribution.handle(&request, &keys));
            }
        }
    }
    cached
}

/// Changes each object of a row, and returns the URLs that still hold it: each with the object's key and its paths.
fn stale(row: &Row, cached: BTreeSet<(String, String)>) -> Vec<(String, String, String)> {
    let mapping = mapping(row);
    let mut stale = Vec::new();
    for (url, key) in cached {
        let paths = mapping.paths(&ObjectKey::new(&key).unwrap());
        let is_removed = paths.as_ref().is_ok_and(|paths| paths.iter().any(|path| removes(path.as_str(), &url)));
        if !is_removed {
            stale.push((url, key, format!("{paths:?}")));
        }
    }
    stale
}

#[test]
fn every_url_that_fetches_a_changed_object_is_invalidated() {
    let (set_ups, origin_kinds) = (set_ups(), origin_kinds());
    let of_set_up =
        |set_up| origin_kinds.iter().flat_map(move |it| [false, true].map(|queries| row(set_up, it, queries)));
    let rows: Vec<_> = set_ups.iter().flat_map(of_set_up).chain(several_behaviors()).collect();
    assert!(rows.len() >= 60, "{}", rows.len());
    let mut found = Vec::new();
    for row in &rows {
        let cached = cached(row);
        assert!(cached.len() >= 4, "{}: {cached:?}", row.name);
        found.extend(stale(row, cached).into_iter().map(|stale| (row.name.as_str(), stale)));
    }
    assert!(found.is_empty(), "{} URLs: {:#?}", found.len(), &found[..found.len().min(20)]);
}

#[test]
fn every_url_of_random_keys_and_forms_is_invalidated() {
    let origin_kinds = origin_kinds();
    let mut urls = 0;
    for seed in 0..200 {
        let row = random_row(&mut fastrand::Rng::with_seed(seed), &origin_kinds);
        let cached = cached(&row);
        urls += cached.len();
        let stale = stale(&row, cached);
        assert!(stale.is_empty(), "seed {seed}: {stale:#?} {row:#?}");
    }
    assert!(urls > 200 * 10, "{urls}");
}

/// What docs/urls.md says of a function for clean URLs: it also returns a page for `/docs/index`, which no form gives.
#[test]
fn the_index_of_a_directory_without_its_extension_stays_cached() {
    let set_ups = set_ups();
    let set_up = set_ups.iter().find(|it| it.name == "clean URLs beside the others").unwrap();
    let mut row = row(set_up, &origin_kinds()[0], false);
    row.viewers.request = |_| true;
    let cached = cached(&row);
    let found: BTreeSet<_> = stale(&row, cached).into_iter().map(|(url, ..)| url).collect();
    assert!(found.contains("/docs/index") && found.iter().all(|url| url.ends_with("/index")), "{found:?}");
}
