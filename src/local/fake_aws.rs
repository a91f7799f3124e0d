//! One endpoint for S3, S3 Control, CloudFront, CodePipeline, SQS and STS. The service that a request is signed for selects between
//! them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderValue, Request};
use hyper::body::Bytes;
use tokio::sync::Notify;

use super::denial::denied;
use super::fault::Effect;
use super::http::{Reply, Server};
use super::request::{ApiRequest, ApiResponse, UnknownRequest};
use super::state::{AcceptedInvalidation, Call, State, UNKNOWN_OPERATION};
use super::{ACCOUNT, cloudfront, codepipeline, distribution_config, listing, s3, s3_control, sqs};

/// The AWS services that the function calls.
pub struct FakeAws {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when the state may have changed, for the calls that wait for a message.
    changed: Notify,
}

impl FakeAws {
    /// Starts serving `state` on a free port.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(state: State) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() });
        let serving = Arc::clone(&shared);
        let server = Server::start(move |request| accept(Arc::clone(&serving), request)).await?;
        Ok(Self { server, shared })
    }

    /// The URL for the function's `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// The URL of a queue, whether it exists or not.
    #[must_use]
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.url())
    }

    /// Runs `look` with the locked state, which it may read or change.
    pub fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        let result = look(&mut self.shared.lock());
        self.shared.changed.notify_waiters();
        result
    }

    /// Runs `look` with the locked state, which it only reads. Unlike [`Self::with`] it wakes no call that waits for a
    /// message, so it costs little, however often it runs.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.shared.lock())
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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state once the call can be answered: at once, or for a long poll once a message can be received or the
    /// wait is over. While it waits, the state is not locked.
    async fn lock_for(&self, request: &ApiRequest) -> MutexGuard<'_, State> {
        let began = Instant::now();
        loop {
            // Created before the state is read, so that it notices every change after that.
            let changed = self.changed.notified();
            let until = {
                let mut state = self.lock();
                match state.waits_until(request, began) {
                    None => return state,
                    Some(until) => until,
                }
            };
            // Whether it was notified or the time is over, the state says what is next.
            let _ = tokio::time::timeout_at(until.into(), changed).await;
        }
    }
}

async fn accept(shared: Arc<Shared>, request: Request<Bytes>) -> Reply {
    let request = match ApiRequest::of(request) {
        Ok(request) => request,
        Err(UnknownRequest { service, reason }) => {
            let answer = service.error(403, "AccessDenied", &reason);
            shared.lock().calls.push(Call {
                operation: UNKNOWN_OPERATION,
                target: reason,
                status: answer.status,
                code: answer.code.clone(),
            });
            return service.write(answer);
        }
    };
    if request.operation == "ReceiveMessage" {
        // A client that disconnects from a long poll still receives its messages, which then stay invisible
        // (aws/aws-sdk-js#2350). The other calls are dropped with the connection.
        return tokio::spawn(serve(shared, request)).await.ok().flatten();
    }
    serve(shared, request).await
}

async fn serve(shared: Arc<Shared>, request: ApiRequest) -> Reply {
    let (mut effect, mut delay) = shared.lock().begin_call(&request);
    let _in_flight = InFlight { shared: Arc::clone(&shared), operation: request.operation };
    let mut response_before = None;
    while let Some(Effect::After(then)) = effect {
        let answer = match response_before.take() {
            Some(answer) => answer,
            None => shared.lock_for(&request).await.answer(&request),
        };
        shared.changed.notify_waiters();
        // A call that failed keeps its own response. A false success would look the same as a change that the function
        // lost.
        effect = (answer.status < 300).then_some(*then);
        response_before = Some(answer);
    }
    if let Some(Effect::Delay(time)) = effect {
        delay += time;
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let takes_effect = response_before.is_none() && effect.as_ref().is_none_or(Effect::takes_effect);
    // Declared after `_in_flight` and so dropped before it: `InFlight::drop` locks the state as well.
    let mut state = if takes_effect { shared.lock_for(&request).await } else { shared.lock() };
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
    shared.changed.notify_waiters();
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
    shared: Arc<Shared>,
    operation: &'static str,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(in_flight) = self.shared.lock().in_flight.get_mut(self.operation) {
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

    /// The time until which the call must wait; `None` if it can be answered.
    fn waits_until(&mut self, request: &ApiRequest, began: Instant) -> Option<Instant> {
        let may_wait = request.operation == "ReceiveMessage" && !self.denied.contains(request.operation);
        may_wait.then(|| sqs::waits_until(self, request, began)).flatten()
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
            "GetDistributionTenant" => distribution_config::get_distribution_tenant(self, request),
            "GetCachePolicy" => distribution_config::get_cache_policy(self, request),
            "PutJobSuccessResult" => codepipeline::put_job_success_result(self, request),
            "PutJobFailureResult" => codepipeline::put_job_failure_result(self, request),
            "ReceiveMessage" => sqs::receive_message(self, request),
            "DeleteMessageBatch" => sqs::delete_message_batch(self, request),
            "SendMessage" => sqs::send_message(self, request),
            "SendMessageBatch" => sqs::send_message_batch(self, request),
            "ListObjectsV2" => listing::list_objects_v2(self, request),
            "TagResource" => s3_control::tag_resource(self, request),
            "UntagResource" => s3_control::untag_resource(self, request),
            "GetCallerIdentity" => s3_control::get_caller_identity(),
            _ => s3::get_bucket_tagging(self, request),
        }
    }
}
