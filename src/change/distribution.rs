//! IDs of distributions and invalidations, validated before a request URL is built from them.

use super::NameError;
use super::name::{MAX_ID_LENGTH, checked_name};

/// The prefix of a distribution tenant's ID. Source: CloudFront API model, `DistributionTenant`.
const TENANT_PREFIX: &str = "dt_";

checked_name! {
    /// The ID of a CloudFront distribution: capital letters and digits, the first a letter (`E2EXAMPLE1ABCD`); or the
    /// ID of a distribution tenant, which has its own cache: `dt_` followed by letters and digits.
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
    DistributionId,
    (1..=MAX_ID_LENGTH),
    |id| match id.strip_prefix(TENANT_PREFIX) {
        Some(rest) => !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()),
        None => is_id(id) && id.starts_with(|first: char| first.is_ascii_uppercase()),
    } => "is not a distribution ID (such as \"E2EXAMPLE1ABCD\", or \"dt_…\" for a distribution tenant)",
}

checked_name! {
    /// The ID of an invalidation: capital letters and digits. It becomes a segment of a request URL.
    InvalidationId,
    (1..=MAX_ID_LENGTH),
    is_id => "is not an invalidation ID (capital letters and digits)",
}

fn is_id(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

impl DistributionId {
    /// Returns whether this is the ID of a distribution tenant.
    #[must_use]
    pub fn is_tenant(&self) -> bool {
        self.as_str().starts_with(TENANT_PREFIX)
    }

    /// Parses the value of a tag: one or several IDs, separated by whitespace because a tag value cannot contain a
    /// comma. Returns them sorted and without duplicates.
    ///
    /// # Errors
    /// [`NameError`] with the first invalid ID, or with the whole value if it contains no ID.
    pub fn parse_tag(value: &str) -> Result<Vec<Self>, NameError> {
        let mut ids = value.split_whitespace().map(Self::new).collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() {
            // A value without an ID is no ID itself, so this is the error.
            ids.push(Self::new(value)?);
        }
        ids.sort();
        ids.dedup();
        Ok(ids)
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
