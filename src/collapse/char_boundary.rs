//! Boundaries: where a path may be cut for a wildcard. They lie between characters, each written raw or as
//! the whole run of its `%XX` escapes. An escaped continuation byte without a leading byte before it counts as a
//! character of its own.
//!
//! A prefix that ends inside a character would not separate the URLs that viewers request, and one that ends inside an
//! escape is rejected by CloudFront.

/// Returns the last boundary of `path` at or before `end`.
pub(super) fn boundary(path: &str, end: usize) -> usize {
    let bytes = path.as_bytes();
    let mut cut = end.min(bytes.len());
    // Move out of an escape that was cut.
    if cut > 0 && bytes.get(cut - 1) == Some(&b'%') {
        cut -= 1;
    } else if cut > 1 && bytes.get(cut - 2) == Some(&b'%') {
        cut -= 2;
    }
    // Move back to the start of a character that was cut. At most three of its bytes follow the first.
    let mut start = cut;
    for _ in 0..3 {
        if !is_continuation(bytes, start) || start < 3 || bytes.get(start - 3) != Some(&b'%') {
            break;
        }
        start -= 3;
    }
    if start < cut && escaped(bytes, start).is_some_and(|first| first >= 0xC0) { start } else { cut }
}

/// Returns whether the escape at `at` encodes a UTF-8 continuation byte.
fn is_continuation(path: &[u8], at: usize) -> bool {
    escaped(path, at).is_some_and(|byte| (0x80..0xC0).contains(&byte))
}

/// Returns the byte encoded by the escape at `at`, if there is one.
fn escaped(path: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = *path.get(at..)?.first_chunk()? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Returns the length of the longest common prefix that ends at a boundary of both paths.
pub(super) fn common_prefix_length(a: &str, b: &str) -> usize {
    let mut end = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    loop {
        let cut = boundary(a, boundary(b, end));
        if cut == end {
            return cut;
        }
        end = cut;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_between_characters() {
        // `%C3%A9` is é, `%F0%9F%98%80` an emoji.
        let path = "/caf%C3%A9/%F0%9F%98%80/x%20y";
        let cuts: Vec<_> = (0..=path.len()).filter(|&end| boundary(path, end) == end).map(|end| &path[..end]).collect();
        assert_eq!(
            cuts,
            [
                "",
                "/",
                "/c",
                "/ca",
                "/caf",
                "/caf%C3%A9",
                "/caf%C3%A9/",
                "/caf%C3%A9/%F0%9F%98%80",
                "/caf%C3%A9/%F0%9F%98%80/",
                "/caf%C3%A9/%F0%9F%98%80/x",
                "/caf%C3%A9/%F0%9F%98%80/x%20",
                "/caf%C3%A9/%F0%9F%98%80/x%20y"
            ]
        );
    }

    #[test]
    fn characters_that_share_leading_bytes_have_no_common_prefix() {
        assert_eq!(common_prefix_length("/caf%C3%A9", "/caf%C3%A8"), "/caf".len());
        assert_eq!(common_prefix_length("/%F0%9F%98%80a", "/%F0%9F%98%80b"), "/%F0%9F%98%80".len());
        assert_eq!(common_prefix_length("/a%20b", "/a%25b"), "/a".len());
        assert_eq!(common_prefix_length("/a", "/a/b"), "/a".len());
    }

    #[test]
    fn stray_continuation_bytes_are_characters_of_their_own() {
        assert_eq!(common_prefix_length("/%A9%A9x", "/%A9%A9y"), "/%A9%A9".len());
        assert_eq!(common_prefix_length("/%A9%A9", "/%A9%AA"), "/%A9".len());
    }
}
