//! Reads what to invalidate: an event, a list of keys, the output of `aws s3 sync`, or paths that a person names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::key_lists::{self, KeyList};
use super::terminal::counted;
use crate::change::{Batch, Bucket, BucketName, Change, ObjectKey};
use crate::event::{self, Event, Request, RequestKind, RequestTarget};
use crate::path::{Item, named_items};
use crate::report::MAX_FAILURES_IN_MESSAGE;
use crate::send::MAX_LISTED_BUCKETS;

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct ChangesArgs {
    /// An event as the function gets it, of any shape it knows; - for standard input
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Changed keys, literally, one per line; - for standard input
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The output of `aws s3 sync`, with or without --dryrun, or of `aws s3 ls --recursive`; - for standard input
    #[arg(long, value_name = "FILE")]
    sync: Option<PathBuf>,
    /// Paths, wildcards and #tags, which go to CloudFront as they are
    #[arg(long, value_name = "ITEM", num_args = 1..)]
    items: Option<Vec<String>>,
}

/// What `send` invalidates.
pub(super) enum ToInvalidate {
    /// Changes of objects, and the records of the event that could not be read.
    Changes { changes: Vec<Change>, unreadable: UnreadableRecords },
    /// Paths and `#tags` that a person named.
    Items { of: RequestTarget, items: Vec<Item> },
}

/// Changed keys, or the items that a person named instead.
#[derive(Default)]
pub(super) struct ChangedKeys {
    pub(super) keys: Vec<ObjectKey>,
    /// Items that a person named instead of keys. They are checked and encoded, never collapsed.
    pub(super) items: Option<Vec<Item>>,
    /// The records of an event that could not be read.
    pub(super) unreadable: UnreadableRecords,
}

/// Records of an event that could not be read.
#[derive(Default)]
pub(super) struct UnreadableRecords {
    pub(super) count: usize,
    /// The errors of the first [`MAX_FAILURES_IN_MESSAGE`] of them.
    pub(super) first: Vec<String>,
}

impl UnreadableRecords {
    fn of(batch: &Batch) -> Self {
        Self {
            count: batch.failed.len() + batch.unlisted_failures,
            first: batch.failed.iter().take(MAX_FAILURES_IN_MESSAGE).map(ToString::to_string).collect(),
        }
    }

    /// Returns an error if there are any.
    pub(super) fn refuse(&self) -> anyhow::Result<()> {
        let Self { count, first } = self;
        match count.saturating_sub(first.len()) {
            _ if *count == 0 => Ok(()),
            0 => bail!("{} could not be read: {}", counted(*count, "record"), first.join("; ")),
            more => bail!("{count} records could not be read: {}; and {more} more", first.join("; ")),
        }
    }
}

impl ChangesArgs {
    /// The input files; `-` is standard input.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.event, &self.keys, &self.sync].into_iter().flatten().map(PathBuf::as_path)
    }

    /// Reads the changed keys or named items. If `bucket` is given, only its changes of an event count.
    pub(super) fn read(&self, bucket: Option<&str>) -> anyhow::Result<ChangedKeys> {
        if let Some(items) = &self.items {
            return Ok(ChangedKeys {
                items: Some(named_items(items.iter().map(String::as_str))?),
                ..ChangedKeys::default()
            });
        }
        let keys = match (&self.event, &self.keys, &self.sync) {
            (Some(file), _, _) => {
                return match decoded(file)? {
                    Event::Changes(batch) => of_one_bucket(batch, bucket).with_context(|| key_lists::name(file)),
                    Event::Request(request) => requested_keys(request, bucket),
                    Event::Job(job) => requested_keys(job.request?, bucket),
                };
            }
            (_, Some(file), _) => key_lists::keys(&key_lists::read(file)?).with_context(|| key_lists::name(file))?,
            (_, _, Some(file)) => synced(&key_lists::read(file)?).with_context(|| key_lists::name(file))?,
            (None, None, None) => bail!("name what changed: --event, --keys, --sync or --items"),
        };
        Ok(ChangedKeys { keys, ..ChangedKeys::default() })
    }

    /// Reads what to invalidate. `bucket` selects an event's changes, and is the bucket of keys whose input names none.
    pub(super) fn to_invalidate(&self, bucket: Option<&BucketName>) -> anyhow::Result<ToInvalidate> {
        if let Some(file) = &self.event {
            return match decoded(file)? {
                Event::Changes(batch) => {
                    if let Some(name) = bucket {
                        require_bucket_in_batch(&batch, name.as_str()).with_context(|| key_lists::name(file))?;
                    }
                    let unreadable = UnreadableRecords::of(&batch);
                    let is_selected = |change: &Change| bucket.is_none_or(|name| change.bucket.name == *name);
                    Ok(ToInvalidate::Changes {
                        changes: batch.changes.into_iter().filter(is_selected).collect(),
                        unreadable,
                    })
                }
                Event::Request(request) => from_request(request.kind, bucket),
                Event::Job(job) => from_request(job.request?.kind, bucket),
            };
        }
        if let Some(file) = &self.sync {
            let text = key_lists::read(file)?;
            let synced_bucket = key_lists::synced_bucket(&text).with_context(|| key_lists::name(file))?;
            if let (Some(synced_bucket), Some(named)) = (&synced_bucket, bucket)
                && synced_bucket != named
            {
                bail!("{} is about the bucket {synced_bucket}, not {named}; correct --bucket", key_lists::name(file));
            }
            // Parsed here and not by `read`: standard input can be read only once.
            let keys = synced(&text).with_context(|| key_lists::name(file))?;
            return of_bucket(keys, synced_bucket.as_ref().or(bucket));
        }
        let ChangedKeys { keys, items, .. } = self.read(None)?;
        match items {
            Some(items) => Ok(ToInvalidate::Items { of: RequestTarget::Default, items }),
            None => of_bucket(keys, bucket),
        }
    }
}

fn of_bucket(keys: Vec<ObjectKey>, bucket: Option<&BucketName>) -> anyhow::Result<ToInvalidate> {
    let Some(name) = bucket else {
        if keys.is_empty() {
            return Ok(ToInvalidate::Changes { changes: Vec::new(), unreadable: UnreadableRecords::default() });
        }
        bail!("no bucket is named: give --bucket, the one that holds the keys");
    };
    let bucket = Bucket { name: name.clone(), region: None };
    let changes = keys.into_iter().map(|key| Change { bucket: bucket.clone(), key }).collect();
    Ok(ToInvalidate::Changes { changes, unreadable: UnreadableRecords::default() })
}

fn from_request(kind: RequestKind, named: Option<&BucketName>) -> anyhow::Result<ToInvalidate> {
    match kind {
        RequestKind::Paths { target: of, paths: items } => Ok(ToInvalidate::Items { of, items }),
        RequestKind::Keys { bucket, keys } => {
            require_bucket(&bucket, named.map(BucketName::as_str))?;
            let changes = keys.into_iter().map(|key| Change { bucket: bucket.clone(), key }).collect();
            Ok(ToInvalidate::Changes { changes, unreadable: UnreadableRecords::default() })
        }
    }
}

/// Returns the keys in the output of `aws s3 sync` or `aws s3 ls --recursive`. Empty input has none.
fn synced(text: &str) -> anyhow::Result<Vec<ObjectKey>> {
    match KeyList::read(text)? {
        KeyList::Sync(keys) | KeyList::Listing(keys) => Ok(keys),
        KeyList::Keys(keys) if keys.is_empty() => Ok(keys),
        KeyList::Keys(_) => bail!("it is not the output of `aws s3 sync` or `aws s3 ls --recursive`"),
    }
}

fn requested_keys(request: Request, named: Option<&str>) -> anyhow::Result<ChangedKeys> {
    match request.kind {
        RequestKind::Keys { bucket, keys } => {
            require_bucket(&bucket, named)?;
            Ok(ChangedKeys { keys, ..ChangedKeys::default() })
        }
        RequestKind::Paths { paths: items, .. } => Ok(ChangedKeys { items: Some(items), ..ChangedKeys::default() }),
    }
}

/// Rejects an event about a bucket other than the one that `--bucket` names.
fn require_bucket(bucket: &Bucket, named: Option<&str>) -> anyhow::Result<()> {
    match named {
        Some(named) if named != bucket.name.as_str() => {
            bail!("the event is about the bucket {}, not {named}; correct --bucket", bucket.name)
        }
        _ => Ok(()),
    }
}

/// Rejects a batch with changes of other buckets only. A misspelled `--bucket` would silently leave out all of them.
fn require_bucket_in_batch(batch: &Batch, named: &str) -> anyhow::Result<()> {
    let all = buckets(batch);
    if !all.is_empty() && !all.contains(named) {
        bail!("the event is about {}, not {named}; correct --bucket", listed_names(&all));
    }
    Ok(())
}

/// The first [`MAX_LISTED_BUCKETS`] names, and the number of the others.
fn listed_names(names: &BTreeSet<&str>) -> String {
    let first: Vec<_> = names.iter().take(MAX_LISTED_BUCKETS).copied().collect();
    match names.len().saturating_sub(MAX_LISTED_BUCKETS) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn buckets(batch: &Batch) -> BTreeSet<&str> {
    batch.changes.iter().map(|change| change.bucket.name.as_str()).collect()
}

/// Reads and decodes an event. A job with a continuation token is an error: its invalidation was created before.
fn decoded(file: &Path) -> anyhow::Result<Event> {
    let event = key_lists::read(file)?;
    match event::decode(event.as_bytes()).with_context(|| key_lists::name(file))? {
        Event::Job(job) if job.continuation_token.is_some() => {
            bail!(
                "the job has a continuation token: its invalidation was created before; there is nothing left to send"
            )
        }
        event => Ok(event),
    }
}

/// Returns the changed keys of one bucket. A plan is for one bucket, since each has distributions of its own.
fn of_one_bucket(batch: Batch, bucket: Option<&str>) -> anyhow::Result<ChangedKeys> {
    let names = buckets(&batch);
    match bucket {
        Some(bucket) => require_bucket_in_batch(&batch, bucket)?,
        None if names.len() > 1 => {
            bail!("the event is about several buckets ({}); name one with --bucket", listed_names(&names));
        }
        None => {}
    }
    let unreadable = UnreadableRecords::of(&batch);
    let selected = batch.changes.into_iter().filter(|it| bucket.is_none_or(|name| it.bucket.name.as_str() == name));
    Ok(ChangedKeys { keys: selected.map(|change| change.key).collect(), items: None, unreadable })
}
