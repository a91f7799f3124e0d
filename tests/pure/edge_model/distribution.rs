//! A model of CloudFront in front of S3, from a request to the object that it fetches: written from AWS's documents,
//! without the product's code.
//!
//! The way of a request: the cache behavior is chosen by the viewer's URL, a function at viewer-request may rewrite it,
//! the cache is looked up by the rewritten URL, a function at origin-request may rewrite it again, CloudFront prepends
//! the origin path, and S3 decodes the result to a key.
//!
//! Sources: CloudFront developer guide, "How CloudFront works with Lambda@Edge", "Specify a default root object",
//! "Path pattern", "Origin path"; S3 user guide, "Configuring an index document".

use std::collections::BTreeSet;
use std::fmt::Write;

/// A distribution.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    pub(super) origins: Vec<Origin>,
    /// The first whose pattern matches applies.
    pub(super) behaviors: Vec<Behavior>,
    /// The default root object.
    pub(super) root: Option<&'static str>,
}

/// An origin.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) domain: &'static str,
    /// The origin path as it is configured, percent-encoded.
    pub(super) path: &'static str,
    pub(super) server: Server,
}

/// What answers at an origin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Server {
    /// S3's REST endpoint of the bucket.
    Rest,
    /// The REST endpoint in path style: the first folder of a URL is the bucket.
    PathStyle(&'static str),
    /// The website endpoint of the bucket, with the name of its index documents.
    Website(&'static str),
    /// Something else.
    Other,
}

/// A cache behavior.
#[derive(Clone, Debug)]
pub(super) struct Behavior {
    pub(super) pattern: String,
    /// Indexes of origins: one, or those of an origin group.
    pub(super) targets: Vec<usize>,
    /// Whether the query string is part of the cache key.
    pub(super) query_strings: bool,
    pub(super) is_cached: bool,
    pub(super) function: Option<(EventType, EdgeFunction)>,
}

/// When an edge function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventType {
    ViewerRequest,
    OriginRequest,
}

/// What an edge function does with a URI: these steps, in this order.
#[derive(Clone, Debug, Default)]
pub(super) struct EdgeFunction {
    /// Removes this from the start; where it ends with a slash, also without it.
    pub(super) prefix: String,
    /// Removes one of these from the end.
    pub(super) suffixes: Vec<&'static str>,
    /// Makes the name of an object of a directory or of a page.
    pub(super) pages: Pages,
    /// Adds the request's folder at the start.
    pub(super) folder: Folder,
}

/// What an edge function makes of URIs without a file extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pages {
    /// They stay as they are.
    #[default]
    Unchanged,
    /// `/a/` and `/a` become `/a/index.html`, with this name.
    Index(&'static str),
    /// `/a/` becomes `/a/index.html`, and `/a` becomes `/a.html`.
    Clean,
    /// Every one becomes `/index.html`: a single-page application.
    Single,
}

/// Which folder an edge function adds, which the request determines: a language, or a preview's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Folder {
    /// None.
    #[default]
    None,
    /// The request's folder.
    Always,
    /// The request's folder, unless the URI is below one of these already.
    UnlessBelow(&'static [&'static str]),
}

/// A viewer's request.
#[derive(Clone, Debug)]
pub(super) struct Request<'r> {
    /// The URL's path, percent-encoded.
    pub(super) path: String,
    /// The query string with its `?`, or nothing.
    pub(super) query: &'static str,
    /// What a function reads from a header, such as the language or the host.
    pub(super) folder: &'r str,
}

/// A URL in the cache, and the key of the object that is cached there.
pub(super) type Cached = (String, String);

impl EdgeFunction {
    fn rewrite(&self, uri: &str, folder: &str) -> String {
        let mut uri = match uri.strip_prefix(&format!("/{}", self.prefix)) {
            Some(rest) => format!("/{rest}"),
            None if format!("{uri}/") == format!("/{}", self.prefix) => "/".to_owned(),
            None => uri.to_owned(),
        };
        let suffix = self.suffixes.iter().find(|suffix| uri.ends_with(*suffix));
        uri.truncate(uri.len() - suffix.map_or(0, |suffix| suffix.len()));
        let has_extension = uri.rsplit('/').next().unwrap_or_default().contains('.');
        match self.pages {
            Pages::Index(name) if uri.ends_with('/') => uri += name,
            Pages::Index(name) if !has_extension => uri = format!("{uri}/{name}"),
            Pages::Clean if uri.ends_with('/') => uri += "index.html",
            Pages::Clean if !has_extension => uri += ".html",
            Pages::Single if !has_extension => "/index.html".clone_into(&mut uri),
            _ => {}
        }
        let is_below = |folders: &[&str]| folders.iter().any(|it| uri.starts_with(&format!("/{it}/")));
        match self.folder {
            Folder::Always => format!("/{folder}{uri}"),
            Folder::UnlessBelow(folders) if !is_below(folders) => format!("/{folder}{uri}"),
            _ => uri,
        }
    }
}

impl Distribution {
    /// Returns the URLs at which this request leaves an object in the cache. Several, where AWS's documents do not say
    /// which: whether CloudFront replaces `/` by the default root object before or after the function at
    /// viewer-request and the cache lookup, and which origin of a group answers.
    pub(super) fn handle(&self, request: &Request<'_>, keys: &BTreeSet<String>) -> BTreeSet<Cached> {
        let mut cached = BTreeSet::new();
        let Some(behavior) = self.behaviors.iter().find(|it| matches(it.pattern.as_bytes(), request.path.as_bytes()))
        else {
            return cached;
        };
        if !behavior.is_cached {
            return cached;
        }
        let rewritten = |uri: &str, at: EventType| match &behavior.function {
            Some((event_type, function)) if *event_type == at => function.rewrite(uri, request.folder),
            _ => uri.to_owned(),
        };
        for root_is_replaced_at in 0..3 {
            let with_root = |uri: String, step| match self.root {
                Some(root) if uri == "/" && step == root_is_replaced_at => format!("/{root}"),
                _ => uri,
            };
            let uri = with_root(request.path.clone(), 0);
            let uri = with_root(rewritten(&uri, EventType::ViewerRequest), 1);
            let cache_key = if behavior.query_strings { format!("{uri}{}", request.query) } else { uri.clone() };
            let uri = rewritten(&with_root(uri, 2), EventType::OriginRequest);
            let found = behavior.targets.iter().filter_map(|&target| self.origins[target].key(&uri));
            cached.extend(found.filter(|key| keys.contains(key)).map(|key| (cache_key.clone(), key)));
        }
        cached
    }
}

impl Origin {
    /// The key of the object that is fetched for a URI.
    fn key(&self, uri: &str) -> Option<String> {
        let path = decoded(&format!("{}{uri}", self.path))?;
        let key = path.strip_prefix('/')?;
        match self.server {
            Server::PathStyle(bucket) => Some(key.strip_prefix(bucket)?.strip_prefix('/')?.to_owned()),
            Server::Website(index) if path.ends_with('/') => Some(format!("{key}{index}")),
            Server::Rest | Server::Website(_) => Some(key.to_owned()),
            Server::Other => None,
        }
    }
}

/// Whether a path pattern matches: `*` matches any characters, `?` one.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=path.len()).any(|skipped| matches(rest, &path[skipped..])),
        ([b'?', pattern @ ..], [_, path @ ..]) => matches(pattern, path),
        ([one, pattern @ ..], [other, path @ ..]) => one == other && matches(pattern, path),
        _ => false,
    }
}

/// Decodes a URL's path as S3 does: `+` is a space, then `%XX` is a byte. `None` if it is not UTF-8.
fn decoded(url: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = url.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The ways in which viewers spell a path: RFC 1738's unsafe characters and `+` encoded, a space as `%20` or as `+`, and
/// a `~` as it is or encoded.
pub(super) fn spellings(path: &str) -> BTreeSet<String> {
    let mut spellings = BTreeSet::new();
    for (space, tilde) in [("%20", "~"), ("%20", "%7E"), ("+", "~"), ("+", "%7E")] {
        let mut url = String::new();
        for byte in path.bytes() {
            match byte {
                b' ' => url += space,
                b'~' => url += tilde,
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => url.push(byte.into()),
                _ if b"$-_.!*'(),/:@=&;".contains(&byte) => url.push(byte.into()),
                _ => write!(url, "%{byte:02X}").unwrap(),
            }
        }
        spellings.insert(url);
    }
    spellings
}

/// Whether an item of an invalidation removes a URL from the cache: `*` at its end stands for any characters. An item
/// with a `~`, encoded or not, does nothing, as does one with `%2A`.
pub(super) fn removes(item: &str, url: &str) -> bool {
    if ["~", "%7E", "%2A"].iter().any(|it| item.contains(it)) {
        return false;
    }
    item.strip_suffix('*').map_or(item == url, |prefix| url.starts_with(prefix))
}

#[test]
fn a_request_goes_its_way() {
    let keys = ["en/docs/index.html", "a b+c.txt", "web/x"].map(str::to_owned).into();
    let function = EdgeFunction {
        pages: Pages::Index("index.html"),
        folder: Folder::UnlessBelow(&["en", "de"]),
        ..EdgeFunction::default()
    };
    let behavior = |function| Behavior {
        pattern: "*".to_owned(),
        targets: vec![0],
        query_strings: true,
        is_cached: true,
        function,
    };
    let distribution = |path, server, function| Distribution {
        origins: vec![Origin { domain: "", path, server }],
        behaviors: vec![behavior(function)],
        root: None,
    };
    for (path, server, at, request, expected) in [
        ("", Server::Rest, None, "/a+b%2Bc.txt", Some(("/a+b%2Bc.txt?v", "a b+c.txt"))),
        ("", Server::Rest, None, "/a+b+c.txt", None),
        ("", Server::Rest, None, "/en/docs/", None),
        ("", Server::Website("index.html"), None, "/en/docs/", Some(("/en/docs/?v", "en/docs/index.html"))),
        ("/web", Server::Rest, None, "/x", Some(("/x?v", "web/x"))),
        ("/site", Server::PathStyle("site"), None, "/web/x", Some(("/web/x?v", "web/x"))),
        ("", Server::Rest, Some(EventType::OriginRequest), "/docs", Some(("/docs?v", "en/docs/index.html"))),
        ("", Server::Rest, Some(EventType::OriginRequest), "/de/docs", None),
        (
            "",
            Server::Rest,
            Some(EventType::ViewerRequest),
            "/docs",
            Some(("/en/docs/index.html?v", "en/docs/index.html")),
        ),
    ] {
        let distribution = distribution(path, server, at.map(|at| (at, function.clone())));
        let request = Request { path: request.to_owned(), query: "?v", folder: "en" };
        let expected = expected.map(|(url, key): (&str, &str)| (url.to_owned(), key.to_owned()));
        assert_eq!(
            distribution.handle(&request, &keys),
            expected.into_iter().collect(),
            "{distribution:?} {request:?}"
        );
    }
    assert_eq!(spellings("/a b~"), ["/a%20b~", "/a%20b%7E", "/a+b~", "/a+b%7E"].map(str::to_owned).into());
    assert!(removes("/a*", "/a?b") && removes("/a", "/a") && !removes("/a", "/a/") && !removes("/a%7E*", "/a%7Eb"));
}
