//! Lambda's Runtime API: hands one invocation after another to a function, and takes its answers.
//!
//! Source: Lambda developer guide, "Using the Lambda runtime API for custom runtimes". As in Lambda, one invocation is
//! under way at a time, an answer for any other is refused, and one that takes longer than its time is given up.

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

/// The largest answer of a function. Source: Lambda developer guide, "Lambda quotas".
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// Lambda, for one function.
pub struct Lambda {
    server: Server,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<PendingInvocation>,
}

/// How an invocation is made.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// Lambda's id of the request; the same on a retry.
    pub request_id: String,
    /// The ARN by which the function is invoked.
    pub function_arn: String,
    /// The function's timeout.
    pub timeout: Duration,
    /// The deadline that the function is told; `None` for the true one, as `timeout` makes it.
    pub deadline: Option<SystemTime>,
}

impl Invoke {
    /// An invocation under this request id, of a function of the stand-in's account, with a timeout of a minute.
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

/// How an invocation, or the start of a function, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvocationOutcome {
    /// The function's answer.
    Response(Vec<u8>),
    /// The function reported an error.
    Error {
        /// Its type.
        error_type: String,
        /// Its message.
        message: String,
    },
    /// The function did not answer in time.
    TimedOut,
}

/// What a function reports as an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    error_type: String,
    error_message: String,
}

struct PendingInvocation {
    event: Bytes,
    invoke: Invoke,
    answer: oneshot::Sender<InvocationOutcome>,
    taken: oneshot::Sender<()>,
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
    /// If there is no port to be had.
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

    /// What a function finds in `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Waits until the function asks for its first invocation.
    ///
    /// # Errors
    /// The error it reported instead of starting.
    pub async fn ready(&self) -> Result<(), InvocationOutcome> {
        let mut started = self.shared.started.subscribe();
        match started.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(InvocationOutcome::TimedOut)),
            Err(_) => Err(InvocationOutcome::TimedOut),
        }
    }

    /// Invokes the function and waits for its answer. Its time counts from when it is handed the event; an event that is
    /// not taken in as long is withdrawn.
    pub async fn invoke(&self, event: impl Into<Bytes>, invoke: Invoke) -> InvocationOutcome {
        let (answer, outcome) = oneshot::channel();
        let (taken, started_calls) = oneshot::channel();
        let (timeout, request_id) = (invoke.timeout, invoke.request_id.clone());
        if self.queue.send(PendingInvocation { event: event.into(), invoke, answer, taken }).is_err() {
            return InvocationOutcome::TimedOut;
        }
        if !matches!(tokio::time::timeout(timeout, started_calls).await, Ok(Ok(()))) {
            return InvocationOutcome::TimedOut;
        }
        let outcome = tokio::time::timeout(timeout, outcome).await;
        // Given up: an answer that comes later is refused.
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

    /// Waits for an invocation and hands it out.
    async fn next(&self) -> Reply {
        self.started.send_if_modified(|started| {
            let first = started.is_none();
            if first {
                *started = Some(Ok(()));
            }
            first
        });
        let PendingInvocation { event, invoke, answer, taken } = self.next_pending().await?;
        let deadline = invoke.deadline.unwrap_or_else(|| SystemTime::now() + invoke.timeout);
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        *self.current() = Some((invoke.request_id.clone(), answer));
        // Whoever waits is there: it was not withdrawn.
        let _ = taken.send(());
        Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", invoke.request_id)
            .header("Lambda-Runtime-Deadline-Ms", deadline.to_string())
            .header("Lambda-Runtime-Invoked-Function-Arn", invoke.function_arn)
            .header("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")
            .body(Full::new(event))
            .ok()
    }

    /// The next invocation that was not withdrawn.
    async fn next_pending(&self) -> Option<PendingInvocation> {
        let mut waiting = self.waiting.lock().await;
        loop {
            let pending = waiting.recv().await?;
            if !pending.taken.is_closed() {
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

    /// Ends the invocation under way, if it is this one.
    fn finish(&self, request_id: &str, outcome: InvocationOutcome) -> bool {
        let taken = self.current().take_if(|(current, _)| current == request_id);
        taken.is_some_and(|(_, answer)| answer.send(outcome).is_ok())
    }
}

/// The error that a function reports; it must name its type in the header as well.
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
