//! The tables of settings, held against the code.

use std::cell::RefCell;
use std::collections::BTreeSet;

use s3_cloudfront_invalidator::config::Config;

/// The rows of the table of settings: variable and default.
fn table() -> Vec<(String, String)> {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md")).unwrap();
    let section =
        document.split("\n## Environment variables\n").nth(1).unwrap().split("\nLambda's own").next().unwrap();
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').skip(1).map(cell).collect::<Vec<_>>())
        .map(|cells| (cells[0].clone(), cells[1].clone()))
        .collect()
}

#[test]
fn every_setting_is_in_the_table_and_no_other() {
    let asked = RefCell::new(BTreeSet::new());
    Config::from_lookup(|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    })
    .unwrap();
    let named: BTreeSet<_> = table().into_iter().map(|(variable, _)| variable).collect();
    assert_eq!(named, asked.into_inner());
}

#[test]
fn the_table_tells_the_real_defaults() {
    let defaults = Config::from_lookup(|_| None).unwrap();
    for (variable, default) in table() {
        if ["the function's account", "none"].contains(&default.as_str()) {
            continue;
        }
        let explicit = Config::from_lookup(|name| (name == variable).then(|| default.clone())).unwrap();
        assert_eq!(explicit, defaults, "{variable}={default}");
        let other = Config::from_lookup(|name| (name == variable).then(|| "bad/value,\n".to_owned()));
        assert!(other.is_err() || other != Ok(defaults.clone()), "{variable} is read");
    }
}

/// The README's table is a part of the other.
#[test]
fn the_readme_says_the_same() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("\n## Settings\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    let rows = section.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4);
    let rows: Vec<_> = rows.map(|line| line.split('|').skip(1).map(cell).collect::<Vec<_>>()).collect();
    assert!(rows.len() > 3, "{rows:?}");
    for row in rows {
        assert!(table().contains(&(row[0].clone(), row[1].clone())), "{row:?}");
    }
}
