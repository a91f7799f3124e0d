//! One endpoint for S3, CloudFront and CodePipeline. The service that a request is signed for selects between them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Request};
use hyper::body::Bytes;

use super::denial::denied;
use super::fault::Effect;
use super::http::{Reply, Server};
use super::request::{ApiRequest, ApiResponse, UnknownRequest};
use super::state::{AcceptedInvalidation, Call, State, UNKNOWN_OPERATION};
use super::{cloudfront, codepipeline, distribution_config, listing, s3};

/// The AWS services that the function calls.
pub struct FakeAws {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl FakeAws {
    /// Starts serving `state` on a free port.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(state: State) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(state));
        let serving = Arc::clone(&state);
        let server = Server::start(move |request| serve(Arc::clone(&serving), request)).await?;
        Ok(Self { server, state })
    }

    /// The URL for the function's `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Runs `look` with the locked state, which it may read or change.
    pub fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut lock(&self.state))
    }

    /// Returns the calls of one operation so far.
    #[must_use]
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        self.with(|state| state.calls.iter().filter(|call| call.operation == operation).cloned().collect())
    }

    /// Returns all invalidations that CloudFront accepted so far, which it bills.
    #[must_use]
    pub fn accepted_invalidations(&self) -> Vec<AcceptedInvalidation> {
        self.with(|state| state.distributions.values().flat_map(|it| &it.invalidations).cloned().collect())
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(state: Arc<Mutex<State>>, request: Request<Bytes>) -> Reply {
    let request = match ApiRequest::of(request) {
        Ok(request) => request,
        Err(UnknownRequest { service, reason }) => {
            let answer = service.error(403, "AccessDenied", &reason);
            lock(&state).calls.push(Call {
                operation: UNKNOWN_OPERATION,
                target: reason,
                status: answer.status,
                code: answer.code.clone(),
            });
            return service.write(answer);
        }
    };
    let (mut effect, mut delay) = lock(&state).begin_call(&request);
    let _in_flight = InFlight { state: Arc::clone(&state), operation: request.operation };
    let mut response_before = None;
    while let Some(Effect::After(then)) = effect {
        let answer = response_before.get_or_insert_with(|| lock(&state).answer(&request));
        // A call that failed keeps its own response. A false success would look the same as a change that the function
        // lost.
        effect = (answer.status < 300).then_some(*then);
    }
    if let Some(Effect::Delay(time)) = effect {
        delay += time;
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    // Declared after `_in_flight` and so dropped before it: `InFlight::drop` locks the state as well.
    let mut state = lock(&state);
    let mut work = || response_before.take().unwrap_or_else(|| state.answer(&request));
    let (mut content_type, mut connection_fault) = (None, None);
    let answer = match effect {
        Some(Effect::Disconnect) => None,
        Some(Effect::SucceedThenDisconnect) => {
            work();
            None
        }
        Some(Effect::Error { status, code }) => {
            Some(request.service.error(status, &code, &format!("{code} (injected fault)")))
        }
        Some(Effect::Raw { status, body }) => Some(ApiResponse { status, code: None, headers: Vec::new(), body }),
        Some(Effect::Page { status, content_type: other, body }) => {
            content_type = Some(other);
            Some(ApiResponse { status, code: None, headers: Vec::new(), body })
        }
        Some(Effect::TruncatedBody(at)) => {
            let answer = work();
            let body = answer.body.get(..answer.body.floor_char_boundary(at % answer.body.len().max(1)));
            Some(ApiResponse { body: body.unwrap_or_default().to_owned(), ..answer })
        }
        Some(Effect::WithContentType(other)) => {
            content_type = Some(other);
            Some(work())
        }
        Some(Effect::ConnectionFault(fault)) => {
            connection_fault = Some(fault);
            Some(work())
        }
        Some(Effect::After(_) | Effect::Delay(_)) | None => Some(work()),
    };
    state.end_call(&request, answer.as_ref());
    let mut reply = answer.and_then(|answer| request.service.write(answer))?;
    if let Some(other) = content_type {
        reply.headers_mut().insert("Content-Type", HeaderValue::from_static(other));
    }
    if let Some(connection_fault) = connection_fault {
        reply.extensions_mut().insert(connection_fault);
    }
    Some(reply)
}

/// Counts a call as in flight until it is dropped, with the response or when the client disconnects.
struct InFlight {
    state: Arc<Mutex<State>>,
    operation: &'static str,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(in_flight) = lock(&self.state).in_flight.get_mut(self.operation) {
            // A test may have replaced the whole `State` since the call began.
            *in_flight = in_flight.saturating_sub(1);
        }
    }
}

impl State {
    /// Counts a call and takes the fault that applies to it. Returns the fault's effect and the operation's latency.
    fn begin_call(&mut self, request: &ApiRequest) -> (Option<Effect>, Duration) {
        self.started_calls += 1;
        let in_flight = self.in_flight.entry(request.operation).or_default();
        *in_flight += 1;
        let most = self.most_in_flight.entry(request.operation).or_default();
        *most = (*most).max(*in_flight);
        let fault = self.faults.iter_mut().find(|fault| fault.is_for(request.operation, &request.target));
        let effect = fault.map(|fault| {
            fault.times -= 1;
            fault.effect.clone()
        });
        (effect, self.latency.get(request.operation).copied().unwrap_or_default())
    }

    /// Records the response to a call.
    fn end_call(&mut self, request: &ApiRequest, answer: Option<&ApiResponse>) {
        self.calls.push(Call {
            operation: request.operation,
            target: request.target.clone(),
            status: answer.map_or(0, |answer| answer.status),
            code: answer.and_then(|answer| answer.code.clone()),
        });
    }

    fn answer(&mut self, request: &ApiRequest) -> ApiResponse {
        if self.denied.contains(request.operation) {
            return denied(request);
        }
        match request.operation {
            "CreateInvalidation" | "CreateInvalidationForDistributionTenant" => {
                cloudfront::create_invalidation(self, request)
            }
            "GetInvalidation" | "GetInvalidationForDistributionTenant" => cloudfront::get_invalidation(self, request),
            "GetDistributionConfig" => distribution_config::get_distribution_config(self, request),
            "GetCachePolicy" => distribution_config::get_cache_policy(self, request),
            "PutJobSuccessResult" => codepipeline::put_job_success_result(self, request),
            "PutJobFailureResult" => codepipeline::put_job_failure_result(self, request),
            "ListObjectsV2" => listing::list_objects_v2(self, request),
            _ => s3::get_bucket_tagging(self, request),
        }
    }
}
