//! Text from outside: the checked names of buckets, Regions, object keys, accounts, distributions and invalidations,
//! with the macro that defines them, and the escaping, shortening and counting words of error messages and log lines.
//!
//! Names arrive in events, and anyone who may invoke the function can forge an event. The only constructor of each type
//! validates, so its values can be passed to an SDK or become a segment of a request URL.

/// The number of characters of a value that a message quotes. A longer excerpt helps nobody, and logs are billed by the
/// byte.
const EXCERPT_CHARACTERS: usize = 80;

/// Returns the first 80 characters of `value`, with control characters, quotes and backslashes escaped, and with `…`
/// appended if it was cut.
///
/// ```
/// use s3_cloudfront_invalidator::change::text::excerpt;
///
/// assert_eq!(excerpt("a\nb"), r"a\nb");
/// assert_eq!(excerpt(&"x".repeat(100)).chars().count(), 81);
/// ```
#[must_use]
pub fn excerpt(value: &str) -> String {
    let mut out = String::new();
    let mut characters = value.chars();
    characters.by_ref().take(EXCERPT_CHARACTERS).for_each(|character| escape(character, &mut out));
    out.extend(characters.next().map(|_| '…'));
    out
}

/// Returns the first 80 characters of another parser's message, as [`one_line`]: what it quotes is escaped already.
#[must_use]
pub fn excerpt_of_message(message: &impl ToString) -> String {
    one_line(&shortened(&message.to_string(), EXCERPT_CHARACTERS + 1))
}

/// Returns `value` in full, with every character escaped that could end a line or control a terminal.
#[must_use]
pub fn one_line(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        // Backslashes and quotes are left alone, so that text that `excerpt` escaped is not escaped twice.
        if matches!(character, '"' | '\\') { out.push(character) } else { escape(character, &mut out) }
    }
    out
}

/// Returns `json` with every character that could end a line or control a terminal replaced by its `\uXXXX` escape. In
/// JSON without line breaks such characters occur only inside strings, so the value stays the same.
#[must_use]
pub fn json_line(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') || character.escape_debug().len() == 1 {
            out.push(character);
        } else {
            let mut units = [0; 2];
            out.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

/// Returns a number with its noun in the right form.
///
/// ```
/// use s3_cloudfront_invalidator::change::text::counted;
///
/// assert_eq!(counted(1, "path"), "1 path");
/// assert_eq!(counted(0, "path"), "0 paths");
/// ```
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns whether `value` contains no character that could end a line or control a terminal.
#[must_use]
pub fn is_one_line(value: &str) -> bool {
    value.chars().all(|character| matches!(character, '\\' | '"' | '\'') || character.escape_debug().len() == 1)
}

/// Returns `value` if it has at most `length` characters. Otherwise returns its first `length - 1` characters and `…`.
#[must_use]
pub fn shortened(value: &str, length: usize) -> String {
    match value.char_indices().nth(length) {
        None => value.to_owned(),
        Some(_) => value.chars().take(length.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Escapes as Rust's `Debug` does, which covers control characters, line separators and invisible characters.
fn escape(character: char, out: &mut String) {
    match character {
        '"' | '\\' => out.extend(['\\', character]),
        // The fast path for printable ASCII: whole log lines pass through here.
        ' '..='~' => out.push(character),
        _ => out.extend(character.escape_debug()),
    }
}

/// The longest bucket name, in characters. The limit for new buckets is 63; buckets created in us-east-1 before March
/// 2018 have up to 255. Source: S3 user guide, "General purpose bucket naming rules".
pub const MAX_BUCKET_NAME_LENGTH: usize = 255;

/// The suffix of every directory bucket's name. Directory buckets are rejected: they support neither
/// `GetBucketTagging` nor event notifications, and the SDK opens a session before any request to one. Source: S3 user
/// guide, "Directory bucket naming rules".
const DIRECTORY_BUCKET_SUFFIX: &str = "--x-s3";

/// The longest object key, in bytes of UTF-8. Source: S3 user guide, "Naming Amazon S3 objects".
pub const MAX_KEY_BYTES: usize = 1024;

/// The longest Region name accepted, in characters. Most names in use have up to 14 (`us-isob-east-1`,
/// `ap-southeast-2`).
const MAX_REGION_LENGTH: usize = 32;

/// The longest ID accepted, in characters. The IDs of distributions have 13 or 14 today, those of distribution tenants
/// about 30, those of CodePipeline jobs and cache policies 36.
pub(crate) const MAX_ID_LENGTH: usize = 64;

/// The prefix of a distribution tenant's ID. Source: CloudFront API model, `DistributionTenant`.
const TENANT_PREFIX: &str = "dt_";

/// The error for an invalid name. It quotes the value and states the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" {rule}")]
pub struct NameError {
    value: String,
    rule: &'static str,
}

impl NameError {
    pub(crate) fn new(value: &str, rule: &'static str) -> Self {
        Self { value: excerpt(value), rule }
    }
}

/// Defines a checked name: its documentation, its name, its length in bytes, and its grammar as pairs of a condition
/// and what is said of a value that does not meet it.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident($length:expr), $($fits:expr => $rule:expr),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Validates `text` against the grammar.
            ///
            /// # Errors
            /// [`NameError`](crate::change::NameError) with the text and the rule it violates.
            pub fn new(text: &str) -> Result<Self, $crate::change::NameError> {
                $(
                    let fits: fn(&str) -> bool = $fits;
                    if !($length).contains(&text.len()) || !fits(text) {
                        return Err($crate::change::NameError::new(text, $rule));
                    }
                )+
                Ok(Self(text.into()))
            }

            /// Returns it as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

pub(crate) use checked_name;

checked_name! {
    /// The name of an S3 general purpose bucket.
    ///
    /// - 3 to 255 characters, each an ASCII letter, a digit, `.`, `-` or `_` (capitals and `_` occur only in old
    ///   buckets)
    /// - at least one letter or digit, so that it is never a path segment such as `..`
    /// - not the name of a directory bucket
    ///
    /// ```
    /// use s3_cloudfront_invalidator::change::BucketName;
    ///
    /// assert!(BucketName::new("my-site.example.com").is_ok());
    /// assert!(BucketName::new("evil/../bucket").is_err());
    /// assert!(BucketName::new("...").is_err());
    /// ```
    BucketName(3..=MAX_BUCKET_NAME_LENGTH),
    |name| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            && name.bytes().any(|b| b.is_ascii_alphanumeric())
    } => "is not a bucket name (3 to 255 letters, digits, \".\", \"-\" and \"_\")",
    |name| !name.ends_with(DIRECTORY_BUCKET_SUFFIX)
        => "is a directory bucket, which supports neither GetBucketTagging nor event notifications",
}

checked_name! {
    /// The name of an AWS Region, which becomes part of an endpoint's host name.
    ///
    /// Two or more parts joined by `-`: words of lowercase letters, then a number.
    ///
    /// ```
    /// use s3_cloudfront_invalidator::change::Region;
    ///
    /// assert!(Region::new("us-gov-west-1").is_ok());
    /// assert!(Region::new("eu-west-1.evil.example").is_err());
    /// ```
    Region(1..=MAX_REGION_LENGTH),
    |name| {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        name.rsplit_once('-').is_some_and(|(words, last)| number(last) && words.split('-').all(word))
    } => "is not a Region name (such as \"eu-central-1\")",
}

checked_name! {
    /// The key of an object, decoded: 1 to 1,024 bytes of UTF-8, any characters.
    ObjectKey(1..=MAX_KEY_BYTES),
    |_| true => "is not an object key (1 to 1,024 bytes of UTF-8)",
}

checked_name! {
    /// The ID of an AWS account: 12 digits.
    AccountId(12..=12),
    |id| id.bytes().all(|b| b.is_ascii_digit()) => "is not an account ID (12 digits)",
}

impl AccountId {
    /// Returns the account ID in a function's ARN (`arn:aws:lambda:eu-central-1:123456789012:function:name`), or `None`
    /// if the ARN is not that of a function.
    #[must_use]
    pub fn from_function_arn(arn: &str) -> Option<Self> {
        match arn.split(':').collect::<Vec<_>>().as_slice() {
            ["arn", _, "lambda", _, account, ..] => Self::new(account).ok(),
            _ => None,
        }
    }
}

checked_name! {
    /// The ID of a CloudFront distribution: capital letters and digits, the first a letter (`E2EXAMPLE1ABCD`); or the
    /// ID of a distribution tenant, which has its own cache: `dt_` followed by letters and digits.
    ///
    /// The ID comes from a bucket tag and becomes a segment of a request URL, so everything outside this grammar is
    /// rejected.
    ///
    /// ```
    /// use s3_cloudfront_invalidator::change::DistributionId;
    ///
    /// assert!(DistributionId::new("E2EXAMPLE1ABCD").is_ok());
    /// assert!(DistributionId::new("dt_2vExAmPle1AbCd").is_ok());
    /// assert!(DistributionId::new("E1/../../x").is_err());
    /// assert!(DistributionId::new("d111111abcdef8.cloudfront.net").is_err());
    /// ```
    DistributionId(1..=MAX_ID_LENGTH),
    |id| match id.strip_prefix(TENANT_PREFIX) {
        Some(rest) => !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()),
        None => is_id(id) && id.starts_with(|first: char| first.is_ascii_uppercase()),
    } => "is not a distribution ID (such as \"E2EXAMPLE1ABCD\", or \"dt_…\" for a distribution tenant)",
}

checked_name! {
    /// The ID of an invalidation: capital letters and digits. It becomes a segment of a request URL.
    InvalidationId(1..=MAX_ID_LENGTH),
    is_id => "is not an invalidation ID (capital letters and digits)",
}

fn is_id(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

impl DistributionId {
    /// Returns whether this is the ID of a distribution tenant.
    #[must_use]
    pub fn is_tenant(&self) -> bool {
        self.as_str().starts_with(TENANT_PREFIX)
    }

    /// Parses the value of a tag: one or several IDs, or ARNs that end with them, separated by whitespace because a tag
    /// value cannot contain a comma. Returns them sorted and without duplicates.
    ///
    /// # Errors
    /// [`NameError`] with the first invalid ID and the remedy, or with the whole value if it contains no ID.
    pub fn parse_tag(value: &str) -> Result<Vec<Self>, NameError> {
        let mut ids = value.split_whitespace().map(Self::from_word).collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() {
            // A value without an ID is no ID itself, so this is the error.
            ids.push(Self::new(value)?);
        }
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    /// Parses an ID, or an ARN that ends with one.
    ///
    /// # Errors
    /// [`NameError`] with the rule that it violates, and the remedy.
    pub fn from_word(word: &str) -> Result<Self, NameError> {
        let resource = word.starts_with("arn:").then(|| word.splitn(6, ':').collect::<Vec<_>>());
        let id = match resource.as_deref() {
            Some([_, _, "cloudfront", _, _, resource]) => {
                let kinds = ["distribution/", "distribution-tenant/"];
                kinds.into_iter().find_map(|kind| resource.strip_prefix(kind)).unwrap_or_default()
            }
            Some(_) => "",
            None => word,
        };
        Self::new(id).map_err(|error| {
            let is_tenant = |word: &str| word.starts_with(TENANT_PREFIX);
            let parts = word.split(|c: char| !c.is_ascii_alphanumeric() && (c != '_' || !is_tenant(word)));
            let rule = if resource.is_some() {
                "is not the ARN of a distribution"
            } else if word.contains("://")
                || (word.contains('.') && word.contains(|c: char| c.is_ascii_lowercase()) && !word.contains('/'))
            {
                "is a domain name; name the distribution's ID, which `aws cloudfront list-distributions --query \
                 \"DistributionList.Items[].[Id,DomainName,Aliases.Items]\"` prints"
            } else if parts.filter(|part| Self::new(part).is_ok()).count() > 1 {
                "is several distribution IDs; separate them by spaces"
            } else {
                return error;
            };
            NameError::new(word, rule)
        })
    }
}

checked_name! {
    /// The ID of a cache policy: ASCII letters, digits and hyphens, so that it is safe as a segment of a request's URL.
    PolicyId(1..=MAX_ID_LENGTH),
    |id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        => "is not a cache policy ID (letters, digits and hyphens)",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_distributions_by_ids_or_arns() {
        let ids = |value: &str| {
            let ids = DistributionId::parse_tag(value).map_err(|error| error.to_string())?;
            Ok::<_, String>(ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(ids("E2 E1\tE2"), Ok("E1 E2".into()));
        assert_eq!(ids("arn:aws:cloudfront::123456789012:distribution/E1 E2"), Ok("E1 E2".into()));
        assert_eq!(ids("arn:aws-cn:cloudfront::123456789012:distribution-tenant/dt_a1"), Ok("dt_a1".into()));
        for (value, part) in [
            ("E1,E2", "\"E1,E2\" is several distribution IDs; separate them by spaces"),
            ("E1/E2", "separate them by spaces"),
            ("d111111abcdef8.cloudfront.net", "is a domain name; name the distribution's ID, which `aws"),
            ("www.example.com", "is a domain name"),
            ("arn:aws:cloudfront::123456789012:function/f", "is not the ARN of a distribution"),
            ("arn:aws:s3:::site/E1", "is not the ARN of a distribution"),
            ("arn:aws:cloudfront::123456789012:distribution/E1/E2", "is not the ARN of a distribution"),
            ("arn:aws:cloudfront::123456789012:origin-access-control/E1", "is not the ARN of a distribution"),
            ("E1:E2", "separate them by spaces"),
            ("E1_E2", "separate them by spaces"),
            ("dt_a1+dt_b2", "separate them by spaces"),
            ("https://www.example.com", "is a domain name"),
            ("e1", "is not a distribution ID"),
            (" ", "is not a distribution ID"),
        ] {
            let error = ids(value).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn line_breaks_and_terminal_controls_are_escaped() {
        let hostile = "a\r\n\u{1b}[31m\u{2028}\u{2029}\u{85}\u{202e}b";
        for text in [excerpt(hostile), one_line(hostile)] {
            assert!(is_one_line(&text), "{text}");
            assert!(!text.contains(['\r', '\n', '\u{1b}', '\u{2028}', '\u{2029}', '\u{85}', '\u{202e}']), "{text}");
        }
    }

    #[test]
    fn json_is_the_same_and_on_one_line() {
        let value = serde_json::json!({ "a\u{9b}\u{202e}": "b\u{85}\u{1f600}\u{e0001}\"\\ é\n" });
        let line = json_line(&value.to_string());
        assert!(is_one_line(&line) && line.contains("\\u009b\\u202e") && line.contains('é'), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }

    #[test]
    fn each_unsafe_character_is_detected() {
        for character in "\r\n\u{1b}\u{7f}\u{9b}\u{2028}\u{2029}\u{85}\u{202e}\u{feff}\u{200b}\0".chars() {
            assert!(!is_one_line(&format!("a{character}b")), "{character:?}");
        }
        assert!(is_one_line("/café/\\ \"it's\" 世界*…"));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("éé", 2), "éé");
        assert_eq!(shortened("ééé", 2), "é…");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert_eq!(one_line("bucket \"site\", café's key"), "bucket \"site\", café's key");
        assert_eq!(excerpt("bucket's \"a\\b\" é"), r#"bucket's \"a\\b\" é"#);
    }

    #[test]
    fn quoted_text_is_not_escaped_twice() {
        let quoted = excerpt("C:\\a\n\"b\"");
        assert_eq!(quoted, r#"C:\\a\n\"b\""#);
        assert_eq!(one_line(&quoted), quoted);
    }
}

#[cfg(test)]
mod name_tests {
    use super::*;

    #[test]
    fn bucket_names_are_checked_by_grammar() {
        for good in ["abc", "my-site.example.com", "Legacy_Bucket", "a".repeat(255).as_str()] {
            assert!(BucketName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "a/b",
            "...",
            "a b",
            "caf\u{e9}",
            "a?b",
            "a\nb",
            "arn:aws:s3:::b",
            "abc--euc1-az1--x-s3",
            "a".repeat(256).as_str(),
        ] {
            assert!(BucketName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn region_names_are_checked_by_grammar() {
        for good in ["us-east-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-12"] {
            assert!(Region::new(good).is_ok(), "{good}");
        }
        for bad in
            ["", "us", "1", "-1", "us--1", "us-east-", "us-east-1a", "US-EAST-1", "a.b-1", "us-east-1/x", "us-1-east"]
        {
            assert!(Region::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hostile_name_is_quoted_in_part_and_on_one_line() {
        let error = BucketName::new(&"\n\u{1b}".repeat(500)).unwrap_err().to_string();
        assert!(error.len() < 400, "{error}");
        assert!(!error.contains(char::is_control), "{error}");
    }

    #[test]
    fn keys_have_one_to_1024_bytes() {
        assert!(ObjectKey::new("").is_err());
        assert!(ObjectKey::new(&"k".repeat(1024)).is_ok());
        assert!(ObjectKey::new(&"k".repeat(1025)).is_err());
    }

    #[test]
    fn the_account_is_read_from_the_arn() {
        let account = |arn| AccountId::from_function_arn(arn).map(|id| id.as_str().to_owned());
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:invalidator";
        assert_eq!(account(arn).as_deref(), Some("123456789012"));
        assert_eq!(
            account("arn:aws-cn:lambda:cn-north-1:123456789012:function:f:alias").as_deref(),
            Some("123456789012")
        );
        for bad in
            ["", "arn:aws:lambda", "arn:aws:s3:eu-central-1:123456789012:x", "arn:aws:lambda:r:12345:function:f", "x"]
        {
            assert_eq!(account(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_are_checked_by_grammar() {
        for good in ["E2EXAMPLE1ABCD", "EDFDVBD632BHDS5", "E1"] {
            assert!(DistributionId::new(good).is_ok(), "{good}");
        }
        for good in ["dt_2vExAmPle", "dt_1"] {
            assert!(DistributionId::new(good).unwrap().is_tenant(), "{good}");
        }
        for bad in ["dt_", "dt_a/b", "dt-1", "DT_1", "dt_a_b", "xdt_1"] {
            assert!(DistributionId::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "e1", "1E", "E 1", "E1/x", "E1?x", "E1%2F", "E\n", "É1", "*", "E".repeat(65).as_str()] {
            assert!(DistributionId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tag_can_name_several_ids_and_duplicates_count_once() {
        let ids = DistributionId::parse_tag("  E2 E1  E2 ").unwrap();
        assert_eq!(ids.iter().map(DistributionId::as_str).collect::<Vec<_>>(), ["E1", "E2"]);
        assert!(DistributionId::parse_tag("E1 bad").is_err());
        assert!(DistributionId::parse_tag("   ").is_err());
    }
}
