//! The URLs that an object is cached under: below its origin path, with both encodings of a space, and as a directory.

use super::encode::url_of;
use super::{InvalidationPath, RelativeKey};

/// How the directory of an index document is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectoryUrls {
    /// As `/docs/`.
    #[default]
    Slash,
    /// As `/docs/`, and as `/docs`, which an edge function rewrites.
    Both,
}

/// A URL that an object is cached under, relative to the distribution, as viewers request it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerUrl {
    /// The URL's path. It starts with `/`, and any `~` and final `*` in it are literal.
    pub text: String,
    /// Whether this is the URL of the object itself, not that of its directory.
    pub is_file: bool,
}

impl ViewerUrl {
    /// Returns the root URL `/`, for which CloudFront returns the default root object.
    #[must_use]
    pub fn root() -> Self {
        Self { text: "/".into(), is_file: false }
    }

    /// Returns the paths that invalidate the URL.
    ///
    /// With `query_strings`, the URL is cached once for each query string, and a file's path gets a final `*`. A
    /// directory gets two paths, its own and that with `?*`, since its own with `*` would cover everything in the
    /// directory.
    pub fn paths(self, query_strings: bool) -> impl Iterator<Item = InvalidationPath> {
        let Self { text, is_file } = self;
        let path = InvalidationPath::of_url(&text);
        // A wildcard already covers every query string.
        let has_queries = query_strings && !path.is_wildcard();
        let queries = has_queries.then(|| InvalidationPath::of_url(&(text + if is_file { "*" } else { "?*" })));
        let path = (!has_queries || !is_file).then_some(path);
        path.into_iter().chain(queries)
    }
}

/// Returns the URLs under which CloudFront may have cached an object.
///
/// These are the object's own and, if its name is in `index_documents`, those of its directory. With
/// [`DirectoryUrls::Both`], the directory's URL without the trailing slash is included.
#[must_use]
pub fn urls(key: RelativeKey<'_>, index_documents: &[String], directory_urls: DirectoryUrls) -> Vec<ViewerUrl> {
    let (directory, file) = key.as_str().split_at(key.as_str().rfind('/').map_or(0, |slash| slash + 1));
    let is_index = index_documents.iter().any(|name| name == file);
    let bare = directory.strip_suffix('/').filter(|_| directory_urls == DirectoryUrls::Both);
    let directories = [Some(directory), bare].into_iter().flatten().filter(|_| is_index);
    let mut urls = Vec::with_capacity(1);
    for (form, is_file) in std::iter::once((key.as_str(), true)).chain(directories.map(|form| (form, false))) {
        let text = url_of(form);
        // URL encoders write a space as `%20`, form encoders as `+`. No encoder mixes the two in one URL.
        let with_plus = form.contains(' ').then(|| ViewerUrl { text: text.replace("%20", "+"), is_file });
        urls.push(ViewerUrl { text, is_file });
        urls.extend(with_plus);
    }
    urls
}

/// Returns the paths that invalidate an object: sorted, deduplicated, one to four.
///
/// - A space gives two: one with every space as `%20`, and one with every space as `+`.
/// - An index document also gives its directory: `docs/index.html` gives `/docs/` and `/docs/index.html`. The file name
///   is compared in full, so `docs/myindex.html` is not an index document.
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
pub fn viewer_paths(key: RelativeKey<'_>, index_documents: &[String]) -> Vec<InvalidationPath> {
    let mut paths: Vec<_> = viewer_urls(key, index_documents).iter().map(|url| InvalidationPath::of_url(url)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Returns the URLs under which CloudFront may have cached an object, as viewers request them.
///
/// They are what the paths of [`viewer_paths`] must match. Any `~` and final `*` in them are literal.
#[must_use]
pub fn viewer_urls(key: RelativeKey<'_>, index_documents: &[String]) -> Vec<String> {
    urls(key, index_documents, DirectoryUrls::Slash).into_iter().map(|url| url.text).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::change::ObjectKey;
    use crate::path::OriginPath;

    fn paths(key: &str, directory_urls: DirectoryUrls, query_strings: bool) -> Vec<String> {
        let index_documents = vec!["index.html".to_owned()];
        let key = ObjectKey::new(key).unwrap();
        let urls = urls(OriginPath::default().strip(&key).unwrap(), &index_documents, directory_urls);
        let paths: BTreeSet<_> = urls.into_iter().flat_map(|url| url.paths(query_strings)).collect();
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
    fn query_strings_of_a_directory_do_not_cover_its_content() {
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
