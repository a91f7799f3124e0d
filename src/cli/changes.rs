//! Reads what to invalidate: an event, a list of keys, the output of `aws s3 sync`, or explicit paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::input::{self, UsageError};
use super::keys::{self, Entry, Format, KeyList, LineOptions, Owner};
use super::recovery::Unsent;
use super::terminal::note;
use crate::change::text::{counted, one_line};
use crate::change::{Batch, Bucket, BucketName, Change, ObjectKey};
use crate::event::{self, Event, Request, RequestKind, RequestTarget};
use crate::path::{Item, named_items};
use crate::report::MAX_FAILURES_IN_MESSAGE;
use crate::send::MAX_LISTED_BUCKETS;

#[derive(Debug, Args)]
pub(super) struct ChangesArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    list: ListArgs,
}

/// The input, of which a command has one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct InputArgs {
    /// Event of any type that the function accepts; - reads standard input
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// List of the keys of the changed objects, not URL-encoded; - reads standard input. One key per line, quoted by git or
    /// not; a JSON array of strings; or an output as for --sync
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Output of `aws s3 sync`, `cp`, `mv` or `rm`, with or without --dryrun and progress, or of `aws s3 ls --recursive`, whose
    /// keys all count as changed; - reads standard input
    #[arg(long, value_name = "FILE")]
    sync: Option<PathBuf>,
    /// Invalidation paths, which may end with *, and cache tags (#TAG); the command URL-encodes them where CloudFront requires
    /// it
    #[arg(long, visible_alias = "items", value_name = "PATH", num_args = 1..)]
    paths: Option<Vec<String>>,
}

/// How to read the list of `--keys`. The conflicts are named too, because clap requires nothing that conflicts with
/// what is given.
#[derive(Debug, Args)]
struct ListArgs {
    /// With --keys: a NUL character ends each key, as in the output of `git diff -z`
    #[arg(short = 'z', long = "null", requires = "keys", conflicts_with_all = ["event", "paths", "sync"])]
    null: bool,
    /// With --keys: take each line, or with -z each name, literally
    #[arg(long, requires = "keys", conflicts_with_all = ["event", "paths", "sync"])]
    lines: bool,
    /// With --keys: directory to strip from the names, such as site/; names outside it are skipped
    #[arg(long, value_name = "PREFIX", requires = "keys", conflicts_with_all = ["event", "paths", "sync"], value_parser = directory)]
    strip_prefix: Option<String>,
}

/// Checks a prefix to strip. Without its slash, `site` would turn `site/a` into the key `/a`.
fn directory(text: &str) -> Result<String, String> {
    if text.ends_with('/') && !text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err("must end, but not begin, with a slash, such as \"site/\"".to_owned())
    }
}

/// What `invalidate` sends.
pub(super) enum ToInvalidate {
    /// Changes of objects, and the part of the input that could not be read.
    Changes { changes: Vec<Change>, unreadable: Unreadable },
    /// Explicit paths and `#tags`.
    Paths { target: RequestTarget, paths: Vec<Item>, left_out: usize },
}

/// Changed keys, or explicit paths instead.
#[derive(Default)]
pub(super) struct ChangedKeys {
    pub(super) keys: Vec<ObjectKey>,
    /// Explicit paths and `#tags` instead of keys, and how many others they cover. They are checked and encoded, never
    /// collapsed.
    pub(super) paths: Option<(Vec<Item>, usize)>,
    /// The records of an event that could not be read.
    pub(super) unreadable: Unreadable,
}

/// Records of an event, or lines of a list, that could not be read.
#[derive(Default)]
pub(super) struct Unreadable {
    pub(super) count: usize,
    /// The errors of the first [`MAX_FAILURES_IN_MESSAGE`] of them.
    first: Vec<String>,
    is_list: bool,
}

impl Unreadable {
    fn of(batch: &Batch) -> Self {
        Self {
            count: batch.failed.len() + batch.unlisted_failures,
            first: batch.failed.iter().take(MAX_FAILURES_IN_MESSAGE).map(ToString::to_string).collect(),
            is_list: false,
        }
    }

    fn of_list(list: &KeyList) -> Self {
        let first = list.uncertain.iter().take(MAX_FAILURES_IN_MESSAGE);
        Self {
            count: list.uncertain.len(),
            first: first.map(|it| format!("line {}: {}", it.line, it.reason)).collect(),
            is_list: true,
        }
    }

    /// Returns an error if there are any.
    pub(super) fn refuse(&self) -> anyhow::Result<()> {
        let Self { count, first, is_list } = self;
        let (noun, whole) = if *is_list { ("line", "the list") } else { ("record", "the event") };
        match count.saturating_sub(first.len()) {
            _ if *count == 0 => Ok(()),
            0 => bail!("cannot read {} of {whole}: {}", counted(*count, noun), first.join("; ")),
            more => bail!("cannot read {count} {noun}s of {whole}: {}; and {more} more", first.join("; ")),
        }
    }
}

impl ChangesArgs {
    /// The input files; `-` is standard input.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.input.event, &self.input.keys, &self.input.sync].into_iter().flatten().map(PathBuf::as_path)
    }

    /// Reads the changed keys or explicit paths. Of an event, only the changes of `bucket` are returned, if it is
    /// given.
    pub(super) fn read(&self, bucket: Option<&BucketName>) -> anyhow::Result<ChangedKeys> {
        let of_bucket = bucket.map(BucketName::as_str);
        if let Some(paths) = &self.input.paths {
            return Ok(ChangedKeys { paths: Some(named(paths)?), ..ChangedKeys::default() });
        }
        if let Some(file) = &self.input.event {
            let keys = match decoded(file)? {
                EventInput::Changes(batch) => of_one_bucket(batch, of_bucket),
                EventInput::Request(request) => requested_keys(request, of_bucket),
            };
            return keys.with_context(|| input::name(file));
        }
        let Some((file, content)) = self.list_content()? else { bail!(NO_INPUT) };
        let list = self.list_of(&content).with_context(|| input::name(file))?;
        Unreadable::of_list(&list).refuse().with_context(|| input::name(file))?;
        owner(&list, bucket).with_context(|| input::name(file))?;
        Ok(ChangedKeys { keys: list.entries.into_iter().map(|entry| entry.key).collect(), ..ChangedKeys::default() })
    }

    /// Reads what to invalidate. `bucket` selects an event's changes, and is the bucket of keys whose input names none.
    /// The changes of a list are recorded in `unsent` as soon as they are known.
    pub(super) fn to_invalidate(
        &self,
        bucket: Option<&BucketName>,
        unsent: &mut Unsent,
    ) -> anyhow::Result<ToInvalidate> {
        if let Some(file) = &self.input.event {
            let to_invalidate = match decoded(file)? {
                EventInput::Changes(batch) => from_batch(batch, bucket),
                EventInput::Request(request) => from_request(request, bucket),
            };
            return to_invalidate.with_context(|| input::name(file));
        }
        let Some((file, content)) = self.list_content()? else {
            let Some(paths) = &self.input.paths else { bail!(NO_INPUT) };
            let (paths, left_out) = named(paths)?;
            return Ok(ToInvalidate::Paths { target: RequestTarget::Default, paths, left_out });
        };
        let list = self.list_of(&content).inspect_err(|_| {
            unsent.is_unreadable = true;
            unsent.buckets = keys::aws_cli::named_buckets(&String::from_utf8_lossy(&content));
        });
        let list = list.with_context(|| input::name(file))?;
        unsent.entries.clone_from(&list.entries);
        unsent.uncertain = list.uncertain.iter().flat_map(|line| line.likely.clone()).collect();
        let owner = owner(&list, bucket).with_context(|| input::name(file))?;
        let unreadable = Unreadable::of_list(&list);
        if list.entries.is_empty() {
            return Ok(ToInvalidate::Changes { changes: Vec::new(), unreadable });
        }
        let Some(owner) = owner else {
            bail!("{}: the list does not name the bucket of its keys; specify --bucket", input::name(file))
        };
        let name = BucketName::new(owner).with_context(|| input::name(file))?;
        let bucket = Bucket { name, region: None };
        let changes =
            list.entries.into_iter().map(|Entry { key, .. }| Change { bucket: bucket.clone(), key }).collect();
        Ok(ToInvalidate::Changes { changes, unreadable })
    }

    /// The file of `--keys` or `--sync` with its content.
    fn list_content(&self) -> anyhow::Result<Option<(&Path, Vec<u8>)>> {
        let Some(file) = self.input.keys.as_deref().or(self.input.sync.as_deref()) else { return Ok(None) };
        Ok(Some((file, input::read(file)?)))
    }

    /// Reads the list of `--keys` or `--sync`.
    fn list_of(&self, content: &[u8]) -> anyhow::Result<KeyList> {
        if self.input.sync.is_some() {
            return Ok(keys::read_aws_output(content)?);
        }
        let ListArgs { null, lines, strip_prefix } = &self.list;
        let options = LineOptions { literal: *lines, strip_prefix: strip_prefix.clone() };
        let list = keys::read(content, *null, &options)?;
        if list.outside > 0 {
            let prefix = one_line(strip_prefix.as_deref().unwrap_or_default());
            note(format_args!("{} skipped: outside {prefix}", counted(list.outside, "name")));
        }
        Ok(list)
    }
}

/// Checks the paths of `--paths`.
fn named(paths: &[String]) -> Result<(Vec<Item>, usize), UsageError> {
    named_items(paths.iter().map(String::as_str)).map_err(|error| UsageError(error.to_string()))
}

const NO_INPUT: &str = "no input; specify --event, --keys, --sync or --paths";

/// Returns the name of a list's bucket: the one in the list, or else `named`. A list of several buckets is refused, since
/// each has distributions of its own.
pub(super) fn owner<'n>(list: &'n KeyList, named: Option<&'n BucketName>) -> anyhow::Result<Option<&'n str>> {
    let likely = list.uncertain.iter().flat_map(|line| &line.likely);
    let owners: BTreeSet<_> = list.entries.iter().chain(likely).filter_map(|entry| entry.owner.as_ref()).collect();
    let owners: Vec<_> = owners.into_iter().collect();
    let named = named.map(BucketName::as_str);
    match (owners.as_slice(), named) {
        ([first, second, ..], _) => {
            bail!("the list has keys of {first} and of {second}; run the command once for each")
        }
        ([owner @ Owner::Bucket(name)], Some(named)) if name != named => {
            bail!("the list is of {owner}, not {named}; correct --bucket")
        }
        ([Owner::Bucket(name)], _) => Ok(Some(name)),
        // Only the operator knows the bucket of an access point.
        ([Owner::AccessPoint(_)] | [], named) => Ok(named),
    }
}

/// Whether a list has all keys of a bucket, and not only those that changed.
pub(super) fn is_complete(list: &KeyList) -> bool {
    list.format != Format::AwsOutput
}

/// The changes of an event, or those of one bucket.
fn from_batch(batch: Batch, bucket: Option<&BucketName>) -> anyhow::Result<ToInvalidate> {
    if let Some(name) = bucket {
        require_bucket_in_batch(&batch, name.as_str())?;
    }
    let unreadable = Unreadable::of(&batch);
    let is_selected = |change: &Change| bucket.is_none_or(|name| change.bucket.name == *name);
    Ok(ToInvalidate::Changes { changes: batch.changes.into_iter().filter(is_selected).collect(), unreadable })
}

/// Whether a request names nothing. Any file may be one, for example a list of keys.
fn names_nothing(request: &Request) -> bool {
    request.kind == Request::default().kind
}

fn from_request(request: Request, named: Option<&BucketName>) -> anyhow::Result<ToInvalidate> {
    if names_nothing(&request) {
        bail!(
            "the event names nothing, and only a function with DISTRIBUTION_ID takes it for everything; use --keys for a \
             list of keys, or --paths '/*' for everything"
        );
    }
    if request.wait.is_some() {
        note("The event's wait is not read; add --wait to wait.");
    }
    match request.kind {
        RequestKind::Paths { target, paths, left_out } => Ok(ToInvalidate::Paths { target, paths, left_out }),
        RequestKind::Keys { bucket, keys } => {
            require_bucket(&bucket, named.map(BucketName::as_str))?;
            let changes = keys.into_iter().map(|key| Change { bucket: bucket.clone(), key }).collect();
            Ok(ToInvalidate::Changes { changes, unreadable: Unreadable::default() })
        }
    }
}

fn requested_keys(request: Request, named: Option<&str>) -> anyhow::Result<ChangedKeys> {
    if names_nothing(&request) {
        note("The event names nothing; only a function with DISTRIBUTION_ID takes it for everything.");
    }
    match request.kind {
        RequestKind::Keys { bucket, keys } => {
            require_bucket(&bucket, named)?;
            Ok(ChangedKeys { keys, ..ChangedKeys::default() })
        }
        RequestKind::Paths { paths, left_out, .. } => {
            Ok(ChangedKeys { paths: Some((paths, left_out)), ..ChangedKeys::default() })
        }
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

/// An event as the commands handle it.
enum EventInput {
    Changes(Batch),
    Request(Request),
}

/// Reads and decodes an event.
fn decoded(file: &Path) -> anyhow::Result<EventInput> {
    let text = input::read_text(file)?;
    event_input(text.as_bytes()).with_context(|| input::name(file))
}

/// Decodes an event. A job with a continuation token is an error: its invalidation was created before.
fn event_input(json: &[u8]) -> anyhow::Result<EventInput> {
    match event::decode(json)? {
        Event::Changes(batch) => Ok(EventInput::Changes(batch)),
        Event::Request(request) => Ok(EventInput::Request(request)),
        Event::Schedule => Ok(EventInput::Request(Request::default())),
        Event::Job(job) if job.continuation_token.is_some() => bail!(
            "the job has a continuation token, so an earlier invocation created its invalidation; nothing is left to do"
        ),
        Event::Job(job) => Ok(EventInput::Request(job.request?)),
        Event::Poll(_) => bail!(
            "the event polls the function's queue and contains no changes; specify the event notification of a message"
        ),
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
    let unreadable = Unreadable::of(&batch);
    let selected = batch.changes.into_iter().filter(|it| bucket.is_none_or(|name| it.bucket.name.as_str() == name));
    Ok(ChangedKeys { keys: selected.map(|change| change.key).collect(), paths: None, unreadable })
}
