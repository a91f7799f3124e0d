//! IDs of distributions and invalidations, validated before a request URL is built from them.

use std::fmt;
use std::sync::Arc;

use super::text::excerpt;

/// The longest ID accepted, in characters. CloudFront's distribution IDs have 13 or 14 today, those of distribution
/// tenants about 30.
const MAX_ID_LENGTH: usize = 64;

/// The prefix of a distribution tenant's ID. Source: CloudFront API model, `DistributionTenant`.
const TENANT_PREFIX: &str = "dt_";

/// The ID of a CloudFront distribution: capital letters and digits, the first a letter (`E2EXAMPLE1ABCD`); or the ID of
/// a distribution tenant, which has its own cache: `dt_` followed by letters and digits.
///
/// The ID comes from a bucket tag and becomes a segment of a request URL, so everything outside this grammar is
/// rejected.
///
/// ```
/// use s3_cloudfront_invalidator::change::DistributionId;
///
/// assert!(DistributionId::new("E2EXAMPLE1ABCD").is_ok());
/// assert!(DistributionId::new("dt_2vExAmPle1AbCd").is_ok());
/// assert!(DistributionId::new("E1/../../x").is_err());
/// assert!(DistributionId::new("d111111abcdef8.cloudfront.net").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DistributionId(Arc<str>);

/// The error for an invalid distribution ID. It quotes the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionIdError(String);

impl fmt::Display for DistributionIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" is not a distribution ID (such as \"E2EXAMPLE1ABCD\", or \"dt_…\" for a distribution tenant)",
            self.0
        )
    }
}

impl std::error::Error for DistributionIdError {}

impl DistributionId {
    /// Validates `id` against the grammar.
    ///
    /// # Errors
    /// [`DistributionIdError`] with the value, if `id` does not match.
    pub fn new(id: &str) -> Result<Self, DistributionIdError> {
        let fits = match id.strip_prefix(TENANT_PREFIX) {
            Some(rest) => !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()),
            None => {
                id.starts_with(|first: char| first.is_ascii_uppercase())
                    && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            }
        };
        if fits && id.len() <= MAX_ID_LENGTH { Ok(Self(id.into())) } else { Err(DistributionIdError(excerpt(id))) }
    }

    /// Returns whether this is the ID of a distribution tenant.
    #[must_use]
    pub fn is_tenant(&self) -> bool {
        self.0.starts_with(TENANT_PREFIX)
    }

    /// Parses the value of a tag: one or several IDs, separated by whitespace because a tag value cannot contain a
    /// comma. Returns them sorted and without duplicates.
    ///
    /// # Errors
    /// [`DistributionIdError`] with the first invalid ID, or with the whole value if it contains no ID.
    pub fn parse_tag(value: &str) -> Result<Vec<Self>, DistributionIdError> {
        let mut ids = value.split_whitespace().map(Self::new).collect::<Result<Vec<_>, _>>()?;
        ids.sort();
        ids.dedup();
        if ids.is_empty() { Err(DistributionIdError(excerpt(value))) } else { Ok(ids) }
    }

    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DistributionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DistributionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

impl serde::Serialize for DistributionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The ID of an invalidation: capital letters and digits. It becomes a segment of a request URL.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct InvalidationId(Box<str>);

impl InvalidationId {
    /// Validates `id`. Returns `None` if it is invalid.
    #[must_use]
    pub fn new(id: &str) -> Option<Self> {
        let fits =
            (1..=MAX_ID_LENGTH).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        fits.then(|| Self(id.into()))
    }

    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_by_grammar() {
        for good in ["E2EXAMPLE1ABCD", "EDFDVBD632BHDS5", "E1"] {
            assert!(DistributionId::new(good).is_ok(), "{good}");
        }
        for good in ["dt_2vExAmPle", "dt_1"] {
            assert!(DistributionId::new(good).unwrap().is_tenant(), "{good}");
        }
        for bad in ["dt_", "dt_a/b", "dt-1", "DT_1", "dt_a_b", "xdt_1"] {
            assert!(DistributionId::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "e1", "1E", "E 1", "E1/x", "E1?x", "E1%2F", "E\n", "É1", "*", "E".repeat(65).as_str()] {
            assert!(DistributionId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tag_can_name_several_ids_and_duplicates_count_once() {
        let ids = DistributionId::parse_tag("  E2 E1  E2 ").unwrap();
        assert_eq!(ids.iter().map(DistributionId::as_str).collect::<Vec<_>>(), ["E1", "E2"]);
        assert!(DistributionId::parse_tag("E1 bad").is_err());
        assert!(DistributionId::parse_tag("   ").is_err());
    }
}
