//! The comparison with other tools' rules: the guarantees of the optimizer, and the table in the documents.

#[path = "../../benches/comparison/mod.rs"]
mod bench;

use bench::picture::picture;
use bench::{Urls, deploys, table};

fn urls(name: &str) -> Urls {
    Urls::of(deploys().iter().find(|deploy| deploy.name == name).unwrap())
}

#[test]
fn every_changed_url_is_evicted_within_the_budget() {
    for deploy in deploys() {
        let urls = Urls::of(&deploy);
        for (items, wildcards) in [(1, 1), (8, 8), (30, 7), (3000, 15)] {
            for outcome in [
                urls.with_heuristic("estimated", items, wildcards),
                urls.with_listing("with listing", items, wildcards),
            ] {
                assert_eq!(outcome.stale, 0, "{} {}", deploy.name, outcome.tool);
                assert!(outcome.items <= items && outcome.wildcards <= wildcards, "{} {}", deploy.name, outcome.tool);
            }
        }
    }
}

/// Each comparison is within the number of paths and wildcards that the other tool uses.
#[test]
fn the_heuristic_evicts_at_most_one_unchanged_url_more_than_any_other_rule() {
    for deploy in deploys() {
        let urls = Urls::of(&deploy);
        for other in urls.others() {
            assert_eq!(
                other.stale, 0,
                "{} {}: a rule that leaves URLs stale cannot be compared",
                deploy.name, other.tool
            );
            let ours = urls.with_heuristic("estimated", other.items, other.wildcards);
            assert!(
                ours.unchanged_evicted <= other.unchanged_evicted + 1,
                "{} {}: {} to {}",
                deploy.name,
                other.tool,
                ours.unchanged_evicted,
                other.unchanged_evicted
            );
        }
    }
}

#[test]
fn the_icon_font_release_takes_at_most_22_paths_and_evicts_nothing_unchanged() {
    let urls = urls("icon font release");
    let outcome = urls.with_listing("with listing", 30, 7);
    assert!(outcome.unchanged_evicted == 0 && outcome.items <= 22, "{} paths", outcome.items);
    assert!(urls.with_listing("with listing", 8, 7).unchanged_evicted <= 26);
}

#[test]
fn the_math_renderer_release_takes_at_most_16_paths_where_the_threshold_rule_evicts_39_urls() {
    let urls = urls("math renderer release");
    let outcome = urls.with_listing("with listing", 30, 7);
    assert!(outcome.unchanged_evicted == 0 && outcome.items <= 16, "{} paths", outcome.items);
    assert_eq!(urls.others()[0].unchanged_evicted, 39);
}

#[test]
fn the_blog_takes_half_the_paths_with_the_form_page() {
    let [with_key, with_page] = ["blog, this year's posts", "the same blog with `/:page`"].map(urls);
    let paths = |urls: &Urls| (urls.required.len(), urls.with_heuristic("estimated", 3000, 7).items);
    assert_eq!(paths(&with_page), (147, 147));
    assert_eq!(paths(&with_key), (147 + 145, 147 + 145));
}

#[test]
fn collapse_md_shows_the_printed_table() {
    let document = include_str!("../../docs/collapse.md");
    assert!(document.contains(&table()), "run scripts/bench comparison and paste its table");
}

#[test]
fn comparison_svg_is_the_printed_picture() {
    assert!(include_str!("../../docs/comparison.svg") == picture(), "run scripts/bench picture");
}

#[test]
fn the_readmes_rows_are_in_the_printed_table() {
    let readme = include_str!("../../README.md");
    let quoted = readme.split("<!-- comparison").nth(1).unwrap().split("<!-- end").next().unwrap();
    let table = table();
    let rows: Vec<_> = quoted.lines().filter(|line| line.starts_with("| ") && line.contains('$')).collect();
    assert!(rows.len() >= 3, "{quoted}");
    // The table names a deployment in its first row only.
    let mut deploy = String::new();
    let mut real = Vec::new();
    for line in table.lines() {
        let mut cells: Vec<_> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        if cells[1].is_empty() {
            cells[1].clone_from(&deploy);
        }
        deploy.clone_from(&cells[1]);
        real.push(cells);
    }
    for row in rows {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().to_owned()).collect();
        assert!(real.contains(&cells), "{row}");
    }
}
