//! Finds the directories that a wildcard may stand for, and divides those with changes into parts to read.
//!
//! A directory is a prefix that ends with `/`. Only two kinds matter: directories that hold changed keys directly, and
//! the deepest directories that two changes have in common. A wildcard for any other directory would evict more than
//! the one for the directory below it. So there are at most two directories for each change, however deep the keys are
//! nested.

use std::collections::BTreeSet;

use crate::plan::{KeyPosition, KnownRanges};

/// How many changes of one directory lie between two cuts. Several requests can read a large directory concurrently,
/// each from another cut.
const CHANGES_BETWEEN_CUTS: usize = 64;

/// A directory that a wildcard may stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) from: KeyPosition,
    pub(super) to: KeyPosition,
    /// How many changes it holds.
    pub(super) changes: usize,
}

/// A part of a directory that holds changes, none of them in a subdirectory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Where its first page starts.
    pub(super) from: KeyPosition,
    /// Where the other pages start: where the keys with the common prefix of the directory's changes do, if that is
    /// later. If there are too many keys before them for one page, those left unread are a gap.
    pub(super) core: KeyPosition,
    pub(super) to: KeyPosition,
    /// How many pages were started in it.
    pub(super) pages: usize,
}

impl Part {
    /// Returns where its next page starts; `None` if its core is known.
    pub(super) fn unread_from<'a>(&'a self, known: &'a KnownRanges) -> Option<&'a KeyPosition> {
        let (in_core, _) = known.unread(&self.core, &self.to).next()?;
        let (from, _) = known.unread(&self.from, &self.to).next()?;
        Some(if self.pages == 0 { from } else { in_core })
    }
}

/// Returns the directories that matter, each before those in it, and the parts of those that hold no other. `changed`
/// is sorted, and each key in it starts with `below`.
pub(super) fn divide(below: &str, changed: &[&str]) -> (Vec<Directory>, Vec<Part>) {
    let mut prefixes: BTreeSet<_> = changed.iter().map(|key| directory(below, key)).collect();
    let neighbors = changed.iter().zip(changed.iter().skip(1));
    prefixes.extend(neighbors.map(|(one, next)| directory(below, common_prefix(one, next))));
    let (mut directories, mut parts) = (Vec::new(), Vec::<Part>::new());
    let mut following = prefixes.iter().skip(1);
    for &prefix in &prefixes {
        let inside = changes_below(changed, prefix);
        let (mut from, end) = (KeyPosition::before(prefix), KeyPosition::after_prefix(prefix));
        directories.push(Directory { from: from.clone(), to: end.clone(), changes: inside.len() });
        let holds_another = following.next().is_some_and(|next| next.starts_with(prefix));
        if !holds_another && let (Some(first), Some(last)) = (inside.first(), inside.last()) {
            let mut core = KeyPosition::before(if first == last { prefix } else { common_prefix(first, last) });
            let cuts = inside.iter().step_by(CHANGES_BETWEEN_CUTS).skip(1).map(|key| KeyPosition::before(key));
            for to in cuts.chain([end]) {
                parts.push(Part { from, core, to: to.clone(), pages: 0 });
                (from, core) = (to.clone(), to);
            }
        }
    }
    (directories, parts)
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

    fn before(prefix: &str) -> KeyPosition {
        KeyPosition::before(prefix)
    }

    /// Returns the directories, each as its bounds and its number of changes.
    fn directories(below: &str, changed: &[&str]) -> Vec<(KeyPosition, KeyPosition, usize)> {
        divide(below, changed).0.into_iter().map(|it| (it.from, it.to, it.changes)).collect()
    }

    /// Returns the parts, each as its start, the start of its core, and its end.
    fn parts(below: &str, changed: &[&str]) -> Vec<(KeyPosition, KeyPosition, KeyPosition)> {
        divide(below, changed).1.into_iter().map(|it| (it.from, it.core, it.to)).collect()
    }

    #[test]
    fn directories_with_changes_and_those_around_them_matter() {
        let bounds = |prefix, changes| (before(prefix), KeyPosition::after_prefix(prefix), changes);
        assert_eq!(
            directories("w/", &["w/a/1", "w/a/2", "w/c/1"]),
            [bounds("w/", 3), bounds("w/a/", 2), bounds("w/c/", 1)]
        );
        assert_eq!(
            parts("w/", &["w/a/1", "w/a/12", "w/c/1"]),
            [
                (before("w/a/"), before("w/a/1"), KeyPosition::after_prefix("w/a/")),
                (before("w/c/"), before("w/c/"), KeyPosition::after_prefix("w/c/")),
            ]
        );
        assert_eq!(directories("", &["x/y/1"]), [bounds("x/y/", 1)], "nothing beyond the directory that holds all");
        assert_eq!(divide("", &[]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn the_core_of_a_directory_is_the_common_prefix_of_its_changes() {
        let end = KeyPosition::after_prefix("d/");
        assert_eq!(parts("", &["d/éa", "d/éb"]), [(before("d/"), before("d/é"), end)]);
    }

    #[test]
    fn a_directory_with_many_changes_is_cut() {
        let keys: Vec<_> = (0..130).map(|n| format!("{n:03}")).collect();
        let changed: Vec<_> = keys.iter().map(String::as_str).collect();
        let cuts: Vec<_> = parts("", &changed).into_iter().map(|(from, core, _)| (from, core)).collect();
        assert_eq!(cuts, ["", "064", "128"].map(|cut| (before(cut), before(cut))));
    }

    #[test]
    fn deep_nesting_adds_no_directories() {
        let keys: Vec<_> = (0..500).map(|n| format!("{}{n:03}/x", "a/".repeat(400))).collect();
        let changed: Vec<_> = keys.iter().map(String::as_str).collect();
        let (directories, parts) = divide("", &changed);
        assert_eq!((directories.len(), parts.len()), (501, 500));
        assert_eq!((directories[0].changes, directories[1].changes), (500, 1));
    }

    #[test]
    fn a_part_is_read_on_from_its_core() {
        let (_, mut parts) = divide("", &["d/m1", "d/m2"]);
        let (part, mut known) = (&mut parts[0], KnownRanges::default());
        assert_eq!(part.unread_from(&known), Some(&before("d/")));
        known.add(before("d/"), before("d/c"));
        assert_eq!(part.unread_from(&known), Some(&before("d/c")));
        part.pages = 1;
        assert_eq!(part.unread_from(&known), Some(&before("d/m")));
        known.add(before("d/m"), before("e"));
        assert_eq!(part.unread_from(&known), None);
    }
}
