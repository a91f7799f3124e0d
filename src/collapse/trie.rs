//! A compressed trie over the required items, with one node for each prefix at which they branch.
//!
//! Nodes are in post-order, children before their parent. Every computation over the trie is therefore a loop, without
//! recursion, however deeply keys are nested.

#![expect(clippy::indexing_slicing, reason = "lengths, and indices of items and nodes, come from the trie itself")]

use super::char_boundary::common_prefix_length;
use super::cost::{CostModel, SCALE};
use super::objective::{Score, SetTotals, item_score};
use crate::path::InvalidationPath;

/// A prefix that two or more required items share and at which they branch. Its wildcard covers them all.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The index of the first required item below, in [`Trie::items`].
    pub(super) first: usize,
    /// The index after the last one.
    pub(super) end: usize,
    /// The length of the prefix, in bytes.
    pub(super) length: usize,
    /// The index of the parent node; `None` for the root.
    pub(super) parent: Option<usize>,
    /// The required items directly below, in no child, sent unchanged.
    pub(super) direct: SetTotals,
    /// The score of the node's wildcard.
    pub(super) wildcard: Score,
    /// The number of unchanged URLs that the wildcard evicts, if it is known.
    pub(super) unchanged_evicted: Option<u64>,
}

/// The required items and the prefixes they share.
pub(super) struct Trie {
    /// The items, sorted by prefix; none covers another.
    pub(super) items: Vec<InvalidationPath>,
    /// The nodes in post-order, the root last. Empty for fewer than two items.
    pub(super) nodes: Vec<Node>,
}

impl Trie {
    /// Builds the trie of sorted items none of which covers another. `model` gives the cost of each prefix.
    /// `evictions_per_path`, in the same unit, is added for each item where the bucket is listed.
    pub(super) fn new(items: Vec<InvalidationPath>, model: &impl CostModel, evictions_per_path: u64) -> Self {
        let weight =
            |prefix: &str| if evictions_per_path > 0 && model.is_listed(prefix) { evictions_per_path } else { 0 };
        let mut nodes: Vec<Node> = Vec::new();
        // The nodes whose last item has not been reached yet, each below the one before.
        let mut open: Vec<Node> = Vec::new();
        // The finished nodes without a parent yet, each with the cost of its wildcard without the weight of the item.
        let mut roots: Vec<(usize, u64)> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let text = item.without_star();
            // The length of the prefix shared with the next item. The last item shares none, so that even the root is
            // closed.
            let shared = items.get(index + 1).map_or(0, |next| common_prefix_length(text, next.without_star()));
            open_node(&mut open, index, shared);
            if let Some(top) = open.last_mut() {
                top.direct.add(item.is_wildcard(), weight(text));
            }
            while let Some(mut node) = open.pop_if(|top| top.length > shared) {
                open_node(&mut open, node.first, shared);
                let (mut children_cost, mut is_known) = (0_u64, true);
                while let Some((child, cost)) = roots.pop_if(|(child, _)| nodes[*child].first >= node.first) {
                    nodes[child].parent = Some(nodes.len());
                    children_cost = children_cost.saturating_add(cost);
                    is_known &= nodes[child].unchanged_evicted.is_some();
                }
                let prefix = &text[..node.length];
                node.end = index + 1;
                // Where URLs below are unknown, those of the whole prefix are.
                node.unchanged_evicted = if is_known { model.count(prefix) } else { None };
                let cost = match node.unchanged_evicted {
                    Some(urls) => urls.saturating_mul(SCALE),
                    None => model.estimate(prefix, node.end - node.first).saturating_add(children_cost),
                };
                let weight = node.unchanged_evicted.map_or(0, |_| evictions_per_path);
                node.wildcard = item_score(true, cost.saturating_add(weight));
                roots.push((nodes.len(), cost));
                nodes.push(node);
            }
        }
        Self { items, nodes }
    }

    /// Returns the prefix of a node.
    pub(super) fn prefix(&self, node: &Node) -> &str {
        &self.items[node.first].without_star()[..node.length]
    }

    /// Returns the items with those below each of these nodes, none of which is below another, replaced by its
    /// wildcard.
    pub(super) fn with_wildcards(&self, nodes: &[&Node]) -> Vec<InvalidationPath> {
        let mut items = Vec::new();
        let mut rest = 0;
        for node in nodes {
            items.extend_from_slice(&self.items[rest..node.first]);
            items.push(InvalidationPath::wildcard(self.prefix(node)));
            rest = node.end;
        }
        items.extend_from_slice(&self.items[rest..]);
        items
    }
}

/// Opens a node for the prefix shared with the next item, unless the top of the stack is at least as long.
fn open_node(open: &mut Vec<Node>, first: usize, shared: usize) {
    if open.last().map_or(0, |top| top.length) < shared {
        open.push(Node { first, length: shared, ..Node::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collapse::cost::Heuristic;

    #[test]
    fn items_are_grouped_under_their_shared_prefixes() {
        let paths = ["/a", "/a/b/1", "/a/b/2", "/a/c", "/a/d*", "/b"];
        let items = paths.iter().map(|path| InvalidationPath::parse(path).unwrap()).collect();
        let trie = Trie::new(items, &Heuristic, 0);
        let nodes: Vec<_> = trie
            .nodes
            .iter()
            .map(|node| {
                let paths = node.direct.items - node.direct.wildcards;
                (trie.prefix(node), node.first..node.end, node.parent, paths, node.direct.wildcards)
            })
            .collect();
        assert_eq!(
            nodes,
            [
                ("/a/b/", 1..3, Some(1), 2, 0),
                ("/a/", 1..5, Some(2), 1, 1),
                ("/a", 0..5, Some(3), 1, 0),
                ("/", 0..6, None, 1, 0),
            ]
        );
    }

    #[test]
    fn fewer_than_two_items_have_no_nodes() {
        assert!(Trie::new(Vec::new(), &Heuristic, 0).nodes.is_empty());
        assert!(Trie::new(vec![InvalidationPath::everything()], &Heuristic, 0).nodes.is_empty());
    }

    #[test]
    fn a_wildcard_costs_more_than_the_wildcards_below_it() {
        let paths = ["/a/1/x", "/a/1/y", "/a/2/x", "/a/2/y", "/b/x", "/b/y"];
        let items = paths.iter().map(|path| InvalidationPath::parse(path).unwrap()).collect();
        let trie = Trie::new(items, &Heuristic, 0);
        for (index, node) in trie.nodes.iter().enumerate() {
            let children_cost: Score =
                trie.nodes.iter().filter(|it| it.parent == Some(index)).map(|it| it.wildcard).sum();
            assert!(node.wildcard > children_cost, "{}", trie.prefix(node));
        }
    }
}
