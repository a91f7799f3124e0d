//! The optimizer compared with an exhaustive search over every set of prefixes, on many small inputs.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use s3_cloudfront_invalidator::collapse::{Budget, Collapsed, CostModel, Counted, Heuristic, Objective, collapse};
use s3_cloudfront_invalidator::path::InvalidationPath;

use crate::edge_cache::Edge;

/// Cost (in thousandths of a URL), items and wildcards, minimized in this order.
type Figures = (u64, usize, usize);

/// The tokens of a path: a raw byte, or all escapes of one character.
fn tokens(path: &str) -> Vec<&str> {
    let characters = ["%C3%A9", "%C3%A8", "%20"];
    let mut rest = path;
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let escaped = characters.iter().find(|it| rest.starts_with(**it)).map_or(1, |it| it.len());
        let (token, after) = rest.split_at(escaped);
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// Computes the figures of a set by their definition, slowly.
struct Search<'m, M> {
    /// The items that must be covered, without those that another one covers.
    required: Vec<String>,
    /// The prefixes at which required items branch.
    branch_points: Vec<String>,
    model: &'m M,
    evictions_per_path: u64,
}

fn text(item: &str) -> &str {
    item.strip_suffix('*').unwrap_or(item)
}

fn covers(item: &str, other: &str) -> bool {
    item == other || item.strip_suffix('*').is_some_and(|prefix| other.starts_with(prefix))
}

impl<'m, M: CostModel> Search<'m, M> {
    fn new(paths: &[InvalidationPath], model: &'m M, evictions_per_path: u32) -> Self {
        let all: BTreeSet<_> = paths.iter().map(ToString::to_string).collect();
        let covered = |item: &String| all.iter().any(|other| other != item && covers(other, item));
        let required: Vec<_> = all.iter().filter(|item| !covered(item)).cloned().collect();
        let mut branch_points = BTreeSet::new();
        for (index, a) in required.iter().enumerate() {
            for b in &required[index + 1..] {
                let (a, b) = (tokens(text(a)), tokens(text(b)));
                let shared = a.iter().zip(&b).take_while(|(a, b)| a == b).map(|(a, _)| *a);
                branch_points.insert(shared.collect::<String>());
            }
        }
        Self {
            required,
            branch_points: branch_points.into_iter().collect(),
            model,
            evictions_per_path: u64::from(evictions_per_path) * 1000,
        }
    }

    fn weight(&self, prefix: &str) -> u64 {
        if self.model.is_listed(prefix) { self.evictions_per_path } else { 0 }
    }

    /// By definition: the count where it is known; elsewhere the estimate for the prefix plus the costs of the next
    /// branching prefixes below it, each by the same rule.
    fn unchanged_evicted(&self, prefix: &str) -> u64 {
        if let Some(urls) = self.model.count(prefix) {
            return urls * 1000;
        }
        let below = self.branch_points.iter().filter(|it| it.starts_with(prefix) && *it != prefix);
        let next =
            below.clone().filter(|it| !below.clone().any(|other| it.starts_with(other.as_str()) && it != &other));
        let required = self.required.iter().filter(|item| text(item).starts_with(prefix)).count();
        self.model.estimate(prefix, required) + next.map(|it| self.unchanged_evicted(it)).sum::<u64>()
    }

    /// The figures of a set of wildcards, with the required items that none of them covers sent as they are.
    fn figures(&self, wildcards: &[&str]) -> Figures {
        let rest = || self.required.iter().filter(|item| !wildcards.iter().any(|it| text(item).starts_with(it)));
        let cost = wildcards.iter().map(|it| self.unchanged_evicted(it) + self.weight(it)).sum::<u64>()
            + rest().map(|item| self.weight(text(item))).sum::<u64>();
        let own = rest().filter(|item| item.ends_with('*')).count();
        (cost, wildcards.len() + rest().count(), wildcards.len() + own)
    }

    /// The figures of every antichain of these prefixes: every set of which none starts with another.
    fn all(&self, prefixes: &[String]) -> Vec<Figures> {
        let mut all = Vec::new();
        for set in 0_u32..1 << prefixes.len() {
            let chosen: Vec<_> =
                prefixes.iter().enumerate().filter(|(n, _)| set & (1 << n) != 0).map(|(_, it)| it.as_str()).collect();
            let nested = chosen.iter().any(|a| chosen.iter().any(|b| a != b && a.starts_with(b)));
            if !nested {
                all.push(self.figures(&chosen));
            }
        }
        all
    }

    /// The figures of a result. Every item that was not required must be a wildcard at a branching prefix.
    fn of_result(&self, result: &Collapsed) -> Figures {
        let items = &result.items;
        let widened =
            items.iter().map(InvalidationPath::as_str).filter(|item| !self.required.iter().any(|it| it == item));
        let wildcards: Vec<_> = widened.map(|item| item.strip_suffix('*').expect("a wildcard")).collect();
        assert!(wildcards.iter().all(|it| self.branch_points.iter().any(|prefix| prefix == it)), "{items:?}");
        let figures = self.figures(&wildcards);
        assert_eq!(figures.1, items.len(), "{items:?}");
        let counted: Option<u64> = wildcards.iter().map(|it| self.model.count(it)).sum();
        assert_eq!(result.unchanged_evicted, counted, "known only if it is known of every wildcard: {items:?}");
        figures
    }

    /// Compares the optimizer with the best of `all` within every budget.
    fn check(&self, paths: &[InvalidationPath], evictions_per_path: u32, all: &[Figures]) {
        for max_paths in 1..=paths.len() + 1 {
            for max_wildcards in 1..=paths.len() + 1 {
                let number = |n| NonZeroUsize::new(n).unwrap();
                let budget = Budget { max_paths: number(max_paths), max_wildcards: number(max_wildcards) };
                let result = collapse(paths.to_vec(), Objective { budget, evictions_per_path }, self.model);
                let within = |it: &&Figures| it.1 <= max_paths && it.2 <= max_wildcards;
                let best = all.iter().filter(within).min().expect("the root's wildcard always fits");
                assert_eq!(self.of_result(&result), *best, "{budget:?} {result:?}");
            }
        }
    }
}

/// Paths of few tokens, which therefore share prefixes. Some end in `*`, as a path does that is cut before a `~`.
fn paths(most: usize) -> impl Strategy<Value = Vec<InvalidationPath>> {
    let token = select(vec!["a", "a", "b", "/", "/", "%C3%A9", "%C3%A8", "%20"]);
    let path = (vec(token, 0..7), select(vec!["", "", "", "", "", "*"]));
    let path = path.prop_map(|(tokens, end)| InvalidationPath::parse(&format!("/{}{end}", tokens.concat())).unwrap());
    vec(path, 1..=most)
}

/// Paths, a bucket's URLs, and the prefixes under which all URLs are known. The URLs are those of the paths and others.
fn bucket(most: usize) -> impl Strategy<Value = (Vec<InvalidationPath>, Vec<String>, Vec<String>)> {
    (paths(most), paths(8), subsequence(vec!["/", "/a", "/a/", "/b", "//", "/%C3%A9"], 0..4)).prop_map(
        |(paths, others, listed)| {
            let urls = paths.iter().chain(&others).map(|it| text(it.as_str()).to_owned()).collect();
            (paths, urls, listed.into_iter().map(str::to_owned).collect())
        },
    )
}

/// Every prefix of the required items, whether items branch there or not.
fn every_prefix(required: &[String]) -> Vec<String> {
    let prefixes = required.iter().flat_map(|item| {
        let tokens = tokens(text(item));
        (1..=tokens.len()).map(|n| tokens[..n].concat()).collect::<Vec<_>>()
    });
    prefixes.collect::<BTreeSet<_>>().into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn without_a_listing_the_result_is_optimal(paths in paths(12)) {
        let search = Search::new(&paths, &Heuristic, 0);
        search.check(&paths, 0, &search.all(&search.branch_points));
    }

    #[test]
    fn with_a_listing_the_result_is_optimal((paths, urls, listed) in bucket(12), evictions_per_path in select(vec![0, 0, 1, 3])) {
        let model = Counted::new(urls, listed, &paths);
        let search = Search::new(&paths, &model, evictions_per_path);
        search.check(&paths, evictions_per_path, &search.all(&search.branch_points));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A wildcard that ends where no items branch is never better than one that ends at the next branching prefix.
    #[test]
    fn wildcards_between_branch_points_are_never_better((paths, urls, listed) in bucket(3), evictions_per_path in select(vec![0, 1])) {
        let model = Counted::new(urls, listed, &paths);
        let search = Search::new(&paths, &model, evictions_per_path);
        let prefixes = every_prefix(&search.required);
        prop_assume!(prefixes.len() <= 12);
        search.check(&paths, evictions_per_path, &search.all(&prefixes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// This holds also where the bucket is listed in part, and where `evictions_per_path` leads to fewer items than the
    /// budget.
    #[test]
    fn collapsing_a_result_again_changes_nothing(
        (paths, urls, listed) in bucket(12),
        evictions_per_path in select(vec![0, 1, 50]),
        max_paths in 1..10_usize,
        max_wildcards in 1..5_usize,
    ) {
        let number = |n| NonZeroUsize::new(n).unwrap();
        let budget = Budget { max_paths: number(max_paths), max_wildcards: number(max_wildcards) };
        let collapsed = |paths: &[InvalidationPath]| {
            let model = Counted::new(urls.clone(), listed.clone(), paths);
            collapse(paths.to_vec(), Objective { budget, evictions_per_path }, &model).items
        };
        let once = collapsed(&paths);
        prop_assert_eq!(&collapsed(&once), &once);
    }

    /// `unchanged_evicted` is the number of URLs that the edge evicts beyond those of the required paths.
    #[test]
    fn reported_evictions_are_those_of_the_edge((paths, urls, _) in bucket(12), max_paths in 1..8_usize, max_wildcards in 1..5_usize) {
        let everything = vec!["/".to_owned()];
        let model = Counted::new(urls.clone(), everything, &paths);
        let number = |n| NonZeroUsize::new(n).unwrap();
        let budget = Budget { max_paths: number(max_paths), max_wildcards: number(max_wildcards) };
        let result = collapse(paths.clone(), Objective { budget, evictions_per_path: 0 }, &model);
        let evicted = Edge::new(urls.clone()).invalidate(result.items.iter().map(InvalidationPath::as_str));
        let asked_for = Edge::new(urls).invalidate(paths.iter().map(InvalidationPath::as_str));
        prop_assert!(evicted.is_superset(&asked_for), "nothing that changed stays");
        prop_assert_eq!(result.unchanged_evicted, Some((evicted.len() - asked_for.len()) as u64));
    }
}
