//! Compares 5,000 changes of 100,000 objects with and without the bucket listing: list requests, added time, paths, and
//! unchanged objects evicted.
//!
//! `scripts/bench listing` builds the function and runs this against the fake AWS, which answers each `ListObjectsV2`
//! request after 30 ms. Times are medians of several first invocations.

#![expect(clippy::print_stdout, clippy::indexing_slicing, reason = "it prints its results, and may panic on a bug")]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use s3_cloudfront_invalidator::local::events::{notification, record};
use s3_cloudfront_invalidator::local::{
    FakeAws, FakeBucket, FakeDistribution, FunctionProcess, InvocationOutcome, Invoke, Lambda, State,
};
use serde_json::json;

const STARTS: usize = 5;
const ANSWER_TIME: Duration = Duration::from_millis(30);

/// A name, all keys of the bucket, and the keys that changed.
type Case = (&'static str, Vec<String>, Vec<String>);

fn cases() -> Vec<Case> {
    let folders = |folders: usize, files: usize| -> Vec<String> {
        (0..folders).flat_map(|folder| (0..files).map(move |file| format!("d{folder:04}/f{file:05}.html"))).collect()
    };
    let (wide, narrow) = (folders(200, 500), folders(2000, 50));
    let of = |objects: &[String], changed: &dyn Fn(usize) -> bool| -> Vec<String> {
        objects.iter().enumerate().filter(|(index, _)| changed(*index)).map(|(_, key)| key.clone()).collect()
    };
    let flat: Vec<_> = (0..100_000).map(|n| format!("f{n:06}.html")).collect();
    vec![
        ("all objects of 10 of 200 folders", wide.clone(), of(&wide, &|index| index / 500 % 20 == 7)),
        ("a twentieth of each of 200 folders", wide.clone(), of(&wide, &|index| index % 20 == 0)),
        (
            "a fifth of each of 500 of 2,000 folders",
            narrow.clone(),
            of(&narrow, &|index| index / 50 % 4 == 0 && index % 5 == 0),
        ),
        ("all objects of 100 of 2,000 folders", narrow.clone(), of(&narrow, &|index| index / 50 < 100)),
        ("a twentieth of one flat folder", flat.clone(), of(&flat, &|index| index % 20 == 0)),
    ]
}

fn state(objects: &[String]) -> State {
    let mut state = State::default();
    let bucket =
        FakeBucket { objects: objects.iter().cloned().collect(), ..FakeBucket::tagged(&[("distributionId", "E1")]) };
    state.buckets.insert("site".into(), bucket);
    let config = json!({
        "CallerReference": "example",
        "Comment": "",
        "Enabled": true,
        "Origins": { "Items": [{ "Id": "s3", "DomainName": "site.s3.eu-central-1.amazonaws.com", "OriginPath": "" }] },
        "DefaultCacheBehavior": { "TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only" },
    });
    state.distributions.insert("E1".into(), FakeDistribution { config: Some(config), ..FakeDistribution::default() });
    state.latency.insert("ListObjectsV2".into(), ANSWER_TIME);
    state
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let release = std::env::var("RELEASE_DIR").map_err(|_| "RELEASE_DIR is not set; run scripts/bench listing")?;
    let program = Path::new(&release).join("bootstrap");
    println!(
        "| {:<39} | requests | added time, s | paths | without listing | unchanged evicted | without listing |",
        "5,000 changes of 100,000 objects"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (name, objects, changed) in cases() {
        let on = run(&program, &objects, &changed, "auto").await?;
        let off = run(&program, &objects, &changed, "off").await?;
        println!(
            "| {name:<39} | {} | {:.2} | {} | {} | {} | {} |",
            on.requests,
            on.seconds - off.seconds,
            on.paths,
            off.paths,
            on.evicted,
            off.evicted
        );
    }
    Ok(())
}

struct Figures {
    requests: usize,
    seconds: f64,
    paths: usize,
    evicted: usize,
}

async fn run(
    program: &Path,
    objects: &[String],
    changed: &[String],
    bucket_listing: &str,
) -> Result<Figures, Box<dyn Error>> {
    let records: Vec<_> = changed.iter().map(|key| record("ObjectCreated:Put", "site", key)).collect();
    let event = notification(&records);
    let mut seconds = Vec::new();
    let mut last = None;
    for _ in 0..STARTS {
        let aws = FakeAws::start(state(objects)).await?;
        let lambda = Lambda::start().await?;
        let function = FunctionProcess::start(program, &lambda, &aws, &[("BUCKET_LISTING", bucket_listing)])?;
        lambda.ready().await.map_err(|outcome| format!("{outcome:?}"))?;
        let began = Instant::now();
        match lambda.invoke(event.clone(), Invoke::new("request")).await {
            InvocationOutcome::Response(_) => seconds.push(began.elapsed().as_secs_f64()),
            other => return Err(format!("{other:?}").into()),
        }
        function.stop().await?;
        let items = aws.with(|state| state.distributions["E1"].invalidations[0].paths.clone());
        last = Some((aws.calls("ListObjectsV2").len(), items));
    }
    seconds.sort_by(f64::total_cmp);
    let (requests, items) = last.ok_or("nothing ran")?;
    let changed: BTreeSet<_> = changed.iter().collect();
    let matches = |url: &str| {
        items.iter().any(|item| item.strip_suffix('*').map_or(item == url, |prefix| url.starts_with(prefix)))
    };
    let evicted = objects.iter().filter(|key| !changed.contains(key) && matches(&format!("/{key}"))).count();
    Ok(Figures { requests, seconds: seconds[STARTS / 2], paths: items.len(), evicted })
}
