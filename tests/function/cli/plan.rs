//! The command `invalidator plan`, and helpers to run any command.

use std::io::Write;
use std::process::{Command, Stdio};

use s3_cloudfront_invalidator::local::REGION;
use s3_cloudfront_invalidator::local::events::{
    event_bridge, invocation_record, job, notification, record, sns, sns_notification, sqs,
};
use serde_json::{Value, json};

use crate::logs::documented_fields::{fields_of, read, table};

fn plan(arguments: &[&str], input: &str) -> (bool, String, String) {
    run(arguments, &[], input)
}

/// An environment with a Region but without credentials. Instance metadata, the last source of them, is disabled.
pub(crate) const NO_CREDENTIALS: [(&str, &str); 2] =
    [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_REGION", "eu-central-1")];

/// Runs a command. Returns whether it succeeded, its output and its error output.
pub(crate) fn invalidator(arguments: &[&str], environment: &[(&str, &str)], input: &[u8]) -> (bool, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_invalidator"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may have rejected its arguments and exited.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Runs `plan` like [`invalidator`].
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> (bool, String, String) {
    invalidator(&[&["plan"], arguments].concat(), environment, input.as_bytes())
}

/// The environment that makes the AWS CLI and `invalidator` call the fake AWS at `url`.
pub(crate) fn fake_aws_environment(url: &str) -> [(&str, &str); 4] {
    [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ACCESS_KEY_ID", "AKIDLOCAL"),
        ("AWS_SECRET_ACCESS_KEY", "local-secret-key"),
        ("AWS_REGION", REGION),
    ]
}

fn json_of(arguments: &[&str], input: &str) -> Value {
    let (success, printed, errors) = plan(&[arguments, &["--json"]].concat(), input);
    assert!(success, "{errors}");
    serde_json::from_str(&printed).unwrap()
}

/// The invalidation of a plan in JSON.
fn planned(arguments: &[&str], input: &str) -> Value {
    json_of(arguments, input)["invalidations"][0].take()
}

#[test]
fn keys_are_read_from_standard_input() {
    assert_eq!(
        json_of(&["--keys", "-"], "a b.txt\ndocs/index.html\n"),
        json!({
            "ok": true,
            "invalidations": [{
                "status": "planned",
                "changes": 2,
                "pathCount": 4,
                "wildcardCount": 0,
                "unchangedEvicted": 0,
                "costUsd": 0.02,
                "paths": ["/a%20b.txt", "/a+b.txt", "/docs/", "/docs/index.html"],
            }],
        })
    );
}

#[test]
fn the_documented_example_and_its_fields_are_those_of_a_plan() {
    let page = read("docs/json.md");
    let section = page.split("\n## Plan\n").nth(1).unwrap();
    let example: Value =
        serde_json::from_str(section.split("```json\n").nth(1).unwrap().split("```").next().unwrap()).unwrap();
    let config = r#"{"Origins":{"Quantity":1,"Items":[
        {"Id":"site","DomainName":"my-site.s3.eu-central-1.amazonaws.com","OriginPath":""}]},
        "DefaultCacheBehavior":{"TargetOriginId":"site","ForwardedValues":{"QueryString":false}}}"#;
    let file = std::env::temp_dir().join(format!("documented-plan-{}.json", std::process::id()));
    std::fs::write(&file, config).unwrap();
    let arguments = ["--keys", "-", "--explain", "--bucket", "my-site", "--config", file.to_str().unwrap()];
    let printed = json_of(&arguments, "img/a.jpg\n");
    let with_forms = json_of(&[&arguments[..], &["--urls", "/:key"]].concat(), "img/a.jpg\n");
    let function = r#""DefaultCacheBehavior":{"LambdaFunctionAssociations":{"Quantity":1,"Items":[
        {"LambdaFunctionARN":"arn:aws:lambda:us-east-1:1:function:f:1","EventType":"origin-request"}]},"#;
    std::fs::write(&file, config.replace("\"DefaultCacheBehavior\":{", function)).unwrap();
    let (success, rewritten, errors) = plan(&[&arguments[..], &["--json"]].concat(), "img/a.jpg\n");
    let named = plan(&[&arguments[..], &["--json", "--urls", "/:key"]].concat(), "img/a.jpg\n");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(example, printed);
    assert_eq!(with_forms["urls"][0]["form"], "/:key");
    let rewritten: Value = serde_json::from_str(&rewritten).unwrap();
    assert!(
        success && errors.starts_with("Warning: a function at origin-request is in front of this bucket"),
        "{errors}"
    );
    assert_eq!(rewritten["urlsUncertain"], 1);
    assert!(named.0 && named.2.is_empty() && !named.1.contains("urlsUncertain"), "{named:?}");
    let event = r#"{"Records":[{"eventSource":"aws:s3"}]}"#;
    let incomplete: Value = serde_json::from_str(&plan(&["--event", "-", "--json"], event).1).unwrap();
    assert_eq!(table(&page, "\n## Plan\n"), fields_of([&printed, &with_forms, &rewritten, &incomplete]));
}

#[test]
fn empty_input_gives_no_paths() {
    assert_eq!(json_of(&["--keys", "-"], ""), json!({ "ok": true, "invalidations": [] }));
    let (success, printed, _) = plan(&["--keys", "-"], "\n");
    assert!(success && printed.contains("Nothing to invalidate"), "{printed}");
}

#[test]
fn an_unreadable_record_fails_the_plan_but_the_others_are_planned() {
    let records = ["a.txt", "BAD", "b.txt"].map(|key| record("ObjectCreated:Put", "site", key));
    let event = notification(&records).replace("BAD", "%FF");
    let (success, printed, errors) = plan(&["--json", "--event", "-"], &event);
    assert!(!success, "an incomplete plan is an error");
    assert!(errors.contains("Records[1].s3.object.key"), "{errors}");
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["ok"], false);
    assert_eq!(printed["invalidations"][0]["paths"], json!(["/a.txt", "/b.txt"]));
}

#[test]
fn a_sync_is_planned_below_the_origin_path_within_the_budget() {
    let sync = "(dryrun) upload: a to s3://b/web/img/1.png\n(dryrun) upload: a to s3://b/web/img/2.png\n\
                (dryrun) delete: s3://b/web/old.html\n(dryrun) delete: s3://b/elsewhere.html\n";
    let arguments = ["--sync", "-", "--origin-path", "/web", "--max-paths", "2", "--max-wildcards", "1"];
    let printed = planned(&arguments, sync);
    assert_eq!(printed["unchangedEvicted"], json!(null), "nothing is known of the bucket");
    assert_eq!((&printed["paths"], &printed["changes"]), (&json!(["/img/*", "/old.html"]), &json!(3)));
}

#[test]
fn a_listing_counts_evictions_and_evictions_per_path_trades_them() {
    let file = std::env::temp_dir().join(format!("counted-{}.txt", std::process::id()));
    let lines =
        ["a/1", "a/2", "a/3", "b/1", "b/2", "b/3~", "c", "d", "e"].map(|key| format!("2026-01-02 03:04:05 10 {key}\n"));
    std::fs::write(&file, lines.concat()).unwrap();
    let with_listing = ["--keys", "-", "--listing", file.to_str().unwrap()];
    let changed = "a/1\na/2\na/3\nb/1\nb/2\n";
    let free = planned(&with_listing, changed);
    assert_eq!((&free["paths"], &free["unchangedEvicted"]), (&json!(["/a/*", "/b/1", "/b/2"]), &json!(0)));
    let bought = planned(&[&with_listing[..], &["--evictions-per-path", "2"]].concat(), changed);
    assert_eq!((&bought["paths"], &bought["unchangedEvicted"]), (&json!(["/a/*", "/b/*"]), &json!(1)));
    let (_, printed, _) = plan(&with_listing, changed);
    std::fs::remove_file(&file).unwrap();
    let row = |cells: &[&str]| printed.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == cells);
    assert!(row(&["/a/*", "3", "a/1", "0"]), "{printed}");
    assert!(row(&["\"/*\"", "1", "1", "$0.005", "4"]), "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 80), "{printed}");
}

/// Where a listing may be incomplete, no wildcard counts as evicting nothing else.
#[test]
fn a_partial_listing_makes_nothing_free_elsewhere() {
    let file = |name: &str, text: &str| {
        let file = std::env::temp_dir().join(format!("{name}-{}.txt", std::process::id()));
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let keys = "a/1\na/2\nb/1\nb/2\n";
    let listing = file("listing", "2026-01-02 03:04:05 10 a/1\n2026-01-02 03:04:05 10 a/2\n");
    let sync = file("sync", "upload: 1 to s3://b/a/1\nupload: 2 to s3://b/a/2\n");
    let empty = file("empty", "\n");
    let paths = |listing: &[&str]| planned(&[&["--keys", "-", "--listing"], listing].concat(), keys)["paths"].clone();
    assert_eq!(paths(&[&listing, "--listing-prefix", "a/"]), json!(["/a/*", "/b/1", "/b/2"]));
    assert_eq!(paths(&[&sync]), json!(["/a/1", "/a/2", "/b/1", "/b/2"]));
    let (success, _, errors) = plan(&["--keys", "-", "--listing", &empty], keys);
    assert!(!success && errors.contains("lists no objects"), "{errors}");
    for file in [listing, sync, empty] {
        std::fs::remove_file(file).unwrap();
    }
}

/// A listing has exactly the keys that start with its prefix, whether the prefix ends with a slash or not.
#[test]
fn a_listing_prefix_is_the_start_of_keys() {
    let file = std::env::temp_dir().join(format!("prefix-{}.txt", std::process::id()));
    let line = |key: &str| format!("2026-01-02 03:04:05 10 {key}\n");
    let plan = |listed: &[&str], prefix: &str, more: &[&str], keys: &str| {
        std::fs::write(&file, listed.iter().map(|key| line(key)).collect::<String>()).unwrap();
        let listing = ["--keys", "-", "--listing", file.to_str().unwrap(), "--listing-prefix", prefix];
        let planned = planned(&[&listing, more].concat(), keys);
        (planned["paths"].clone(), planned["unchangedEvicted"].clone())
    };
    // An index document is also served at the URL of its folder, but the other keys of the folder are not listed.
    let one_path = ["--max-paths", "1", "--max-wildcards", "1"];
    let unknown = (json!(["/*"]), json!(null));
    assert_eq!(plan(&["index.html"], "index.html", &one_path, "a\nb\nindex.html\n"), unknown);
    let unknown = (json!(["/docs/*"]), json!(null));
    assert_eq!(plan(&["docs/index.html"], "docs/index.html", &one_path, "docs/a\ndocs/index.html\n"), unknown);
    // A prefix may end inside a name.
    let images = "img/2024-a b\nimg/2024-c\n";
    let counted = (json!(["/img/2024-*"]), json!(1));
    assert_eq!(plan(&["img/2024-a b", "img/2024-c", "img/2024-d"], "img/2024-", &one_path, images), counted);
    let unknown = (json!(["/img/2024-*"]), json!(null));
    assert_eq!(plan(&["img/2024-a b"], "img/2024-a ", &one_path, images), unknown);
    // The URLs are relative to the origin path, and the prefix is not.
    let below = [&one_path[..], &["--origin-path", "/web"]].concat();
    let counted = (json!(["/*"]), json!(1));
    let pages = "web/a\nweb/b\n";
    for (prefix, expected) in [("web/", &counted), ("we", &counted), ("web/a", &(json!(["/*"]), json!(null)))] {
        assert_eq!(plan(&["web/a", "web/b", "web/c"], prefix, &below, pages), *expected, "{prefix}");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn an_event_about_several_buckets_is_planned_for_one() {
    let event = notification(&[record("ObjectCreated:Put", "one", "a"), record("ObjectCreated:Put", "two", "b")]);
    let (success, _, errors) = plan(&["--event", "-"], &event);
    assert!(!success && errors.contains("several buckets (one, two); select one with --bucket"), "{errors}");
    assert_eq!(planned(&["--event", "-", "--bucket", "two"], &event)["paths"], json!(["/b"]));
}

#[test]
fn events_of_every_kind_are_planned() {
    let put = notification(&[record("ObjectCreated:Put", "site", "a b")]);
    let job_id = "11111111-abcd-1111-abcd-111111abcdef";
    let changes = [
        put.clone(),
        sqs(&[("m1", &put), ("m2", &sns_notification(&put))]),
        sns(&put),
        event_bridge("Object Created", "site", "a b").to_string(),
        invocation_record(&serde_json::from_str(&put).unwrap()).to_string(),
        r#"{"bucket":"site","keys":["a b"]}"#.to_owned(),
        job(job_id, Some(r#"{"bucket":"site","keys":["a b"]}"#), None),
    ];
    for event in changes {
        let plan = planned(&["--event", "-"], &event);
        assert_eq!((&plan["paths"], &plan["changes"]), (&json!(["/a%20b", "/a+b"]), &json!(1)), "{event}");
    }
    for (event, paths) in [
        (r##"{"distributionId":"E1","items":["a b","/x/*","#t"]}"##.to_owned(), json!(["/a%20b", "/x/*", "#t"])),
        (job(job_id, Some(r#"{"items":["/a"]}"#), None), json!(["/a"])),
        (job(job_id, None, None), json!(["/*"])),
        ("null".to_owned(), json!(["/*"])),
    ] {
        assert_eq!(planned(&["--event", "-"], &event)["paths"], paths, "{event}");
        let (success, printed, errors) = plan(&["--event", "-"], &event);
        assert!(success && printed.contains(paths[0].as_str().unwrap()), "{printed}{errors}");
    }
    for (event, expected) in [
        (job(job_id, None, Some("token")), "continuation token"),
        (job(job_id, Some("{"), None), "UserParameters: not a JSON object"),
        (sqs(&[("m1", "junk"), ("m2", &put)]), "Records[0].body: not JSON"),
    ] {
        let (success, _, errors) = plan(&["--event", "-"], &event);
        assert!(!success && errors.contains(expected), "{errors}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_invalidator"))
        .args(["plan", "--keys", "/dev/null"])
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
}
