//! Every error that an input, an option, a variable or a tag can cause in a command or in the function. A message says
//! what is wrong, where it is, why, and what to write instead. The errors of the readers are in `tests/pure/error_table.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use s3_cloudfront_invalidator::local::events::{notification, record};
use s3_cloudfront_invalidator::local::{
    AcceptedInvalidation, FakeAws, FakeDistribution, FakeJob, InvocationOutcome, PutResult, State,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::plan::{NO_CREDENTIALS, fake_aws_environment, invalidator};
use crate::config::distribution_config::config;
use crate::harness::{Harness, state};

fn rows<T: for<'de> Deserialize<'de>>(table: &str) -> Vec<T> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(table);
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// Buckets whose tags are right, missing and wrong. `E9` does not exist, `E2` has an invalidation in progress, and `E3`
/// has a distribution config with a cache policy. `E4` is a multi-tenant distribution.
fn tagged_buckets(denied: &[String]) -> State {
    let many: Vec<_> = (0..90).map(|number| format!("E{number:07}")).collect();
    let mut state =
        state(&[("site", "E1"), ("untagged", ""), ("wrong-id", "E9"), ("bad-tag", "E1"), ("many", &many.join(" "))]);
    state.distributions.remove("E9");
    let in_progress = AcceptedInvalidation {
        id: "I0".into(),
        caller_reference: "1".into(),
        paths: vec!["/a".into()],
        ineffective: Vec::new(),
        created: Instant::now(),
    };
    let busy = FakeDistribution { invalidations: vec![in_progress], ..FakeDistribution::default() };
    state.distributions.insert("E2".into(), busy);
    let [mut with_policy, mut multi_tenant] = [config(""), config("")];
    with_policy["DefaultCacheBehavior"]["CachePolicyId"] = "11111111-2222-3333-4444-555555555555".into();
    multi_tenant["ConnectionMode"] = "tenant-only".into();
    for (id, config) in [("E3", with_policy), ("E4", multi_tenant)] {
        state.distributions.insert(id.into(), FakeDistribution { config: Some(config), ..FakeDistribution::default() });
    }
    let tags = &mut state.buckets.get_mut("bad-tag").unwrap().tags;
    tags.insert("invalidation:originPath".into(), "web".into());
    let mut foreign = state.buckets["site"].clone();
    let mut elsewhere = foreign.clone();
    foreign.owner = "999999999999".into();
    elsewhere.region = "us-east-1".into();
    state.buckets.extend([("foreign".into(), foreign), ("elsewhere".into(), elsewhere)]);
    state.denied.extend(denied.iter().cloned());
    state
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandRow {
    /// The command as it is typed into a shell.
    command: String,
    /// Standard input.
    #[serde(default)]
    input: String,
    /// The files in the current directory, which is also the home directory.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Further environment variables; those with the value null are removed.
    #[serde(default)]
    environment: BTreeMap<String, Option<String>>,
    /// If there are credentials, the operations that they lack the permission for.
    denied: Option<Vec<String>>,
    /// A part of the output. Without it, there must be none.
    output: Option<String>,
    status: i32,
    /// The whole error output, with `~` for the home directory.
    message: String,
}

impl CommandRow {
    /// Runs the command in `directory`, and returns its exit status, output and error output.
    async fn run(&self, directory: &Path) -> (i32, String, String) {
        for (name, content) in &self.files {
            let file = directory.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let mut command = Command::new("bash");
        command.args(["-c", &self.command]).current_dir(directory).env_clear();
        let program = Path::new(env!("CARGO_BIN_EXE_invalidator")).parent().unwrap();
        command.env("PATH", format!("{}:/usr/bin:/bin", program.display())).env("HOME", directory).envs(NO_CREDENTIALS);
        let mut aws = None;
        if let Some(denied) = &self.denied {
            let aws = aws.insert(FakeAws::start(tagged_buckets(denied)).await.unwrap());
            command.envs(fake_aws_environment(&aws.url()));
        }
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The command may have rejected its arguments and exited.
        let _ = child.stdin.take().unwrap().write_all(self.input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let errors = text(output.stderr).replace(directory.to_str().unwrap(), "~");
        (output.status.code().unwrap(), text(output.stdout), errors)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_error_of_a_command_is_the_tables() {
    let mut wrong = Vec::new();
    for (number, row) in rows::<CommandRow>("command-errors.json").into_iter().enumerate() {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("errors-{}", fastrand::u64(..)));
        fs::create_dir_all(&directory).unwrap();
        let (status, output, errors) = row.run(&directory).await;
        fs::remove_dir_all(directory).unwrap();
        let is_output = row.output.as_ref().map_or(output.is_empty(), |part| output.contains(part));
        if (status, &errors) != (row.status, &row.message) || !is_output {
            wrong.push(
                json!({ "row": number, "command": row.command, "status": status, "output": output, "message": errors }),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", serde_json::to_string_pretty(&wrong).unwrap());
}

#[test]
fn an_event_of_many_buckets_has_a_short_error() {
    let records: Vec<_> = (0..5000).map(|it| record("ObjectCreated:Put", &format!("bucket-{it}"), "a")).collect();
    for bucket in [&[][..], &["--bucket", "other"]] {
        let arguments = [&["plan", "--event", "-"], bucket].concat();
        let (success, printed, errors) = invalidator(&arguments, &[], notification(&records).as_bytes());
        assert!(!success && printed.is_empty(), "{printed}{errors}");
        assert!(errors.contains("and 4990 more") && errors.len() < 400, "{errors}");
    }
}

#[test]
fn all_unreadable_records_are_counted() {
    let records: Vec<_> =
        (0..300).map(|_| json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put" })).collect();
    let event = json!({ "Records": records }).to_string();
    for command in ["plan", "invalidate"] {
        let (success, _, errors) = invalidator(&[command, "--event", "-"], &NO_CREDENTIALS, event.as_bytes());
        assert!(!success && errors.contains("cannot read 300 records of the event: Records[0]"), "{errors}");
        assert!(errors.contains("and 290 more") && errors.lines().count() == 1, "{errors}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionRow {
    /// The environment variables.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// The operations that the function's role lacks the permission for.
    #[serde(default)]
    denied: Vec<String>,
    event: Value,
    /// Where the message is: the error type, `report`, or the failure type of a job.
    answer: String,
    message: String,
}

const JOB: &str = "11111111-abcd-1111-abcd-111111abcdef";

impl FunctionRow {
    /// Where the message is, and the message.
    async fn run(&self) -> (String, String) {
        let mut state = tagged_buckets(&self.denied);
        state.jobs.insert(JOB.into(), FakeJob::default());
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let harness = Harness::start(state, &variables).await;
        let report: Value = match harness.invoke("r1", self.event.to_string()).await {
            InvocationOutcome::Error { error_type, message } => return (error_type, message),
            InvocationOutcome::Response(body) => serde_json::from_slice(&body).unwrap(),
            InvocationOutcome::TimedOut => panic!("timed out"),
        };
        match harness.aws.with(|state| state.jobs[JOB].results.last().cloned()) {
            Some(PutResult::Failure { failure_type, message, .. }) => (failure_type, message),
            _ => ("report".into(), report["failures"][0]["message"].as_str().unwrap_or_default().to_owned()),
        }
    }
}

#[tokio::test]
async fn every_error_of_the_function_is_the_tables() {
    let mut wrong = Vec::new();
    for row in rows::<FunctionRow>("function-errors.json") {
        let (answer, message) = row.run().await;
        if (&answer, &message) != (&row.answer, &row.message) {
            wrong.push(json!({ "event": row.event, "answer": answer, "message": message }));
        }
    }
    assert!(wrong.is_empty(), "{}", serde_json::to_string_pretty(&wrong).unwrap());
}
