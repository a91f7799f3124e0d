//! S3's, CloudFront's and CodePipeline's endpoints in one, told apart by the service that a request is signed for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderValue, Request};
use hyper::body::Bytes;
use serde_json::Value;

use super::cloudfront::{self, FakeDistribution};
use super::codepipeline::{self, FakeJob};
use super::denial::denied;
use super::fault::{Effect, Fault};
use super::http::{Reply, Server};
use super::request::{ApiRequest, ApiResponse, UnknownRequest};
use super::{ACCOUNT, REGION, bill, distribution_config, listing, s3};

/// AWS, as far as the function sees it.
pub struct FakeAws {
    server: Server,
    state: Arc<Mutex<State>>,
}

/// All that there is, and all that was asked.
#[derive(Default)]
pub struct State {
    /// The buckets, by name.
    pub buckets: BTreeMap<String, FakeBucket>,
    /// The distributions, and the distribution tenants, by id.
    pub distributions: BTreeMap<String, FakeDistribution>,
    /// The cache policies, by id, as the AWS CLI prints them below `CachePolicyConfig` for `aws cloudfront get-cache-policy`.
    /// None is there by itself, not even one that AWS manages.
    pub cache_policies: BTreeMap<String, Value>,
    /// CodePipeline's jobs, by id.
    pub jobs: BTreeMap<String, FakeJob>,
    /// Faults to play, each as often as it says; the first that fits a call is taken.
    pub faults: Vec<Fault>,
    /// The operations that the caller's role has no statement for: each is answered as the service does then (S3
    /// and CloudFront: `AccessDenied`), and does nothing.
    pub denied: BTreeSet<String>,
    /// How long the answers to an operation take, by operation. Others are answered meanwhile.
    pub latency: BTreeMap<String, Duration>,
    /// The least time between two `CreateInvalidation` calls of the account, those for tenants included; sooner ones are
    /// throttled.
    pub throttle: Option<Duration>,
    /// Every call, in the order in which they were answered.
    pub calls: Vec<Call>,
    /// The most calls that were under way at the same time, by operation.
    pub most_in_flight: BTreeMap<&'static str, usize>,
    /// How many calls have begun.
    pub started_calls: usize,
    in_flight: BTreeMap<&'static str, usize>,
    pub(super) last_invalidation: Option<Instant>,
}

/// A bucket: what the function may ask of it.
#[derive(Clone, Debug)]
pub struct FakeBucket {
    /// Its Region.
    pub region: String,
    /// The account that owns it.
    pub owner: String,
    /// Its tags; none at all is an error of its own in S3.
    pub tags: BTreeMap<String, String>,
    /// The keys of its objects, which are all empty. In the order of S3's listings: that of their UTF-8.
    pub objects: BTreeSet<String>,
}

impl FakeBucket {
    /// A bucket of the stand-in's account and Region with these tags, and no objects.
    #[must_use]
    pub fn tagged(tags: &[(&str, &str)]) -> Self {
        Self {
            region: REGION.into(),
            owner: ACCOUNT.into(),
            tags: tags.iter().map(|&(key, value)| (key.into(), value.into())).collect(),
            objects: BTreeSet::new(),
        }
    }
}

/// What stands for the operation of a request that is not signed, or that the stand-in does not know.
pub const UNKNOWN_OPERATION: &str = "?";

/// One call that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation, such as `GetBucketTagging`; [`UNKNOWN_OPERATION`] for a request that is none there is, whose
    /// target then says what it was.
    pub operation: &'static str,
    /// The bucket, distribution, tenant, cache policy or job.
    pub target: String,
    /// The HTTP status of the answer; 0 if the connection was broken instead.
    pub status: u16,
    /// The error code, if it was an error.
    pub code: Option<String>,
}

impl FakeAws {
    /// Starts serving `state` on a free port.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start(state: State) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(state));
        let serving = Arc::clone(&state);
        let server = Server::start(move |request| serve(Arc::clone(&serving), request)).await?;
        Ok(Self { server, state })
    }

    /// What the function finds in `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Looks at the world, or changes it.
    pub fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut lock(&self.state))
    }

    /// The calls of one operation so far.
    #[must_use]
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        self.with(|state| state.calls.iter().filter(|call| call.operation == operation).cloned().collect())
    }

    /// What all invalidations so far cost.
    #[must_use]
    pub fn bill(&self) -> bill::Bill {
        self.with(|state| {
            bill::Bill::of(state.distributions.values().flat_map(|it| &it.invalidations).map(|it| it.paths.len()))
        })
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
    let (mut effect, mut delay) = lock(&state).enter(&request);
    let _under_way = InFlight { state: Arc::clone(&state), operation: request.operation };
    let mut worked = None;
    while let Some(Effect::After(then)) = effect {
        let answer = worked.get_or_insert_with(|| lock(&state).answer(&request));
        // What did not work is not said to have worked: there would be no telling a lost change from a lie.
        effect = (answer.status < 300).then_some(*then);
    }
    if let Some(Effect::Delay(time)) = effect {
        delay += time;
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    // Unlocked before the call is no longer under way, as it is declared later.
    let mut state = lock(&state);
    let mut work = || worked.take().unwrap_or_else(|| state.answer(&request));
    let (mut content_type, mut connection_fault) = (None, None);
    let answer = match effect {
        Some(Effect::HangUp) => None,
        Some(Effect::WorkThenHangUp) => {
            work();
            None
        }
        Some(Effect::Error { status, code }) => {
            Some(request.service.error(status, &code, &format!("{code}, as the script asked for")))
        }
        Some(Effect::Raw { status, body }) => Some(ApiResponse { status, code: None, headers: Vec::new(), body }),
        Some(Effect::Page { status, content_type: other, body }) => {
            content_type = Some(other);
            Some(ApiResponse { status, code: None, headers: Vec::new(), body })
        }
        Some(Effect::Shortened(at)) => {
            let answer = work();
            let body = answer.body.get(..answer.body.floor_char_boundary(at % answer.body.len().max(1)));
            Some(ApiResponse { body: body.unwrap_or_default().to_owned(), ..answer })
        }
        Some(Effect::Retyped(other)) => {
            content_type = Some(other);
            Some(work())
        }
        Some(Effect::ConnectionFault(way)) => {
            connection_fault = Some(way);
            Some(work())
        }
        Some(Effect::After(_) | Effect::Delay(_)) | None => Some(work()),
    };
    state.leave(&request, answer.as_ref());
    let mut reply = answer.and_then(|answer| request.service.write(answer))?;
    if let Some(other) = content_type {
        reply.headers_mut().insert("Content-Type", HeaderValue::from_static(other));
    }
    if let Some(connection_fault) = connection_fault {
        reply.extensions_mut().insert(connection_fault);
    }
    Some(reply)
}

/// A call under way, until this is dropped: with the answer, or when the caller gives up waiting for it.
struct InFlight {
    state: Arc<Mutex<State>>,
    operation: &'static str,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(in_flight) = lock(&self.state).in_flight.get_mut(self.operation) {
            // It may have begun in another world: a script can put one in the place of another.
            *in_flight = in_flight.saturating_sub(1);
        }
    }
}

impl State {
    /// Notes that a call began, and takes the fault that is meant for it; tells as well how long it takes without one.
    fn enter(&mut self, request: &ApiRequest) -> (Option<Effect>, Duration) {
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

    /// Notes how a call was answered.
    fn leave(&mut self, request: &ApiRequest, answer: Option<&ApiResponse>) {
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
