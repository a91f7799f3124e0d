//! Distribution configs as a file: refused with the command that prints one, or read completely.

use proptest::prop_assert;
use s3_cloudfront_invalidator::cli::config_json::parse;
use serde_json::Value;

use crate::driver::Checked;
use crate::rules::{check_one_line, magnitude, message_kind};

/// The longest message. It quotes one name or value.
const LONGEST: usize = 2000;

pub(crate) fn config(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    let config = match parse(&text) {
        Ok(config) => config,
        Err(error) => {
            let message = format!("{error:#}");
            check_one_line(&message, LONGEST)?;
            return Ok(message_kind(&message));
        }
    };
    let document: Value = serde_json::from_str(&text)?;
    let inner = |it: &Value, name: &str| it.get(name).cloned().unwrap_or_else(|| it.clone());
    let source = inner(&inner(&document, "Distribution"), "DistributionConfig");
    let items = |name: &str| source[name]["Items"].as_array().cloned().unwrap_or_default();
    let (origins, behaviors) = (items("Origins"), items("CacheBehaviors"));
    prop_assert!(config.origins.len() == origins.len() && config.behaviors.len() == behaviors.len() + 1);
    for (origin, source) in config.origins.iter().zip(&origins) {
        prop_assert!(source["DomainName"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(&origin.domain)));
    }
    // Cut off, it is no config.
    let cut = text.trim_end().len() - 1;
    prop_assert!(text.get(..cut).is_none_or(|cut| parse(cut).is_err()));
    Ok(format!("config {} {}", magnitude(origins.len()), magnitude(behaviors.len())))
}
