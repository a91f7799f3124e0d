//! The path pattern of a cache behavior, and which paths it matches.

use std::fmt;

use percent_encoding::percent_decode_str;

/// A path pattern: `*` matches zero or more characters, `/` included, and `?` exactly one.
///
/// Patterns are case-sensitive, and the leading `/` is optional.
///
/// Source: CloudFront developer guide, "Path pattern".
///
/// ```
/// use s3_cloudfront_invalidator::path::PathPattern;
///
/// let pattern = PathPattern::new("assets/*.js");
/// assert!(pattern.matches("/assets/a/b.js") && !pattern.matches("/assets/a.JS"));
/// assert!(pattern.may_match_below("/ass") && !pattern.may_match_below("/img/"));
/// assert!(PathPattern::new("/img/*").matches_all_below("/img/2024/"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    /// The pattern, percent-decoded; `None` if it contains no `%`.
    decoded: Option<String>,
}

impl PathPattern {
    /// Creates a pattern from the text that CloudFront returns.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        // A leading `*` matches the leading slash as well.
        let slash = if pattern.starts_with(['/', '*']) { "" } else { "/" };
        let text = format!("{slash}{pattern}");
        let decoded = text.contains('%').then(|| percent_decode_str(&text).decode_utf8_lossy().into_owned());
        Self { text, decoded }
    }

    /// Whether the pattern matches this path, which starts with `/` and has no query string.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        matches_glob(&self.text, path)
    }

    /// Whether the pattern contains a percent escape.
    #[must_use]
    pub fn has_escapes(&self) -> bool {
        self.decoded.is_some()
    }

    /// Whether the percent-decoded pattern matches this path.
    #[must_use]
    pub fn matches_decoded(&self, path: &str) -> bool {
        matches_glob(self.decoded.as_ref().unwrap_or(&self.text), path)
    }

    /// Whether the pattern matches at least one path that starts with `prefix`.
    #[must_use]
    pub fn may_match_below(&self, prefix: &str) -> bool {
        let mut pattern = self.text.chars();
        for character in prefix.chars() {
            match pattern.next() {
                // It can match whatever follows. Most patterns differ from most prefixes before that.
                Some('*') => return true,
                Some('?') => {}
                Some(expected) if expected == character => {}
                _ => return false,
            }
        }
        true
    }

    /// Whether the pattern certainly matches every path that starts with `prefix`.
    ///
    /// Conservative: `false` for every pattern that does not end in `*`.
    #[must_use]
    pub fn matches_all_below(&self, prefix: &str) -> bool {
        self.text.ends_with('*') && self.matches(prefix)
    }
}

/// Whether a pattern matches the whole text: `*` matches zero or more characters and `?` exactly one.
pub(crate) fn matches_glob(pattern: &str, text: &str) -> bool {
    // Backtracking to the last `*` is enough: whatever an earlier one could match, the last one can match instead.
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut last_star = None;
    loop {
        let unread = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = unread;
                last_star = Some((pattern.clone(), text.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(expected), Some(character)) if expected == character => {}
            _ => {
                // The `*` matches one more character.
                let Some((after_star, mut rest)) = last_star.take() else { return false };
                if rest.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), rest.clone());
                last_star = Some((after_star, rest));
            }
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks_match_what_cloudfront_says() {
        for (pattern, path, expected) in [
            ("*", "/", true),
            ("/*", "/a/b", true),
            ("*.jpg", "/a/b.jpg", true),
            ("*.jpg", "/a/b.JPG", false),
            ("*.jpg", "/a/b.jpg.txt", false),
            ("images/*", "/images/", true),
            ("/images/*", "/images", false),
            ("images*", "/images-2/a", true),
            ("a??.jpg", "/a12.jpg", true),
            ("a??.jpg", "/a1.jpg", false),
            ("/a*b*c", "/aXbYbZc", true),
            ("/a*b*c", "/aXcYb", false),
            ("/", "/", true),
            ("/", "/a", false),
            ("**", "/x", true),
            ("/%C3%A9/*", "/%C3%A9/a", true),
            ("/a?", "/a\u{e9}", true),
        ] {
            assert_eq!(PathPattern::new(pattern).matches(path), expected, "{pattern} {path}");
        }
    }

    /// Which positions in the pattern are reachable after matching all of `text`, by definition. Position `n` is before
    /// the pattern's character `n`; the last one is the end of the pattern.
    fn reachable_positions(pattern: &PathPattern, text: &str) -> Vec<bool> {
        let pattern: Vec<char> = pattern.text.chars().collect();
        // A `*` also matches nothing.
        let skip_stars = |reachable: &mut Vec<bool>| {
            for (index, _) in pattern.iter().enumerate().filter(|(_, character)| **character == '*') {
                reachable[index + 1] |= reachable[index];
            }
        };
        let mut reachable = vec![false; pattern.len() + 1];
        reachable[0] = true;
        skip_stars(&mut reachable);
        for character in text.chars() {
            let mut next = vec![false; reachable.len()];
            for (index, expected) in pattern.iter().enumerate().filter(|(index, _)| reachable[*index]) {
                match expected {
                    '*' => next[index] = true,
                    '?' => next[index + 1] = true,
                    expected => next[index + 1] |= *expected == character,
                }
            }
            skip_stars(&mut next);
            reachable = next;
        }
        reachable
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// A pattern may match below a prefix if any position is reachable after it, and matches everything below it if
        /// a position is reachable from which only `*` follows.
        #[test]
        fn prefixes_are_matched_by_definition(pattern in "[ab/%é*?]{1,12}", prefix in "/[ab/%é*?]{0,12}") {
            let pattern = PathPattern::new(&pattern);
            let reachable = reachable_positions(&pattern, &prefix);
            prop_assert_eq!(pattern.may_match_below(&prefix), reachable.contains(&true));
            let stars = pattern.text.chars().rev().take_while(|&it| it == '*').count();
            let all = stars > 0 && reachable.iter().rev().take(stars + 1).any(|&it| it);
            prop_assert_eq!(pattern.matches_all_below(&prefix), all);
            prop_assert_eq!(pattern.matches(&prefix), reachable.last() == Some(&true));
        }
    }

    #[test]
    fn both_matchers_agree() {
        let texts = |alphabet: &[char], length: u32| {
            let count = alphabet.len().pow(length);
            let text = |mut number: usize| -> String {
                let mut next = || (alphabet[number % alphabet.len()], number /= alphabet.len()).0;
                (0..length).map(|_| next()).collect()
            };
            (0..count).map(text).collect::<Vec<_>>()
        };
        for pattern in (0..5).flat_map(|length| texts(&['a', 'b', '*', '?'], length)) {
            let pattern = PathPattern::new(&format!("/{pattern}"));
            for path in (0..5).flat_map(|length| texts(&['a', 'b'], length)) {
                let path = format!("/{path}");
                assert_eq!(
                    pattern.matches(&path),
                    reachable_positions(&pattern, &path).last() == Some(&true),
                    "{pattern} {path}"
                );
            }
        }
    }

    #[test]
    fn prefixes_may_or_must_match() {
        for (pattern, prefix, may, all) in [
            ("*", "/", true, true),
            ("/img/*", "/", true, false),
            ("/img/*", "/img/", true, true),
            ("/img/*", "/img", true, false),
            ("/img/*", "/img/a/b", true, true),
            ("/img/*", "/css/", false, false),
            ("*.js", "/img/", true, false),
            ("/a*b*", "/ab", true, true),
            ("/a*b*", "/a", true, false),
            ("/a.js", "/a.js", true, false),
            ("/a.js", "/a.js.map", false, false),
        ] {
            let pattern = PathPattern::new(pattern);
            assert_eq!(
                (pattern.may_match_below(prefix), pattern.matches_all_below(prefix)),
                (may, all),
                "{pattern} {prefix}"
            );
        }
    }
}
