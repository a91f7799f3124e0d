//! The CloudFormation template allows what `policy.json` does, and its parameters match the code's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use s3_cloudfront_invalidator::config::Config;
use serde_json::{Value, json};

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The actions of each policy statement in the template, by its `Sid`.
fn actions(template: &str) -> BTreeMap<String, BTreeSet<String>> {
    let statements = template.split("Sid: ").skip(1);
    let actions = statements.map(|statement| {
        let (sid, rest) = statement.split_once('\n').unwrap();
        let list = rest.split_once("Action:").unwrap().1.split("Resource:").next().unwrap();
        let words = list.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
        let is_action = |word: &&str| word.split_once(':').is_some_and(|(_, name)| !name.is_empty());
        (sid.trim().to_owned(), words.filter(is_action).map(str::to_owned).collect())
    });
    actions.collect()
}

/// The metric filter's pattern must match the warning that the function logs when it uses a stale cache entry.
#[test]
fn the_stale_cache_metric_matches_the_log() {
    let start = "stale cache entry used";
    let template = read("infra/cloudformation/template.yaml");
    assert!(template.contains(&format!(r#"$.level = "WARN" && $.message = "{start}*""#)));
    for source in ["src/lookup/tags.rs", "src/lookup/configs.rs"] {
        assert!(read(source).contains(&format!("\"{start}: ")), "{source}");
    }
}

#[test]
fn the_templates_role_allows_the_actions_of_the_policy() {
    let template = actions(&read("infra/cloudformation/template.yaml"));
    let policy: Value = serde_json::from_str(&read("policy.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    for statement in statements {
        let sid = statement["Sid"].as_str().unwrap();
        let mut expected: BTreeSet<String> = match &statement["Action"] {
            Value::String(action) => [action.clone()].into(),
            actions => serde_json::from_value(actions.clone()).unwrap(),
        };
        // The template creates the log group itself.
        expected.remove("logs:CreateLogGroup");
        assert_eq!(template.get(sid), Some(&expected), "{sid}");
    }
    assert_eq!(
        template.len(),
        statements.len() + 5,
        "three statements of the queue policies, one of the schedule's role and UseKey: {template:#?}"
    );
}

/// The schedule replaces Lambda's event source mapping: both at the same time would split a deploy into batches.
#[test]
fn the_schedule_is_the_only_poller_of_the_queue() {
    let template = read("infra/cloudformation/template.yaml");
    assert_eq!(template.matches("Type: AWS::Scheduler::Schedule").count(), 1);
    assert!(!template.contains("EventSourceMapping"));
    let input = template.split("Input: !Sub >-\n").nth(1).unwrap().lines().next().unwrap();
    let input = input.trim().replace("${PollIntervalMinutes}", "5");
    let expected = json!({"pollQueue": true, "scheduledTime": "<aws.scheduler.scheduled-time>", "intervalMinutes": 5});
    assert_eq!(serde_json::from_str::<Value>(&input).unwrap(), expected);
    let actions = actions(&template);
    assert_eq!(actions["InvokeFunction"], BTreeSet::from(["lambda:InvokeFunction".to_owned()]));
}

/// The function's environment variables in the template, each with the parameter that sets it.
fn variables(template: &str) -> BTreeMap<String, String> {
    let variables = template.split("\n        Variables:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut found = BTreeMap::new();
    let mut variable = "";
    for line in variables.lines() {
        if line.starts_with(&format!("{}{}", " ".repeat(10), line.trim_start())) {
            variable = line.trim_start().split(':').next().unwrap();
        }
        if let Some((_, parameter)) = line.split_once("!Ref ") {
            let parameter = parameter.split([',', ']']).next().unwrap();
            found.entry(variable.to_owned()).or_insert_with(|| parameter.to_owned());
        }
    }
    found
}

/// An attribute of a parameter in the template, such as its default.
fn attribute(template: &str, parameter: &str, name: &str) -> Option<String> {
    let block = template.split(&format!("\n  {parameter}:\n")).nth(1).unwrap();
    let mut lines = block.lines().take_while(|line| line.starts_with("    "));
    lines.find_map(|line| Some(line.trim().strip_prefix(name)?.strip_prefix(": ")?.trim_matches('"').to_owned()))
}

/// `tests/infra` compares the defaults and limits of the Terraform module and the CDK construct with those of the
/// template.
#[test]
fn every_environment_variable_has_a_parameter_with_the_codes_default_and_limits() {
    let template = read("infra/cloudformation/template.yaml");
    let mut variables = variables(&template);
    // The template's own queue, not a parameter.
    assert_eq!(variables.remove("QUEUE_URL").as_deref(), Some("Queue"));
    assert_eq!(variables.len(), 17, "{variables:?}");
    let document = read("docs/settings.md");
    let rows = document.split("\nLambda's own").next().unwrap().lines().filter(|line| line.starts_with("| `"));
    let rows =
        rows.map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>());
    let named: BTreeMap<_, _> =
        rows.map(|it| (it[1].clone(), it[3].clone())).filter(|(_, it)| !it.is_empty()).collect();
    assert_eq!(named, variables, "docs/settings.md");
    let defaults = Config::from_lookup(|_| None).unwrap();
    for (variable, parameter) in variables {
        let config = |value: &str| Config::from_lookup(|name| (name == variable).then(|| value.to_owned()));
        let attribute = |name| attribute(&template, &parameter, name);
        // The function's environment does not contain these two if their parameter is empty.
        let default = attribute("Default").unwrap();
        if !["DISTRIBUTION_ID", "EXPECTED_BUCKET_OWNER"].contains(&variable.as_str()) {
            assert_eq!(config(&default).as_ref(), Ok(&defaults), "{parameter}");
        }
        let values = attribute("AllowedValues").unwrap_or_default();
        let values = values.trim_matches(['[', ']']).split(", ").map(|value| value.trim_matches('"'));
        for value in values.filter(|value| !value.is_empty()) {
            assert!(config(value).is_ok(), "{parameter}={value}");
            assert_eq!(config(value).as_ref() == Ok(&defaults), value == default, "{parameter}={value}");
        }
        for (limit, beyond) in [("MinValue", -1), ("MaxValue", 1)] {
            assert_eq!(
                attribute(limit).is_some(),
                attribute("Type").as_deref() == Some("Number"),
                "{parameter}: {limit}"
            );
            let Some(value) = attribute(limit).map(|value| value.parse::<i64>().unwrap()) else { continue };
            assert!(config(&value.to_string()).is_ok(), "{parameter}={value}");
            assert!(config(&(value + beyond).to_string()).is_err(), "{parameter}={value}");
        }
    }
}

/// A release consists of files with one version, and the changelog describes it.
#[test]
fn all_files_have_the_same_version() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, line) in [
        ("infra/cloudformation/template.yaml", format!("  Release: {{ Function: {{ Version: \"{version}\" }} }}\n")),
        ("infra/terraform/main.tf", format!("  version = \"{version}\"\n")),
        ("infra/cdk/package.json", format!("  \"version\": \"{version}\",\n")),
        (
            "infra/cdk/package-lock.json",
            format!("{{\n  \"name\": \"s3-cloudfront-invalidator-cdk\",\n  \"version\": \"{version}\",\n"),
        ),
        ("CHANGELOG.md", format!("\n## [{version}] - ")),
    ] {
        assert!(read(file).contains(&line), "{file} has another version than {version}");
    }
}

#[test]
fn the_function_accepts_every_log_level_of_the_template() {
    let template = read("infra/cloudformation/template.yaml");
    let levels = attribute(&template, "LogLevel", "AllowedValues").unwrap();
    let levels: Vec<tracing::Level> =
        levels.trim_matches(['[', ']']).split(", ").map(|level| level.parse().unwrap()).collect();
    assert!(levels.contains(&tracing::Level::INFO), "{levels:?}");
    assert_eq!(attribute(&template, "LogLevel", "Default").as_deref(), Some("INFO"));
}
