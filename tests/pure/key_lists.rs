//! Lists of keys: what people really send is read as it is meant, or refused with the way out.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use s3_cloudfront_invalidator::cli::keys::{
    InputError, KeyList, LineOptions, aws_cli, git, json, lines, listing, read, read_aws_output,
};
use serde_json::Value;

use crate::document_links::read as file;
use crate::whole_keys::occurs_whole;

/// Reads a list as the options of a command say.
fn read_with(option: &str, input: &str) -> Result<KeyList, InputError> {
    let strip_prefix = option.split_once("--strip-prefix ").map(|(_, prefix)| prefix.to_owned());
    let options = LineOptions { literal: option.ends_with("--lines"), strip_prefix };
    match option {
        "--sync" => read_aws_output(input.as_bytes()),
        _ => read(input.as_bytes(), option.starts_with("-z"), &options),
    }
}

fn names(list: &KeyList) -> Vec<&str> {
    list.entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

#[test]
fn real_lists_are_read_or_refused_with_the_way_out() {
    let cases: Value = serde_json::from_str(&file("tests/data/key-lists.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 150);
    for case in cases {
        let [name, option, input] = ["name", "option", "input"].map(|field| case[field].as_str().unwrap());
        assert!(!case["source"].as_str().unwrap().is_empty(), "{name}");
        match (read_with(option, input), case.get("keys")) {
            (Ok(list), Some(keys)) => {
                assert_eq!(names(&list), strings(keys), "{name}");
                let likely: Vec<_> = list.uncertain.iter().flat_map(|line| &line.likely).collect();
                let expected = case.get("uncertain").map(strings);
                assert_eq!(list.uncertain.is_empty(), expected.is_none(), "{name}: {list:?}");
                assert_eq!(
                    likely.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(),
                    expected.unwrap_or_default(),
                    "{name}"
                );
                if let Some(owner) = case.get("owner") {
                    let owners = list.entries.iter().map(|entry| entry.owner.as_ref().unwrap().to_string());
                    assert_eq!(
                        owners.collect::<BTreeSet<_>>(),
                        BTreeSet::from([owner.as_str().unwrap().to_owned()]),
                        "{name}"
                    );
                }
            }
            (Err(error), None) => {
                let expected = case["error"].as_str().unwrap();
                assert!(error.to_string().contains(expected), "{name}: {error}");
                assert!(!error.remedy.is_empty(), "{name}");
            }
            (read, _) => panic!("{name}: {read:?}"),
        }
    }
}

/// Recorded with version 1.46 of the AWS CLI: 75 of 300 files with odd names.
#[test]
fn the_aws_clis_own_progress_hides_no_upload() {
    let output = file("tests/fixtures/keys/sync-with-progress.txt");
    let expected: Value = serde_json::from_str(&file("tests/fixtures/keys/sync-with-progress.keys.json")).unwrap();
    let list = read_aws_output(output.as_bytes()).unwrap();
    assert!(output.matches("Completed ").count() > 75 && list.uncertain.is_empty(), "{list:?}");
    assert_eq!(names(&list), strings(&expected));
    assert!(names(&list).iter().any(|name| name.ends_with(' ')));
}

/// Nothing shows where the padding of a deletion begins.
#[test]
fn the_aws_clis_own_deletions_are_certain_only_without_padding() {
    let output = file("tests/fixtures/keys/sync-delete-with-progress.txt");
    let list = read_aws_output(output.as_bytes()).unwrap();
    assert_eq!(list.entries.len() + list.uncertain.len(), output.lines().count());
    let uploads = output.matches("upload: ").count();
    assert!(list.entries.iter().filter(|entry| entry.key.as_str().ends_with(' ')).count() <= uploads, "{list:?}");
    assert!(list.uncertain.len() > 10 && list.uncertain.iter().all(|line| line.likely.len() == 1), "{list:?}");
}

#[test]
fn what_is_not_utf_8_is_named_with_its_line() {
    let wide: Vec<_> = "a.txt".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let options = LineOptions::default();
    let error = read(&[&[0xff, 0xfe], &wide[..]].concat(), false, &options).unwrap_err();
    assert!(error.to_string().contains("UTF-16"), "{error}");
    let error = read(b"a\nb\nc\xffd\n", false, &options).unwrap_err();
    assert_eq!(error.line, Some(3));
    let long = "k".repeat(1025);
    assert!(read(long.as_bytes(), false, &options).unwrap_err().to_string().contains("line 1"));
}

/// The formats of lists, written independently of their readers.
#[derive(Clone, Copy, Debug)]
enum Format {
    Lines,
    Null,
    Git,
    JsonPretty,
    Json,
    Sync,
    Progress,
    Move,
    Listing,
    Readable,
    Text,
    S5cmd,
    Rclone,
    Inventory,
    Objects,
    Sizes,
    Status,
    Log,
    NullStatus,
    NullFind,
}

const FORMATS: [Format; 20] = [
    Format::Lines,
    Format::Null,
    Format::Git,
    Format::JsonPretty,
    Format::Json,
    Format::Sync,
    Format::Progress,
    Format::Move,
    Format::Listing,
    Format::Readable,
    Format::Text,
    Format::S5cmd,
    Format::Rclone,
    Format::Inventory,
    Format::Objects,
    Format::Sizes,
    Format::Status,
    Format::Log,
    Format::NullStatus,
    Format::NullFind,
];

fn written(format: Format, keys: &[String]) -> String {
    let each = |line: &dyn Fn(&String) -> String| keys.iter().map(line).collect::<String>();
    match format {
        Format::Lines => each(&|key| format!("{key}\n")),
        Format::Null => each(&|key| format!("{key}\0")),
        Format::Git => each(&|key| {
            let escaped = |byte| if byte < 0x80 { char::from(byte).to_string() } else { format!("\\{byte:03o}") };
            if key.is_ascii() {
                format!("{key}\n")
            } else {
                format!("\"{}\"\n", key.bytes().map(escaped).collect::<String>())
            }
        }),
        Format::JsonPretty => serde_json::to_string_pretty(keys).unwrap() + "\n",
        Format::Json => serde_json::to_string(keys).unwrap(),
        Format::Sync => each(&|key| format!("upload: site/{key} to s3://my-site/{key}\n")),
        Format::Progress => each(&|key| {
            let progress = "Completed 12 Bytes/~143.6 KiB (17.5 KiB/s) with ~4 file(s) remaining (calculating...)";
            let line = format!("upload: site/{key} to s3://my-site/{key}");
            format!("{progress}\r{line:<width$}\n", width = progress.len())
        }),
        Format::Move => each(&|key| format!("move: s3://my-site/old/{key} to s3://my-site/{key}\n")),
        Format::Listing => each(&|key| format!("2026-01-02 03:04:05 {:>10} {key}\n", key.len())),
        Format::Readable => each(&|key| format!("2026-01-02 03:04:05 {:>10} {key}\n", "1.2 KiB")),
        Format::Text => keys.join("\t") + "\n",
        Format::S5cmd => each(&|key| format!("cp site/{key} s3://my-site/{key}\n")),
        Format::Rclone => each(&|key| format!("2024/05/01 10:00:00 INFO  : {key}: Copied (new)\n")),
        Format::Inventory => each(&|key| format!("\"my-site\",\"{key}\",\"12\"\n")),
        Format::Sizes => each(&|key| format!("{:>9} {key}\n", key.len())),
        Format::Status => each(&|key| format!("RM {key}\n")),
        Format::Log => each(&|key| format!("2024-05-01T10:00:00.1Z upload: {key} to s3://my-site/{key}\n")),
        Format::NullStatus => each(&|key| format!(" M {key}\0")),
        Format::NullFind => each(&|key| format!("./{key}\0")),
        Format::Objects => serde_json::json!({ "Contents": keys }).to_string(),
    }
}

fn key() -> impl Strategy<Value = String> {
    let part = vec!["a", "B7", "é", "世", " ", "/", ".html", "[id]", "to", "%20", "+", "'", ":", "s3:", "0"];
    let first = select(vec!["x", "é", "[", "7", "k/"]);
    (first, vec(select(part), 0..6)).prop_map(|(first, parts)| format!("{first}{}", parts.concat()))
}

/// Every reader on its own, each with what it read.
fn readers(input: &str) -> Vec<(&'static str, Result<KeyList, InputError>)> {
    let plain = LineOptions::default();
    let literal = LineOptions { literal: true, strip_prefix: None };
    let alone = [("json", json::read(input)), ("aws_cli", aws_cli::read(input)), ("listing", listing::read(input))];
    let alone = alone.into_iter().filter_map(|(name, read)| Some((name, read?)));
    alone
        .chain([
            ("keys", read(input.as_bytes(), false, &plain)),
            ("sync", read_aws_output(input.as_bytes())),
            ("null", lines::read_null_separated(input, &plain)),
            ("literal null", lines::read_null_separated(input, &literal)),
            ("lines", lines::read_lines(input, &plain)),
            ("literal lines", lines::read_lines(input, &literal)),
        ])
        .collect()
}

/// Whatever a reader gets, its keys occur whole in it.
fn check(input: &str) -> Result<(), TestCaseError> {
    for (reader, list) in readers(input) {
        let Ok(list) = list else { continue };
        for entry in &list.entries {
            prop_assert!(occurs_whole(input, entry.key.as_str()), "{reader} read {:?} from {input:?}", entry.key);
        }
    }
    for line in input.lines() {
        if let Ok(name) = git::unquote(line) {
            prop_assert!(occurs_whole(line, &name), "{name:?} from {line:?}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_list_is_read_exactly_or_refused(keys in vec(key(), 1..6), format in select(FORMATS.to_vec())) {
        let input = written(format, &keys);
        let is_null = matches!(format, Format::Null | Format::NullStatus | Format::NullFind);
        if let Ok(list) = read(input.as_bytes(), is_null, &LineOptions::default()) {
            let read: Vec<_> = list.entries.iter().map(|entry| entry.key.as_str().to_owned()).collect();
            let expected = match format {
                Format::Move => keys.iter().flat_map(|key| [format!("old/{key}"), key.clone()]).collect(),
                _ => keys.clone(),
            };
            if list.uncertain.is_empty() {
                prop_assert_eq!(read, expected, "{:?} {:?}", format, input);
            } else {
                prop_assert!(read.iter().all(|key| expected.contains(key)), "{:?} {:?}", read, expected);
            }
        }
        check(&input)?;
    }

    #[test]
    fn formats_that_are_mixed_or_cut_yield_only_whole_keys(
        documents in vec((vec(key(), 0..4), select(FORMATS.to_vec())), 1..4),
        cuts in vec(any::<Index>(), 0..3),
        joins_lines in any::<bool>(),
    ) {
        let mut input: String = documents.iter().map(|(keys, format)| written(*format, keys)).collect();
        if joins_lines {
            let mut lines: Vec<_> = input.split_inclusive('\n').collect();
            lines.sort_unstable_by_key(|line| line.len());
            input = lines.concat();
        }
        for cut in cuts {
            let ends: Vec<_> = input.char_indices().map(|(at, _)| at).collect();
            if !ends.is_empty() {
                input.truncate(ends[cut.index(ends.len())]);
            }
        }
        check(&input)?;
    }
}
