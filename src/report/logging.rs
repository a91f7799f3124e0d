//! Log lines for CloudWatch Logs: JSON if Lambda's log format is JSON, otherwise text.
//!
//! Lambda's own settings apply (`AWS_LAMBDA_LOG_FORMAT`, `AWS_LAMBDA_LOG_LEVEL`). For debugging, `RUST_LOG` overrides
//! the level. At TRACE the Lambda runtime logs whole events, which can hold credentials, and the SDK whole requests
//! with their headers; at DEBUG the SDK still logs what it signs, access key included. So the SDK is capped at INFO and
//! every other crate but this one at DEBUG, whatever level is set.

use std::fmt::{Debug, Write as _};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::change::Timestamp;
use crate::change::text::one_line;

/// Converts a system time. Returns `None` before 1970 and for a time that [`Timestamp::new`] rejects.
#[must_use]
pub fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let passed = time.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::new(u64::try_from(passed.as_millis()).ok()?)
}

/// The target prefix of this crate, the only one that may log at TRACE.
const CRATE_TARGET: &str = "s3_cloudfront_invalidator";

/// Returns a subscriber that writes to the writer that `writer` returns. Format and level come from the environment,
/// read through `lookup`. The crates in `silent` are not logged at all.
pub fn subscriber<O: Write + 'static>(
    lookup: impl Fn(&str) -> Option<String>,
    writer: impl Fn() -> O + Send + Sync + 'static,
    silent: &'static [&'static str],
) -> impl Subscriber + Send + Sync {
    let json = lookup("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let levels = levels(lookup);
    let filter =
        filter_fn(move |it| if it.is_span() { is_invocation_span(it) } else { may_be_logged(it, &levels, silent) });
    tracing_subscriber::registry().with(LineWriter { json, writer }.with_filter(filter))
}

/// The levels by target; INFO if no variable has a valid one. `RUST_LOG` applies if it is a level or sets one for a
/// target. Otherwise `AWS_LAMBDA_LOG_LEVEL` applies, whose `FATAL` becomes ERROR, since `tracing` has no such level.
fn levels(lookup: impl Fn(&str) -> Option<String>) -> Targets {
    let value = |name| lookup(name).map(|value| value.trim().to_ascii_lowercase());
    let level = |text: &str| if text == "fatal" { Some(LevelFilter::ERROR) } else { text.parse().ok() };
    let everywhere = |level: LevelFilter| Targets::new().with_default(level);
    let targets = |text: &str| text.contains('=').then(|| text.parse::<Targets>().ok())?;
    value("RUST_LOG")
        .and_then(|text| level(&text).map(everywhere).or_else(|| targets(&text)))
        .or_else(|| value("AWS_LAMBDA_LOG_LEVEL").and_then(|text| level(&text)).map(everywhere))
        .unwrap_or_else(|| everywhere(LevelFilter::INFO))
}

/// The crate that logs an event.
fn crate_of<'a>(event: &Metadata<'a>) -> &'a str {
    let target = event.target();
    target.split_once("::").map_or(target, |(name, _)| name)
}

/// The target of an event, as it is logged: without the module for the runtime, which logs every error of the function
/// from its module `panic`, also where nothing panicked.
fn logged_target<'a>(event: &Metadata<'a>) -> &'a str {
    if crate_of(event) == "lambda_runtime" { crate_of(event) } else { event.target() }
}

fn may_be_logged(event: &Metadata<'_>, levels: &Targets, silent: &[&str]) -> bool {
    let most = match crate_of(event) {
        CRATE_TARGET => LevelFilter::TRACE,
        name if silent.contains(&name) => LevelFilter::OFF,
        name if name.starts_with("aws_") => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    *event.level() <= most && levels.would_enable(event.target(), event.level())
}

/// Whether this is the runtime's span around an invocation. It is enabled at every level, because each line carries its
/// IDs. The spans of the SDK hold parts of requests.
fn is_invocation_span(span: &Metadata<'_>) -> bool {
    span.target().starts_with("lambda_runtime")
}

/// The field of this crate's events that holds a JSON object. In JSON format its members become members of the line.
const SUMMARY_FIELD: &str = "summary";

/// A layer that writes each event as one line of JSON or text.
pub(super) struct LineWriter<W> {
    pub(super) json: bool,
    pub(super) writer: W,
}

impl<S, W, O> Layer<S> for LineWriter<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut ids = InvocationIds::default();
            attributes.record(&mut ids);
            span.extensions_mut().insert(ids);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields =
            LogFields { is_this_crate: event.metadata().target().starts_with(CRATE_TARGET), ..LogFields::default() };
        event.record(&mut fields);
        let ids = context.event_scope(event).into_iter().flatten().find_map(|span| {
            let ids = span.extensions().get::<InvocationIds>().cloned()?;
            ids.request.is_some().then_some(ids)
        });
        let ids = ids.unwrap_or_default();
        let line = if self.json { fields.json(event, &ids) } else { fields.text(event, &ids) };
        // There is nowhere to report that the log cannot be written.
        let _ = (self.writer)().write_all(line.as_bytes());
    }
}

/// The IDs of the invocation that a line belongs to, from the runtime's span.
#[derive(Clone, Default)]
struct InvocationIds {
    request: Option<String>,
    /// The X-Ray trace ID, by which the X-Ray console finds the trace: `Root` in the tracing header.
    trace: Option<String>,
}

impl Visit for InvocationIds {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "requestId" => self.request = Some(value.to_owned()),
            "xrayTraceId" => {
                self.trace = value.split(';').find_map(|part| part.trim().strip_prefix("Root=")).map(str::to_owned);
            }
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// The message and the fields of an event.
#[derive(Default)]
struct LogFields {
    is_this_crate: bool,
    message: String,
    fields: Vec<(&'static str, serde_json::Value)>,
    /// The members of the summary's JSON object, without its braces.
    summary: Option<String>,
}

impl LogFields {
    fn text(&self, event: &Event<'_>, ids: &InvocationIds) -> String {
        let mut line = event.metadata().level().to_string();
        let mut record = |name: &str, separator: char, value: &str| {
            // Writing to a String cannot fail.
            let _ = write!(line, " {name}{separator}{value}");
        };
        for (name, id) in [("requestId", &ids.request), ("xrayTraceId", &ids.trace)] {
            if let Some(id) = id {
                record(name, '=', &one_line(id));
            }
        }
        record(if self.is_this_crate { "" } else { logged_target(event.metadata()) }, ' ', &one_line(&self.message));
        for (name, value) in &self.fields {
            match value {
                serde_json::Value::String(text) => record(name, '=', &format!("{text:?}")),
                value => record(name, '=', &value.to_string()),
            }
        }
        if let Some(members) = &self.summary {
            record(SUMMARY_FIELD, '=', &format!("{{{}}}", one_line(members)));
        }
        line.push('\n');
        line
    }

    fn json(&self, event: &Event<'_>, ids: &InvocationIds) -> String {
        let mut line = JsonMembers(String::with_capacity(512));
        line.add("timestamp", &timestamp(SystemTime::now()).map(|now| now.to_string()));
        line.add("level", event.metadata().level().as_str());
        line.add("message", &self.message);
        for (name, id) in [("requestId", &ids.request), ("xrayTraceId", &ids.trace)] {
            if let Some(id) = id {
                line.add(name, id);
            }
        }
        if !self.is_this_crate {
            line.add("target", logged_target(event.metadata()));
        }
        for (name, value) in &self.fields {
            line.add(name, value);
        }
        line.append(self.summary.as_deref().unwrap_or_default());
        format!("{{{}}}\n", line.0)
    }

    fn add(&mut self, field: &Field, value: impl Into<serde_json::Value>) {
        self.fields.push((field.name(), value.into()));
    }
}

/// The members of a JSON object under construction.
struct JsonMembers(String);

impl JsonMembers {
    fn add(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        if let Ok(value) = serde_json::to_string(value) {
            // Names come from fields in the source code, so they need no escaping.
            self.append(&format!("\"{name}\":{value}"));
        }
    }

    fn append(&mut self, members: &str) {
        if !self.0.is_empty() && !members.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(members);
    }
}

impl Visit for LogFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let members = || value.strip_prefix('{')?.strip_suffix('}');
        match (field.name(), members()) {
            ("message", _) => value.clone_into(&mut self.message),
            (SUMMARY_FIELD, Some(members)) if self.is_this_crate => self.summary = Some(members.to_owned()),
            _ => self.add(field, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field, format!("{value:?}"));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}
