//! The addresses of objects that the AWS CLI prints: `s3://`, a bucket or an access point, and a key.

use super::list::{Entry, Owner};
use crate::change::ObjectKey;

/// How the aliases of access points end. They can be used like bucket names, but have no tags. Source: S3 user guide,
/// "Access point aliases".
const ALIAS_SUFFIXES: [&str; 3] = ["-s3alias", "--ol-s3", "--op-s3"];

/// Parses the address of an object.
pub(crate) fn parse(address: &str) -> Result<Entry, String> {
    let rest = address.strip_prefix("s3://").ok_or_else(|| "is not the address of an object".to_owned())?;
    let (owner, key) = if rest.starts_with("arn:") {
        let (arn, key) = split_arn(rest).ok_or_else(|| "has an ARN that is not that of an access point".to_owned())?;
        (Owner::AccessPoint(arn.to_owned()), key)
    } else {
        let (bucket, key) = rest.split_once('/').ok_or_else(|| "has no key".to_owned())?;
        if bucket.is_empty() {
            return Err("has no bucket".to_owned());
        }
        if ALIAS_SUFFIXES.iter().any(|suffix| bucket.ends_with(suffix)) {
            (Owner::AccessPoint(bucket.to_owned()), key)
        } else {
            (Owner::Bucket(bucket.to_owned()), key)
        }
    };
    Ok(Entry { owner: Some(owner), key: ObjectKey::new(key).map_err(|error| error.to_string())? })
}

/// Splits `arn:aws:s3:eu-west-1:123456789012:accesspoint/name/key` before the key, and the same of an Outposts access
/// point (`…:outpost/op-1/accesspoint/name/key`). Source: `awscli/customizations/s3/utils.py`, which splits it so.
fn split_arn(text: &str) -> Option<(&str, &str)> {
    let fields: Vec<_> = text.splitn(6, ':').collect();
    let ["arn", partition, service, _, account, resource] = fields.as_slice() else { return None };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if !partition.starts_with("aws") || !is_account {
        return None;
    }
    // The words before the key: a resource type and a name, for Outposts twice.
    let names: &[&str] = match *service {
        "s3" => &["accesspoint"],
        "s3-outposts" => &["outpost", "accesspoint"],
        _ => return None,
    };
    let mut rest = *resource;
    for (index, name) in names.iter().enumerate() {
        rest = rest.strip_prefix(name)?.strip_prefix(['/', ':'])?;
        let is_last = index + 1 == names.len();
        let end = if is_last { rest.find('/')? } else { rest.find(['/', ':'])? };
        if end == 0 {
            return None;
        }
        rest = rest.get(end + 1..)?;
    }
    let arn = text.get(..text.len() - rest.len() - 1)?;
    Some((arn, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_begins_after_the_bucket_or_the_access_point() {
        let parsed = |address: &str| {
            let entry = parse(address).unwrap();
            (entry.owner.unwrap().to_string(), entry.key.as_str().to_owned())
        };
        let arn = "arn:aws:s3:us-west-2:123456789012:accesspoint/myaccesspoint";
        let colon = "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint:ap";
        let several = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap";
        let outpost = "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01ac5d28a6a232904/accesspoint/ap";
        let alias = "my-access-point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias";
        assert_eq!(parsed("s3://my-site/a/b c"), ("bucket my-site".to_owned(), "a/b c".to_owned()));
        for point in [arn, colon, several, outpost, alias] {
            assert_eq!(
                parsed(&format!("s3://{point}/web/a b")),
                (format!("access point {point}"), "web/a b".to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for address in [
            "s3://my-site",
            "s3://my-site/",
            "s3:///a",
            "s3://arn:aws:s3:::my-site/a",
            "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/ap",
            "s3://arn:aws:s3:us-west-2:123456789012:accesspoint//a",
            "s3://arn:aws:sqs:us-west-2:123456789012:accesspoint/ap/a",
            "my-site/a",
        ] {
            assert!(parse(address).is_err(), "{address}");
        }
    }
}
