//! Reads the output of `aws s3 ls --recursive`, also with `--human-readable` and `--summarize`.

use super::error::InputError;
use super::list::{Entry, Format, KeyList};
use super::text::lines;
use crate::change::ObjectKey;
use crate::change::text::excerpt;

/// The command whose output is read.
const COMMAND: &str = "aws s3 ls --recursive s3://my-site";

/// The width to which the AWS CLI pads sizes. Source: `_make_size_str` in `awscli/customizations/s3/subcommands.py`.
const SIZE_WIDTH: usize = 10;

/// The units of `--human-readable`. Source: `awscli/customizations/s3/utils.py`.
const UNITS: [&str; 8] = ["Bytes", "Byte", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Reads a listing; `None` if no line looks like one. If one line does, all must.
#[must_use]
pub fn read(text: &str) -> Option<Result<KeyList, InputError>> {
    // `--summarize` appends two lines.
    let text = match text.rsplit_once("\nTotal Objects:") {
        Some((list, summary)) if summary.trim_end().lines().nth(1).is_some_and(is_total_size) => list,
        _ => text,
    };
    if let Some((number, _)) =
        lines(text).find(|(_, line)| line.trim_start().starts_with("PRE ") && line.starts_with(' '))
    {
        let remedy = format!("list all keys with `{COMMAND}`");
        return Some(Err(InputError::at(number, "the output of `aws s3 ls` without --recursive lacks keys", remedy)));
    }
    let all_are_readable = lines(text).all(|(_, line)| readable(line).is_some());
    let all_are_plain = lines(text).all(|(_, line)| plain(line).is_some());
    let key_of: fn(&str) -> Option<&str> = match (all_are_readable, all_are_plain) {
        _ if !lines(text).any(|(_, line)| plain(line).or(readable(line)).is_some()) => return None,
        // `0 Bytes a` is the size 0 of the key `Bytes a`, or the size `0 Bytes` of the key `a`: the width says which.
        (true, true) => match lines(text).all(|(_, line)| has_width(line, 1)) {
            true => plain,
            false if lines(text).all(|(_, line)| has_width(line, 2)) => readable,
            false => {
                let problem = "sizes and keys of the listing are not certain, because its columns were changed";
                return Some(Err(InputError::whole(problem, format!("use the unchanged output of `{COMMAND}`"))));
            }
        },
        (true, false) => readable,
        (false, _) => plain,
    };
    Some(
        lines(text)
            .map(|(number, line)| entry(number, line, key_of))
            .collect::<Result<_, _>>()
            .map(|entries| KeyList::new(Format::Listing, entries)),
    )
}

fn entry(number: usize, line: &str, key_of: fn(&str) -> Option<&str>) -> Result<Entry, InputError> {
    let unlike = || {
        let problem = format!("\"{}\" does not look like output of `aws s3 ls`, unlike other lines", excerpt(line));
        InputError::at(number, problem, format!("use the whole output of `{COMMAND}`"))
    };
    let key = ObjectKey::new(key_of(line).ok_or_else(unlike)?);
    key.map(Entry::from).map_err(|error| InputError::at(number, error.to_string(), format!("use `{COMMAND}`")))
}

fn is_total_size(line: &str) -> bool {
    line.trim_start().starts_with("Total Size: ")
}

/// The key in `2026-01-02 03:04:05       1234 a b.txt`.
fn plain(line: &str) -> Option<&str> {
    let (size, key) = after_date_and_time(line)?.trim_start_matches(' ').split_once(' ')?;
    (!size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit()) && !key.is_empty()).then_some(key)
}

/// The key in `2026-01-02 03:04:05    1.2 KiB a b.txt`, the form of `--human-readable`.
fn readable(line: &str) -> Option<&str> {
    let (size, rest) = after_date_and_time(line)?.trim_start_matches(' ').split_once(' ')?;
    let (unit, key) = rest.split_once(' ')?;
    let is_size = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (is_size && UNITS.contains(&unit) && !key.is_empty()).then_some(key)
}

/// Whether the column with the size, which has so many words, is as wide as the AWS CLI makes it.
fn has_width(line: &str, words: usize) -> bool {
    let Some(rest) = after_date_and_time(line) else { return false };
    let indent = rest.len() - rest.trim_start_matches(' ').len();
    let size: usize = rest.trim_start_matches(' ').split(' ').take(words).map(str::len).sum::<usize>() + words - 1;
    indent + size == SIZE_WIDTH.max(size)
}

/// The rest of a listing's line, after date and time.
fn after_date_and_time(line: &str) -> Option<&str> {
    let (date, rest) = line.split_once(' ')?;
    let (time, rest) = rest.split_once(' ')?;
    let is_digits = |text: &str, separator: char, parts: [usize; 3]| {
        text.split(separator).map(str::len).eq(parts) && text.chars().all(|c| c.is_ascii_digit() || c == separator)
    };
    (is_digits(date, '-', [4, 2, 2]) && is_digits(time, ':', [2, 2, 2])).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let list = read(text).unwrap().unwrap();
        list.entries.iter().map(|entry| entry.key.as_str().to_owned()).collect()
    }

    #[test]
    fn a_listing_names_all_keys() {
        let plain = "2026-01-02 03:04:05          0 docs/\n2026-01-02 03:04:05   12345678 docs/a b.txt\n\
                     \nTotal Objects: 2\n   Total Size: 12345678\n";
        let readable = "2026-01-02 03:04:05    0 Bytes docs/\n2026-01-02 03:04:05   11.8 MiB docs/a b.txt\n";
        for listing in [plain, readable] {
            assert_eq!(names(listing), ["docs/", "docs/a b.txt"]);
        }
    }

    #[test]
    fn the_width_of_a_column_tells_a_size_from_a_key() {
        assert_eq!(names("2026-01-02 03:04:05          0 Bytes a\n"), ["Bytes a"]);
        assert_eq!(names("2026-01-02 03:04:05    0 Bytes a\n"), ["a"]);
        assert_eq!(names("2026-01-02 03:04:05 12345678901 KiB a\n"), ["KiB a"]);
        let changed = read("2026-01-02 03:04:05 0 Bytes a\n").unwrap().unwrap_err().to_string();
        assert!(changed.contains("not certain"), "{changed}");
    }

    #[test]
    fn a_listing_of_one_level_is_refused() {
        let listing = "                           PRE subkey/\n2017-10-30 14:34:26        603 myfile.yaml\n";
        let error = read(listing).unwrap().unwrap_err().to_string();
        assert!(error.starts_with("line 1: ") && error.contains("aws s3 ls --recursive"), "{error}");
    }

    #[test]
    fn one_malformed_line_fails_the_list() {
        let error = read("2026-01-02 03:04:05 1 a\nwarning: no\n").unwrap().unwrap_err().to_string();
        assert!(error.starts_with("line 2: \"warning: no\" does not look like output of `aws s3 ls`"), "{error}");
        assert!(read("a\nb c\n").is_none() && read("").is_none());
    }
}
