//! Cache policies: whether query strings are part of the cache key.

use crate::change::{MAX_ID_LENGTH, checked_name};

/// AWS's managed cache policies, and whether query strings are part of their cache keys.
///
/// Source: CloudFront developer guide, "Use managed cache policies".
const MANAGED: [(&str, bool); 7] = [
    // Amplify
    ("2e54312d-136d-493c-8eb9-b001f22f67d2", true),
    // CachingDisabled
    ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", false),
    // CachingOptimized
    ("658327ea-f89d-4fab-a63d-7e88639e58f6", false),
    // CachingOptimizedForUncompressedObjects
    ("b2884449-e4de-46a7-ac36-70bc7f1ddd6d", false),
    // Elemental-MediaPackage: some query string parameters
    ("08627262-05a9-4f76-9ded-b50ca2e3a84f", true),
    // UseOriginCacheControlHeaders
    ("83da9c7e-98b4-4e11-a168-04f0df8e2c65", false),
    // UseOriginCacheControlHeaders-QueryStrings
    ("4cc15a8a-d715-48a4-82b8-cc0b614638fe", true),
];

checked_name! {
    /// The ID of a cache policy: ASCII letters, digits and hyphens, so that it is safe as a segment of a request's URL.
    PolicyId(1..=MAX_ID_LENGTH),
    |id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        => "is not a cache policy ID (letters, digits and hyphens)",
}

/// Returns whether query strings are part of the policy's cache key; `None` if it is not a managed policy.
pub(super) fn managed_policy(id: &PolicyId) -> Option<bool> {
    MANAGED.iter().find(|(managed, _)| *managed == id.as_str()).map(|(_, in_cache_key)| *in_cache_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_by_grammar() {
        for (id, _) in MANAGED {
            assert!(PolicyId::new(id).is_ok(), "{id}");
        }
        for bad in ["", "a/b", "a b", "..", "a?b", "é", &"a".repeat(65)] {
            assert!(PolicyId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn managed_policies_need_no_call() {
        let known = |id: &str| managed_policy(&PolicyId::new(id).unwrap());
        assert_eq!(known("658327ea-f89d-4fab-a63d-7e88639e58f6"), Some(false));
        assert_eq!(known("2e54312d-136d-493c-8eb9-b001f22f67d2"), Some(true));
        assert_eq!(known("00000000-0000-0000-0000-000000000000"), None);
    }
}
