//! The tables that `demo` prints.

use std::time::Duration;

use serde::Serialize;

use super::delivery::Delivered;
use super::methods::{Effect, Urls};
use super::site::{BUCKET, DISTRIBUTION, Site};
use crate::change::text::counted;
use crate::cli::terminal::{MAX_ROWS, keep_on_one_line, more, print, right, say, table, usd};
use crate::path::InvalidationPath;
use crate::plan::{FREE_PATHS_PER_MONTH, price_usd};

/// Prints what is in the bucket, what changed, and what the function read.
pub(super) fn heading(site: &Site, startup: Duration) {
    say(format_args!(
        "Bucket {BUCKET} has {}: {}.\nA deploy changed {} of them{}.\n\
         The bucket's tag names distribution {DISTRIBUTION}.\nThe function started in {:.0} ms.",
        counted(site.keys.len(), "object"),
        site.name,
        site.changed.intersection(&site.keys).count(),
        match site.changed.difference(&site.keys).count() {
            0 => String::new(),
            deleted => format!(", and deleted {deleted} more"),
        },
        startup.as_secs_f64() * 1000.0,
    ));
    if let Some(first) = site.skipped.first() {
        say(format_args!(
            "Skipped {} with names that are not valid object keys, for example {}.",
            counted(site.skipped.len(), "file"),
            first.display()
        ));
    }
}

/// Prints the paths sent to CloudFront, and how many changed objects each one invalidates.
pub(super) fn paths(sent: &[InvalidationPath], urls: &Urls) {
    let mut table = table(&["PATH SENT TO CLOUDFRONT", "CHANGED OBJECTS"]);
    for path in sent.iter().take(MAX_ROWS) {
        table.add_row([path.to_string(), urls.objects_of(path).to_string()]);
    }
    keep_on_one_line(&mut table, &[0]);
    right(&mut table, &[1]);
    say("");
    print(table);
    more(sent.len(), "path");
}

/// The price and the effect of the paths of a method.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MethodRow {
    method: &'static str,
    paths: usize,
    cost_usd: f64,
    stale_urls: usize,
    unchanged_evicted: usize,
}

/// What becomes of a deploy if its events reach the function in this way.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryRow {
    events: &'static str,
    invocations: usize,
    invalidations: usize,
    paths: usize,
    cost_usd: f64,
}

/// Compares the function's paths with those of other methods.
pub(super) fn method_rows(sent: &[InvalidationPath], urls: &Urls) -> Vec<MethodRow> {
    let everything: Vec<_> = InvalidationPath::parse("/*").into_iter().collect();
    let row = |method, paths: &[InvalidationPath]| {
        let Effect { stale_urls, unchanged_evicted } = urls.effect(paths);
        MethodRow { method, paths: paths.len(), cost_usd: price_usd(paths.len()), stale_urls, unchanged_evicted }
    };
    vec![
        row("this function", sent),
        row("one path per object", &urls.one_path_per_object()),
        row("directories, if over 30", &urls.threshold()),
        row("\"/*\"", &everything),
    ]
}

/// Compares how the events reach the function. Without `one_by_one`, there were too many.
pub(super) fn delivery_rows(through_queue: &Delivered, one_by_one: Option<&Delivered>) -> Vec<DeliveryRow> {
    let deliveries = [("through the queue", Some(through_queue)), ("S3 invokes the function", one_by_one)];
    let row = |(events, delivered): (_, Option<&Delivered>)| {
        let delivered = delivered?;
        let paths = delivered.invalidations.iter().map(Vec::len).sum();
        let (invocations, invalidations) = (delivered.invocations, delivered.invalidations.len());
        Some(DeliveryRow { events, invocations, invalidations, paths, cost_usd: price_usd(paths) })
    };
    deliveries.into_iter().filter_map(row).collect()
}

/// Prints the methods.
pub(super) fn methods(rows: &[MethodRow]) {
    let mut table = table(&["METHOD", "PATHS", "PRICE", "STALE URLS", "UNCHANGED EVICTED"]);
    for it in rows {
        let numbers = [it.stale_urls, it.unchanged_evicted].map(|it| it.to_string());
        let [stale_urls, unchanged_evicted] = &numbers;
        table.add_row([it.method, &it.paths.to_string(), &usd(it.cost_usd), stale_urls, unchanged_evicted]);
    }
    right(&mut table, &[1, 2, 3, 4]);
    say("");
    print(table);
    say(format_args!(
        "STALE URLS: cached URLs of changed objects that are not evicted, such as / of\n\
         index.html. UNCHANGED EVICTED: unchanged objects that CloudFront must fetch\n\
         from the bucket again. The first {FREE_PATHS_PER_MONTH} paths of a month are free."
    ));
}

/// Prints how the events reach the function.
pub(super) fn deliveries(rows: &[DeliveryRow]) {
    let mut table = table(&["EVENTS OF THE DEPLOY", "INVOCATIONS", "INVALIDATIONS", "PATHS", "PRICE"]);
    for it in rows {
        let numbers = [it.invocations, it.invalidations, it.paths].map(|it| it.to_string());
        let [invocations, invalidations, paths] = &numbers;
        table.add_row([it.events, invocations.as_str(), invalidations, paths, &usd(it.cost_usd)]);
    }
    right(&mut table, &[1, 2, 3, 4]);
    say("");
    print(table);
}
