//! Log lines for CloudWatch: JSON where Lambda is set to it, text otherwise.
//!
//! Lambda's own settings are followed (`AWS_LAMBDA_LOG_FORMAT`, `AWS_LAMBDA_LOG_LEVEL`), and `RUST_LOG` before them for
//! one who debugs. At TRACE the Lambda runtime logs whole events, which can hold credentials, and the SDK whole requests
//! with their headers; at DEBUG the SDK still logs what it signs, access key included. So the SDK is capped at INFO and all
//! other crates but this one at DEBUG, whatever was asked for.

mod lines;

use std::io::Write;

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};

use self::lines::Lines;

/// The only crate that may log at TRACE: this one.
const OUR_TARGET: &str = "s3_cloudfront_invalidator";

/// A subscriber that writes to what `writer` returns as the environment, read through `lookup`, asks for. Nothing is written
/// of the crates in `silent`.
pub fn subscriber<O: Write + 'static>(
    lookup: impl Fn(&str) -> Option<String>,
    writer: impl Fn() -> O + Send + Sync + 'static,
    silent: &'static [&'static str],
) -> impl tracing::Subscriber + Send + Sync {
    let json = lookup("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let levels = levels(lookup);
    let wanted =
        filter_fn(move |it| if it.is_span() { holds_the_request_id(it) } else { may_be_logged(it, &levels, silent) });
    tracing_subscriber::registry().with(Lines { json, writer }.with_filter(wanted))
}

/// Which levels of which targets are asked for; INFO where nothing is, or where it makes no sense. `RUST_LOG` counts if it
/// is a level or names one for some target; Lambda's own setting is a level, of which `FATAL` is not one of ours.
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

fn may_be_logged(line: &Metadata<'_>, levels: &Targets, silent: &[&str]) -> bool {
    let most = match line.target().split("::").next() {
        Some(OUR_TARGET) => LevelFilter::TRACE,
        Some(name) if silent.contains(&name) => LevelFilter::OFF,
        Some(name) if name.starts_with("aws_") => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    *line.level() <= most && levels.would_enable(line.target(), line.level())
}

/// The runtime's span around an invocation, which every line must carry, whatever its level. Those of the SDK hold parts
/// of requests.
fn holds_the_request_id(span: &Metadata<'_>) -> bool {
    span.target().starts_with("lambda_runtime")
}
