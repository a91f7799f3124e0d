//! What changed, from an event or a list.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::lists::{self, List};
use crate::change::{Bucket, BucketName, Change, ObjectKey};
use crate::event::{self, Ask, Batch, Request, Target, Trigger};
use crate::path::{Item, named_items};

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Changes {
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

/// What is to be sent.
pub(super) enum Sent {
    /// Changes of objects, and what could not be read of an event.
    Changes { changes: Vec<Change>, unreadable: Vec<String> },
    /// What somebody named.
    Items { of: Target, items: Vec<Item> },
}

/// What changed.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) keys: Vec<ObjectKey>,
    /// What somebody named instead, which is sent as it is.
    pub(super) items: Option<Vec<Item>>,
    /// What could not be read of an event.
    pub(super) unreadable: Vec<String>,
}

impl Changes {
    /// Reads what changed; of an event's changes those of `bucket`.
    pub(super) fn read(&self, bucket: Option<&str>) -> anyhow::Result<Changed> {
        let name = |file: &Path| file.display().to_string();
        if let Some(items) = &self.items {
            return Ok(Changed { items: Some(named_items(items.iter().map(String::as_str))?), ..Changed::default() });
        }
        let keys = match (&self.event, &self.keys, &self.sync) {
            (Some(file), _, _) => {
                return match event::decode(lists::read(file)?.as_bytes())? {
                    Trigger::Changes(batch) => of_one_bucket(batch, bucket),
                    Trigger::Request(request) => Ok(named(request)),
                    Trigger::Job(job) if job.continuation_token.is_some() => {
                        bail!("the job has a continuation token: its invalidation was created before")
                    }
                    Trigger::Job(job) => Ok(named(job.request?)),
                };
            }
            (_, Some(file), _) => lists::keys(&lists::read(file)?).with_context(|| name(file))?,
            (_, _, Some(file)) => synced(&lists::read(file)?).with_context(|| name(file))?,
            (None, None, None) => bail!("name what changed: --event, --keys, --sync or --items"),
        };
        Ok(Changed { keys, ..Changed::default() })
    }

    /// Reads what is to be sent. `bucket` is that of keys whose source does not say.
    pub(super) fn to_send(&self, bucket: Option<&BucketName>) -> anyhow::Result<Sent> {
        if let Some(file) = &self.event {
            return match event::decode(lists::read(file)?.as_bytes())? {
                Trigger::Changes(batch) => {
                    let wanted = |change: &Change| bucket.is_none_or(|name| change.bucket.name == *name);
                    let unreadable = batch.failed.iter().map(ToString::to_string).collect();
                    Ok(Sent::Changes { changes: batch.changes.into_iter().filter(wanted).collect(), unreadable })
                }
                Trigger::Request(request) => asked(request.ask, bucket),
                Trigger::Job(job) if job.continuation_token.is_some() => {
                    bail!("the job has a continuation token: its invalidation was created before")
                }
                Trigger::Job(job) => asked(job.request?.ask, bucket),
            };
        }
        if let Some(file) = &self.sync {
            let text = lists::read(file)?;
            let told = lists::synced_bucket(&text).with_context(|| file.display().to_string())?;
            if let (Some(told), Some(named)) = (&told, bucket)
                && told != named
            {
                bail!("{} is about the bucket {told}, not {named}", file.display());
            }
            // Standard input can be read only once.
            let keys = synced(&text).with_context(|| file.display().to_string())?;
            return of_bucket(keys, told.as_ref().or(bucket));
        }
        let Changed { keys, items, .. } = self.read(None)?;
        match items {
            Some(items) => Ok(Sent::Items { of: Target::Default, items }),
            None => of_bucket(keys, bucket),
        }
    }
}

fn of_bucket(keys: Vec<ObjectKey>, bucket: Option<&BucketName>) -> anyhow::Result<Sent> {
    let Some(name) = bucket else {
        if keys.is_empty() {
            return Ok(Sent::Changes { changes: Vec::new(), unreadable: Vec::new() });
        }
        bail!("whose keys are these? give --bucket");
    };
    let bucket = Bucket { name: name.clone(), region: None };
    let changes = keys.into_iter().map(|key| Change { bucket: bucket.clone(), key }).collect();
    Ok(Sent::Changes { changes, unreadable: Vec::new() })
}

fn asked(ask: Ask, named: Option<&BucketName>) -> anyhow::Result<Sent> {
    match ask {
        Ask::Items { of, items } => Ok(Sent::Items { of, items }),
        Ask::Keys { bucket, .. } if named.is_some_and(|named| *named != bucket.name) => {
            bail!("the event is about the bucket {}, not the one of --bucket", bucket.name)
        }
        Ask::Keys { bucket, keys } => {
            let changes = keys.into_iter().map(|key| Change { bucket: bucket.clone(), key }).collect();
            Ok(Sent::Changes { changes, unreadable: Vec::new() })
        }
    }
}

/// The keys in the output of a sync, or in a listing.
fn synced(text: &str) -> anyhow::Result<Vec<ObjectKey>> {
    match List::read(text)? {
        List::Sync(keys) | List::Listing(keys) => Ok(keys),
        List::Keys(keys) if keys.is_empty() => Ok(keys),
        List::Keys(_) => bail!("it is not the output of `aws s3 sync` or `aws s3 ls --recursive`"),
    }
}

fn named(request: Request) -> Changed {
    match request.ask {
        Ask::Keys { keys, .. } => Changed { keys, ..Changed::default() },
        Ask::Items { items, .. } => Changed { items: Some(items), ..Changed::default() },
    }
}

/// The changes of a bucket; an invalidation is planned for one at a time, since each has its own distribution.
fn of_one_bucket(batch: Batch, bucket: Option<&str>) -> anyhow::Result<Changed> {
    let buckets: BTreeSet<_> = batch.changes.iter().map(|change| change.bucket.name.to_string()).collect();
    if bucket.is_none() && buckets.len() > 1 {
        let names: Vec<_> = buckets.into_iter().collect();
        bail!("the event is about several buckets ({}); name one with --bucket", names.join(", "));
    }
    let wanted = batch.changes.into_iter().filter(|it| bucket.is_none_or(|name| it.bucket.name.as_str() == name));
    Ok(Changed {
        keys: wanted.map(|change| change.key).collect(),
        items: None,
        unreadable: batch.failed.iter().map(ToString::to_string).collect(),
    })
}
