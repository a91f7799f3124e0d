//! What a distribution is set to, as far as it tells which URLs an object has.
//!
//! Pure. The settings come from CloudFront by a port; here is what follows from them: which of the origins are a bucket
//! (`origin`), which requests go to which origin (`pattern`), and what a cache entry is named by.

mod origin;
mod pattern;
mod policy;

use std::fmt;

use percent_encoding::percent_decode_str;

pub use self::origin::{Endpoint, endpoint_of, serves_by_path};

use self::origin::is_access_point;
pub use self::pattern::PathPattern;
#[cfg(feature = "cli")]
pub(crate) use self::pattern::matches_glob;
pub use self::policy::PolicyId;
use self::policy::managed_policy;

use super::OriginPath;
use crate::change::Bucket;

/// The settings of a distribution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistributionConfig {
    /// Where it gets what it serves.
    pub origins: Vec<Origin>,
    /// Groups of origins, of which a second one is asked where the first fails.
    pub origin_groups: Vec<OriginGroup>,
    /// The cache behaviours in their order; the first whose pattern matches is the one. The last is the default.
    pub behaviors: Vec<Behavior>,
    /// The object that `/` shows, without a slash at its start; it can lie in a folder.
    pub default_root_object: Option<String>,
}

/// An origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its name within the distribution.
    pub id: String,
    /// Its host.
    pub domain: String,
    /// What is put in front of a viewer's path before it is asked; `None` where that cannot be told.
    pub path: Option<OriginPath>,
}

/// A group of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginGroup {
    /// Its name, used like an origin's.
    pub id: String,
    /// Its origins.
    pub members: Vec<String>,
}

/// What happens to requests whose path matches a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behavior {
    /// The pattern.
    pub pattern: PathPattern,
    /// The origin, or group of origins, that they go to.
    pub target: String,
    /// Whether query strings tell cache entries apart.
    pub query_strings: QueryStrings,
    /// Whether a function at the edge sees a request before the origin does, and may change its path or its origin.
    pub rewrites: bool,
}

/// Whether query strings tell cache entries apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryStrings {
    /// They do not: one entry for all of them.
    Ignored,
    /// They do, or some of their parameters do.
    InKey,
    /// As a cache policy of the account's own says, which is to be looked up.
    ByPolicy(PolicyId),
}

impl QueryStrings {
    fn from_flag(from_flag: bool) -> Self {
        if from_flag { Self::InKey } else { Self::Ignored }
    }

    /// AWS's own cache policies are known; others are to be looked up.
    fn by_policy(id: PolicyId) -> Self {
        managed_policy(&id).map_or(Self::ByPolicy(id), Self::from_flag)
    }
}

/// What CloudFront tells of a distribution that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributionConfigError {
    /// No id of a cache policy.
    CachePolicy,
    /// An origin, or a group of them or a member of one, without a name; or an origin without a host.
    Origin,
    /// A behaviour without a pattern, or without a target.
    Behavior,
}

impl fmt::Display for DistributionConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CachePolicy => "a cache policy's id is malformed",
            Self::Origin => "an origin has no id or domain, or an origin group no id or members",
            Self::Behavior => "a cache behavior has no path pattern, or no target origin",
        })
    }
}

impl std::error::Error for DistributionConfigError {}

impl Origin {
    /// An origin as CloudFront tells it. Its path is part of a URL there, in which S3 reads a plus as a space; one with
    /// parameters of a multi-tenant distribution (`{{name}}`) is another for each tenant.
    ///
    /// # Errors
    /// [`DistributionConfigError::Origin`].
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

    /// Whether it may be any bucket: an access point, or a host that is another for each tenant.
    #[must_use]
    pub fn may_be_any_bucket(&self) -> bool {
        has_parameter(&self.domain) || is_access_point(&self.domain)
    }
}

/// Whether it holds a parameter of a multi-tenant distribution. Source: CloudFront developer guide, "Use parameters in
/// multi-tenant distributions".
fn has_parameter(text: &str) -> bool {
    text.contains("{{")
}

impl OriginGroup {
    /// A group as CloudFront tells it.
    ///
    /// # Errors
    /// [`DistributionConfigError::Origin`].
    pub fn new(id: &str, members: Vec<String>) -> Result<Self, DistributionConfigError> {
        let is_told = !id.is_empty() && !members.is_empty() && members.iter().all(|member| !member.is_empty());
        is_told.then(|| Self { id: id.to_owned(), members }).ok_or(DistributionConfigError::Origin)
    }
}

impl Behavior {
    /// A behaviour as CloudFront tells it: its pattern, none for the default; its target; its cache policy, or whether
    /// query strings are forwarded where it has none; and the events that functions of its own see.
    ///
    /// # Errors
    /// [`DistributionConfigError::Behavior`], [`DistributionConfigError::CachePolicy`].
    pub fn new<'e>(
        pattern: Option<&str>,
        target: &str,
        cache_policy: Option<&str>,
        forwards_query_strings: bool,
        events: impl IntoIterator<Item = &'e str>,
    ) -> Result<Self, DistributionConfigError> {
        if target.is_empty() || pattern.is_some_and(str::is_empty) {
            return Err(DistributionConfigError::Behavior);
        }
        let query_strings = match cache_policy.filter(|id| !id.is_empty()) {
            Some(id) => QueryStrings::by_policy(PolicyId::new(id).ok_or(DistributionConfigError::CachePolicy)?),
            None if forwards_query_strings => QueryStrings::InKey,
            None => QueryStrings::Ignored,
        };
        Ok(Self {
            pattern: pattern.map_or_else(PathPattern::everything, PathPattern::new),
            target: target.to_owned(),
            query_strings,
            // What comes after the origin's answer changes no path.
            rewrites: events.into_iter().any(|event| !["viewer-response", "origin-response"].contains(&event)),
        })
    }
}

impl DistributionConfig {
    /// The default root object as CloudFront tells it, which is empty if there is none.
    #[must_use]
    pub fn root_object(values: Option<&str>) -> Option<String> {
        values.map(|it| it.trim_start_matches('/')).filter(|it| !it.is_empty()).map(ToOwned::to_owned)
    }

    /// The origins that are this bucket, with the folder that each looks into, if that can be told, and what it does with
    /// directories.
    pub fn origins_of(&self, bucket: &Bucket) -> impl Iterator<Item = (&Origin, Option<OriginPath>, Endpoint)> {
        self.origins.iter().filter_map(|origin| {
            if let Some(endpoint) = endpoint_of(bucket, &origin.domain) {
                return Some((origin, origin.path.clone(), endpoint));
            }
            let path = origin.path.as_ref().filter(|_| serves_by_path(bucket, &origin.domain));
            Some((origin, Some(path?.within(bucket.name.as_str())?), Endpoint::Rest))
        })
    }

    /// Whether requests of this behaviour go to the origin, at first or where another fails.
    #[must_use]
    pub fn goes_to(&self, behavior: &Behavior, origin: &str) -> bool {
        let in_group = |group: &OriginGroup| group.id == behavior.target && group.members.iter().any(|it| it == origin);
        behavior.target == origin || self.origin_groups.iter().any(in_group)
    }

    /// The behaviours that may be that of requests for this path: the first whose pattern matches, with patterns taken as
    /// they are written, and as they read without escapes.
    pub fn behaviors_of(&self, path: &str) -> impl Iterator<Item = &Behavior> {
        let with_spaces = self.behaviors.iter().find(|behavior| behavior.pattern.matches(path));
        let has_escapes = self.behaviors.iter().any(|behavior| behavior.pattern.has_escapes());
        let read = || self.behaviors.iter().find(|behavior| behavior.pattern.matches_decoded(path));
        with_spaces.into_iter().chain(has_escapes.then(read).flatten())
    }

    /// Whether any function at the edge may send a request elsewhere than its path says.
    #[must_use]
    pub fn rewrites(&self) -> bool {
        self.behaviors.iter().any(|behavior| behavior.rewrites)
    }

    /// The cache policies that are to be looked up, each once.
    #[must_use]
    pub fn unknown_policies(&self) -> Vec<PolicyId> {
        let mut policies: Vec<_> = self
            .behaviors
            .iter()
            .filter_map(|behavior| match &behavior.query_strings {
                QueryStrings::ByPolicy(id) => Some(id.clone()),
                QueryStrings::Ignored | QueryStrings::InKey => None,
            })
            .collect();
        policies.sort();
        policies.dedup();
        policies
    }

    /// Puts what was learnt of a cache policy in its place.
    pub fn resolve(&mut self, policy: &PolicyId, from_flag: bool) {
        for behavior in &mut self.behaviors {
            if matches!(&behavior.query_strings, QueryStrings::ByPolicy(id) if id == policy) {
                behavior.query_strings = QueryStrings::from_flag(from_flag);
            }
        }
    }

    /// Whether all that viewers can see at URLs that start with `prefix` comes from these origins: then what those hold
    /// is all that an invalidation of the prefix can evict.
    #[must_use]
    pub fn serves_only(&self, prefix: &str, origins: &[&str]) -> bool {
        // A function may choose among all origins.
        if self.rewrites() && !self.origins.iter().all(|origin| origins.contains(&origin.id.as_str())) {
            return false;
        }
        for behavior in &self.behaviors {
            if !behavior.pattern.may_match_below(prefix) {
                continue;
            }
            let group = self.origin_groups.iter().find(|group| group.id == behavior.target);
            let is_ours = |origin: &str| origins.contains(&origin);
            if !group.map_or_else(|| is_ours(&behavior.target), |group| group.members.iter().all(|it| is_ours(it))) {
                return false;
            }
            if behavior.pattern.matches_all_below(prefix) {
                return true;
            }
        }
        true
    }
}
