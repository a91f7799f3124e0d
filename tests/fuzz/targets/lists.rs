//! The readers of key lists: each refuses its input, or its keys occur whole in it.

use proptest::prop_assert;
use proptest::test_runner::TestCaseError;
use s3_cloudfront_invalidator::cli::keys::{
    InputError, KeyList, LineOptions, aws_cli, git, json, lines, listing, read, read_aws_output,
};

use crate::driver::Checked;
use crate::rules::{check_one_line, magnitude, message_kind};
use crate::whole::occurs_whole;

/// The longest message. It quotes one line of the input.
const LONGEST: usize = 2000;

/// The most keys of an input that are looked for in it. The rest is read in the same way.
const MOST_KEYS: usize = 100;

/// Checks what a reader read from `input`.
fn checked(input: &str, read: Option<Result<KeyList, InputError>>) -> Checked {
    let list = match read {
        None => return Ok("another format".to_owned()),
        Some(Err(error)) => {
            check_one_line(&error.to_string(), LONGEST)?;
            prop_assert!(!error.remedy.is_empty(), "{error}");
            prop_assert!(error.line.is_none_or(|line| (1..=input.split('\n').count()).contains(&line)), "{error}");
            return Ok(message_kind(&error.to_string()));
        }
        Some(Ok(list)) => list,
    };
    for entry in list.entries.iter().take(MOST_KEYS) {
        prop_assert!(occurs_whole(input, entry.key.as_str()), "{:?}", entry.key);
    }
    for line in &list.uncertain {
        check_one_line(&line.reason, LONGEST)?;
    }
    let owners = list.entries.iter().filter(|entry| entry.owner.is_some()).count();
    Ok(format!("{:?} {} {owners} {}", list.format, magnitude(list.entries.len()), list.uncertain.len()))
}

/// The text of an input; its invalid bytes are a case of [`list`].
fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

pub(crate) fn list(input: &[u8]) -> Checked {
    let text = text(input);
    let options = LineOptions::default();
    let found = read(input, false, &options);
    let of_sync = read_aws_output(input);
    // Whatever is read as the AWS CLI's output is read in the same way as a list.
    if let (Ok(of_sync), Ok(found)) = (&of_sync, &found) {
        prop_assert!(of_sync == found);
    }
    prop_assert!(of_sync.is_err() || found.is_ok(), "{:?}", of_sync);
    let of_sync = checked(&text, Some(of_sync))?;
    Ok(format!("{} {of_sync}", checked(&text, Some(found))?))
}

pub(crate) fn aws_output(input: &[u8]) -> Checked {
    let text = text(input);
    let buckets = aws_cli::named_buckets(&text).len();
    Ok(format!("{} {buckets}", checked(&text, aws_cli::read(&text))?))
}

pub(crate) fn listed(input: &[u8]) -> Checked {
    let text = text(input);
    checked(&text, listing::read(&text))
}

pub(crate) fn array(input: &[u8]) -> Checked {
    let text = text(input);
    checked(&text, json::read(&text))
}

pub(crate) fn key_lines(input: &[u8]) -> Checked {
    let text = text(input);
    let literal = LineOptions { literal: true, strip_prefix: None };
    let stripped = LineOptions { literal: false, strip_prefix: Some("site/".to_owned()) };
    let literal = checked(&text, Some(lines::read_lines(&text, &literal)))?;
    checked(&text, Some(lines::read_lines(&text, &stripped)))?;
    Ok(format!("{} {literal}", checked(&text, Some(lines::read_lines(&text, &LineOptions::default())))?))
}

pub(crate) fn null_separated(input: &[u8]) -> Checked {
    let text = text(input);
    let literal = LineOptions { literal: true, strip_prefix: None };
    let all = lines::read_null_separated(&text, &literal);
    if let Ok(list) = &all {
        let names = list.entries.iter().flat_map(|entry| [entry.key.as_str(), "\0"]).collect::<String>();
        prop_assert!(names == text, "{names:?}");
    }
    let list = lines::read_null_separated(&text, &LineOptions::default());
    for entry in list.iter().flat_map(|list| &list.entries).take(MOST_KEYS) {
        let name = entry.key.as_str();
        // What is no key on a line is none with -z, but for what -z is for.
        if !name.contains(['\n', '\r', '\t', '"']) {
            let alone = lines::read_lines(name, &LineOptions::default());
            prop_assert!(alone.is_ok(), "{alone:?}");
        }
    }
    let all = checked(&text, Some(all))?;
    Ok(format!("{} {all}", checked(&text, Some(list))?))
}

pub(crate) fn git_name(input: &[u8]) -> Checked {
    let text = text(input);
    match git::unquote(&text) {
        Ok(name) => {
            // A name has one quoted form, but for core.quotePath.
            prop_assert!(occurs_whole(&text, &name), "{name:?}");
            Ok(magnitude(name.len()).to_string())
        }
        Err(error) => {
            check_one_line(error, LONGEST).map_err(|_| TestCaseError::fail(error))?;
            Ok(error.to_owned())
        }
    }
}
