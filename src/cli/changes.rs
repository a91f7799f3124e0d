//! Reads what to invalidate: an event, a list of keys, the output of `aws s3 sync`, or explicit paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::key_lists::{self, KeyList};
use crate::change::text::counted;
use crate::change::{Batch, Bucket, BucketName, Change, ObjectKey};
use crate::event::{self, Event, Request, RequestKind, RequestTarget};
use crate::path::{Item, named_items};
use crate::report::MAX_FAILURES_IN_MESSAGE;
use crate::send::MAX_LISTED_BUCKETS;

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct ChangesArgs {
    /// Event of any type that the function accepts; - reads standard input
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Keys of the changed objects, one per line, not encoded; - reads standard input
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Output of `aws s3 sync` (with or without --dryrun) or `aws s3 ls --recursive`; - reads standard input
    #[arg(long, value_name = "FILE")]
    sync: Option<PathBuf>,
    /// Invalidation paths, which may end with *, and cache tags (#TAG); the command URL-encodes them where CloudFront requires
    /// it
    #[arg(long, visible_alias = "items", value_name = "PATH", num_args = 1..)]
    paths: Option<Vec<String>>,
}

/// What `invalidate` sends.
pub(super) enum ToInvalidate {
    /// Changes of objects, and the records of the event that could not be read.
    Changes { changes: Vec<Change>, unreadable: UnreadableRecords },
    /// Explicit paths and `#tags`.
    Paths { target: RequestTarget, paths: Vec<Item> },
}

/// Changed keys, or explicit paths instead.
#[derive(Default)]
pub(super) struct ChangedKeys {
    pub(super) keys: Vec<ObjectKey>,
    /// Explicit paths and `#tags` instead of keys. They are checked and encoded, never collapsed.
    pub(super) paths: Option<Vec<Item>>,
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
            0 => bail!("cannot read {} of the event: {}", counted(*count, "record"), first.join("; ")),
            more => bail!("cannot read {count} records of the event: {}; and {more} more", first.join("; ")),
        }
    }
}

/// The error for a request to poll the function's queue.
const POLL_WITHOUT_CHANGES: &str =
    "the event polls the function's queue and contains no changes; specify the event notification of a message";

impl ChangesArgs {
    /// The input files; `-` is standard input.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.event, &self.keys, &self.sync].into_iter().flatten().map(PathBuf::as_path)
    }

    /// Reads the changed keys or explicit paths. Of an event, only the changes of `bucket` are returned, if it is
    /// given.
    pub(super) fn read(&self, bucket: Option<&str>) -> anyhow::Result<ChangedKeys> {
        if let Some(paths) = &self.paths {
            return Ok(ChangedKeys {
                paths: Some(named_items(paths.iter().map(String::as_str))?),
                ..ChangedKeys::default()
            });
        }
        let keys = match (&self.event, &self.keys, &self.sync) {
            (Some(file), _, _) => {
                return match decoded(file)? {
                    Event::Changes(batch) => of_one_bucket(batch, bucket).with_context(|| key_lists::name(file)),
                    Event::Request(request) => requested_keys(request, bucket),
                    Event::Job(job) => requested_keys(job.request?, bucket),
                    Event::Schedule => requested_keys(Request::default(), bucket),
                    Event::Poll(_) => bail!(POLL_WITHOUT_CHANGES),
                };
            }
            (_, Some(file), _) => key_lists::keys(&key_lists::read(file)?).with_context(|| key_lists::name(file))?,
            (_, _, Some(file)) => synced(&key_lists::read(file)?).with_context(|| key_lists::name(file))?,
            (None, None, None) => bail!("no input; specify --event, --keys, --sync or --paths"),
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
                Event::Schedule => from_request(Request::default().kind, bucket),
                Event::Poll(_) => bail!(POLL_WITHOUT_CHANGES),
            };
        }
        if let Some(file) = &self.sync {
            let text = key_lists::read(file)?;
            let synced_bucket = key_lists::synced_bucket(&text).with_context(|| key_lists::name(file))?;
            if let (Some(synced_bucket), Some(named)) = (&synced_bucket, bucket)
                && synced_bucket != named
            {
                bail!("{} is for bucket {synced_bucket}, not {named}; correct --bucket", key_lists::name(file));
            }
            // Parsed here and not by `read`: standard input can be read only once.
            let keys = synced(&text).with_context(|| key_lists::name(file))?;
            return of_bucket(keys, synced_bucket.as_ref().or(bucket));
        }
        let ChangedKeys { keys, paths, .. } = self.read(None)?;
        match paths {
            Some(paths) => Ok(ToInvalidate::Paths { target: RequestTarget::Default, paths }),
            None => of_bucket(keys, bucket),
        }
    }
}

fn of_bucket(keys: Vec<ObjectKey>, bucket: Option<&BucketName>) -> anyhow::Result<ToInvalidate> {
    let Some(name) = bucket else {
        if keys.is_empty() {
            return Ok(ToInvalidate::Changes { changes: Vec::new(), unreadable: UnreadableRecords::default() });
        }
        bail!("the input does not name the bucket of the keys; specify --bucket");
    };
    let bucket = Bucket { name: name.clone(), region: None };
    let changes = keys.into_iter().map(|key| Change { bucket: bucket.clone(), key }).collect();
    Ok(ToInvalidate::Changes { changes, unreadable: UnreadableRecords::default() })
}

fn from_request(kind: RequestKind, named: Option<&BucketName>) -> anyhow::Result<ToInvalidate> {
    match kind {
        RequestKind::Paths { target, paths } => Ok(ToInvalidate::Paths { target, paths }),
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
        KeyList::Keys(_) => bail!("not the output of `aws s3 sync` or `aws s3 ls --recursive`"),
    }
}

fn requested_keys(request: Request, named: Option<&str>) -> anyhow::Result<ChangedKeys> {
    match request.kind {
        RequestKind::Keys { bucket, keys } => {
            require_bucket(&bucket, named)?;
            Ok(ChangedKeys { keys, ..ChangedKeys::default() })
        }
        RequestKind::Paths { paths, .. } => Ok(ChangedKeys { paths: Some(paths), ..ChangedKeys::default() }),
    }
}

/// Rejects an event about a bucket other than the one that `--bucket` names.
fn require_bucket(bucket: &Bucket, named: Option<&str>) -> anyhow::Result<()> {
    match named {
        Some(named) if named != bucket.name.as_str() => {
            bail!("the event is for bucket {}, not {named}; correct --bucket", bucket.name)
        }
        _ => Ok(()),
    }
}

/// Rejects a batch with changes of other buckets only, since a misspelled `--bucket` would silently skip all of them.
fn require_bucket_in_batch(batch: &Batch, named: &str) -> anyhow::Result<()> {
    let all = buckets(batch);
    if !all.is_empty() && !all.contains(named) {
        bail!("the event is for {}, not {named}; correct --bucket", listed_names(&all));
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
                "the job has a continuation token, so an earlier invocation created its invalidation; nothing is left \
                 to do"
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
            bail!("the event is for several buckets ({}); select one with --bucket", listed_names(&names));
        }
        None => {}
    }
    let unreadable = UnreadableRecords::of(&batch);
    let selected = batch.changes.into_iter().filter(|it| bucket.is_none_or(|name| it.bucket.name.as_str() == name));
    Ok(ChangedKeys { keys: selected.map(|change| change.key).collect(), paths: None, unreadable })
}
