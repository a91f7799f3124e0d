//! Distribution tenants in the fake AWS, which have operations of their own.

use std::time::Duration;

use aws_sdk_cloudfront::error::ProvideErrorMetadata;
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use s3_cloudfront_invalidator::local::{FakeAws, FakeDistribution, State};
use serde_json::json;

use crate::fake_aws::sdk::{calls, cloudfront};
use crate::harness::state;

const TENANT: &str = "dt_2wjDZi3hD1ivOXf6rpZJOSNE1AB";

fn slow_state() -> State {
    let mut state = state(&[("site", &format!("E1 {TENANT}"))]);
    for distribution in state.distributions.values_mut() {
        distribution.delay = Duration::from_hours(1);
    }
    state
}

fn batch(reference: &str, paths: &[String]) -> InvalidationBatch {
    let quantity = paths.len().try_into().unwrap();
    let paths = Paths::builder().quantity(quantity).set_items(Some(paths.to_vec())).build().unwrap();
    InvalidationBatch::builder().caller_reference(reference).paths(paths).build().unwrap()
}

/// Calls `CreateInvalidationForDistributionTenant`. Returns the id and location of the invalidation, or the error code.
async fn invalidate(
    aws: &FakeAws,
    id: &str,
    reference: &str,
    paths: &[String],
) -> Result<(String, String), Option<String>> {
    let call = cloudfront(aws).create_invalidation_for_distribution_tenant().id(id);
    match call.invalidation_batch(batch(reference, paths)).send().await {
        Ok(answer) => Ok((answer.invalidation().unwrap().id().into(), answer.location().unwrap().into())),
        Err(error) => Err(error.code().map(str::to_owned)),
    }
}

fn numbered(count: usize, end: &str) -> Vec<String> {
    (0..count).map(|n| format!("/{n}{end}")).collect()
}

fn refused<T>(code: &str) -> Result<T, Option<String>> {
    Err(Some(code.to_owned()))
}

#[tokio::test]
async fn a_tenant_has_invalidations_of_its_own() {
    let aws = FakeAws::start(slow_state()).await.unwrap();
    let (id, location) = invalidate(&aws, TENANT, "r1", &["/a&b".into()]).await.unwrap();
    assert!(location.ends_with(&format!("/2020-05-31/distribution-tenant/{TENANT}/invalidation/{id}")), "{location}");
    let status = async || {
        let call = cloudfront(&aws).get_invalidation_for_distribution_tenant();
        let answer = call.distribution_tenant_id(TENANT).id(&id).send().await.unwrap();
        let invalidation = answer.invalidation().unwrap();
        assert_eq!(invalidation.invalidation_batch().unwrap().paths().unwrap().items(), ["/a&b"]);
        invalidation.status().to_owned()
    };
    assert_eq!(status().await, "InProgress");
    aws.with(|state| state.distributions.get_mut(TENANT).unwrap().delay = Duration::ZERO);
    assert_eq!(status().await, "Completed");
    let counts = aws.with(|state| ["E1", TENANT].map(|id| state.distributions[id].invalidations.len()));
    assert_eq!(counts, [0, 1]);
    assert_eq!(calls(&aws, "CreateInvalidationForDistributionTenant"), [(TENANT.into(), 201)]);
    assert_eq!(calls(&aws, "GetInvalidationForDistributionTenant"), [(TENANT.into(), 200), (TENANT.into(), 200)]);
    assert_eq!(calls(&aws, "CreateInvalidation"), []);
}

#[tokio::test]
async fn the_rules_for_distributions_hold_for_tenants() {
    let mut state = slow_state();
    state.throttle = Some(Duration::from_millis(1));
    let aws = FakeAws::start(state).await.unwrap();
    let pause = || tokio::time::sleep(Duration::from_millis(2));
    assert!(invalidate(&aws, TENANT, "a", &numbered(15, "/*")).await.is_ok());
    for (reference, paths, code) in [
        ("a", numbered(2, ""), "InvalidArgument"),
        ("b", numbered(1, "~"), "InvalidArgument"),
        ("b", numbered(1, "x*"), "TooManyInvalidationsInProgress"),
        ("b", numbered(3001, ""), "BatchTooLarge"),
        ("b", numbered(0, ""), "MissingBody"),
    ] {
        pause().await;
        assert_eq!(invalidate(&aws, TENANT, reference, &paths).await, refused(code), "{code}");
    }
    pause().await;
    assert!(invalidate(&aws, TENANT, "a", &numbered(15, "/*")).await.is_ok(), "the same again");
    assert_eq!(aws.accepted_invalidations().iter().map(|it| it.paths.len()).sum::<usize>(), 15);
    aws.with(|state| state.throttle = Some(Duration::from_hours(1)));
    let other = cloudfront(&aws).create_invalidation().distribution_id("E1").invalidation_batch(batch("c", &[]));
    let error = other.customize().config_override(no_retries()).send().await.unwrap_err();
    assert_eq!(error.code(), Some("Throttling"), "the pace is the account's");
}

pub(crate) fn no_retries() -> aws_sdk_cloudfront::config::Builder {
    aws_sdk_cloudfront::Config::builder().retry_config(aws_sdk_cloudfront::config::retry::RetryConfig::disabled())
}

#[tokio::test]
async fn operations_of_distributions_and_of_tenants_do_not_find_each_others_ids() {
    let aws = FakeAws::start(slow_state()).await.unwrap();
    let paths = numbered(1, "");
    for id in ["E1", "dt_other"] {
        assert_eq!(invalidate(&aws, id, "a", &paths).await, refused("EntityNotFound"), "{id}");
        let call = cloudfront(&aws).get_invalidation_for_distribution_tenant().distribution_tenant_id(id);
        assert_eq!(call.id("I1").send().await.unwrap_err().code(), Some("EntityNotFound"), "{id}");
    }
    let create = cloudfront(&aws).create_invalidation().distribution_id(TENANT);
    let error = create.invalidation_batch(batch("a", &paths)).send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchDistribution"));
    let get = cloudfront(&aws).get_invalidation().distribution_id(TENANT).id("I1");
    assert_eq!(get.send().await.unwrap_err().code(), Some("NoSuchDistribution"));
    let get = cloudfront(&aws).get_invalidation_for_distribution_tenant().distribution_tenant_id(TENANT).id("I1");
    assert_eq!(get.send().await.unwrap_err().code(), Some("NoSuchInvalidation"));
    assert_eq!(aws.accepted_invalidations().len(), 0);
}

#[tokio::test]
async fn a_tenant_is_read_by_the_sdk_with_its_distribution_and_its_parameters() {
    let mut state = slow_state();
    let parameters = [("tenant", "a&b"), ("é", "<1>")];
    state.distributions.insert(TENANT.into(), FakeDistribution::tenant_of("E1", &parameters));
    state.distributions.insert("dt_plain".into(), FakeDistribution::tenant_of("E1", &[]));
    state.distributions.insert("dt_denied".into(), FakeDistribution::default());
    let aws = FakeAws::start(state).await.unwrap();
    let get = |id: &str| cloudfront(&aws).get_distribution_tenant().identifier(id).send();
    let answer = get(TENANT).await.unwrap();
    assert!(answer.e_tag().unwrap().starts_with('E'));
    let tenant = answer.distribution_tenant().unwrap();
    assert_eq!((tenant.id(), tenant.distribution_id()), (Some(TENANT), Some("E1")));
    let arn = format!("arn:aws:cloudfront::123456789012:distribution-tenant/{TENANT}");
    assert_eq!((tenant.arn(), tenant.enabled()), (Some(arn.as_str()), Some(true)));
    assert_eq!(tenant.domains()[0].domain(), "tenant.example.com");
    assert!(tenant.created_time().is_some() && tenant.last_modified_time().is_some());
    let read: Vec<_> = tenant.parameters().iter().map(|it| (it.name(), it.value())).collect();
    assert_eq!(read, parameters);
    assert!(get("dt_plain").await.unwrap().distribution_tenant().unwrap().parameters().is_empty());
    for (id, code) in [("dt_denied", "AccessDenied"), ("dt_other", "EntityNotFound"), ("E1", "EntityNotFound")] {
        assert_eq!(get(id).await.unwrap_err().code(), Some(code), "{id}");
    }
    assert_eq!(calls(&aws, "GetDistributionTenant").len(), 5);
}

/// A multi-tenant distribution has no cache of its own.
#[tokio::test]
async fn a_multi_tenant_distribution_is_not_found_by_an_invalidation() {
    let mut state = slow_state();
    state.distributions.get_mut("E1").unwrap().config = Some(json!({ "ConnectionMode": "tenant-only" }));
    let aws = FakeAws::start(state).await.unwrap();
    let create = cloudfront(&aws).create_invalidation().distribution_id("E1");
    let error = create.invalidation_batch(batch("a", &numbered(1, ""))).send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchDistribution"));
    assert!(cloudfront(&aws).get_distribution_config().id("E1").send().await.is_ok());
}
