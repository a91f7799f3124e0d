//! Validated names: bucket, Region, object key and account ID, and the macro that defines these and all other checked
//! names.
//!
//! Names arrive in events, and anyone who may invoke the function can forge an event. The only constructor of each
//! validates, so their values can be passed to an SDK or become a segment of a request URL.

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

/// The number of digits of an account ID.
const ACCOUNT_ID_LENGTH: usize = 12;

/// The longest ID accepted, in characters. The IDs of distributions have 13 or 14 today, those of distribution tenants
/// about 30, those of CodePipeline jobs and cache policies 36.
pub(crate) const MAX_ID_LENGTH: usize = 64;

/// The error for an invalid name. It quotes the value and states the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" {rule}")]
pub struct NameError {
    value: String,
    rule: &'static str,
}

impl NameError {
    pub(crate) fn new(value: &str, rule: &'static str) -> Self {
        Self { value: super::text::excerpt(value), rule }
    }
}

/// Defines a checked name: its documentation, its name, its length in bytes, and its grammar as pairs of a condition
/// and what is said of a value that does not meet it.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $length:expr, $($fits:expr => $rule:expr),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Validates `text` against the grammar.
            ///
            /// # Errors
            /// [`NameError`](crate::change::NameError) with the text and the rule it violates.
            pub fn new(text: &str) -> Result<Self, $crate::change::NameError> {
                $(
                    let fits: fn(&str) -> bool = $fits;
                    if !$length.contains(&text.len()) || !fits(text) {
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

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
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
    BucketName,
    (3..=MAX_BUCKET_NAME_LENGTH),
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
    Region,
    (1..=MAX_REGION_LENGTH),
    |name| {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        name.rsplit_once('-').is_some_and(|(words, last)| number(last) && words.split('-').all(word))
    } => "is not a Region name (such as \"eu-central-1\")",
}

checked_name! {
    /// The key of an object, decoded: 1 to 1,024 bytes of UTF-8, any characters.
    ObjectKey,
    (1..=MAX_KEY_BYTES),
    |_| true => "is not an object key (1 to 1,024 bytes of UTF-8)",
}

checked_name! {
    /// The ID of an AWS account: 12 digits.
    AccountId,
    (ACCOUNT_ID_LENGTH..=ACCOUNT_ID_LENGTH),
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

#[cfg(test)]
mod tests {
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
}
