//! The domain names of a bucket's S3 endpoints, and of access points.
//!
//! Source: AWS General Reference, "Amazon S3 endpoints and quotas".

use crate::change::Bucket;

/// How an S3 endpoint answers a path that ends in `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The REST endpoint: returns the object with exactly that key.
    Rest,
    /// The static website endpoint: returns the index document of the directory.
    Website,
}

/// Returns the kind of endpoint that `domain` is of the bucket, in virtual-hosted style; `None` if it is not one.
///
/// The bucket name must match in full: neither `site-staging.s3.amazonaws.com` nor `my.site.s3.amazonaws.com` is an
/// endpoint of the bucket `site`.
///
/// Source: AWS General Reference, "Amazon S3 endpoints and quotas".
pub(super) fn endpoint_of(bucket: &Bucket, domain: &str) -> Option<Endpoint> {
    let domain = normalized(domain);
    endpoint_kind(bucket, domain.strip_prefix(&bucket.name.as_str().to_ascii_lowercase())?.strip_prefix('.')?)
}

/// Whether `domain` is a path-style S3 endpoint in the bucket's partition. The first segment of the path is then the
/// bucket.
pub(super) fn is_path_style_endpoint(bucket: &Bucket, domain: &str) -> bool {
    endpoint_kind(bucket, &normalized(domain)) == Some(Endpoint::Rest)
}

/// For each partition, the prefix of its Region names and the domain of its endpoints.
///
/// The standard partition has the empty prefix and comes last. Buckets of the same name in two partitions are different
/// buckets.
///
/// Source: AWS SDKs, `partitions.json`.
const PARTITIONS: [(&str, &str); 8] = [
    ("us-gov-", "amazonaws.com"),
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eusc-", "amazonaws.eu"),
    STANDARD_PARTITION,
];
const STANDARD_PARTITION: (&str, &str) = ("", "amazonaws.com");

/// The prefixes of the endpoints' domain names, after the bucket name and before the Region.
const WEBSITE_PREFIXES: [&str; 2] = ["s3-website-", "s3-website."];
const REST_PREFIXES: [&str; 6] = ["s3.dualstack.", "s3-fips.dualstack.", "s3-fips.", "s3-fips-", "s3.", "s3-"];
const REST_WITHOUT_REGION: [&str; 4] = ["s3", "s3-external-1", "s3-accelerate", "s3-accelerate.dualstack"];

/// Returns the kind of an S3 endpoint without its bucket name, if it lies in the bucket's partition or that is unknown.
fn endpoint_kind(bucket: &Bucket, host_suffix: &str) -> Option<Endpoint> {
    let service_in = |domain: &str| host_suffix.strip_suffix(domain)?.strip_suffix('.');
    let (service, domain) = PARTITIONS.iter().find_map(|(_, domain)| Some((service_in(domain)?, *domain)))?;
    let is_website = WEBSITE_PREFIXES.iter().any(|prefix| service.starts_with(prefix));
    let endpoint = if is_website { Endpoint::Website } else { Endpoint::Rest };
    let prefixes = if is_website { &WEBSITE_PREFIXES[..] } else { &REST_PREFIXES[..] };
    let region = prefixes.iter().find_map(|prefix| service.strip_prefix(prefix).filter(|region| is_region(region)));
    if region.is_none() && !REST_WITHOUT_REGION.contains(&service) {
        return None;
    }
    // Only the standard partition has endpoints without a Region.
    let endpoint_partition = region.map_or(STANDARD_PARTITION, partition);
    let is_same_partition = bucket.region.as_ref().is_none_or(|own| partition(own.as_str()) == endpoint_partition);
    (is_same_partition && endpoint_partition.1 == domain).then_some(endpoint)
}

fn partition(region: &str) -> (&'static str, &'static str) {
    PARTITIONS.into_iter().find(|(start, _)| region.starts_with(start)).unwrap_or(STANDARD_PARTITION)
}

/// Whether `name` has the form of a Region name, such as `eu-central-1`, `us-gov-west-1` or `us-isob-east-1`.
fn is_region(name: &str) -> bool {
    let parts: Vec<_> = name.split('-').collect();
    let (number, words) = parts.split_last().map_or(("", &[][..]), |(last, words)| (*last, words));
    (2..=3).contains(&words.len())
        && words.iter().all(|word| word.len() >= 2 && word.bytes().all(|it| it.is_ascii_lowercase()))
        && !number.is_empty()
        && number.bytes().all(|it| it.is_ascii_digit())
}

/// Whether `domain` is that of an access point, which may lead to any bucket.
///
/// Source: S3 user guide, "Using a bucket-style alias for your access point", "Multi-Region Access Points".
pub(super) fn is_access_point(domain: &str) -> bool {
    let domain = normalized(domain);
    let name = domain.split('.').next().unwrap_or_default();
    name.ends_with("-s3alias")
        || name.ends_with("--ol-s3")
        || [".s3-accesspoint.", ".s3-accesspoint-fips.", ".s3-object-lambda.", ".accesspoint.s3-global."]
            .iter()
            .any(|part| domain.contains(part))
}

/// Normalizes a domain name: case and a trailing dot do not matter.
pub(super) fn normalized(domain: &str) -> String {
    domain.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{BucketName, Region};

    fn endpoint(bucket: &str, region: Option<&str>, domain: &str) -> Option<Endpoint> {
        let region = region.map(|name| Region::new(name).unwrap());
        endpoint_of(&Bucket { name: BucketName::new(bucket).unwrap(), region }, domain)
    }

    #[test]
    fn every_endpoint_of_a_bucket_is_recognized() {
        for domain in [
            "site.s3.amazonaws.com",
            "site.s3.eu-central-1.amazonaws.com",
            "site.s3-eu-central-1.amazonaws.com",
            "site.s3.dualstack.eu-central-1.amazonaws.com",
            "site.s3-fips.us-east-1.amazonaws.com",
            "site.s3-fips.dualstack.us-east-1.amazonaws.com",
            "site.s3-external-1.amazonaws.com",
            "site.s3-accelerate.amazonaws.com",
            "site.s3-accelerate.dualstack.amazonaws.com",
            "SITE.S3.EU-Central-1.amazonaws.com.",
        ] {
            assert_eq!(endpoint("site", Some("eu-central-1"), domain), Some(Endpoint::Rest), "{domain}");
            assert_eq!(endpoint("site", None, domain), Some(Endpoint::Rest), "{domain}");
        }
        for domain in ["site.s3-website-us-east-1.amazonaws.com", "site.s3-website.eu-central-1.amazonaws.com"] {
            assert_eq!(endpoint("site", Some("eu-central-1"), domain), Some(Endpoint::Website), "{domain}");
        }
    }

    #[test]
    fn path_style_origins_are_recognized() {
        let bucket = Bucket { name: BucketName::new("site").unwrap(), region: Region::new("eu-central-1").ok() };
        for domain in ["s3.amazonaws.com", "s3.eu-central-1.amazonaws.com", "s3-eu-west-1.amazonaws.com"] {
            assert!(is_path_style_endpoint(&bucket, domain), "{domain}");
        }
        for domain in ["s3-website-us-east-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn", "site.s3.amazonaws.com"]
        {
            assert!(!is_path_style_endpoint(&bucket, domain), "{domain}");
        }
    }

    #[test]
    fn partitions_are_kept_apart() {
        let china = "site.s3.cn-north-1.amazonaws.com.cn";
        assert_eq!(endpoint("site", Some("cn-northwest-1"), china), Some(Endpoint::Rest));
        assert_eq!(endpoint("site", Some("eu-central-1"), china), None);
        let website = "site.s3-website.cn-northwest-1.amazonaws.com.cn";
        assert_eq!(endpoint("site", Some("cn-north-1"), website), Some(Endpoint::Website));
        let gov = "site.s3.us-gov-west-1.amazonaws.com";
        assert_eq!(endpoint("site", Some("us-gov-east-1"), gov), Some(Endpoint::Rest));
        assert_eq!(endpoint("site", Some("us-east-1"), gov), None);
        assert_eq!(endpoint("site", Some("us-east-1"), "site.s3.us-isob-east-1.sc2s.sgov.gov"), None);
        for website in ["site.s3-website-us-gov-west-1.amazonaws.com", "site.s3-website.us-gov-east-1.amazonaws.com"] {
            assert_eq!(endpoint("site", Some("us-gov-west-1"), website), Some(Endpoint::Website));
            assert_eq!(endpoint("site", Some("us-east-1"), website), None);
        }
        let sovereign = "site.s3.eusc-de-east-1.amazonaws.eu";
        assert_eq!(endpoint("site", Some("eusc-de-east-1"), sovereign), Some(Endpoint::Rest));
        let website = "site.s3-website.eusc-de-east-1.amazonaws.eu";
        assert_eq!(endpoint("site", Some("eusc-de-east-1"), website), Some(Endpoint::Website));
        assert_eq!(endpoint("site", Some("eu-central-1"), website), None);
        assert_eq!(endpoint("site", None, "site.s3.cn-north-1.amazonaws.com"), None, "no such endpoint");
        assert_eq!(endpoint("site", Some("eu-central-1"), "site.s3.amazonaws.com.cn"), None);
    }

    #[test]
    fn similar_domains_are_not_the_bucket() {
        for domain in [
            "site-staging.s3.amazonaws.com",
            "my.site.s3.amazonaws.com",
            "site.staging.s3.amazonaws.com",
            "site.s3.s3.amazonaws.com",
            "site.s3.eu-central-1.s3.amazonaws.com",
            "site.s3.amazonaws.com.evil.example",
            "site.s3.evil.example",
            "sites3.amazonaws.com",
            "site.s3-object-lambda.eu-central-1.amazonaws.com",
            "site.s3-accesspoint.eu-central-1.amazonaws.com",
            "site.s3-website.amazonaws.com",
            "site.s3.eu-central.amazonaws.com",
            "site.execute-api.eu-central-1.amazonaws.com",
            "s3.eu-central-1.amazonaws.com",
            "www.example.com",
            "site",
            "",
        ] {
            assert_eq!(endpoint("site", None, domain), None, "{domain}");
        }
        assert_eq!(endpoint("www.example.com", None, "www.example.com.s3.amazonaws.com"), Some(Endpoint::Rest));
        assert_eq!(endpoint("abc", None, "abc.s3.eu-west-1.s3.amazonaws.com"), None);
        assert_eq!(endpoint("abc.s3.eu-west-1", None, "abc.s3.eu-west-1.s3.amazonaws.com"), Some(Endpoint::Rest));
    }
}
