//! The templates allow what the policy does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The actions of each statement of the role, by its name, as the template spells them.
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

/// What the metric of stale answers counts is what the function writes.
#[test]
fn the_metric_counts_lines_that_are_written() {
    let words = "could not be read again";
    assert!(read("infra/cloudformation/template.yaml").contains(&format!(r#"$.message = "*{words}*""#)));
    for source in ["src/router.rs", "src/surveyor.rs"] {
        assert!(read(source).contains(words), "{source}");
    }
}

#[test]
fn the_template_allows_what_the_policy_does() {
    let template = actions(&read("infra/cloudformation/template.yaml"));
    let policy: Value = serde_json::from_str(&read("policy.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    for statement in statements {
        let sid = statement["Sid"].as_str().unwrap();
        let mut expected: BTreeSet<String> = match &statement["Action"] {
            Value::String(action) => [action.clone()].into(),
            actions => serde_json::from_value(actions.clone()).unwrap(),
        };
        // There the log group is made beforehand.
        expected.remove("logs:CreateLogGroup");
        assert_eq!(template.get(sid), Some(&expected), "{sid}");
    }
    assert_eq!(template.len(), statements.len() + 4, "the queue's and its policy's statements: {template:#?}");
}
