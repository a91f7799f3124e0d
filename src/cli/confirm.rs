//! Shows the changes of a bucket, as a table or as JSON, and asks for confirmation before they are made.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::bail;
use clap::Args;
use comfy_table::Cell;
use serde::Serialize;

use super::failure::{Failure, Reported, code};
use super::input::UsageError;
use super::link::ChangeSet;
use super::terminal::{difference, plain_table, print, say, say_json};
use crate::change::text::one_line;
use crate::change::{BucketName, DistributionId};

/// Whether to ask for confirmation, and how to print the changes.
#[derive(Debug, Args)]
pub(super) struct ConfirmArgs {
    /// Apply the changes without confirmation
    #[arg(long, short)]
    yes: bool,
    /// Show the changes without applying them
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print one JSON object instead of tables; with --yes or --dry-run
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Default, Serialize)]
pub(super) struct Outcomes {
    buckets: Vec<Outcome>,
    /// The distributions in which everything was invalidated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invalidated: Vec<DistributionId>,
    /// Why some of the buckets or distributions failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
}

/// The outcomes, with whether nothing failed.
#[derive(Serialize)]
struct Printed {
    ok: bool,
    #[serde(flatten)]
    outcomes: Outcomes,
}

impl Outcomes {
    /// The outcome of a command with one bucket.
    pub(super) fn of(outcome: Outcome) -> Self {
        Self { buckets: vec![outcome], ..Self::default() }
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        self.buckets.push(outcome);
    }

    pub(super) fn invalidated(&mut self, id: &DistributionId) {
        self.invalidated.push(id.clone());
    }

    /// Adds a failure, with what it concerns before its message.
    pub(super) fn fail(&mut self, what: &str, error: &anyhow::Error) {
        self.failures.push(Failure { code: code(error), message: one_line(&format!("{what}{error:#}")) });
    }
}

/// The changes of a bucket.
#[derive(Serialize)]
pub(super) struct Outcome {
    bucket: BucketName,
    /// Whether the changes were made. `false` after a dry run, and if there are none.
    #[serde(rename = "applied")]
    pub(super) is_applied: bool,
    changes: Vec<ChangedResource>,
}

impl Outcome {
    /// The outcome before the changes are made.
    pub(super) fn new(change_set: &ChangeSet) -> Self {
        let changes = change_set.steps.iter().map(|step| {
            let (resource, differences) = step.lines();
            ChangedResource { resource, differences }
        });
        Self { bucket: change_set.bucket.clone(), is_applied: false, changes: changes.collect() }
    }
}

/// The changes of one resource.
#[derive(Serialize)]
struct ChangedResource {
    resource: &'static str,
    /// One line each: `+` added, `-` removed, `~` changed.
    differences: Vec<String>,
}

impl ConfirmArgs {
    /// Checks that no question would stand in the way of JSON.
    pub(super) fn check(&self) -> Result<(), UsageError> {
        if self.json && !self.yes && !self.dry_run {
            return Err(UsageError("--json asks for no confirmation; specify --yes or --dry-run too".to_owned()));
        }
        Ok(())
    }

    /// Returns whether to apply the change set. Asks for confirmation unless `--yes` or `--dry-run` is given.
    ///
    /// # Errors
    /// If the answer is no, or if standard input is not a terminal or cannot be read.
    pub(super) fn is_confirmed(&self) -> anyhow::Result<bool> {
        if self.dry_run {
            self.say("Dry run: nothing was changed.");
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            bail!("cannot ask for confirmation, since standard input is not a terminal; specify --yes or --dry-run");
        }
        let mut stderr = io::stderr();
        // A failed write is ignored: only an explicit yes applies the change set.
        let _ = write!(stderr, "Apply these changes? [y/N] ").and_then(|()| stderr.flush());
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if !["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
            bail!("not confirmed; nothing was changed");
        }
        Ok(true)
    }

    /// Prints a line, unless the output is JSON.
    pub(super) fn say(&self, line: impl Display) {
        if !self.json {
            say(line);
        }
    }

    /// Prints the steps of a change set, unless the output is JSON.
    pub(super) fn show(&self, change_set: &ChangeSet) {
        if self.json {
            return;
        }
        for step in &change_set.steps {
            let (what, lines) = step.lines();
            say(format_args!("{what}:"));
            let mut rows = plain_table();
            for line in lines {
                // The first column indents the lines.
                rows.add_row([Cell::new(""), difference(line)]);
            }
            print(rows);
        }
    }

    /// Prints the outcomes as JSON, if that is asked for.
    ///
    /// # Errors
    /// The failures among them.
    pub(super) fn finish(&self, outcomes: Outcomes) -> anyhow::Result<()> {
        let messages: Vec<_> = outcomes.failures.iter().map(|it| it.message.clone()).collect();
        if self.json {
            say_json(&Printed { ok: messages.is_empty(), outcomes })?;
        }
        if messages.is_empty() { Ok(()) } else { bail!(Reported(messages.join("; "))) }
    }
}
