//! The certificate authorities that the function trusts: those in `SSL_CERT_FILE`, and no others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use s3_cloudfront_invalidator::local::{FakeAws, FunctionProcess, InvocationOutcome, Invoke, Lambda};
use serde_json::{Value, json};

use crate::harness::{bootstrap, created, state, within};
use crate::startup::tls_proxy::{Authority, TlsProxy};

/// Writes a file with this content. Each test gives its own name.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// Delivers one change to a function that has this file of roots, while AWS responds over TLS. Returns the outcome, the
/// log, and the number of accepted invalidations.
async fn outcome(authority: &Authority, roots: &Path) -> (InvocationOutcome, Vec<String>, usize) {
    let aws = FakeAws::start(state(&[("site", "E1")])).await.unwrap();
    let tls_proxy = TlsProxy::start(&aws, authority).await.unwrap();
    let lambda = Lambda::start().await.unwrap();
    let url = tls_proxy.url();
    // One attempt, since a retry would not make the authority trusted.
    let variables =
        [("AWS_ENDPOINT_URL", url.as_str()), ("SSL_CERT_FILE", roots.to_str().unwrap()), ("DIRECT_RETRY_SECONDS", "0")];
    let function = FunctionProcess::start(bootstrap(), &lambda, &aws, &variables).unwrap();
    assert_eq!(within(lambda.ready()).await, Ok(()));
    let invoke = Invoke { timeout: Duration::from_secs(10), ..Invoke::new("r1") };
    let outcome = within(lambda.invoke(created(&[("site", "a.html")]), invoke)).await;
    let lines = function.stop().await.unwrap();
    let accepted = aws.with(|state| state.distributions["E1"].invalidations.len());
    (outcome, lines, accepted)
}

#[tokio::test]
async fn the_authority_of_ssl_cert_file_is_trusted() {
    let authority = Authority::new("of the test").unwrap();
    let (outcome, _, accepted) = outcome(&authority, &file("trusted.pem", authority.pem())).await;
    let InvocationOutcome::Response(body) = outcome else { panic!("{outcome:?}") };
    let report: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(report["changes"], json!({ "invalidated": 1, "skipped": 0, "failed": 0 }));
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn a_malformed_certificate_is_skipped_with_a_warning() {
    let authority = Authority::new("of the test").unwrap();
    let malformed = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let roots = file("malformed.pem", [malformed, &authority.pem()].concat());
    let (outcome, lines, accepted) = outcome(&authority, &roots).await;
    assert!(matches!(outcome, InvocationOutcome::Response(_)) && accepted == 1, "{outcome:?}");
    assert!(lines.iter().any(|line| line.contains("were skipped") && line.contains("malformed.pem")), "{lines:?}");
}

#[tokio::test]
async fn another_authority_is_refused_and_the_change_reported_as_failed() {
    let [authority, other] = ["of the test", "of another party"].map(|name| Authority::new(name).unwrap());
    let (outcome, lines, accepted) = outcome(&authority, &file("other.pem", other.pem())).await;
    let InvocationOutcome::Error { error_type, message } = outcome else { panic!("{outcome:?}") };
    assert_eq!((error_type.as_str(), accepted), ("ChangesNotInvalidated", 0));
    assert!(message.starts_with("1 of 1") && message.contains("certificate"), "{message}");
    assert!(!lines.iter().any(|line| line.contains("panicked")), "{lines:?}");
}

#[tokio::test]
async fn an_unusable_certificate_file_is_an_init_error_that_names_it() {
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("missing.pem");
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for (path, reason) in [
        (missing, "cannot be read: No such file or directory (os error 2)"),
        (directory, "cannot be read: not a regular file"),
        (file("junk.pem", b"\xff\x00 junk"), "contains no PEM certificate"),
        (file("empty.pem", ""), "contains no PEM certificate"),
    ] {
        let path = path.to_str().unwrap();
        let lambda = Lambda::start().await.unwrap();
        let aws = FakeAws::start(state(&[])).await.unwrap();
        let function = FunctionProcess::start(bootstrap(), &lambda, &aws, &[("SSL_CERT_FILE", path)]).unwrap();
        let Err(InvocationOutcome::Error { error_type, message }) = within(lambda.ready()).await else {
            panic!("started")
        };
        assert_eq!(error_type, "ConfigurationError");
        assert!(message.starts_with("SSL_CERT_FILE=\"") && message.ends_with(reason), "{message}");
        let (success, lines) = within(function.wait()).await.unwrap();
        assert!(!success && !lines.iter().any(|line| line.contains("panicked")), "{lines:?}");
    }
}
