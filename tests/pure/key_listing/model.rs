//! A prefix that a scan reports as complete is complete, whatever faults occur.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use s3_cloudfront_invalidator::aws::{ErrorClass, KeyPage};

use super::{InMemoryBucket, error, limits, read};

/// Keys that share directories and prefixes, with characters that sort just before and just after `/`.
fn key() -> impl Strategy<Value = String> {
    let part = select(vec!["a", "b/", "/", "a/", ".", "0", "é", "\u{10ffff}", "\u{1}", "~", "a/b/"]);
    vec(part, 1..7).prop_map(|parts| parts.concat())
}

/// What becomes of a response.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Fine,
    Error(ErrorClass),
    Empty,
    Reversed,
    Repeated,
    Foreign,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let faults = select(vec![
        Fate::Error(ErrorClass::Throttled),
        Fate::Error(ErrorClass::AccessDenied),
        Fate::Empty,
        Fate::Reversed,
        Fate::Repeated,
        Fate::Foreign,
    ]);
    prop_oneof![Just(Vec::new()), vec(prop_oneof![4 => Just(Fate::Fine), 1 => faults], 1..12)]
}

fn apply(fate: Fate, mut page: KeyPage, within: &str) -> Result<KeyPage, s3_cloudfront_invalidator::aws::CallError> {
    match fate {
        Fate::Error(class) => return Err(error(class)),
        Fate::Empty => page = KeyPage { keys: Vec::new(), more: true },
        Fate::Reversed if page.keys.len() > 1 => page.keys.reverse(),
        Fate::Repeated if !page.keys.is_empty() => page.keys.push(page.keys[0].clone()),
        Fate::Foreign if !within.is_empty() => page.keys.push("zz".into()),
        _ => {}
    }
    Ok(page)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn every_prefix_that_is_complete_has_exactly_the_keys_of_the_bucket(
        keys in btree_set(key(), 0..120),
        changed in btree_set(key(), 1..40),
        within in select(vec!["", "a/", "b/"]),
        (pages, page_size, concurrency) in (0..40_usize, 1..20_usize, 1..9_usize),
        fates in fates(),
    ) {
        let (count, is_fine) = (fates.len(), fates.is_empty());
        let fault = move |n: usize, page| apply(if is_fine { Fate::Fine } else { fates[n % count] }, page, within);
        let bucket = InMemoryBucket { page_size, fault: Box::new(fault), ..InMemoryBucket::new(keys) };
        // Some of them are in the bucket, the others were deleted.
        let changed: Vec<_> = changed.into_iter().filter(|key| key.starts_with(within)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let limits = super::ScanLimits { concurrency, ..limits(pages) };
        let (listing, error) = runtime.block_on(read(&bucket, within, &changed, limits));
        let listed: Vec<_> = listing.keys().collect();
        prop_assert!(listed.is_sorted_by(|one, next| one < next));
        prop_assert!(listed.iter().all(|key| key.starts_with(within) && bucket.keys.iter().any(|real| real == key)));
        let prefixes = bucket.keys.iter().chain(&changed).flat_map(|key| {
            key.char_indices().map(|(at, _)| &key[..at]).chain([key.as_str()])
        });
        for prefix in prefixes {
            if listing.is_complete(prefix) {
                let below: Vec<_> = listed.iter().filter(|key| key.starts_with(prefix)).copied().collect();
                prop_assert_eq!(below, bucket.below(prefix), "{:?}", prefix);
                for longer in ["a", "\u{10ffff}"].map(|more| format!("{prefix}{more}")) {
                    prop_assert!(listing.is_complete(&longer));
                }
            }
        }
        if is_fine {
            prop_assert_eq!(error, None);
            if bucket.keys.len() / page_size + 1 < pages / 8 {
                for key in &changed {
                    let directory = &key[..key.rfind('/').map_or(0, |slash| slash + 1).max(within.len())];
                    prop_assert!(listing.is_complete(directory), "{directory:?} of {changed:?}");
                }
            }
        }
    }
}

/// Two changes of the bucket allow two pages for the keys between them.
#[tokio::test]
async fn a_directory_around_others_is_completed_if_that_takes_no_more_pages_than_it_holds_changes() {
    for (between, is_complete) in [(28, true), (45, false)] {
        let others = (0..between).map(|n| format!("b/{n:03}"));
        let changed = ["a", "b/x/1"].map(str::to_owned);
        let bucket = InMemoryBucket { page_size: 13, ..InMemoryBucket::new(others.chain(changed.clone())) };
        let (listing, error) = read(&bucket, "", &changed, limits(60)).await;
        assert_eq!(error, None);
        assert!(listing.is_complete("b/x/"));
        assert_eq!(listing.is_complete(""), is_complete, "{between}");
        assert_eq!(bucket.requests(), 4);
    }
}
