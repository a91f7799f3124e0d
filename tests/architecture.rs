//! Guards over the sources themselves: the direction of dependencies, the size of files, the policy.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `directory`, by its path from the top.
fn sources(directory: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root()).unwrap().to_owned(), text);
            }
        }
    }
    assert!(!found.is_empty(), "{directory}");
    found
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// The module of the crate that a file belongs to: `src/event/key.rs` is `event`.
fn module(path: &Path) -> String {
    let first = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules of the crate that a text names after `crate::`.
fn uses(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split("crate::").skip(1).map(name).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn dependencies_point_one_way() {
    // Each module and what it may know of those before it. `text` is for all.
    let allowed: &[(&str, &[&str])] = &[
        ("text", &[]),
        ("moment", &[]),
        ("tally", &[]),
        ("backoff", &[]),
        ("cache", &[]),
        ("crowd", &[]),
        ("logging", &["moment"]),
        ("change", &[]),
        ("distribution", &[]),
        ("path", &["change"]),
        ("settings", &["change", "path"]),
        ("event", &["change", "distribution", "moment", "path"]),
        ("job", &["distribution", "event"]),
        ("collapse", &["path"]),
        ("route", &["change", "distribution", "path"]),
        ("reference", &["distribution", "path"]),
        ("view", &["change", "distribution", "path", "route", "settings"]),
        ("plan", &["change", "collapse", "distribution", "event", "path", "reference", "route", "view"]),
        ("ports", &["change", "distribution", "event", "job", "plan", "route", "settings"]),
        ("lookup", &["backoff", "cache", "ports", "tally"]),
        ("surveyor", &["cache", "change", "crowd", "distribution", "lookup", "ports", "route", "settings", "view"]),
        ("router", &["cache", "change", "crowd", "lookup", "ports", "route", "surveyor", "view"]),
        ("inventory", &["backoff", "ports", "tally"]),
        ("stock", &["change", "collapse", "distribution", "event", "inventory", "path", "plan", "settings", "view"]),
        ("lister", &["cache", "change", "inventory", "ports", "stock"]),
        ("report", &["distribution", "moment", "path", "plan", "ports"]),
        ("failure", &["change", "distribution", "event", "job", "ports", "report", "router"]),
        ("summary", &["change", "distribution", "event", "failure", "moment", "path", "report", "tally"]),
        ("metrics", &["moment", "summary"]),
        ("config", &["collapse", "distribution", "lookup", "ports", "route"]),
        (
            "app",
            &[
                "backoff",
                "cache",
                "change",
                "collapse",
                "config",
                "crowd",
                "distribution",
                "event",
                "failure",
                "job",
                "lister",
                "moment",
                "path",
                "plan",
                "ports",
                "reference",
                "report",
                "route",
                "router",
                "stock",
                "summary",
                "surveyor",
                "tally",
                "view",
            ],
        ),
        ("aws", &["change", "distribution", "event", "job", "path", "plan", "ports", "route", "settings"]),
        ("handler", &["app", "failure", "metrics", "ports", "report"]),
        ("local", &[]),
        (
            "cli",
            &[
                "aws",
                "change",
                "collapse",
                "config",
                "distribution",
                "event",
                "local",
                "path",
                "ports",
                "route",
                "settings",
                "view",
            ],
        ),
    ];
    for (place, (module, known)) in allowed.iter().enumerate() {
        for known in *known {
            assert!(
                allowed[..place].iter().any(|(before, _)| before == known),
                "{module} knows {known}, which is not before it"
            );
        }
    }
    let allowed: BTreeMap<_, _> = allowed.iter().copied().collect();
    for (path, text) in sources("src") {
        let module = module(&path);
        if ["lib", "main", "invalidator"].contains(&module.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(module.as_str()) else { panic!("{module} has no place in the direction") };
        for used in uses(without_tests(&text)) {
            let fine = used == module || used == "text" || allowed.contains(&used.as_str());
            assert!(fine, "{} uses crate::{used}", path.display());
        }
    }
}

#[test]
fn only_the_adapters_name_an_sdk() {
    for (path, text) in sources("src") {
        if module(&path) == "aws" {
            continue;
        }
        for sdk in ["aws_sdk_", "aws_config", "aws_smithy", "aws_types"] {
            assert!(!text.contains(sdk), "{} names {sdk}", path.display());
        }
    }
}

#[test]
fn the_pure_side_knows_no_clock_and_no_environment() {
    for (path, text) in sources("src") {
        if [
            "change",
            "collapse",
            "distribution",
            "event",
            "job",
            "path",
            "plan",
            "reference",
            "route",
            "settings",
            "text",
            "view",
        ]
        .contains(&module(&path).as_str())
        {
            for effect in ["std::time", "std::env", "std::fs", "std::net", "tokio", "tracing::", "async "] {
                assert!(!without_tests(&text).contains(effect), "{} has {effect}", path.display());
            }
        }
    }
}

#[test]
fn no_file_is_over_300_lines() {
    for (path, text) in ["src", "tests"].into_iter().flat_map(sources) {
        let lines = text.lines().count();
        assert!(lines <= 300, "{} has {lines} lines", path.display());
    }
    assert!(fs::read_to_string(root().join("src/main.rs")).unwrap().lines().count() <= 60);
}

/// The operations that the adapters call, as IAM names them: `.get_bucket_tagging()` on S3's client is
/// `s3:GetBucketTagging`. For one of them IAM has another name. Source: S3 user guide, "Required permissions for Amazon S3
/// API operations".
fn called_actions() -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for (path, text) in sources("src/aws") {
        let code: String = without_tests(&text).split_whitespace().collect();
        let calls = code.matches(".send()").count();
        let services: Vec<_> = ["s3", "cloudfront", "codepipeline"]
            .into_iter()
            .filter(|it| code.contains(&format!("useaws_sdk_{it}::Client")))
            .collect();
        assert!(calls == 0 || services.len() == 1, "{} calls several services", path.display());
        // A call starts with the operation's builder, which takes nothing, and ends with `send`.
        let operations: Vec<_> = ["get", "list", "create", "put", "delete"]
            .into_iter()
            .flat_map(|verb| {
                code.match_indices(&format!(".{verb}_")).map(|(at, _)| &code[at + 1..]).collect::<Vec<_>>()
            })
            .filter_map(|rest| rest.split_once('(').filter(|(_, after)| after.starts_with(')')))
            .map(|(operation, _)| {
                operation.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect::<String>()
            })
            .collect();
        assert_eq!(operations.len(), calls, "{}: {operations:?}", path.display());
        let action = |operation: &String| match format!("{}:{operation}", services[0]).as_str() {
            "s3:ListObjectsV2" => "s3:ListBucket".to_owned(),
            action => action.to_owned(),
        };
        actions.extend(operations.iter().map(action));
    }
    actions
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
fn the_policy_allows_what_the_adapters_call_and_nothing_else() {
    let policy = policy();
    assert_eq!(policy["Version"], "2012-10-17");
    let allowed: BTreeSet<_> =
        policy["Statement"].as_array().unwrap().iter().flat_map(|statement| strings(&statement["Action"])).collect();
    let mut expected = called_actions();
    assert_eq!(expected.len(), 10, "{expected:?}");
    expected.extend(["logs:CreateLogStream", "logs:PutLogEvents"].map(str::to_owned));
    expected.insert("logs:CreateLogGroup".to_owned());
    assert_eq!(allowed, expected);
}

#[test]
fn the_policy_names_resources_and_the_own_account() {
    for statement in policy()["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        assert!(statement["Sid"].as_str().unwrap().chars().all(|c| c.is_ascii_alphanumeric()), "{statement}");
        for action in strings(&statement["Action"]) {
            assert!(!action.contains('*'), "{statement}");
        }
        for resource in strings(&statement["Resource"]) {
            // The results of jobs know no narrower one. Source: Service Authorization Reference, "AWS CodePipeline".
            let unnamed = strings(&statement["Action"]).iter().all(|it| it.starts_with("codepipeline:PutJob"));
            assert!(unnamed == (resource == "*"), "{statement}");
            assert!(unnamed || resource.starts_with("arn:aws:") && resource.split(':').count() >= 6, "{statement}");
        }
        if strings(&statement["Action"]).iter().any(|action| action.starts_with("s3:")) {
            let condition = &statement["Condition"]["StringEquals"]["aws:ResourceAccount"];
            assert_eq!(condition, "${aws:PrincipalAccount}", "{statement}");
        }
    }
}
