//! Origin paths, which CloudFront prepends to a viewer's path, and keys relative to them.

use std::fmt;

use crate::change::ObjectKey;
use crate::change::text::excerpt;

/// An origin path: empty, or `/` and a folder without a trailing slash, as CloudFront stores it.
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

impl OriginPath {
    /// Parses an origin path as CloudFront's console and API show it. A single `/` means none.
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

    /// Returns the path below its first folder, if that is `folder`.
    #[must_use]
    pub fn strip_first_folder(&self, folder: &str) -> Option<Self> {
        let rest = self.0.strip_prefix('/')?.strip_prefix(folder)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| Self(rest.to_owned()))
    }

    /// Returns the prefix of the keys below the origin path: empty, or the folder and a slash.
    #[must_use]
    pub fn key_prefix(&self) -> String {
        self.0.strip_prefix('/').map_or_else(String::new, |folder| format!("{folder}/"))
    }

    /// Returns the key relative to the origin path; `None` if the key is outside, and so not served by the origin.
    #[must_use]
    pub fn strip<'k>(&self, key: &'k ObjectKey) -> Option<RelativeKey<'k>> {
        match self.0.strip_prefix('/') {
            None => Some(RelativeKey(key.as_str())),
            Some(folder) => key.as_str().strip_prefix(folder)?.strip_prefix('/').map(RelativeKey),
        }
    }
}

impl fmt::Display for OriginPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not an origin path, with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an origin path (such as \"/web\", with a leading but no trailing slash)")]
pub struct OriginPathError(String);

/// A key relative to its origin path; empty for the folder itself.
///
/// It is never longer than the key, so its path is within CloudFront's limit even if every byte is percent-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativeKey<'k>(&'k str);

impl<'k> RelativeKey<'k> {
    /// Returns the relative key.
    #[must_use]
    pub fn as_str(self) -> &'k str {
        self.0
    }
}
