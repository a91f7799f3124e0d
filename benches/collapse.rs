//! Measures the time of the collapse by number of paths: `scripts/bench collapse`.

#![expect(clippy::expect_used, reason = "its inputs are constants")]

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use s3_cloudfront_invalidator::collapse::{Budget, Counted, Coverage, Heuristic, Objective, collapse};
use s3_cloudfront_invalidator::path::{Behavior, DistributionConfig, InvalidationPath};

/// A hash that spreads consecutive numbers, the same in every run.
fn scatter(number: usize) -> u64 {
    (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}

/// Files with hashed names in 100 top-level folders.
fn shallow(number: usize) -> String {
    format!("/folder-{}/{:x}.js", scatter(number) % 100, scatter(number))
}

/// Files eight folders deep, some with spaces and accents.
fn deep(number: usize) -> String {
    let n = scatter(number);
    let part = |level: u32| (n >> (level * 4)) % 5;
    format!(
        "/a{}/b{}/c%20{}/d{}/caf%C3%A9/e{}/f{}/{n:x}/index.html",
        part(0),
        part(1),
        part(2),
        part(3),
        part(4),
        part(5)
    )
}

/// Nested folders, up to nearly as deep as a key of 1,024 bytes allows.
fn nested(number: usize) -> String {
    format!("/{}{}", "a/".repeat(500 - number % 400), number)
}

/// A few files in each of many folders, so that no prefix stands out.
fn sparse(number: usize) -> String {
    let n = scatter(number);
    format!("/x{}/y{}/f{number}", n % 200, (n >> 8) % 200)
}

/// Names that branch in two at every character.
fn binary(number: usize) -> String {
    format!("/{:040b}", scatter(number))
}

fn paths(count: usize, shape: fn(usize) -> String) -> Vec<InvalidationPath> {
    (0..count).map(|number| InvalidationPath::parse(&shape(number)).expect("a path")).collect()
}

/// A listed distribution with as many cache behaviors as CloudFront's quota allows.
struct Listed(DistributionConfig);

impl Listed {
    fn new() -> Self {
        let pattern = |number: usize| match number % 3 {
            0 => format!("/folder-{number}/*"),
            1 => format!("*.extension-{number}"),
            _ => format!("/folder-?{number}/*/{number}.js"),
        };
        let patterns = (0..74).map(|number| Some(pattern(number))).chain([None]);
        let behavior = |pattern: Option<String>| Behavior::new(pattern.as_deref(), "bucket", None, false, []);
        let behaviors = patterns.map(|pattern| behavior(pattern).expect("a behavior")).collect();
        Self(DistributionConfig { behaviors, ..DistributionConfig::default() })
    }
}

impl Coverage for Listed {
    fn includes(&self, prefix: &str) -> bool {
        self.0.is_served_only_by(prefix, &["bucket"])
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10)
        .configure_from_args();
    let number = |n| NonZeroUsize::new(n).expect("at least one");
    for (budget, max_paths, max_wildcards) in [("30/7", 30, 7), ("3000/15", 3000, 15)] {
        let budget_of = Budget { max_paths: number(max_paths), max_wildcards: number(max_wildcards) };
        let objective = Objective { budget: budget_of, evictions_per_path: 0 };
        let mut group = criterion.benchmark_group(budget);
        for (name, shape) in
            [("shallow", shallow as fn(usize) -> String), ("deep", deep), ("nested", nested), ("sparse", sparse)]
        {
            for count in [1_000, 6_000, 10_000, 100_000] {
                let paths = paths(count, shape);
                group.throughput(Throughput::Elements(count as u64));
                group.bench_with_input(BenchmarkId::new(name, count), &paths, |bencher, paths| {
                    let run = |paths| black_box(collapse(paths, objective, &Heuristic));
                    bencher.iter_batched(|| paths.clone(), run, BatchSize::LargeInput);
                });
            }
        }
        // Half of the objects changed: every other one, or a random half.
        let every_other: fn(usize) -> bool = |index| index % 2 == 0;
        let half: fn(usize) -> bool = |index| scatter(index) & 1 == 0;
        for (name, count, shape, has_changed) in [
            ("listing-deep", 12_000, deep as fn(usize) -> String, every_other),
            ("listing-binary", 12_000, binary, half),
            ("listing-nested", 200_000, nested, every_other),
        ] {
            let all = paths(count, shape);
            let changed: Vec<_> =
                all.iter().zip(0..).filter(|&(_, index)| has_changed(index)).map(|(path, _)| path.clone()).collect();
            let urls = all.iter().map(ToString::to_string).collect();
            let listing = Counted::new(urls, vec!["/".to_owned()], &changed);
            group.throughput(Throughput::Elements(changed.len() as u64));
            group.bench_function(BenchmarkId::new(name, count / 2), |bencher| {
                let run = |paths| black_box(collapse(paths, objective, &listing));
                bencher.iter_batched(|| changed.clone(), run, BatchSize::LargeInput);
            });
        }
        let changed = paths(10_000, shallow);
        let urls = (0..20_000).map(shallow).collect();
        let listing = Counted::new(urls, Listed::new(), &changed);
        group.throughput(Throughput::Elements(changed.len() as u64));
        group.bench_function("75-behaviors/10000", |bencher| {
            let run = |paths| black_box(collapse(paths, objective, &listing));
            bencher.iter_batched(|| changed.clone(), run, BatchSize::LargeInput);
        });
        group.finish();
    }
    criterion.final_summary();
}
