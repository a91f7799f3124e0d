//! The tables that `demo` prints, for a terminal of 80 columns.

use std::time::Duration;

use super::delivery::Delivered;
use super::methods::{Effect, Urls};
use super::site::{BUCKET, DISTRIBUTION, Site};
use crate::change::text::counted;
use crate::cli::terminal::{MAX_ROWS, more, price, right, say, table};
use crate::path::InvalidationPath;
use crate::plan::FREE_PATHS_PER_MONTH;

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
            deleted => format!(", and deleted {}", counted(deleted, "other")),
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
    right(&mut table, &[1]);
    say("");
    say(table.trim_fmt());
    more(sent.len(), "path");
}

/// Prints the price and the effect of the function's paths, and those of other methods.
pub(super) fn methods(sent: &[InvalidationPath], urls: &Urls) {
    let everything: Vec<_> = InvalidationPath::parse("/*").into_iter().collect();
    let mut table = table(&["METHOD", "PATHS", "PRICE", "STALE URLS", "UNCHANGED EVICTED"]);
    for (name, paths) in [
        ("this function", sent),
        ("one path per object", &urls.one_path_per_object()),
        ("directories, if over 30", &urls.threshold()),
        ("\"/*\"", &everything),
    ] {
        let Effect { stale_urls, unchanged_evicted } = urls.effect(paths);
        let numbers = [stale_urls, unchanged_evicted].map(|it| it.to_string());
        let [stale_urls, unchanged_evicted] = &numbers;
        table.add_row([name, &paths.len().to_string(), &price(paths.len()), stale_urls, unchanged_evicted]);
    }
    right(&mut table, &[1, 2, 3, 4]);
    say("");
    say(table.trim_fmt());
    say(format_args!(
        "STALE URLS: URLs of changed objects that stay in the cache. UNCHANGED EVICTED:\n\
         unchanged objects that CloudFront must fetch from the bucket again. The first\n\
         {FREE_PATHS_PER_MONTH} paths of a month are free."
    ));
}

/// Prints what the way of the events to the function makes of the deploy. Without `one_by_one`, there were too many.
pub(super) fn deliveries(through_queue: &Delivered, one_by_one: Option<&Delivered>) {
    let mut table = table(&["EVENTS OF THE DEPLOY", "INVOCATIONS", "INVALIDATIONS", "PATHS", "PRICE"]);
    let rows = [("through the queue", Some(through_queue)), ("S3 invokes the function", one_by_one)];
    for (name, delivered) in rows.iter().filter_map(|(name, it)| Some((name, (*it)?))) {
        let paths = delivered.invalidations.iter().map(Vec::len).sum();
        let invalidations = delivered.invalidations.len();
        let numbers = [delivered.invocations, invalidations, paths].map(|it| it.to_string());
        let [invocations, invalidations, shown] = &numbers;
        table.add_row([name, invocations.as_str(), invalidations, shown, &price(paths)]);
    }
    right(&mut table, &[1, 2, 3, 4]);
    say("");
    say(table.trim_fmt());
}
