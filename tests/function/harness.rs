//! A function with its own Lambda and its own fake AWS.

use std::path::Path;
use std::time::Duration;

use s3_cloudfront_invalidator::local::events::{notification, record};
use s3_cloudfront_invalidator::local::{
    FakeAws, FakeBucket, FakeDistribution, FunctionProcess, InvocationOutcome, Invoke, Lambda, State,
};
use serde_json::Value;

/// The request to poll the queue.
pub(crate) const POLL: &str = r#"{"pollQueue":true}"#;

/// The name of the function's own queue.
pub(crate) const QUEUE: &str = "changes";

/// These environment variables, and that of the queue. The SDK sends calls to its endpoint, not to the queue's URL.
pub(crate) fn with_queue<'v>(variables: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    let url = ("QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/changes");
    variables.iter().copied().chain([url]).collect()
}

pub(crate) struct Harness {
    pub(crate) lambda: Lambda,
    pub(crate) aws: FakeAws,
    pub(crate) function: FunctionProcess,
}

impl Harness {
    /// Starts a function with this state of the fake AWS and these environment variables.
    pub(crate) async fn start(state: State, variables: &[(&str, &str)]) -> Self {
        let lambda = Lambda::start().await.unwrap();
        let aws = FakeAws::start(state).await.unwrap();
        let function = FunctionProcess::start(bootstrap(), &lambda, &aws, variables).unwrap();
        assert_eq!(within(lambda.ready()).await, Ok(()));
        Self { lambda, aws, function }
    }

    /// Replaces the function's process with a new one, whose caches are empty.
    pub(crate) async fn in_a_new_sandbox(self, variables: &[(&str, &str)]) -> Self {
        let Self { lambda, aws, function } = self;
        function.stop().await.unwrap();
        let function = FunctionProcess::start(bootstrap(), &lambda, &aws, variables).unwrap();
        Self { lambda, aws, function }
    }

    /// Starts another process of the function, with a Lambda of its own and the same AWS.
    pub(crate) async fn in_another_sandbox(
        &self,
        variables: &[(&str, &str)],
        request_id: &str,
        event: impl Into<Vec<u8>>,
    ) -> InvocationOutcome {
        let lambda = Lambda::start().await.unwrap();
        let _function = FunctionProcess::start(bootstrap(), &lambda, &self.aws, variables).unwrap();
        within(lambda.invoke(event.into(), Invoke::new(request_id))).await
    }

    pub(crate) async fn invoke(&self, request_id: &str, event: impl Into<Vec<u8>>) -> InvocationOutcome {
        within(self.lambda.invoke(event.into(), Invoke::new(request_id))).await
    }

    /// Invokes the function and returns its response. The invocation must succeed.
    pub(crate) async fn report(&self, request_id: &str, event: impl Into<Vec<u8>>) -> Value {
        match self.invoke(request_id, event).await {
            InvocationOutcome::Response(body) => serde_json::from_slice(&body).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Invokes the function and returns the error type and message. The invocation must fail.
    pub(crate) async fn error(&self, request_id: &str, event: impl Into<Vec<u8>>) -> (String, String) {
        match self.invoke(request_id, event).await {
            InvocationOutcome::Error { error_type, message } => (error_type, message),
            InvocationOutcome::Response(body) => panic!("{}", String::from_utf8_lossy(&body)),
            InvocationOutcome::TimedOut => panic!("timed out"),
        }
    }

    /// The paths of each invalidation that the distribution accepted. No path may be one that matches nothing.
    pub(crate) fn invalidations(&self, distribution: &str) -> Vec<Vec<String>> {
        self.aws.with(|state| {
            let invalidations = &state.distributions[distribution].invalidations;
            for invalidation in invalidations {
                assert!(invalidation.ineffective.is_empty(), "{invalidation:?}");
            }
            invalidations.iter().map(|it| it.paths.clone()).collect()
        })
    }
}

pub(crate) fn bootstrap() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bootstrap"))
}

/// Fails a test that hangs.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_mins(2), future).await.expect("an answer within two minutes")
}

/// A state with these buckets, each with the distributions that its tag names, if any. Invalidations complete at once.
pub(crate) fn state(buckets: &[(&str, &str)]) -> State {
    let mut state = State::default();
    for &(bucket, ids) in buckets {
        let tags: &[(&str, &str)] = if ids.is_empty() { &[] } else { &[("distributionId", ids), ("team", "web")] };
        state.buckets.insert(bucket.into(), FakeBucket::tagged(tags));
        for id in ids.split_whitespace() {
            state
                .distributions
                .insert(id.into(), FakeDistribution { delay: Duration::ZERO, ..FakeDistribution::default() });
        }
    }
    state
}

/// An event notification that these objects, given as bucket and key, were created.
pub(crate) fn created(objects: &[(&str, &str)]) -> String {
    let records: Vec<_> = objects.iter().map(|(bucket, key)| record("ObjectCreated:Put", bucket, key)).collect();
    notification(&records)
}
