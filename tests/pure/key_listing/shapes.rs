//! What a scan costs for buckets of several shapes, and what it knows then.

use std::collections::BTreeSet;

use super::{InMemoryBucket, limits, read};

/// The result of a scan with at most 60 requests.
#[derive(Debug)]
struct Outcome {
    requests: usize,
    /// How long the scan took, in durations of one request.
    waits: usize,
    /// Of the directories with changes, how many are complete, and how many there are.
    complete: (usize, usize),
    complete_tops: usize,
}

/// Scans a bucket for changes of the objects whose index in key order satisfies `is_changed`.
async fn scan(keys: Vec<String>, is_changed: impl Fn(usize) -> bool) -> Outcome {
    let bucket = InMemoryBucket::new(keys);
    let changed: Vec<_> =
        bucket.keys.iter().enumerate().filter(|(at, _)| is_changed(*at)).map(|(_, key)| key).collect();
    let (listing, error) = read(&bucket, "", &changed, limits(60)).await;
    assert_eq!(error, None);
    let upto = |key: &str, end: Option<usize>| key[..end.map_or(0, |at| at + 1)].to_owned();
    let directories: BTreeSet<_> = changed.iter().map(|key| upto(key, key.rfind('/'))).collect();
    let tops: BTreeSet<_> = bucket.keys.iter().map(|key| upto(key, key.find('/'))).collect();
    Outcome {
        requests: bucket.requests(),
        waits: bucket.time.get(),
        complete: (directories.iter().filter(|it| listing.is_complete(it)).count(), directories.len()),
        complete_tops: tops.iter().filter(|it| listing.is_complete(it)).count(),
    }
}

/// The keys of `folders` directories of `size` objects each.
fn folders(folders: usize, size: usize) -> Vec<String> {
    (0..folders).flat_map(|folder| (0..size).map(move |n| format!("f{folder:04}/page-{n:04}.html"))).collect()
}

#[tokio::test]
async fn a_small_bucket_takes_one_request() {
    let outcome = scan(folders(19, 50), |at| at % 50 == 0).await;
    assert_eq!((outcome.requests, outcome.complete), (1, (19, 19)));
}

#[tokio::test]
async fn a_small_directory_of_a_big_bucket_takes_one_request() {
    let outcome = scan(folders(2000, 50), |at| at / 50 == 1234).await;
    assert_eq!((outcome.requests, outcome.complete), (1, (1, 1)));
}

#[tokio::test]
async fn a_site_whose_top_level_index_changed_is_listed_completely() {
    let mut site = folders(100, 80);
    site.push("index.html".to_owned());
    let outcome = scan(site, |at| at % 10 == 0).await;
    assert_eq!((outcome.requests, outcome.complete), (9, (101, 101)), "8,001 objects");
}

#[tokio::test]
async fn completely_changed_folders_are_listed_however_much_is_between_them() {
    let outcome = scan(folders(200, 500), |at| at / 500 % 20 == 7).await;
    assert_eq!(outcome.complete, (10, 10));
    assert!(outcome.requests <= 40 && outcome.waits <= 15, "{outcome:?}");
}

#[tokio::test]
async fn many_sparse_folders_are_listed_page_by_page() {
    for every in [1, 4] {
        let outcome = scan(folders(2000, 50), |at| at / 50 % every == 0 && at % 5 == 0).await;
        assert!(outcome.complete.0 * 100 >= outcome.complete.1 * 55, "60 of 100 pages: {outcome:?}");
        assert!(outcome.requests == 60 && outcome.waits <= 20, "{outcome:?}");
    }
}

#[tokio::test]
async fn parents_of_listed_folders_are_complete_too() {
    let nested = |n: usize| format!("t{:02}/f{:02}/{n:06}", n / 5000, n / 50 % 100);
    let outcome = scan((0..100_000).map(nested).collect(), |at| at / 5000 % 4 == 1 && at % 5 == 0).await;
    assert_eq!(outcome.complete, (500, 500));
    assert!(outcome.complete_tops >= 5 && outcome.waits <= 20, "{outcome:?}");
}

#[tokio::test]
async fn a_flat_folder_is_listed_by_concurrent_requests() {
    let flat: Vec<_> = (0..100_000).map(|n| format!("img/{:05x}.jpg", n * 7919 % 0xf_ffff)).collect();
    let outcome = scan(flat.clone(), |at| at % 20 == 0).await;
    assert!(outcome.requests == 60 && outcome.waits <= 15, "{outcome:?}");
    let outcome = scan(flat[..40_000].to_vec(), |at| at % 20 == 0).await;
    assert_eq!(outcome.complete, (1, 1));
    assert!(outcome.requests <= 46, "40 pages: {outcome:?}");
}

#[tokio::test]
async fn in_a_flat_folder_the_common_prefix_of_the_changes_is_listed_first() {
    let bucket = InMemoryBucket::new((0..100_000).map(|n| format!("img/{n:06}.jpg")));
    let (listing, _) = read(&bucket, "", &bucket.keys[83_000..84_000], limits(20)).await;
    assert!(listing.is_complete("img/083"));
    assert!(!listing.is_complete("img/"));
}

#[tokio::test]
async fn folders_with_changes_at_both_ends_are_listed() {
    let outcome = scan(folders(1000, 100), |at| !(2500..97_500).contains(&at)).await;
    assert_eq!(outcome.complete, (50, 50));
    assert!(outcome.requests <= 40 && outcome.waits <= 40, "{outcome:?}");
}

#[tokio::test]
async fn two_distant_changes_take_few_requests() {
    let outcome = scan(folders(600, 1000), |at| at == 5 || at == 599_990).await;
    assert_eq!(outcome.complete, (2, 2));
    assert!(outcome.requests <= 8, "{outcome:?}");
}

#[tokio::test]
async fn deep_nesting_costs_no_more_than_the_objects_do() {
    let folder = |n: usize| (0..8).map(|bit| if n >> bit & 1 == 1 { "b/" } else { "a/" }).collect::<String>();
    let deep = (0..100_000).map(|n| format!("{}{n:06}", folder(n / 391))).collect();
    let outcome = scan(deep, |at| at % 20 == 3).await;
    assert!(outcome.complete.0 * 100 >= outcome.complete.1 * 55, "{outcome:?}");
    assert!(outcome.requests == 60 && outcome.waits <= 20, "{outcome:?}");
}

#[tokio::test]
async fn a_big_directory_does_not_starve_the_others() {
    let huge = |d: usize| (0..if d == 0 { 100_000 } else { 900 }).map(move |n| format!("d{d:02}/{n:06}"));
    let outcome = scan((0..20).flat_map(huge).collect(), |at| at % 450 == 1).await;
    assert_eq!(outcome.complete, (19, 20), "{outcome:?}");
}
