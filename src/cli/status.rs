//! `invalidator status`: checks buckets, their distributions, and the function with its queues.

use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

use anyhow::bail;
use clap::Args;
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::aws_args::{AwsArgs, DeploymentArgs};
use super::link::{
    BucketStatus, CachedApi, Check, Deployment, DeploymentStatus, OperatorApi, Problem, check_bucket, check_deployment,
};
use super::terminal::{keep_on_one_line, narrow, note, right, say, shorten_to, table};
use crate::change::text::{counted, excerpt, json_line, one_line};
use crate::change::{BucketName, Timestamp};
use crate::report::logging::timestamp;

/// The most buckets that are checked concurrently.
const MAX_CONCURRENT_CHECKS: usize = 8;

/// The most characters of a queue's name in the table.
const MAX_QUEUE_NAME: usize = 44;

/// What to check.
#[derive(Debug, Args)]
#[command(after_help = "\
The command marks each problem with ! and prints its remedy below the tables.
The exit status is 1 if there is a problem. Without BUCKET, the command checks
only the function and its queues.

Examples:
  invalidator status my-site
  invalidator status --all
  invalidator status --all --json | jq '.problems[].code'")]
pub(super) struct StatusArgs {
    /// Buckets to check
    #[arg(value_name = "BUCKET", value_parser = super::input::bucket)]
    buckets: Vec<BucketName>,
    /// Check all buckets of the Region that are tagged for the function, and buckets whose tags cannot be read
    #[arg(long, conflicts_with = "buckets")]
    all: bool,
    /// Accept distributions without an origin that points to the bucket, or with origins that cannot be read
    #[arg(long)]
    skip_origin_check: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

impl StatusArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (clients, deployment) = self.deployment.find(&self.aws).await?;
        let api = CachedApi::new(&clients);
        // Boxed, because the nested future types are large.
        let function = Box::pin(check_deployment(&api, &deployment, timestamp(SystemTime::now()))).await;
        let named = self.buckets.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let buckets = if self.all { tagged(&api, &deployment).await? } else { named };
        let skip_origin_check = self.skip_origin_check;
        let check = |name: BucketName| {
            let (api, deployment) = (&api, &deployment);
            async move { Box::pin(check_bucket(api, deployment, &name, skip_origin_check)).await }
        };
        let buckets: Vec<_> = stream::iter(buckets).map(check).buffered(MAX_CONCURRENT_CHECKS).collect().await;
        let problems = problems(&function, &buckets);
        if self.json {
            let status =
                Status { ok: problems.is_empty(), function: &function, buckets: &buckets, problems: &problems };
            say(json_line(&serde_json::to_string(&status)?));
        } else {
            if !buckets.is_empty() {
                say(format_args!("{}\n", bucket_table(&buckets)));
            }
            say(queue_table(&function));
            for last_poll in function.queues.iter().filter_map(|it| it.last_poll.as_ref()) {
                let text = format!("Polled last: {}", last_poll.state);
                say(format_args!("\n{}", one_line(&mark(last_poll, &text))));
            }
            let version = function.version.as_deref().unwrap_or("unknown");
            say(format_args!("\nVersion of the function: {}", excerpt(version)));
            for (bucket, note) in buckets.iter().flat_map(notes) {
                say(format_args!("\nNote: {}", one_line(&format!("{bucket}, {note}"))));
            }
            for problem in &problems {
                say(format_args!("\n! {}", one_line(&problem.to_string())));
            }
        }
        if let Some(warning) = version_warning(function.version.as_deref()) {
            note(warning);
        }
        if !problems.is_empty() {
            bail!("{} found", counted(problems.len(), "problem"));
        }
        Ok(())
    }
}

/// Returns the notes of a bucket's distributions, with its name.
fn notes(bucket: &BucketStatus) -> impl Iterator<Item = (&str, &str)> {
    bucket.distributions.iter().filter_map(|it| Some((bucket.name.as_str(), it.note.as_deref()?)))
}

/// Returns the Region's buckets that have the function's tag, and those whose tags cannot be read.
async fn tagged(api: &impl OperatorApi, deployment: &Deployment) -> anyhow::Result<Vec<BucketName>> {
    let names = api.buckets().await?;
    let check = |name: BucketName| async move {
        match api.tags(&name).await {
            Ok(tags) => tags.contains_key(deployment.tag()).then_some(name),
            // `check_bucket` reports the error.
            Err(_) => Some(name),
        }
    };
    Ok(stream::iter(names).map(check).buffered(MAX_CONCURRENT_CHECKS).filter_map(|it| async { it }).collect().await)
}

/// Returns a warning if the function has another version than this command line, so that one may not know what the other does.
fn version_warning(of_function: Option<&str>) -> Option<String> {
    let own = env!("CARGO_PKG_VERSION");
    let other = of_function.filter(|version| *version != own)?;
    Some(format!(
        "warning: the function has version {}, and this command line has version {own}; use the same version of both",
        excerpt(other)
    ))
}

/// What `--json` prints.
#[derive(Serialize)]
struct Status<'a> {
    ok: bool,
    function: &'a DeploymentStatus,
    buckets: &'a [BucketStatus],
    problems: &'a [LocatedProblem<'a>],
}

/// A problem, with the bucket or the queue that has it. A problem of the function has neither.
#[derive(Serialize)]
struct LocatedProblem<'a> {
    #[serde(flatten)]
    problem: &'a Problem,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    /// The column of the bucket's table.
    #[serde(skip)]
    column: &'static str,
}

impl fmt::Display for LocatedProblem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = &self.problem.message;
        match (self.bucket, self.queue) {
            (Some(bucket), _) => write!(f, "{bucket}, {}: {message}", self.column),
            (None, Some(queue)) => write!(f, "queue {queue}: {message}"),
            (None, None) => write!(f, "function: {message}"),
        }
    }
}

fn problems<'a>(function: &'a DeploymentStatus, buckets: &'a [BucketStatus]) -> Vec<LocatedProblem<'a>> {
    let of_bucket = |it: &'a BucketStatus| {
        let located = |(column, check): (_, &'a Check)| {
            let problem = check.problem.as_ref()?;
            Some(LocatedProblem { problem, bucket: Some(it.name.as_str()), queue: None, column })
        };
        it.checks().filter_map(located)
    };
    let of_function = |(queue, problem)| LocatedProblem { problem, bucket: None, queue, column: "" };
    buckets.iter().flat_map(of_bucket).chain(function.problems().map(of_function)).collect()
}

fn bucket_table(buckets: &[BucketStatus]) -> String {
    let mut rows =
        table(&["BUCKET", "TAG", "DISTRIBUTION", "ORIGIN\nPATH", "EVENTS\nVIA", "POLICY", "LAST\nINVALIDATION"]);
    narrow(&mut rows);
    // Distribution IDs and times are short. The names of buckets are not.
    keep_on_one_line(&mut rows, &[2, 6]);
    for it in buckets {
        // The columns have no space for these two checks, so another cell of the same object shows their problems.
        let name = mark(&it.dry_run, &it.name);
        let shared = [&it.tag, &it.events_via, &it.policy].map(marked);
        let [tag, events_via, policy] = &shared;
        if it.distributions.is_empty() {
            rows.add_row([name.as_str(), tag, "", "", events_via, policy, ""]);
        }
        for (number, each) in it.distributions.iter().enumerate() {
            let served = if each.origin_path.is_ok() { &each.urls } else { &each.origin_path };
            let (id, origin_path) = (mark(&each.exists, &each.id), mark(served, &each.origin_path.state));
            let last = match &each.last_invalidation {
                Some(last) => ago(last.created_at),
                None if each.is_listed => "never".to_owned(),
                None => "unknown".to_owned(),
            };
            if number == 0 {
                rows.add_row([&name, tag, &id, &origin_path, events_via, policy, &last].map(String::as_str));
            } else {
                rows.add_row(["", "", &id, &origin_path, "", "", &last]);
            }
        }
    }
    rows.trim_fmt()
}

fn queue_table(function: &DeploymentStatus) -> String {
    let mut rows = table(&["QUEUE", "STATE", "AVAILABLE", "IN FLIGHT"]);
    narrow(&mut rows);
    for it in function.queues.iter().chain(&function.dead_letter_queues) {
        rows.add_row([
            shorten_to(MAX_QUEUE_NAME, &it.name),
            marked(&it.state),
            it.available.to_string(),
            it.in_flight.to_string(),
        ]);
    }
    right(&mut rows, &[2, 3]);
    rows.trim_fmt()
}

fn marked(check: &Check) -> String {
    mark(check, &check.state)
}

/// Returns the text, after `!` if the check has a problem.
fn mark(check: &Check, text: &str) -> String {
    if check.is_ok() { text.to_owned() } else { format!("! {text}") }
}

/// The time since `created_at`, such as `5 min ago`.
fn ago(created_at: Timestamp) -> String {
    let now = timestamp(SystemTime::now());
    match now.map_or(0, |now| now.since(created_at) / 1000) {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::link::{DistributionStatus, LastInvalidation, QueueStatus};

    fn ok(state: &str) -> Check {
        Check { state: state.to_owned(), problem: None }
    }

    fn problem(state: &str, code: &'static str) -> Check {
        Check { state: state.to_owned(), problem: Some(Problem { code, message: "a remedy".to_owned() }) }
    }

    fn bucket(name: &str, tag: Check, distributions: &[(&str, Option<u64>)]) -> BucketStatus {
        let now = timestamp(SystemTime::now()).unwrap();
        let created_at = |seconds: u64| Timestamp::new(now.milliseconds() - seconds * 1000).unwrap();
        let distribution = |&(id, seconds): &(&str, Option<u64>)| DistributionStatus {
            id: id.to_owned(),
            exists: ok("yes"),
            origin_path: ok("/"),
            urls: ok("/:key"),
            note: None,
            is_listed: true,
            last_invalidation: seconds
                .map(|seconds| LastInvalidation { created_at: created_at(seconds), status: "Completed".to_owned() }),
        };
        let distributions = distributions.iter().map(distribution).collect();
        let name = name.to_owned();
        BucketStatus { name, tag, events_via: ok("queue"), policy: ok("ok"), dry_run: ok("ok"), distributions }
    }

    fn queue(name: &str, state: Check) -> QueueStatus {
        QueueStatus {
            name: name.to_owned(),
            arn: String::new(),
            state,
            last_poll: None,
            available: 12_345,
            in_flight: 0,
        }
    }

    #[test]
    fn tables_fit_into_80_columns() {
        let buckets = [
            bucket("my-site", ok("ok"), &[("E2EXAMPLE1ABCD", Some(5)), ("E2EXAMPLE2ABCD", None)]),
            bucket("a-bucket-with-a-very-long-name", problem("other Region", "other-region"), &[]),
        ];
        let function = DeploymentStatus {
            arn: "arn:aws:lambda:eu-central-1:123456789012:function:f".to_owned(),
            version: None,
            queues: vec![queue("cloudfront-invalidator-Queue-6BB05B5F75285", ok("enabled"))],
            dead_letter_queues: vec![queue(
                "cloudfront-invalidator-DeadLetterQueue-42E4C03ED2987",
                problem("not empty", "dead-letter-queue-not-empty"),
            )],
            own_problems: Vec::new(),
        };
        let shown = format!("{}\n{}", bucket_table(&buckets), queue_table(&function));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let has = |cells: &[&str]| {
            shown
                .lines()
                .any(|line| line.split("  ").map(str::trim).filter(|it| !it.is_empty()).eq(cells.iter().copied()))
        };
        assert!(has(&["BUCKET", "TAG", "DISTRIBUTION", "ORIGIN", "EVENTS", "POLICY", "LAST"]), "{shown}");
        assert!(has(&["PATH", "VIA", "INVALIDATION"]), "{shown}");
        assert!(has(&["QUEUE", "STATE", "AVAILABLE", "IN FLIGHT"]), "{shown}");
        assert!(has(&["my-site", "ok", "E2EXAMPLE1ABCD", "/", "queue", "ok", "5 s ago"]), "{shown}");
        assert!(has(&["E2EXAMPLE2ABCD", "/", "never"]), "{shown}");
        let forwarded = BucketStatus {
            events_via: ok("EventBridge"),
            ..bucket("by-eventbridge", ok("ok"), &[("E2EXAMPLE1ABCD", Some(5))])
        };
        let shown_forwarded = bucket_table(&[forwarded]);
        assert!(
            shown_forwarded.contains("by-eventbridge") && shown_forwarded.contains("EventBridge"),
            "{shown_forwarded}"
        );
        assert!(has(&["…t-invalidator-DeadLetterQueue-42E4C03ED2987", "! not empty", "12345", "0"]), "{shown}");
    }

    #[test]
    fn each_problem_is_marked_in_the_table() {
        let ids = [("E2EXAMPLE1ABCD", Some(5))];
        let shown = |bucket: BucketStatus| bucket_table(&[bucket]).lines().last().unwrap_or_default().to_owned();
        assert!(!shown(bucket("my-site", ok("ok"), &ids)).contains('!'));
        let failed = BucketStatus { dry_run: problem("failed", "dry-run-failed"), ..bucket("my-site", ok("ok"), &ids) };
        assert!(shown(failed).starts_with("! my-site"));
        let mut uncertain = bucket("my-site", ok("ok"), &ids);
        uncertain.distributions[0].urls = problem("uncertain", "urls-uncertain");
        assert!(shown(uncertain).contains("! /"));
    }

    #[test]
    fn times_are_shown_in_one_unit() {
        let now = timestamp(SystemTime::now()).unwrap().milliseconds();
        for (seconds, expected) in
            [(119, "119 s ago"), (120, "2 min ago"), (7199, "119 min ago"), (7200, "2 h ago"), (172_800, "2 days ago")]
        {
            assert_eq!(ago(Timestamp::new(now - seconds * 1000).unwrap()), expected);
        }
    }

    #[test]
    fn another_version_is_warned_of() {
        assert_eq!(version_warning(None), None, "not known");
        assert_eq!(version_warning(Some(env!("CARGO_PKG_VERSION"))), None);
        let warning = version_warning(Some("9.8.7\n")).unwrap();
        assert!(warning.starts_with("warning: the function has version 9.8.7\\n, and this"), "{warning}");
    }

    #[test]
    fn problems_name_where_they_are() {
        let buckets = [bucket("my-site", problem("none", "tag-missing"), &[])];
        let function = DeploymentStatus {
            arn: String::new(),
            version: None,
            queues: vec![queue("changes", problem("disabled", "event-source-disabled"))],
            dead_letter_queues: Vec::new(),
            own_problems: vec![Problem { code: "dry-run", message: "a remedy".to_owned() }],
        };
        let found = problems(&function, &buckets);
        let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["my-site, tag: a remedy", "queue changes: a remedy", "function: a remedy"]);
        assert_eq!(
            serde_json::to_string(&found).unwrap(),
            r#"[{"code":"tag-missing","message":"a remedy","bucket":"my-site"},{"code":"event-source-disabled","message":"a remedy","queue":"changes"},{"code":"dry-run","message":"a remedy"}]"#
        );
    }
}
