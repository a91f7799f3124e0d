//! The rules that results are checked against, implemented independently of the sources.

use proptest::prop_assert;
use proptest::test_runner::TestCaseError;

/// Whether `path` is an invalidation path as CloudFront documents it: 1 to 4,000 characters, `/` first, each of them
/// plain by RFC 1738 or percent-encoded. `?`, which starts a query string, is allowed only if `query`: no path of a key
/// has one.
pub(crate) fn is_path(path: &str, query: bool) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'(),/:@=&;".contains(c) || (query && c == '?');
    let mut parts = path.split('%');
    let first = parts.next().unwrap_or_default();
    let escape = |part: &str| {
        part.get(..2).is_some_and(|it| it.chars().all(|c| c.is_ascii_hexdigit())) && part[2..].chars().all(plain)
    };
    path.len() <= 4000 && path.starts_with('/') && first.chars().all(plain) && parts.all(escape)
}

/// Whether `id` has the form of CloudFront's distribution and invalidation IDs, in which no character has a meaning in
/// a URL.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.chars().all(|c| matches!(c, 'A'..='Z' | '0'..='9'))
}

/// The same for distributions, whose IDs start with a letter, and for distribution tenants, whose IDs start with `dt_`.
pub(crate) fn is_distribution(id: &str) -> bool {
    match id.strip_prefix("dt_") {
        Some(rest) => (1..=61).contains(&rest.len()) && rest.chars().all(|c| c.is_ascii_alphanumeric()),
        None => is_id(id) && id.starts_with(|first: char| first.is_ascii_uppercase()),
    }
}

/// Whether `text` has no character that ends a line, controls a terminal or changes the direction of text.
fn is_one_line(text: &str) -> bool {
    let hidden =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !text.chars().any(|c| c.is_control() || hidden(c))
}

/// Checks a text for a log or for a person: one line of at most `longest` bytes.
pub(crate) fn check_one_line(text: &str, longest: usize) -> Result<(), TestCaseError> {
    prop_assert!(is_one_line(text), "more than a line: {text:?}");
    prop_assert!(text.len() <= longest, "{} bytes: {text}", text.len());
    Ok(())
}

/// Form-decodes `text` leniently, as browsers do, with U+FFFD for bytes that are not UTF-8.
pub(crate) fn form_decoded(text: &str) -> String {
    let form = format!("k={}", text.replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The kind of a message: its text around the values that it quotes.
pub(crate) fn message_kind(message: &str) -> String {
    let (before, quoted) = message.split_once('"').unwrap_or((message, ""));
    let after = quoted.rsplit_once('"').map_or(quoted, |(_, after)| after);
    let kind = |part: &str| part.chars().filter(|c| c.is_ascii() && !c.is_ascii_digit()).take(40).collect::<String>();
    kind(before) + &kind(after)
}

/// The order of magnitude of a number. Not every count is a behavior of its own.
pub(crate) fn magnitude(number: usize) -> u32 {
    usize::BITS - number.leading_zeros()
}
