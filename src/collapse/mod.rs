//! The path set: as few items as the budget asks for, covering every path that was put in.
//!
//! What holds for every input, whatever decides within: every input is covered; the budget is kept; the result depends
//! on nothing but the set of inputs and the budget; collapsing a result again changes nothing; within the budget nothing
//! is widened; nothing in, nothing out.
//!
//! Over the budget this folds whole levels of directories, the deepest first, until the budget is met.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use crate::path::InvalidationPath;

/// How many items one invalidation may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Items altogether, wildcards among them: each is billed as one path.
    pub max_paths: NonZeroUsize,
    /// Wildcards among them.
    pub max_wildcards: NonZeroUsize,
}

impl Budget {
    /// The most paths an invalidation may have: CloudFront's quota of paths in progress for a distribution.
    /// Source: CloudFront developer guide, "Quotas".
    pub const MOST_PATHS: NonZeroUsize = NonZeroUsize::new(3000).unwrap();

    /// The most wildcards an invalidation may have: CloudFront's quota of wildcards in progress for a distribution.
    /// Source: as above.
    pub const MOST_WILDCARDS: NonZeroUsize = NonZeroUsize::new(15).unwrap();

    fn holds(self, items: &[InvalidationPath]) -> bool {
        let wildcards = items.iter().filter(|item| item.wildcard_prefix().is_some()).count();
        items.len() <= self.max_paths.get() && wildcards <= self.max_wildcards.get()
    }
}

/// The items that cover every one of `paths` within `budget`, sorted, none covered by another.
///
/// ```
/// use std::num::NonZeroUsize;
/// use s3_cloudfront_invalidator::collapse::{Budget, collapse};
/// use s3_cloudfront_invalidator::path::InvalidationPath;
///
/// let paths = ["/a/1", "/a/2", "/b"].map(|path| InvalidationPath::parse(path).unwrap());
/// let two = NonZeroUsize::new(2).unwrap();
/// let items = collapse(paths.to_vec(), Budget { max_paths: two, max_wildcards: two });
/// assert_eq!(items.iter().map(|item| item.as_str()).collect::<Vec<_>>(), ["/a/*", "/b"]);
/// ```
#[must_use]
pub fn collapse(paths: Vec<InvalidationPath>, budget: Budget) -> Vec<InvalidationPath> {
    let mut items = without_covered(paths);
    let deepest = items.iter().map(|item| slashes(item).count()).max().unwrap_or(0);
    for level in (1..=deepest).rev() {
        if budget.holds(&items) {
            return items;
        }
        items = fold(items, level);
    }
    if budget.holds(&items) { items } else { vec![InvalidationPath::everything()] }
}

/// The places of the `/` in a path.
fn slashes(path: &InvalidationPath) -> impl Iterator<Item = usize> {
    path.as_str().match_indices('/').map(|(at, _)| at)
}

/// Puts a wildcard in the place of all items that lie together below a directory of `level` slashes. An item that lies
/// there alone stays as it is: widening it would save nothing.
fn fold(items: Vec<InvalidationPath>, level: usize) -> Vec<InvalidationPath> {
    let directory = |item: &InvalidationPath| slashes(item).nth(level - 1).map(|at| item.as_str()[..=at].to_owned());
    let mut directories: BTreeMap<String, usize> = BTreeMap::new();
    for item in &items {
        if let Some(directory) = directory(item) {
            *directories.entry(directory).or_default() += 1;
        }
    }
    let folded = items.into_iter().map(|item| match directory(&item) {
        Some(directory) if directories.get(&directory).is_some_and(|&items| items > 1) => {
            InvalidationPath::wildcard(&directory)
        }
        _ => item,
    });
    without_covered(folded.collect())
}

/// Sorts, and leaves out what occurs twice or is covered by another.
fn without_covered(mut paths: Vec<InvalidationPath>) -> Vec<InvalidationPath> {
    // What a wildcard covers follows it directly in this order, as `*` itself does not count in the comparison.
    paths.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    let mut kept: Vec<InvalidationPath> = Vec::with_capacity(paths.len());
    let mut widest: Option<usize> = None;
    for path in paths {
        if widest.and_then(|at| kept.get(at)).is_some_and(|wildcard| wildcard.covers(&path))
            || kept.last() == Some(&path)
        {
            continue;
        }
        if path.wildcard_prefix().is_some() {
            widest = Some(kept.len());
        }
        kept.push(path);
    }
    kept.sort_unstable();
    kept
}

/// The prefix of a wildcard or the path of one URL, the wildcard first where they are the same.
fn order(path: &InvalidationPath) -> (&str, bool) {
    match path.wildcard_prefix() {
        Some(prefix) => (prefix, false),
        None => (path.as_str(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collapsed(paths: &[&str], max_paths: usize, max_wildcards: usize) -> Vec<String> {
        let paths = paths.iter().map(|path| InvalidationPath::parse(path).unwrap()).collect();
        let number = |n| NonZeroUsize::new(n).unwrap();
        let budget = Budget { max_paths: number(max_paths), max_wildcards: number(max_wildcards) };
        collapse(paths, budget).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert!(collapsed(&[], 1, 1).is_empty());
    }

    #[test]
    fn within_the_budget_nothing_is_widened() {
        assert_eq!(collapsed(&["/b", "/a/x", "/a/y"], 3, 1), ["/a/x", "/a/y", "/b"]);
    }

    #[test]
    fn what_occurs_twice_or_is_covered_is_left_out() {
        // `!` and `%` sort before `*`: the wildcard must reach them all the same.
        assert_eq!(
            collapsed(&["/a", "/a", "/a!", "/a%20b", "/a*", "/a/b", "/a/c*", "/b*", "/b/c"], 30, 7),
            ["/a*", "/b*"]
        );
    }

    #[test]
    fn over_the_budget_the_deepest_level_folds_first() {
        let paths = ["/top", "/a/1", "/a/2", "/a/b/1", "/a/b/2", "/a/b/3"];
        assert_eq!(collapsed(&paths, 4, 1), ["/a/1", "/a/2", "/a/b/*", "/top"]);
        assert_eq!(collapsed(&paths, 3, 1), ["/a/*", "/top"]);
        assert_eq!(collapsed(&paths, 1, 1), ["/*"]);
    }

    #[test]
    fn wildcards_have_a_budget_of_their_own() {
        let paths = ["/a/x*", "/a/y*", "/b/z*", "/c"];
        assert_eq!(collapsed(&paths, 30, 3), ["/a/x*", "/a/y*", "/b/z*", "/c"]);
        assert_eq!(collapsed(&paths, 30, 2), ["/a/*", "/b/z*", "/c"]);
        assert_eq!(collapsed(&paths, 30, 1), ["/*"]);
    }
}
