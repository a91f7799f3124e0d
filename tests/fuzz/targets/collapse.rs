//! What `collapse` makes of a set of paths, without a bucket listing and with one.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use proptest::{prop_assert, prop_assert_eq};
use s3_cloudfront_invalidator::change::ObjectKey;
use s3_cloudfront_invalidator::collapse::{Budget, Counted, Heuristic, Objective, collapse};
use s3_cloudfront_invalidator::path::{InvalidationPath, OriginPath, viewer_paths, viewer_urls, without_covered};

use crate::driver::Checked;
use crate::edge::Edge;
use crate::rules::{is_path, magnitude};

/// The number of lines that are read, since the checks take quadratic time.
const MOST_LINES: usize = 60;

/// An input, parsed.
struct Input {
    objective: Objective,
    paths: Vec<InvalidationPath>,
    /// The URLs of the changed objects.
    changed: BTreeSet<String>,
    /// The URLs of unchanged objects.
    others: BTreeSet<String>,
    /// Whether all paths are those of keys. Other paths may end within the escapes of a character.
    of_keys: bool,
}

/// The first line holds the path budget, the wildcard budget and the evictions per path. Each further line is the key
/// of a changed object; after `item ` it is a path as it is, and after `other ` the key of an unchanged object.
fn read(text: &str) -> Input {
    let mut lines = text.split('\n');
    let mut numbers = lines.next().unwrap_or_default().split(' ').map(str::parse::<u16>);
    let mut number = |default| numbers.next().and_then(Result::ok).unwrap_or(default);
    let one_at_least = |number: u16| NonZeroUsize::new(number.max(1).into()).unwrap();
    let budget = Budget { max_paths: one_at_least(number(30)), max_wildcards: one_at_least(number(7)) };
    let objective = Objective { budget, evictions_per_path: number(0).into() };
    let (mut paths, mut changed, mut others) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut of_keys = true;
    for line in lines.take(MOST_LINES) {
        if let Some(path) = line.strip_prefix("item ").and_then(|it| InvalidationPath::parse(it).ok()) {
            paths.push(path);
            of_keys = false;
            continue;
        }
        let (key, unchanged) = line.strip_prefix("other ").map_or((line, false), |it| (it, true));
        let Ok(key) = ObjectKey::new(key) else { continue };
        let key = OriginPath::default().strip(&key).unwrap();
        let index_documents = ["index.html".to_owned()];
        if unchanged {
            others.extend(viewer_urls(key, &index_documents));
        } else {
            paths.extend(viewer_paths(key, &index_documents));
            changed.extend(viewer_urls(key, &index_documents));
        }
    }
    Input { objective, paths, changed, others, of_keys }
}

fn texts(items: &[InvalidationPath]) -> impl Iterator<Item = &str> {
    items.iter().map(InvalidationPath::as_str)
}

fn wildcards(items: &[InvalidationPath]) -> usize {
    texts(items).filter(|item| item.ends_with('*')).count()
}

pub(crate) fn path_set(input: &[u8]) -> Checked {
    let Input { objective, paths, changed, others, of_keys } = read(&String::from_utf8_lossy(input));
    let Budget { max_paths, max_wildcards } = objective.budget;
    let urls: Vec<_> = changed.iter().chain(&others).cloned().collect();
    let listing = |required: &[InvalidationPath]| Counted::new(urls.clone(), vec!["/".to_owned()], required);
    let with_heuristic = |paths: Vec<_>| collapse(paths, objective, &Heuristic);
    let with_listing = |paths: Vec<_>| {
        let listing = listing(&paths);
        collapse(paths, objective, &listing)
    };
    let mut shuffled = paths.clone();
    shuffled.reverse();
    shuffled.rotate_left(paths.len() / 3);
    shuffled.extend_from_slice(&paths[..paths.len() / 2]);

    let sets = [
        (with_heuristic(paths.clone()), with_heuristic(shuffled.clone())),
        (with_listing(paths.clone()), with_listing(shuffled)),
    ];
    for (set, again) in &sets {
        prop_assert_eq!(set, again, "the order of the paths made a difference");
        let items = &set.items;
        prop_assert_eq!(items.is_empty(), paths.is_empty());
        prop_assert!(items.len() <= max_paths.get() && wildcards(items) <= max_wildcards.get(), "{:?}", items);
        for item in texts(items) {
            prop_assert!(is_path(item, true), "{item}");
        }
        for path in &paths {
            prop_assert!(items.iter().any(|item| item.covers(path)), "{path} is not covered by {items:?}");
        }
        prop_assert_eq!(&without_covered(items.clone()), items);
        let evicted = Edge::new(urls.iter().cloned()).invalidate(texts(items));
        prop_assert!(evicted.is_superset(&changed), "{:?} leaves something stale", items);
    }
    let [(estimated, _), (counted, _)] = sets;
    let needed = without_covered(paths.clone());
    if needed.len() <= max_paths.get() && wildcards(&needed) <= max_wildcards.get() {
        prop_assert_eq!(&estimated.items, &needed, "widened within the budget");
    }
    if of_keys {
        prop_assert_eq!(&with_heuristic(estimated.items.clone()).items, &estimated.items);
        prop_assert_eq!(&with_listing(counted.items.clone()).items, &counted.items);
        let evicted = |items: &[InvalidationPath]| Edge::new(urls.iter().cloned()).invalidate(texts(items)).len();
        prop_assert_eq!(counted.unchanged_evicted, Some((evicted(&counted.items) - evicted(&paths)) as u64));
    }
    let sizes = [
        paths.len(),
        estimated.items.len(),
        counted.items.len(),
        wildcards(&estimated.items),
        wildcards(&counted.items),
    ];
    Ok(format!(
        "{of_keys} {:?} {:?}",
        sizes.map(magnitude),
        counted.unchanged_evicted.map(|it| magnitude(usize::try_from(it).unwrap()))
    ))
}
