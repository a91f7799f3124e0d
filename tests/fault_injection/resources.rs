//! Random buckets and distributions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{FakeBucket, FakeDistribution, FakeTenant, State};
use serde_json::Value;

use crate::distribution_configs::{self, BucketOrigin};
use crate::function_config::FunctionConfig;
use crate::keys::{FORMS, UrlTags, object_urls, random_key};
use crate::multi_tenant::MultiTenant;
use crate::served_urls::{
    ServedState, any_query_strings_in_cache_key, any_runs_at_origin_request, served_by_config, served_by_tags,
};

/// The number of initial objects in a bucket that is worth listing, and in one that is not.
const MANY_OBJECTS: std::ops::Range<usize> = 50..400;
const FEW_OBJECTS: usize = 12;

/// A bucket of the scenario.
pub(crate) struct PlannedBucket {
    pub(crate) name: String,
    /// The distributions that its tag names; none if it is not tagged.
    pub(crate) distribution_ids: Vec<String>,
    /// What its tags say of the URLs of its objects.
    pub(crate) url_tags: UrlTags,
    /// The folder in its `invalidation:ignore` tag, if it has one.
    ignored_folder: Option<&'static str>,
    /// The prefix of most of its keys.
    pub(crate) key_prefix: &'static str,
    /// The objects that exist at the start.
    pub(crate) objects: Vec<String>,
    defect: Option<Defect>,
    has_other_tags: bool,
    /// Whether its `invalidation:queryStrings` tag is `include`.
    has_query_strings_tag: bool,
}

/// A mistake in the setup that makes the bucket's changes fail.
enum Defect {
    MalformedTag,
    MissingBucket,
    /// The tag also has the ID of a distribution or tenant that does not exist, or of a multi-tenant distribution.
    WrongId(String),
}

/// An outcome that a change may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PossibleOutcome {
    Invalidated,
    /// Skipped for this reason.
    Skipped(&'static str),
    /// Fails until the tag is corrected or the missing resource is created, which never happens here.
    Fails,
}

/// The distribution configs that the function may have read or cached.
#[derive(Clone, Debug)]
pub(crate) struct KnownConfigs {
    /// The configs that it may have read, as indices into those of the scenario.
    pub(crate) versions: RangeInclusive<usize>,
    /// Whether it may have been denied to read a config.
    pub(crate) maybe_denied: bool,
}

/// All AWS resources of a scenario. Their names contain its seed, so that nothing cached in another scenario applies.
pub(crate) struct Resources {
    pub(crate) buckets: Vec<PlannedBucket>,
    /// The distributions and the distribution tenants.
    pub(crate) distributions: Vec<String>,
    /// The distribution of the tenants, if there are any.
    pub(crate) multi_tenant: Option<MultiTenant>,
    /// The configs in effect one after another, by distribution or tenant; a tenant's has the values of its parameters.
    /// Reading one that is missing is denied.
    pub(crate) config_versions: Vec<BTreeMap<String, Value>>,
    pub(crate) cache_policies: BTreeMap<String, Value>,
    pub(crate) function_config: FunctionConfig,
    /// Whether the buckets' tags are equivalent to the distribution configs, so that nothing is lost where reading
    /// the configs is denied.
    pub(crate) tags_suffice: bool,
    /// Whether the buckets have enough objects for a listing to be of use.
    pub(crate) many_objects: bool,
    /// Whether there are CodePipeline jobs.
    pub(crate) has_jobs: bool,
    /// The value of `invalidation:maxPaths` on every tagged bucket.
    pub(crate) max_paths: Option<usize>,
    denied_operation: Option<&'static str>,
    invalidation_delay: Duration,
}

impl Resources {
    pub(crate) fn random(rng: &mut Rng, seed: u64) -> Self {
        let mut distributions: Vec<_> = (0..rng.usize(1..=4)).map(|n| format!("E{seed}D{n}")).collect();
        // No config can be read; the configs have more than the tags; the tags are equivalent to the configs.
        let (has_configs, tags_suffice) = [(false, true), (true, false), (true, true)][usize::from(rng.u8(0..3))];
        let multi_tenant = (rng.u8(0..3) == 0).then(|| MultiTenant::random(rng, seed, tags_suffice));
        distributions.extend(multi_tenant.iter().flat_map(|it| it.tenants.keys().cloned()));
        let mut wrong_ids = vec!["EGONE", "dt_gone"];
        wrong_ids.extend(multi_tenant.iter().filter(|_| has_configs).map(|it| it.id.as_str()));
        let many_objects = has_configs && rng.u8(0..3) > 0;
        let bucket_count = rng.usize(1..=6);
        let mut resources = Self {
            buckets: (0..bucket_count)
                .map(|n| random_bucket(rng, format!("bucket-{seed}-{n}"), &distributions, &wrong_ids, tags_suffice))
                .collect(),
            config_versions: vec![BTreeMap::new()],
            cache_policies: distribution_configs::cache_policies(seed),
            function_config: match rng.u8(0..10) {
                0 | 1 if tags_suffice && has_configs => FunctionConfig::ConfigReadsOff,
                2 if has_configs => FunctionConfig::NoCache,
                3 if has_configs => FunctionConfig::StaleCacheOnError,
                4 | 5 if many_objects => FunctionConfig::SmallLimits,
                6 if many_objects => FunctionConfig::ListingOff,
                _ => FunctionConfig::Default,
            },
            tags_suffice,
            many_objects,
            has_jobs: rng.u8(0..6) == 0,
            max_paths: (rng.u8(0..8) == 0).then(|| rng.usize(3..20)),
            denied_operation: match rng.u8(0..12) {
                0 if tags_suffice => Some("GetCachePolicy"),
                1 if has_configs => Some("ListObjectsV2"),
                _ => None,
            },
            // So long that several invalidations are in progress together, and their wildcards add up to the quota.
            invalidation_delay: Duration::from_millis(if rng.u8(0..6) == 0 { 300 } else { 0 }),
            distributions,
            multi_tenant,
        };
        if has_configs {
            resources.randomize_configs(rng);
        }
        for bucket in &mut resources.buckets {
            let object_count = if many_objects { rng.usize(MANY_OBJECTS) } else { FEW_OBJECTS };
            bucket.objects = (0..object_count).map(|_| random_key(rng, bucket.key_prefix)).collect();
        }
        resources
    }

    /// Generates the distribution configs, which may change in the course of the scenario.
    fn randomize_configs(&mut self, rng: &mut Rng) {
        let change_count = if rng.u8(0..3) == 0 { rng.usize(1..=2) } else { 0 };
        let cache_policies: Vec<_> = self.cache_policies.keys().collect();
        let denied: Vec<_> = self.distributions.iter().filter(|_| rng.u8(0..8) == 0).collect();
        let random_config = |rng: &mut Rng, is_of: &dyn Fn(&PlannedBucket) -> bool| {
            let origins: Vec<_> = self.buckets.iter().filter(|it| is_of(it)).map(PlannedBucket::origin).collect();
            distribution_configs::random(rng, &origins, &cache_policies, self.tags_suffice)
        };
        let random_configs = |rng: &mut Rng| {
            let mut configs = BTreeMap::new();
            for id in self.distributions.iter().filter(|id| !denied.contains(id) && !self.is_tenant(id)) {
                configs.insert(id.clone(), random_config(rng, &|it| it.distribution_ids.contains(id)));
            }
            if let Some(multi_tenant) = &self.multi_tenant {
                let is_of = |it: &PlannedBucket| it.distribution_ids.iter().any(|id| self.is_tenant(id));
                let config = random_config(rng, &is_of);
                configs.extend(multi_tenant.configs(rng, config).into_iter().filter(|(id, _)| !denied.contains(&id)));
            }
            configs
        };
        self.config_versions = (0..=change_count).map(|_| random_configs(rng)).collect();
        if self.tags_suffice {
            for bucket in &mut self.buckets {
                let mut configs =
                    self.config_versions.iter().flatten().filter(|(id, _)| bucket.distribution_ids.contains(id));
                bucket.has_query_strings_tag =
                    configs.clone().any(|(_, config)| any_query_strings_in_cache_key(config, &self.cache_policies));
                bucket.url_tags.without_slash = configs.any(|(_, config)| any_runs_at_origin_request(config));
            }
        }
    }

    pub(crate) fn initial_state(&self) -> State {
        let mut state = State::default();
        state.cache_policies.clone_from(&self.cache_policies);
        state.denied.extend(self.denied_operation.map(ToOwned::to_owned));
        for bucket in &self.buckets {
            let mut ids = bucket.distribution_ids.join(" ");
            match &bucket.defect {
                Some(Defect::MalformedTag) => ids.push_str(" e1/.."),
                Some(Defect::WrongId(id)) => ids.extend([" ", id]),
                Some(Defect::MissingBucket) => continue,
                None => {}
            }
            let mut fake_bucket = FakeBucket::tagged(if bucket.has_other_tags { &[("team", "web <&>")] } else { &[] });
            if !bucket.distribution_ids.is_empty() {
                fake_bucket.tags.insert("distributionId".into(), ids);
            }
            if !bucket.url_tags.forms.is_empty() {
                fake_bucket.tags.insert("invalidation:urls".into(), bucket.url_tags.forms.into());
            }
            if bucket.url_tags.without_slash {
                fake_bucket.tags.insert("invalidation:directoryUrls".into(), "both".into());
            }
            if let Some(folder) = bucket.ignored_folder {
                fake_bucket.tags.insert("invalidation:ignore".into(), format!(".never {folder}"));
            }
            if let Some(origin_path) = bucket.url_tags.origin_prefix.strip_suffix('/') {
                fake_bucket.tags.insert("invalidation:originPath".into(), format!("/{origin_path}"));
            }
            if bucket.has_query_strings_tag {
                fake_bucket.tags.insert("invalidation:queryStrings".into(), "include".into());
            }
            if let Some(max_paths) = self.max_paths.filter(|_| !bucket.distribution_ids.is_empty()) {
                fake_bucket.tags.insert("invalidation:maxPaths".into(), max_paths.to_string());
            }
            if self.many_objects {
                fake_bucket.objects = bucket.objects.iter().cloned().collect();
            }
            state.buckets.insert(bucket.name.clone(), fake_bucket);
        }
        let configs = &self.config_versions[0];
        for id in self.distributions.iter().chain(self.multi_tenant.as_ref().map(|it| &it.id)) {
            let of_tenant = |it: &MultiTenant| {
                let tenant = FakeTenant { distribution_id: it.id.clone(), parameters: it.tenants.get(id)?.clone() };
                // Where its distribution's config is denied, the tenant itself can be read.
                (configs.contains_key(id) || !configs.contains_key(&it.id)).then_some(tenant)
            };
            let tenant = self.multi_tenant.as_ref().and_then(of_tenant);
            let (delay, config) = (self.invalidation_delay, configs.get(id).cloned());
            let distribution = FakeDistribution { delay, config, tenant, ..FakeDistribution::default() };
            state.distributions.insert(id.clone(), distribution);
        }
        state
    }

    fn is_tenant(&self, id: &str) -> bool {
        self.multi_tenant.as_ref().is_some_and(|it| it.tenants.contains_key(id))
    }

    /// The distributions or tenants that an operation of CloudFront is called for.
    pub(crate) fn targets(&self, operation: &str) -> Vec<String> {
        let multi_tenant = self.multi_tenant.iter().filter(|_| operation == "GetDistributionConfig");
        let is_target = |id: &&String| self.is_tenant(id) == operation.ends_with("Tenant");
        self.distributions.iter().filter(is_target).chain(multi_tenant.map(|it| &it.id)).cloned().collect()
    }

    /// Whether invalidations stay in progress for a while, so that there can be too many.
    pub(crate) fn invalidations_overlap(&self) -> bool {
        !self.invalidation_delay.is_zero()
    }

    /// The distribution configs that the function may have read or cached while those of `in_effect` were in effect.
    pub(crate) fn known_configs(&self, in_effect: RangeInclusive<usize>, maybe_denied: bool) -> KnownConfigs {
        // A cached config may be from any time, also from an earlier run of the scenario.
        let versions = if self.function_config == FunctionConfig::NoCache {
            in_effect
        } else {
            0..=self.config_versions.len() - 1
        };
        KnownConfigs { versions, maybe_denied }
    }

    /// The outcomes that a change may have: a single one, unless it is uncertain which configs the function has read.
    pub(crate) fn possible_outcomes(
        &self,
        bucket_index: usize,
        key: &str,
        known_configs: &KnownConfigs,
    ) -> BTreeSet<PossibleOutcome> {
        let bucket = &self.buckets[bucket_index];
        let mut possible_outcomes = match &bucket.defect {
            Some(Defect::MissingBucket | Defect::MalformedTag) => return [PossibleOutcome::Fails].into(),
            _ if bucket.distribution_ids.is_empty() => return [PossibleOutcome::Skipped("bucket-not-tagged")].into(),
            _ if bucket.ignores(key) => return [PossibleOutcome::Skipped("ignored")].into(),
            _ => self
                .served_states(bucket, key, known_configs)
                .into_iter()
                .map(PossibleOutcome::from_served_state)
                .collect::<BTreeSet<_>>(),
        };
        // A stale config skips nothing: what it does not serve fails until it can be read again.
        let may_be_stale = known_configs.maybe_denied && self.function_config == FunctionConfig::StaleCacheOnError;
        if may_be_stale && self.may_not_serve(bucket, key, known_configs) {
            possible_outcomes.insert(PossibleOutcome::Fails);
        }
        if let Some(Defect::WrongId(_)) = bucket.defect {
            let (served_state, _) = served_by_tags(key, bucket.url_tags);
            // Reading the config of the wrong distribution fails the change by itself.
            if self.function_config != FunctionConfig::ConfigReadsOff && !known_configs.maybe_denied {
                possible_outcomes.clear();
            }
            if self.function_config != FunctionConfig::ConfigReadsOff || served_state == ServedState::Served {
                possible_outcomes.insert(PossibleOutcome::Fails);
            }
        }
        possible_outcomes
    }

    /// Whether one of the configs of the bucket's distributions does not serve the object.
    fn may_not_serve(&self, bucket: &PlannedBucket, key: &str, known_configs: &KnownConfigs) -> bool {
        let configs = self.config_versions[known_configs.versions.clone()].iter().flatten();
        let mut configs = configs.filter(|(id, _)| bucket.distribution_ids.contains(id));
        let tags = (bucket.name.as_str(), bucket.url_tags);
        configs.any(|(_, it)| served_by_config(it, &self.cache_policies, tags, key).0 != ServedState::Served)
    }

    /// Whether the object may be served, over all distributions of the bucket.
    fn served_states(&self, bucket: &PlannedBucket, key: &str, known_configs: &KnownConfigs) -> BTreeSet<ServedState> {
        let mut served_states = BTreeSet::from([ServedState::Outside]);
        for id in &bucket.distribution_ids {
            let mut distribution_states = BTreeSet::new();
            for configs in &self.config_versions[known_configs.versions.clone()] {
                let config = configs.get(id).filter(|_| self.function_config != FunctionConfig::ConfigReadsOff);
                if let Some(config) = config {
                    distribution_states
                        .insert(served_by_config(config, &self.cache_policies, (&bucket.name, bucket.url_tags), key).0);
                }
                if config.is_none() || known_configs.maybe_denied {
                    distribution_states.insert(served_by_tags(key, bucket.url_tags).0);
                }
            }
            // An object that one distribution serves is served.
            served_states =
                served_states.iter().flat_map(|one| distribution_states.iter().map(|other| *one.max(other))).collect();
        }
        served_states
    }

    /// The URLs that serve the object through a distribution under its config of this index.
    pub(crate) fn urls(&self, bucket_index: usize, key: &str, id: &str, config_version: usize) -> BTreeSet<String> {
        let bucket = &self.buckets[bucket_index];
        if bucket.ignores(key) {
            return BTreeSet::new();
        }
        match self.config_versions[config_version].get(id) {
            Some(config) => served_by_config(config, &self.cache_policies, (&bucket.name, bucket.url_tags), key).1,
            None => served_by_tags(key, bucket.url_tags).1,
        }
    }
}

impl PossibleOutcome {
    fn from_served_state(served_state: ServedState) -> Self {
        match served_state {
            ServedState::Outside => Self::Skipped("outside-origin-path"),
            ServedState::Elsewhere => Self::Skipped("other-origin"),
            ServedState::NotCached => Self::Skipped("not-cached"),
            ServedState::Served => Self::Invalidated,
        }
    }
}

impl PlannedBucket {
    fn origin(&self) -> BucketOrigin<'_> {
        let index = format!("{}index.html", self.url_tags.origin_prefix);
        let has_root_in_tags = object_urls(&index, self.url_tags).contains("/");
        BucketOrigin { bucket: &self.name, key_prefix: self.key_prefix, has_root_in_tags }
    }

    /// Whether changes of this key are skipped because of the `invalidation:ignore` tag.
    fn ignores(&self, key: &str) -> bool {
        self.ignored_folder.is_some_and(|folder| key.starts_with(folder))
    }

    pub(crate) fn has_defect(&self) -> bool {
        self.defect.is_some()
    }

    /// The wrong ID in its tag, if it has one.
    pub(crate) fn wrong_id(&self) -> Option<&str> {
        match &self.defect {
            Some(Defect::WrongId(id)) => Some(id),
            _ => None,
        }
    }
}

fn random_bucket(
    rng: &mut Rng,
    name: String,
    distributions: &[String],
    wrong_ids: &[&str],
    tags_suffice: bool,
) -> PlannedBucket {
    let tagged = rng.u8(0..6) > 0;
    let distribution_count = if rng.u8(0..3) == 0 { 2 } else { 1 };
    let mut ids = rng.choose_multiple(distributions, distribution_count);
    ids.sort_unstable();
    let defect = match rng.u8(0..150) {
        0 if tagged => Some(Defect::MalformedTag),
        1 => Some(Defect::MissingBucket),
        2 | 3 if tagged => rng.choice(wrong_ids).map(|id| Defect::WrongId((*id).to_owned())),
        _ => None,
    };
    let key_prefix = if tagged && rng.u8(0..4) == 0 { "web/site/" } else { "" };
    PlannedBucket {
        name,
        distribution_ids: if tagged { ids.into_iter().cloned().collect() } else { Vec::new() },
        url_tags: UrlTags {
            origin_prefix: if tags_suffice { key_prefix } else { "" },
            forms: FORMS[rng.usize(0..FORMS.len())],
            without_slash: false,
        },
        ignored_folder: (rng.u8(0..8) == 0).then_some("img/"),
        key_prefix,
        objects: Vec::new(),
        defect,
        has_other_tags: rng.bool(),
        has_query_strings_tag: false,
    }
}
