//! The compressed trie over the required items: one node for each prefix at which they part.
//!
//! Nodes lie in post-order, children before their parent, so that everything that is worked out over the trie is a loop
//! and no recursion, however deep the keys are nested.

use super::boundary;
use super::cost::{CostModel, SCALE};
use crate::path::InvalidationPath;

/// A prefix that two or more required items share and part at. As a wildcard it covers them all.
#[derive(Debug)]
pub(super) struct Node {
    /// The place of the first required item below, among the sorted ones.
    pub(super) first: usize,
    /// The place after the last.
    pub(super) end: usize,
    /// The length of the prefix in bytes.
    pub(super) length: usize,
    /// The node above; the root has none.
    pub(super) parent: Option<usize>,
    /// Required paths right below, in no child.
    pub(super) paths: usize,
    /// Required wildcards right below, in no child.
    pub(super) wildcards: usize,
    /// What those cost if they are sent as they are.
    pub(super) items_cost: u64,
    /// What the wildcard costs.
    pub(super) wildcard_cost: u64,
    /// The needless evictions of the wildcard, if they are known.
    pub(super) counted: Option<u64>,
}

/// The required items and the prefixes they share.
pub(super) struct Trie {
    /// Sorted by their prefixes; none covers another.
    pub(super) items: Vec<InvalidationPath>,
    /// In post-order; the last is the root. Empty for fewer than two items.
    pub(super) nodes: Vec<Node>,
}

/// What an item is sorted and compared by: a wildcard's `*` does not count.
pub(super) fn text(item: &InvalidationPath) -> &str {
    item.wildcard_prefix().unwrap_or(item.as_str())
}

/// A node whose last item has not been seen yet.
struct OpenNode {
    first: usize,
    length: usize,
    children: Vec<usize>,
    /// What its children's wildcards cost together, without the price of the items.
    unchanged_evicted: u64,
    paths: usize,
    wildcards: usize,
    items_cost: u64,
}

impl Trie {
    /// Builds the trie of sorted items none of which covers another. `model` tells the cost of each prefix, and
    /// `path_weight` that of an item where the bucket is listed.
    pub(super) fn new(items: Vec<InvalidationPath>, model: &impl CostModel, path_weight: u64) -> Self {
        let weight = |prefix: &str| if path_weight > 0 && model.is_listed(prefix) { path_weight } else { 0 };
        let mut nodes: Vec<Node> = Vec::new();
        let mut open: Vec<OpenNode> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            // What the item shares with the next one. The last shares nothing, not even the root.
            let shared = items.get(index + 1).map(|next| boundary::shared(text(item), text(next)));
            open_node(&mut open, index, shared);
            if let Some(top) = open.last_mut() {
                top.add(item, weight(text(item)));
            }
            while let Some(done) = open.pop_if(|top| shared.is_none_or(|shared| top.length > shared)) {
                open_node(&mut open, done.first, shared);
                let prefix = text(item).get(..done.length).unwrap_or_default();
                let counted = model.count(prefix);
                let unchanged_evicted = match counted {
                    Some(urls) => urls.saturating_mul(SCALE),
                    None => model.estimate(prefix, index + 1 - done.first).saturating_add(done.unchanged_evicted),
                };
                let place_of_node = nodes.len();
                for &child in &done.children {
                    if let Some(child) = nodes.get_mut(child) {
                        child.parent = Some(place_of_node);
                    }
                }
                if let Some(parent) = open.last_mut() {
                    parent.children.push(place_of_node);
                    parent.unchanged_evicted = parent.unchanged_evicted.saturating_add(unchanged_evicted);
                }
                nodes.push(Node {
                    first: done.first,
                    end: index + 1,
                    length: done.length,
                    parent: None,
                    paths: done.paths,
                    wildcards: done.wildcards,
                    items_cost: done.items_cost,
                    wildcard_cost: unchanged_evicted.saturating_add(weight(prefix)),
                    counted,
                });
            }
        }
        Self { items, nodes }
    }

    /// The prefix of a node.
    pub(super) fn prefix(&self, node: &Node) -> &str {
        self.items.get(node.first).and_then(|item| text(item).get(..node.length)).unwrap_or_default()
    }
}

/// Opens a node for what is shared with the next item, unless the one on top is it, or lies below it.
fn open_node(open: &mut Vec<OpenNode>, first: usize, shared: Option<usize>) {
    if let Some(length) = shared.filter(|&shared| open.last().is_none_or(|top| top.length < shared)) {
        open.push(OpenNode {
            first,
            length,
            children: Vec::new(),
            unchanged_evicted: 0,
            paths: 0,
            wildcards: 0,
            items_cost: 0,
        });
    }
}

impl OpenNode {
    fn add(&mut self, item: &InvalidationPath, weight: u64) {
        if item.wildcard_prefix().is_some() {
            self.wildcards += 1;
        } else {
            self.paths += 1;
        }
        self.items_cost = self.items_cost.saturating_add(weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collapse::cost::Heuristic;

    #[test]
    fn items_hang_below_the_prefixes_they_share() {
        let paths = ["/a", "/a/b/1", "/a/b/2", "/a/c", "/a/d*", "/b"];
        let items = paths.iter().map(|path| InvalidationPath::parse(path).unwrap()).collect();
        let trie = Trie::new(items, &Heuristic, 0);
        let nodes: Vec<_> = trie
            .nodes
            .iter()
            .map(|node| (trie.prefix(node), node.first..node.end, node.parent, node.paths, node.wildcards))
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
    fn one_item_or_none_shares_nothing() {
        assert!(Trie::new(Vec::new(), &Heuristic, 0).nodes.is_empty());
        assert!(Trie::new(vec![InvalidationPath::everything()], &Heuristic, 0).nodes.is_empty());
    }

    #[test]
    fn a_wildcard_costs_more_than_those_below_it_together() {
        let paths = ["/a/1/x", "/a/1/y", "/a/2/x", "/a/2/y", "/b/x", "/b/y"];
        let items = paths.iter().map(|path| InvalidationPath::parse(path).unwrap()).collect();
        let trie = Trie::new(items, &Heuristic, 0);
        for (index, node) in trie.nodes.iter().enumerate() {
            let below: u64 = trie.nodes.iter().filter(|it| it.parent == Some(index)).map(|it| it.wildcard_cost).sum();
            assert!(node.wildcard_cost > below, "{}", trie.prefix(node));
        }
    }
}
