//! What is made to go wrong, each kind with its name.

use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::World;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::wire::Wire;

use crate::places::Places;
use crate::tally::Kinds;

/// Longer than the time of a function that is in a hurry.
const LONG: Duration = Duration::from_secs(4);

/// How large an absurdly large answer is.
const LARGE: usize = 256 << 10;

/// A fault that a scenario asks for.
pub(crate) struct Asked {
    kind: &'static str,
    fault: Fault,
}

/// What is to go wrong with the calls of a scenario.
#[derive(Default)]
pub(crate) struct Faults {
    asked: Vec<Asked>,
    /// The least time between two invalidations of the account, in a storm of throttling.
    throttle: Option<Duration>,
    /// Whether some fault never ends.
    pub(crate) lasting: bool,
    /// Whether some fault may make the function send other paths.
    pub(crate) widening: bool,
}

impl Faults {
    /// Faults with few calls each, in one scenario of sixteen with one that lasts.
    pub(crate) fn draw(rng: &mut Rng, places: &Places, burst: bool) -> Self {
        let mut faults = Self::default();
        for _ in 0..rng.usize(2..=9) {
            let operation = ["GetBucketTagging", "CreateInvalidation"][usize::from(rng.u8(0..5) > 1)];
            let (kind, effect) = effect(rng, operation);
            let names: Vec<_> = match operation {
                "GetBucketTagging" => places.buckets.iter().map(|it| it.name.clone()).collect(),
                _ => places.distributions.clone(),
            };
            let target = if rng.u8(0..3) == 0 { None } else { rng.choice(names) };
            let times = rng.usize(1..=3);
            faults.widening |= ["invalid argument", "batch too large", "too many in progress"].contains(&kind);
            faults.asked.push(Asked { kind, fault: Fault { operation, target, effect, times } });
        }
        // Thousands of events that all fail three times take hours.
        if rng.u8(0..16) == 0 && !burst {
            faults.lasting = true;
            let place = rng.usize(0..faults.asked.len());
            faults.asked[place].fault.times = usize::MAX;
        }
        if rng.u8(0..12) == 0 {
            faults.throttle = Some(Duration::from_millis(rng.u64(5..40)));
        }
        faults
    }

    pub(crate) fn set(&self, world: &mut World) {
        world.faults = self.asked.iter().map(|it| it.fault.clone()).collect();
        world.throttle = self.throttle;
    }

    /// How often each kind was played in this world.
    pub(crate) fn played(&self, world: &World) -> Kinds {
        let mut kinds = Kinds::default();
        for (Asked { kind, fault }, left) in self.asked.iter().zip(&world.faults) {
            *kinds.entry(kind).or_default() += fault.times - left.times;
        }
        if self.throttle.is_some() {
            let throttled = world.calls.iter().filter(|call| call.code.as_deref() == Some("Throttling")).count();
            let asked_for = kinds.get("throttling").copied().unwrap_or_default();
            kinds.insert("throttling storm", throttled.saturating_sub(asked_for));
        }
        kinds.retain(|_, times| *times > 0);
        kinds
    }
}

fn effect(rng: &mut Rng, operation: &str) -> (&'static str, Effect) {
    let moment = Duration::from_millis(rng.u64(5..150));
    let wire = |ends_after, stays_open, reset| {
        Effect::Wire(Wire { ends_after: Some(ends_after), stays_open, reset, drip: None })
    };
    match rng.u8(0..31) {
        0 | 1 if operation == "GetBucketTagging" => ("slow down", error(503, "SlowDown")),
        0 | 1 => ("throttling", error(400, "Throttling")),
        2 => ("service unavailable", error(503, "ServiceUnavailable")),
        3 => ("internal error", error(500, "InternalError")),
        4 => ("access denied", error(403, "AccessDenied")),
        5 if operation == "GetBucketTagging" => ("no such bucket", error(404, "NoSuchBucket")),
        5 => ("no such distribution", error(404, "NoSuchDistribution")),
        6 if operation == "GetBucketTagging" => ("request time-out", error(400, "RequestTimeout")),
        6 => ("invalid argument", error(400, "InvalidArgument")),
        7 if operation == "GetBucketTagging" => ("wrong Region", error(301, "PermanentRedirect")),
        7 => ("batch too large", error(413, "BatchTooLarge")),
        8 if operation == "GetBucketTagging" => ("not modelled", error(400, "InventedLater")),
        8 | 9 => ("too many in progress", error(400, "TooManyInvalidationsInProgress")),
        10 => ("HTML page", page(*rng.choice(&[200, 403, 502, 503]).unwrap_or(&502), "text/html")),
        11 => ("page of another type", page(*rng.choice(&[200, 201, 500]).unwrap_or(&500), "application/json")),
        12 => ("wrong content type", Effect::Retyped("text/html; charset=nonsense")),
        13 => ("empty success", Effect::Raw { status: *rng.choice(&[200, 201]).unwrap_or(&200), body: String::new() }),
        14 => ("no content", Effect::Raw { status: 204, body: String::new() }),
        15 => ("large answer", large(rng)),
        16 | 17 => ("answer cut short, its length agrees", Effect::Shortened(rng.usize(0..2000))),
        18 => ("answer cut, connection closed", wire(rng.usize(0..700), Duration::ZERO, false)),
        19 => ("answer cut, connection stays open", wire(rng.usize(0..700), moment, false)),
        20 | 21 => ("reset in the answer", wire(rng.usize(0..700), Duration::ZERO, true)),
        22 => ("answer drips", drip(rng)),
        23 => ("delay before the work", Effect::Delay(moment)),
        24 => ("delay after the work", after(Effect::Delay(moment))),
        25 => ("broken before the work", Effect::HangUp),
        26 => ("broken after the work", Effect::WorkThenHangUp),
        27 => ("server fault after the work", after(error(500, "InternalError"))),
        28 if operation == "CreateInvalidation" => {
            ("caller reference used", after(error(400, "InvalidationBatchAlreadyExists")))
        }
        28 => ("HTML page", page(502, "text/html")),
        29 => ("delay past a short timeout", Effect::Delay(LONG)),
        _ => ("redirect", Effect::Raw { status: 302, body: String::new() }),
    }
}

fn error(status: u16, code: &str) -> Effect {
    Effect::Error { status, code: code.to_owned() }
}

fn after(effect: Effect) -> Effect {
    Effect::After(Box::new(effect))
}

fn page(status: u16, content_type: &'static str) -> Effect {
    let body = "<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head><body><h1>502</h1></body></html>\n";
    Effect::Page { status, content_type, body: body.to_owned() }
}

fn large(rng: &mut Rng) -> Effect {
    let status = *rng.choice(&[200, 400, 503]).unwrap_or(&200);
    Effect::Raw { status, body: "<Error><Code>".to_owned() + &"x".repeat(LARGE) }
}

/// An answer of about 600 bytes then takes up to half a second.
fn drip(rng: &mut Rng) -> Effect {
    let drip = Some((rng.usize(5..40), Duration::from_millis(rng.u64(1..4))));
    Effect::Wire(Wire { drip, ..Wire::default() })
}
