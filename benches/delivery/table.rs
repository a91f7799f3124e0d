//! The table of the measurements, and the bounds that they must keep.

use s3_cloudfront_invalidator::plan::PATHS_PER_DOLLAR;

/// The figures of one deploy.
pub(super) struct Row {
    pub(super) label: String,
    /// Whether it was measured in real time; otherwise it was computed.
    pub(super) is_measured: bool,
    /// The polls that invalidated anything.
    pub(super) plans: usize,
    /// The `CreateInvalidation` calls, refused ones included.
    pub(super) requests: usize,
    /// Those that CloudFront accepted.
    pub(super) accepted: usize,
    /// The paths of these, which are billed.
    pub(super) paths: usize,
    /// The wildcards among them.
    pub(super) wildcards: Option<usize>,
    /// The changed objects that an invalidation accepted after their upload matches.
    pub(super) invalidated: usize,
    /// The changes that the function handed to its queue.
    pub(super) queued: usize,
    /// The changed objects that no such invalidation matches.
    pub(super) never: usize,
    /// The evictions of unchanged objects.
    pub(super) evicted: Option<usize>,
    /// The time from the last upload until the last changed object was invalidated.
    pub(super) seconds: f64,
    /// The sum of the durations of all invocations.
    pub(super) function_seconds: f64,
    /// The largest peak memory of a process, in MB.
    pub(super) memory: Option<f64>,
}

/// What a deploy must keep, besides that every object is invalidated and that nothing is in a dead-letter queue.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) plans: usize,
    pub(super) paths: usize,
    pub(super) seconds: f64,
}

/// Lambda's smallest memory, in MB, in which every invocation must fit.
pub(super) const SMALLEST_MEMORY: f64 = 128.0;

pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| deploy | | plans | requests | accepted | paths | wildcards | price | invalidated | queued | never \
         | unchanged evicted | seconds | function seconds | memory, MB |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        text += &row.markdown();
    }
    text
}

impl Row {
    fn markdown(&self) -> String {
        let how = if self.is_measured { "measured" } else { "computed" };
        let or_unknown = |figure: Option<usize>| figure.map_or_else(|| "–".to_owned(), |it| it.to_string());
        let cells = [
            self.label.clone(),
            how.to_owned(),
            self.plans.to_string(),
            self.requests.to_string(),
            self.accepted.to_string(),
            self.paths.to_string(),
            or_unknown(self.wildcards),
            format!("${:.3}", self.paths as f64 / PATHS_PER_DOLLAR),
            self.invalidated.to_string(),
            self.queued.to_string(),
            self.never.to_string(),
            or_unknown(self.evicted),
            format!("{:.1}", self.seconds),
            format!("{:.1}", self.function_seconds),
            self.memory.map_or_else(|| "–".to_owned(), |it| format!("{it:.1}")),
        ];
        format!("| {} |\n", cells.join(" | "))
    }

    /// What misses the bounds.
    pub(super) fn misses(&self, bounds: &Bounds, dead: usize) -> Vec<String> {
        let Bounds { plans, paths, seconds } = *bounds;
        let memory = self.memory.unwrap_or_default();
        let checks = [
            (self.never == 0, format!("{} changes were never invalidated", self.never)),
            (dead == 0, format!("{dead} events or messages are in a dead-letter queue")),
            (self.plans <= plans, format!("{} plans instead of at most {plans}", self.plans)),
            (self.paths <= paths, format!("{} paths instead of at most {paths}", self.paths)),
            (self.seconds < seconds, format!("{:.1} s instead of less than {seconds} s", self.seconds)),
            (memory < SMALLEST_MEMORY, format!("{memory:.1} MB of memory instead of less than {SMALLEST_MEMORY} MB")),
        ];
        let missed = checks.into_iter().filter(|(is_kept, _)| !is_kept);
        missed.map(|(_, miss)| format!("{}: {miss}", self.label)).collect()
    }
}
