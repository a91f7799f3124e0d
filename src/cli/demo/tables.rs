//! The tables that `demo` prints, for a terminal of 80 columns.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::delivery::Delivery;
use super::directory::SiteDirectory;
use crate::change::ObjectKey;
use crate::change::text::{counted, one_line};
use crate::cli::terminal::{MAX_ROWS, more, price, right, say, shorten, table};
use crate::config::Config;
use crate::local::AcceptedInvalidation;
use crate::path::{InvalidationPath, OriginPath, viewer_paths};
use crate::plan::FREE_PATHS_PER_MONTH;

/// Prints the bucket's content, the distribution that its tag names, and how long the function took to start.
pub(super) fn heading(directory: &Path, site: &SiteDirectory, bucket: &str, distribution: &str, startup: Duration) {
    say(format_args!(
        "Bucket {bucket} has {} from {}.\n\
         Its tag distributionId is {distribution}.\n\
         The function started in {:.0} ms.",
        counted(site.keys.len(), "object"),
        directory.display(),
        startup.as_secs_f64() * 1000.0,
    ));
    if let Some(first) = site.skipped.first() {
        say(format_args!(
            "Skipped {} with names that are not valid object keys, for example {}.",
            counted(site.skipped.len(), "file"),
            first.display()
        ));
    }
    say("");
}

/// Prints the events, one row each.
pub(super) fn events(deliveries: &[Delivery<'_>], batch: u16) {
    let mut table = table(&["EVENT", "CHANGES", "INVALIDATED", "PATHS", "WILDCARDS", "INVALIDATION", "MS"]);
    for (number, delivery) in deliveries.iter().enumerate().take(MAX_ROWS) {
        let invalidation = delivery.report.invalidations.first();
        let paths = paths_of(delivery);
        let wildcards = paths.iter().filter(|path| path.wildcard_prefix().is_some()).count();
        table.add_row([
            (number + 1).to_string(),
            delivery.keys.len().to_string(),
            delivery.report.changes.invalidated.to_string(),
            paths.len().to_string(),
            wildcards.to_string(),
            invalidation.and_then(|it| it.invalidation_id.clone()).unwrap_or_else(|| "none".into()),
            format!("{:7.1}", delivery.took.as_secs_f64() * 1000.0),
        ]);
    }
    right(&mut table, &[0, 1, 2, 3, 4, 6]);
    say(format_args!(
        "Each event has up to {}. S3 itself usually sends one change\n\
         per event; --batch 1 shows the result.",
        counted(batch.into(), "change"),
    ));
    say(table.trim_fmt());
    more(deliveries.len(), "event");
}

/// Prints the paths sent to CloudFront, and how many changed objects each one invalidates.
pub(super) fn paths(deliveries: &[Delivery<'_>]) {
    let mut matched: BTreeMap<InvalidationPath, (usize, &str)> = BTreeMap::new();
    let index_documents = [Config::DEFAULT_INDEX_DOCUMENT.to_owned()];
    for delivery in deliveries {
        let urls_by_key: Vec<_> = delivery.keys.iter().map(|key| (key, urls(key, &index_documents))).collect();
        for path in paths_of(delivery) {
            let matching = urls_by_key.iter().filter(|(_, urls)| urls.iter().any(|url| path.covers(url)));
            let (count, example) = matched.entry(path.clone()).or_insert((0, ""));
            for (key, _) in matching {
                *count += 1;
                *example = key.as_str();
            }
        }
    }
    let mut table = table(&["PATH SENT TO CLOUDFRONT", "OBJECTS", "EXAMPLE"]);
    for (path, (count, example)) in matched.iter().take(MAX_ROWS) {
        table.add_row([path.to_string(), count.to_string(), shorten(&one_line(example))]);
    }
    right(&mut table, &[1]);
    say("");
    say(table.trim_fmt());
    more(matched.len(), "path");
}

fn urls(key: &ObjectKey, index_documents: &[String]) -> Vec<InvalidationPath> {
    OriginPath::default().strip(key).map(|key| viewer_paths(key, index_documents)).unwrap_or_default()
}

/// Prints the price, compared with one path per object and with `/*` per event.
pub(super) fn costs(deliveries: &[Delivery<'_>], accepted: &[AcceptedInvalidation], lookups: usize) {
    let index_documents = [Config::DEFAULT_INDEX_DOCUMENT.to_owned()];
    let keys = || deliveries.iter().flat_map(|delivery| delivery.keys);
    let objects = keys().count();
    let missed: usize = keys().map(|key| urls(key, &index_documents).len() - 1).sum();
    let mut table = table(&["METHOD", "INVALIDATIONS", "PATHS", "PRICE", "RESULT"]);
    let mut row = |name: &str, invalidations: usize, paths: usize, result: &str| {
        table.add_row([name, &invalidations.to_string(), &paths.to_string(), &price(paths), result]);
    };
    row("this function", accepted.len(), accepted.iter().map(|it| it.paths.len()).sum(), "no URL missed");
    row("one path per object", objects, objects, &format!("{} missed", counted(missed, "URL")));
    row("\"/*\" per event", deliveries.len(), deliveries.len(), "evicts all objects");
    right(&mut table, &[1, 2, 3]);
    say("");
    say(table.trim_fmt());
    say(format_args!(
        "The first {FREE_PATHS_PER_MONTH} paths of each month are free. Prices apply to further paths.\n\
         Requests to read the bucket's tags: {lookups}. Each costs less than 1/10,000 of a path.",
    ));
}

fn paths_of(delivery: &Delivery<'_>) -> Vec<InvalidationPath> {
    let sent = delivery.report.invalidations.iter().flat_map(|it| &it.paths);
    sent.filter_map(|path| InvalidationPath::parse(path).ok()).collect()
}
