//! Collapse: computes the best set of items that covers every required path within a budget.
//!
//! A wildcard may end anywhere between the characters of a path (`char_boundary`). Only the prefixes at which required
//! paths branch are worth considering: the nodes of a compressed trie (`trie`). Among all sets of them that cover the
//! paths within the budget, the cheapest is chosen, exactly. The cost of a set is the number of unchanged URLs evicted,
//! estimated or counted (`cost`), plus `evictions_per_path` for each item where it is counted. Ties go to fewer items,
//! then to fewer wildcards, then to the order of the trie, which does not depend on the order of the input.
//! `objective` has the budget and the score of a set, `lagrangian` and `lower_bounds` bound the cost from below,
//! `frontier` keeps the best candidates, and `optimum` finds the set.
//!
//! For every input: each path is covered, the budget is kept, collapsing a result again changes nothing, and an empty
//! input gives an empty set. Without a listing nothing is widened within the budget.

mod char_boundary;
mod cost;
mod frontier;
mod lagrangian;
mod lower_bounds;
mod objective;
mod optimum;
mod trie;

pub use self::cost::{CostModel, Counted, Coverage, Heuristic};
pub use self::objective::{Budget, Objective};

use self::cost::SCALE;
use self::objective::EffectiveBudget;
use self::trie::Trie;
use crate::path::{InvalidationPath, without_covered};

/// The result of [`collapse()`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collapsed {
    /// The items, sorted, none covered by another.
    pub items: Vec<InvalidationPath>,
    /// The number of unchanged URLs evicted by wildcards that were not in the input. `None` if the number
    /// for any of them is only estimated.
    pub unchanged_evicted: Option<u64>,
}

/// Returns the best set that covers every one of `paths`. `model` gives the cost of each wildcard.
///
/// ```
/// use std::num::NonZeroUsize;
/// use s3_cloudfront_invalidator::collapse::{Heuristic, Budget, Objective, collapse};
/// use s3_cloudfront_invalidator::path::InvalidationPath;
///
/// let paths = ["/img/2024-1.png", "/img/2024-2.png", "/b"].map(|path| InvalidationPath::parse(path).unwrap());
/// let two = NonZeroUsize::new(2).unwrap();
/// let objective = Objective { budget: Budget { max_paths: two, max_wildcards: two }, evictions_per_path: 0 };
/// let set = collapse(paths.to_vec(), objective, &Heuristic);
/// assert_eq!(set.items.iter().map(|item| item.as_str()).collect::<Vec<_>>(), ["/b", "/img/2024-*"]);
/// ```
#[must_use]
pub fn collapse(paths: Vec<InvalidationPath>, objective: Objective, model: &impl CostModel) -> Collapsed {
    let evictions_per_path = u64::from(objective.evictions_per_path) * SCALE;
    let trie = Trie::new(without_covered(paths), model, evictions_per_path);
    // Fewer than two items share no prefix, as those of most single changes.
    if trie.nodes.is_empty() {
        return Collapsed { items: trie.items, unchanged_evicted: Some(0) };
    }
    // A budget beyond the number of items has no effect.
    let budget = EffectiveBudget {
        items: objective.budget.max_paths.get().min(trie.items.len()),
        wildcards: objective.budget.max_wildcards.get().min(trie.items.len()),
    };
    let chosen = optimum::wildcards(&trie.nodes, budget);
    let chosen: Vec<_> = chosen.iter().filter_map(|&node| trie.nodes.get(node)).collect();
    // Among escapes that are not valid UTF-8, a boundary of one path may lie inside a character of another, so a
    // wildcard there may cover items of other nodes.
    Collapsed {
        items: without_covered(trie.with_wildcards(&chosen)),
        unchanged_evicted: chosen.iter().map(|node| node.unchanged_evicted).sum(),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn paths(texts: &[&str]) -> Vec<InvalidationPath> {
        texts.iter().map(|text| InvalidationPath::parse(text).unwrap()).collect()
    }

    fn objective(max_paths: usize, max_wildcards: usize) -> Objective {
        let number = |n| NonZeroUsize::new(n).unwrap();
        let budget = Budget { max_paths: number(max_paths), max_wildcards: number(max_wildcards) };
        Objective { budget, evictions_per_path: 0 }
    }

    fn heuristic_items(texts: &[&str], max_paths: usize, max_wildcards: usize) -> Vec<String> {
        let set = collapse(paths(texts), objective(max_paths, max_wildcards), &Heuristic);
        set.items.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn no_paths_give_no_items() {
        assert!(heuristic_items(&[], 1, 1).is_empty());
    }

    #[test]
    fn within_the_budget_nothing_is_widened() {
        assert_eq!(heuristic_items(&["/b", "/a/x", "/a/y"], 3, 1), ["/a/x", "/a/y", "/b"]);
    }

    #[test]
    fn duplicates_and_covered_paths_are_dropped() {
        // `!` and `%` sort before `*`, and the wildcard must cover them nevertheless.
        assert_eq!(
            heuristic_items(&["/a", "/a", "/a!", "/a%20b", "/a*", "/a/b", "/a/c*", "/b*", "/b/c"], 30, 7),
            ["/a*", "/b*"]
        );
    }

    #[test]
    fn over_budget_the_deepest_prefix_becomes_a_wildcard_first() {
        let paths = ["/top", "/a/1", "/a/2", "/a/b/1", "/a/b/2", "/a/b/3"];
        assert_eq!(heuristic_items(&paths, 4, 1), ["/a/1", "/a/2", "/a/b/*", "/top"]);
        assert_eq!(heuristic_items(&paths, 3, 1), ["/a/*", "/top"]);
        assert_eq!(heuristic_items(&paths, 1, 1), ["/*"]);
    }

    #[test]
    fn required_wildcards_count_in_both_budgets_and_can_be_absorbed() {
        let paths = ["/a/x*", "/a/y*", "/b/z*", "/c"];
        assert_eq!(heuristic_items(&paths, 30, 3), ["/a/x*", "/a/y*", "/b/z*", "/c"]);
        assert_eq!(heuristic_items(&paths, 30, 2), ["/a/*", "/b/z*", "/c"]);
        assert_eq!(heuristic_items(&paths, 30, 1), ["/*"]);
    }

    #[test]
    fn a_wildcard_ends_between_characters() {
        assert_eq!(heuristic_items(&["/caf%C3%A9", "/caf%C3%A8"], 1, 1), ["/caf*"]);
    }

    #[test]
    fn broken_utf8_is_covered_once() {
        let paths = ["/%F0%9F%98%80", "/%F0%9Fx", "/%F0%9Fy", "/%F0%9Fz", "/b"];
        assert_eq!(heuristic_items(&paths, 3, 2), ["/%F0%9F*", "/b"]);
        assert_eq!(heuristic_items(&["/%F0%9F*", "/b"], 3, 2), ["/%F0%9F*", "/b"]);
    }

    #[test]
    fn nine_files_in_one_of_many_folders_become_its_wildcard() {
        let files: Vec<_> = (1..=9).map(|n| format!("/img/2024/{n}.png")).collect();
        assert_eq!(heuristic_items(&files.iter().map(String::as_str).collect::<Vec<_>>(), 8, 7), ["/img/2024/*"]);
    }

    #[test]
    fn a_wildcard_under_which_everything_changed_is_free() {
        let required = paths(&["/a/1", "/a/2", "/b/1", "/b/2"]);
        let urls = ["/a/1", "/a/2", "/b/1", "/b/2", "/b/3"].map(str::to_owned).to_vec();
        let counted = Counted::new(urls, vec!["/".to_owned()], &required);
        let set = collapse(required, objective(30, 7), &counted);
        assert_eq!(set.items, paths(&["/a/*", "/b/1", "/b/2"]));
        assert_eq!(set.unchanged_evicted, Some(0));
    }

    #[test]
    fn a_weight_buys_fewer_paths_with_evictions() {
        let required = paths(&["/a/1", "/a/2", "/a/3"]);
        let urls = ["/a/1", "/a/2", "/a/3", "/a/4", "/a/5", "/a/6"].map(str::to_owned).to_vec();
        let counted = Counted::new(urls, vec!["/a/".to_owned()], &required);
        for (evictions_per_path, items, unchanged_evicted) in [(1, 3, 0), (2, 1, 3)] {
            let set = collapse(required.clone(), Objective { evictions_per_path, ..objective(30, 7) }, &counted);
            assert_eq!(
                (set.items.len(), set.unchanged_evicted),
                (items, Some(unchanged_evicted)),
                "{evictions_per_path}"
            );
        }
    }
}
