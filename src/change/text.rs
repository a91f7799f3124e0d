//! Escaping and shortening of untrusted text, for error messages and log lines.

/// The number of characters of a value that a message quotes. A longer excerpt helps nobody, and logs are billed by the
/// byte.
const EXCERPT_CHARACTERS: usize = 80;

/// Returns the first 80 characters of `value`, with control characters, quotes and backslashes escaped, and with `…`
/// appended if it was cut.
///
/// ```
/// use s3_cloudfront_invalidator::change::text::excerpt;
///
/// assert_eq!(excerpt("a\nb"), r"a\nb");
/// assert_eq!(excerpt(&"x".repeat(100)).chars().count(), 81);
/// ```
#[must_use]
pub fn excerpt(value: &str) -> String {
    let mut out = String::new();
    let mut characters = value.chars();
    characters.by_ref().take(EXCERPT_CHARACTERS).for_each(|character| escape(character, &mut out));
    out.extend(characters.next().map(|_| '…'));
    out
}

/// Returns `value` in full, with every character escaped that could end a line or control a terminal.
#[must_use]
pub fn one_line(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        // Backslashes and quotes are left alone, so that text that `excerpt` escaped is not escaped twice.
        if matches!(character, '"' | '\\') { out.push(character) } else { escape(character, &mut out) }
    }
    out
}

/// Returns `json` with every character that could end a line or control a terminal replaced by its `\uXXXX` escape. In
/// JSON without line breaks such characters occur only inside strings, so the value stays the same.
#[must_use]
pub fn json_line(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') || character.escape_debug().len() == 1 {
            out.push(character);
        } else {
            let mut units = [0; 2];
            out.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

/// Returns a number with its noun in the right form.
///
/// ```
/// use s3_cloudfront_invalidator::change::text::counted;
///
/// assert_eq!(counted(1, "path"), "1 path");
/// assert_eq!(counted(0, "path"), "0 paths");
/// ```
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns whether `value` contains no character that could end a line or control a terminal.
#[must_use]
pub fn is_one_line(value: &str) -> bool {
    value.chars().all(|character| matches!(character, '\\' | '"' | '\'') || character.escape_debug().len() == 1)
}

/// Returns `value` if it has at most `length` characters. Otherwise returns its first `length - 1` characters and `…`.
#[must_use]
pub fn shortened(value: &str, length: usize) -> String {
    match value.char_indices().nth(length) {
        None => value.to_owned(),
        Some(_) => value.chars().take(length.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Escapes as Rust's `Debug` does, which covers control characters, line separators and invisible characters.
fn escape(character: char, out: &mut String) {
    match character {
        '"' | '\\' => out.extend(['\\', character]),
        // The fast path for printable ASCII: whole log lines pass through here.
        ' '..='~' => out.push(character),
        _ => out.extend(character.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_and_terminal_controls_are_escaped() {
        let hostile = "a\r\n\u{1b}[31m\u{2028}\u{2029}\u{85}\u{202e}b";
        for text in [excerpt(hostile), one_line(hostile)] {
            assert!(is_one_line(&text), "{text}");
            assert!(!text.contains(['\r', '\n', '\u{1b}', '\u{2028}', '\u{2029}', '\u{85}', '\u{202e}']), "{text}");
        }
    }

    #[test]
    fn json_is_the_same_and_on_one_line() {
        let value = serde_json::json!({ "a\u{9b}\u{202e}": "b\u{85}\u{1f600}\u{e0001}\"\\ é\n" });
        let line = json_line(&value.to_string());
        assert!(is_one_line(&line) && line.contains("\\u009b\\u202e") && line.contains('é'), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }

    #[test]
    fn each_unsafe_character_is_detected() {
        for character in "\r\n\u{1b}\u{7f}\u{9b}\u{2028}\u{2029}\u{85}\u{202e}\u{feff}\u{200b}\0".chars() {
            assert!(!is_one_line(&format!("a{character}b")), "{character:?}");
        }
        assert!(is_one_line("/café/\\ \"it's\" 世界*…"));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("éé", 2), "éé");
        assert_eq!(shortened("ééé", 2), "é…");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert_eq!(one_line("bucket \"site\", café's key"), "bucket \"site\", café's key");
        assert_eq!(excerpt("bucket's \"a\\b\" é"), r#"bucket's \"a\\b\" é"#);
    }

    #[test]
    fn quoted_text_is_not_escaped_twice() {
        let quoted = excerpt("C:\\a\n\"b\"");
        assert_eq!(quoted, r#"C:\\a\n\"b\""#);
        assert_eq!(one_line(&quoted), quoted);
    }
}
