//! The tables that `invalidate` prints.

use super::terminal::{MAX_ROWS, more, right, say, table};
use crate::change::text::counted;
use crate::local::bill::Bill;
use crate::path::IGNORE_TAG;
use crate::plan::SkipReason;
use crate::report::Report;
use crate::send::SentStatus;

/// Prints the function's report: its invalidations, then the skipped changes with the reasons.
pub(super) fn show(report: &Report) {
    if !report.invalidations.is_empty() {
        let mut rows = table(&["DISTRIBUTION", "INVALIDATION", "CHANGES", "PATHS", "WILDCARDS", "PRICE"]);
        for sent in report.invalidations.iter().take(MAX_ROWS) {
            let id = match (&sent.invalidation_id, sent.status) {
                (Some(id), _) => id.as_str().to_owned(),
                (None, SentStatus::DryRun) => "dry run".to_owned(),
                (None, _) => "already exists".to_owned(),
            };
            rows.add_row([
                sent.distribution_id.to_string(),
                id,
                sent.changes.to_string(),
                sent.path_count.to_string(),
                sent.wildcard_count.to_string(),
                Bill::of([if sent.status == SentStatus::AlreadyExists { 0 } else { sent.path_count }]).price(),
            ]);
        }
        right(&mut rows, &[2, 3, 4, 5]);
        say(rows.trim_fmt());
        more(report.invalidations.len() + report.invalidations_omitted, "invalidation");
    }
    for skipped in &report.skipped {
        if skipped.reason != SkipReason::DryRun {
            say(format_args!("{} skipped: {}", counted(skipped.changes, "change"), reason(&skipped.reason)));
        }
    }
    if report.invalidations.is_empty() && report.skipped.is_empty() {
        say("Nothing to invalidate.");
    }
}

fn reason(reason: &SkipReason) -> String {
    match reason {
        SkipReason::BucketNotTagged { bucket } => format!("bucket \"{bucket}\" has no tag that names a distribution"),
        SkipReason::OutsideOriginPath { bucket } => {
            format!("outside the origin path of bucket \"{bucket}\"")
        }
        SkipReason::OtherOrigin { bucket } => {
            format!("CloudFront sends requests for the object to origins other than bucket \"{bucket}\"")
        }
        SkipReason::IgnoredSuffix { bucket, suffix } => {
            format!("the tag \"{IGNORE_TAG}\" of bucket \"{bucket}\" names the suffix \"{suffix}\"")
        }
        SkipReason::NotAContentChange { event_name } => format!("{event_name} does not change the content of objects"),
        SkipReason::TestEvent => "test event".to_owned(),
        SkipReason::DryRun => "--dry-run".to_owned(),
    }
}
