//! The comparison with other tools' rules: what the optimizer guarantees in it, and the table in the documents.

#[path = "../../benches/comparison/mod.rs"]
mod bench;

use bench::picture::picture;
use bench::{Urls, deploys, table};

fn urls(name: &str) -> Urls {
    Urls::of(deploys().iter().find(|deploy| deploy.name == name).unwrap())
}

#[test]
fn nothing_stays_stale() {
    for deploy in deploys() {
        let urls = Urls::of(&deploy);
        for (items, wildcards) in [(1, 1), (8, 8), (30, 7), (3000, 15)] {
            for outcome in [urls.blind("blind", items, wildcards), urls.inventory("inventory", items, wildcards)] {
                assert_eq!(outcome.stale, 0, "{} {}", deploy.name, outcome.tool);
                assert!(outcome.items <= items && outcome.wildcards <= wildcards, "{} {}", deploy.name, outcome.tool);
            }
        }
    }
}

/// Each comparison is within the number of items and wildcards that the other tool uses.
#[test]
fn the_heuristic_is_never_worse_than_the_rules_of_others_by_more_than_one_object() {
    for deploy in deploys() {
        let urls = Urls::of(&deploy);
        for other in urls.others() {
            assert_eq!(
                other.stale, 0,
                "{} {}: a rule that leaves something stale is no measure",
                deploy.name, other.tool
            );
            let ours = urls.blind("blind", other.items, other.wildcards);
            assert!(
                ours.needless <= other.needless + 1,
                "{} {}: {} to {}",
                deploy.name,
                other.tool,
                ours.needless,
                other.needless
            );
        }
    }
}

#[test]
fn everything_changed_but_27_objects() {
    let urls = urls("icon font release");
    let outcome = urls.inventory("inventory", 30, 7);
    assert!(outcome.needless == 0 && outcome.items <= 22, "{} items", outcome.items);
    assert!(urls.inventory("inventory", 8, 7).needless <= 26);
}

#[test]
fn sixteen_items_where_the_threshold_evicts_39() {
    let urls = urls("math renderer release");
    let outcome = urls.inventory("inventory", 30, 7);
    assert!(outcome.needless == 0 && outcome.items <= 16, "{} items", outcome.items);
    assert_eq!(urls.others()[0].needless, 39);
}

#[test]
fn the_document_shows_the_real_table() {
    let document = include_str!("../../docs/collapse.md");
    assert!(document.contains(&table()), "run scripts/bench comparison and paste its table");
}

#[test]
fn the_picture_shows_the_real_comparison() {
    assert!(include_str!("../../docs/comparison.svg") == picture(), "run scripts/bench picture");
}

#[test]
fn the_readme_quotes_real_rows() {
    let readme = include_str!("../../README.md");
    let quoted = readme.split("<!-- comparison").nth(1).unwrap().split("<!-- end").next().unwrap();
    let table = table();
    let rows: Vec<_> = quoted.lines().filter(|line| line.starts_with("| ") && line.contains('$')).collect();
    assert!(rows.len() >= 3, "{quoted}");
    // The table names a deploy in its first row only.
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
