//! Lambda's Runtime API: passes invocations to a function one at a time, and takes its responses.
//!
//! Source: Lambda developer guide, "Using the Lambda runtime API for custom runtimes". As in Lambda, a response for any
//! invocation but the current one is rejected, and an invocation that exceeds its timeout is abandoned.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::http::{Reply, Server, reply};
use super::{ACCOUNT, REGION};

/// The largest response of a function, in bytes. Source: Lambda developer guide, "Lambda quotas".
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// The Lambda service, for one function.
pub struct Lambda {
    server: Server,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<PendingInvocation>,
}

/// The parameters of an invocation.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// The request id, which stays the same on a retry.
    pub request_id: String,
    /// The ARN of the invoked function.
    pub function_arn: String,
    /// The function's timeout.
    pub timeout: Duration,
    /// The deadline in the `Lambda-Runtime-Deadline-Ms` header; `None` for the true one, which follows from `timeout`.
    pub deadline: Option<SystemTime>,
}

impl Invoke {
    /// An invocation with this request id, of a function in the fake account, with a timeout of one minute.
    #[must_use]
    pub fn new(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            function_arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:invalidator"),
            timeout: Duration::from_mins(1),
            deadline: None,
        }
    }
}

/// How an invocation, or the initialization of a function, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvocationOutcome {
    /// The function's response.
    Response(Vec<u8>),
    /// The function reported an error.
    Error {
        /// The error type.
        error_type: String,
        /// The error message.
        message: String,
    },
    /// The function did not respond in time.
    TimedOut,
}

/// The body in which a function reports an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    error_type: String,
    error_message: String,
}

struct PendingInvocation {
    event: Bytes,
    invoke: Invoke,
    outcome_sender: oneshot::Sender<InvocationOutcome>,
    fetched_sender: oneshot::Sender<()>,
}

struct Shared {
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<PendingInvocation>>,
    current: Mutex<Option<(String, oneshot::Sender<InvocationOutcome>)>>,
    started: watch::Sender<Option<Result<(), InvocationOutcome>>>,
}

impl Lambda {
    /// Starts the Runtime API on a free port.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start() -> io::Result<Self> {
        let (queue, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            waiting: tokio::sync::Mutex::new(waiting),
            current: Mutex::new(None),
            started: watch::channel(None).0,
        });
        let serving = Arc::clone(&shared);
        let server = Server::start(move |request| Arc::clone(&serving).serve(request)).await?;
        Ok(Self { server, shared, queue })
    }

    /// The address for a function's `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Waits until the function requests its first invocation.
    ///
    /// # Errors
    /// The initialization error, if the function reported one instead.
    pub async fn ready(&self) -> Result<(), InvocationOutcome> {
        let mut started = self.shared.started.subscribe();
        match started.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(InvocationOutcome::TimedOut)),
            Err(_) => Err(InvocationOutcome::TimedOut),
        }
    }

    /// Invokes the function and waits for its response. The timeout starts when the function receives the event; an
    /// event that it does not fetch within the same time is withdrawn.
    pub async fn invoke(&self, event: impl Into<Bytes>, invoke: Invoke) -> InvocationOutcome {
        let (outcome_sender, outcome_receiver) = oneshot::channel();
        let (fetched_sender, fetched_receiver) = oneshot::channel();
        let (timeout, request_id) = (invoke.timeout, invoke.request_id.clone());
        if self.queue.send(PendingInvocation { event: event.into(), invoke, outcome_sender, fetched_sender }).is_err() {
            return InvocationOutcome::TimedOut;
        }
        if !matches!(tokio::time::timeout(timeout, fetched_receiver).await, Ok(Ok(()))) {
            return InvocationOutcome::TimedOut;
        }
        let outcome = tokio::time::timeout(timeout, outcome_receiver).await;
        // The invocation is abandoned: a later response is rejected.
        if outcome.is_err() {
            self.shared.current().take_if(|(current, _)| *current == request_id);
        }
        outcome.ok().and_then(Result::ok).unwrap_or(InvocationOutcome::TimedOut)
    }
}

impl Shared {
    fn current(&self) -> std::sync::MutexGuard<'_, Option<(String, oneshot::Sender<InvocationOutcome>)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self: Arc<Self>, request: Request<Bytes>) -> Reply {
        let path = request.uri().path().strip_prefix("/2018-06-01/runtime/").unwrap_or_default().to_owned();
        let (parts, body) = request.into_parts();
        match (&parts.method, path.split('/').collect::<Vec<_>>().as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) if body.len() > MAX_RESPONSE_BYTES => {
                let message = format!("{} bytes are more than {MAX_RESPONSE_BYTES}", body.len());
                let error = InvocationOutcome::Error { error_type: "Function.ResponseSizeTooLarge".into(), message };
                self.finish(id, error);
                refuse(413, "RequestEntityTooLarge", "the answer is too large")
            }
            (&Method::POST, ["invocation", id, "response"]) => self.take(id, InvocationOutcome::Response(body.into())),
            (&Method::POST, ["invocation", id, "error"]) => match reported(&parts.headers, &body) {
                Ok(error) => self.take(id, error),
                Err(reason) => refuse(400, "InvalidError", &reason),
            },
            (&Method::POST, ["init", "error"]) => match reported(&parts.headers, &body) {
                Ok(error) => {
                    self.started.send_replace(Some(Err(error)));
                    reply(202, "application/json", r#"{"status":"OK"}"#)
                }
                Err(reason) => refuse(400, "InvalidError", &reason),
            },
            _ => refuse(404, "NotFound", "no such call in the Runtime API"),
        }
    }

    /// Waits for an invocation and passes it to the function.
    async fn next(&self) -> Reply {
        self.started.send_if_modified(|started| {
            let first = started.is_none();
            if first {
                *started = Some(Ok(()));
            }
            first
        });
        let PendingInvocation { event, invoke, outcome_sender, fetched_sender } = self.next_pending().await?;
        let deadline = invoke.deadline.unwrap_or_else(|| SystemTime::now() + invoke.timeout);
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        *self.current() = Some((invoke.request_id.clone(), outcome_sender));
        // The receiver still waits: `next_pending` returns no withdrawn invocation.
        let _ = fetched_sender.send(());
        Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", invoke.request_id)
            .header("Lambda-Runtime-Deadline-Ms", deadline.to_string())
            .header("Lambda-Runtime-Invoked-Function-Arn", invoke.function_arn)
            .header("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")
            .body(Full::new(event))
            .ok()
    }

    /// Returns the next invocation that was not withdrawn.
    async fn next_pending(&self) -> Option<PendingInvocation> {
        let mut waiting = self.waiting.lock().await;
        loop {
            let pending = waiting.recv().await?;
            if !pending.fetched_sender.is_closed() {
                return Some(pending);
            }
        }
    }

    fn take(&self, request_id: &str, outcome: InvocationOutcome) -> Reply {
        if self.finish(request_id, outcome) {
            reply(202, "application/json", r#"{"status":"OK"}"#)
        } else {
            refuse(400, "InvalidRequestID", "this invocation is not under way")
        }
    }

    /// Ends the current invocation, if it has this request id. Returns whether it did.
    fn finish(&self, request_id: &str, outcome: InvocationOutcome) -> bool {
        let taken = self.current().take_if(|(current, _)| current == request_id);
        taken.is_some_and(|(_, outcome_sender)| outcome_sender.send(outcome).is_ok())
    }
}

/// The error that a function reports. The `Lambda-Runtime-Function-Error-Type` header is required as well.
fn reported(headers: &HeaderMap, body: &[u8]) -> Result<InvocationOutcome, String> {
    if !headers.contains_key("Lambda-Runtime-Function-Error-Type") {
        return Err("the header Lambda-Runtime-Function-Error-Type is missing".into());
    }
    let ErrorBody { error_type, error_message } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(InvocationOutcome::Error { error_type, message: error_message })
}

fn refuse(status: u16, error_type: &str, message: &str) -> Reply {
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": message });
    reply(status, "application/json", body.to_string())
}
