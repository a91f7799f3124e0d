//! The URLs that an object is cached under, as viewers request them, and the paths that invalidate them.

use super::url_forms::IndexNames;
use super::{DirectoryUrls, InvalidationPath, RelativeKey, UrlForms};

/// A URL that an object is cached under, relative to the distribution, as viewers request it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerUrl {
    /// The URL's path. It starts with `/`, and any `~` and final `*` in it are literal.
    pub text: String,
    /// What the URL is of.
    pub kind: UrlKind,
}

/// What a URL is of, which decides how its query strings are covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlKind {
    /// The object itself.
    File,
    /// A directory or a page without its extension: other objects' URLs may start with it.
    Page,
    /// Whatever starts with the URL.
    Prefix,
}

impl ViewerUrl {
    /// Returns the URL of a file.
    #[must_use]
    pub fn file(text: &str) -> Self {
        Self { text: text.to_owned(), kind: UrlKind::File }
    }

    /// Returns the root URL `/`, for which CloudFront returns the default root object.
    #[must_use]
    pub fn root() -> Self {
        Self { text: "/".into(), kind: UrlKind::Page }
    }

    /// Returns the paths that invalidate the URL.
    ///
    /// With `query_strings`, the URL is cached once for each query string, and a file's path gets a final `*`. A page
    /// gets two paths, its own and that with `?*`, since its own with `*` would cover everything in the directory.
    pub fn paths(self, query_strings: bool) -> impl Iterator<Item = InvalidationPath> {
        let Self { text, kind } = self;
        let path = InvalidationPath::of_url(&text);
        let suffix = match kind {
            UrlKind::Prefix => Some("*"),
            // A wildcard already covers every query string.
            _ if !query_strings || path.is_wildcard() => None,
            UrlKind::File => Some("*"),
            UrlKind::Page => Some("?*"),
        };
        let with_suffix = suffix.map(|suffix| InvalidationPath::of_url(&(text + suffix)));
        let path = (suffix != Some("*")).then_some(path);
        path.into_iter().chain(with_suffix)
    }
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
    let index = IndexNames { served: index_documents, pages: index_documents };
    let forms = UrlForms::default();
    forms.urls(key, index, DirectoryUrls::Slash).into_iter().map(|(url, _)| url.text).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::change::ObjectKey;
    use crate::path::OriginPath;

    fn paths(key: &str, directory_urls: DirectoryUrls, query_strings: bool) -> Vec<String> {
        paths_in("/:key", key, directory_urls, query_strings)
    }

    fn paths_in(forms: &str, key: &str, directory_urls: DirectoryUrls, query_strings: bool) -> Vec<String> {
        let names = ["index.html".to_owned()];
        let (key, forms) = (ObjectKey::new(key).unwrap(), UrlForms::parse(forms).unwrap());
        let index = IndexNames { served: &names, pages: &names };
        let urls = forms.urls(OriginPath::default().strip(&key).unwrap(), index, directory_urls);
        let paths: BTreeSet<_> = urls.into_iter().flat_map(|(url, _)| url.paths(query_strings)).collect();
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

    #[test]
    fn query_strings_of_a_page_do_not_cover_other_pages() {
        let paths = |forms, key| paths_in(forms, key, DirectoryUrls::Slash, true);
        assert_eq!(paths("/:page", "a.html"), ["/a", "/a?*"]);
        assert_eq!(paths("/:page", "a/index.html"), ["/a/", "/a/?*"]);
        assert_eq!(paths("/:page", "a.css"), ["/a.css*"]);
        assert_eq!(paths("/:page:any", "a.html"), ["/a*"]);
        assert_eq!(paths("/:key:any", "a b~c"), ["/a%20b*", "/a+b*"]);
        assert_eq!(paths_in("/:key:any", "a.jpg", DirectoryUrls::Slash, false), ["/a.jpg*"]);
    }
}
