//! The comparison as an SVG chart: the price of each deployment, and the number of unchanged URLs evicted.

use std::collections::BTreeSet;
use std::fmt::Write;

use s3_cloudfront_invalidator::config::Config;
use s3_cloudfront_invalidator::plan::price_usd;

use super::{Deploy, Outcome, Urls, deploys};

const WIDTH: usize = 860;
const MARGIN: usize = 24;
const TOP: usize = 92;
const ROW: usize = 20;
const HEADING: usize = 34;

/// The x positions where the two scales begin, and their length, in pixels.
const PRICE: usize = 206;
const EVICTIONS: usize = 530;
const LENGTH: f64 = 210.0;

/// The largest value of each scale, a power of ten.
const MOST_DOLLARS: f64 = 10.0;
const MOST_EVICTIONS: f64 = 10_000.0;

/// The heading of the chart.
const TITLE: &str = "Price of each deployment, and unchanged URLs evicted";

/// The label of this function.
const OURS: &str = "this function";

/// Colors for light and dark pages. The chart has a background of its own, so it is legible on any page.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}.back{fill:#fff}.grid{stroke:#d8dee4}.line{stroke:#8c959f;stroke-width:2}\
.dot{fill:#6e7781}.scale{font-size:11px;fill:#59636e}.name{font-weight:600}.head{font-size:16px;font-weight:600}\
.ours{fill:#0550ae;font-weight:600}.line.ours{stroke:#0550ae}.stale{fill:#a40e26}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}.grid{stroke:#30363d}.line{stroke:#6e7681}\
.dot{fill:#8b949e}.scale{fill:#9198a1}.ours{fill:#79c0ff}.line.ours{stroke:#79c0ff}.stale{fill:#ff9492}}";

/// The chart of all deployments, as SVG.
pub(crate) fn picture() -> String {
    let deploys: Vec<_> = deploys().into_iter().map(|deploy| (outcomes(&deploy), deploy)).collect();
    let rows: usize = deploys.iter().map(|(outcomes, _)| HEADING + outcomes.len() * ROW).sum();
    let height = TOP + rows + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-labelledby=\"title description\">\n<title id=\"title\">{TITLE}</title>\n\
         <desc id=\"description\">{}</desc>\n<style>{STYLE}</style>\n",
        description(&deploys)
    );
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("<rect class=\"back\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>"));
    line(text(MARGIN, 34, "head", TITLE));
    line(text(PRICE, 64, "", "price in US dollars (logarithmic scale)"));
    line(text(EVICTIONS, 64, "", "unchanged URLs evicted (logarithmic scale)"));
    for (at, label) in [(0.01, "0.01"), (0.1, "0.1"), (1.0, "1"), (10.0, "10")] {
        tick(&mut line, PRICE + price(at), height, label);
    }
    for (at, label) in [(0, "0"), (10, "10"), (100, "100"), (1000, "1,000"), (10_000, "10,000")] {
        tick(&mut line, EVICTIONS + evictions(at), height, label);
    }
    let mut y = TOP;
    for (outcomes, deploy) in &deploys {
        y += HEADING;
        let size = format!("{} ({} changed, {} not)", deploy.name, deploy.changed.len(), deploy.unchanged.len());
        line(text(MARGIN, y - 10, "name", &size));
        for outcome in outcomes {
            row(&mut line, y, outcome);
            y += ROW;
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The outcomes to compare: the rules of other tools, and this function with its default budget and, where it lists the
/// bucket, a listing.
fn outcomes(deploy: &Deploy) -> Vec<Outcome> {
    let urls = Urls::of(deploy);
    let (items, wildcards) = (Config::DEFAULT_MAX_PATHS.get(), Config::DEFAULT_MAX_WILDCARDS.get());
    let mut outcomes = vec![urls.evaluate("/*", &BTreeSet::from(["/*".to_owned()]))];
    outcomes.push(urls.evaluate("one path per object", &urls.objects));
    outcomes.extend(urls.each());
    outcomes.extend(urls.others());
    outcomes.push(urls.ours(OURS, items, wildcards));
    outcomes
}

/// The chart in words, for screen readers.
fn description(deploys: &[(Vec<Outcome>, Deploy)]) -> String {
    let mut text = String::new();
    for (outcomes, deploy) in deploys {
        let each: Vec<_> = outcomes.iter().map(|it| format!("{} {}", it.tool, summary(it))).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "{}: {}. ", deploy.name, each.join("; "));
    }
    text.trim_end().to_owned()
}

fn summary(outcome: &Outcome) -> String {
    let stale = if outcome.stale > 0 { format!(", URLs missed: {}", outcome.stale) } else { String::new() };
    format!("${:.3}, unchanged URLs evicted: {}{stale}", price_usd(outcome.items), outcome.unchanged_evicted)
}

fn row(line: &mut impl FnMut(String), y: usize, outcome: &Outcome) {
    let class = if outcome.tool == OURS { "ours" } else { "" };
    let middle = y + 5;
    line(format!("<g><title>{}: {}</title>", outcome.tool, summary(outcome)));
    line(text(MARGIN + 12, y + 9, class, &outcome.tool));
    let stale = if outcome.stale > 0 { format!(" ({} stale)", outcome.stale) } else { String::new() };
    for (start, length, label, class_of_label) in [
        (PRICE, price(price_usd(outcome.items)), format!("{:.3}", price_usd(outcome.items)), class),
        (EVICTIONS, evictions(outcome.unchanged_evicted), format!("{}{stale}", outcome.unchanged_evicted), class),
    ] {
        let end = start + length;
        line(format!("<path class=\"line {class}\" d=\"M{start} {middle}H{end}\"/>"));
        line(format!("<circle class=\"dot {class}\" cx=\"{end}\" cy=\"{middle}\" r=\"4\"/>"));
        let class_of_label = if label.contains("stale") { "stale" } else { class_of_label };
        line(text(end + 9, y + 9, class_of_label, &label));
    }
    line("</g>".to_owned());
}

fn tick(line: &mut impl FnMut(String), x: usize, height: usize, label: &str) {
    line(format!("<path class=\"grid\" d=\"M{x} {TOP}V{}\"/>", height - MARGIN));
    line(format!("<text class=\"scale\" x=\"{x}\" y=\"84\" text-anchor=\"middle\">{label}</text>"));
}

fn text(x: usize, y: usize, class: &str, content: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{content}</text>")
}

/// The position of a price in pixels. The scale is logarithmic and begins at a third of the price of one path.
fn price(dollars: f64) -> usize {
    let least = price_usd(1).log10() - 0.5;
    pixels((dollars.log10() - least) / (MOST_DOLLARS.log10() - least))
}

/// The position of a number of evictions in pixels. The scale is logarithmic and begins at 0.
fn evictions(urls: usize) -> usize {
    let urls = f64::from(u32::try_from(urls).unwrap_or(u32::MAX));
    pixels((urls + 1.0).log10() / MOST_EVICTIONS.log10())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the length of a scale")]
fn pixels(part: f64) -> usize {
    (part.max(0.0) * LENGTH).round() as usize
}
