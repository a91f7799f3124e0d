//! What the readers return: keys, the bucket that the input names for each, and the lines that are not certain.

use crate::change::ObjectKey;
use crate::change::text::{one_line, shortened};

/// The most characters of an owner's name that are shown. The ARN of an access point has up to 170.
const MAX_SHOWN: usize = 200;

/// A list of keys that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyList {
    /// What the input is.
    pub format: Format,
    /// The keys, in the order of the input.
    pub entries: Vec<Entry>,
    /// The lines that name changes, but not certainly which.
    pub uncertain: Vec<UncertainLine>,
    /// The number of names outside the prefix to strip.
    pub outside: usize,
}

impl KeyList {
    /// A list without uncertain lines.
    pub(crate) fn new(format: Format, entries: Vec<Entry>) -> Self {
        Self { format, entries, uncertain: Vec::new(), outside: 0 }
    }
}

/// The format of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The output of `aws s3 sync`, `cp`, `mv` or `rm`: the keys that it changes.
    AwsOutput,
    /// A JSON array of keys.
    Json,
    /// A key on each line.
    Lines,
    /// The output of `aws s3 ls --recursive`: every object below the listed prefix.
    Listing,
    /// Keys with a NUL character after each.
    Null,
}

/// A key, and the bucket that the input names for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// `None` where the input names no bucket.
    pub owner: Option<Owner>,
    /// The key.
    pub key: ObjectKey,
}

impl From<ObjectKey> for Entry {
    fn from(key: ObjectKey) -> Self {
        Self { owner: None, key }
    }
}

/// What the address of an object names before the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The ARN or the alias of an access point. The bucket behind it is not known.
    AccessPoint(String),
    /// A bucket. Its name is not checked: a CI log may hide it (`***`).
    Bucket(String),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AccessPoint(name) => write!(f, "access point {}", one_line(&shortened(name, MAX_SHOWN))),
            Self::Bucket(name) => write!(f, "bucket {}", one_line(&shortened(name, MAX_SHOWN))),
        }
    }
}

/// A line whose change is not certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncertainLine {
    /// The line, from 1.
    pub line: usize,
    /// Why it is not certain.
    pub reason: String,
    /// The keys that probably changed.
    pub likely: Vec<Entry>,
}
