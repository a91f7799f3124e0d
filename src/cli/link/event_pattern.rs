//! Whether an EventBridge rule matches a bucket's events. Source: EventBridge user guide, "Event patterns".

use serde_json::{Value, json};

use crate::path::matches_glob;

/// Whether a rule's event pattern, as JSON, matches both the `Object Created` and the `Object Deleted` events of a
/// bucket in this account and Region.
pub(super) fn matches_rule(pattern: &str, bucket: &str, account: &str, region: &str) -> bool {
    let Ok(Value::Object(pattern)) = serde_json::from_str::<Value>(pattern) else { return false };
    ["Object Created", "Object Deleted"].into_iter().all(|kind| {
        let event = json!({
            "version": "0",
            "source": "aws.s3",
            "detail-type": kind,
            "account": account,
            "region": region,
            "detail": { "version": "0", "bucket": { "name": bucket } },
        });
        matches(&Value::Object(pattern.clone()), &event)
    })
}

/// Whether every field of the pattern matches. A field that `event` does not have, such as the object's key, may match
/// some events only, so it counts as not matching.
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => {
            fields.iter().all(|(name, inner)| event.get(name).is_some_and(|value| matches(inner, value)))
        }
        Value::Array(any) => event.as_str().is_some_and(|text| any.iter().any(|one| matches_value(one, text))),
        _ => false,
    }
}

fn matches_value(one: &Value, text: &str) -> bool {
    let operand = |name: &str| one.get(name).and_then(Value::as_str);
    one.as_str() == Some(text)
        || operand("prefix").is_some_and(|start| text.starts_with(start))
        || operand("suffix").is_some_and(|end| text.ends_with(end))
        || operand("wildcard").is_some_and(|pattern| matches_glob(pattern, text))
        || one.get("anything-but").is_some_and(|but| matches_anything_but(but, text))
        || operand("equals-ignore-case").is_some_and(|it| it.eq_ignore_ascii_case(text))
}

fn matches_anything_but(but: &Value, text: &str) -> bool {
    match but {
        Value::String(one) => one != text,
        Value::Array(all) => all.iter().all(|one| one.as_str().is_some_and(|one| one != text)),
        // `anything-but` with a comparison, such as a prefix.
        Value::Object(_) => !matches_value(but, text) && !has_unknown_operator(but),
        _ => false,
    }
}

fn has_unknown_operator(one: &Value) -> bool {
    let known = ["prefix", "suffix", "wildcard", "equals-ignore-case"];
    one.as_object()
        .is_none_or(|it| it.iter().any(|(name, value)| !known.contains(&name.as_str()) || !value.is_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_must_match_creations_and_deletions_of_the_bucket() {
        let kinds = r#""source":["aws.s3"],"detail-type":["Object Created","Object Deleted"]"#;
        for (pattern, expected) in [
            (format!(r#"{{{kinds},"detail":{{"bucket":{{"name":["other","my-site"]}}}}}}"#), true),
            (format!(r#"{{{kinds},"detail":{{"bucket":{{"name":[{{"prefix":"my-"}}]}}}}}}"#), true),
            (format!("{{{kinds}}}"), true),
            (r#"{"source":["aws.s3"]}"#.to_owned(), true),
            (format!(r#"{{{kinds},"detail":{{"bucket":{{"name":["other"]}}}}}}"#), false),
            (format!(r#"{{{kinds},"detail":{{"object":{{"key":[{{"prefix":"a"}}]}}}}}}"#), false),
            (r#"{"source":["aws.s3"],"detail-type":["Object Created"]}"#.to_owned(), false),
            (format!(r#"{{{kinds},"account":["123456789012"],"region":["eu-central-1"]}}"#), true),
            (format!(r#"{{{kinds},"account":["999999999999"]}}"#), false),
            (format!(r#"{{{kinds},"detail":{{"bucket":{{"name":[{{"anything-but":["other"]}}]}}}}}}"#), true),
            (format!(r#"{{{kinds},"detail":{{"bucket":{{"name":[{{"anything-but":{{"prefix":"my-"}}}}]}}}}}}"#), false),
            (format!(r#"{{{kinds},"detail":{{"bucket":{{"name":[{{"anything-but":{{"prefix":["a"]}}}}]}}}}}}"#), false),
            (r#"{"source":["aws.ec2"]}"#.to_owned(), false),
            (r#"{"source":"aws.s3"}"#.to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(matches_rule(&pattern, "my-site", "123456789012", "eu-central-1"), expected, "{pattern}");
        }
    }
}
