//! `plan --explain`: whether the distribution sends requests for a key's URLs to the bucket, and why.

use serde::Serialize;

use super::terminal::{MAX_ROWS, more, say, table};
use crate::change::ObjectKey;
use crate::change::text::one_line;
use crate::path::{Mapping, NotServed};

/// One URL of a key. `url` is `None` for a key without URLs.
#[derive(Serialize)]
pub(super) struct Row {
    key: String,
    url: Option<String>,
    #[serde(rename = "served")]
    is_served: bool,
    /// Why requests for the URL are sent to the bucket or not.
    message: String,
}

/// Returns the URLs of the keys.
pub(super) fn rows(mapping: &Mapping, keys: &[ObjectKey]) -> Vec<Row> {
    let mut rows = Vec::new();
    for key in keys {
        let name = key.as_str();
        let urls = mapping.explain(key);
        if urls.is_empty() {
            let message = format!("not served: {}", NotServed::OutsideOriginPath);
            rows.push(Row { key: name.to_owned(), url: None, is_served: false, message });
        }
        rows.extend(urls.into_iter().map(|it| Row {
            key: name.to_owned(),
            is_served: it.routing.is_served(),
            message: it.routing.to_string(),
            url: Some(it.url.text),
        }));
    }
    rows
}

pub(super) fn print(mapping: &Mapping, keys: &[ObjectKey]) {
    let rows = rows(mapping, keys);
    let count = rows.len();
    let mut explained = table(&["KEY", "URL", "REASON"]);
    for row in rows.into_iter().take(MAX_ROWS) {
        explained.add_row([one_line(&row.key), row.url.unwrap_or_default(), row.message]);
    }
    say(explained.trim_fmt());
    more(count, "URL");
    say("");
}
