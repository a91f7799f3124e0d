//! Divides the keys around a set of changes into ranges, at the boundaries of directories.
//!
//! A directory is a prefix that ends with `/`. Only two kinds matter: directories that hold changed keys directly, and
//! the deepest directories that two changes have in common. A wildcard for any other directory would evict more than
//! the one for the directory below it. So there are at most two directories for each change, however deep the keys are
//! nested.

use crate::plan::KeyPosition;

/// How many changes of one directory lie between two cuts. Several requests can read a large directory concurrently,
/// each from another cut.
const CHANGES_BETWEEN_CUTS: usize = 64;

/// How a range relates to the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeKind {
    /// Part of a directory that holds changes, none of them in a subdirectory.
    Changed,
    /// Part of such a directory, before the common prefix of its changes.
    BeforeChanges,
    /// Part of a directory that holds changes in subdirectories, outside these subdirectories.
    Gap,
}

/// A range of keys. Its start moves forward as keys are read.
#[derive(Clone, Debug)]
pub(super) struct KeyRange {
    pub(super) from: KeyPosition,
    pub(super) to: KeyPosition,
    pub(super) kind: RangeKind,
    /// Whether part of it is still unread.
    pub(super) is_unread: bool,
    /// Whether reading it failed, so that it stays unknown.
    pub(super) is_unreadable: bool,
    /// How many pages were started in it.
    pub(super) pages: usize,
    /// How many keys were read in it.
    pub(super) keys: usize,
}

/// A directory that a wildcard may stand for.
#[derive(Clone, Debug)]
pub(super) struct DirectoryNode {
    /// The indices of its ranges: the first, and one past the last.
    pub(super) ranges: (usize, usize),
    /// How many changes it holds.
    pub(super) changes: usize,
}

/// All ranges: the keys of the deepest directory that holds all changes.
#[derive(Debug, Default)]
pub(super) struct KeyRanges {
    /// Sorted by key, without gaps between them.
    pub(super) ranges: Vec<KeyRange>,
    /// Each directory before those in it.
    pub(super) directories: Vec<DirectoryNode>,
}

impl KeyRanges {
    /// Divides the keys around the changes. `changed` is sorted, and each key in it starts with `below`.
    pub(super) fn new(below: &str, changed: &[&str]) -> Self {
        let mut key_ranges = Self::default();
        // The directories around the current position, each with its index in `directories` and the kind of its own
        // ranges.
        let mut enclosing: Vec<(&str, usize, RangeKind)> = Vec::new();
        let mut from = KeyPosition::before(below);
        for Directory { prefix, kind, cuts } in directories(below, changed) {
            while let Some((outer, directory, kind)) = enclosing.pop_if(|(outer, ..)| !prefix.starts_with(*outer)) {
                from = key_ranges.close_directory(outer, directory, kind, from);
            }
            let position = KeyPosition::before(prefix);
            if !enclosing.is_empty() {
                key_ranges.push(from, position.clone(), RangeKind::Gap);
            }
            from = position;
            enclosing.push((prefix, key_ranges.directories.len(), kind));
            let ranges = (key_ranges.ranges.len(), key_ranges.ranges.len());
            key_ranges.directories.push(DirectoryNode { ranges, changes: changes_below(changed, prefix).len() });
            for (cut, kind) in cuts {
                let position = KeyPosition::before(cut);
                key_ranges.push(from, position.clone(), kind);
                from = position;
            }
        }
        while let Some((outer, directory, kind)) = enclosing.pop() {
            from = key_ranges.close_directory(outer, directory, kind, from);
        }
        key_ranges
    }

    /// Records that a range cannot be read.
    pub(super) fn give_up(&mut self, range: usize) {
        if let Some(range) = self.ranges.get_mut(range) {
            range.is_unreadable = true;
        }
    }

    /// Returns how many ranges of directories with changes are not completely read.
    pub(super) fn unread_changed_ranges(&self) -> usize {
        self.ranges.iter().filter(|range| range.kind != RangeKind::Gap && range.is_unread).count()
    }

    fn close_directory(&mut self, prefix: &str, directory: usize, kind: RangeKind, from: KeyPosition) -> KeyPosition {
        let to = KeyPosition::after_prefix(prefix);
        self.push(from, to.clone(), kind);
        if let Some(directory) = self.directories.get_mut(directory) {
            directory.ranges.1 = self.ranges.len();
        }
        to
    }

    fn push(&mut self, from: KeyPosition, to: KeyPosition, kind: RangeKind) {
        if from < to {
            self.ranges.push(KeyRange { from, to, kind, is_unread: true, is_unreadable: false, pages: 0, keys: 0 });
        }
    }

    /// Records that everything from the start of range `first` to `to` was read, and that it holds `keys`.
    pub(super) fn read(&mut self, first: usize, to: &KeyPosition, keys: &[String]) {
        let mut rest = keys;
        for range in self.ranges.iter_mut().skip(first).take_while(|range| range.from < *to) {
            let (_, from_here) = rest.split_at(rest.partition_point(|key| range.from.is_after(key)));
            let (here, behind) = from_here.split_at(from_here.partition_point(|key| range.to.is_after(key)));
            rest = behind;
            if range.is_unread {
                range.keys += here.len();
                range.is_unread = *to < range.to;
                range.from = to.clone().min(range.to.clone());
            }
        }
    }
}

/// A directory that matters.
struct Directory<'a> {
    /// The prefix, with its `/`.
    prefix: &'a str,
    /// The kind of its ranges outside the directories in it.
    kind: RangeKind,
    /// The keys or prefixes to cut it before, each with the kind of the range before the cut.
    cuts: Vec<(&'a str, RangeKind)>,
}

/// Returns the directories that matter, each before those in it.
fn directories<'a>(below: &str, changed: &[&'a str]) -> Vec<Directory<'a>> {
    let mut directories: Vec<_> = changed.iter().map(|key| directory(below, key)).collect();
    directories.dedup();
    let branches: Vec<_> = directories
        .iter()
        .zip(directories.iter().skip(1))
        .map(|(one, next)| directory(below, common_prefix(one, next)))
        .collect();
    directories.extend(branches);
    directories.sort_unstable();
    directories.dedup();
    let holds_another = |position: usize, directory: &str| {
        directories.get(position + 1).is_some_and(|next: &&str| next.starts_with(directory))
    };
    let divide = |(position, &directory): (usize, &&'a str)| {
        if holds_another(position, directory) {
            return Directory { prefix: directory, kind: RangeKind::Gap, cuts: Vec::new() };
        }
        let inside = changes_below(changed, directory);
        let mut cuts = Vec::new();
        if let (Some(first), Some(last)) = (inside.first(), inside.last())
            && first != last
            && common_prefix(first, last).len() > directory.len()
        {
            cuts.push((common_prefix(first, last), RangeKind::BeforeChanges));
        }
        cuts.extend(inside.iter().step_by(CHANGES_BETWEEN_CUTS).skip(1).map(|key| (*key, RangeKind::Changed)));
        Directory { prefix: directory, kind: RangeKind::Changed, cuts }
    };
    directories.iter().enumerate().map(divide).collect()
}

/// Returns the directory that holds a key directly, with its `/`; never shorter than `below`.
fn directory<'a>(below: &str, key: &'a str) -> &'a str {
    let end = key.rfind('/').map_or(0, |slash| slash + 1).max(below.len());
    key.get(..end).unwrap_or(key)
}

fn common_prefix<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    one.get(..one.floor_char_boundary(same)).unwrap_or_default()
}

/// Returns the changed keys that start with `prefix`.
fn changes_below<'c, 'a>(changed: &'c [&'a str], prefix: &str) -> &'c [&'a str] {
    let rest = changed.get(changed.partition_point(|key| *key < prefix)..).unwrap_or_default();
    rest.get(..rest.partition_point(|key| key.starts_with(prefix))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the ranges, each as its bounds and its kind.
    fn ranges(below: &str, changed: &[&str]) -> Vec<(KeyPosition, KeyPosition, RangeKind)> {
        let key_ranges = KeyRanges::new(below, changed);
        key_ranges.ranges.into_iter().map(|it| (it.from, it.to, it.kind)).collect()
    }

    #[test]
    fn directories_are_ranges_of_their_own() {
        let (a, c) = (KeyPosition::before("w/a/"), KeyPosition::before("w/c/"));
        let (behind_a, behind_c) = (KeyPosition::after_prefix("w/a/"), KeyPosition::after_prefix("w/c/"));
        assert_eq!(
            ranges("w/", &["w/a/1", "w/c/1"]),
            [
                (KeyPosition::before("w/"), a.clone(), RangeKind::Gap),
                (a, behind_a.clone(), RangeKind::Changed),
                (behind_a, c.clone(), RangeKind::Gap),
                (c, behind_c.clone(), RangeKind::Changed),
                (behind_c, KeyPosition::after_prefix("w/"), RangeKind::Gap),
            ]
        );
        assert_eq!(
            ranges("", &["x/y/1"]),
            [(KeyPosition::before("x/y/"), KeyPosition::after_prefix("x/y/"), RangeKind::Changed)],
            "nothing beyond the directory that holds all changes"
        );
    }

    #[test]
    fn keys_before_the_changes_of_a_directory_are_a_range_of_their_own() {
        let [start, core, end] =
            [KeyPosition::before("d/"), KeyPosition::before("d/é"), KeyPosition::after_prefix("d/")];
        assert_eq!(
            ranges("", &["d/éa", "d/éb"]),
            [(start, core.clone(), RangeKind::BeforeChanges), (core, end, RangeKind::Changed)]
        );
    }

    #[test]
    fn a_directory_with_many_changes_is_split() {
        let keys: Vec<_> = (0..130).map(|n| format!("{n:03}")).collect();
        let changed: Vec<_> = keys.iter().map(String::as_str).collect();
        let froms: Vec<_> = ranges("", &changed).into_iter().map(|(from, ..)| from).collect();
        assert_eq!(froms, ["", "064", "128"].map(KeyPosition::before));
    }

    #[test]
    fn deep_nesting_adds_no_directories() {
        let keys: Vec<_> = (0..500).map(|n| format!("{}{n:03}/x", "a/".repeat(400))).collect();
        let changed: Vec<_> = keys.iter().map(String::as_str).collect();
        let key_ranges = KeyRanges::new("", &changed);
        assert_eq!(key_ranges.directories.len(), 501);
        assert_eq!(key_ranges.directories[0].changes, 500);
        assert_eq!(key_ranges.directories[0].ranges, (0, key_ranges.ranges.len()));
        assert_eq!(key_ranges.directories[1].ranges, (1, 2));
    }

    #[test]
    fn reading_advances_the_start_of_a_range() {
        let mut key_ranges = KeyRanges::new("", &["a/1", "c/1"]);
        let keys = ["a.html", "a/1", "a/2", "b"].map(str::to_owned);
        key_ranges.read(0, &KeyPosition::after_key("b"), &keys);
        let seen: Vec<_> = key_ranges.ranges.iter().map(|range| (range.is_unread, range.keys)).collect();
        assert_eq!(seen, [(false, 1), (false, 2), (true, 1), (true, 0), (true, 0)]);
        assert_eq!(key_ranges.ranges[2].from, KeyPosition::after_key("b"));
    }
}
