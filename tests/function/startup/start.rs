//! The start of the function, and what prevents it.

use std::process::Command;

use s3_cloudfront_invalidator::local::{FakeAws, FunctionProcess, InvocationOutcome, Lambda, State};

use crate::harness::{bootstrap, within};

#[tokio::test]
async fn invalid_variables_are_an_init_error_that_names_them_all() {
    let lambda = Lambda::start().await.unwrap();
    let aws = FakeAws::start(State::default()).await.unwrap();
    let variables = [("MAX_PATHS", "0"), ("DRY_RUN", "yes"), ("CACHE_TTL_SECONDS", "300")];
    let function = FunctionProcess::start(bootstrap(), &lambda, &aws, &variables).unwrap();
    let Err(InvocationOutcome::Error { error_type, message }) = within(lambda.ready()).await else { panic!("started") };
    assert_eq!(error_type, "ConfigurationError");
    assert_eq!(message, r#"MAX_PATHS="0" is not a number from 1 to 3000; DRY_RUN="yes" is not "true" or "false""#);
    let (success, lines) = within(function.wait()).await.unwrap();
    assert!(!success);
    assert!(lines.iter().any(|line| line.contains("MAX_PATHS")), "{lines:?}");
}

#[test]
fn a_non_utf8_variable_is_reported_even_if_lambda_is_unreachable() {
    use std::os::unix::ffi::OsStrExt;
    let output = Command::new(bootstrap())
        .env_clear()
        .envs([("AWS_LAMBDA_FUNCTION_NAME", "f"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"), ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")])
        .env("MAX_PATHS", std::ffi::OsStr::from_bytes(b"\xff"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("MAX_PATHS=\"\u{fffd}\" is not a number"), "{message}");
}

#[tokio::test]
async fn starting_makes_no_aws_call() {
    let harness = crate::harness::Harness::start(State::default(), &[]).await;
    assert!(harness.aws.with(|state| state.calls.is_empty()));
}

#[test]
fn outside_of_lambda_the_function_names_the_missing_variable_and_the_demo() {
    let output = Command::new(bootstrap()).env_clear().output().unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("AWS_LAMBDA_RUNTIME_API is not set") && message.contains("scripts/demo"), "{message}");
    assert!(!message.contains("panicked"), "{message}");
}
