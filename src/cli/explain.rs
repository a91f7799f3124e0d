//! `plan --explain`: whether the distribution sends requests for a key's URLs to the bucket, and why.

use serde::Serialize;

use super::terminal::{self, MAX_ROWS, keep_on_one_line, more, say, table};
use crate::change::ObjectKey;
use crate::change::text::{excerpt, one_line};
use crate::path::{Behavior, Mapping, Routing};

/// One URL of a key. `url` is `None` for a key without URLs.
#[derive(Serialize)]
pub(super) struct Row {
    key: String,
    url: Option<String>,
    /// The form that the URL has, if forms are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<String>,
    #[serde(rename = "served")]
    is_served: bool,
    /// Why requests for the URL are sent to the bucket or not.
    message: String,
}

/// Returns the URLs of the keys, with their forms if `has_forms`.
pub(super) fn rows(mapping: &Mapping, keys: &[ObjectKey], has_forms: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for key in keys {
        let name = key.as_str();
        let urls = mapping.explain(key);
        if urls.is_empty() {
            let message = "not served: outside the origin path".to_owned();
            rows.push(Row { key: name.to_owned(), url: None, form: None, is_served: false, message });
        }
        rows.extend(urls.into_iter().map(|it| Row {
            key: name.to_owned(),
            is_served: it.routing.is_served(),
            message: reason(it.routing),
            form: has_forms.then(|| it.form.to_owned()),
            url: Some(it.url.text),
        }));
    }
    rows
}

fn reason(routing: Routing<'_>) -> String {
    let sends = |behavior: &Behavior| {
        let (pattern, target) = (excerpt(&behavior.pattern.to_string()), excerpt(&behavior.target));
        format!("cache behavior {pattern} sends requests to origin \"{target}\"")
    };
    match routing {
        Routing::ConfigUnknown => "the distribution config is unknown".to_owned(),
        Routing::EdgeFunction => "an edge function may send requests to the bucket".to_owned(),
        Routing::ToBucket(behavior) => sends(behavior),
        Routing::NotCached(behavior) => {
            let pattern = excerpt(&behavior.pattern.to_string());
            format!("not cached: cache behavior {pattern} has the cache policy CachingDisabled")
        }
        Routing::OtherOrigin(behavior) => format!("not served: {}", sends(behavior)),
        Routing::NoBehavior => "not served: no cache behavior matches".to_owned(),
    }
}

pub(super) fn print(mapping: &Mapping, keys: &[ObjectKey], has_forms: bool) {
    let rows = rows(mapping, keys, has_forms);
    let count = rows.len();
    let columns: &[&str] = if has_forms { &["KEY", "FORM", "URL", "REASON"] } else { &["KEY", "URL", "REASON"] };
    let mut explained = table(columns);
    for row in rows.into_iter().take(MAX_ROWS) {
        let form = has_forms.then(|| row.form.unwrap_or_default());
        let cells = [Some(one_line(&row.key)), form, Some(row.url.unwrap_or_default()), Some(row.message)];
        explained.add_row(cells.into_iter().flatten());
    }
    let names: &[usize] = if has_forms { &[0, 1, 2] } else { &[0, 1] };
    keep_on_one_line(&mut explained, names);
    terminal::print(explained);
    more(count, "URL");
    say("");
}
