//! The part of a distribution config that determines which URLs an object has.
//!
//! Pure: the config is fetched elsewhere. This module derives from it which origins are a bucket (`origin`), which
//! requests a cache behavior applies to (`pattern`), and whether query strings are part of the cache key (`policy`).

mod origin;
mod pattern;
mod policy;

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

pub use self::origin::Endpoint;
pub use self::pattern::PathPattern;
#[cfg(feature = "cli")]
pub(crate) use self::pattern::matches_glob;
pub use self::policy::PolicyId;

use self::origin::{endpoint_of, is_access_point, is_path_style_endpoint};
use self::policy::managed_policy;
use super::OriginPath;
use crate::change::Bucket;

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

/// A cache behavior.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behavior {
    /// The path pattern of the requests it applies to.
    pub pattern: PathPattern,
    /// The ID of the origin or origin group that it sends them to.
    pub target: String,
    /// Whether query strings are part of the cache key.
    pub query_strings: QueryStrings,
    /// Whether an edge function (CloudFront Functions or Lambda@Edge) runs on the request and may change its URI or
    /// origin.
    pub has_edge_function: bool,
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
        })
    }

    /// Whether the origin may be any bucket: an access point, or a domain name that differs per tenant.
    #[must_use]
    pub fn may_be_any_bucket(&self) -> bool {
        has_parameter(&self.domain) || is_access_point(&self.domain)
    }
}

/// Whether the value contains a parameter of a multi-tenant distribution.
///
/// Source: CloudFront developer guide, "Use parameters in multi-tenant distributions".
fn has_parameter(text: &str) -> bool {
    text.contains("{{")
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
        let query_strings = match cache_policy.filter(|id| !id.is_empty()) {
            Some(id) => {
                let id = PolicyId::new(id).map_err(|_| DistributionConfigError::CachePolicy)?;
                managed_policy(&id).map_or(QueryStrings::UnresolvedPolicy(id), QueryStrings::from)
            }
            None => forwards_query_strings.into(),
        };
        Ok(Self {
            pattern: PathPattern::new(pattern.unwrap_or("*")),
            target: target.to_owned(),
            query_strings,
            // Response functions run after the origin has been chosen and cannot change the path.
            has_edge_function: event_types.into_iter().any(|it| !["viewer-response", "origin-response"].contains(&it)),
        })
    }
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

    /// Whether an edge function of any behavior may change a request's URI or origin.
    #[must_use]
    pub fn has_edge_function(&self) -> bool {
        self.behaviors.iter().any(|behavior| behavior.has_edge_function)
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
        // No request below the prefix gets past the first behavior that matches them all.
        let last = self.behaviors.iter().position(|it| it.pattern.matches_all_below(prefix));
        let reached = self.behaviors.iter().take(last.map_or(usize::MAX, |last| last + 1));
        let mut reached = reached.filter(|it| it.pattern.may_match_below(prefix));
        reached.all(|behavior| self.targets(behavior).iter().all(is_given))
    }
}
