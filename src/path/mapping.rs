//! How a distribution shows a bucket: which URLs an object has in it, if any.
//!
//! With the distribution's settings this is known: through which of its origins the bucket is seen, below which path, and
//! which requests get there. Without them it is taken that the whole bucket is served at the root, or below the origin path
//! that its tag names. Where a function at the edge can send a request elsewhere than its path says, no URL is ruled out.

use std::sync::Arc;

use super::{
    Behavior, DirectoryUrls, DistributionSettings, Endpoint, IndexDocuments, InvalidationPath, Origin, OriginPath,
    QueryStrings, Route, ViewerKey, ViewerUrl, urls,
};
use crate::change::{Bucket, ObjectKey};

use super::routing::normalized;
use super::routing::{Seen, Sighting, Unseen};

/// How a distribution shows a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    windows: Vec<Window>,
    directory_urls: DirectoryUrls,
    /// What the bucket's tag says.
    query_strings: Option<bool>,
    settings: Option<Arc<DistributionSettings>>,
    /// Whether the settings are those read last, since they could not be read again.
    is_old: bool,
    /// Whether it is known of every origin whether it is the bucket.
    is_certain: bool,
    /// What is taken of objects that are not seen, where it is not.
    fallback: Option<Box<Self>>,
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

impl View {
    /// How a distribution with these settings shows the bucket. What the bucket's tags say comes before what the settings do.
    #[must_use]
    pub fn new(bucket: &Bucket, route: &Route, settings: Option<&Arc<DistributionSettings>>) -> Self {
        let origins: Vec<_> = settings.iter().flat_map(|it| it.origins_of(bucket)).collect();
        Self::through(&origins, route, settings)
    }

    fn through(
        origins: &[(&Origin, Option<OriginPath>, Endpoint)],
        route: &Route,
        settings: Option<&Arc<DistributionSettings>>,
    ) -> Self {
        let index_documents = |has_directories: bool| match &route.index_documents {
            IndexDocuments::Tagged(names) => names.clone(),
            IndexDocuments::Usual(names) if has_directories => names.clone(),
            IndexDocuments::Usual(_) => Vec::new(),
        };
        let rewrites = settings.is_none_or(|settings| settings.rewrites());
        let is_other = |origin: &&Origin| origins.iter().all(|(known, ..)| known.id != origin.id);
        // Those that may be the bucket under another name.
        let perhaps = settings.iter().flat_map(|settings| &settings.origins);
        let perhaps: Vec<_> = perhaps.filter(|it| it.may_be_any_bucket()).filter(is_other).collect();
        let also = perhaps.iter().map(|origin| (*origin, origin.path.as_ref(), Endpoint::Rest));
        let mut windows: Vec<Window> = Vec::new();
        let mut is_certain = !origins.is_empty() && perhaps.is_empty();
        for (origin, path, endpoint) in origins.iter().map(|(it, path, kind)| (*it, path.as_ref(), *kind)).chain(also) {
            let Some(path) = route.origin_path.as_ref().or(path) else {
                is_certain = false;
                continue;
            };
            let names = index_documents(rewrites || endpoint == Endpoint::Website);
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
        let settings = settings.filter(|_| !windows.is_empty()).cloned();
        if windows.is_empty() {
            let path = route.origin_path.clone().unwrap_or_default();
            windows.push(Window { path, origins: Vec::new(), index_documents: index_documents(true) });
        }
        let fallback = (!is_certain && settings.is_some()).then(|| Box::new(Self::unknown(route)));
        let (directory_urls, query_strings) = (route.directory_urls, route.query_strings);
        Self { windows, directory_urls, query_strings, settings, is_old: false, is_certain, fallback }
    }

    /// How a distribution is taken to show a bucket of which nothing but the tags is known.
    #[must_use]
    pub fn unknown(route: &Route) -> Self {
        Self::through(&[], route, None)
    }

    /// The same, from settings that could not be read again.
    #[must_use]
    pub fn old(self) -> Self {
        Self { is_old: true, ..self }
    }

    /// Whether it is taken from settings that could not be read again, and may have changed.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.is_old
    }

    /// Whether it is taken from the distribution's settings, and not from tags and defaults where those do not tell.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.is_certain
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
        match &self.fallback {
            _ if !paths.is_empty() => Ok(paths),
            Some(fallback) => fallback.paths(key),
            None => Err(reason),
        }
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
        let sightings: Vec<_> = self.windows_on(key).flat_map(|(window, key)| self.sightings(window, key)).collect();
        match &self.fallback {
            Some(fallback) if !sightings.iter().any(|it| it.seen.is_seen()) => fallback.explain(key),
            _ => sightings,
        }
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
        let decoded = url.decoded();
        // The root may stand for its object's own URL.
        let root = (*url == ViewerUrl::root()).then(|| format!("/{}", key.as_str()));
        let forms = [Some(url.text.as_str()), decoded.as_deref(), root.as_deref()];
        let normal: Vec<_> = forms.iter().flatten().filter_map(|form| normalized(form)).collect();
        let forms = || forms.into_iter().flatten().chain(normal.iter().map(String::as_str));
        let candidates = || forms().flat_map(|form| settings.behaviors_of(form));
        match candidates().filter(goes).max_by_key(|it| it.query_strings == QueryStrings::InKey) {
            Some(behavior) => Seen::By(behavior),
            None if settings.rewrites() => Seen::MayBeSent,
            None => candidates().next().map_or(Seen::Never, Seen::Elsewhere),
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
