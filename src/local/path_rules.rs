//! CloudFront's documented rules for the items of an invalidation.
//!
//! Written independently of [`crate::path`], and sharing no code with it, so that a mistake there is detected here.
//! Source: CloudFront developer guide, "What you need to know when invalidating files"; RFC 1738, section 2.2.

/// What CloudFront does with an item of an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathStatus {
    /// Accepted, and invalidates the URLs it names.
    Effective,
    /// Accepted, but matches no URL in the form under which CloudFront caches it.
    Ineffective,
    /// Rejected, and the whole request with it.
    Rejected,
}

/// Returns what CloudFront does with an item.
pub(super) fn classify(item: &str) -> PathStatus {
    if item.starts_with('#') {
        return classify_tag(item);
    }
    let bytes = item.as_bytes();
    if bytes.first() != Some(&b'/') || bytes.len() > 4000 {
        return PathStatus::Rejected;
    }
    let unsafe_byte = |byte: &u8| !byte.is_ascii_graphic() || b"\"#<>[\\]^`{|}~".contains(byte);
    if bytes.iter().any(unsafe_byte) {
        return PathStatus::Rejected;
    }
    let mut is_effective = true;
    for (index, _) in item.match_indices('%') {
        let digits = item.get(index + 1..index + 3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return PathStatus::Rejected;
        };
        // No cached URL has an over-encoded character, lowercase hex digits or an encoded tilde.
        let needs_encoding = !byte.is_ascii_graphic() || b"\"#%<>?[\\]^`{|}+".contains(&byte);
        is_effective &=
            needs_encoding && digits.is_some_and(|digits| !digits.contains(|c: char| c.is_ascii_lowercase()));
    }
    if is_effective { PathStatus::Effective } else { PathStatus::Ineffective }
}

/// Returns what CloudFront does with a cache tag. It ignores the tags of a distribution without a `CacheTagConfig`, and
/// no distribution has one here.
fn classify_tag(item: &str) -> PathStatus {
    let fits = (2..=257).contains(&item.len()) && item.bytes().all(|b| b.is_ascii_graphic() && b != b',');
    if fits && !item.ends_with('*') { PathStatus::Ineffective } else { PathStatus::Rejected }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::change::ObjectKey;
    use crate::path::{InvalidationPath, OriginPath, viewer_paths};

    #[test]
    fn the_rules_are_those_of_the_developer_guide() {
        for item in ["/", "/*", "/a*b", "/a%20b", "/a+b", "/a%2Bb", "/a?x=1&y=*", "/$-_.!*'(),/:@=&;", "/caf%C3%A9"] {
            assert_eq!(classify(item), PathStatus::Effective, "{item}");
        }
        for item in ["/%7Ea", "/%2A", "/%41", "/a%2fb", "/caf%c3%a9", "#tag"] {
            assert_eq!(classify(item), PathStatus::Ineffective, "{item}");
        }
        let long = format!("/{}", "a".repeat(4000));
        for item in [
            "",
            "a",
            "/~a",
            "/a b",
            "/a\"b",
            "/caf\u{e9}",
            "/a\u{7f}",
            "/100%",
            "/a%2",
            "/a%zz",
            "#",
            "#a,b",
            "#a*",
            &long,
        ] {
            assert_eq!(classify(item), PathStatus::Rejected, "{item}");
        }
    }

    proptest! {
        #[test]
        fn every_key_has_effective_paths(key in "[ -~\\PC\\x00-\\x1f]{1,200}") {
            let key = ObjectKey::new(&key);
            prop_assume!(key.is_ok());
            let key = key.unwrap();
            let index_documents = ["index.html".to_owned()];
            let paths = viewer_paths(OriginPath::default().strip(&key).unwrap(), &index_documents);
            prop_assert!(!paths.is_empty());
            for path in paths {
                prop_assert_eq!(classify(path.as_str()), PathStatus::Effective, "{}", path);
                prop_assert_eq!(InvalidationPath::parse(path.as_str()), Ok(path));
            }
        }
    }
}
