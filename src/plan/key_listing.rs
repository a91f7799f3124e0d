//! The listed keys of a bucket, and the ranges in which the listing is complete.

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

    /// Whether the position is after the key.
    pub(crate) fn is_after(&self, key: &str) -> bool {
        key.as_bytes() < self.0.as_slice()
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

/// The listed keys of one bucket.
#[derive(Clone, Debug, Default)]
pub struct KeyListing {
    /// Sorted and deduplicated.
    keys: Vec<String>,
    /// The ranges in which every key is known, with their start and end: sorted, neither overlapping nor adjacent.
    known_ranges: Vec<(KeyPosition, KeyPosition)>,
    requests: usize,
}

impl KeyListing {
    /// Creates a listing from keys and ranges in any order.
    pub(crate) fn new(mut keys: Vec<String>, mut read: Vec<(KeyPosition, KeyPosition)>, requests: usize) -> Self {
        // A stable sort merges sorted runs, and each page is one; an unstable sort does not.
        keys.sort();
        keys.dedup();
        read.sort();
        let mut known_ranges: Vec<(KeyPosition, KeyPosition)> = Vec::new();
        for (from, to) in read {
            match known_ranges.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(end.clone()),
                _ => known_ranges.push((from, to)),
            }
        }
        Self { keys, known_ranges, requests }
    }

    /// Returns the listed keys in byte order, each once.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// Whether every key that starts with `key_prefix` is known. If so, this holds for every longer prefix.
    #[must_use]
    pub fn is_complete(&self, key_prefix: &str) -> bool {
        let after = self.known_ranges.partition_point(|(from, _)| from.0.as_slice() <= key_prefix.as_bytes());
        let holds = |(_, to): &(KeyPosition, KeyPosition)| *to >= KeyPosition::after_prefix(key_prefix);
        after.checked_sub(1).and_then(|last| self.known_ranges.get(last)).is_some_and(holds)
    }

    /// Returns the number of requests made, including failed ones.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_after_is_just_before_the_position() {
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
            assert!(position.is_after(after));
        }
        for key in ["a/", "a/b"] {
            assert!(!KeyPosition::before("a/").is_after(key));
            assert!(KeyPosition::after_prefix("a/").is_after(key));
        }
        assert!(KeyPosition::before("a/").is_after("a.html"));
        assert!(!KeyPosition::after_prefix("a/").is_after("a0"));
        assert!(KeyPosition::before(&"k".repeat(1024)).start_after().len() <= 1024);
    }

    #[test]
    fn a_prefix_is_complete_where_all_its_keys_were_read() {
        let read = vec![
            (KeyPosition::after_key("b/5"), KeyPosition::after_prefix("b/")),
            (KeyPosition::before("a/"), KeyPosition::after_key("b/5")),
            (KeyPosition::before("c"), KeyPosition::after_key("c")),
        ];
        let listing = KeyListing::new(vec!["b/5".into(), "a/".into(), "b/5".into()], read, 3);
        assert_eq!(listing.keys().collect::<Vec<_>>(), ["a/", "b/5"]);
        for prefix in ["a/", "a/x", "b/", "b", "aa", "b/5", "ab/"] {
            assert_eq!(listing.is_complete(prefix), prefix != "b", "{prefix}");
        }
        for incomplete in ["", "a", "c", "a.", "b0", "d"] {
            assert!(!listing.is_complete(incomplete), "{incomplete}");
        }
        assert!(!KeyListing::default().is_complete(""));
        let all = KeyListing::new(Vec::new(), vec![(KeyPosition::before(""), KeyPosition::after_prefix(""))], 1);
        assert!(all.is_complete("") && all.is_complete("x"));
    }
}
