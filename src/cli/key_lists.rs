//! Parses lists of keys in the formats that the AWS CLI and other tools write.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, anyhow, bail};

use crate::change::text::excerpt;
use crate::change::{BucketName, ObjectKey};

/// Reads a UTF-8 file, or standard input for `-`.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        io::stdin().read_to_end(&mut text).context("cannot read standard input")?;
    } else {
        text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    let text = String::from_utf8(text).map_err(|_| {
        anyhow!("{} is not UTF-8 (> in Windows PowerShell writes UTF-16); save it as UTF-8", name(file))
    })?;
    Ok(without_mark(text))
}

/// The name of a file in messages.
pub(super) fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// Removes a leading byte order mark. Some editors write one, and it is not part of a key.
fn without_mark(mut text: String) -> String {
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    text
}

/// Parses literal keys, one per line.
pub(super) fn keys(text: &str) -> anyhow::Result<Vec<ObjectKey>> {
    numbered(text).map(|(number, line)| key(number, line)).collect()
}

/// A parsed list: the output of an AWS CLI command, or plain keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyList {
    /// The output of `aws s3 ls --recursive`: every object below the listed prefix.
    Listing(Vec<ObjectKey>),
    /// The output of `aws s3 sync`, with or without `--dryrun`: the keys that it changes.
    Sync(Vec<ObjectKey>),
    /// Literal keys, one per line.
    Keys(Vec<ObjectKey>),
}

impl KeyList {
    /// Parses a list. If one line has the format of an AWS CLI output, every line must have it.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        // `aws s3 ls --summarize` appends two lines.
        let text = match text.rsplit_once("\nTotal Objects:") {
            Some((list, summary)) if summary.trim_end().lines().nth(1).is_some_and(is_total_size) => list,
            _ => text,
        };
        if text.lines().any(|line| line.starts_with("Completed ") && line.contains(" remaining")) {
            bail!(
                "the output of `aws s3 sync` contains progress lines, which change the keys; run `aws s3 sync` with \
                 --no-progress"
            );
        }
        let any_line_has = |form: LineFormat| numbered(text).any(|(_, line)| form(line).is_some());
        if numbered(text).next().is_some() && numbered(text).all(|(_, line)| parse_readable_line(line).is_some()) {
            return in_form(text, parse_readable_line, "ls").map(Self::Listing);
        }
        if any_line_has(parse_listing_line) {
            return in_form(text, parse_listing_line, "ls").map(Self::Listing);
        }
        if any_line_has(parse_sync_line) {
            return in_form(text, parse_sync_line, "sync").map(Self::Sync);
        }
        keys(text).map(Self::Keys)
    }
}

fn is_total_size(line: &str) -> bool {
    line.trim_start().starts_with("Total Size: ")
}

/// Returns the bucket that `aws s3 sync` changes according to its output; `None` for any other list.
pub(super) fn synced_bucket(text: &str) -> anyhow::Result<Option<BucketName>> {
    let mut found = numbered(text).filter_map(|(_, line)| synced(line)).map(|(bucket, _)| bucket);
    let Some(first) = found.next() else { return Ok(None) };
    if let Some(other) = found.find(|bucket| *bucket != first) {
        bail!("the output names two buckets, {} and {}; run the command once for each", excerpt(first), excerpt(other));
    }
    Ok(Some(BucketName::new(first)?))
}

/// Returns the key in a line, or `None` if the line has another format.
type LineFormat = fn(&str) -> Option<&str>;

fn in_form(text: &str, form: LineFormat, command: &str) -> anyhow::Result<Vec<ObjectKey>> {
    let key_of = |(number, line)| match form(line) {
        Some(name) => key(number, name),
        None => bail!(
            "line {number} does not look like output of `aws s3 {command}`, unlike other lines: {}",
            excerpt(line)
        ),
    };
    numbered(text).map(key_of).collect()
}

/// The non-empty lines with their numbers, from 1. A key may start or end with a space, so nothing is trimmed.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty())
}

fn key(number: usize, name: &str) -> anyhow::Result<ObjectKey> {
    ObjectKey::new(name).with_context(|| format!("line {number}"))
}

/// The key in a line such as `(dryrun) upload: ./a.txt to s3://bucket/a.txt`. The last address is the one that changes.
fn parse_sync_line(line: &str) -> Option<&str> {
    synced(line).map(|(_, key)| key)
}

/// The bucket and the key in a line of `aws s3 sync`.
fn synced(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("(dryrun) ").unwrap_or(line);
    let (action, rest) = line.split_once(": ")?;
    let address = match action {
        // A move within S3 changes two keys, and `aws s3 sync` makes none.
        "move" if rest.starts_with("s3://") => None,
        // If a key contains ` to s3://` as well, the line is ambiguous.
        "upload" | "copy" | "move" if rest.matches(" to s3://").count() == 1 => {
            rest.split_once(" to s3://").map(|(_, address)| address)
        }
        "delete" => rest.strip_prefix("s3://"),
        _ => None,
    };
    address?.split_once('/')
}

/// The key in `2026-01-02 03:04:05       1234 a b.txt`.
fn parse_listing_line(line: &str) -> Option<&str> {
    let (size, key) = after_date_and_time(line)?.split_once(' ')?;
    size.parse::<u64>().ok().map(|_| key)
}

/// The key in `2026-01-02 03:04:05    1.2 KiB a b.txt`, the form of `--human-readable`.
fn parse_readable_line(line: &str) -> Option<&str> {
    let (size, rest) = after_date_and_time(line)?.split_once(' ')?;
    let (unit, key) = rest.split_once(' ')?;
    let fits = size.parse::<f64>().is_ok() && ["Bytes", "Byte", "KiB", "MiB", "GiB", "TiB"].contains(&unit);
    fits.then_some(key)
}

/// The rest of a listing's line, after date and time.
fn after_date_and_time(line: &str) -> Option<&str> {
    let (date, rest) = line.split_once(' ')?;
    let (time, rest) = rest.split_once(' ')?;
    let is_digits = |text: &str, separator: char, parts: [usize; 3]| {
        text.split(separator).map(str::len).eq(parts) && text.chars().all(|c| c.is_ascii_digit() || c == separator)
    };
    (is_digits(date, '-', [4, 2, 2]) && is_digits(time, ':', [2, 2, 2])).then(|| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: anyhow::Result<Vec<ObjectKey>>) -> Vec<String> {
        keys.unwrap().iter().map(|key| key.as_str().to_owned()).collect()
    }

    #[test]
    fn keys_are_literal() {
        assert_eq!(names(keys("a b\n\n a+%20 \r\ndelete: s3://b/c\n")), ["a b", " a+%20 ", "delete: s3://b/c"]);
        assert!(keys(&"k".repeat(1025)).unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn sync_output_names_changed_keys() {
        let output = "(dryrun) upload: ../site/a to b.txt to s3://bucket/web/a to b.txt\n\
                      (dryrun) delete: s3://bucket/old page.html\n\
                      copy: s3://other/c.txt to s3://bucket/c.txt\n";
        let KeyList::Sync(found) = KeyList::read(output).unwrap() else { panic!("a sync") };
        assert_eq!(names(Ok(found)), ["web/a to b.txt", "old page.html", "c.txt"]);
    }

    #[test]
    fn ambiguous_lines_are_refused() {
        let first = "upload: a to s3://bucket/a\n";
        for line in [
            "copy: s3://b/x to s3://evil/y to s3://b/x to s3://evil/y",
            "move: s3://bucket/old to s3://bucket/new",
            "upload failed: ./b to s3://bucket/b An error occurred",
            "warning: Skipping file /c",
        ] {
            let error = KeyList::read(&format!("{first}{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with("line 2 does not look like output of `aws s3 sync`"), "{error}");
        }
        let padded = format!("Completed 1 KiB/2 KiB (1 KiB/s) with 1 file(s) remaining\r{first}");
        assert!(KeyList::read(&padded).unwrap_err().to_string().contains("--no-progress"));
        let odd = format!("{first}upload: b to s3://bucket/x\nTotal Objects: 1\n");
        assert!(KeyList::read(&odd).is_err());
        let two = format!("{first}upload: b to s3://other/b\n");
        assert!(synced_bucket(&two).unwrap_err().to_string().contains("bucket and other"));
    }

    #[test]
    fn a_listing_names_all_keys() {
        let plain = "2026-01-02 03:04:05          0 docs/\n2026-01-02 03:04:05   12345678 docs/a b.txt\n\
                     \nTotal Objects: 2\n   Total Size: 12345678\n";
        let readable = "2026-01-02 03:04:05    0 Bytes docs/\n2026-01-02 03:04:05   11.8 MiB docs/a b.txt\n";
        for listing in [plain, readable] {
            let KeyList::Listing(found) = KeyList::read(listing).unwrap() else { panic!("a listing") };
            assert_eq!(names(Ok(found)), ["docs/", "docs/a b.txt"]);
        }
    }

    #[test]
    fn one_malformed_line_fails_the_list() {
        for (text, expected) in [
            ("2026-01-02 03:04:05 1 a\nwarning: no\n", "line 2 does not look like output of `aws s3 ls`"),
            ("upload: a to s3://b/a\nfatal error: no\n", "line 2 does not look like output of `aws s3 sync`"),
        ] {
            let error = KeyList::read(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(matches!(KeyList::read("a\nb c\n"), Ok(KeyList::Keys(keys)) if keys.len() == 2));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_key() {
        assert_eq!(without_mark("\u{feff}a.txt".into()), "a.txt");
    }
}
