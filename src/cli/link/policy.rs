//! Whether a resource-based policy allows S3 or EventBridge to use a queue or function. Supports the parts of the IAM
//! policy language that such policies use.
//!
//! A statement that is not understood allows nothing and may deny, so that an access reported as allowed really is.

use serde_json::Value;

use crate::path::matches_glob;

/// The service principal of S3.
pub const S3_PRINCIPAL: &str = "s3.amazonaws.com";

/// The service principal of EventBridge.
pub(super) const EVENT_BRIDGE_PRINCIPAL: &str = "events.amazonaws.com";

/// The alias of the AWS managed key for SQS. Its key policy cannot be changed, so S3 cannot use it. Source: S3 user
/// guide, "Granting permissions to publish event notification messages to a destination".
pub(super) const SQS_MANAGED_KEY: &str = "alias/aws/sqs";

/// Whether a queue's key is [`SQS_MANAGED_KEY`], given as the alias or the alias's ARN.
pub(super) fn is_sqs_managed_key(key: Option<&str>) -> bool {
    key.is_some_and(|key| key == SQS_MANAGED_KEY || key.ends_with(":alias/aws/sqs"))
}

/// An access to check against a policy.
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    /// The service principal that makes the call, such as `s3.amazonaws.com`.
    pub service: &'a str,
    /// The IAM action, such as `lambda:InvokeFunction`.
    pub action: &'a str,
    /// The ARN of the queue or function.
    pub resource: &'a str,
    /// The ARN of the bucket or rule on whose behalf the service calls (`aws:SourceArn`).
    pub source_arn: &'a str,
    /// The account of that bucket or rule (`aws:SourceAccount`).
    pub source_account: &'a str,
}

/// Whether a part of a statement applies to a request. The result of a statement is the least of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MatchResult {
    No,
    /// It uses something that is not supported here.
    Maybe,
    Yes,
}

impl From<bool> for MatchResult {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl MatchResult {
    fn negated(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

/// Whether a policy, as JSON, definitely allows the access: a statement that surely applies allows it, and none that
/// may apply denies it.
#[must_use]
pub fn allows(policy: &str, request: AccessRequest<'_>) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement) => std::slice::from_ref(statement),
        None => return false,
    };
    let any_statement = |effect: &str, least: MatchResult| {
        let is_effect = |it: &&Value| it.get("Effect").and_then(Value::as_str) == Some(effect);
        statements.iter().filter(is_effect).any(|it| match_statement(it, request) >= least)
    };
    any_statement("Allow", MatchResult::Yes) && !any_statement("Deny", MatchResult::Maybe)
}

fn match_statement(statement: &Value, request: AccessRequest<'_>) -> MatchResult {
    let conditions = match statement.get("Condition") {
        None => MatchResult::Yes,
        Some(Value::Object(operators)) => operators
            .iter()
            .map(|(operator, keys)| {
                let each = |keys: &serde_json::Map<_, _>| {
                    keys.iter()
                        .map(|(key, values)| match_condition(operator, key, values, request))
                        .min()
                        .unwrap_or(MatchResult::Yes)
                };
                keys.as_object().map_or(MatchResult::Maybe, each)
            })
            .min()
            .unwrap_or(MatchResult::Yes),
        Some(_) => MatchResult::Maybe,
    };
    let resource = part(statement, "Resource", "NotResource", |it| matches_arn(it, request.resource));
    let action = part(statement, "Action", "NotAction", |it| {
        matches_glob(&it.to_ascii_lowercase(), &request.action.to_ascii_lowercase())
    });
    conditions.min(resource).min(action).min(principal(statement, request.service))
}

/// Whether one value of the element `name` matches, or none of `opposite`, such as `NotAction`.
fn part(statement: &Value, name: &str, opposite: &str, is_match: impl Fn(&str) -> bool) -> MatchResult {
    match (statement.get(name), statement.get(opposite)) {
        (Some(texts), None) => strings(texts).any(is_match).into(),
        (None, Some(texts)) => MatchResult::from(strings(texts).any(is_match)).negated(),
        _ => MatchResult::Maybe,
    }
}

fn principal(statement: &Value, service: &str) -> MatchResult {
    let matches_service = |principal: &Value| match principal {
        Value::String(all) => (all == "*").into(),
        Value::Object(kinds) => {
            let is_service = kinds.get("Service").is_some_and(|it| strings(it).any(|it| it == service));
            MatchResult::from(is_service || kinds.get("AWS").is_some_and(|it| strings(it).any(|all| all == "*")))
        }
        _ => MatchResult::Maybe,
    };
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(principal), None) => matches_service(principal),
        (None, Some(others)) => matches_service(others).negated(),
        _ => MatchResult::Maybe,
    }
}

/// Whether a condition holds; [`MatchResult::Maybe`] for condition keys and operators that are not listed.
fn match_condition(operator: &str, key: &str, values: &Value, request: AccessRequest<'_>) -> MatchResult {
    let attribute = match key.to_ascii_lowercase().as_str() {
        "aws:sourcearn" => request.source_arn,
        "aws:sourceaccount" => request.source_account,
        // S3 and EventBridge call over TLS.
        "aws:securetransport" => "true",
        _ => return MatchResult::Maybe,
    };
    let operator = operator.to_ascii_lowercase();
    let operator = operator.strip_suffix("ifexists").unwrap_or(&operator);
    let operator = operator.strip_prefix("foranyvalue:").unwrap_or(operator);
    let flag = values.as_bool().map(|flag| flag.to_string());
    let any = |is_match: &dyn Fn(&str) -> bool| MatchResult::from(strings(values).chain(flag.as_deref()).any(is_match));
    match operator {
        "arnlike" | "arnequals" => any(&|it| matches_arn(it, attribute)),
        "arnnotlike" | "arnnotequals" => any(&|it| matches_arn(it, attribute)).negated(),
        "stringlike" => any(&|it| matches_glob(it, attribute)),
        "stringnotlike" => any(&|it| matches_glob(it, attribute)).negated(),
        "stringequals" => any(&|it| it == attribute),
        "stringnotequals" => any(&|it| it == attribute).negated(),
        "stringequalsignorecase" | "bool" => any(&|it| it.eq_ignore_ascii_case(attribute)),
        "stringnotequalsignorecase" => any(&|it| it.eq_ignore_ascii_case(attribute)).negated(),
        _ => MatchResult::Maybe,
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let several = value.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    several.chain(Some(value)).filter_map(Value::as_str)
}

/// Whether an ARN matches a pattern. Each of the six parts is compared separately, as `ArnLike` does.
fn matches_arn(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern == "*"
        || patterns.len() == parts.len()
            && patterns.iter().zip(parts).all(|(pattern, part)| matches_glob(pattern, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: AccessRequest<'_> = AccessRequest {
        service: "s3.amazonaws.com",
        action: "lambda:InvokeFunction",
        resource: "arn:aws:lambda:eu-central-1:123456789012:function:f",
        source_arn: "arn:aws:s3:::my-site",
        source_account: "123456789012",
    };

    fn statement(effect: &str, principal: &str, action: &str, condition: &str) -> String {
        format!(
            r#"{{"Effect":"{effect}","Principal":{principal},"Action":{action},"Resource":"*","Condition":{condition}}}"#
        )
    }

    fn policy(statements: &[String]) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    }

    const S3: &str = r#"{"Service":"s3.amazonaws.com"}"#;
    const CONDITION: &str =
        r#"{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::*"}}"#;

    #[test]
    fn common_policies_are_understood() {
        for (condition, expected) in [
            (CONDITION, true),
            ("{}", true),
            (r#"{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::my-site"}}"#, true),
            (r#"{"ArnEquals":{"aws:SourceArn":["arn:aws:s3:::other","arn:aws:s3:::my-*"]}}"#, true),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::my-site-2"}}"#, false),
            (r#"{"StringEquals":{"aws:SourceAccount":"999999999999"}}"#, false),
            (r#"{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::*"}}"#, false),
            (r#"{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#, false),
            (r#"{"StringNotEquals":{"aws:SourceAccount":"1"}}"#, true),
            (
                r#"{"ForAnyValue:StringEquals":{"aws:SourceAccount":"123456789012"},"Bool":{"aws:SecureTransport":true}}"#,
                true,
            ),
            (r#"{"ArnLike":{"aws:SourceArn":"*site"}}"#, false),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:*"}}"#, false),
            ("[]", false),
        ] {
            let policy = policy(&[statement("Allow", S3, r#""lambda:InvokeFunction""#, condition)]);
            assert_eq!(allows(&policy, REQUEST), expected, "{condition}");
        }
    }

    #[test]
    fn principal_and_resource_must_match_and_deny_wins() {
        let is_allowed =
            |principal, action| allows(&policy(&[statement("Allow", principal, action, CONDITION)]), REQUEST);
        assert!(
            is_allowed(S3, r#"["lambda:*","x:Y"]"#)
                && is_allowed(r#""*""#, r#""lambda:Invoke*""#)
                && is_allowed(r#"{"AWS":"*"}"#, r#""*""#)
        );
        assert!(
            !is_allowed(r#"{"Service":"events.amazonaws.com"}"#, r#""*""#)
                && !is_allowed(S3, r#""lambda:GetFunction""#)
        );
        let denied = [statement("Allow", S3, r#""*""#, "{}"), statement("Deny", r#""*""#, r#""*""#, CONDITION)];
        assert!(!allows(&policy(&denied), REQUEST));
        for bad in ["", "{}", "[]", r#"{"Statement":7}"#, r#"{"Statement":[7]}"#] {
            assert!(!allows(bad, REQUEST), "{bad}");
        }
        for denial in [
            r#""Principal":"*","Action":"SQS:*","Resource":"*""#.replace("SQS", "LAMBDA"),
            r#""Principal":"*","NotAction":"lambda:GetPolicy","Resource":"*""#.to_owned(),
            r#""NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"*","Resource":"*""#.to_owned(),
            r#""Principal":"*","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}"#.to_owned(),
            r#""Principal":"*","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:SourceArn":"arn:aws:s3:::other"}}"#
                .to_owned(),
        ] {
            let denied = [statement("Allow", S3, r#""*""#, "{}"), format!(r#"{{"Effect":"Deny",{denial}}}"#)];
            assert!(!allows(&policy(&denied), REQUEST), "{denial}");
        }
        let other = [statement("Allow", S3, r#""*""#, "{}")
            .replace(r#""Resource":"*""#, r#""Resource":"arn:aws:lambda:x:1:function:g""#)];
        assert!(!allows(&policy(&other), REQUEST), "of another resource");
        let elsewhere = r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:SourceArn":"arn:aws:s3:::my-*"}}}"#;
        assert!(allows(&policy(&[statement("Allow", S3, r#""*""#, "{}"), elsewhere.to_owned()]), REQUEST));
        let single = format!(r#"{{"Statement":{}}}"#, statement("Allow", S3, r#""*""#, "{}"));
        assert!(allows(&single, REQUEST));
    }

    #[test]
    fn a_star_matches_any_text() {
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
            assert_eq!(matches_glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
