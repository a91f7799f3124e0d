//! The rows of the model: set-ups of an edge function and tags, each with several origins, with and without query
//! strings in the cache key.

use super::distribution::{Behavior, Distribution, EdgeFunction, EventType, Folder, Origin, Pages, Server};

/// A distribution, the bucket behind it, its tags, and what viewers request.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) bucket: &'static str,
    pub(super) tags: Vec<(&'static str, String)>,
    pub(super) distribution: Distribution,
    /// Whether the product may read the distribution config.
    pub(super) has_config: bool,
    /// The keys below the origin path.
    pub(super) keys: Vec<String>,
    /// The origin path's folder, with its slash, in keys.
    pub(super) key_prefix: &'static str,
    pub(super) viewers: Viewers,
}

/// What viewers request.
#[derive(Clone, Debug)]
pub(super) struct Viewers {
    /// What a function may read from a header.
    pub(super) folders: Vec<String>,
    /// Literals before and after the URLs that are made of keys.
    pub(super) prefixes: Vec<String>,
    pub(super) suffixes: Vec<&'static str>,
    /// Whether they request this path.
    pub(super) request: fn(&str) -> bool,
}

impl Default for Viewers {
    fn default() -> Self {
        let strings = |texts: &[&str]| texts.iter().map(|&it| it.to_owned()).collect();
        Self { folders: strings(&[""]), prefixes: strings(&[""]), suffixes: vec![""], request: |_| true }
    }
}

/// An edge function, and the tags that its operator sets.
pub(super) struct SetUp {
    pub(super) name: &'static str,
    pub(super) tags: Vec<(&'static str, String)>,
    pub(super) function: Option<(EventType, EdgeFunction)>,
    /// The pattern of the behavior with the function. Other requests go to another origin.
    pub(super) pattern: String,
    pub(super) viewers: Viewers,
}

/// An origin that is the bucket.
pub(super) struct OriginKind {
    name: &'static str,
    bucket: &'static str,
    domain: &'static str,
    path: &'static str,
    key_prefix: &'static str,
    server: Server,
    root: Option<&'static str>,
    tags: &'static [(&'static str, &'static str)],
    has_config: bool,
}

const URLS: &str = "invalidation:urls";
const LANGUAGES: &[&str] = &["en", "de"];

/// Keys of each kind: with and without folders, index documents, pages, and characters that paths treat specially.
pub(super) const KEYS: [&str; 35] = [
    "index.html",
    "about.html",
    "docs/index.html",
    "docs/api/index.html",
    "docs/guide.html",
    "docs/home.html",
    "en/index.html",
    "en/about.html",
    "en/docs/index.html",
    "en/my docs/a+b.txt",
    "de/index.html",
    "de/x~y.html",
    "pr-12/index.html",
    "pr-12/a b/index.html",
    "pr-12/css/site+1.css",
    "my docs/index.html",
    "my docs/read me.html",
    "c+d/e+f.html",
    "caf\u{e9}/men\u{fc}.html",
    "a~b.html",
    "x~/index.html",
    "star*.html",
    "star*",
    "what?.html",
    "a#b%20.txt",
    "img/cat.jpg",
    "img/a b.png",
    "LICENSE",
    "folder/",
    "a.b.html",
    ".html",
    "docs/.html",
    "q/index.html.html",
    "/x/index.html",
    "1/a.js",
];

fn folders(folders: &[&str]) -> Viewers {
    Viewers { folders: folders.iter().map(|&it| it.to_owned()).collect(), ..Viewers::default() }
}

fn prefixes(prefixes: &[&str]) -> Viewers {
    Viewers { prefixes: prefixes.iter().map(|&it| it.to_owned()).collect(), ..Viewers::default() }
}

/// Whether viewers who follow the links of a site with clean URLs request this path. Its function also returns a page
/// for `/docs/index`, which no form gives (docs/urls.md).
pub(super) fn is_clean(path: &str) -> bool {
    path.strip_suffix(".html").is_none() && is_no_index(path)
}

fn is_no_index(path: &str) -> bool {
    !path.ends_with("index")
}

/// Whether viewers of images in variants request this path: none is of a directory.
pub(super) fn is_variant(path: &str) -> bool {
    !["/.webp", "//width=100", "/@2x"].iter().any(|end| path.ends_with(end))
}

pub(super) fn set_ups() -> Vec<SetUp> {
    use EventType::{OriginRequest, ViewerRequest};
    let at = |event_type, function| Some((event_type, function));
    let pages = |pages| EdgeFunction { pages, ..EdgeFunction::default() };
    let (index, clean) = (|| pages(Pages::Index("index.html")), || pages(Pages::Clean));
    let language = || EdgeFunction { folder: Folder::UnlessBelow(LANGUAGES), ..index() };
    let preview = |pages| EdgeFunction { folder: Folder::Always, pages, ..EdgeFunction::default() };
    let strip = |prefix: &str, pages| EdgeFunction { prefix: prefix.to_owned(), pages, ..EdgeFunction::default() };
    let resize = || EdgeFunction { suffixes: vec![".webp", "/width=100", "@2x"], ..EdgeFunction::default() };
    let variants =
        |suffixes: &[&'static str]| Viewers { suffixes: suffixes.to_vec(), request: is_variant, ..Viewers::default() };
    let clean_viewers = |viewers| Viewers { request: is_clean, ..viewers };
    let below = |pattern: &str, name, tags: &[(&'static str, &str)], function, viewers| {
        let tags = tags.iter().map(|(tag, value)| (*tag, (*value).to_owned())).collect();
        SetUp { name, tags, function, pattern: pattern.to_owned(), viewers }
    };
    let set_up = |name, tags, function, viewers| below("*", name, tags, function, viewers);
    vec![
        set_up("no function", &[], None, Viewers::default()),
        set_up("no function, /:key", &[(URLS, "/:key")], None, Viewers::default()),
        set_up("directories before the lookup", &[], at(ViewerRequest, index()), Viewers::default()),
        set_up("directories after the lookup", &[], at(OriginRequest, index()), Viewers::default()),
        set_up(
            "directories of another name",
            &[("invalidation:indexDocuments", "home.html")],
            at(OriginRequest, pages(Pages::Index("home.html"))),
            Viewers::default(),
        ),
        set_up(
            "directories with their slash only",
            &[("invalidation:directoryUrls", "slash")],
            at(OriginRequest, index()),
            Viewers { request: |path| path.ends_with('/') || path.contains('.'), ..Viewers::default() },
        ),
        set_up(
            "clean URLs beside the others",
            &[(URLS, "/:key /:page")],
            at(OriginRequest, clean()),
            Viewers { request: is_no_index, ..Viewers::default() },
        ),
        set_up("clean URLs only", &[(URLS, "/:page")], at(OriginRequest, clean()), clean_viewers(Viewers::default())),
        set_up("clean URLs before the lookup", &[], at(ViewerRequest, clean()), Viewers::default()),
        set_up(
            "directories only",
            &[(URLS, "/:page")],
            at(OriginRequest, index()),
            Viewers { request: |path| path.strip_suffix(".html").is_none(), ..Viewers::default() },
        ),
        set_up("languages", &[(URLS, "/:key /:rest")], at(OriginRequest, language()), folders(LANGUAGES)),
        set_up("languages before the lookup", &[], at(ViewerRequest, language()), folders(LANGUAGES)),
        set_up(
            "languages before the lookup, both URIs",
            &[(URLS, "/:key /:rest")],
            at(ViewerRequest, language()),
            folders(LANGUAGES),
        ),
        set_up(
            "previews",
            &[(URLS, "/:rest")],
            at(OriginRequest, preview(Pages::Index("index.html"))),
            folders(&["pr-12", "my docs"]),
        ),
        set_up(
            "previews with clean URLs",
            &[(URLS, "/:restpage")],
            at(OriginRequest, preview(Pages::Clean)),
            clean_viewers(folders(&["pr-12", "my%20docs", "my+docs", "docs"])),
        ),
        set_up(
            "previews before the lookup",
            &[],
            at(ViewerRequest, preview(Pages::Index("index.html"))),
            folders(&["pr-12"]),
        ),
        below(
            "/assets*",
            "a stripped prefix",
            &[(URLS, "/assets/:key")],
            at(OriginRequest, strip("assets/", Pages::Index("index.html"))),
            prefixes(&["assets/", "assets", ""]),
        ),
        below(
            "/assets/*",
            "a stripped prefix before the lookup",
            &[],
            at(ViewerRequest, strip("assets/", Pages::Unchanged)),
            prefixes(&["assets/", ""]),
        ),
        below(
            "/a%2Bb/*",
            "a stripped prefix with an encoded character, clean URLs",
            &[(URLS, "/a+b/:page")],
            at(OriginRequest, strip("a%2Bb/", Pages::Clean)),
            clean_viewers(prefixes(&["a+b/"])),
        ),
        below(
            "/v*",
            "a prefix within a name",
            &[(URLS, "/v:key")],
            at(OriginRequest, strip("v", Pages::Unchanged)),
            prefixes(&["v"]),
        ),
        set_up(
            "image variants",
            &[(URLS, "/:key:any")],
            at(OriginRequest, resize()),
            variants(&["", ".webp", "/width=100", "@2x"]),
        ),
        set_up(
            "one image variant",
            &[(URLS, "/:key /:key.webp /:key@2x")],
            at(OriginRequest, resize()),
            variants(&["", ".webp", "@2x"]),
        ),
        set_up(
            "a single-page application after the lookup",
            &[(URLS, "/:key /:any")],
            at(OriginRequest, pages(Pages::Single)),
            prefixes(&["", "login/"]),
        ),
        set_up(
            "a single-page application before the lookup",
            &[],
            at(ViewerRequest, pages(Pages::Single)),
            prefixes(&["", "login/"]),
        ),
    ]
}

pub(super) fn origin_kinds() -> Vec<OriginKind> {
    let rest = OriginKind {
        name: "REST endpoint",
        bucket: "site",
        domain: "site.s3.eu-central-1.amazonaws.com",
        path: "",
        key_prefix: "",
        server: Server::Rest,
        root: None,
        tags: &[],
        has_config: true,
    };
    let website = Server::Website("index.html");
    vec![
        OriginKind { name: "REST endpoint with a root object", root: Some("index.html"), ..rest },
        OriginKind {
            name: "encoded origin path, root object in a folder",
            path: "/my%20web+1",
            key_prefix: "my web 1/",
            root: Some("docs/home.html"),
            ..rest
        },
        OriginKind {
            name: "website endpoint",
            domain: "site.s3-website.eu-central-1.amazonaws.com",
            server: website,
            ..rest
        },
        OriginKind {
            name: "path style",
            domain: "s3.amazonaws.com",
            path: "/site",
            server: Server::PathStyle("site"),
            ..rest
        },
        OriginKind {
            name: "CNAME of the REST endpoint",
            bucket: "origin.example.com",
            domain: "origin.example.com",
            path: "/web",
            key_prefix: "web/",
            root: Some("index.html"),
            ..rest
        },
        OriginKind {
            name: "CNAME of the website endpoint",
            bucket: "origin.example.com",
            domain: "Origin.Example.com.",
            server: website,
            ..rest
        },
        OriginKind {
            name: "access point, origin path from a tag",
            domain: "ap-123456789012.s3-accesspoint.eu-central-1.amazonaws.com",
            path: "/web",
            key_prefix: "web/",
            tags: &[("invalidation:originPath", "/web")],
            ..rest
        },
        OriginKind {
            name: "config not available",
            path: "/web",
            key_prefix: "web/",
            tags: &[("invalidation:originPath", "/web"), ("invalidation:directoryUrls", "both")],
            has_config: false,
            ..rest
        },
    ]
}

/// Distributions with several origins and behaviors.
pub(super) fn several_behaviors() -> Vec<Row> {
    let origin = |domain, path, server| Origin { domain, path, server };
    let bucket = |path| origin("site.s3.eu-central-1.amazonaws.com", path, Server::Rest);
    let other = || origin("app.example.com", "", Server::Other);
    let to = |pattern: &str, targets: &[usize]| Behavior {
        pattern: pattern.to_owned(),
        targets: targets.to_vec(),
        query_strings: false,
        is_cached: true,
        function: None,
    };
    let with_queries = |behavior| Behavior { query_strings: true, ..behavior };
    let uncached = |behavior| Behavior { is_cached: false, ..behavior };
    let with = |event_type, function, behavior| Behavior { function: Some((event_type, function)), ..behavior };
    let strip = || EdgeFunction { prefix: "en/".to_owned(), ..EdgeFunction::default() };
    let index = || EdgeFunction { pages: Pages::Index("index.html"), ..EdgeFunction::default() };
    let row = |name: &str, origins: Vec<Origin>, behaviors: Vec<Behavior>| Row {
        name: name.to_owned(),
        bucket: "site",
        tags: Vec::new(),
        distribution: Distribution { origins, behaviors, root: Some("index.html") },
        has_config: true,
        keys: KEYS.map(str::to_owned).into(),
        key_prefix: "",
        viewers: prefixes(&["", "en/"]),
    };
    let named = |row| Row { bucket: "origin.example.com", ..row };
    let cname = |path| origin("origin.example.com", path, Server::Rest);
    let before = EventType::ViewerRequest;
    // The default root object is a URL of a form, and no key.
    let under_a_prefix = row(
        "root object under a prefix",
        vec![bucket("")],
        vec![with(EventType::OriginRequest, strip(), to("*", &[0]))],
    );
    vec![
        Row {
            tags: vec![("invalidation:urls", "/:key /en/:key".to_owned())],
            distribution: Distribution { root: Some("en/index.html"), ..under_a_prefix.distribution },
            ..under_a_prefix
        },
        row("query strings of images", vec![bucket("")], vec![with_queries(to("/img/*", &[0])), to("*", &[0])]),
        row("some folders at another origin", vec![bucket(""), other()], vec![to("/docs/*", &[1]), to("*", &[0])]),
        row("only some folders", vec![bucket(""), other()], vec![to("/docs/*", &[0]), to("*.j?", &[0]), to("*", &[1])]),
        row("some folders not cached", vec![bucket("")], vec![uncached(to("/docs/*", &[0])), to("*", &[0])]),
        row(
            "rewritten by a behavior with query strings",
            vec![bucket("")],
            vec![with(before, strip(), with_queries(to("/en/*", &[0]))), to("*", &[0])],
        ),
        row(
            "rewritten by a behavior that caches, unlike the default one",
            vec![bucket("")],
            vec![with(before, strip(), to("/en/*", &[0])), uncached(to("*", &[0]))],
        ),
        row(
            "directories of some folders after the lookup",
            vec![bucket("")],
            vec![with(EventType::OriginRequest, index(), to("/docs*", &[0])), with(before, index(), to("*", &[0]))],
        ),
        row("an origin group", vec![bucket("/docs"), bucket("")], vec![to("*", &[0, 1])]),
        row("two origin paths", vec![bucket("/en"), bucket("")], vec![to("/d*", &[0]), to("*", &[1])]),
        row(
            "an encoded pattern",
            vec![bucket(""), other()],
            vec![to("/my%20docs/*", &[0]), to("/?ndex.html", &[0]), to("/img/*", &[0]), to("*", &[1])],
        ),
        named(row("two CNAMEs", vec![cname("/en"), cname("")], vec![to("/d*", &[0]), to("*", &[1])])),
        named(row(
            "a CNAME beside the bucket's endpoint",
            vec![cname("/en"), origin("origin.example.com.s3.amazonaws.com", "", Server::Rest)],
            vec![to("/d*", &[0]), to("*", &[1])],
        )),
    ]
}

/// A row of a set-up and a kind of origin.
pub(super) fn row(set_up: &SetUp, origin_kind: &OriginKind, query_strings: bool) -> Row {
    let behavior = |pattern: &str, function| Behavior {
        pattern: pattern.to_owned(),
        targets: vec![0],
        query_strings,
        is_cached: true,
        function,
    };
    let mut behaviors = vec![behavior(&set_up.pattern, set_up.function.clone())];
    let other = Origin { domain: "app.example.com", path: "", server: Server::Other };
    if set_up.pattern != "*" {
        behaviors.push(Behavior { targets: vec![1], ..behavior("*", None) });
    }
    let mut tags: Vec<_> = origin_kind.tags.iter().map(|(tag, value)| (*tag, (*value).to_owned())).collect();
    tags.extend(set_up.tags.iter().cloned());
    if query_strings && !origin_kind.has_config {
        tags.push(("invalidation:queryStrings", "include".to_owned()));
    }
    let queries = if query_strings { "query strings" } else { "no query strings" };
    Row {
        name: format!("{}, {}, {queries}", set_up.name, origin_kind.name),
        bucket: origin_kind.bucket,
        tags,
        distribution: Distribution {
            origins: vec![
                Origin { domain: origin_kind.domain, path: origin_kind.path, server: origin_kind.server },
                other,
            ],
            behaviors,
            root: origin_kind.root,
        },
        has_config: origin_kind.has_config,
        keys: KEYS.map(str::to_owned).into(),
        key_prefix: origin_kind.key_prefix,
        viewers: set_up.viewers.clone(),
    }
}
