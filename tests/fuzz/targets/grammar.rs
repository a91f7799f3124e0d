//! Names from outside that become part of an address: of buckets, Regions, distributions, invalidations and jobs, and
//! the values of a bucket's tags. Exactly what their grammar allows is accepted.

use proptest::{prop_assert, prop_assert_eq};
use s3_cloudfront_invalidator::change::{BucketName, DistributionId, InvalidationId, Region};
use s3_cloudfront_invalidator::event::JobId;
use s3_cloudfront_invalidator::path::{BucketDefaults, ORIGIN_PATH_TAG, Tags};

use crate::driver::Checked;
use crate::rules::{check_one_line, is_distribution, is_id, magnitude, message_kind};

pub(crate) fn is_bucket(name: &str) -> bool {
    let letters = name.trim_matches(['.', '-', '_']);
    let inside = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_');
    (3..=255).contains(&name.len()) && !letters.is_empty() && name.chars().all(inside) && !name.ends_with("--x-s3")
}

pub(crate) fn is_region(name: &str) -> bool {
    let parts: Vec<_> = name.split('-').collect();
    let filled =
        |part: &&str, of: std::ops::RangeInclusive<char>| !part.is_empty() && part.chars().all(|c| of.contains(&c));
    name.len() <= 32
        && parts.len() >= 2
        && filled(&parts[parts.len() - 1], '0'..='9')
        && parts[..parts.len() - 1].iter().all(|part| filled(part, 'a'..='z'))
}

/// The distribution tag's value in the first line, the origin path in the rest.
pub(crate) fn names(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let (ids, origin_path) = text.split_once('\n').unwrap_or((&text, ""));
    for name in [&text, ids, origin_path] {
        prop_assert_eq!(BucketName::new(name).is_ok(), is_bucket(name), "{:?}", name);
        prop_assert_eq!(Region::new(name).is_ok(), is_region(name), "{:?}", name);
        prop_assert_eq!(DistributionId::new(name).is_ok(), is_distribution(name), "{:?}", name);
        prop_assert_eq!(InvalidationId::new(name).is_ok(), is_id(name), "{:?}", name);
        let job = (1..=64).contains(&name.len())
            && name.split('-').collect::<String>().chars().all(|c| c.is_ascii_alphanumeric());
        prop_assert_eq!(JobId::new(name).is_ok(), job, "{:?}", name);
    }
    let settings = BucketDefaults { distribution_tag: "distributionId".into(), index_documents: Vec::new() };
    let tags = Tags::from([("distributionId".into(), ids.into()), (ORIGIN_PATH_TAG.into(), origin_path.into())]);
    let id_of = |word: &'_ str| match word.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", _, "cloudfront", _, _, resource] => match resource.split_once('/') {
            Some(("distribution" | "distribution-tenant", id)) => id.to_owned(),
            _ => String::new(),
        },
        ["arn", ..] => String::new(),
        _ => word.to_owned(),
    };
    let good_ids = ids.split_whitespace().map(id_of).all(|id| is_distribution(&id)) && !ids.trim().is_empty();
    let good_path = ["", "/"].contains(&origin_path) || origin_path.starts_with('/') && !origin_path.ends_with('/');
    match settings.parse(&tags) {
        Ok(options) => {
            let options = options.unwrap();
            prop_assert!(good_ids && good_path, "{:?}", options);
            let mut named: Vec<_> = ids.split_whitespace().map(id_of).collect();
            named.sort_unstable();
            named.dedup();
            prop_assert_eq!(options.distributions.iter().map(DistributionId::as_str).collect::<Vec<_>>(), named);
            let kept = if origin_path == "/" { "" } else { origin_path };
            prop_assert_eq!(options.origin_path.unwrap().to_string(), kept);
            Ok(format!("{} {}", options.distributions.len(), kept.len().min(2)))
        }
        Err(error) => {
            prop_assert!(!(good_ids && good_path), "{error}");
            check_one_line(&error.to_string(), 1500)?;
            let grammars = (is_bucket(&text), is_region(&text), is_id(&text));
            Ok(format!("{} {good_ids} {grammars:?} {}", message_kind(&error.to_string()), magnitude(ids.len())))
        }
    }
}
