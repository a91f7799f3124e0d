//! CloudFront's quota in the fake AWS, in each of its readings.

use std::time::Duration;

use aws_sdk_cloudfront::error::ProvideErrorMetadata;
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use s3_cloudfront_invalidator::local::{
    CREATE_INVALIDATION_INTERVAL, FakeAws, Quota, QuotaError, Rates, State, WildcardUnit,
};

use crate::fake_aws::rules::{invalidate, numbered, refused, slow_state};
use crate::fake_aws::sdk::cloudfront;
use crate::fake_aws::tenants::no_retries;
use crate::harness::state;

const UNITS: [WildcardUnit; 2] = [WildcardUnit::Path, WildcardUnit::Request];
const ERRORS: [(QuotaError, &str); 2] = [
    (QuotaError::Throttling, "Throttling"),
    (QuotaError::TooManyInvalidationsInProgress, "TooManyInvalidationsInProgress"),
];

/// The rates per hour instead of per second: nothing is refilled during a test.
fn hourly(unit: WildcardUnit, error: QuotaError) -> Rates {
    Rates { per: Duration::from_hours(1), ..Rates::new(unit, error) }
}

async fn with_rates(rates: Rates) -> FakeAws {
    let mut state = slow_state();
    state.quota = Quota::Rates(rates);
    FakeAws::start(state).await.unwrap()
}

/// Invalidates `paths`, under a caller reference of its own.
async fn create(aws: &FakeAws, paths: &[String]) -> (u16, String) {
    let reference = aws.with(|state| format!("r{}", state.started_calls));
    invalidate(aws, &reference, paths, paths.len()).await
}

#[test]
fn the_readings_have_the_numbers_of_aws() {
    assert_eq!(State::default().quota, Quota::InProgress);
    assert_eq!(CREATE_INVALIDATION_INTERVAL, Duration::from_secs(2));
    let rates = Quota::READINGS.map(|quota| if let Quota::Rates(rates) = quota { Some(rates) } else { None });
    for (unit, (error, _)) in UNITS.into_iter().flat_map(|unit| ERRORS.map(|error| (unit, error))) {
        let expected = Rates { paths: 150, wildcards: 1, per: Duration::from_secs(1), wildcard_unit: unit, error };
        assert!(rates.contains(&Some(expected)), "{expected:?}");
    }
    assert_eq!(rates.len(), 1 + UNITS.len() * ERRORS.len());
}

#[tokio::test]
async fn paths_have_a_rate() {
    for unit in UNITS {
        for (error, code) in ERRORS {
            let aws = with_rates(hourly(unit, error)).await;
            assert_eq!(create(&aws, &numbered(100, "")).await.0, 201);
            assert_eq!(create(&aws, &numbered(51, "x")).await, refused(code));
            assert_eq!(create(&aws, &numbered(50, "x")).await.0, 201, "the refused request took nothing");
            assert_eq!(create(&aws, &numbered(1, "y")).await, refused(code));
            assert_eq!(create(&aws, &numbered(1, "*")).await.0, 201, "wildcards have a rate of their own");
        }
    }
}

#[tokio::test]
async fn wildcards_have_a_rate() {
    for unit in UNITS {
        for (error, code) in ERRORS {
            let aws = with_rates(hourly(unit, error)).await;
            assert_eq!(create(&aws, &numbered(1, "*")).await.0, 201);
            assert_eq!(create(&aws, &numbered(1, "x*")).await, refused(code));
            let mixed = [numbered(1, "x*"), numbered(1, "")].concat();
            assert_eq!(create(&aws, &mixed).await, refused(code), "a whole request is refused");
            assert_eq!(create(&aws, &numbered(150, "")).await.0, 201, "and takes no path either");
        }
    }
}

#[tokio::test]
async fn a_wildcard_is_a_path_or_a_request() {
    let several = numbered(3, "*");
    let aws = with_rates(hourly(WildcardUnit::Request, QuotaError::Throttling)).await;
    assert_eq!(create(&aws, &several).await.0, 201);
    assert_eq!(create(&aws, &several[..1]).await, refused("Throttling"));
    let aws = with_rates(hourly(WildcardUnit::Path, QuotaError::Throttling)).await;
    for _ in 0..2 {
        assert_eq!(create(&aws, &several).await, refused("Throttling"), "more than a period allows, ever");
    }
    assert_eq!(create(&aws, &several[..1]).await.0, 201);
}

#[tokio::test]
async fn the_rates_are_refilled_evenly() {
    let rates = Rates { per: Duration::from_secs(3), ..Rates::new(WildcardUnit::Path, QuotaError::Throttling) };
    let aws = with_rates(rates).await;
    assert_eq!(create(&aws, &numbered(150, "")).await.0, 201);
    assert_eq!(create(&aws, &numbered(150, "x")).await, refused("Throttling"));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(create(&aws, &numbered(75, "x")).await.0, 201, "half of the period");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(create(&aws, &numbered(150, "y")).await.0, 201);
}

#[tokio::test]
async fn the_rates_are_those_of_the_account() {
    let mut state = state(&[("site", "E1 dt_1")]);
    state.quota = Quota::Rates(hourly(WildcardUnit::Path, QuotaError::Throttling));
    let aws = FakeAws::start(state).await.unwrap();
    assert_eq!(create(&aws, &numbered(1, "*")).await.0, 201);
    let paths = Paths::builder().quantity(1).items("/*").build().unwrap();
    let batch = InvalidationBatch::builder().caller_reference("r").paths(paths).build().unwrap();
    let call = cloudfront(&aws).create_invalidation_for_distribution_tenant().id("dt_1").invalidation_batch(batch);
    let error = call.customize().config_override(no_retries()).send().await.unwrap_err();
    assert_eq!(error.code(), Some("Throttling"));
}

#[tokio::test]
async fn a_request_that_creates_nothing_takes_nothing() {
    let aws = with_rates(hourly(WildcardUnit::Path, QuotaError::Throttling)).await;
    assert_eq!(create(&aws, &["/*".into(), "/~".into()]).await, refused("InvalidArgument"));
    for _ in 0..3 {
        assert_eq!(invalidate(&aws, "same", &numbered(1, "*"), 1).await.0, 201, "the same again");
    }
    assert_eq!(aws.accepted_invalidations().len(), 1);
}

#[tokio::test]
async fn under_the_rates_nothing_in_progress_counts() {
    let mut rates = Rates::new(WildcardUnit::Path, QuotaError::Throttling);
    (rates.paths, rates.wildcards) = (10_000, 100);
    let aws = with_rates(rates).await;
    assert_eq!(create(&aws, &numbered(16, "*")).await.0, 201);
    for end in ["", "x"] {
        assert_eq!(create(&aws, &numbered(3000, end)).await.0, 201);
    }
    assert_eq!(create(&aws, &numbered(3001, "y")).await, (413, "BatchTooLarge".into()), "a limit of each request");
}

#[tokio::test]
async fn the_throttle_applies_beside_each_reading() {
    for quota in Quota::READINGS {
        let mut state = slow_state();
        (state.quota, state.throttle) = (quota, Some(Duration::from_hours(1)));
        let aws = FakeAws::start(state).await.unwrap();
        assert_eq!(create(&aws, &numbered(1, "")).await.0, 201, "{quota:?}");
        assert_eq!(create(&aws, &numbered(1, "x")).await, refused("Throttling"), "{quota:?}");
        aws.with(|state| state.throttle = None);
        assert_eq!(create(&aws, &numbered(1, "x")).await.0, 201, "{quota:?}");
    }
}
