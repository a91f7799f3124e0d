//! The part of a distribution config that determines which URLs an object has: which origins are a bucket, which
//! requests a cache behavior applies to, and whether query strings are part of the cache key. The config is fetched
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::percent_decode_str;

use super::OriginPath;
use super::endpoint::{Endpoint, endpoint_of, is_access_point, is_path_style_endpoint, normalized};
use crate::change::{Bucket, PolicyId};

/// The values of a multi-tenant distribution's parameters, by name.
pub type Parameters = BTreeMap<String, String>;

/// The configuration of a distribution, as far as invalidation depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistributionConfig {
    /// The origins.
    pub origins: Vec<Origin>,
    /// The origin groups. CloudFront fails over from the first member to the second.
    pub origin_groups: Vec<OriginGroup>,
    /// The cache behaviors in order of precedence: the first whose path pattern matches applies. The default one is
    /// last.
    pub behaviors: Vec<Behavior>,
    /// The default root object, which CloudFront returns for `/`: without a leading slash, possibly in a folder.
    pub default_root_object: Option<String>,
    /// Whether this is the config of a multi-tenant distribution, whose cache is invalidated per tenant.
    pub is_multi_tenant: bool,
    /// The default values of the parameters of a multi-tenant distribution.
    pub parameter_defaults: Parameters,
}

impl DistributionConfig {
    /// Normalizes the default root object that CloudFront returns: without leading slashes, and `None` if it is empty.
    #[must_use]
    pub fn root_object(name: Option<&str>) -> Option<String> {
        name.map(|it| it.trim_start_matches('/')).filter(|it| !it.is_empty()).map(ToOwned::to_owned)
    }

    /// Returns the origins that are this bucket.
    pub fn origins_of(&self, bucket: &Bucket) -> impl Iterator<Item = BucketOrigin<'_>> {
        self.origins.iter().filter_map(|origin| {
            if let Some(endpoint) = endpoint_of(bucket, &origin.domain) {
                return Some(BucketOrigin { origin, path: origin.path.clone(), endpoint });
            }
            let path = origin.path.as_ref().filter(|_| is_path_style_endpoint(bucket, &origin.domain))?;
            let path = Some(path.strip_first_folder(bucket.name.as_str())?);
            Some(BucketOrigin { origin, path, endpoint: Endpoint::Rest })
        })
    }

    /// Returns the IDs of the origins that the behavior targets: one, or the members of an origin group.
    #[must_use]
    pub fn targets<'c>(&'c self, behavior: &'c Behavior) -> &'c [String] {
        let group = self.origin_groups.iter().find(|group| group.id == behavior.target);
        group.map_or(std::slice::from_ref(&behavior.target), |group| &group.members)
    }

    /// Returns the behaviors that may apply to requests for this path.
    ///
    /// That is the first whose pattern matches as written and, if any pattern contains a percent escape, also the first
    /// whose decoded pattern matches.
    pub fn behaviors_of(&self, path: &str) -> impl Iterator<Item = &Behavior> {
        let as_written = self.behaviors.iter().find(|behavior| behavior.pattern.matches(path));
        let has_escapes = self.behaviors.iter().any(|behavior| behavior.pattern.has_escapes());
        let decoded = || self.behaviors.iter().find(|behavior| behavior.pattern.matches_decoded(path));
        as_written.into_iter().chain(has_escapes.then(decoded).flatten())
    }

    /// Returns the behaviors that may apply to requests for paths that start with `prefix`.
    pub fn behaviors_below(&self, prefix: &str) -> impl Iterator<Item = &Behavior> {
        // No request below the prefix gets past the first behavior that matches them all.
        let last = self.behaviors.iter().position(|it| it.pattern.matches_all_below(prefix));
        let reached = self.behaviors.iter().take(last.map_or(usize::MAX, |last| last + 1));
        // A pattern with escapes may also be compared decoded.
        reached.filter(|it| it.pattern.may_match_below(prefix) || it.pattern.has_escapes())
    }

    /// Whether an edge function of any behavior may change a request's URI or origin.
    #[must_use]
    pub fn has_edge_function(&self) -> bool {
        self.behaviors.iter().any(|behavior| behavior.functions.any())
    }

    /// Returns the edge functions of the behaviors that target one of these origins, given by ID.
    #[must_use]
    pub fn functions_before(&self, origins: &[&str]) -> EdgeFunctions {
        let is_before = |it: &&Behavior| self.targets(it).iter().any(|id| origins.contains(&id.as_str()));
        self.behaviors.iter().filter(is_before).fold(EdgeFunctions::default(), |all, it| EdgeFunctions {
            at_viewer_request: all.at_viewer_request || it.functions.at_viewer_request,
            at_origin_request: all.at_origin_request || it.functions.at_origin_request,
        })
    }

    /// Returns the IDs of the cache policies that must still be looked up.
    #[must_use]
    pub fn unresolved_policies(&self) -> BTreeSet<PolicyId> {
        let policy = |behavior: &Behavior| match &behavior.query_strings {
            QueryStrings::UnresolvedPolicy(id) => Some(id.clone()),
            QueryStrings::Ignored | QueryStrings::InCacheKey => None,
        };
        self.behaviors.iter().filter_map(policy).collect()
    }

    /// Sets whether query strings are part of the cache key in every behavior with this cache policy.
    pub fn resolve_policy(&mut self, policy: &PolicyId, in_cache_key: bool) {
        for behavior in &mut self.behaviors {
            if matches!(&behavior.query_strings, QueryStrings::UnresolvedPolicy(id) if id == policy) {
                behavior.query_strings = in_cache_key.into();
            }
        }
    }

    /// Whether these origins, given by ID, serve all URLs that start with `prefix`.
    ///
    /// If so, an invalidation of the prefix can evict nothing but their content.
    #[must_use]
    pub fn is_served_only_by(&self, prefix: &str, origins: &[&str]) -> bool {
        let is_given = |id: &String| origins.contains(&id.as_str());
        // An edge function can select any origin of the distribution.
        if self.has_edge_function() && !self.origins.iter().all(|origin| is_given(&origin.id)) {
            return false;
        }
        let mut reached = self.behaviors_below(prefix);
        reached.all(|behavior| self.targets(behavior).iter().all(is_given))
    }
}

/// An origin of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its ID, unique within the distribution.
    pub id: String,
    /// Its domain name.
    pub domain: String,
    /// Its origin path, which CloudFront prepends to the viewer's path; `None` if it contains a tenant parameter or is
    /// malformed.
    pub path: Option<OriginPath>,
    /// The origin path as CloudFront returns it.
    pub(super) path_text: String,
}

impl Origin {
    /// Creates an origin from the values that CloudFront returns.
    ///
    /// The origin path is percent-decoded as part of a URL, in which S3 reads `+` as a space. An origin path with a
    /// parameter of a multi-tenant distribution (`{{name}}`) differs per tenant and becomes `None`.
    ///
    /// # Errors
    /// [`DistributionConfigError::Origin`] if the ID or the domain name is empty.
    pub fn new(id: &str, domain: &str, path: &str) -> Result<Self, DistributionConfigError> {
        if id.is_empty() || domain.is_empty() {
            return Err(DistributionConfigError::Origin);
        }
        let with_spaces = path.trim_end_matches('/').replace('+', " ");
        let decoded = percent_decode_str(&with_spaces).decode_utf8().ok().filter(|_| !has_parameter(path));
        Ok(Self {
            id: id.to_owned(),
            domain: domain.to_owned(),
            path: decoded.and_then(|path| OriginPath::parse(&path).ok()),
            path_text: path.to_owned(),
        })
    }

    /// Whether the origin may be this bucket although its domain name is not an S3 endpoint of the bucket: an access
    /// point, a domain name that differs per tenant, or a CNAME, which S3 demands to have the bucket's name.
    ///
    /// Source: S3 user guide, "Virtual hosting of general purpose buckets".
    #[must_use]
    pub fn may_be(&self, bucket: &Bucket) -> bool {
        has_parameter(&self.domain) || is_access_point(&self.domain) || self.is_named_like(bucket)
    }

    /// Whether the domain name is the bucket's name.
    #[must_use]
    pub fn is_named_like(&self, bucket: &Bucket) -> bool {
        normalized(&self.domain) == bucket.name.as_str().to_ascii_lowercase()
    }
}

/// An origin that is a certain bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketOrigin<'c> {
    /// The origin.
    pub origin: &'c Origin,
    /// Its origin path within the bucket, if known.
    pub path: Option<OriginPath>,
    /// The kind of its endpoint.
    pub endpoint: Endpoint,
}

/// An origin group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginGroup {
    /// Its ID, which a cache behavior can target like an origin's.
    pub id: String,
    /// The IDs of its member origins.
    pub members: Vec<String>,
}

impl OriginGroup {
    /// Creates an origin group from the values that CloudFront returns.
    ///
    /// # Errors
    /// [`DistributionConfigError::Origin`] if the ID, the list of members or a member is empty.
    pub fn new(id: &str, members: Vec<String>) -> Result<Self, DistributionConfigError> {
        let is_valid = !id.is_empty() && !members.is_empty() && members.iter().all(|member| !member.is_empty());
        is_valid.then(|| Self { id: id.to_owned(), members }).ok_or(DistributionConfigError::Origin)
    }
}

/// A cache behavior.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behavior {
    /// The path pattern of the requests it applies to.
    pub pattern: PathPattern,
    /// The ID of the origin or origin group that it sends them to.
    pub target: String,
    /// Whether query strings are part of the cache key.
    pub query_strings: QueryStrings,
    /// Whether nothing is cached: the cache policy is the managed policy `CachingDisabled`. TTLs of 0 do not count,
    /// because older cache entries may remain.
    pub is_caching_disabled: bool,
    /// The edge functions that may change a request's URI or origin.
    pub functions: EdgeFunctions,
}

/// Where edge functions (CloudFront Functions or Lambda@Edge) run that may change a request's URI or origin.
///
/// Source: CloudFront developer guide, "How CloudFront works with Lambda@Edge".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeFunctions {
    /// Before the cache lookup, so that a response is cached under the URI that the function returns.
    pub at_viewer_request: bool,
    /// After it, so that a response is cached under the URI that the viewer requested.
    pub at_origin_request: bool,
}

impl EdgeFunctions {
    /// Whether there is any.
    #[must_use]
    pub fn any(self) -> bool {
        self.at_viewer_request || self.at_origin_request
    }
}

impl Behavior {
    /// Creates a cache behavior from the values that CloudFront returns.
    ///
    /// `pattern` is `None` for the default cache behavior. `forwards_query_strings` counts only without a cache policy.
    /// `event_types` are the event types of the behavior's function associations.
    ///
    /// # Errors
    /// [`DistributionConfigError::Behavior`], [`DistributionConfigError::CachePolicy`].
    pub fn new<'e>(
        pattern: Option<&str>,
        target: &str,
        cache_policy: Option<&str>,
        forwards_query_strings: bool,
        event_types: impl IntoIterator<Item = &'e str>,
    ) -> Result<Self, DistributionConfigError> {
        if target.is_empty() || pattern.is_some_and(str::is_empty) {
            return Err(DistributionConfigError::Behavior);
        }
        let cache_policy = cache_policy.filter(|id| !id.is_empty());
        let query_strings = match cache_policy {
            Some(id) => {
                let id = PolicyId::new(id).map_err(|_| DistributionConfigError::CachePolicy)?;
                managed_policy(&id).map_or(QueryStrings::UnresolvedPolicy(id), QueryStrings::from)
            }
            None => forwards_query_strings.into(),
        };
        let mut functions = EdgeFunctions::default();
        for event_type in event_types {
            match event_type {
                "viewer-request" => functions.at_viewer_request = true,
                // They run after the origin has been chosen and cannot change the path.
                "viewer-response" | "origin-response" => {}
                _ => functions.at_origin_request = true,
            }
        }
        Ok(Self {
            pattern: PathPattern::new(pattern.unwrap_or("*")),
            target: target.to_owned(),
            query_strings,
            is_caching_disabled: cache_policy == Some(CACHING_DISABLED),
            functions,
        })
    }
}

/// Whether query strings are part of the cache key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryStrings {
    /// They are not: all query strings share one cache entry.
    Ignored,
    /// All of them are, or some of their parameters.
    InCacheKey,
    /// A custom cache policy decides, which must still be looked up.
    UnresolvedPolicy(PolicyId),
}

impl From<bool> for QueryStrings {
    fn from(in_cache_key: bool) -> Self {
        if in_cache_key { Self::InCacheKey } else { Self::Ignored }
    }
}

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

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A value in CloudFront's response that no distribution config can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DistributionConfigError {
    /// A malformed cache policy ID.
    #[error("a cache policy ID is malformed")]
    CachePolicy,
    /// An origin without an ID or a domain name, or an origin group without an ID, without members or with an empty
    /// member ID.
    #[error("an origin has no ID or no domain name, or an origin group has no ID or no members")]
    Origin,
    /// A cache behavior with an empty path pattern or without a target.
    #[error("a cache behavior has no path pattern or no target origin")]
    Behavior,
    /// A parameter of a multi-tenant distribution without a name.
    #[error("a parameter of a multi-tenant distribution has no name")]
    Parameter,
}

/// Whether the value contains a parameter of a multi-tenant distribution.
pub(super) fn has_parameter(text: &str) -> bool {
    text.contains("{{")
}

/// The managed cache policy `CachingDisabled`.
///
/// Source: CloudFront developer guide, "Use managed cache policies".
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

/// AWS's managed cache policies, and whether query strings are part of their cache keys.
///
/// Source: CloudFront developer guide, "Use managed cache policies".
const MANAGED_CACHE_POLICIES: [(&str, bool); 7] = [
    // Amplify
    ("2e54312d-136d-493c-8eb9-b001f22f67d2", true),
    (CACHING_DISABLED, false),
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

/// Returns whether query strings are part of the policy's cache key; `None` if it is not a managed policy.
fn managed_policy(id: &PolicyId) -> Option<bool> {
    MANAGED_CACHE_POLICIES.iter().find(|(managed, _)| *managed == id.as_str()).map(|(_, in_cache_key)| *in_cache_key)
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

#[cfg(test)]
mod pattern_tests {
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

#[cfg(test)]
mod policy_tests {
    use super::*;

    #[test]
    fn ids_are_checked_by_grammar() {
        for (id, _) in MANAGED_CACHE_POLICIES {
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
