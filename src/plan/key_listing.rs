//! The listed keys of a bucket, and the ranges in which the listing is complete.

use std::iter;

/// A byte that no key contains, as keys are UTF-8. After a prefix it marks the end of all keys with that prefix.
const END: u8 = 0xff;

/// A position in the byte order of keys, between two keys.
///
/// The position with the bytes of a key is the one just before that key, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPosition(Vec<u8>);

impl KeyPosition {
    /// The position before all keys that start with `prefix`.
    pub(crate) fn before(prefix: &str) -> Self {
        Self(prefix.into())
    }

    /// The position after all keys that start with `prefix`.
    pub(crate) fn after_prefix(prefix: &str) -> Self {
        Self([prefix.as_bytes(), &[END]].concat())
    }

    /// The position directly after `key`.
    pub(crate) fn after_key(key: &str) -> Self {
        Self([key.as_bytes(), &[0]].concat())
    }

    /// Returns the exclusive `StartAfter` with which a listing misses no key from this position on.
    ///
    /// A string has no direct predecessor in the byte order, so the listing may include a few keys before the position,
    /// such as those with one of the last characters of Unicode.
    pub(crate) fn start_after(&self) -> String {
        let (text, is_end) = match self.0.split_last() {
            Some((&END, prefix)) => (prefix, true),
            _ => (self.0.as_slice(), false),
        };
        // A position consists of a text and at most one more byte.
        let mut after = String::from_utf8_lossy(text).into_owned();
        if !is_end {
            match after.pop().and_then(|last| ('\0'..last).next_back()) {
                Some(lower) => after.push(lower),
                // The position is directly after a key, so the text is that key.
                None => return after,
            }
        }
        if after.len() + LAST_CHARACTER.len_utf8() <= MAX_START_BYTES {
            after.push(LAST_CHARACTER);
        }
        after
    }
}

/// The last Unicode character that is not a noncharacter.
const LAST_CHARACTER: char = '\u{10fffd}';

/// The longest `StartAfter`, in bytes: that of a key. Source: S3 user guide, "Naming Amazon S3 objects".
const MAX_START_BYTES: usize = 1024;

/// The ranges in which every key is known, with their start and end: sorted, neither overlapping nor adjacent.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownRanges(Vec<(KeyPosition, KeyPosition)>);

impl KnownRanges {
    /// Adds a range. Returns the position up to which all keys from its start on are known now.
    pub(crate) fn add(&mut self, from: KeyPosition, to: KeyPosition) -> KeyPosition {
        let touches = |(start, end): &(_, _)| *start <= to && from <= *end;
        let (touching, apart): (Vec<_>, Vec<_>) = std::mem::take(&mut self.0).into_iter().partition(touches);
        self.0 = apart;
        let (from, to) =
            touching.into_iter().fold((from, to), |(from, to), (start, end)| (from.min(start), to.max(end)));
        self.0.insert(self.0.partition_point(|(start, _)| *start < from), (from, to.clone()));
        to
    }

    /// Returns the ranges between two positions in which keys are unknown, in order.
    pub(crate) fn unread<'a>(
        &'a self,
        from: &'a KeyPosition,
        to: &'a KeyPosition,
    ) -> impl Iterator<Item = (&'a KeyPosition, &'a KeyPosition)> {
        let known = self.0.get(self.0.partition_point(|(_, end)| end <= from)..).unwrap_or_default();
        let known = known.iter().take_while(move |(start, _)| start < to);
        let starts = iter::once(from).chain(known.clone().map(|(_, end)| end));
        starts.zip(known.map(|(start, _)| start).chain(iter::once(to))).filter(|(start, end)| start < end)
    }
}

/// The listed keys of one bucket.
#[derive(Clone, Debug, Default)]
pub struct KeyListing {
    /// Sorted and deduplicated.
    keys: Vec<String>,
    known: KnownRanges,
}

impl KeyListing {
    /// Creates a listing from keys in any order.
    pub(crate) fn new(mut keys: Vec<String>, known: KnownRanges) -> Self {
        // A stable sort merges sorted runs, and each page is one; an unstable sort does not.
        keys.sort();
        keys.dedup();
        Self { keys, known }
    }

    /// Returns the listed keys in byte order, each once.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// Whether every key that starts with `key_prefix` is known. If so, this holds for every longer prefix.
    #[must_use]
    pub fn is_complete(&self, key_prefix: &str) -> bool {
        let (from, to) = (KeyPosition::before(key_prefix), KeyPosition::after_prefix(key_prefix));
        self.known.unread(&from, &to).next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_after_is_just_before_the_position() {
        let is_after = |position: &KeyPosition, key: &str| key.as_bytes() < position.0.as_slice();
        for (position, after) in [
            (KeyPosition::before("a/"), "a.\u{10fffd}"),
            (KeyPosition::after_prefix("a/"), "a/\u{10fffd}"),
            (KeyPosition::after_prefix(""), "\u{10fffd}"),
            (KeyPosition::after_key("a/b"), "a/b"),
            (KeyPosition::after_key("a\0"), "a\0"),
            (KeyPosition::before("a\0"), "a"),
            (KeyPosition::before("\u{e000}"), "\u{d7ff}\u{10fffd}"),
        ] {
            assert_eq!(position.start_after(), after, "{position:?}");
            assert!(is_after(&position, after));
        }
        for key in ["a/", "a/b"] {
            assert!(!is_after(&KeyPosition::before("a/"), key));
            assert!(is_after(&KeyPosition::after_prefix("a/"), key));
        }
        assert!(is_after(&KeyPosition::before("a/"), "a.html"));
        assert!(!is_after(&KeyPosition::after_prefix("a/"), "a0"));
        assert!(KeyPosition::before(&"k".repeat(1024)).start_after().len() <= 1024);
    }

    #[test]
    fn a_prefix_is_complete_where_all_its_keys_were_read() {
        let mut known = KnownRanges::default();
        known.add(KeyPosition::after_key("b/5"), KeyPosition::after_prefix("b/"));
        known.add(KeyPosition::before("a/"), KeyPosition::after_key("b/5"));
        known.add(KeyPosition::before("c"), KeyPosition::after_key("c"));
        let listing = KeyListing::new(vec!["b/5".into(), "a/".into(), "b/5".into()], known);
        assert_eq!(listing.keys().collect::<Vec<_>>(), ["a/", "b/5"]);
        for prefix in ["a/", "a/x", "b/", "b", "aa", "b/5", "ab/"] {
            assert_eq!(listing.is_complete(prefix), prefix != "b", "{prefix}");
        }
        for incomplete in ["", "a", "c", "a.", "b0", "d"] {
            assert!(!listing.is_complete(incomplete), "{incomplete}");
        }
        assert!(!KeyListing::default().is_complete(""));
        let mut known = KnownRanges::default();
        known.add(KeyPosition::before(""), KeyPosition::after_prefix(""));
        let all = KeyListing::new(Vec::new(), known);
        assert!(all.is_complete("") && all.is_complete("x"));
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let position = KeyPosition::before;
        let mut known = KnownRanges::default();
        assert_eq!(known.add(position("b"), position("c")), position("c"));
        assert_eq!(known.add(position("e"), position("f")), position("f"));
        let (from, to) = (position("a"), position("g"));
        let unread = |known: &KnownRanges| {
            known.unread(&from, &to).map(|(from, to)| (from.clone(), to.clone())).collect::<Vec<_>>()
        };
        let (start, end) = ((position("a"), position("b")), (position("f"), position("g")));
        assert_eq!(unread(&known), [start.clone(), (position("c"), position("e")), end.clone()]);
        assert_eq!(known.add(position("c"), position("d")), position("d"));
        assert_eq!(unread(&known), [start.clone(), (position("d"), position("e")), end.clone()]);
        assert_eq!(known.add(position("bb"), position("ee")), position("f"));
        assert_eq!(unread(&known), [start, end]);
        assert_eq!(known.unread(&position("b"), &position("f")).next(), None);
        assert_eq!(known.unread(&position("bb"), &position("ff")).next(), Some((&position("f"), &position("ff"))));
    }
}
