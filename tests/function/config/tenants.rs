//! Distribution tenants: which keys are in whose folder, how tenants are cached, and what happens if they cannot be
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use s3_cloudfront_invalidator::cli::config_json;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeAws, FakeDistribution, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::plan::{fake_aws_environment, run};
use crate::config::distribution_config::READ as READ_CONFIG;
use crate::harness::{Harness, created, state};

const READ: &str = "GetDistributionTenant";
const CREATE: &str = "CreateInvalidationForDistributionTenant";
const NO_CACHE: [(&str, &str); 2] = [("RETRY_BASE_DELAY_MS", "20"), ("CACHE_TTL_SECONDS", "0")];

/// The config of a multi-tenant distribution with these origins (ID, domain name and origin path).
fn config(origins: &[(&str, &str, &str)], defaults: &BTreeMap<String, String>) -> Value {
    let origins: Vec<_> = origins
        .iter()
        .map(|(id, domain, path)| json!({ "Id": id, "DomainName": domain, "OriginPath": path }))
        .collect();
    let definition = |(name, default): (&String, &String)| {
        let schema = json!({ "Required": false, "DefaultValue": default });
        json!({ "Name": name, "Definition": { "StringSchema": schema } })
    };
    let required = json!({ "Name": "tenant", "Definition": { "StringSchema": { "Required": true } } });
    let definitions: Vec<_> = defaults.iter().map(definition).chain([required]).collect();
    json!({
        "CallerReference": "example", "Comment": "", "Enabled": true,
        "Origins": { "Quantity": origins.len(), "Items": origins },
        "DefaultCacheBehavior": { "TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only" },
        "TenantConfig": { "ParameterDefinitions": definitions },
        "ConnectionMode": "tenant-only",
    })
}

/// One folder of the bucket `site` for each tenant: that of `dt_a` is `a`, and that of `dt_b` is `b`.
fn two_tenants() -> State {
    let mut state = state(&[("site", "dt_a dt_b")]);
    let origins = [("s3", "site.s3.eu-central-1.amazonaws.com", "/{{tenant}}")];
    let config = Some(config(&origins, &BTreeMap::new()));
    state.distributions.insert("E1".into(), FakeDistribution { config, ..FakeDistribution::default() });
    for (id, folder) in [("dt_a", "a"), ("dt_b", "b")] {
        state.distributions.insert(id.into(), FakeDistribution::tenant_of("E1", &[("tenant", folder)]));
    }
    state
}

fn fail(aws: &FakeAws, operation: &'static str, target: &str, effect: Effect, times: usize) {
    aws.with(|state| state.faults.push(Fault { operation, target: Some(target.into()), effect, times }));
}

fn unavailable() -> Effect {
    Effect::error(503, "ServiceUnavailable")
}

async fn warnings(harness: Harness) -> Vec<String> {
    harness.function.stop().await.unwrap().into_iter().filter(|line| line.contains("WARN")).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    origins: Vec<(String, String, String)>,
    /// Path pattern and target origin.
    #[serde(default)]
    behaviors: Vec<(String, String)>,
    #[serde(default)]
    root: String,
    #[serde(default)]
    defaults: BTreeMap<String, String>,
    /// The parameters of each tenant.
    tenants: BTreeMap<String, BTreeMap<String, String>>,
    /// The paths to invalidate in each tenant, if any.
    keys: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Case {
    fn state(&self) -> State {
        let ids: Vec<_> = self.tenants.keys().map(String::as_str).collect();
        let mut state = state(&[("site", &ids.join(" "))]);
        let origins: Vec<_> = self.origins.iter().map(|(id, domain, path)| (&**id, &**domain, &**path)).collect();
        let mut config = config(&origins, &self.defaults);
        let behaviors: Vec<_> = self
            .behaviors
            .iter()
            .map(|(pattern, target)| json!({ "PathPattern": pattern, "TargetOriginId": target }))
            .collect();
        config["CacheBehaviors"] = json!({ "Quantity": behaviors.len(), "Items": behaviors });
        config["DefaultRootObject"] = self.root.as_str().into();
        let config = Some(config);
        state.distributions.insert("E1".into(), FakeDistribution { config, ..FakeDistribution::default() });
        for (id, parameters) in &self.tenants {
            let parameters: Vec<_> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
            state.distributions.insert(id.clone(), FakeDistribution::tenant_of("E1", &parameters));
        }
        state
    }
}

fn cases() -> Vec<Case> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tenants.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test]
async fn each_tenant_gets_the_paths_of_its_folder() {
    for case in cases() {
        let harness = Harness::start(case.state(), &[]).await;
        for (index, (key, expected)) in case.keys.iter().enumerate() {
            let sent = |harness: &Harness| {
                let of_tenant = |id: &String| (id.clone(), harness.invalidations(id).into_iter().flatten().collect());
                case.tenants.keys().map(of_tenant).collect::<BTreeMap<String, Vec<String>>>()
            };
            let before = sent(&harness);
            let report = harness.report(&format!("r{index}"), created(&[("site", key)])).await;
            for (id, paths) in sent(&harness) {
                let new: BTreeSet<_> = paths.into_iter().skip(before[&id].len()).collect();
                assert_eq!(new, expected.get(&id).cloned().unwrap_or_default(), "{}: {key} in {id}", case.name);
            }
            let invalidated = u64::from(!expected.is_empty());
            assert_eq!(report["changes"]["invalidated"], invalidated, "{}: {key}: {report}", case.name);
            assert_eq!(report["changes"]["skipped"], 1 - invalidated, "{}: {key}: {report}", case.name);
        }
        assert_eq!(harness.aws.calls(READ).len(), case.tenants.len(), "{}", case.name);
        assert_eq!(harness.aws.calls(READ_CONFIG).len(), 1, "{}: the tenants share it", case.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_plans_the_same_paths() {
    for case in cases() {
        let aws = FakeAws::start(case.state()).await.unwrap();
        let url = aws.url();
        for ((key, expected), id) in case.keys.iter().flat_map(|it| case.tenants.keys().map(move |id| (it, id))) {
            let arguments = ["--keys", "-", "--lines", "--json", "--bucket", "site", "--distribution", id];
            let (success, printed, errors) = run(&arguments, &fake_aws_environment(&url), key);
            assert!(success, "{}: {key}: {errors}", case.name);
            let plan: Value = serde_json::from_str(&printed).unwrap();
            let paths = plan["invalidations"][0]["paths"].as_array().into_iter().flatten();
            let paths: BTreeSet<_> = paths.map(|it| it.as_str().unwrap().to_owned()).collect();
            assert_eq!(paths, expected.get(id).cloned().unwrap_or_default(), "{}: {key} in {id}", case.name);
        }
    }
}

/// A file has no tenant's values. `--query` writes null for what is absent.
#[test]
fn a_file_with_the_config_of_a_multi_tenant_distribution_is_refused() {
    let defaults = BTreeMap::from([("stage".to_owned(), "live".to_owned())]);
    let mut config = config(&[("s3", "site.s3.eu-central-1.amazonaws.com", "/{{stage}}")], &defaults);
    let parsed = config_json::parse(&config.to_string()).unwrap();
    assert!(parsed.is_multi_tenant);
    let tenant = parsed.for_tenant(&BTreeMap::new());
    assert_eq!(tenant.origins[0].path.as_ref().unwrap().to_string(), "/live");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("multi-tenant.json");
    fs::write(&file, config.to_string()).unwrap();
    let arguments = ["--keys", "-", "--bucket", "site", "--config", file.to_str().unwrap()];
    let (success, _, errors) = run(&arguments, &[], "a/x");
    assert!(!success && errors.contains("config of a multi-tenant distribution"), "{errors}");
    config["TenantConfig"]["ParameterDefinitions"][0]["Definition"]["StringSchema"]["DefaultValue"] = Value::Null;
    config["TenantConfig"]["ParameterDefinitions"][1]["Definition"] = Value::Null;
    assert!(config_json::parse(&config.to_string()).unwrap().parameter_defaults.is_empty());
    config["TenantConfig"]["ParameterDefinitions"] = Value::Null;
    assert!(config_json::parse(&config.to_string()).unwrap().is_multi_tenant);
    (config["TenantConfig"], config["ConnectionMode"]) = (Value::Null, Value::Null);
    assert!(!config_json::parse(&config.to_string()).unwrap().is_multi_tenant);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_names_what_it_cannot_read() {
    let mut state = two_tenants();
    state.distributions.get_mut("dt_b").unwrap().tenant = None;
    let aws = FakeAws::start(state).await.unwrap();
    let url = aws.url();
    for (id, parts) in [
        ("E1", &["E1 is a multi-tenant distribution", "tenants (dt_…)"][..]),
        ("dt_b", &["cannot read the config of dt_b", "cloudfront:GetDistributionTenant", "add --offline"]),
        ("dt_gone", &["EntityNotFound", "correct --distribution"]),
    ] {
        let arguments = ["--keys", "-", "--bucket", "site", "--distribution", id];
        let (success, printed, errors) = run(&arguments, &fake_aws_environment(&url), "a/x");
        assert!(!success && printed.is_empty(), "{printed}");
        assert!(parts.iter().all(|part| errors.contains(part)), "{errors}");
    }
}

#[tokio::test]
async fn a_key_outside_every_tenants_folder_is_skipped_and_warm_invocations_make_no_call() {
    let harness = Harness::start(two_tenants(), &[]).await;
    for request in ["r1", "r2"] {
        let report = harness.report(request, created(&[("site", "a/x"), ("site", "b/y"), ("site", "c/z")])).await;
        assert_eq!(report["changes"], json!({ "invalidated": 2, "skipped": 1, "failed": 0 }));
        assert_eq!(report["skipped"], json!([{ "code": "outside-origin-path", "bucket": "site", "changes": 1 }]));
    }
    assert_eq!(harness.invalidations("dt_a"), [["/x"], ["/x"]]);
    assert_eq!(harness.invalidations("dt_b"), [["/y"], ["/y"]]);
    assert_eq!((harness.aws.calls(READ).len(), harness.aws.calls(READ_CONFIG).len()), (2, 1));
    assert_eq!((harness.aws.calls(CREATE).len(), harness.aws.calls("CreateInvalidation").len()), (4, 0));
    assert_eq!(warnings(harness).await, Vec::<String>::new());
}

#[tokio::test]
async fn tenants_share_one_read_of_their_config_even_without_a_cache() {
    let harness = Harness::start(two_tenants(), &NO_CACHE).await;
    for request in ["r1", "r2"] {
        harness.report(request, created(&[("site", "a/x"), ("site", "b/y")])).await;
    }
    assert_eq!((harness.aws.calls(READ).len(), harness.aws.calls(READ_CONFIG).len()), (4, 2));
}

#[tokio::test]
async fn a_denied_tenant_is_warned_of_once_and_tags_are_used() {
    let mut state = two_tenants();
    state.denied.insert(READ.into());
    state.buckets.get_mut("site").unwrap().tags.insert("invalidation:originPath".into(), "/web".into());
    let harness = Harness::start(state, &[]).await;
    for request in ["r1", "r2"] {
        harness.report(request, created(&[("site", "web/docs/index.html")])).await;
    }
    for id in ["dt_a", "dt_b"] {
        assert_eq!(harness.invalidations(id), [["/docs/", "/docs/index.html"], ["/docs/", "/docs/index.html"]]);
    }
    assert_eq!((harness.aws.calls(READ).len(), harness.aws.calls(READ_CONFIG).len()), (2, 0));
    let warnings = warnings(harness).await;
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    for id in ["dt_a", "dt_b"] {
        let warning = warnings.iter().find(|it| it.contains(&format!("\"distribution\":\"{id}\""))).unwrap();
        for part in [
            "its origin path and its cache behaviors are not known",
            "allow cloudfront:GetDistributionTenant",
            "invalidation:originPath",
        ] {
            assert!(warning.contains(part), "{warning}");
        }
    }
}

#[tokio::test]
async fn a_denied_config_is_warned_of_once_for_all_its_tenants() {
    let mut state = two_tenants();
    state.denied.insert(READ_CONFIG.into());
    let harness = Harness::start(state, &[]).await;
    for request in ["r1", "r2"] {
        harness.report(request, created(&[("site", "a/x")])).await;
    }
    assert_eq!(harness.invalidations("dt_a"), [["/a/x"], ["/a/x"]]);
    assert_eq!(harness.invalidations("dt_b"), [["/a/x"], ["/a/x"]]);
    assert_eq!((harness.aws.calls(READ).len(), harness.aws.calls(READ_CONFIG).len()), (2, 1));
    let warnings = warnings(harness).await;
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("allow cloudfront:GetDistributionConfig"), "{warnings:?}");
}

#[tokio::test]
async fn a_tenant_that_is_gone_is_named_and_its_correction_takes_effect_at_once() {
    let mut state = two_tenants();
    state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "dt_a dt_gone".into());
    let harness = Harness::start(state, &[]).await;
    let (_, message) = harness.error("r1", created(&[("site", "a/x")])).await;
    for part in ["distribution dt_gone (1 change in bucket", "EntityNotFound", "correct the distribution ID"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(harness.invalidations("dt_a"), [["/x"]]);
    harness.aws.with(|state| {
        state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "dt_a dt_b".into());
    });
    harness.report("r2", created(&[("site", "b/x")])).await;
    assert_eq!(harness.invalidations("dt_b"), [["/x"]]);
}

#[tokio::test]
async fn transient_failures_and_incomplete_responses_are_retried() {
    let incomplete = [
        "<DistributionTenant><Id>dt_a</Id></DistributionTenant>",
        "<DistributionTenant><Id>dt_a</Id><DistributionId>dt_b</DistributionId></DistributionTenant>",
        "<DistributionTenant><Id>dt_a</Id><DistributionId>E1</DistributionId><Parameters><member><Name>tenant</Name>\
         </member></Parameters></DistributionTenant>",
        "<DistributionTenant><Id>dt_a</Id><DistributionId>E1</DistributionId>",
        "<html></html>",
    ];
    let incomplete = incomplete.map(|body| Effect::Raw { status: 200, body: body.into() });
    let errors = [Effect::error(400, "Throttling"), unavailable(), Effect::error(403, "ExpiredToken")];
    for effect in errors.into_iter().chain(incomplete) {
        let harness = Harness::start(two_tenants(), &[("RETRY_BASE_DELAY_MS", "20")]).await;
        fail(&harness.aws, READ, "dt_a", effect.clone(), 2);
        harness.report("r1", created(&[("site", "a/x")])).await;
        assert_eq!(harness.invalidations("dt_a"), [["/x"]], "{effect:?}");
        assert_eq!(harness.aws.calls(READ).len(), 4, "{effect:?}");
    }
}

#[tokio::test]
async fn a_stale_tenant_is_used_while_cloudfront_fails_and_skips_nothing() {
    let harness = Harness::start(two_tenants(), &NO_CACHE).await;
    harness.report("r1", created(&[("site", "a/x")])).await;
    fail(&harness.aws, READ, "dt_a", unavailable(), 8);
    harness.report("r2", created(&[("site", "a/y")])).await;
    assert_eq!(harness.invalidations("dt_a"), [["/x"], ["/y"]]);
    let (_, message) = harness.error("r3", created(&[("site", "b/z")])).await;
    assert!(message.contains("distribution dt_a (1 change") && message.contains(READ), "{message}");
    assert_eq!(harness.invalidations("dt_b"), [["/z"]]);
    let warnings = warnings(harness).await;
    let stale = "stale cache entry used: the distribution tenant could not be read";
    assert_eq!(warnings.iter().filter(|it| it.contains(stale)).count(), 2, "{warnings:#?}");
}

/// Without a value from the cache an estimate could leave the real URL stale. The tenants share the attempts.
#[tokio::test]
async fn a_config_that_cannot_be_read_fails_its_tenants_after_four_attempts() {
    let harness = Harness::start(two_tenants(), &[("RETRY_BASE_DELAY_MS", "20")]).await;
    fail(&harness.aws, READ_CONFIG, "E1", unavailable(), 1000);
    let (_, message) = harness.error("r1", created(&[("site", "a/x")])).await;
    assert!(message.starts_with("1 of 1 change failed: distribution dt_a"), "{message}");
    assert!(message.contains("its distribution config could not be read: GetDistributionConfig"), "{message}");
    assert_eq!((harness.aws.calls(READ).len(), harness.aws.calls(READ_CONFIG).len()), (2, 4));
    assert!(harness.aws.accepted_invalidations().is_empty());
}

#[tokio::test]
async fn a_stale_config_makes_its_tenants_stale() {
    let harness = Harness::start(two_tenants(), &NO_CACHE).await;
    harness.report("r1", created(&[("site", "a/x")])).await;
    fail(&harness.aws, READ_CONFIG, "E1", unavailable(), 8);
    harness.error("r2", created(&[("site", "a/y")])).await;
    assert_eq!(harness.invalidations("dt_a"), [["/x"], ["/y"]], "what the stale config serves is invalidated");
    let warnings = warnings(harness).await;
    let stale = "stale cache entry used: the distribution config could not be read";
    assert_eq!(warnings.iter().filter(|it| it.contains(stale)).count(), 1, "{warnings:#?}");
}

#[tokio::test]
async fn a_denial_does_not_replace_a_cached_tenant() {
    let harness = Harness::start(two_tenants(), &NO_CACHE).await;
    harness.report("r1", created(&[("site", "a/x")])).await;
    harness.aws.with(|state| state.denied.insert(READ.into()));
    harness.error("r2", created(&[("site", "a/y")])).await;
    assert_eq!(harness.invalidations("dt_a"), [["/x"], ["/y"]]);
    assert!(harness.invalidations("dt_b").is_empty(), "the stale folder of the other tenant is no estimate");
}

#[tokio::test]
async fn changed_parameters_apply_after_the_ttl() {
    let harness = Harness::start(two_tenants(), &NO_CACHE).await;
    harness.report("r1", created(&[("site", "a/x")])).await;
    harness.aws.with(|state| {
        let tenant = state.distributions.get_mut("dt_a").unwrap().tenant.as_mut().unwrap();
        tenant.parameters.insert("tenant".into(), "c".into());
    });
    harness.report("r2", created(&[("site", "a/x"), ("site", "c/y")])).await;
    assert_eq!(harness.invalidations("dt_a"), [["/x"], ["/y"]]);
}

/// The distribution that a cached tenant names may be gone, because the tenant was moved to another one.
#[tokio::test]
async fn a_tenant_is_read_again_if_its_distribution_is_gone() {
    let mut state = two_tenants();
    let config = state.distributions["E1"].clone();
    let tag = |state: &mut State, ids: &str| {
        state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), ids.into());
    };
    tag(&mut state, "dt_a");
    state.distributions.remove("E1");
    let harness = Harness::start(state, &[]).await;
    let (_, message) = harness.error("r1", created(&[("site", "a/x")])).await;
    assert!(message.contains("distribution dt_a (1 change") && message.contains("NoSuchDistribution"), "{message}");
    harness.aws.with(|state| {
        state.distributions.insert("E2".into(), config);
        state.distributions.insert("dt_a".into(), FakeDistribution::tenant_of("E2", &[("tenant", "a")]));
    });
    harness.report("r2", created(&[("site", "a/x")])).await;
    assert_eq!(harness.invalidations("dt_a"), [["/x"]]);
}

#[tokio::test]
async fn a_multi_tenant_distributions_own_id_is_an_error_that_names_tenants() {
    let mut state = two_tenants();
    state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "E1 dt_b".into());
    let harness = Harness::start(state, &[]).await;
    let (kind, message) = harness.error("r1", created(&[("site", "a/x"), ("site", "b/y")])).await;
    assert_eq!(kind, "ChangesNotInvalidated");
    let expected = "2 of 2 changes failed: distribution E1 (2 changes in bucket \"site\"): it is a multi-tenant \
                    distribution, whose cache is invalidated per tenant; name the IDs of its tenants (dt_…, separated \
                    by spaces) instead";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(harness.invalidations("dt_b"), [["/y"]]);
    assert!(harness.aws.calls("CreateInvalidation").is_empty());
    assert_eq!(harness.aws.calls(READ_CONFIG).len(), 1, "the tenant shares the config with its distribution");
    // The cached tags are dropped, so that a correction takes effect at once.
    harness.aws.with(|state| {
        state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "dt_a dt_b".into());
    });
    harness.report("r2", created(&[("site", "a/x")])).await;
    assert_eq!(harness.invalidations("dt_a"), [["/x"]]);
}

/// CloudFront answers `NoSuchDistribution`, which says nothing of tenants.
#[tokio::test]
async fn the_error_names_tenants_also_where_the_config_is_not_known() {
    let variables: [&[(&str, &str)]; 2] = [&[], &[("DISTRIBUTION_CONFIG", "off")]];
    for variables in variables {
        let mut state = two_tenants();
        state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "E1".into());
        state.denied.insert(READ_CONFIG.into());
        let harness = Harness::start(state, variables).await;
        let (_, message) = harness.error("r1", created(&[("site", "a/x")])).await;
        assert!(message.contains("NoSuchDistribution") && message.contains("its tenants (dt_…)"), "{message}");
        let (_, message) = harness.error("r2", r#"{"distributionId":"E1","paths":["/x"]}"#).await;
        assert!(message.contains("NoSuchDistribution") && message.contains("its tenants (dt_…)"), "{message}");
        let (_, message) = harness.error("r3", r#"{"distributionId":"dt_gone","paths":["/x"]}"#).await;
        assert!(message.contains("EntityNotFound") && !message.contains("its tenants"), "{message}");
    }
}

#[tokio::test]
async fn tenants_are_not_read_when_switched_off() {
    let harness = Harness::start(two_tenants(), &[("DISTRIBUTION_CONFIG", "off")]).await;
    harness.report("r1", created(&[("site", "a/x")])).await;
    assert_eq!(harness.invalidations("dt_b"), [["/a/x"]]);
    assert!(harness.aws.calls(READ).is_empty());
    assert_eq!(warnings(harness).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_request_for_a_tenant_is_sent_by_its_own_call() {
    let mut state = two_tenants();
    state.distributions.get_mut("dt_a").unwrap().delay = Duration::ZERO;
    let harness = Harness::start(state, &[]).await;
    let report = harness.report("r1", r#"{"distributionId":"dt_a","paths":["/x"],"wait":true}"#).await;
    assert_eq!(report["invalidations"][0]["invalidationStatus"], "Completed", "{report}");
    assert_eq!((harness.aws.calls(CREATE).len(), harness.aws.calls(READ).len()), (1, 0));
}
