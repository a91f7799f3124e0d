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

    /// The pattern of the default cache behavior, `*`.
    #[must_use]
    pub fn everything() -> Self {
        Self::new("*")
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
        // Every remainder of a pattern matches some text.
        self.reachable_positions(prefix).contains(&true)
    }

    /// Whether the pattern certainly matches every path that starts with `prefix`.
    ///
    /// Conservative: `false` for every pattern that does not end in `*`.
    #[must_use]
    pub fn matches_all_below(&self, prefix: &str) -> bool {
        let stars = self.text.chars().rev().take_while(|&it| it == '*').count();
        let reachable = self.reachable_positions(prefix);
        stars > 0 && reachable.iter().rev().take(stars + 1).any(|&it| it)
    }

    /// Returns which positions in the pattern are reachable after matching all of `text`.
    ///
    /// Position `n` is before the pattern's character `n`; the last one is the end of the pattern.
    fn reachable_positions(&self, text: &str) -> Vec<bool> {
        let pattern: Vec<char> = self.text.chars().collect();
        let mut reachable = vec![false; pattern.len() + 1];
        if let Some(first) = reachable.first_mut() {
            *first = true;
        }
        skip_stars(&pattern, &mut reachable);
        for character in text.chars() {
            let mut next = vec![false; reachable.len()];
            for (index, expected) in pattern.iter().enumerate() {
                if reachable.get(index) != Some(&true) {
                    continue;
                }
                let next_position = match expected {
                    '*' => index,
                    '?' => index + 1,
                    expected if *expected == character => index + 1,
                    _ => continue,
                };
                if let Some(next) = next.get_mut(next_position) {
                    *next = true;
                }
            }
            skip_stars(&pattern, &mut next);
            reachable = next;
        }
        reachable
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

/// Marks the positions after a `*` as reachable, since `*` also matches nothing.
fn skip_stars(pattern: &[char], reachable: &mut [bool]) {
    for (index, _) in pattern.iter().enumerate().filter(|(_, character)| **character == '*') {
        if reachable.get(index) == Some(&true)
            && let Some(after_star) = reachable.get_mut(index + 1)
        {
            *after_star = true;
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
                    pattern.reachable_positions(&path).last() == Some(&true),
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
