//! The URLs that an object is cached under, as viewers request them, and the paths that invalidate them.

use super::InvalidationPath;

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

/// How the directory of an index document is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectoryUrls {
    /// As `/docs/`.
    #[default]
    Slash,
    /// As `/docs/`, and as `/docs`, which an edge function rewrites.
    Both,
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
