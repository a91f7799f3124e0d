//! Random buckets and distributions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{FakeBucket, FakeDistribution, State};
use serde_json::Value;

use crate::keys::key;
use crate::modes::Mode;
use crate::site::{self, Source};
use crate::viewer::{ServedState, any_has_strings, by_settings, by_tags};

/// The number of initial objects in a bucket that is worth listing, and in one that is not.
const STOCK: std::ops::Range<usize> = 50..400;
const FEW: usize = 12;

pub(crate) struct Place {
    pub(crate) name: String,
    /// The distributions in its tag; none if it is not tagged.
    pub(crate) ids: Vec<String>,
    /// The origin path in its tags, without the slash at its start; empty or with a `/` at its end.
    pub(crate) folder: &'static str,
    /// The prefix of most of its keys.
    pub(crate) home: &'static str,
    /// The objects that exist from the start.
    pub(crate) objects: Vec<String>,
    bad: Option<Bad>,
    other_tags: bool,
    /// Whether its `invalidation:queryStrings` tag is `include`.
    strings: bool,
}

#[derive(Clone, Copy)]
enum Bad {
    Tag,
    Bucket,
    Distribution,
}

/// An outcome that a change may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    Covered,
    /// Skipped for this reason.
    Ignored(&'static str),
    /// Fails until somebody corrects a tag, or creates what is missing, which never happens here.
    Fails,
}

/// What the function may know of the distribution configs.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The configs that it may have read, as indices into those of the scenario.
    pub(crate) settings: RangeInclusive<usize>,
    /// Whether it may have been denied to read a config.
    pub(crate) perhaps_denied: bool,
}

/// All AWS resources of a scenario. Their names contain its seed, so that nothing cached in another scenario applies.
pub(crate) struct Resources {
    pub(crate) buckets: Vec<Place>,
    pub(crate) distributions: Vec<String>,
    /// The configs in effect one after another, by distribution. Reading one that is missing is denied.
    pub(crate) settings: Vec<BTreeMap<String, Value>>,
    pub(crate) policies: BTreeMap<String, Value>,
    pub(crate) mode: Mode,
    /// Whether the buckets' tags say all that the distribution configs do, so that nothing is lost where reading those
    /// is denied.
    pub(crate) tags_suffice: bool,
    /// Whether the buckets have enough objects for a listing to be of use.
    pub(crate) stocked: bool,
    /// Whether there are CodePipeline jobs.
    pub(crate) has_jobs: bool,
    /// The value of `invalidation:maxPaths` on every tagged bucket.
    pub(crate) max_paths: Option<usize>,
    denied: Option<&'static str>,
    delay: Duration,
}

impl Resources {
    pub(crate) fn draw(rng: &mut Rng, seed: u64) -> Self {
        let distributions: Vec<_> = (0..rng.usize(1..=4)).map(|n| format!("E{seed}D{n}")).collect();
        // No config can be read; the configs say more than the tags; the tags say the same as the configs.
        let (has_settings, tags_suffice) = [(false, true), (true, false), (true, true)][usize::from(rng.u8(0..3))];
        let stocked = has_settings && rng.u8(0..3) > 0;
        let count = rng.usize(1..=6);
        let mut resources = Self {
            buckets: (0..count)
                .map(|n| place(rng, format!("bucket-{seed}-{n}"), &distributions, tags_suffice))
                .collect(),
            settings: vec![BTreeMap::new()],
            policies: site::policies(seed),
            mode: match rng.u8(0..10) {
                0 | 1 if tags_suffice && has_settings => Mode::Unasked,
                2 if has_settings => Mode::Forgetful,
                3 if has_settings => Mode::Nostalgic,
                4 | 5 if stocked => Mode::Frugal,
                6 if stocked => Mode::Unlisted,
                _ => Mode::Usual,
            },
            tags_suffice,
            stocked,
            has_jobs: rng.u8(0..6) == 0,
            max_paths: (rng.u8(0..8) == 0).then(|| rng.usize(3..20)),
            denied: match rng.u8(0..12) {
                0 if tags_suffice => Some("GetCachePolicy"),
                1 if has_settings => Some("ListObjectsV2"),
                _ => None,
            },
            // In progress so long that the wildcards of several invalidations add up.
            delay: Duration::from_millis(if rng.u8(0..6) == 0 { 300 } else { 0 }),
            distributions,
        };
        if has_settings {
            resources.settle(rng);
        }
        for place in &mut resources.buckets {
            let objects = if stocked { rng.usize(STOCK) } else { FEW };
            place.objects = (0..objects).map(|_| key(rng, place.home)).collect();
        }
        resources
    }

    /// Draws the distribution configs, which may change in the course of the scenario.
    fn settle(&mut self, rng: &mut Rng) {
        let changes = if rng.u8(0..3) == 0 { rng.usize(1..=2) } else { 0 };
        let policies: Vec<_> = self.policies.keys().collect();
        let denied: Vec<_> = self.distributions.iter().filter(|_| rng.u8(0..8) == 0).collect();
        let draw = |rng: &mut Rng| {
            let settings = self.distributions.iter().filter(|id| !denied.contains(id)).map(|id| {
                let sources: Vec<_> = self.buckets.iter().filter(|it| it.ids.contains(id)).map(Place::source).collect();
                (id.clone(), site::draw(rng, &sources, &policies, self.tags_suffice))
            });
            settings.collect::<BTreeMap<_, _>>()
        };
        self.settings = (0..=changes).map(|_| draw(rng)).collect();
        if self.tags_suffice {
            for place in &mut self.buckets {
                let mut settings = self.settings.iter().flatten().filter(|(id, _)| place.ids.contains(id));
                place.strings = settings.any(|(_, config)| any_has_strings(config, &self.policies));
            }
        }
    }

    pub(crate) fn state(&self) -> State {
        let mut state = State::default();
        state.cache_policies.clone_from(&self.policies);
        state.denied.extend(self.denied.map(ToOwned::to_owned));
        for place in &self.buckets {
            let mut ids = place.ids.join(" ");
            match place.bad {
                Some(Bad::Tag) => ids.push_str(" e1/.."),
                Some(Bad::Distribution) => ids.push_str(" EGONE"),
                Some(Bad::Bucket) => continue,
                None => {}
            }
            let mut bucket = FakeBucket::tagged(if place.other_tags { &[("team", "web <&>")] } else { &[] });
            if !place.ids.is_empty() {
                bucket.tags.insert("distributionId".into(), ids);
            }
            if let Some(folder) = place.folder.strip_suffix('/') {
                bucket.tags.insert("invalidation:originPath".into(), format!("/{folder}"));
            }
            if place.strings {
                bucket.tags.insert("invalidation:queryStrings".into(), "include".into());
            }
            if let Some(most) = self.max_paths.filter(|_| !place.ids.is_empty()) {
                bucket.tags.insert("invalidation:maxPaths".into(), most.to_string());
            }
            if self.stocked {
                bucket.objects = place.objects.iter().cloned().collect();
            }
            state.buckets.insert(place.name.clone(), bucket);
        }
        for id in &self.distributions {
            let config = self.settings[0].get(id).cloned();
            let distribution = FakeDistribution { delay: self.delay, config, ..FakeDistribution::default() };
            state.distributions.insert(id.clone(), distribution);
        }
        state
    }

    /// Whether invalidations stay in progress for a while, so that there can be too many.
    pub(crate) fn crowded(&self) -> bool {
        !self.delay.is_zero()
    }

    /// What the function may know of the distribution configs while those of `in_force` were in effect.
    pub(crate) fn known(&self, in_force: RangeInclusive<usize>, perhaps_denied: bool) -> Known {
        // A cached config may be from any time, also from an earlier run of the scenario.
        let settings = if self.mode == Mode::Forgetful { in_force } else { 0..=self.settings.len() - 1 };
        Known { settings, perhaps_denied }
    }

    /// The outcomes that a change may have: a single one, unless it is uncertain what the function knows.
    pub(crate) fn fates(&self, bucket: usize, key: &str, known: &Known) -> BTreeSet<Fate> {
        let place = &self.buckets[bucket];
        let mut fates = match place.bad {
            Some(Bad::Bucket | Bad::Tag) => return [Fate::Fails].into(),
            _ if place.ids.is_empty() => return [Fate::Ignored("bucket-not-tagged")].into(),
            _ => self.sights(place, key, known).into_iter().map(Fate::of).collect::<BTreeSet<_>>(),
        };
        if let Some(Bad::Distribution) = place.bad {
            let (sight, _) = by_tags(key, place.folder);
            // Reading the config of the missing distribution fails the change by itself.
            if self.mode != Mode::Unasked && !known.perhaps_denied {
                fates.clear();
            }
            if self.mode != Mode::Unasked || sight == ServedState::Served {
                fates.insert(Fate::Fails);
            }
        }
        fates
    }

    /// How far the object may be served, over all distributions of the bucket.
    fn sights(&self, place: &Place, key: &str, known: &Known) -> BTreeSet<ServedState> {
        let mut sights = BTreeSet::from([ServedState::Outside]);
        for id in &place.ids {
            let mut here = BTreeSet::new();
            for settings in &self.settings[known.settings.clone()] {
                let config = settings.get(id).filter(|_| self.mode != Mode::Unasked);
                if let Some(config) = config {
                    here.insert(by_settings(config, &self.policies, (&place.name, place.folder), key).0);
                }
                if config.is_none() || known.perhaps_denied {
                    here.insert(by_tags(key, place.folder).0);
                }
            }
            // An object that one distribution serves is served.
            sights = sights.iter().flat_map(|one| here.iter().map(|other| *one.max(other))).collect();
        }
        sights
    }

    /// The URLs that serve the object through a distribution under its config of this index.
    pub(crate) fn urls(&self, bucket: usize, key: &str, id: &str, settings: usize) -> BTreeSet<String> {
        let place = &self.buckets[bucket];
        match self.settings[settings].get(id) {
            Some(config) => by_settings(config, &self.policies, (&place.name, place.folder), key).1,
            None => by_tags(key, place.folder).1,
        }
    }
}

impl Fate {
    fn of(sight: ServedState) -> Self {
        match sight {
            ServedState::Outside => Self::Ignored("outside-origin-path"),
            ServedState::Elsewhere => Self::Ignored("served-elsewhere"),
            ServedState::Served => Self::Covered,
        }
    }
}

impl Place {
    fn source(&self) -> Source<'_> {
        Source { bucket: &self.name, home: self.home }
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.bad.is_some()
    }

    pub(crate) fn has_distribution_gone(&self) -> bool {
        matches!(self.bad, Some(Bad::Distribution))
    }
}

fn place(rng: &mut Rng, name: String, distributions: &[String], tags_suffice: bool) -> Place {
    let tagged = rng.u8(0..6) > 0;
    let several = if rng.u8(0..3) == 0 { 2 } else { 1 };
    let mut ids = rng.choose_multiple(distributions, several);
    ids.sort_unstable();
    let bad = match rng.u8(0..150) {
        0 if tagged => Some(Bad::Tag),
        1 => Some(Bad::Bucket),
        2 if tagged => Some(Bad::Distribution),
        _ => None,
    };
    let home = if tagged && rng.u8(0..4) == 0 { "web/site/" } else { "" };
    Place {
        name,
        ids: if tagged { ids.into_iter().cloned().collect() } else { Vec::new() },
        folder: if tags_suffice { home } else { "" },
        home,
        objects: Vec::new(),
        bad,
        other_tags: rng.bool(),
        strings: false,
    }
}
