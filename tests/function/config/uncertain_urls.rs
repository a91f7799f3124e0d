//! Changes of which viewers may also request other URLs than those that are invalidated are counted apart and warned of.

use s3_cloudfront_invalidator::local::State;
use serde_json::{Value, json};

use crate::harness::{Harness, created, state};

/// A distribution of the bucket `site`, with a function at this event type.
fn config(event_type: Option<&str>) -> Value {
    let functions: Vec<_> = event_type
        .map(|it| json!({ "LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:f:1", "EventType": it }))
        .into_iter()
        .collect();
    let origin = json!({ "Id": "s3", "DomainName": "site.s3.eu-central-1.amazonaws.com", "OriginPath": "" });
    json!({
        "CallerReference": "example", "Comment": "", "Enabled": true,
        "Origins": { "Quantity": 1, "Items": [origin] },
        "DefaultCacheBehavior": {
            "TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only",
            "LambdaFunctionAssociations": { "Quantity": functions.len(), "Items": functions },
        },
    })
}

fn state_with(config: Option<Value>, tag: Option<(&str, &str)>) -> State {
    let mut state = state(&[("site", "E1")]);
    state.distributions.get_mut("E1").unwrap().config = config;
    let tags = &mut state.buckets.get_mut("site").unwrap().tags;
    tags.extend(tag.map(|(key, value)| (key.to_owned(), value.to_owned())));
    state
}

/// The uncertain changes of two deliveries of two changes, and the log lines about the URLs as level and message.
async fn uncertain(state: State, variables: &[(&str, &str)]) -> (Vec<Value>, Vec<(String, String)>) {
    let harness = Harness::start(state, variables).await;
    let mut counts = Vec::new();
    for request_id in ["r1", "r2"] {
        let report = harness.report(request_id, created(&[("site", "a"), ("site", "b")])).await;
        assert_eq!(report["changes"]["invalidated"], 2, "{report}");
        counts.push(report["urlsUncertain"].clone());
    }
    let lines = harness.function.stop().await.unwrap();
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let lines = lines.map(|line| (text(&line, "level"), text(&line, "message")));
    (counts, lines.filter(|(_, message)| message.starts_with("a function at")).collect())
}

#[tokio::test]
async fn a_function_at_origin_request_is_warned_of_once() {
    let (counts, lines) = uncertain(state_with(Some(config(Some("origin-request"))), None), &[]).await;
    assert_eq!(counts, [2, 2]);
    let [(level, message)] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(level, "WARN");
    assert!(message.ends_with("in the tag invalidation:urls (\"/:key\" if they are the keys)"), "{message}");
}

#[tokio::test]
async fn a_function_at_viewer_request_is_noted_once() {
    let (counts, lines) = uncertain(state_with(Some(config(Some("viewer-request"))), None), &[]).await;
    assert_eq!(counts, [Value::Null, Value::Null]);
    let [(level, message)] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(level, "INFO");
    assert!(message.contains("nothing is to be done if they are the keys"), "{message}");
}

#[tokio::test]
async fn known_urls_are_certain() {
    let tag = Some(("invalidation:urls", "/:key"));
    for state in [
        state_with(Some(config(None)), None),
        state_with(Some(config(Some("origin-response"))), None),
        state_with(Some(config(Some("origin-request"))), tag),
        state_with(Some(config(Some("viewer-request"))), tag),
    ] {
        assert_eq!(uncertain(state, &[]).await, (vec![Value::Null, Value::Null], vec![]));
    }
}

/// Without the config an object behind an origin path would be invalidated at a URL that nobody requests.
#[tokio::test]
async fn without_the_config_the_urls_are_uncertain_unless_a_tag_names_the_origin_path() {
    let (counts, _) = uncertain(state_with(None, None), &[]).await;
    assert_eq!(counts, [2, 2]);
    let (counts, _) = uncertain(state_with(None, Some(("invalidation:originPath", "/"))), &[]).await;
    assert_eq!(counts, [Value::Null, Value::Null]);
    // `status` learns it from a dry run.
    let harness = Harness::start(state_with(None, None), &[]).await;
    let report = harness.report("r1", r#"{"bucket":"site","keys":["a"],"dryRun":true}"#).await;
    assert_eq!(report["urlsUncertain"], 1, "{report}");
    // The operator has decided so.
    let (counts, _) = uncertain(state_with(None, None), &[("DISTRIBUTION_CONFIG", "off")]).await;
    assert_eq!(counts, [Value::Null, Value::Null]);
}
