//! What a failing command prints, and which commands need a Region.

use s3_cloudfront_invalidator::local::{FakeAws, FakeBucket, FakeDistribution, State};
use serde_json::{Value, json};

use super::plan::{NO_CREDENTIALS, fake_aws_environment, invalidator};

/// A fake AWS with the bucket `site` behind the distribution `E1`.
async fn aws() -> FakeAws {
    let config = json!({
        "CallerReference": "example", "Comment": "", "Enabled": true, "DefaultRootObject": "",
        "Origins": { "Quantity": 1, "Items": [{ "Id": "s3", "DomainName": "site.s3.amazonaws.com", "OriginPath": "" }] },
        "DefaultCacheBehavior": { "TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only" },
    });
    let mut state = State::default();
    state.buckets.insert("site".into(), FakeBucket::tagged(&[("distributionId", "E1")]));
    state.distributions.insert("E1".into(), FakeDistribution { config: Some(config), ..FakeDistribution::default() });
    FakeAws::start(state).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_region_is_necessary_where_only_cloudfront_is_called() {
    let aws = aws().await;
    let url = aws.url();
    let without_region: Vec<_> =
        fake_aws_environment(&url).into_iter().filter(|(name, _)| *name != "AWS_REGION").collect();
    let plan = ["plan", "--keys", "-", "--bucket", "site", "--distribution", "E1"];
    let (is_ok, printed, errors) = invalidator(&plan, &without_region, b"a.css");
    assert!(is_ok && printed.contains("/a.css"), "{printed}{errors}");
    let invalidate = ["invalidate", "--distribution", "E1", "--paths", "/a.css"];
    let (is_ok, printed, errors) = invalidator(&invalidate, &without_region, b"");
    assert!(is_ok && printed.contains("/a.css"), "{printed}{errors}");
    let of_bucket = ["invalidate", "--keys", "-", "--bucket", "site"];
    let (is_ok, _, errors) = invalidator(&of_bucket, &without_region, b"a.css");
    assert!(!is_ok && errors.contains("Error: no Region configured; set --region"), "{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_json_too() {
    let aws = aws().await;
    let url = aws.url();
    let environment = fake_aws_environment(&url);
    let event = r#"{"Records":[{"eventSource":"aws:s3"}]}"#;
    for (arguments, input, code) in [
        (&["plan", "--keys", "-", "--bucket", "site", "--distribution", "E2"][..], "a.css", "not-found"),
        (&["plan", "--keys", "missing.txt"], "", "failed"),
        (&["plan", "--event", "-"], event, "record-invalid"),
        (&["invalidate", "--paths", "/a"], "", "options-invalid"),
        (&["invalidate", "--event", "-"], event, "record-invalid"),
        (&["link", "site"], "", "options-invalid"),
        (&["unlink", "site", "--stack", "s", "--dry-run"], "", "access-denied"),
        (&["demo", "missing"], "", "failed"),
    ] {
        let (is_ok, printed, errors) = invalidator(&[arguments, &["--json"]].concat(), &environment, input.as_bytes());
        let failure: Value =
            serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{arguments:?}: {printed}{errors}"));
        assert!(!is_ok && failure["ok"] == false, "{arguments:?}: {printed}");
        assert_eq!(failure["failures"][0]["code"], code, "{arguments:?}: {printed}{errors}");
        assert!(errors.contains("Error: "), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_missing_profile_region_and_credentials_have_their_own_codes() {
    let list = &["invalidate", "--keys", "-", "--bucket", "site", "--json"][..];
    let by_profile = [list, &["--profile", "nope"]].concat();
    for (arguments, environment, code) in [
        (&by_profile[..], &NO_CREDENTIALS[..], "profile-not-found"),
        (list, &NO_CREDENTIALS[..1], "region-missing"),
        (list, &NO_CREDENTIALS[..], "credentials-missing"),
    ] {
        let (is_ok, printed, errors) = invalidator(arguments, environment, b"a");
        let failure: Value = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}{errors}"));
        assert!(!is_ok && failure["failures"][0]["code"] == code, "{printed}{errors}");
    }
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (is_ok, printed, errors) = invalidator(&["completions", shell], &[], b"");
        assert!(is_ok && printed.contains("invalidate") && printed.contains("skip-origin-check"), "{shell}: {errors}");
    }
}
