//! The tables that `invalidate` prints.

use super::terminal::{MAX_ROWS, keep_on_one_line, more, print, right, say, table, usd};
use crate::change::text::counted;
use crate::path::IGNORE_TAG;
use crate::plan::SkipReason;
use crate::report::Report;
use crate::send::SentStatus;

/// Prints the function's report: the paths of its invalidations, the invalidations, then the skipped changes with the reasons. `is_accepted` says whether
/// no change failed.
pub(super) fn show(report: &Report, is_accepted: bool) {
    for sent in &report.invalidations {
        let of_several = format!("PATH IN {}", sent.distribution_id);
        let mut rows = table(&[if report.invalidations.len() > 1 { of_several.as_str() } else { "PATH" }]);
        for item in sent.paths.iter().take(MAX_ROWS) {
            rows.add_row([item.to_string()]);
        }
        keep_on_one_line(&mut rows, &[0]);
        print(rows);
        more(sent.path_count, "path");
        say("");
    }
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
                usd(sent.cost_usd),
            ]);
        }
        keep_on_one_line(&mut rows, &[0, 1]);
        right(&mut rows, &[2, 3, 4, 5]);
        print(rows);
        more(report.invalidations.len() + report.invalidations_omitted, "invalidation");
    }
    if report.paths_left_out > 0 {
        say(format_args!("{} left out, because these cover them", counted(report.paths_left_out, "other path")));
    }
    for skipped in &report.skipped {
        if skipped.reason != SkipReason::DryRun {
            say(format_args!("{} skipped: {}", counted(skipped.changes, "change"), reason(&skipped.reason)));
        }
    }
    if is_accepted && report.invalidations.is_empty() && report.skipped.is_empty() {
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
        SkipReason::NotCached { bucket } => {
            format!("CloudFront does not cache the object's URLs (bucket \"{bucket}\")")
        }
        SkipReason::Ignored { bucket, rule } => {
            format!("the tag \"{IGNORE_TAG}\" of bucket \"{bucket}\" names \"{rule}\"")
        }
        SkipReason::NotAContentChange { event_name } => format!("{event_name} does not change the content of objects"),
        SkipReason::TestEvent => "test event".to_owned(),
        SkipReason::DryRun => "--dry-run".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Accepted;
    use crate::change::{DistributionId, InvalidationId};
    use crate::path::named_items;
    use crate::plan::{DeliveryId, plan_named};
    use crate::send::SentInvalidation;

    #[test]
    fn only_what_cloudfront_bills_has_a_price() {
        let distributions = [DistributionId::new("E1").unwrap()];
        let (items, _) = named_items(["/a", "/b"]).unwrap();
        let planned = plan_named(&distributions, &items, None, &DeliveryId::Invocation("1"));
        let [invalidation] = planned.as_slice() else { panic!("one distribution") };
        let price = |sent: &SentInvalidation| usd(sent.cost_usd);
        let sent = |accepted| SentInvalidation::new(invalidation, accepted);
        let created = || Some(Accepted::Created { id: InvalidationId::new("I1").unwrap() });
        assert_eq!(price(&sent(created())), "$0.010");
        assert_eq!(price(&sent(created()).cached()), "$0.000");
        assert_eq!(price(&sent(Some(Accepted::AlreadyExists))), "$0.000");
        assert_eq!(price(&sent(Some(Accepted::AlreadyExists)).cached()), "$0.000");
        assert_eq!(price(&sent(None)), "$0.010", "a dry run shows the price of sending it");
    }
}
