//! A compressed trie over the required items, with one node for each prefix at which they branch.
//!
//! Nodes are in post-order, children before their parent. Every computation over the trie is therefore a loop, without
//! recursion, however deeply keys are nested.

use super::char_boundary;
use super::cost::{CostModel, SCALE};
use crate::path::InvalidationPath;

/// A prefix that two or more required items share and at which they branch. Its wildcard covers them all.
#[derive(Debug)]
pub(super) struct Node {
    /// The index of the first required item below, in [`Trie::items`].
    pub(super) first: usize,
    /// The index after the last one.
    pub(super) end: usize,
    /// The length of the prefix, in bytes.
    pub(super) length: usize,
    /// The index of the parent node; `None` for the root.
    pub(super) parent: Option<usize>,
    /// The number of required paths directly below, in no child.
    pub(super) paths: usize,
    /// The number of required wildcards directly below, in no child.
    pub(super) wildcards: usize,
    /// The cost of those paths and wildcards if they are sent unchanged.
    pub(super) items_cost: u64,
    /// The cost of the node's wildcard.
    pub(super) wildcard_cost: u64,
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

/// Returns the text by which an item is sorted and compared: a wildcard's `*` is left out.
pub(super) fn text(item: &InvalidationPath) -> &str {
    item.wildcard_prefix().unwrap_or(item.as_str())
}

/// A node whose last item has not been reached yet.
struct OpenNode {
    first: usize,
    length: usize,
    children: Vec<usize>,
    /// The cost of its children's wildcards together, without the weight of the items.
    children_cost: u64,
    paths: usize,
    wildcards: usize,
    items_cost: u64,
}

impl Trie {
    /// Builds the trie of sorted items none of which covers another. `model` gives the cost of each prefix.
    /// `evictions_per_path`, in the same unit, is added for each item where the bucket is listed.
    pub(super) fn new(items: Vec<InvalidationPath>, model: &impl CostModel, evictions_per_path: u64) -> Self {
        let weight =
            |prefix: &str| if evictions_per_path > 0 && model.is_listed(prefix) { evictions_per_path } else { 0 };
        let mut nodes: Vec<Node> = Vec::new();
        let mut open: Vec<OpenNode> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            // The length of the prefix shared with the next item. The last item shares none, so that even the root is
            // closed.
            let shared = items.get(index + 1).map(|next| char_boundary::common_prefix_length(text(item), text(next)));
            open_node(&mut open, index, shared);
            if let Some(top) = open.last_mut() {
                top.add(item, weight(text(item)));
            }
            while let Some(done) = open.pop_if(|top| shared.is_none_or(|shared| top.length > shared)) {
                open_node(&mut open, done.first, shared);
                let prefix = text(item).get(..done.length).unwrap_or_default();
                let unchanged_evicted = model.count(prefix);
                let cost = match unchanged_evicted {
                    Some(urls) => urls.saturating_mul(SCALE),
                    None => model.estimate(prefix, index + 1 - done.first).saturating_add(done.children_cost),
                };
                let node_index = nodes.len();
                for &child in &done.children {
                    if let Some(child) = nodes.get_mut(child) {
                        child.parent = Some(node_index);
                    }
                }
                if let Some(parent) = open.last_mut() {
                    parent.children.push(node_index);
                    parent.children_cost = parent.children_cost.saturating_add(cost);
                }
                nodes.push(Node {
                    first: done.first,
                    end: index + 1,
                    length: done.length,
                    parent: None,
                    paths: done.paths,
                    wildcards: done.wildcards,
                    items_cost: done.items_cost,
                    wildcard_cost: cost.saturating_add(weight(prefix)),
                    unchanged_evicted,
                });
            }
        }
        Self { items, nodes }
    }

    /// Returns the prefix of a node.
    pub(super) fn prefix(&self, node: &Node) -> &str {
        self.items.get(node.first).and_then(|item| text(item).get(..node.length)).unwrap_or_default()
    }
}

/// Opens a node for the prefix shared with the next item, unless the top of the stack is at least as long.
fn open_node(open: &mut Vec<OpenNode>, first: usize, shared: Option<usize>) {
    if let Some(length) = shared.filter(|&shared| open.last().is_none_or(|top| top.length < shared)) {
        open.push(OpenNode {
            first,
            length,
            children: Vec::new(),
            children_cost: 0,
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
    fn items_are_grouped_under_their_shared_prefixes() {
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
            let children_cost: u64 =
                trie.nodes.iter().filter(|it| it.parent == Some(index)).map(|it| it.wildcard_cost).sum();
            assert!(node.wildcard_cost > children_cost, "{}", trie.prefix(node));
        }
    }
}
