//! The tables of environment variables and tags in the documents match the code.

use std::cell::RefCell;
use std::collections::BTreeSet;

use s3_cloudfront_invalidator::config::Config;
use s3_cloudfront_invalidator::path::{BucketDefaults, LINK_TAG_PREFIX, Tags, UrlForms};

fn read(name: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The rows of the table of environment variables: variable and default.
fn table() -> Vec<(String, String)> {
    let document = read("docs/settings.md");
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
fn the_table_lists_exactly_the_settings_that_are_read() {
    let looked_up = RefCell::new(BTreeSet::new());
    Config::from_lookup(|name| {
        looked_up.borrow_mut().insert(name.to_owned());
        None
    })
    .unwrap();
    let named: BTreeSet<_> = table().into_iter().map(|(variable, _)| variable).collect();
    assert_eq!(named, looked_up.into_inner());
}

#[test]
fn documented_defaults_are_the_actual_defaults() {
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

/// The bounds that a row gives: `(1 to 3000)` or `(0 to 900, …`.
fn bounds(row: &str) -> Option<(u64, u64)> {
    row.split('(').skip(1).find_map(|text| {
        let mut words = text.split([' ', ')', ',', ';']);
        let least = words.next()?.parse().ok()?;
        (words.next()? == "to").then_some(())?;
        Some((least, words.next()?.parse().ok()?))
    })
}

#[test]
fn documented_bounds_are_the_enforced_bounds() {
    let document = read("docs/settings.md");
    let mut bounded = 0;
    for (variable, default) in table() {
        let row = document.lines().find(|line| line.starts_with(&format!("| `{variable}` |"))).unwrap();
        let Some((least, most)) = bounds(row) else {
            assert!(default.parse::<u64>().is_err(), "a number has bounds: {row}");
            continue;
        };
        bounded += 1;
        let is_accepted =
            |value: &str| Config::from_lookup(|name| (name == variable).then(|| value.to_owned())).is_ok();
        assert!(is_accepted(&least.to_string()) && is_accepted(&most.to_string()), "{row}");
        let below = least.checked_sub(1).map_or_else(|| "-1".to_owned(), |number| number.to_string());
        assert!(!is_accepted(&below) && !is_accepted(&(most + 1).to_string()), "{row}");
    }
    assert!(bounded > 5, "{bounded}");
}

/// The values of a source file's constants for tags.
fn tags(source: &str) -> BTreeSet<String> {
    let text = read(source);
    let constants = text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once("_TAG: &str = \""));
    constants.map(|(_, rest)| rest.trim_end_matches("\";").to_owned()).collect()
}

#[test]
fn the_table_lists_exactly_the_tags_that_are_read() {
    let document = read("docs/settings.md");
    let section = document.split("\n## Tags of a bucket\n").nth(1).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let named: BTreeSet<_> = rows.map(str::to_owned).collect();
    let options = tags("src/path/bucket_options.rs");
    assert!(options.len() > 4, "{options:?}");
    let mut expected = options.clone();
    expected.insert(Config::DEFAULT_DISTRIBUTION_TAG.to_owned());
    expected.insert(format!("{LINK_TAG_PREFIX}FUNCTION"));
    assert_eq!(named, expected);
}

/// The templates check forms with a pattern of their own.
#[test]
fn the_forms_of_the_templates_are_those_of_the_function() {
    let forms: serde_json::Value = serde_json::from_str(&read("tests/data/url-forms.json")).unwrap();
    let list = |name: &str| forms[name].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    assert!(list("valid").count() > 9 && list("invalid").count() > 9);
    for form in list("valid") {
        assert_eq!(UrlForms::parse(form).map(|it| it.to_string()).as_deref(), Ok(form));
    }
    for form in list("invalid") {
        assert!(UrlForms::parse(form).is_err(), "{form}");
    }
}

/// The tag of an option of the templates, such as `max_paths`.
fn tag_of(option: &str) -> String {
    if option == "distribution_ids" {
        return "distributionId".to_owned();
    }
    let mut words = option.split('_');
    let first = words.next().unwrap();
    let others: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    format!("invalidation:{first}{others}")
}

/// The templates check the values of tags with rules of their own.
#[test]
fn the_function_accepts_and_refuses_the_values_that_the_templates_do() {
    let options: serde_json::Value = serde_json::from_str(&read("tests/data/bucket-tags.json")).unwrap();
    let defaults = BucketDefaults { distribution_tag: "distributionId".to_owned(), index_documents: Vec::new() };
    for (list, accepted) in [("valid", true), ("invalid", false)] {
        for each in options[list].as_array().unwrap() {
            let mut tags = Tags::from([("distributionId".to_owned(), "E1".to_owned())]);
            for (option, value) in each.as_object().unwrap() {
                let value = match value {
                    serde_json::Value::String(text) => text.clone(),
                    serde_json::Value::Array(texts) => {
                        texts.iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join(" ")
                    }
                    number => number.to_string(),
                };
                tags.insert(tag_of(option), value);
            }
            let parsed = defaults.parse(&tags);
            assert_eq!(parsed.is_ok(), accepted, "{each}");
        }
    }
}
