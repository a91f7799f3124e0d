//! The largest possible events, measured: duration and memory. Run in release mode:
//! `cargo test --release --features cli --test function size:: -- --ignored --nocapture`.

use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{Invoke, State};

use crate::harness::{Harness, created, state, within};

/// The memory of a 256 MB function, in kB.
const MOST: u64 = 256 * 1024;

fn ids(number: usize) -> String {
    (0..number).map(|n| format!("E{n:02}X")).collect::<Vec<_>>().join(" ")
}

/// The peak memory of the function so far, in kB.
fn peak(harness: &Harness) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", harness.function.id().unwrap())).unwrap();
    let line = status.lines().find(|it| it.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Invokes the function with a deadline in one minute. Returns its peak memory, in kB, and the duration.
#[expect(clippy::print_stdout, reason = "a measurement")]
async fn measure(what: &str, state: State, variables: &[(&str, &str)], event: String) -> (u64, Duration) {
    let harness = Harness::start(state, variables).await;
    let began = Instant::now();
    let deadline = Some(SystemTime::now() + Duration::from_mins(1));
    let invoke = Invoke { timeout: Duration::from_secs(100), deadline, ..Invoke::new("r1") };
    let outcome = format!("{:?}", within(harness.lambda.invoke(event, invoke)).await);
    let (took, peak) = (began.elapsed(), peak(&harness));
    println!("{what}: {took:?}, {peak} kB: {outcome:.100}");
    (peak, took)
}

const LARGE: [(&str, &str); 2] = [("MAX_PATHS", "3000"), ("MAX_WILDCARDS", "15")];

#[tokio::test]
#[ignore = "a measurement"]
async fn records_for_eighteen_distributions() {
    let mut records = String::new();
    for n in 0.. {
        let start =
            r#"{"eventSource":"aws:s3","eventName":"ObjectCreated:","s3":{"bucket":{"name":"abc"},"object":{"key":""#;
        write!(records, "{start}{n:x}+/index.html\"}}}}}},").unwrap();
        if records.len() > 5_850_000 {
            break;
        }
    }
    let event = format!("{{\"Records\":[{}]}}", records.trim_end_matches(','));
    let mut state = state(&[("abc", &ids(18))]);
    let tags = &mut state.buckets.get_mut("abc").unwrap().tags;
    tags.insert("invalidation:directoryUrls".into(), "both".into());
    tags.insert("invalidation:queryStrings".into(), "include".into());
    let (peak, took) = measure("records", state, &LARGE, event).await;
    assert!(peak < MOST && took < Duration::from_secs(10));
}

#[tokio::test]
#[ignore = "a measurement"]
async fn keys_for_eighteen_distributions() {
    for repeated in [false, true] {
        let keys: Vec<_> = (0..746_000).map(|n| format!("\"{:x}\"", if repeated { n % 16 } else { n })).collect();
        let event = format!("{{\"bucket\":\"site\",\"keys\":[{}]}}", keys.join(","));
        let (peak, took) = measure("keys", state(&[("site", &ids(18))]), &LARGE, event).await;
        assert!(peak < MOST && took < Duration::from_secs(10));
    }
}

#[tokio::test]
#[ignore = "a measurement"]
async fn long_answers_to_all_calls() {
    for (status, text) in [(500, "\u{2028}"), (403, "x"), (200, "x")] {
        let names: Vec<_> = (0..16).map(|n| (format!("site-{n}"), format!("E{n}X"))).collect();
        let names: Vec<_> = names.iter().map(|(bucket, id)| (bucket.as_str(), id.as_str())).collect();
        let mut state = state(&names);
        let body = format!("<Error><Message>{}</Message></Error>", text.repeat(15_000_000 / text.len()));
        for operation in ["GetBucketTagging", "GetDistributionConfig", "CreateInvalidation"] {
            let effect = Effect::Raw { status, body: body.clone() };
            state.faults.push(Fault { operation, target: None, effect, times: 16 });
        }
        let event = created(&names.iter().map(|(bucket, _)| (*bucket, "a")).collect::<Vec<_>>());
        let (peak, _) = measure("answers", state, &[("RETRY_BASE_DELAY_MS", "20")], event).await;
        assert!(peak < MOST);
    }
}

#[tokio::test]
#[ignore = "a measurement"]
async fn fields_that_occur_again_and_again() {
    let half = |field: &str| format!("\"{field}\":1,").repeat(2_950_000 / (field.len() + 5));
    let event = format!("{{{}{}\"x\":1}}", half("Event"), half("Type"));
    let (peak, took) = measure("fields", state(&[]), &[], event).await;
    assert!(peak < MOST && took < Duration::from_secs(2));
}
