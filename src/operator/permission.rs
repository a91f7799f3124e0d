//! Whether a resource's policy lets a bucket, or EventBridge, in: the parts of IAM's language that such policies are made of.
//!
//! Where a statement cannot be understood it is taken not to allow anything, so that the worst is a permission too many.

use serde_json::Value;

/// What S3 is called in policies.
pub const S3: &str = "s3.amazonaws.com";

/// What EventBridge is called there.
pub(super) const EVENT_BRIDGE: &str = "events.amazonaws.com";

/// The key that SQS makes by itself, whose policy nobody can change, so that S3 may not use it. Source: S3 user guide,
/// "Granting permissions to publish event notification messages to a destination".
pub(super) const KEY_OF_SQS: &str = "alias/aws/sqs";

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The service that calls, such as `s3.amazonaws.com`.
    pub service: &'a str,
    /// What it wants to do, such as `lambda:InvokeFunction`.
    pub action: &'a str,
    /// On whose behalf: a bucket's or a rule's ARN.
    pub source_arn: &'a str,
    /// The account of that.
    pub source_account: &'a str,
}

/// Whether a policy, as JSON, allows it and nothing in it denies it.
#[must_use]
pub fn allows(policy: &str, asked: Asked<'_>) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement) => std::slice::from_ref(statement),
        None => return false,
    };
    let with = |effect: &str| {
        statements.iter().any(|it| it.get("Effect").and_then(Value::as_str) == Some(effect) && fits(it, asked))
    };
    with("Allow") && !with("Deny")
}

fn fits(statement: &Value, asked: Asked<'_>) -> bool {
    let is_principal = match statement.get("Principal") {
        Some(Value::String(all)) => all == "*",
        Some(Value::Object(kinds)) => {
            kinds.get("Service").is_some_and(|it| strings(it).any(|service| service == asked.service))
                || kinds.get("AWS").is_some_and(|it| strings(it).any(|all| all == "*"))
        }
        _ => false,
    };
    let is_action = statement.get("Action").is_some_and(|it| strings(it).any(|action| is_like(action, asked.action)));
    let conditions = match statement.get("Condition") {
        None => true,
        Some(Value::Object(operators)) => operators.iter().all(|(operator, keys)| {
            keys.as_object().is_some_and(|keys| {
                keys.iter().all(|(key, values)| is_met(operator, &key.to_ascii_lowercase(), values, asked))
            })
        }),
        Some(_) => false,
    };
    is_principal && is_action && conditions
}

/// Whether a condition holds. Condition keys and operators that say nothing of the source are not understood.
fn is_met(operator: &str, key: &str, values: &Value, asked: Asked<'_>) -> bool {
    let told = match key {
        "aws:sourcearn" => asked.source_arn,
        "aws:sourceaccount" => asked.source_account,
        // S3 and EventBridge write by TLS.
        "aws:securetransport" => "true",
        _ => return false,
    };
    let operator = operator.to_ascii_lowercase();
    let operator = operator.strip_suffix("ifexists").unwrap_or(&operator);
    let patterns = strings(values).any(|pattern| is_like(pattern, told));
    let literals = strings(values).any(|value| value.eq_ignore_ascii_case(told));
    let exact = strings(values).any(|value| value == told);
    match operator {
        "arnlike" | "arnequals" | "stringlike" => patterns,
        "stringequals" => exact,
        "stringequalsignorecase" | "bool" => literals,
        _ => false,
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let several = value.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    several.chain(Some(value)).filter_map(Value::as_str)
}

/// Whether a text is like a pattern, in which `*` is any text and `?` any character.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
    // The place behind the last `*`, and the text it has not taken yet: only the last one can have to take more.
    let (mut at, mut from, mut back) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                back = Some((at + 1, from));
                at += 1;
            }
            Some('?') => (at, from) = (at + 1, from + 1),
            Some(literal) if text.get(from) == Some(literal) => (at, from) = (at + 1, from + 1),
            _ => match &mut back {
                Some((behind, taken)) => {
                    *taken += 1;
                    (at, from) = (*behind, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: Asked<'_> = Asked {
        service: "s3.amazonaws.com",
        action: "lambda:InvokeFunction",
        source_arn: "arn:aws:s3:::my-site",
        source_account: "123456789012",
    };

    fn statement(effect: &str, principal: &str, action: &str, condition: &str) -> String {
        format!(r#"{{"Effect":"{effect}","Principal":{principal},"Action":{action},"Condition":{condition}}}"#)
    }

    fn policy(statements: &[String]) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    }

    const S3: &str = r#"{"Service":"s3.amazonaws.com"}"#;
    const ACCOUNT: &str =
        r#"{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::*"}}"#;

    #[test]
    fn what_the_templates_and_people_write_is_understood() {
        for (condition, expected) in [
            (ACCOUNT, true),
            ("{}", true),
            (r#"{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::my-site"}}"#, true),
            (r#"{"ArnEquals":{"aws:SourceArn":["arn:aws:s3:::other","arn:aws:s3:::my-*"]}}"#, true),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::my-site-2"}}"#, false),
            (r#"{"StringEquals":{"aws:SourceAccount":"999999999999"}}"#, false),
            (r#"{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::*"}}"#, false),
            (r#"{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#, false),
            (r#"{"StringNotEquals":{"aws:SourceAccount":"1"}}"#, false),
            (r#"[]"#, false),
        ] {
            let policy = policy(&[statement("Allow", S3, r#""lambda:InvokeFunction""#, condition)]);
            assert_eq!(allows(&policy, BUCKET), expected, "{condition}");
        }
    }

    #[test]
    fn who_and_what_count_and_a_denial_wins() {
        let one = |principal, action| allows(&policy(&[statement("Allow", principal, action, ACCOUNT)]), BUCKET);
        assert!(
            one(S3, r#"["lambda:*","x:Y"]"#) && one(r#""*""#, r#""lambda:Invoke*""#) && one(r#"{"AWS":"*"}"#, r#""*""#)
        );
        assert!(!one(r#"{"Service":"events.amazonaws.com"}"#, r#""*""#) && !one(S3, r#""lambda:GetFunction""#));
        let denied = [statement("Allow", S3, r#""*""#, "{}"), statement("Deny", r#""*""#, r#""*""#, ACCOUNT)];
        assert!(!allows(&policy(&denied), BUCKET));
        for bad in ["", "{}", "[]", r#"{"Statement":7}"#, r#"{"Statement":[7]}"#] {
            assert!(!allows(bad, BUCKET), "{bad}");
        }
        let single = format!(r#"{{"Statement":{}}}"#, statement("Allow", S3, r#""*""#, "{}"));
        assert!(allows(&single, BUCKET));
    }

    #[test]
    fn a_pattern_takes_any_text_for_a_star() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*site", "my-site", true),
            ("a", "ab", false),
            ("**a", "a", true),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
