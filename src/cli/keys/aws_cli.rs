//! Reads what `aws s3 sync`, `cp`, `mv` and `rm` print, also with their progress in it.
//!
//! On one stream the AWS CLI prints a line for each object that it changed, and its progress, which ends with a carriage
//! return. It pads the next line with spaces to the length of the progress, so that the line hides it. Source:
//! `_adjust_statement_padding` in `awscli/customizations/s3/results.py`. Where a key ends is certain if no space follows
//! it, or if the name of the file that it was uploaded from shows how many spaces are its own.

use std::cmp::Ordering;

use super::address;
use super::error::InputError;
use super::list::{Entry, Format, KeyList, Owner, UncertainLine};
use super::text::lines;
use crate::change::BucketName;
use crate::change::text::excerpt;

/// What a line of the output says.
enum Line {
    /// These keys changed.
    Changed(Vec<Entry>),
    /// Something may have changed.
    Uncertain(String, Vec<Entry>),
    /// Only progress.
    Progress,
}

/// Reads an output; `None` if no line looks like one. If one line does, all must. A failure looks like one only among
/// failures, because other commands of the AWS CLI print them too.
#[must_use]
pub fn read(text: &str) -> Option<Result<KeyList, InputError>> {
    let has_failures_only = || lines(text).next().is_some() && lines(text).all(|(_, line)| is_failure(line));
    (lines(text).any(|(_, line)| looks_like(line)) || has_failures_only()).then(|| read_all(text))
}

/// The buckets that the statements of an input name, whatever else is in it.
#[must_use]
pub fn named_buckets(text: &str) -> Vec<BucketName> {
    let line = |line| match read_line(line, &mut None) {
        Ok(Line::Changed(entries) | Line::Uncertain(_, entries)) => entries,
        _ => Vec::new(),
    };
    let owners = lines(text).flat_map(|(_, it)| line(it)).filter_map(|entry| entry.owner);
    let name = |owner| if let Owner::Bucket(name) = owner { BucketName::new(&name).ok() } else { None };
    let mut buckets: Vec<_> = owners.filter_map(name).collect();
    buckets.sort();
    buckets.dedup();
    buckets
}

fn read_all(text: &str) -> Result<KeyList, InputError> {
    let mut list = KeyList::new(Format::AwsOutput, Vec::new());
    // The length of the progress that the next line hides.
    let mut hidden = None;
    for (number, line) in lines(text) {
        match read_line(line, &mut hidden).map_err(|problem| unlike(number, &problem, line))? {
            Line::Changed(entries) => list.entries.extend(entries),
            Line::Uncertain(reason, likely) => list.uncertain.push(UncertainLine { line: number, reason, likely }),
            Line::Progress => {}
        }
    }
    Ok(list)
}

fn unlike(number: usize, problem: &str, line: &str) -> InputError {
    InputError::at(
        number,
        format!("\"{}\" {problem}", excerpt(line)),
        "the input must be the whole output of `aws s3 sync`, `cp`, `mv` or `rm`, without lines of other programs",
    )
}

/// Whether a line looks like output of the AWS CLI, also one with two meanings.
fn looks_like(line: &str) -> bool {
    let (first, last) = (line.split('\r').next().unwrap_or(line), line.rsplit('\r').next().unwrap_or(line));
    is_progress(first) || !matches!(statement(last), Ok(None))
}

/// Reads a line. `hidden` is the length of the progress before it.
fn read_line(line: &str, hidden: &mut Option<usize>) -> Result<Line, String> {
    let mut parts = line.split('\r');
    let last = parts.next_back().unwrap_or(line);
    for part in parts {
        if !is_progress(part) {
            return Err("has a carriage return that does not end the AWS CLI's progress".to_owned());
        }
        *hidden = Some(part.chars().count());
    }
    if last.is_empty() {
        return Ok(Line::Progress);
    }
    if is_progress(last) {
        *hidden = Some(last.chars().count());
        return Ok(Line::Progress);
    }
    let hidden = hidden.take();
    if is_failure(last) {
        return Ok(Line::Uncertain(
            format!("the AWS CLI failed: \"{}\"; upload again", excerpt(last.trim_end())),
            Vec::new(),
        ));
    }
    let Some(statement) = statement(last)? else {
        return Err("does not look like output of `aws s3 sync`, unlike other lines".to_owned());
    };
    let length = last.chars().count();
    changed(&statement, hidden.map(|hidden| length.cmp(&hidden)))
}

/// Whether the text is the AWS CLI's progress, of this version (`Completed 2.1 KiB/143.6 KiB (17.5 KiB/s) with 4 file(s)
/// remaining`) or of those before 2017 (`Completed 101 of 109 part(s) with 4 file(s) remaining`).
fn is_progress(text: &str) -> bool {
    let Some((done, rest)) = text.strip_prefix("Completed ").and_then(|rest| rest.split_once(" with ")) else {
        return false;
    };
    let Some((files, end)) = rest.split_once(" file(s) remaining") else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let end = end.trim_end_matches(' ');
    done.chars().all(|it| it.is_ascii_alphanumeric() || " ./~()".contains(it))
        && (files == "..." || is_number(files.strip_prefix('~').unwrap_or(files)))
        && (end.is_empty() || end == " (calculating...)")
}

/// How failures and warnings begin that name no action. Git has warnings too. Source: `create_warning` in
/// `awscli/customizations/s3/utils.py` and its callers.
const FAILURES: [&str; 6] = [
    "cancelled: ctrl-c received",
    "fatal error: ",
    "warning: File ",
    "warning: Provided s3 paths ",
    "warning: Recursive copies",
    "warning: Skipping file ",
];

/// Whether the AWS CLI says that it could not do something. It prints this to standard error, which `2>&1` mixes in.
pub(crate) fn is_failure(line: &str) -> bool {
    let actions = ["upload", "copy", "move", "delete", "download"];
    let is_action = |line: &str| {
        line.split_once(" failed: ").is_some_and(|(action, rest)| actions.contains(&action) && !rest.is_empty())
    };
    is_action(line) || FAILURES.iter().any(|begin| line.starts_with(begin))
}

/// What separates the source from the address that was written.
const TO_S3: &str = " to s3://";

/// What a line says was done.
struct Statement<'l> {
    /// What was copied, if anything.
    source: Option<&'l str>,
    /// The address that was written or deleted last in the line. It ends where the line ends, unless `is_open` is false.
    target: &'l str,
    /// Whether the target's end is that of the line, where spaces may follow it.
    is_open: bool,
    /// Whether the source is gone from its bucket.
    is_moved: bool,
}

/// The statement in a line such as `(dryrun) upload: ./a.txt to s3://bucket/a.txt`; `None` if it is none.
fn statement(line: &str) -> Result<Option<Statement<'_>>, String> {
    let line = line.strip_prefix("(dryrun) ").unwrap_or(line);
    let Some((action, rest)) = line.split_once(": ") else { return Ok(None) };
    let of_s3 = rest.starts_with("s3://");
    let copied = |is_moved| match rest.matches(TO_S3).count() {
        // The address begins after ` to `.
        1 => Ok(rest
            .find(TO_S3)
            .and_then(|at| Some((rest.get(..at)?, rest.get(at + " to ".len()..)?)))
            .map(|(source, target)| Statement { source: Some(source), target, is_open: true, is_moved })),
        0 => Ok(None),
        // A key that contains ` to s3://` as well gives the line two meanings.
        _ => Err("has ` to s3://` twice, so that where the key begins is not certain".to_owned()),
    };
    match action {
        "upload" | "move" if !of_s3 => copied(false),
        "copy" if of_s3 => copied(false),
        // Between two keys, both change.
        "move" if rest.contains(TO_S3) => copied(true),
        // To a file, the key that was moved changes.
        "move" => match rest.matches(" to ").count() {
            1 => Ok(rest.split_once(" to ").map(|(key, _)| Statement {
                source: None,
                target: key,
                is_open: false,
                is_moved: false,
            })),
            _ => Err("has ` to ` more than once, so that where the key ends is not certain".to_owned()),
        },
        "delete" if of_s3 => Ok(Some(Statement { source: None, target: rest, is_open: true, is_moved: false })),
        "download" if of_s3 => Err("is a download, which changes nothing in the bucket".to_owned()),
        _ => Ok(None),
    }
}

/// The keys that a statement changes. `length` is that of the line, compared with the progress that it hides.
fn changed(statement: &Statement<'_>, length: Option<Ordering>) -> Result<Line, String> {
    let mut entries = Vec::new();
    if let (true, Some(source)) = (statement.is_moved, statement.source) {
        entries.push(address::parse(source)?);
    }
    let target = statement.target;
    let (spaces, of_source) = (trailing_spaces(target), statement.source.map_or(0, trailing_spaces));
    // A line longer than the progress needs no padding.
    if spaces == 0 || !statement.is_open || length == Some(Ordering::Greater) {
        entries.push(address::parse(target)?);
        return Ok(Line::Changed(entries));
    }
    // The key with as many spaces at its end as the file has.
    let own = spaces.checked_sub(of_source).and_then(|padding| target.get(..target.len() - padding));
    let is_named_so = own.is_some_and(|own| statement.source.is_some_and(|source| has_same_name(source, own)));
    if let Some(own) = own.filter(|_| is_named_so && (spaces == of_source || length == Some(Ordering::Equal))) {
        entries.push(address::parse(own)?);
        return Ok(Line::Changed(entries));
    }
    let trimmed = target.trim_end_matches(' ');
    entries.extend(address::parse(trimmed));
    let reason = format!(
        "spaces follow \"{}\", and it is not certain whether they belong to the key or to the AWS CLI's progress; upload \
         with `aws s3 sync --no-progress`",
        excerpt(trimmed)
    );
    Ok(Line::Uncertain(reason, entries))
}

fn trailing_spaces(text: &str) -> usize {
    text.len() - text.trim_end_matches(' ').len()
}

/// Whether a file or an object is called as another one. `sync` keeps the names of files. The separator on Windows is a
/// backslash.
fn has_same_name(source: &str, target: &str) -> bool {
    let of_target = target.rsplit('/').next().unwrap_or(target);
    let names = [source.rsplit('/').next(), source.rsplit(['/', '\\']).next()];
    !of_target.is_empty() && names.contains(&Some(of_target))
}
