//! The rules by which results are judged, written down a second time and in another way than in the sources.

use proptest::prop_assert;
use proptest::test_runner::TestCaseError;

/// Whether CloudFront documents `path` as a path of an invalidation: 1 to 4,000 characters, `/` first, all of them plain by
/// RFC 1738 or escaped. `?` starts a query, which no key's path has.
pub(crate) fn is_path(path: &str, query: bool) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "$-_.+!*'(),/:@=&;".contains(c) || (query && c == '?');
    let mut parts = path.split('%');
    let first = parts.next().unwrap_or_default();
    let escape = |part: &str| {
        part.get(..2).is_some_and(|it| it.chars().all(|c| c.is_ascii_hexdigit())) && part[2..].chars().all(plain)
    };
    path.len() <= 4000 && path.starts_with('/') && first.chars().all(plain) && parts.all(escape)
}

/// Whether `id` is what CloudFront calls distributions and invalidations, and nothing that a URL could read otherwise.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.chars().all(|c| matches!(c, 'A'..='Z' | '0'..='9'))
}

/// The same for distributions and their tenants, whose ids start with a letter.
pub(crate) fn is_distribution(id: &str) -> bool {
    match id.strip_prefix("dt_") {
        Some(rest) => (1..=61).contains(&rest.len()) && rest.chars().all(|c| c.is_ascii_alphanumeric()),
        None => is_id(id) && id.starts_with(|first: char| first.is_ascii_uppercase()),
    }
}

/// Whether nothing in `text` can end a line, steer a terminal or turn the direction of writing.
fn is_one_line(text: &str) -> bool {
    let hidden =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !text.chars().any(|c| c.is_control() || hidden(c))
}

/// Checks a text that goes to a log or to a person.
pub(crate) fn said(text: &str, longest: usize) -> Result<(), TestCaseError> {
    prop_assert!(is_one_line(text), "more than a line: {text:?}");
    prop_assert!(text.len() <= longest, "{} bytes: {text}", text.len());
    Ok(())
}

/// Form-decodes `text` as browsers do: leniently, with U+FFFD for what is not UTF-8.
pub(crate) fn form_decoded(text: &str) -> String {
    let form = format!("k={}", text.replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// What a message says around the values it quotes: its kind.
pub(crate) fn gist(message: &str) -> String {
    let (before, quoted) = message.split_once('"').unwrap_or((message, ""));
    let after = quoted.rsplit_once('"').map_or(quoted, |(_, after)| after);
    let kind = |part: &str| part.chars().filter(|c| c.is_ascii() && !c.is_ascii_digit()).take(40).collect::<String>();
    kind(before) + &kind(after)
}

/// A number's order of magnitude: a behaviour is not another for each count.
pub(crate) fn magnitude(number: usize) -> u32 {
    usize::BITS - number.leading_zeros()
}
