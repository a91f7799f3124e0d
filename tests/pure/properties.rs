//! Properties that hold for every input.

use std::num::NonZeroUsize;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use s3_cloudfront_invalidator::change::ObjectKey;
use s3_cloudfront_invalidator::collapse::{Budget, Heuristic, Objective};
use s3_cloudfront_invalidator::event::{Event, decode};
use s3_cloudfront_invalidator::local::events::{encode_key, notification, record};
use s3_cloudfront_invalidator::path::{InvalidationPath, OriginPath, viewer_paths};

/// The paths of keys from an alphabet that is small, so that keys share prefixes, and that has all that is treated
/// specially in a path.
fn paths() -> impl Strategy<Value = Vec<InvalidationPath>> {
    let part = select(vec!["a", "b", "/", "é", " ", "~", "*", "index.html", "ab/"]);
    vec(vec(part, 1..8).prop_map(|parts| parts.concat()), 0..40).prop_map(|keys| {
        let keys = keys.into_iter().filter_map(|key| ObjectKey::new(&key).ok()).collect::<Vec<_>>();
        let index_documents = ["index.html".to_owned()];
        keys.iter().flat_map(|key| viewer_paths(OriginPath::default().strip(key).unwrap(), &index_documents)).collect()
    })
}

fn budget() -> impl Strategy<Value = Budget> {
    (1..40_usize, 1..10_usize).prop_map(|(max_paths, max_wildcards)| Budget {
        max_paths: NonZeroUsize::new(max_paths).unwrap(),
        max_wildcards: NonZeroUsize::new(max_wildcards).unwrap(),
    })
}

fn collapse(paths: Vec<InvalidationPath>, budget: Budget) -> Vec<InvalidationPath> {
    s3_cloudfront_invalidator::collapse::collapse(paths, Objective { budget, evictions_per_path: 0 }, &Heuristic).items
}

fn wildcards(items: &[InvalidationPath]) -> usize {
    items.iter().filter(|item| item.as_str().ends_with('*')).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn collapse_covers_within_the_budget(paths in paths(), budget in budget()) {
        let items = collapse(paths.clone(), budget);
        for path in &paths {
            prop_assert!(items.iter().any(|item| item.covers(path)), "{path} is not covered by {items:?}");
        }
        prop_assert!(items.len() <= budget.max_paths.get());
        prop_assert!(wildcards(&items) <= budget.max_wildcards.get());
        prop_assert_eq!(items.is_empty(), paths.is_empty());
    }

    #[test]
    fn collapse_depends_only_on_the_set_of_paths(
        (paths, shuffled) in paths().prop_flat_map(|paths| (Just(paths.clone()), Just(paths).prop_shuffle())),
        budget in budget(),
    ) {
        let items = collapse(paths, budget);
        let mut twice = shuffled.clone();
        twice.extend(shuffled);
        prop_assert_eq!(&items, &collapse(twice, budget));
        prop_assert_eq!(&items, &collapse(items.clone(), budget));
    }

    #[test]
    fn collapse_widens_nothing_within_the_budget(paths in paths()) {
        let items = collapse(paths.clone(), Budget { max_paths: Budget::MAX_PATHS, max_wildcards: Budget::MAX_WILDCARDS });
        if wildcards(&paths) <= Budget::MAX_WILDCARDS.get() {
            for item in &items {
                prop_assert!(paths.contains(item));
            }
        }
        for (index, item) in items.iter().enumerate() {
            prop_assert!(!items.iter().enumerate().any(|(other, it)| other != index && it.covers(item)));
        }
    }

    #[test]
    fn decoding_never_panics(event in vec(any::<u8>(), 0..200)) {
        let _ = decode(&event);
    }

    #[test]
    fn a_damaged_event_never_panics_and_loses_no_record(
        cut in 0..900_usize,
        byte in any::<u8>(),
        keys in vec("\\PC{1,20}", 1..4),
    ) {
        let records: Vec<_> = keys.iter().map(|key| record("ObjectCreated:Put", "site", key)).collect();
        let mut event = notification(&records).into_bytes();
        let cut = cut.min(event.len() - 1);
        event[cut] = byte;
        if let Ok(Event::Changes(batch)) = decode(&event) {
            let found = batch.changes.len() + batch.skipped.len() + batch.failed.len();
            // Damage can merge two records into one, which is one in JSON too. A record that JSON has is never lost.
            let shown = serde_json::from_slice::<serde_json::Value>(&event)
                .map_or(found, |it| it["Records"].as_array().map_or(0, Vec::len));
            prop_assert_eq!(found, shown);
        }
        event.truncate(cut);
        prop_assert!(decode(&event).is_err());
    }

    #[test]
    fn a_key_in_a_notification_is_decoded_unchanged(key in "[\\PC\\x00-\\x1f +%~]{1,100}") {
        prop_assume!(key.len() <= 1024);
        let event = notification(&[record("ObjectCreated:Put", "site", &key)]);
        let Ok(Event::Changes(batch)) = decode(event.as_bytes()) else { panic!("{event}") };
        prop_assert_eq!(batch.changes[0].key.as_str(), key.as_str(), "{}", encode_key(&key));
    }
}
