//! How a distribution shows a bucket: which URLs an object has in it, if any.
//!
//! With the distribution's settings this is known: through which of its origins the bucket is seen, below which path, and
//! which requests get there. Without them it is taken that the whole bucket is served at the root, or below the origin path
//! that its tag names. Where a function at the edge can send a request elsewhere than its path says, no URL is ruled out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::change::{Bucket, ObjectKey};
use crate::distribution::DistributionId;
use crate::path::{DirectoryUrls, InvalidationPath, OriginPath, ViewerKey, ViewerUrl, urls};
use crate::route::{IndexDocuments, Route};
use crate::settings::{Behavior, DistributionSettings, Endpoint, Origin, QueryStrings};
use crate::text::excerpt;

/// What is known of where a bucket's changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To distributions.
    Shown {
        /// What the bucket's tags say.
        route: Arc<Route>,
        /// How each distribution shows the bucket; `None` where its settings could not be learnt, so that no URL is known.
        views: Vec<(DistributionId, Option<View>)>,
    },
    /// Nowhere: the bucket does not have the tag.
    Untagged,
    /// It could not be learnt.
    Unknown,
}

/// The destinations of buckets.
pub type Destinations = BTreeMap<Bucket, Destination>;

/// How a distribution shows a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    windows: Vec<Window>,
    directory_urls: DirectoryUrls,
    /// What the bucket's tag says.
    query_strings: Option<bool>,
    settings: Option<Arc<DistributionSettings>>,
}

/// A folder of the bucket that is seen at the root of the distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    path: OriginPath,
    /// The origins that look there; none if the settings are not known.
    origins: Vec<String>,
    /// Files that a directory of it shows.
    index_documents: Vec<String>,
}

/// Why a distribution does not show an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// It lies outside of every folder that the distribution looks into.
    OutsideOriginPath,
    /// Requests for its URLs go to other origins.
    Elsewhere,
}

/// One URL of an object, and whether requests for it get to the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting<'v> {
    /// The URL.
    pub url: ViewerUrl,
    /// Whether they do.
    pub seen: Seen<'v>,
}

/// Whether requests for a URL get to the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'v> {
    /// The distribution's settings are not known.
    Perhaps,
    /// A function at the edge may send them there.
    MayBeSent,
    /// This behaviour sends them there.
    By(&'v Behavior),
    /// This behaviour, the first that matches, sends them elsewhere.
    Elsewhere(&'v Behavior),
    /// No behaviour matches.
    Never,
}

impl View {
    /// How a distribution with these settings shows the bucket. What the bucket's tags say comes before what the settings do.
    #[must_use]
    pub fn new(bucket: &Bucket, route: &Route, settings: Option<&Arc<DistributionSettings>>) -> Self {
        let origins: Vec<_> = settings.iter().flat_map(|it| it.origins_of(bucket)).collect();
        Self::through(&origins, route, settings)
    }

    fn through(
        origins: &[(&Origin, OriginPath, Endpoint)],
        route: &Route,
        settings: Option<&Arc<DistributionSettings>>,
    ) -> Self {
        // What no origin of a known distribution is, may be one under a name of its own.
        let known = settings.filter(|_| !origins.is_empty());
        let index_documents = |has_directories: bool| match &route.index_documents {
            IndexDocuments::Tagged(names) => names.clone(),
            IndexDocuments::Usual(names) if has_directories => names.clone(),
            IndexDocuments::Usual(_) => Vec::new(),
        };
        let rewrites = known.is_none_or(|settings| settings.rewrites());
        let mut windows: Vec<Window> = Vec::new();
        for (origin, path, endpoint) in origins {
            let path = route.origin_path.as_ref().unwrap_or(path);
            let names = index_documents(rewrites || *endpoint == Endpoint::Website);
            match windows.iter_mut().find(|window| window.path == *path) {
                Some(window) => {
                    window.origins.push(origin.id.clone());
                    if window.index_documents.is_empty() {
                        window.index_documents = names;
                    }
                }
                None => windows.push(Window {
                    path: path.clone(),
                    origins: vec![origin.id.clone()],
                    index_documents: names,
                }),
            }
        }
        if windows.is_empty() {
            let path = route.origin_path.clone().unwrap_or_default();
            windows.push(Window { path, origins: Vec::new(), index_documents: index_documents(true) });
        }
        Self {
            windows,
            directory_urls: route.directory_urls,
            query_strings: route.query_strings,
            settings: known.cloned(),
        }
    }

    /// How a distribution is taken to show a bucket of which nothing but the tags is known.
    #[must_use]
    pub fn unknown(route: &Route) -> Self {
        Self::through(&[], route, None)
    }

    /// Whether it is taken from the distribution's settings, and not from tags and defaults alone.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.settings.is_some()
    }

    /// The paths to invalidate when this object changes, sorted, each once; at least one.
    ///
    /// # Errors
    /// [`Unseen`] if no viewer can see the object through this distribution.
    pub fn paths(&self, key: &ObjectKey) -> Result<Vec<InvalidationPath>, Unseen> {
        let mut paths = Vec::with_capacity(1);
        let mut reason = Unseen::OutsideOriginPath;
        for (window, key) in self.windows_on(key) {
            reason = Unseen::Elsewhere;
            for Sighting { url, seen } in self.sightings(window, key) {
                if seen.is_seen() {
                    paths.extend(url.paths(self.has_query_strings(window, seen)));
                }
            }
        }
        paths.sort_unstable();
        paths.dedup();
        if paths.is_empty() { Err(reason) } else { Ok(paths) }
    }

    /// The distribution's settings, if they are known.
    #[must_use]
    pub fn settings(&self) -> Option<&Arc<DistributionSettings>> {
        self.settings.as_ref()
    }

    /// The folders that it looks into, each empty or ending with `/`.
    pub fn folders(&self) -> impl Iterator<Item = String> {
        self.windows.iter().map(|window| window.path.folder())
    }

    /// The origins that look into each folder.
    pub fn origins_by_folder(&self) -> impl Iterator<Item = (&[String], String)> {
        self.windows.iter().map(|window| (window.origins.as_slice(), window.path.folder()))
    }

    /// The URLs at which a viewer may see an object.
    pub fn seen_urls(&self, key: &ObjectKey) -> impl Iterator<Item = String> + use<'_> {
        self.explain(key).into_iter().filter(|it| it.seen.is_seen()).map(|it| it.url.text)
    }

    /// All URLs of an object, whether requests for them get to the bucket or not; none if it lies outside.
    #[must_use]
    pub fn explain(&self, key: &ObjectKey) -> Vec<Sighting<'_>> {
        self.windows_on(key).flat_map(|(window, key)| self.sightings(window, key)).collect()
    }

    /// The folders that the object lies in, with its key there.
    fn windows_on<'k>(&self, key: &'k ObjectKey) -> impl Iterator<Item = (&Window, ViewerKey<'k>)> {
        self.windows.iter().filter_map(move |window| Some((window, window.path.strip(key)?)))
    }

    fn sightings(&self, window: &Window, key: ViewerKey<'_>) -> Vec<Sighting<'_>> {
        let mut urls = urls(key, &window.index_documents, self.directory_urls);
        let root = self.settings.as_ref().and_then(|settings| settings.default_root_object.as_deref());
        if root == Some(key.as_str()) && !urls.contains(&ViewerUrl::root()) {
            urls.push(ViewerUrl::root());
        }
        urls.into_iter().map(|url| Sighting { seen: self.seen(window, &url, key), url }).collect()
    }

    fn seen(&self, window: &Window, url: &ViewerUrl, key: ViewerKey<'_>) -> Seen<'_> {
        let Some(settings) = &self.settings else { return Seen::Perhaps };
        let goes = |behavior: &&Behavior| window.origins.iter().any(|origin| settings.goes_to(behavior, origin));
        let spelt = settings.behavior_of(&url.text);
        // A pattern may be meant for a URL as it is encoded or as it reads, and the root for its object's own URL.
        let read = url.decoded().map(|text| settings.behavior_of(&text));
        let root = (*url == ViewerUrl::root()).then(|| settings.behavior_of(&format!("/{}", key.as_str())));
        let candidates = [Some(spelt), read, root].into_iter().flatten().flatten();
        match candidates.filter(goes).max_by_key(|it| it.query_strings == QueryStrings::InKey) {
            Some(behavior) => Seen::By(behavior),
            None if settings.rewrites() => Seen::MayBeSent,
            None => spelt.map_or(Seen::Never, Seen::Elsewhere),
        }
    }

    /// Whether there can be an entry of such a URL for each query string.
    fn has_query_strings(&self, window: &Window, seen: Seen<'_>) -> bool {
        let in_key = |behavior: &Behavior| behavior.query_strings == QueryStrings::InKey;
        self.query_strings.unwrap_or_else(|| match (&self.settings, seen) {
            (Some(settings), _) if settings.rewrites() => {
                // Another behaviour's requests may have been given this path.
                let may_come = |behavior: &&Behavior| {
                    behavior.rewrites || window.origins.iter().any(|origin| settings.goes_to(behavior, origin))
                };
                settings.behaviors.iter().filter(may_come).any(in_key)
            }
            (_, Seen::By(behavior)) => in_key(behavior),
            _ => false,
        })
    }
}

impl Seen<'_> {
    /// Whether a viewer may see the object at this URL.
    #[must_use]
    pub fn is_seen(self) -> bool {
        matches!(self, Self::Perhaps | Self::MayBeSent | Self::By(_))
    }
}

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |behavior: &Behavior| (excerpt(&behavior.pattern.to_string()), excerpt(&behavior.target));
        match self {
            Self::Perhaps => f.write_str("the distribution's settings are not known"),
            Self::MayBeSent => f.write_str("a function at the edge may send requests to the bucket"),
            Self::By(behavior) => {
                let (pattern, target) = name(behavior);
                write!(f, "behavior {pattern} sends requests to origin \"{target}\"")
            }
            Self::Elsewhere(behavior) => {
                let (pattern, target) = name(behavior);
                write!(f, "not served: behavior {pattern} sends requests to origin \"{target}\"")
            }
            Self::Never => f.write_str("not served: no behavior matches"),
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutsideOriginPath => "outside of the origin path",
            Self::Elsewhere => "requests for it go to other origins",
        })
    }
}
