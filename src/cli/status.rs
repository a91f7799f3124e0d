//! `invalidator status`: checks buckets, their distributions, and the function with its queues.

use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

use anyhow::bail;
use clap::Args;
use comfy_table::{Cell, Table};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::aws_args::{AwsArgs, DeploymentArgs};
use super::failure::Reported;
use super::link::{
    BucketStatus, CachedApi, Check, Deployment, DeploymentStatus, OperatorApi, Problem, check_bucket, check_deployment,
};
use super::terminal::{bad, good, keep_on_one_line, print_with_names, right, say, say_json, shorten_to, table, warn};
use crate::change::text::{counted, excerpt, one_line};
use crate::change::{BucketName, Timestamp};
use crate::report::logging::timestamp;

/// The most buckets that are checked concurrently.
const MAX_CONCURRENT_CHECKS: usize = 8;

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
    /// Check all buckets of the Region that have the function's tag, and buckets whose tags cannot be read
    #[arg(long, conflicts_with = "buckets")]
    all: bool,
    /// Accept distributions without an origin that points to the bucket, or with origins that cannot be read
    #[arg(long)]
    skip_origin_check: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

impl StatusArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (clients, deployment) = self.deployment.find(&self.aws, self.buckets.first()).await?;
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
            say_json(&status)?;
        } else {
            if !buckets.is_empty() {
                print_with_names(|most| bucket_table(&buckets, most));
                say("");
            }
            print_with_names(|most| queue_table(&function, most));
            for last_poll in function.queues.iter().filter_map(|it| it.last_poll.as_ref()) {
                let mark = if last_poll.is_ok() { "" } else { "! " };
                say(format_args!("\n{mark}Polled last: {}", one_line(&last_poll.state)));
            }
            let mark = if function.invocations.is_ok() { "" } else { "! " };
            say(format_args!("\n{mark}Invocations: {}", one_line(&function.invocations.state)));
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
            warn(warning);
        }
        if !problems.is_empty() {
            bail!(Reported(format!("{} found", counted(problems.len(), "problem"))));
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
        "the function has version {}, and this command line has version {own}; use the same version of both",
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

/// The table of the buckets, with at most this many characters of a name.
fn bucket_table(buckets: &[BucketStatus], most: usize) -> Table {
    let mut rows =
        table(&["BUCKET", "TAG", "DISTRIBUTION", "ORIGIN\nPATH", "EVENTS\nVIA", "POLICY", "LAST\nINVALIDATION"]);
    for it in buckets {
        // The columns have no space for these two checks, so another cell of the same object shows their problems.
        let name = unless_wrong(&it.dry_run, &shorten_to(most, &it.name));
        let [tag, events_via, policy] = [&it.tag, &it.events_via, &it.policy].map(marked);
        if it.distributions.is_empty() {
            rows.add_row([name, tag, Cell::new(""), Cell::new(""), events_via, policy]);
            continue;
        }
        let mut shared = [Some([name, tag]), Some([events_via, policy])];
        for each in &it.distributions {
            let served = if each.origin_path.is_ok() { &each.urls } else { &each.origin_path };
            let last = match &each.last_invalidation {
                Some(last) => ago(last.created_at),
                None if each.is_listed => "never".to_owned(),
                None => "unknown".to_owned(),
            };
            let [before, after] =
                shared.each_mut().map(|cells| cells.take().unwrap_or_else(|| ["", ""].map(Cell::new)));
            let id = unless_wrong(&each.exists, &each.id);
            let origin_path = unless_wrong(served, &each.origin_path.state);
            rows.add_row(before.into_iter().chain([id, origin_path]).chain(after).chain([Cell::new(last)]));
        }
    }
    // Names and IDs are not broken.
    keep_on_one_line(&mut rows, &[0, 2, 6]);
    rows
}

/// The table of the queues, with at most this many characters of a name.
fn queue_table(function: &DeploymentStatus, most: usize) -> Table {
    let mut rows = table(&["QUEUE", "STATE", "AVAILABLE", "IN FLIGHT"]);
    for it in function.queues.iter().chain(&function.dead_letter_queues) {
        let numbers = [it.available, it.in_flight].map(Cell::new);
        let name = Cell::new(shorten_to(most, &it.name));
        rows.add_row([name, marked(&it.state)].into_iter().chain(numbers));
    }
    keep_on_one_line(&mut rows, &[0]);
    right(&mut rows, &[2, 3]);
    rows
}

/// A cell with the state of a check.
fn marked(check: &Check) -> Cell {
    if check.is_ok() { good(&check.state) } else { bad(&check.state) }
}

/// A cell with this text, which is marked if the check has a problem.
fn unless_wrong(check: &Check, text: &str) -> Cell {
    if check.is_ok() { Cell::new(text) } else { bad(text) }
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
    use crate::cli::terminal::{fitted, rendered};

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
            invocations: ok("no failures"),
            queues: vec![queue("cloudfront-invalidator-Queue-6BB05B5F75285", ok("enabled"))],
            dead_letter_queues: vec![queue(
                "cloudfront-invalidator-DeadLetterQueue-42E4C03ED2987",
                problem("not empty", "dead-letter-queue-not-empty"),
            )],
            own_problems: Vec::new(),
        };
        let shown = |width| {
            let tables = [
                fitted(width, |most| bucket_table(&buckets, most)),
                fitted(width, |most| queue_table(&function, most)),
            ];
            tables.map(|it| rendered(it, width)).join("\n")
        };
        let in_a_file = shown(None);
        assert!(
            in_a_file.contains("\ncloudfront-invalidator-DeadLetterQueue-42E4C03ED2987  ! not empty"),
            "{in_a_file}"
        );
        let shown = shown(Some(80));
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
        let shown_forwarded = rendered(bucket_table(&[forwarded], usize::MAX), Some(80));
        assert!(
            shown_forwarded.contains("by-eventbridge") && shown_forwarded.contains("EventBridge"),
            "{shown_forwarded}"
        );
        assert!(has(&["…nt-invalidator-DeadLetterQueue-42E4C03ED2987", "! not empty", "12345", "0"]), "{shown}");
    }

    #[test]
    fn each_problem_is_marked_in_the_table() {
        let ids = [("E2EXAMPLE1ABCD", Some(5))];
        let shown =
            |bucket| rendered(bucket_table(&[bucket], usize::MAX), None).lines().last().unwrap_or_default().to_owned();
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
        assert!(warning.starts_with("the function has version 9.8.7\\n, and this"), "{warning}");
    }

    #[test]
    fn problems_name_where_they_are() {
        let buckets = [bucket("my-site", problem("none", "tag-missing"), &[])];
        let function = DeploymentStatus {
            arn: String::new(),
            version: None,
            invocations: ok("no failures"),
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
