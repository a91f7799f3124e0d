//! Keys as S3 encodes them, compared with `form_urlencoded`, which decodes as browsers do.

use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use s3_cloudfront_invalidator::change::ObjectKey;
use s3_cloudfront_invalidator::event::{Event, KeyError, decode, decode_key};
use s3_cloudfront_invalidator::local::events::{encode_key, event_bridge, notification, record};

use crate::driver::Checked;
use crate::rules::{check_one_line, form_decoded, magnitude, message_kind};

pub(crate) fn key(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    as_encoded(&text)?;
    as_literal(&text)?;
    let decoded = decode_key(&text);
    Ok(match decoded {
        Ok(key) => format!("{} {} {}", magnitude(key.as_str().len()), text.contains('%'), text.contains('+')),
        Err(error) => message_kind(&error.to_string()),
    })
}

/// `text` as an encoded key: decoded correctly, or refused for the right reason.
fn as_encoded(text: &str) -> Result<(), TestCaseError> {
    let escape = |at: usize| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
    };
    let bad_escape = text.match_indices('%').map(|(at, _)| at).find(|at| !escape(*at));
    let expected = form_decoded(text);
    match decode_key(text) {
        Ok(key) => {
            prop_assert_eq!(bad_escape, None);
            prop_assert_eq!(key.as_str(), &expected);
            // `form_urlencoded` writes U+FFFD for what is not UTF-8. An accepted key has only as many as the input
            // contains.
            let written = text.matches('\u{fffd}').count() + text.to_uppercase().matches("%EF%BF%BD").count();
            prop_assert_eq!(expected.matches('\u{fffd}').count(), written);
        }
        Err(error) => {
            check_one_line(&error.to_string(), 1500)?;
            match error {
                // An escape cannot begin within another, since `%` is no hex digit.
                KeyError::Escape(at) => prop_assert_eq!(Some(at), bad_escape),
                KeyError::NotUtf8(at) => prop_assert!(expected[at..].starts_with('\u{fffd}'), "{at} {expected:?}"),
                KeyError::Length(_) => prop_assert!(!(1..=1024).contains(&expected.len()), "{expected:?}"),
            }
        }
    }
    Ok(())
}

/// `text` as a key: it is the same after an event notification, where it is encoded, and after EventBridge, where it is
/// literal.
fn as_literal(text: &str) -> Result<(), TestCaseError> {
    let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let whole = notification(&[record("ObjectCreated:Put", "site", text)]);
    let literal = event_bridge("Object Created", "site", text).to_string();
    let Ok(key) = ObjectKey::new(text) else {
        prop_assert!(decode_key(&form).is_err());
        return Ok(());
    };
    for encoded in [form, encode_key(text)] {
        prop_assert_eq!(decode_key(&encoded), Ok(key.clone()));
    }
    for event in [whole, literal] {
        let Ok(Event::Changes(batch)) = decode(event.as_bytes()) else { return Err(TestCaseError::fail(event)) };
        prop_assert_eq!(batch.changes.iter().map(|it| &it.key).collect::<Vec<_>>(), [&key]);
    }
    Ok(())
}
