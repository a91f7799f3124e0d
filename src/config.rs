//! The function's configuration, from its environment variables. An absent variable has a default. A present but
//! invalid one is an error that names the variable and the value; all of them are reported in one message.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::change::text::excerpt;
use crate::change::{AccountId, DistributionId};
use crate::collapse::{Budget, Objective};
use crate::lookup::CacheTtl;
use crate::path::BucketDefaults;

/// The longest key a tag can have, in characters. Source: S3 user guide, "Using cost allocation S3 bucket tags".
const MAX_TAG_KEY_LENGTH: usize = 128;

/// The default number of `ListObjectsV2` requests for one delivery: 60,000 keys, for 6 % of the price of one
/// invalidation path.
const DEFAULT_LISTING_MAX_REQUESTS: NonZeroUsize = NonZeroUsize::new(60).unwrap();
/// The maximum of `LISTING_MAX_REQUESTS`: 300,000 keys, which take 75 MB together with the URLs derived from them.
const MAX_LISTING_MAX_REQUESTS: NonZeroUsize = NonZeroUsize::new(300).unwrap();

/// The configuration of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// From `DISTRIBUTION_TAG` and `INDEX_DOCUMENTS`.
    pub bucket_defaults: BucketDefaults,
    /// From `CACHE_TTL_SECONDS`, `NEGATIVE_CACHE_TTL_SECONDS` and `STALE_IF_ERROR_SECONDS`.
    pub cache_ttl: CacheTtl,
    /// From `MAX_PATHS`, `MAX_WILDCARDS` and `EVICTIONS_PER_PATH`.
    pub objective: Objective,
    /// From `EXPECTED_BUCKET_OWNER`.
    pub expected_owner: ExpectedOwner,
    /// From `DISTRIBUTION_ID`: the distribution of requests that name neither a distribution nor a bucket.
    pub default_distribution: Option<DistributionId>,
    /// The distribution that replaces the value of the tag that names a bucket's distributions: an option of the
    /// command line, not a variable.
    pub distribution_override: Option<DistributionId>,
    /// From `RETRY_BASE_DELAY_MS` and `DIRECT_RETRY_SECONDS`.
    pub retries: RetryConfig,
    /// From `BUCKET_LISTING` and `LISTING_MAX_REQUESTS`: the maximum number of `ListObjectsV2` requests for one
    /// delivery. `None` turns bucket listings off.
    pub listing_max_requests: Option<NonZeroUsize>,
    /// From `DISTRIBUTION_CONFIG`: whether distribution configs are read.
    pub read_distribution_configs: bool,
    /// From `QUEUE_URL`: the queue that the function polls, and to which it sends the changes that CloudFront throttles.
    pub queue_url: Option<String>,
    /// From `METRICS`: whether metrics are written to the log.
    pub metrics: bool,
    /// From `DRY_RUN`: whether invalidations are only reported and not sent.
    pub dry_run: bool,
}

/// How calls that failed with a transient error are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// The upper bound of the delay before the first retry of `CreateInvalidation`. It doubles with each further
    /// failure, and the delay is random below it (full jitter). Lookups use a tenth of it.
    pub backoff: Duration,
    /// How long the changes of an event that did not come from SQS are retried within the invocation. Lambda retries
    /// such an asynchronous event by itself.
    pub direct: Duration,
}

/// The account that must own the buckets, sent to S3 as the expected bucket owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedOwner {
    /// The function's own account, taken from its ARN.
    FunctionAccount,
    /// The given account.
    Account(AccountId),
    /// Any account: no owner is sent.
    Any,
}

impl Config {
    /// The default of `DISTRIBUTION_TAG`.
    pub const DEFAULT_DISTRIBUTION_TAG: &str = "distributionId";

    /// The default of `INDEX_DOCUMENTS`.
    pub const DEFAULT_INDEX_DOCUMENT: &str = "index.html";

    /// The maximum of `EVICTIONS_PER_PATH`: how many evicted URLs of unchanged objects one path less is worth.
    pub const MAX_EVICTIONS_PER_PATH: u32 = 1_000_000;

    /// The default of `MAX_PATHS`, for one invalidation. A deploy that goes through the queue takes one, or two if a poll
    /// begins in its middle.
    pub const DEFAULT_MAX_PATHS: NonZeroUsize = NonZeroUsize::new(30).unwrap();

    /// The default of `MAX_WILDCARDS`, for one invalidation. Two deploys within half a minute stay below CloudFront's quota
    /// of 15 in progress; at one a second, the other reading of the quota, all of them are accepted within some 8 s.
    pub const DEFAULT_MAX_WILDCARDS: NonZeroUsize = NonZeroUsize::new(7).unwrap();

    /// Reads the configuration. `lookup` returns the value of an environment variable.
    ///
    /// # Errors
    /// [`ConfigError`] with every variable whose value is invalid.
    ///
    /// ```
    /// use s3_cloudfront_invalidator::config::Config;
    ///
    /// let variable = |name: &str| (name == "MAX_PATHS").then(|| "0".to_owned());
    /// let error = Config::from_lookup(variable).unwrap_err();
    /// assert_eq!(error.to_string(), r#"MAX_PATHS="0" is not a number from 1 to 3000"#);
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup, defects: Vec::new() };
        let config = Self {
            bucket_defaults: BucketDefaults {
                distribution_tag: reader.read(
                    "DISTRIBUTION_TAG",
                    Self::DEFAULT_DISTRIBUTION_TAG.to_owned(),
                    "a tag key (1 to 128 characters, none of them a control character)",
                    |value| {
                        let fits = (1..=MAX_TAG_KEY_LENGTH).contains(&value.chars().count());
                        (fits && !value.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER))
                            .then(|| value.to_owned())
                    },
                ),
                index_documents: reader.read(
                    "INDEX_DOCUMENTS",
                    vec![Self::DEFAULT_INDEX_DOCUMENT.to_owned()],
                    "a list of file names without \"/\" and \",\", separated by spaces",
                    |value| {
                        let names: Vec<_> = value.split_whitespace().map(ToOwned::to_owned).collect();
                        names.iter().all(|name| !name.contains(['/', ','])).then_some(names)
                    },
                ),
            },
            cache_ttl: CacheTtl {
                positive: reader.seconds("CACHE_TTL_SECONDS", 300, MAX_TTL_SECONDS),
                negative: reader.seconds("NEGATIVE_CACHE_TTL_SECONDS", 60, MAX_TTL_SECONDS),
                max_stale_age: reader.seconds("STALE_IF_ERROR_SECONDS", 3600, MAX_TTL_SECONDS),
            },
            objective: Objective {
                budget: Budget {
                    max_paths: reader.limit("MAX_PATHS", Self::DEFAULT_MAX_PATHS, Budget::MAX_PATHS),
                    max_wildcards: reader.limit("MAX_WILDCARDS", Self::DEFAULT_MAX_WILDCARDS, Budget::MAX_WILDCARDS),
                },
                evictions_per_path: reader.number("EVICTIONS_PER_PATH", 0, 0..=Self::MAX_EVICTIONS_PER_PATH, "URLs"),
            },
            expected_owner: reader.read(
                "EXPECTED_BUCKET_OWNER",
                ExpectedOwner::FunctionAccount,
                "an account ID (12 digits) or \"any\"",
                |value| match value {
                    "any" => Some(ExpectedOwner::Any),
                    id => AccountId::new(id).ok().map(ExpectedOwner::Account),
                },
            ),
            default_distribution: reader.read(
                "DISTRIBUTION_ID",
                None,
                "a distribution ID (such as \"E2EXAMPLE1ABCD\", or \"dt_…\" for a distribution tenant)",
                |value| DistributionId::new(value).ok().map(Some),
            ),
            distribution_override: None,
            retries: RetryConfig {
                backoff: Duration::from_millis(reader.number("RETRY_BASE_DELAY_MS", 2000, 1..=60_000, "milliseconds")),
                direct: reader.seconds("DIRECT_RETRY_SECONDS", 10, 900),
            },
            listing_max_requests: {
                let max_requests =
                    reader.limit("LISTING_MAX_REQUESTS", DEFAULT_LISTING_MAX_REQUESTS, MAX_LISTING_MAX_REQUESTS);
                reader.switch("BUCKET_LISTING", true, "auto", "off").then_some(max_requests)
            },
            read_distribution_configs: reader.switch("DISTRIBUTION_CONFIG", true, "auto", "off"),
            queue_url: reader.read(
                "QUEUE_URL",
                None,
                "the URL of a standard SQS queue (such as \"https://sqs.eu-central-1.amazonaws.com/123456789012/name\"; a \
                 FIFO queue is not supported)",
                |value| is_queue_url(value).then(|| Some(value.to_owned())),
            ),
            metrics: reader.switch("METRICS", true, "on", "off"),
            dry_run: reader.switch("DRY_RUN", false, "true", "false"),
        };
        if reader.defects.is_empty() { Ok(config) } else { Err(ConfigError(reader.defects)) }
    }
}

/// Whether this is the URL of a standard queue: it ends with an account and the queue's name, of up to 80 letters,
/// digits, hyphens and underscores. The name of a FIFO queue ends with `.fifo`; S3 cannot send to one. Source: SQS
/// developer guide, "Amazon SQS queue and message identifiers".
fn is_queue_url(url: &str) -> bool {
    let is_in = |text: &str, others: &[u8]| text.bytes().all(|it| it.is_ascii_alphanumeric() || others.contains(&it));
    let Some(path) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else { return false };
    let mut segments = path.rsplit('/');
    let (name, account) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let mut host = segments.peekable();
    (1..=80).contains(&name.len())
        && is_in(name, b"-_")
        && account.len() == 12
        && account.bytes().all(|it| it.is_ascii_digit())
        && host.peek().is_some()
        && host.all(|it| !it.is_empty() && is_in(it, b"-_.:[]"))
}

/// The maximum of the TTLs and of stale-if-error, in seconds: one day.
const MAX_TTL_SECONDS: u64 = 86_400;

/// All invalid variables of a configuration, each with its value and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct ConfigError(Vec<String>);

/// Reads environment variables and collects the invalid ones.
struct Reader<F> {
    lookup: F,
    defects: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// The value of `variable`, read by `parse`. Returns `default` if it is absent, and also if it is invalid, which is
    /// recorded as a defect.
    fn read<T>(
        &mut self,
        variable: &str,
        default: T,
        expected: impl Display,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let Some(value) = (self.lookup)(variable) else { return default };
        parse(value.trim()).unwrap_or_else(|| {
            self.defects.push(format!("{variable}=\"{}\" is not {expected}", excerpt(&value)));
            default
        })
    }

    fn number<T>(&mut self, variable: &str, default: T, range: RangeInclusive<T>, unit: &str) -> T
    where
        T: Display + FromStr + PartialOrd,
    {
        let expected = format_args!("a number of {unit} from {} to {}", range.start(), range.end());
        self.read(variable, default, expected, |value| value.parse().ok().filter(|number| range.contains(number)))
    }

    fn seconds(&mut self, variable: &str, default: u64, max: u64) -> Duration {
        Duration::from_secs(self.number(variable, default, 0..=max, "seconds"))
    }

    fn limit(&mut self, variable: &str, default: NonZeroUsize, max: NonZeroUsize) -> NonZeroUsize {
        let expected = format_args!("a number from 1 to {max}");
        self.read(variable, default, expected, |value| value.parse().ok().filter(|&number| number <= max))
    }

    /// A switch, with the texts for true and false.
    fn switch(&mut self, variable: &str, default: bool, on: &str, off: &str) -> bool {
        self.read(variable, default, format_args!("\"{on}\" or \"{off}\""), |value| {
            (value == on || value == off).then_some(value == on)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_apply_when_nothing_is_set() {
        let config = config(&[]).unwrap();
        assert_eq!(config.bucket_defaults.distribution_tag, "distributionId");
        assert_eq!(config.cache_ttl.positive, Duration::from_mins(5));
        assert_eq!(config.cache_ttl.negative, Duration::from_mins(1));
        assert_eq!(config.bucket_defaults.index_documents, ["index.html"]);
        assert_eq!((config.objective.budget.max_paths.get(), config.objective.budget.max_wildcards.get()), (30, 7));
        assert_eq!(config.expected_owner, ExpectedOwner::FunctionAccount);
        assert_eq!(config.default_distribution, None);
        assert_eq!(config.cache_ttl.max_stale_age, Duration::from_hours(1));
        let retries = RetryConfig { backoff: Duration::from_secs(2), direct: Duration::from_secs(10) };
        assert_eq!(config.retries, retries);
        assert!(!config.dry_run && config.metrics);
    }

    #[test]
    fn set_variables_replace_the_defaults() {
        let config = config(&[
            ("DISTRIBUTION_TAG", "cdn:id"),
            ("CACHE_TTL_SECONDS", "0"),
            ("NEGATIVE_CACHE_TTL_SECONDS", "86400"),
            ("INDEX_DOCUMENTS", "index.html  default.htm"),
            ("MAX_PATHS", "3000"),
            ("MAX_WILDCARDS", " 1 "),
            ("EXPECTED_BUCKET_OWNER", "123456789012"),
            ("DISTRIBUTION_ID", "E1"),
            ("STALE_IF_ERROR_SECONDS", "0"),
            ("RETRY_BASE_DELAY_MS", "500"),
            ("DIRECT_RETRY_SECONDS", "0"),
            ("METRICS", "off"),
            ("QUEUE_URL", "http://127.0.0.1:4566/000000000000/changes_1"),
            ("DRY_RUN", "true"),
        ])
        .unwrap();
        assert_eq!(config.bucket_defaults.distribution_tag, "cdn:id");
        assert_eq!(config.cache_ttl.positive, Duration::ZERO);
        assert_eq!(config.cache_ttl.negative, Duration::from_hours(24));
        assert_eq!(config.bucket_defaults.index_documents, ["index.html", "default.htm"]);
        assert_eq!((config.objective.budget.max_paths.get(), config.objective.budget.max_wildcards.get()), (3000, 1));
        assert_eq!(config.expected_owner, ExpectedOwner::Account(AccountId::new("123456789012").unwrap()));
        assert_eq!(config.default_distribution, DistributionId::new("E1").ok());
        assert_eq!(config.cache_ttl.max_stale_age, Duration::ZERO);
        assert_eq!(config.retries, RetryConfig { backoff: Duration::from_millis(500), direct: Duration::ZERO });
        assert_eq!(config.queue_url.as_deref(), Some("http://127.0.0.1:4566/000000000000/changes_1"));
        assert!(config.dry_run && !config.metrics);
    }

    #[test]
    fn an_empty_list_of_index_documents_switches_them_off() {
        assert!(config(&[("INDEX_DOCUMENTS", "")]).unwrap().bucket_defaults.index_documents.is_empty());
    }

    #[test]
    fn only_the_url_of_a_standard_queue_is_accepted() {
        for url in ["https://sqs.eu-central-1.amazonaws.com/123456789012/a-b_C", "http://[::1]:9/queue/123456789012/a"]
        {
            assert!(config(&[("QUEUE_URL", url)]).is_ok(), "{url}");
        }
        for url in [
            "",
            "changes",
            "arn:aws:sqs:eu-central-1:123456789012:changes",
            "sqs.eu-central-1.amazonaws.com/123456789012/changes",
            "https://123456789012/changes",
            "https://sqs.eu-central-1.amazonaws.com/123456789012/",
            "https://sqs.eu-central-1.amazonaws.com/123456789012/changes.fifo",
            "https://sqs.eu-central-1.amazonaws.com/123456789012/changes?a=b",
            "https://user@host/123456789012/changes",
            "https://sqs.eu-central-1.amazonaws.com/site/changes",
        ] {
            assert!(config(&[("QUEUE_URL", url)]).is_err(), "{url}");
        }
    }

    #[test]
    fn every_defect_is_reported_at_once_by_name_and_value() {
        let bad = [
            ("DISTRIBUTION_TAG", ""),
            ("CACHE_TTL_SECONDS", "5m"),
            ("NEGATIVE_CACHE_TTL_SECONDS", "-1"),
            ("INDEX_DOCUMENTS", "a/b"),
            ("MAX_PATHS", "0"),
            ("MAX_WILDCARDS", "16"),
            ("EXPECTED_BUCKET_OWNER", "me"),
            ("DISTRIBUTION_ID", "e1"),
            ("STALE_IF_ERROR_SECONDS", "86401"),
            ("RETRY_BASE_DELAY_MS", "0"),
            ("DIRECT_RETRY_SECONDS", "901"),
            ("QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/changes.fifo"),
            ("METRICS", "true"),
            ("DRY_RUN", "yes"),
        ];
        let message = config(&bad).unwrap_err().to_string();
        for (variable, value) in bad {
            assert!(message.contains(&format!("{variable}=\"{value}\"")), "{message}");
        }
    }
}
