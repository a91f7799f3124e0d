//! Which URLs an object is cached under: below its origin path, in both spellings of a space, and as a directory.

use std::fmt;

use super::InvalidationPath;
use super::encode::{Space, path_of, url_of};
use crate::change::ObjectKey;
use crate::text::excerpt;

/// How the keys of a bucket turn into viewers' paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathOptions {
    /// What CloudFront puts in front of a viewer's path before it asks the bucket.
    pub origin_path: OriginPath,
    /// File names that are also served under their directory's URL.
    pub index_documents: Vec<String>,
    /// How such a directory is spelt.
    pub directory_urls: DirectoryUrls,
    /// Whether the distribution caches a URL once for each query string.
    pub query_strings: bool,
}

/// How the directory of an index document is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectoryUrls {
    /// As `/docs/`.
    #[default]
    Slash,
    /// As `/docs/`, and as `/docs` where a function at the edge rewrites that.
    Both,
}

impl PathOptions {
    /// The paths under which CloudFront may have cached an object, sorted, each once; at least one.
    ///
    /// As [`viewer_paths`], and:
    ///
    /// - With [`DirectoryUrls::Both`] a directory is also its URL without the last slash.
    /// - With query strings, a file's path gets a `*`. A directory's does not, which would cover all that is in it: it is
    ///   itself, and itself with `?*`.
    #[must_use]
    pub fn viewer_paths(&self, key: ViewerKey<'_>) -> Vec<InvalidationPath> {
        let mut paths = Vec::with_capacity(1);
        for (url, is_file) in urls(key, &self.index_documents, self.directory_urls) {
            let with_query = self.query_strings.then(|| if is_file { format!("{url}*") } else { format!("{url}?*") });
            let path = path_of(url);
            match with_query {
                // A wildcard covers its queries.
                None => paths.push(path),
                Some(_) if path.wildcard_prefix().is_some() => paths.push(path),
                Some(queries) if is_file => paths.push(path_of(queries)),
                Some(queries) => paths.extend([path, path_of(queries)]),
            }
        }
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}

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

/// The paths under which CloudFront may have cached an object, sorted, each once; at least one, at most four.
///
/// - A space makes two: every space as `%20`, and every space as `+`.
/// - An index document makes its directory's URL as well: `docs/index.html` gives `/docs/` and `/docs/index.html`. The
///   file name is compared whole, so `docs/myindex.html` is no index document.
///
/// ```
/// use s3_cloudfront_invalidator::change::ObjectKey;
/// use s3_cloudfront_invalidator::path::{OriginPath, viewer_paths};
///
/// let key = ObjectKey::new("my docs/index.html")?;
/// let origin_path = OriginPath::default();
/// let paths = viewer_paths(origin_path.strip(&key).unwrap(), &["index.html".into()]);
/// let paths: Vec<_> = paths.iter().map(|path| path.as_str()).collect();
/// assert_eq!(paths, ["/my%20docs/", "/my%20docs/index.html", "/my+docs/", "/my+docs/index.html"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn viewer_paths(key: ViewerKey<'_>, index_documents: &[String]) -> Vec<InvalidationPath> {
    let mut paths: Vec<_> = viewer_urls(key, index_documents).into_iter().map(path_of).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The URLs under which CloudFront may have cached an object, as viewers' requests spell them: what the items of
/// [`viewer_paths`] are to match. They hold `~` and a last `*` literally.
#[must_use]
pub fn viewer_urls(key: ViewerKey<'_>, index_documents: &[String]) -> Vec<String> {
    urls(key, index_documents, DirectoryUrls::Slash).into_iter().map(|(url, _)| url).collect()
}

/// URLs, and whether each is that of the file itself.
fn urls(key: ViewerKey<'_>, index_documents: &[String], directory_urls: DirectoryUrls) -> Vec<(String, bool)> {
    let (directory, file) = key.0.split_at(key.0.rfind('/').map_or(0, |slash| slash + 1));
    let is_index = index_documents.iter().any(|name| name == file);
    let bare = directory.strip_suffix('/').filter(|_| directory_urls == DirectoryUrls::Both);
    let directories = [Some(directory), bare].into_iter().flatten().filter(|_| is_index);
    let mut urls = Vec::with_capacity(1);
    for (form, is_file) in std::iter::once((key.0, true)).chain(directories.map(|form| (form, false))) {
        urls.push((url_of(form, Space::Percent), is_file));
        if form.contains(' ') {
            urls.push((url_of(form, Space::Plus), is_file));
        }
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(key: &str, directory_urls: DirectoryUrls, query_strings: bool) -> Vec<String> {
        let index_documents = vec!["index.html".to_owned()];
        let options =
            PathOptions { origin_path: OriginPath::default(), index_documents, directory_urls, query_strings };
        let key = ObjectKey::new(key).unwrap();
        let paths = options.viewer_paths(OriginPath::default().strip(&key).unwrap());
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_directory_can_be_requested_without_its_slash() {
        assert_eq!(
            paths("a b/index.html", DirectoryUrls::Both, false),
            ["/a%20b", "/a%20b/", "/a%20b/index.html", "/a+b", "/a+b/", "/a+b/index.html"]
        );
        assert_eq!(paths("index.html", DirectoryUrls::Both, false), ["/", "/index.html"]);
        assert_eq!(paths("a/b.txt", DirectoryUrls::Both, false), ["/a/b.txt"]);
    }

    #[test]
    fn queries_of_a_file_are_covered_and_those_of_a_directory_without_its_content() {
        assert_eq!(paths("a.jpg", DirectoryUrls::Slash, true), ["/a.jpg*"]);
        assert_eq!(paths("a/index.html", DirectoryUrls::Slash, true), ["/a/", "/a/?*", "/a/index.html*"]);
        assert_eq!(paths("a/index.html", DirectoryUrls::Both, true), ["/a", "/a/", "/a/?*", "/a/index.html*", "/a?*"]);
        assert_eq!(paths("index.html", DirectoryUrls::Slash, true), ["/", "/?*", "/index.html*"]);
        for already_a_wildcard in ["a~b.txt", "a*"] {
            assert_eq!(paths(already_a_wildcard, DirectoryUrls::Slash, true), ["/a*"]);
        }
        assert_eq!(paths("~a/index.html", DirectoryUrls::Both, true), ["/*"]);
    }
}
