//! Combinations of origins, cache behaviors and buckets, with the paths that the function and the command line must
//! find.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use s3_cloudfront_invalidator::local::{FakeAws, FakeBucket, FakeDistribution, REGION, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::plan::{fake_aws_environment, run};
use crate::harness::{Harness, created};

/// A distribution in short form, and the expected paths of objects in the bucket behind it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "site")]
    bucket: String,
    #[serde(default = "region")]
    region: String,
    /// Id, domain name and origin path.
    origins: Vec<(String, String, String)>,
    #[serde(default)]
    groups: Vec<(String, Vec<String>)>,
    /// Path pattern, target origin and options.
    #[serde(default)]
    behaviors: Vec<(String, String, Options)>,
    default: (String, Options),
    root: Option<String>,
    /// The account's own cache policies: the query string behavior of each, by id.
    #[serde(default)]
    policies: BTreeMap<String, String>,
    /// Further members of the distribution config.
    #[serde(default)]
    more: BTreeMap<String, Value>,
    keys: BTreeMap<String, Expected>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    policy: Option<String>,
    forwards: Option<bool>,
    #[serde(default)]
    functions: Vec<String>,
    #[serde(default)]
    lambdas: Vec<String>,
}

#[derive(Deserialize)]
struct Expected {
    paths: BTreeSet<String>,
    why: String,
}

fn site() -> String {
    "site".into()
}

fn region() -> String {
    REGION.into()
}

fn cases() -> Vec<Case> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/distributions.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn list(items: &[Value]) -> Value {
    json!({ "Quantity": items.len(), "Items": items })
}

fn behavior(target: &str, options: &Options) -> Value {
    let arn = |name: &str, event: &str| json!({ name: "arn:aws:example", "EventType": event });
    let functions: Vec<_> = options.functions.iter().map(|event| arn("FunctionARN", event)).collect();
    let lambdas: Vec<_> = options.lambdas.iter().map(|event| arn("LambdaFunctionARN", event)).collect();
    let mut behavior = json!({
        "TargetOriginId": target,
        "ViewerProtocolPolicy": "redirect-to-https",
        "FunctionAssociations": list(&functions),
        "LambdaFunctionAssociations": list(&lambdas),
    });
    if let Some(policy) = &options.policy {
        behavior["CachePolicyId"] = policy.as_str().into();
    }
    if let Some(forwards) = options.forwards {
        behavior["ForwardedValues"] = json!({ "QueryString": forwards, "Cookies": { "Forward": "none" } });
    }
    behavior
}

impl Case {
    /// The distribution config as the AWS CLI prints it.
    fn config(&self) -> Value {
        let origin = |(id, domain, path): &(String, String, String)| json!({ "Id": id, "DomainName": domain, "OriginPath": path, "CustomHeaders": { "Quantity": 0 } });
        let group = |(id, members): &(String, Vec<String>)| {
            let members: Vec<_> = members.iter().map(|id| json!({ "OriginId": id })).collect();
            let codes = json!({ "StatusCodes": { "Quantity": 1, "Items": [503] } });
            json!({ "Id": id, "FailoverCriteria": codes, "Members": list(&members) })
        };
        let ordered = |(pattern, target, options): &(String, String, Options)| {
            let mut behavior = behavior(target, options);
            behavior["PathPattern"] = pattern.as_str().into();
            behavior
        };
        let mut config = json!({
            "CallerReference": "example",
            "Comment": self.name,
            "Enabled": true,
            "Origins": list(&self.origins.iter().map(origin).collect::<Vec<_>>()),
            "OriginGroups": list(&self.groups.iter().map(group).collect::<Vec<_>>()),
            "CacheBehaviors": list(&self.behaviors.iter().map(ordered).collect::<Vec<_>>()),
            "DefaultCacheBehavior": behavior(&self.default.0, &self.default.1),
            "DefaultRootObject": self.root.as_deref().unwrap_or_default(),
        });
        for (name, value) in &self.more {
            config[name] = value.clone();
        }
        config
    }

    fn state(&self) -> State {
        let mut state = State::default();
        let bucket = FakeBucket { region: self.region.clone(), ..FakeBucket::tagged(&[("distributionId", "E1")]) };
        state.buckets.insert(self.bucket.clone(), bucket);
        state
            .distributions
            .insert("E1".into(), FakeDistribution { config: Some(self.config()), ..FakeDistribution::default() });
        for (id, strings) in &self.policies {
            let names =
                if ["whitelist", "allExcept"].contains(&strings.as_str()) { vec![json!("v")] } else { Vec::new() };
            let policy = json!({
                "Name": strings,
                "MinTTL": 1,
                "ParametersInCacheKeyAndForwardedToOrigin": {
                    "EnableAcceptEncodingGzip": true,
                    "HeadersConfig": { "HeaderBehavior": "none" },
                    "CookiesConfig": { "CookieBehavior": "none" },
                    "QueryStringsConfig": { "QueryStringBehavior": strings, "QueryStrings": list(&names) },
                },
            });
            state.cache_policies.insert(id.clone(), policy);
        }
        state
    }
}

/// One event per object, to one process: the config is read once.
#[tokio::test]
async fn the_function_sends_the_expected_paths() {
    let cases = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    for case in cases {
        let harness = Harness::start(case.state(), &[]).await;
        for (index, (key, expected)) in case.keys.iter().enumerate() {
            let event = created(&[(&case.bucket, key)]).replace(REGION, &case.region);
            let before = harness.invalidations("E1").len();
            let report = harness.report(&format!("request-{index}"), event).await;
            let sent: BTreeSet<_> = harness.invalidations("E1").into_iter().skip(before).flatten().collect();
            assert_eq!(sent, expected.paths, "{}: {key}: {report}", case.name);
            let counts = (report["changes"]["invalidated"].as_u64(), report["changes"]["skipped"].as_u64());
            let expected_counts = if sent.is_empty() { (Some(0), Some(1)) } else { (Some(1), Some(0)) };
            assert_eq!(counts, expected_counts, "{}: {key}: {report}", case.name);
            if sent.is_empty() {
                let reason = match expected.why.split(':').next().unwrap() {
                    "not cached" => "not-cached",
                    _ if expected.why.contains("outside") => "outside-origin-path",
                    _ => "other-origin",
                };
                assert_eq!(report["skipped"][0]["code"], reason, "{}: {key}: {report}", case.name);
            }
        }
        assert_eq!(harness.aws.calls("GetDistributionConfig").len(), 1, "{}", case.name);
        assert_eq!(harness.aws.calls("GetCachePolicy").len(), case.policies.len(), "{}", case.name);
    }
}

/// The command line finds the same paths, with the config from a file and from CloudFront, and gives the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_plans_the_expected_paths_and_explains_them() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("distributions");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("config.json");
    for case in cases() {
        let aws = FakeAws::start(case.state()).await.unwrap();
        let url = aws.url();
        let environment = fake_aws_environment(&url);
        fs::write(&file, json!({ "ETag": "E2", "DistributionConfig": case.config() }).to_string()).unwrap();
        for (key, expected) in &case.keys {
            let settings = file.to_str().unwrap();
            let live = [("--distribution", "E1", &environment[..])];
            // The file does not contain the account's own cache policies.
            let offline = [("--config", settings, &[][..])].into_iter().filter(|_| case.policies.is_empty());
            for (option, value, environment) in live.into_iter().chain(offline) {
                let arguments = [
                    "--keys",
                    "-",
                    "--lines",
                    "--json",
                    "--explain",
                    "--bucket",
                    &case.bucket,
                    "--region",
                    &case.region,
                    option,
                    value,
                ];
                let (success, printed, errors) = run(&arguments, environment, key);
                assert!(success, "{}: {key}: {errors}", case.name);
                let plan: Value = serde_json::from_str(&printed).unwrap();
                let paths: BTreeSet<String> = match plan["invalidations"].as_array().unwrap().first() {
                    Some(planned) => serde_json::from_value(planned["paths"].clone()).unwrap(),
                    None => BTreeSet::new(),
                };
                assert_eq!(paths, expected.paths, "{}: {key}: {plan}", case.name);
                let explained = plan["urls"].as_array().unwrap();
                assert!(
                    explained.iter().any(|row| row["key"] == key.as_str() && row["message"] == expected.why.as_str()),
                    "{}: {key}: {plan:#}",
                    case.name
                );
                assert_eq!(explained.iter().any(|row| row["served"] == true), !paths.is_empty(), "{plan}");
            }
        }
    }
}

#[test]
fn the_distributions_page_shows_the_printed_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/distributions.md")).unwrap();
    let block = |kind: &str, number: usize| {
        let block = document.split(&format!("\n```{kind}\n")).nth(number).unwrap();
        block.split("\n```").next().unwrap().to_owned()
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("example");
    fs::create_dir_all(&directory).unwrap();
    let settings = directory.join("config.json");
    fs::write(&settings, block("json", 1)).unwrap();
    let arguments = ["--keys", "-", "--bucket", "my-site", "--config", settings.to_str().unwrap(), "--explain"];
    let (success, printed, errors) = run(&arguments, &[], &block("text", 1));
    assert!(success && errors.is_empty(), "{errors}");
    let printed: Vec<_> = printed.lines().map(str::trim_end).collect();
    assert_eq!(printed.join("\n").trim_end(), block("text", 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_configs_are_reported_and_offline_reads_nothing() {
    let aws = FakeAws::start(State::default()).await.unwrap();
    let url = aws.url();
    let environment = fake_aws_environment(&url);
    let arguments = ["--keys", "-", "--json", "--bucket", "site", "--distribution", "E1"];
    let (success, printed, errors) = run(&arguments, &environment, "docs/index.html");
    assert!(!success && printed.starts_with(r#"{"ok":false,"failures":"#), "{printed}");
    assert!(errors.contains("NoSuchDistribution") && errors.contains("correct --distribution"), "{errors}");
    aws.with(|state| state.distributions.insert("E1".into(), FakeDistribution::default()));
    let (success, printed, errors) = run(&arguments, &environment, "docs/index.html");
    assert!(!success && printed.starts_with(r#"{"ok":false,"failures":"#), "{printed}");
    let expected = ["cannot read the config of E1", "AccessDenied", "add --offline"];
    assert!(expected.iter().all(|part| errors.contains(part)), "{errors}");
    // Without credentials and Region, CloudFront cannot be called.
    let (success, _, errors) = run(&arguments, &[("AWS_EC2_METADATA_DISABLED", "true")], "docs/index.html");
    assert!(!success && errors.contains("cannot read the config of E1"), "{errors}");
    let calls_before = aws.with(|state| state.calls.len());
    let (success, printed, errors) = run(&[&arguments[..], &["--offline"]].concat(), &environment, "docs/index.html");
    assert!(success && printed.contains("/docs/") && errors.is_empty(), "{errors}");
    assert_eq!(aws.with(|state| state.calls.len()), calls_before);
    // Missing and invalid options.
    for (arguments, part) in [
        (&["--keys", "-", "--distribution", "E1"][..], "--bucket"),
        (&["--keys", "-", "--bucket", "site", "--distribution", "e1"], "is not a distribution ID"),
        (&["--keys", "-", "--bucket", "s/../x"], "is not a bucket name"),
        (&["--keys", "-", "--bucket", "site", "--region", "x.evil"], "is not a Region name"),
    ] {
        let (success, _, errors) = run(arguments, &[], "a");
        assert!(!success && errors.contains(part), "{errors}");
    }
    let bad = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-config.json");
    for text in ["", "{}", "[]", "{\"DistributionConfig\":{}}", "{\"DistributionConfig\":5}"] {
        fs::write(&bad, text).unwrap();
        let arguments = ["--keys", "-", "--bucket", "site", "--config", bad.to_str().unwrap()];
        let (success, _, errors) = run(&arguments, &[], "a");
        assert!(
            !success && errors.contains("no-config.json") && errors.contains("get-distribution-config"),
            "{errors}"
        );
    }
}
