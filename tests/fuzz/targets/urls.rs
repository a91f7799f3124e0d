//! The forms of URLs in a bucket's tag: exactly what their grammar allows is accepted, and every key has valid paths.

use std::cell::Cell;
use std::sync::Arc;

use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use s3_cloudfront_invalidator::change::{Bucket, BucketName, ObjectKey};
use s3_cloudfront_invalidator::path::{
    Behavior, BucketDefaults, DIRECTORY_URLS_TAG, DistributionConfig, INDEX_DOCUMENTS_TAG, InvalidationPath, Mapping,
    Origin, QUERY_STRINGS_TAG, Tags, URLS_TAG, UrlFormError, UrlForms,
};

use crate::driver::Checked;
use crate::rules::{check_one_line, is_path, magnitude, message_kind};

/// Whether `form` is a form: literals, at most one word for the key, and `:any` at most at the end; at least one word.
fn is_form(form: &str) -> bool {
    let Some(body) = form.strip_prefix('/') else { return false };
    let mut parts = body.split(':');
    let mut literals = parts.next().unwrap().to_owned();
    let mut words = Vec::new();
    for part in parts {
        let literal = part.trim_start_matches(|c: char| c.is_lowercase());
        words.push((&part[..part.len() - literal.len()], literal.is_empty()));
        literals += literal;
    }
    if words.last().is_some_and(|last| *last == ("any", true)) {
        words.pop();
    } else if words.is_empty() {
        return false;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-=._/@".contains(c);
    let is_literal = literals.chars().all(|c| is_plain(c) || c == '+' || !c.is_ascii() && c.is_alphanumeric());
    let encoded: usize = literals.chars().map(|c| if is_plain(c) { 1 } else { 3 * c.len_utf8() }).sum();
    // In 4,000 characters there must be room for two slashes, a key of 1,024 encoded bytes, and `?*`.
    let is_short = encoded <= 4000 - 2 - 3 * 1024 - 2;
    // Empty only at the end, and no dots alone.
    let segments: Vec<_> = form.split('/').skip(1).collect();
    let is_requested = segments
        .iter()
        .enumerate()
        .all(|(index, segment)| ![".", ".."].contains(segment) && (!segment.is_empty() || index + 1 == segments.len()));
    words.len() <= 1
        && is_requested
        && words.iter().all(|(word, _)| ["key", "rest", "page", "restpage"].contains(word))
        && is_literal
        && is_short
}

/// The tag's value in the first line, index documents in the second, the key in the rest.
pub(crate) fn urls(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.splitn(3, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (value, names, key) = (part(), part().replace('/', ""), part());
    let forms: Vec<_> = value.split(char::is_whitespace).filter(|form| !form.is_empty()).collect();
    let first_bad = forms.iter().position(|form| !is_form(form));
    let parsed = match UrlForms::parse(value) {
        Ok(parsed) => parsed,
        Err(error) => {
            match &error {
                UrlFormError::Empty => prop_assert!(forms.is_empty()),
                UrlFormError::Form { number, character, .. } => {
                    prop_assert_eq!(Some(number - 1), first_bad, "{}", error);
                    prop_assert!((1..=forms[number - 1].chars().count() + 1).contains(character), "{error}");
                }
            }
            let tags = Tags::from([("distributionId".into(), "E1".into()), (URLS_TAG.into(), value.into())]);
            let message = defaults().parse(&tags).unwrap_err().to_string();
            prop_assert!(message.contains(&error.to_string()), "{message}");
            check_one_line(&message, 1500)?;
            return Ok(message_kind(&error.to_string()));
        }
    };
    prop_assert!(first_bad.is_none() && !forms.is_empty(), "{value:?}");
    prop_assert_eq!(parsed.to_string(), forms.join(" "));
    prop_assert_eq!(UrlForms::parse(&parsed.to_string()), Ok(parsed));
    let Ok(key) = ObjectKey::new(key) else { return Ok("no key".into()) };
    let mut paths = 0;
    for (directories, queries) in [("slash", "ignore"), ("slash", "include"), ("both", "ignore"), ("both", "include")] {
        let tags = [
            ("distributionId", "E1"),
            (URLS_TAG, value),
            (INDEX_DOCUMENTS_TAG, &names),
            (DIRECTORY_URLS_TAG, directories),
            (QUERY_STRINGS_TAG, queries),
        ];
        let tags: Tags = tags.iter().map(|&(tag, value)| (tag.to_owned(), value.to_owned())).collect();
        let options = defaults().parse(&tags).unwrap().unwrap();
        let bucket = Bucket { name: BucketName::new("site").unwrap(), region: None };
        for mapping in [Mapping::without_config(&options), Mapping::new(&bucket, &options, Some(&config(&names)))] {
            paths += check(&mapping, &key, forms.len())?;
        }
    }
    let words = ["key", "rest", "page", "any"].map(|word| value.contains(word));
    Ok(format!("{words:?} {} {}", magnitude(forms.len()), magnitude(paths)))
}

/// Checks the paths of a key, and returns their number.
fn check(mapping: &Mapping, key: &ObjectKey, forms: usize) -> Result<usize, TestCaseError> {
    let paths = mapping.paths(key).unwrap();
    // The key, its directory with and without slash, each with two spellings of a space, and each with query strings; of
    // the default root object also its own URL and `/`.
    prop_assert!(!paths.is_empty() && paths.len() <= forms * 12 + 4, "{paths:?}");
    prop_assert!(paths.is_sorted_by(|a, b| a < b), "{paths:?}");
    for path in &paths {
        prop_assert!(is_path(path.as_str(), true), "{path}");
        prop_assert_eq!(InvalidationPath::parse(path.as_str()), Ok(path.clone()));
    }
    if mapping.is_invertible() {
        for url in mapping.served_urls(key) {
            let is_end = |end: &usize| ![end - 1, end.saturating_sub(2)].iter().any(|&at| url.as_bytes()[at] == b'%');
            for end in (1..=url.len()).step_by(1 + url.len() / 16).filter(is_end) {
                let is_found = Cell::new(false);
                let is_known = mapping.all_keys_below(&url[..end], |prefix| {
                    is_found.set(is_found.get() || key.as_str().starts_with(prefix));
                    true
                });
                prop_assert!(!is_known || is_found.get(), "{key} is below {:?}", &url[..end]);
            }
        }
    }
    Ok(paths.len())
}

fn defaults() -> BucketDefaults {
    BucketDefaults { distribution_tag: "distributionId".into(), index_documents: Vec::new() }
}

/// A config with an edge function, and with the index documents' first name as default root object.
fn config(names: &str) -> Arc<DistributionConfig> {
    let events = ["origin-request"];
    Arc::new(DistributionConfig {
        origins: vec![Origin::new("s3", "site.s3.amazonaws.com", "").unwrap()],
        behaviors: vec![Behavior::new(None, "s3", None, false, events).unwrap()],
        default_root_object: DistributionConfig::root_object(names.split_whitespace().next()),
        ..DistributionConfig::default()
    })
}
