//! Errors of the command line. Each names what is wrong, where it is, and the remedy.

use s3_cloudfront_invalidator::local::events::{notification, record};
use serde_json::json;

use crate::cli::plan::invalidator;

/// An environment with a Region but without credentials. Instance metadata, the last source of them, is disabled.
pub(crate) const NO_CREDENTIALS: [(&str, &str); 2] =
    [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_REGION", "eu-central-1")];

/// Runs a command that must fail without output, and returns its error output.
fn error_output(arguments: &[&str], environment: &[(&str, &str)], input: &[u8]) -> String {
    let (success, printed, errors) = invalidator(arguments, environment, input);
    assert!(!success && printed.is_empty(), "{arguments:?}: {printed}{errors}");
    errors
}

#[test]
fn a_bucket_that_the_input_does_not_contain_is_named() {
    let event = notification(&[record("ObjectCreated:Put", "site", "a.txt"), record("ObjectCreated:Put", "docs", "b")]);
    let request = json!({ "bucket": "site", "keys": ["a.txt"] }).to_string();
    for command in ["plan", "invalidate"] {
        for (input, about) in [(&event, "docs, site"), (&request, "site")] {
            let errors =
                error_output(&[command, "--event", "-", "--bucket", "sitee"], &NO_CREDENTIALS, input.as_bytes());
            assert!(errors.contains(about) && errors.contains("not sitee; correct --bucket"), "{errors}");
        }
        let errors =
            error_output(&[command, "--keys", "-", "--bucket", "my-data--euc1-az1--x-s3"], &NO_CREDENTIALS, b"a");
        assert!(errors.contains("is a directory bucket"), "{errors}");
    }
    let (success, printed, errors) = invalidator(&["plan", "--event", "-", "--bucket", "site"], &[], event.as_bytes());
    assert!(success && printed.contains("/a.txt") && !printed.contains("/b"), "{printed}{errors}");
}

#[test]
fn errors_name_standard_input() {
    let twice = error_output(&["plan", "--keys", "-", "--listing", "-"], &[], b"a");
    assert!(twice.contains("standard input can be read only once"), "{twice}");
    let odd = error_output(&["plan", "--sync", "-"], &[], b"upload: a to s3://my-site/a\nodd");
    assert!(odd.contains("standard input: line 2: \"odd\" does not look like output of"), "{odd}");
    let event = error_output(&["plan", "--event", "-"], &[], br#"{"Records":[{"eventSource":"aws:kinesis"}]}"#);
    assert!(event.contains("standard input: the event is not recognized"), "{event}");
    let wide: Vec<_> = "a.txt".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = error_output(&["plan", "--keys", "-"], &[], &[&[0xff, 0xfe], &wide[..]].concat());
    assert!(wide.contains("standard input: the input is UTF-16") && wide.contains("UTF-16"), "{wide}");
}

/// The files of another option would otherwise invalidate everything.
#[test]
fn an_event_that_names_nothing_is_not_sent() {
    for event in [&b"[\"a b.html\"]"[..], b"{}", br#"{"ETag":"E2QWRUHEXAMPLE"}"#] {
        let arguments = ["invalidate", "--distribution", "E1", "--event", "-"];
        let errors = error_output(&arguments, &NO_CREDENTIALS, event);
        assert!(
            errors.contains("the event names nothing") && errors.contains("use --keys for a list of keys"),
            "{errors}"
        );
        let (success, printed, errors) = invalidator(&["plan", "--event", "-"], &[], event);
        assert!(success && printed.contains("/*") && errors.starts_with("The event names nothing;"), "{errors}");
    }
}

#[test]
fn an_event_of_many_buckets_has_a_short_error() {
    let records: Vec<_> = (0..5000).map(|it| record("ObjectCreated:Put", &format!("bucket-{it}"), "a")).collect();
    for bucket in [&[][..], &["--bucket", "other"]] {
        let errors =
            error_output(&[&["plan", "--event", "-"], bucket].concat(), &[], notification(&records).as_bytes());
        assert!(errors.contains("and 4990 more") && errors.len() < 400, "{errors}");
    }
}

#[test]
fn all_unreadable_records_are_counted() {
    let records: Vec<_> =
        (0..300).map(|_| json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put" })).collect();
    let event = json!({ "Records": records }).to_string();
    for command in ["plan", "invalidate"] {
        let (success, _, errors) = invalidator(&[command, "--event", "-"], &NO_CREDENTIALS, event.as_bytes());
        assert!(!success && errors.contains("cannot read 300 records of the event: Records[0]"), "{errors}");
        assert!(errors.contains("and 290 more") && errors.lines().count() == 1, "{errors}");
    }
}

#[test]
fn missing_credentials_are_reported_before_any_call() {
    let invalidate = ["invalidate", "--distribution", "E1", "--paths", "/*"];
    let without_credentials = error_output(&invalidate, &NO_CREDENTIALS, b"");
    assert!(
        without_credentials.contains("unable to locate credentials") && without_credentials.contains("--profile"),
        "{without_credentials}"
    );
    assert!(!without_credentials.contains("\\n"), "{without_credentials}");
    let home = std::env::temp_dir().join(format!("cli-errors-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let (config, credentials) = (home.join("config"), home.join("credentials"));
    std::fs::write(&config, "[profile broken]\ncredential_process = /nowhere/at-all\n").unwrap();
    std::fs::write(&credentials, "").unwrap();
    let shared =
        [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap())];
    let environment = [&NO_CREDENTIALS[..], &shared[..]].concat();
    let broken = error_output(&[&invalidate[..], &["--profile", "broken"]].concat(), &environment, b"");
    std::fs::remove_dir_all(&home).unwrap();
    assert!(broken.contains("loading credentials") && broken.contains("correct the profile"), "{broken}");
    let without_region = error_output(&invalidate, &NO_CREDENTIALS[..1], b"");
    assert!(without_region.contains("no Region configured; set --region"), "{without_region}");
    for (arguments, environment, expected) in [
        (&["--endpoint-url", "localhost:4566"][..], None, "not an endpoint URL, such as"),
        (&[], Some(("AWS_ENDPOINT_URL", "foo")), "AWS_ENDPOINT_URL \"foo\": not an endpoint URL"),
        (&["--region", "eu west"], None, "is not a Region name"),
        (&[], Some(("AWS_REGION", "eu west")), "AWS_REGION or the profile's region: \"eu west\" is not a Region name"),
        (&["--timeout", "5"], None, "not a number from 10 to 3600"),
    ] {
        let environment: Vec<_> = NO_CREDENTIALS.into_iter().chain(environment).collect();
        let errors = error_output(&[&invalidate[..], arguments].concat(), &environment, b"");
        assert!(errors.contains(expected) && !errors.contains("SdkBody"), "{errors}");
    }
}
