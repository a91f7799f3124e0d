//! Waits until invalidations are complete.

use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::terminal::note;
use crate::aws::{CloudFront, Progress};
use crate::change::text::counted;
use crate::report::Report;

/// The interval at which the status of invalidations is polled. Most are complete within 25 s (CloudFront, April 2026).
const PAUSE: Duration = Duration::from_secs(3);

/// Waits for all invalidations that the report lists, with a progress bar if there is a terminal. Transient errors are
/// retried until the deadline. The printed duration counts from `started`, when the command began to send them.
///
/// # Errors
/// If an invalidation is not complete at the deadline, or if its status cannot be read.
pub(super) async fn for_all(
    cloudfront: &CloudFront,
    report: &mut Report,
    started: Instant,
    deadline: Instant,
) -> anyhow::Result<()> {
    let omitted = report.invalidations_omitted;
    let mut open: Vec<_> = report.invalidations.iter_mut().filter(|it| it.invalidation_id.is_some()).collect();
    if open.is_empty() {
        return Ok(());
    }
    let count = open.len();
    let style = ProgressStyle::with_template("  {bar:40} completed invalidations: {pos} of {len}, {elapsed}")?;
    let bar = ProgressBar::new(count as u64).with_style(style);
    bar.tick();
    loop {
        let mut still_open = Vec::new();
        for sent in open {
            let Some(id) = &sent.invalidation_id else { continue };
            match cloudfront.progress(&sent.distribution_id, id).await {
                Ok(Progress::Completed) => {
                    sent.invalidation_status = Some(Progress::Completed);
                    bar.inc(1);
                }
                Err(error) if !error.class.is_transient() => {
                    bar.finish_and_clear();
                    bail!(
                        "cannot read the status of invalidation {} of {}, which CloudFront accepted: {error}",
                        id.as_str(),
                        sent.distribution_id
                    );
                }
                Ok(Progress::InProgress) | Err(_) => {
                    sent.invalidation_status = Some(Progress::InProgress);
                    still_open.push(sent);
                }
            }
        }
        open = still_open;
        if open.is_empty() {
            bar.finish_and_clear();
            if omitted > 0 {
                bail!(
                    "{} completed; the report does not list {omitted} more, whose status is unknown",
                    counted(count, "invalidation")
                );
            }
            let what = if count == 1 { "Invalidation".to_owned() } else { counted(count, "invalidation") };
            note(format_args!("{what} completed after {} s", started.elapsed().as_secs()));
            return Ok(());
        }
        if Instant::now() + PAUSE > deadline {
            bar.finish_and_clear();
            bail!(
                "{} of {} did not complete within the timeout; CloudFront continues to process the rest; increase \
                 --timeout to wait longer",
                open.len(),
                counted(count, "invalidation"),
            );
        }
        bar.tick();
        sleep(PAUSE).await;
    }
}
