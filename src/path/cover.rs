//! Leaving out what another item covers.

use super::InvalidationPath;

/// Sorts, and leaves out what occurs twice or is covered by another.
#[must_use]
pub fn without_covered(mut paths: Vec<InvalidationPath>) -> Vec<InvalidationPath> {
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
