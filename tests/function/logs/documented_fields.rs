//! The metrics, log lines and fields in `docs/json.md`, `docs/operations.md` and the template are exactly those that the function
//! writes.

use std::collections::BTreeSet;
use std::time::Duration;

use s3_cloudfront_invalidator::local::events::{job, notification, record, sqs};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeJob, FakeQueue, Invoke};
use s3_cloudfront_invalidator::report::{METRICS, NAMESPACE};
use serde_json::{Value, json};

use crate::config::listing::site_config;
use crate::harness::{Harness, POLL, QUEUE, created, state, with_queue};

const JOB: &str = "11111111-abcd-1111-abcd-111111abcdef";

/// The commands, functions and keywords of Logs Insights that the queries use.
const WORDS: [&str; 23] = [
    "and",
    "as",
    "asc",
    "bin",
    "by",
    "count",
    "desc",
    "display",
    "fields",
    "filter",
    "into",
    "ispresent",
    "jsonParse",
    "like",
    "limit",
    "max",
    "not",
    "or",
    "sort",
    "stats",
    "sum",
    "unnest",
    "SOURCE",
];

pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The first cells of the rows of the table below a heading.
pub(crate) fn table(document: &str, heading: &str) -> BTreeSet<String> {
    let section = document.split(heading).nth(1).unwrap().split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

/// Collects the names of the fields of a line; those inside lists as `list[].field`.
fn fields(value: &Value, name: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let dot = if name.is_empty() { "" } else { "." };
                fields(value, &format!("{name}{dot}{member}"), found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, &format!("{name}[]"), found)),
        _ => {
            found.insert(name.to_owned());
        }
    }
}

pub(crate) fn fields_of<'l>(lines: impl IntoIterator<Item = &'l Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in lines {
        fields(line, "", &mut found);
    }
    found
}

/// The lines that the function wrote, except metrics.
async fn lines(harness: Harness) -> Vec<Value> {
    let lines = harness.function.stop().await.unwrap();
    lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect(line))
        .filter(|it| it.get("_aws").is_none())
        .collect()
}

fn is_summary(line: &Value) -> bool {
    line.get("durationMs").is_some()
}

/// The lines for a batch of SQS messages with a bucket listing, as in the document's example.
async fn batch() -> Vec<Value> {
    let keys: Vec<_> = (0..12).map(|n| format!("img/{n}.jpg")).collect();
    let mut state = state(&[("site", "E2EXAMPLE1ABCD"), ("scratch", "")]);
    state.buckets.get_mut("site").unwrap().objects = keys.iter().cloned().chain(["img/old.jpg".to_owned()]).collect();
    state.distributions.get_mut("E2EXAMPLE1ABCD").unwrap().config = Some(site_config());
    let harness = Harness::start(state, &[("MAX_PATHS", "4")]).await;
    let timed = |bucket: &str, key: &str| {
        let mut record = record("ObjectCreated:Put", bucket, key);
        record["eventTime"] = "2026-01-02T03:04:05.006Z".into();
        notification(&[record])
    };
    let mut bodies: Vec<_> = keys.iter().map(|key| timed("site", key)).collect();
    bodies.extend([timed("scratch", "a"), timed("gone", "b")]);
    let ids: Vec<_> = (0..bodies.len()).map(|n| format!("m{n}")).collect();
    let messages: Vec<_> = ids.iter().map(String::as_str).zip(bodies.iter().map(String::as_str)).collect();
    harness.report("8f507cfc-xmpl-4697-b07a-ac58fc914c95", sqs(&messages)).await;
    lines(harness).await
}

/// The lines for an event that exceeds every limit of a list, and for a job.
async fn more() -> Vec<Value> {
    let names: Vec<_> = (0..40).map(|n| (format!("site-{n}"), format!("E{n}X"), format!("scratch-{n}"))).collect();
    let mut buckets = vec![("site", "E1")];
    for (site, id, scratch) in &names {
        buckets.extend([(site.as_str(), id.as_str()), (scratch.as_str(), "")]);
    }
    let mut state = state(&buckets);
    state.buckets.get_mut("site").unwrap().tags.insert("invalidation:ignore".into(), ".map".into());
    state.jobs.insert(JOB.into(), FakeJob::default());
    let denied = Effect::error(403, "AccessDenied");
    state.faults.push(Fault::always("CreateInvalidation", "E1", denied));
    let harness = Harness::start(state, &[("DISTRIBUTION_CONFIG", "off")]).await;
    let mut records = vec![record("ObjectTagging:Put", "site", "a"); 2];
    let mut put = |bucket: &str, key: &str| records.push(record("ObjectCreated:Put", bucket, key));
    for key in ["a.map", "b.map", "a", "b"] {
        put("site", key);
    }
    for (index, (site, _, scratch)) in names.iter().enumerate() {
        put(site, &"k".repeat(1000));
        put(scratch, "a");
        put(&format!("gone-{index}"), "a");
    }
    harness.error("r1", notification(&records)).await;
    let request = json!({ "distributionId": "E0X", "paths": ["/a", "/a"] });
    harness.report("r2", job(JOB, Some(&request.to_string()), None)).await;
    lines(harness).await
}

/// The lines for an event that is handled with stale tags and a stale config.
async fn stale() -> Vec<Value> {
    let mut state = state(&[("site", "E1")]);
    state.distributions.get_mut("E1").unwrap().config = Some(site_config());
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20"), ("CACHE_TTL_SECONDS", "0")]).await;
    harness.report("r1", created(&[("site", "a")])).await;
    harness.aws.with(|state| {
        for (operation, target) in [("GetBucketTagging", "site"), ("GetDistributionConfig", "E1")] {
            let effect = Effect::error(503, "ServiceUnavailable");
            state.faults.push(Fault::always(operation, target, effect));
        }
    });
    harness.report("r2", created(&[("site", "a")])).await;
    lines(harness).await
}

/// The lines for a change that is queued, and for the poll that invalidates it.
async fn queued() -> Vec<Value> {
    let mut state = state(&[("site", "E1")]);
    state.queues.insert(QUEUE.into(), FakeQueue::default());
    state.faults.push(Fault::once("CreateInvalidation", "E1", Effect::error(400, "Throttling")));
    let harness = Harness::start(state, &with_queue(&[])).await;
    harness.report("r1", created(&[("site", "a")])).await;
    harness.report("r2", POLL).await;
    lines(harness).await
}

/// The line for a poll of a message that fails.
async fn failed_poll() -> Vec<Value> {
    let mut state = state(&[("site", "E1")]);
    let mut queue = FakeQueue::default();
    queue.send(created(&[("site", "a")]));
    state.queues.insert(QUEUE.into(), queue);
    state.faults.push(Fault::always("GetBucketTagging", "site", Effect::error(403, "AccessDenied")));
    let harness = Harness::start(state, &with_queue(&[])).await;
    let report = harness.report("r1", POLL).await;
    assert_eq!(report["queue"], json!({ "messagesReceived": 1, "messagesDeleted": 0, "attempt": 1 }));
    lines(harness).await
}

/// The line for a message that was received before, and whose invalidation is refused until it is late.
async fn merged() -> Vec<Value> {
    let mut state = state(&[("site", "E1")]);
    let refused = Effect::error(400, "TooManyInvalidationsInProgress");
    state.faults.push(Fault::always("CreateInvalidation", "E1", refused));
    let variables = [("RETRY_BASE_DELAY_MS", "20"), ("MAX_PATHS", "2"), ("MAX_WILDCARDS", "2")];
    let harness = Harness::start(state, &variables).await;
    let event = sqs(&[("m1", &created(&["a/1", "a/2", "b/1", "b/2"].map(|key| ("site", key))))]);
    let event = event.replace(r#""ApproximateReceiveCount":"1""#, r#""ApproximateReceiveCount":"2""#);
    // Retries end after five seconds, of which the last third is late.
    let accept = async {
        tokio::time::sleep(Duration::from_millis(4200)).await;
        harness.aws.with(|state| state.faults.clear());
    };
    let invoke = Invoke { timeout: Duration::from_secs(8), ..Invoke::new("r1") };
    tokio::join!(harness.lambda.invoke(event.into_bytes(), invoke), accept);
    assert_eq!(harness.invalidations("E1"), [["/*"]]);
    let lines = lines(harness).await;
    let summary = lines.iter().find(|line| is_summary(line)).unwrap();
    assert_eq!(summary["invalidations"][0]["mergedWildcards"], 1, "{summary}");
    lines
}

#[tokio::test]
async fn every_field_is_documented_and_every_query_names_existing_fields() {
    let (batch, more, stale, queued, failed_poll, merged) =
        (batch().await, more().await, stale().await, queued().await, failed_poll().await, merged().await);
    let all = || batch.iter().chain(&more).chain(&stale).chain(&queued).chain(&failed_poll).chain(&merged);
    let summaries = all().filter(|line| is_summary(line)).collect::<Vec<_>>();
    assert_eq!(summaries.len(), 9, "one for each invocation");
    for line in &summaries {
        assert!(line.to_string().len() < 64 * 1024, "{} bytes", line.to_string().len());
    }
    let mut real = fields_of(summaries);
    // The line is written before anything waits for an invalidation.
    assert!(real.insert("invalidations[].invalidationStatus".into()));
    assert_eq!(table(&read("docs/json.md"), "\n## Report and log line\n"), real);
    let operations = read("docs/operations.md");

    let known = fields_of(all());
    let template = read("infra/cloudformation/template.yaml");
    let widgets = template.split("\"query\": \"").skip(1).map(|rest| rest.split("\" ").next().unwrap());
    let queries: Vec<_> = operations.split("```sql\n").skip(1).map(|it| it.split("```").next().unwrap()).collect();
    assert!(queries.len() >= 6);
    for query in queries.into_iter().chain(widgets) {
        for field in named(query) {
            assert!(known.contains(&field), "{field} of {query}");
        }
    }
}

/// The fields that a Logs Insights query names.
fn named(query: &str) -> Vec<String> {
    // Quoted text is a value.
    let quoted = query.replace("\\\"", "\"").replace('\'', "\"");
    let bare: String = quoted.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words: Vec<_> = bare.split(|c: char| !(c.is_ascii_alphanumeric() || "@._{}$".contains(c))).collect();
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    // `line` is the whole line, and `into` names the elements of a list.
    let alias = |word: &str| {
        let index = words.windows(2).position(|pair| pair[0] == "into" && pair[1] == word)?;
        Some(format!("{}[]", words[index - 1].strip_prefix("line.")?))
    };
    let made = |word: &str| words.windows(2).any(|pair| ["as", "into"].contains(&pair[0]) && pair[1] == word);
    let is_field = |word: &&str| {
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        !(number || word.starts_with('@') || WORDS.contains(word) || made(word))
    };
    let mut fields = Vec::new();
    for word in words.iter().copied().filter(is_field) {
        match word.split_once('.') {
            Some(("line", _)) => {}
            Some((first, rest)) => {
                let exact = alias(first).map_or_else(|| word.to_owned(), |list| format!("{list}.{rest}"));
                fields.push(if ["buckets", "paths"].contains(&rest) { format!("{exact}[]") } else { exact });
            }
            None => fields.push(word.to_owned()),
        }
    }
    assert!(!fields.is_empty(), "{query}");
    fields
}

#[test]
fn the_documented_metrics_are_exactly_those_emitted() {
    let operations = read("docs/operations.md");
    let section = operations.split("\n## Metrics\n").nth(1).unwrap().split("\n#").next().unwrap();
    for (name, unit, _) in METRICS {
        assert!(section.contains(&format!("| `{name}` | {unit} |")), "{name}");
    }
    let mut emitted: BTreeSet<_> = METRICS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert!(emitted.len() <= 10, "those are free");
    // A metric filter in the template derives it from the log, with the alarms.
    emitted.insert("StaleCacheUsed".into());
    assert_eq!(table(&operations, "\n## Metrics\n"), emitted);

    let template = read("infra/cloudformation/template.yaml");
    let mut shown = BTreeSet::new();
    for rest in template.split(&format!("\"{NAMESPACE}\", \"")).skip(1) {
        shown.insert(rest.split('"').next().unwrap().to_owned());
    }
    assert_eq!(shown, emitted, "the dashboard");
    let alarm = template.split("  ErrorsAlarm:").nth(1).unwrap();
    let name = alarm.split("MetricName: !If [HasMetrics, ").nth(1).unwrap().split(',').next().unwrap();
    assert!(emitted.contains(name), "{name}");
    assert!(template.contains(&format!("MetricNamespace: {NAMESPACE}")));
}

/// Times, durations and the version are not compared.
#[tokio::test]
async fn the_documented_example_is_a_written_line() {
    let lines = batch().await;
    let [line] = &lines.iter().filter(|line| is_summary(line)).collect::<Vec<_>>()[..] else { panic!("one") };
    let operations = read("docs/operations.md");
    let example = operations.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let mut example: Value = serde_json::from_str(example).unwrap();
    let mut line = (*line).clone();
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    for differs in ["timestamp", "version", "durationMs", "invalidationLagMs"] {
        for line in [&mut example, &mut line] {
            assert!(line.as_object_mut().unwrap().remove(differs).is_some(), "{differs}");
        }
    }
    assert_eq!(example, line);
}

#[tokio::test]
async fn at_debug_each_distribution_has_a_line() {
    let harness = Harness::start(state(&[("site", "E1 E2")]), &[("AWS_LAMBDA_LOG_LEVEL", "DEBUG")]).await;
    harness.report("r1", created(&[("site", "a"), ("site", "b")])).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let lines = lines(harness).await;
    let each: Vec<_> =
        lines.iter().filter(|line| line["level"] == "DEBUG" && line.get("callerReference").is_some()).collect();
    let logged: Vec<_> = each.iter().map(|line| (line["distributionId"].as_str().unwrap(), &line["paths"])).collect();
    assert_eq!(logged, [("E1", &json!(["/a", "/b"])), ("E2", &json!(["/a", "/b"]))]);
}
