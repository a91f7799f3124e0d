//! The origin path: which folder of a bucket an origin serves, and what a key is called below it.

use std::fmt;

use crate::change::ObjectKey;
use crate::change::text::excerpt;

/// An origin path: empty, or `/` and a folder without a slash at its end, as CloudFront keeps it.
///
/// ```
/// use s3_cloudfront_invalidator::change::ObjectKey;
/// use s3_cloudfront_invalidator::path::OriginPath;
///
/// let origin_path = OriginPath::parse("/web")?;
/// let key = ObjectKey::new("web/images/a.png")?;
/// assert_eq!(origin_path.strip(&key).map(|it| it.as_str()), Some("images/a.png"));
/// assert!(origin_path.strip(&ObjectKey::new("website/a.png")?).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginPath(String);

/// A text that is no origin path, with the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPathError(String);

impl fmt::Display for OriginPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not an origin path (such as \"/web\": a slash first, none at the end)", self.0)
    }
}

impl std::error::Error for OriginPathError {}

impl OriginPath {
    /// Takes an origin path as CloudFront's console and API show it; a single `/` is the same as none.
    ///
    /// # Errors
    /// [`OriginPathError`] if it does not start with `/`, or ends with one.
    pub fn parse(text: &str) -> Result<Self, OriginPathError> {
        match text {
            "" | "/" => Ok(Self::default()),
            _ if text.starts_with('/') && !text.ends_with('/') => Ok(Self(text.to_owned())),
            _ => Err(OriginPathError(excerpt(text))),
        }
    }

    /// What is left of it below its first folder, if that is `folder`.
    #[must_use]
    pub fn within(&self, folder: &str) -> Option<Self> {
        let rest = self.0.strip_prefix('/')?.strip_prefix(folder)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| Self(rest.to_owned()))
    }

    /// What all keys start with that lie inside: nothing, or a folder and its slash.
    #[must_use]
    pub fn folder(&self) -> String {
        self.0.strip_prefix('/').map_or_else(String::new, |folder| format!("{folder}/"))
    }

    /// The part of `key` that a viewer sees; `None` if the key lies outside, where this origin never looks.
    #[must_use]
    pub fn strip<'k>(&self, key: &'k ObjectKey) -> Option<ViewerKey<'k>> {
        match self.0.strip_prefix('/') {
            None => Some(ViewerKey(key.as_str())),
            Some(folder) => key.as_str().strip_prefix(folder)?.strip_prefix('/').map(ViewerKey),
        }
    }
}

impl fmt::Display for OriginPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key relative to its origin path: never longer than a key, so its path always fits. Empty for the folder itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewerKey<'k>(&'k str);

impl<'k> ViewerKey<'k> {
    /// The rest of the key.
    #[must_use]
    pub fn as_str(self) -> &'k str {
        self.0
    }
}
