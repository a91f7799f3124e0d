//! What is known of a bucket's keys, and how far it goes.

/// A byte that no key holds, as keys are UTF-8. Behind a prefix it stands for the end of all that starts with it.
const END: u8 = 0xff;

/// A place in the order of keys: before the key that has these bytes, if there is one. A key's text stands for the place
/// just before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPosition(Vec<u8>);

impl KeyPosition {
    /// Before everything that starts with `prefix`.
    pub(crate) fn before(prefix: &str) -> Self {
        Self(prefix.into())
    }

    /// Behind everything that starts with `prefix`.
    pub(crate) fn after_prefix(prefix: &str) -> Self {
        Self([prefix.as_bytes(), &[END]].concat())
    }

    /// Between `key` and whatever may follow it.
    pub(crate) fn after_key(key: &str) -> Self {
        Self([key.as_bytes(), &[0]].concat())
    }

    /// Whether the key lies before this place.
    pub(crate) fn is_after(&self, key: &str) -> bool {
        key.as_bytes() < self.0.as_slice()
    }

    /// What to list `after`, exclusively, so that nothing from this place on is missed. There is no string right below
    /// another, so a few keys before the place may come along: those with one of the last characters of Unicode.
    pub(crate) fn start_after(&self) -> String {
        let (text, is_end) = match self.0.split_last() {
            Some((&END, prefix)) => (prefix, true),
            _ => (self.0.as_slice(), false),
        };
        // A place is made of a text and at most one byte more.
        let mut after = String::from_utf8_lossy(text).into_owned();
        if !is_end {
            match after.pop().and_then(|last| ('\0'..last).next_back()) {
                Some(lower) => after.push(lower),
                // Behind a key.
                None => return after,
            }
        }
        if after.len() + LAST_CHARACTER.len_utf8() <= MAX_START_BYTES {
            after.push(LAST_CHARACTER);
        }
        after
    }
}

/// The last character of Unicode that may be used.
const LAST_CHARACTER: char = '\u{10fffd}';

/// The longest `StartAfter`, which is a key. Source: S3 user guide, "Naming Amazon S3 objects".
const MAX_START_BYTES: usize = 1024;

/// What was learnt of one bucket's keys.
#[derive(Clone, Debug, Default)]
pub struct KeyListing {
    /// Sorted, each once.
    keys: Vec<String>,
    /// Where every key is known, from the first place to the second: sorted, and none touches another.
    known_ranges: Vec<(KeyPosition, KeyPosition)>,
    requests: usize,
}

impl KeyListing {
    /// Takes what was read, in any order.
    pub(crate) fn new(mut keys: Vec<String>, mut read: Vec<(KeyPosition, KeyPosition)>, requests: usize) -> Self {
        // Not an unstable sort: pages are runs, which a stable one merges.
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

    /// The keys that are known, in the order of their bytes, each once.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// Whether every key that starts with `key_prefix` is known. If so, it is for every longer prefix.
    #[must_use]
    pub fn is_complete(&self, key_prefix: &str) -> bool {
        let behind = self.known_ranges.partition_point(|(from, _)| from.0.as_slice() <= key_prefix.as_bytes());
        let holds = |(_, to): &(KeyPosition, KeyPosition)| *to >= KeyPosition::after_prefix(key_prefix);
        behind.checked_sub(1).and_then(|last| self.known_ranges.get(last)).is_some_and(holds)
    }

    /// How many requests it took, those that failed included.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_after_is_just_before_the_place() {
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
    fn a_prefix_is_complete_where_all_that_starts_with_it_was_read() {
        let read = vec![
            (KeyPosition::after_key("b/5"), KeyPosition::after_prefix("b/")),
            (KeyPosition::before("a/"), KeyPosition::after_key("b/5")),
            (KeyPosition::before("c"), KeyPosition::after_key("c")),
        ];
        let listing = KeyListing::new(vec!["b/5".into(), "a/".into(), "b/5".into()], read, 3);
        assert_eq!(listing.keys().collect::<Vec<_>>(), ["a/", "b/5"]);
        for complete in ["a/", "a/x", "b/", "b", "aa", "b/5", "ab/"] {
            assert_eq!(listing.is_complete(complete), complete != "b", "{complete}");
        }
        for incomplete in ["", "a", "c", "a.", "b0", "d"] {
            assert!(!listing.is_complete(incomplete), "{incomplete}");
        }
        assert!(!KeyListing::default().is_complete(""));
        let all = KeyListing::new(Vec::new(), vec![(KeyPosition::before(""), KeyPosition::after_prefix(""))], 1);
        assert!(all.is_complete("") && all.is_complete("x"));
    }
}
