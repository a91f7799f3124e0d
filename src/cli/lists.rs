//! Lists of keys, in the forms in which the AWS CLI and other tools write them.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};

use crate::change::ObjectKey;

/// Reads a file, or standard input for `-`.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("cannot read standard input as UTF-8")?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Literal keys, one per line.
pub(super) fn keys(text: &str) -> anyhow::Result<Vec<ObjectKey>> {
    numbered(text).map(|(number, line)| key(number, line)).collect()
}

/// The keys in an output of the AWS CLI: of `aws s3 sync`, with or without `--dryrun`, or of `aws s3 ls --recursive`.
pub(super) fn aws(text: &str) -> anyhow::Result<Vec<ObjectKey>> {
    if let Some(keys) = outputs(text) {
        return keys;
    }
    let odd = numbered(text).find(|(_, line)| of_sync(line).or(of_listing(line)).is_none());
    let (number, line) = odd.unwrap_or((1, "lines of both"));
    bail!("line {number} is not of `aws s3 sync` or `aws s3 ls --recursive`: {}", crate::text::excerpt(line))
}

/// What a bucket holds: an output of the AWS CLI as above, or literal keys one per line. The form is that which fits every
/// line.
pub(super) fn inventory(text: &str) -> anyhow::Result<Vec<ObjectKey>> {
    outputs(text).unwrap_or_else(|| keys(text))
}

/// The keys, if every line is of the same output.
fn outputs(text: &str) -> Option<anyhow::Result<Vec<ObjectKey>>> {
    // `aws s3 ls --summarize` ends with two lines more.
    let text = text.split("\nTotal Objects:").next().unwrap_or(text);
    let fits = |form: &fn(&str) -> Option<&str>| numbered(text).all(|(_, line)| form(line).is_some());
    let form = [of_listing as fn(&str) -> Option<&str>, of_sync].into_iter().find(fits)?;
    Some(numbered(text).filter_map(|(number, line)| Some(key(number, form(line)?))).collect())
}

/// The lines that hold something, by their numbers. A key may start or end with a space, so nothing is trimmed.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty())
}

fn key(number: usize, name: &str) -> anyhow::Result<ObjectKey> {
    ObjectKey::new(name).with_context(|| format!("line {number}"))
}

/// The key in `(dryrun) upload: ./a.txt to s3://bucket/a.txt` and its like; the last address is the one that changes.
fn of_sync(line: &str) -> Option<&str> {
    let line = line.strip_prefix("(dryrun) ").unwrap_or(line);
    let (action, rest) = line.split_once(": ")?;
    let address = match action {
        "upload" | "copy" | "move" => rest.rsplit_once(" to s3://").map(|(_, address)| address),
        "delete" => rest.strip_prefix("s3://"),
        _ => None,
    };
    address?.split_once('/').map(|(_, key)| key)
}

/// The key in `2026-01-02 03:04:05       1234 a b.txt`.
fn of_listing(line: &str) -> Option<&str> {
    let (date, rest) = line.split_once(' ')?;
    let (time, rest) = rest.split_once(' ')?;
    let (size, key) = rest.trim_start().split_once(' ')?;
    let digits = |text: &str, separator: char, parts: [usize; 3]| {
        text.split(separator).map(str::len).eq(parts) && text.chars().all(|c| c.is_ascii_digit() || c == separator)
    };
    let fits = digits(date, '-', [4, 2, 2]) && digits(time, ':', [2, 2, 2]) && size.parse::<u64>().is_ok();
    fits.then_some(key)
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
    fn a_syncs_output_names_what_it_changes() {
        let output = "(dryrun) upload: ../site/a to b.txt to s3://bucket/web/a to b.txt\n\
                      (dryrun) delete: s3://bucket/old page.html\n\
                      copy: s3://other/c.txt to s3://bucket/c.txt\n";
        assert_eq!(names(aws(output)), ["web/a to b.txt", "old page.html", "c.txt"]);
        let error = aws("upload: a to s3://b/a\nfatal error: no\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("fatal error"), "{error}");
    }

    #[test]
    fn an_inventory_takes_the_form_that_fits_every_line() {
        let listing = "2026-01-02 03:04:05          0 docs/\n2026-01-02 03:04:05   12345678 docs/a b.txt\n\
                       \nTotal Objects: 2\n   Total Size: 12345678\n";
        assert_eq!(names(inventory(listing)), ["docs/", "docs/a b.txt"]);
        assert_eq!(names(aws(listing)), ["docs/", "docs/a b.txt"]);
        assert_eq!(names(inventory("upload: a to s3://b/a\ndelete: s3://b/c\n")), ["a", "c"]);
        assert_eq!(names(inventory("2026-01-02 03:04:05 1 a\nb\n")), ["2026-01-02 03:04:05 1 a", "b"]);
    }
}
