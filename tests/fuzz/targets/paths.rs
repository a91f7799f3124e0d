//! The paths of keys, and paths and cache tags that a person names.

use std::collections::BTreeSet;

use proptest::{prop_assert, prop_assert_eq};
use s3_cloudfront_invalidator::change::ObjectKey;
use s3_cloudfront_invalidator::path::{InvalidationPath, Item, OriginPath, named_items, viewer_paths, viewer_urls};

use crate::driver::Checked;
use crate::edge::Edge;
use crate::rules::{check_one_line, form_decoded, is_path, magnitude, message_kind};

/// The origin path in the first line, index documents separated by commas in the second, the key in the rest.
pub(crate) fn path(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.splitn(3, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (origin_path, index_documents, key) = (part(), part(), part());
    let index_documents: Vec<_> = index_documents.split(',').map(str::to_owned).collect();
    let origin_path = match OriginPath::parse(origin_path) {
        Ok(origin_path) => origin_path,
        Err(error) => {
            check_one_line(&error.to_string(), 1500)?;
            OriginPath::default()
        }
    };
    let Ok(key) = ObjectKey::new(key) else { return Ok("no key".into()) };
    let outside = origin_path.to_string();
    let inside = match outside.strip_prefix('/') {
        None => Some(key.as_str()),
        Some(folder) => key.as_str().strip_prefix(&format!("{folder}/")),
    };
    let Some(viewer_key) = origin_path.strip(&key) else {
        prop_assert_eq!(inside, None);
        return Ok("outside".into());
    };
    prop_assert_eq!(Some(viewer_key.as_str()), inside);
    let key = viewer_key.as_str();

    let urls = viewer_urls(viewer_key, &index_documents);
    let (directory, file) = key.rsplit_once('/').map_or((String::new(), key), |(it, file)| (format!("{it}/"), file));
    let is_index = index_documents.iter().any(|name| name == file);
    let mut spelt = BTreeSet::new();
    for url in &urls {
        let Some(url) = url.strip_prefix('/') else { panic!("{url}") };
        prop_assert!(!(url.contains('+') && url.contains("%20")), "two spellings of a space: {url}");
        spelt.insert((form_decoded(url), url.contains('+')));
    }
    let mut expected = BTreeSet::new();
    for form in std::iter::once(key.to_owned()).chain(is_index.then_some(directory)) {
        let spaces = form.contains(' ');
        expected.extend([(form.clone(), false), (form, spaces)]);
    }
    prop_assert_eq!(spelt, expected);

    let paths = viewer_paths(viewer_key, &index_documents);
    prop_assert!((1..=4).contains(&paths.len()));
    prop_assert!(paths.is_sorted_by(|a, b| a < b), "{:?}", paths);
    for path in &paths {
        let path = path.as_str();
        prop_assert!(is_path(path, false), "{path}");
        // A path is one of the URLs, or is cut before a `~`, which cannot be invalidated.
        let of = |url: &String| url == path || url.split_once('~').is_some_and(|(it, _)| format!("{it}*") == path);
        prop_assert!(urls.iter().any(of), "{path} of {urls:?}");
    }
    let evicted = Edge::new(urls.clone()).invalidate(paths.iter().map(InvalidationPath::as_str));
    prop_assert_eq!(evicted, urls.iter().cloned().collect());
    let longest = paths.iter().map(|it| it.as_str().len()).max().unwrap_or_default();
    Ok(format!("{} {} {is_index} {}", urls.len(), paths.len(), magnitude(longest)))
}

/// One item in each line.
pub(crate) fn items(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let mut each = Vec::new();
    for line in text.split('\n') {
        match Item::named(line) {
            Ok(item) => {
                prop_assert_eq!(&Item::named(item.as_str()), &Ok(item.clone()), "named again it is another");
                let valid = match item.as_str().strip_prefix('#') {
                    Some(tag) => {
                        (1..=256).contains(&tag.len())
                            && tag.chars().all(|c| matches!(c, '!'..='~') && c != ',')
                            && !tag.ends_with('*')
                    }
                    None => is_path(item.as_str(), true),
                };
                prop_assert!(valid, "{item}");
                prop_assert_eq!(item.as_str().ends_with('*'), line.ends_with('*'), "{}", item);
                each.push(item);
            }
            Err(error) => {
                check_one_line(&error.to_string(), 1500)?;
                let path = line.split('?').next().unwrap().to_lowercase().replace("%2e", ".");
                let is_blank =
                    |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}');
                let is_quoted = |quote: char| line.starts_with(quote) && line.ends_with(quote);
                let hopeless = ["~", "%7E", "%7e", "%2A", "%2a"].iter().any(|it| line.contains(it))
                    || line.starts_with(is_blank)
                    || line.ends_with(is_blank)
                    || line.strip_suffix('*').unwrap_or(line).contains('*')
                    || path.split('/').any(|segment| segment == "." || segment == "..")
                    || line.contains("\r/")
                    || line.contains("://")
                    || is_quoted('"')
                    || is_quoted('\'');
                prop_assert!(
                    line.is_empty() || line.starts_with('#') || hopeless || 3 * line.len() >= 4000,
                    "{line:?}: {error}"
                );
            }
        }
    }
    match named_items(text.split('\n')) {
        Ok((items, left_out)) => {
            prop_assert_eq!(items.len() + left_out, each.len());
            prop_assert!(items.iter().all(|item| each.contains(item)), "wider than named: {:?}", items);
            let covers = |by: &Item, item: &Item| match (by, item) {
                (Item::Path(by), Item::Path(item)) => by.covers(item),
                _ => by.as_str().eq_ignore_ascii_case(item.as_str()),
            };
            for item in &each {
                prop_assert!(items.iter().any(|it| covers(it, item)), "{item} is lost");
            }
            for (index, item) in items.iter().enumerate() {
                let twice = items.iter().enumerate().any(|(other, by)| other != index && covers(by, item));
                prop_assert!(!twice, "{item} is redundant in {items:?}");
            }
            Ok(format!("{} {}", magnitude(items.len()), magnitude(each.len() - items.len())))
        }
        Err(error) => {
            check_one_line(&error.to_string(), 1500)?;
            let all = each.len() == text.split('\n').count();
            prop_assert!(!all || each.len() > 15, "{error}");
            Ok(message_kind(&error.to_string()))
        }
    }
}
