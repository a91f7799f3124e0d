//! The IAM policies allow exactly the actions that are called.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files in a directory with their content, by path.
fn sources(directory: &str) -> BTreeMap<PathBuf, String> {
    let files = fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let found: BTreeMap<_, _> = files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    assert!(found.len() > 3, "{directory}");
    found
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// The IAM actions of the operations that a file calls: `.get_bucket_tagging()` on an S3 client is
/// `s3:GetBucketTagging`. Some operations need an action of another name. Source: S3 user guide, "Required permissions
/// for Amazon S3 API operations".
fn called(path: &Path, text: &str, clients: &[(&str, &str)]) -> BTreeSet<String> {
    let code: String = without_tests(text).split_whitespace().collect();
    let sent = code.matches(".send()").count();
    let mut actions = BTreeSet::new();
    let mut found = 0;
    for (at, _) in code.match_indices('.') {
        // A call starts with the client's method for the operation, which takes no arguments.
        let Some((operation, rest)) = code[at + 1..].split_once("()") else { continue };
        let verb = operation.split('_').next().unwrap();
        let verbs = [
            "add", "create", "delete", "describe", "filter", "get", "head", "list", "put", "receive", "remove", "send",
            "tag", "untag",
        ];
        let is_operation =
            verbs.contains(&verb) && operation.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '2');
        let is_operation = is_operation && operation.contains('_') || operation == "invoke";
        if !is_operation || rest.is_empty() {
            continue;
        }
        let before = &code[..at];
        let Some((_, service)) = clients.iter().find(|(client, _)| before.ends_with(client)) else { continue };
        let name: String = operation.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        found += 1;
        actions.insert(match format!("{service}:{name}").as_str() {
            "s3:ListObjectsV2" | "s3:HeadBucket" => "s3:ListBucket".to_owned(),
            "s3:ListBuckets" => "s3:ListAllMyBuckets".to_owned(),
            "s3:GetBucketNotificationConfiguration" => "s3:GetBucketNotification".to_owned(),
            "s3:PutBucketNotificationConfiguration" => "s3:PutBucketNotification".to_owned(),
            // Source: Service Authorization Reference, "AWS Lambda".
            "lambda:Invoke" => "lambda:InvokeFunction".to_owned(),
            "s3:DeleteBucketTagging" => "s3:PutBucketTagging".to_owned(),
            // Source: Service Authorization Reference, "Amazon SQS": the batch operations have no actions of their own.
            "sqs:DeleteMessageBatch" => "sqs:DeleteMessage".to_owned(),
            "sqs:SendMessageBatch" => "sqs:SendMessage".to_owned(),
            action => action.to_owned(),
        });
    }
    assert!(found >= sent, "{}: {sent} calls are sent, and these were found: {actions:?}", path.display());
    actions
}

/// The IAM actions of the operations that the function calls.
fn called_actions() -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for (path, text) in sources("src/aws") {
        let code: String = without_tests(&text).split_whitespace().collect();
        let services: Vec<_> = ["s3", "cloudfront", "codepipeline", "sqs"]
            .into_iter()
            .filter(|it| code.contains(&format!("useaws_sdk_{it}::Client")))
            .collect();
        assert!(!code.contains(".send()") || services.len() == 1, "{} calls several services", path.display());
        let service = services.first().copied().unwrap_or_default();
        actions.extend(called(&path, &text, &[("client", service), ("client()", service)]));
    }
    actions
}

#[test]
fn the_operator_policy_allows_exactly_the_actions_of_the_commands() {
    let clients = [
        ("self.cloud_formation", "cloudformation"),
        ("self.cloud_front.client", "cloudfront"),
        ("client", "cloudfront"),
        ("self.cloud_watch", "cloudwatch"),
        ("self.event_bridge", "events"),
        ("self.lambda", "lambda"),
        ("self.logs", "logs"),
        ("self.scheduler", "scheduler"),
        ("self.s3", "s3"),
        ("self.s3_control", "s3"),
        ("self.sqs", "sqs"),
        ("self.sts", "sts"),
    ];
    let mut expected: BTreeSet<_> =
        sources("src/cli/aws").iter().flat_map(|(path, text)| called(path, text, &clients)).collect();
    // This action needs no permission. Source: STS API reference, GetCallerIdentity.
    assert!(expected.remove("sts:GetCallerIdentity"));
    // `invalidate` calls what the function calls, except for CodePipeline and the function's queue.
    let others = ["codepipeline:", "sqs:"];
    let shared = called_actions().into_iter().filter(|action| !others.iter().any(|it| action.starts_with(it)));
    expected.extend(shared);
    let policy: Value =
        serde_json::from_str(&fs::read_to_string(root().join("docs/operator-policy.json")).unwrap()).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let allowed: BTreeSet<_> = statements.iter().flat_map(|statement| strings(&statement["Action"])).collect();
    assert_eq!(allowed, expected);
}

fn policy() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("policy.json")).unwrap()).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn the_policy_allows_exactly_the_actions_of_the_adapters() {
    let policy = policy();
    assert_eq!(policy["Version"], "2012-10-17");
    let allowed: BTreeSet<_> =
        policy["Statement"].as_array().unwrap().iter().flat_map(|statement| strings(&statement["Action"])).collect();
    let mut expected = called_actions();
    assert_eq!(expected.len(), 14, "{expected:?}");
    expected.extend(["logs:CreateLogStream", "logs:PutLogEvents"].map(str::to_owned));
    expected.insert("logs:CreateLogGroup".to_owned());
    assert_eq!(allowed, expected);
}

#[test]
fn every_statement_names_its_resources_and_limits_buckets_to_the_account() {
    for statement in policy()["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        assert!(statement["Sid"].as_str().unwrap().chars().all(|c| c.is_ascii_alphanumeric()), "{statement}");
        for action in strings(&statement["Action"]) {
            assert!(!action.contains('*'), "{statement}");
        }
        for resource in strings(&statement["Resource"]) {
            // The actions for job results support no narrower resource. Source: Service Authorization Reference, "AWS
            // CodePipeline".
            let unnamed = strings(&statement["Action"]).iter().all(|it| it.starts_with("codepipeline:PutJob"));
            assert!(unnamed == (resource == "*"), "{statement}");
            assert!(unnamed || resource.starts_with("arn:*:") && resource.split(':').count() >= 6, "{statement}");
        }
        if strings(&statement["Action"]).iter().any(|action| action.starts_with("s3:")) {
            let condition = &statement["Condition"]["StringEquals"]["aws:ResourceAccount"];
            assert_eq!(condition, "${aws:PrincipalAccount}", "{statement}");
        }
    }
}
