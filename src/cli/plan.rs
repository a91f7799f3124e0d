//! `invalidator plan`: computes the invalidation paths of changes, and what they cost. Nothing is sent.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::aws_args::AwsArgs;
use super::changes::{ChangedKeys, ChangesArgs, is_complete, owner};
use super::config::ConfigArgs;
use super::failure::{Failure, Reported};
use super::input::UsageError;
use super::keys::{self, InputError, LineOptions};
use super::terminal::{
    MAX_ROWS, keep_on_one_line, more, note, price, print, right, say, say_json, shorten, table, warn,
};
use super::{explain, input};
use crate::change::text::{counted, one_line};
use crate::change::{Bucket, BucketName, ObjectKey};
use crate::collapse::{Budget, Collapsed, CostModel, Counted, Coverage, Heuristic, Objective, collapse};
use crate::config::Config;
use crate::path::{
    BucketOptions, IndexDocuments, InvalidationPath, Item, Mapping, OriginPath, URLS_REWRITTEN, URLS_UNCERTAIN,
    UrlForms,
};
use crate::plan::price_usd;

/// The changes, and what is known of the bucket and its distribution.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  invalidator plan --event event.json
  aws s3 sync --dryrun --delete site s3://my-site | invalidator plan --sync -
  aws s3 ls --recursive s3://my-site > before.txt
  git diff -z --name-only --no-renames --relative=site/ HEAD~ \\
    | invalidator plan -z --keys - --listing before.txt
  invalidator plan --keys changed.txt --bucket my-site \\
    --distribution E2EXAMPLE1ABCD --explain")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    changes: ChangesArgs,
    /// Listing of all keys in the bucket before the change: the output of `aws s3 ls --recursive`, a JSON array, or one key per line; - reads
    /// standard input. The output of `aws s3 sync` is accepted too, but lists only some keys, so the number of unchanged URLs
    /// evicted stays unknown
    #[arg(long, value_name = "FILE")]
    listing: Option<PathBuf>,
    /// Prefix of the listed keys, if the listing covers only part of the bucket
    #[arg(long, value_name = "PREFIX", requires = "listing")]
    listing_prefix: Option<String>,
    /// Bucket that contains the keys; used to find the origins that point to it in the distribution config. With --event,
    /// only changes in this bucket count
    #[arg(long, value_name = "NAME", value_parser = super::input::bucket)]
    bucket: Option<BucketName>,
    #[command(flatten)]
    source: ConfigArgs,
    /// Show the URLs of each key, and whether and why CloudFront requests them from the bucket
    #[arg(long)]
    explain: bool,
    /// Maximum number of paths in the invalidation
    #[arg(long, value_name = "N", default_value_t = Config::DEFAULT_MAX_PATHS, value_parser = at_most(Budget::MAX_PATHS))]
    max_paths: NonZeroUsize,
    /// Maximum number of wildcards (paths that end with *) among these paths
    #[arg(long, value_name = "N", default_value_t = Config::DEFAULT_MAX_WILDCARDS, value_parser = at_most(Budget::MAX_WILDCARDS))]
    max_wildcards: NonZeroUsize,
    /// Number of unchanged URLs that the plan may evict (remove from the cache) to save one path; has an effect only with
    /// --listing
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = evictions)]
    evictions_per_path: u32,
    /// Origin path, such as /web; default: the origin path in the distribution config, if the config is available
    #[arg(long, value_name = "PATH", value_parser = OriginPath::parse)]
    origin_path: Option<OriginPath>,
    /// Names of index documents, separated by spaces. An index document is also served at the URL of its directory;
    /// default: index.html, where the distribution serves such URLs
    #[arg(long, value_name = "NAMES", value_parser = IndexDocuments::parse)]
    index_documents: Option<IndexDocuments>,
    /// Patterns of the URLs that viewers request, separated by spaces, as in the bucket's tag invalidation:urls
    /// (docs/urls.md); default: /:key
    #[arg(long, value_name = "FORMS", value_parser = UrlForms::parse)]
    urls: Option<UrlForms>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    aws: AwsArgs,
}

/// Returns a parser of numbers from 1 to `most`.
pub(super) fn at_most(most: NonZeroUsize) -> impl Fn(&str) -> Result<NonZeroUsize, String> + Clone {
    from_to(1, most.get())
}

/// Returns a parser of numbers from `least`, which is at least 1, to `most`.
pub(super) fn from_to(least: usize, most: usize) -> impl Fn(&str) -> Result<NonZeroUsize, String> + Clone {
    move |text| {
        let fits = |number: &NonZeroUsize| (least..=most).contains(&number.get());
        text.parse().ok().filter(fits).ok_or(format!("not a number from {least} to {most}"))
    }
}

/// Parses the number of evictions per path.
fn evictions(text: &str) -> Result<u32, String> {
    let fits = |number: &u32| *number <= Config::MAX_EVICTIONS_PER_PATH;
    text.parse().ok().filter(fits).ok_or(format!("not a number from 0 to {}", Config::MAX_EVICTIONS_PER_PATH))
}

impl PlanArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let inputs = self.changes.files().chain(self.listing.as_deref()).chain(self.source.file());
        if inputs.filter(|file| *file == Path::new("-")).count() > 1 {
            let error = "standard input can be read only once; specify - for one input, and files for the others";
            return Err(UsageError(error.to_owned()).into());
        }
        let ChangedKeys { mut keys, paths, unreadable } = self.changes.read(self.bucket.as_ref())?;
        if let Some((paths, left_out)) = paths {
            return self.print_named(&paths, left_out);
        }
        keys.sort();
        keys.dedup();
        let mapping = self.mapping().await?;
        let changed: Vec<_> = keys.iter().filter_map(|key| Some((key, mapping.paths(key).ok()?))).collect();
        let required: Vec<_> = changed.iter().flat_map(|(_, paths)| paths).cloned().collect();
        let unchanged_urls = self.unchanged_urls(&mapping, &required)?;
        let budget = Budget { max_paths: self.max_paths, max_wildcards: self.max_wildcards };
        let objective = Objective { budget, evictions_per_path: self.evictions_per_path };
        let has_wildcard = required.iter().any(InvalidationPath::is_wildcard);
        let mut set = match &unchanged_urls {
            Some(unchanged_urls) => collapse(required, objective, unchanged_urls),
            None => collapse(required, objective, &Heuristic),
        };
        if has_wildcard {
            // What a wildcard of a changed object evicts is not counted.
            set.unchanged_evicted = None;
        }
        if self.json {
            let invalidation = JsonInvalidation::new(&set.items, changed.len(), wildcards(&set), set.unchanged_evicted);
            let urls = self.explain.then(|| explain::rows(&mapping, &keys, self.urls.is_some()));
            let urls_uncertain = (mapping.are_urls_uncertain && !changed.is_empty()).then_some(changed.len());
            let refused = unreadable.refuse().map_err(|error| error.to_string());
            let failures = refused.err().map(|message| Failure { code: "record-invalid", message });
            JsonPlan {
                ok: failures.is_none(),
                urls_uncertain,
                invalidations: vec![invalidation],
                urls,
                failures: failures.into_iter().collect(),
            }
            .print()?;
        } else {
            if self.explain {
                explain::print(&mapping, &keys, self.urls.is_some());
            }
            print_tables(&set, &changed, unchanged_urls.as_ref(), keys.len() - changed.len());
        }
        unreadable.refuse().map_err(|error| Reported(format!("the plan is incomplete: {error}")).into())
    }

    /// Returns how the distribution maps the bucket's keys to URLs. Defaults apply where that is not known.
    async fn mapping(&self) -> anyhow::Result<Mapping> {
        let config = self.source.read(&self.aws).await?.map(Arc::new);
        let default_names = || IndexDocuments::Default(vec![Config::DEFAULT_INDEX_DOCUMENT.to_owned()]);
        let options = BucketOptions {
            distributions: Vec::new(),
            origin_path: self.origin_path.clone(),
            index_documents: self.index_documents.clone().unwrap_or_else(default_names),
            directory_urls: None,
            urls: self.urls.clone(),
            query_strings: None,
            max_paths: None,
            ignored: Vec::new(),
        };
        let bucket = self.bucket.clone().map(|name| Bucket { name, region: self.aws.region().cloned() });
        let Some(bucket) = bucket else { return Ok(Mapping::without_config(&options)) };
        let mapping = Mapping::new(&bucket, &options, config.as_ref());
        if mapping.unnamed_functions.at_origin_request {
            warn(URLS_UNCERTAIN);
        } else if mapping.unnamed_functions.at_viewer_request {
            note(URLS_REWRITTEN);
        }
        if config.is_some() && !mapping.is_conclusive() {
            warn(format_args!(
                "the distribution config does not show which origins point to bucket {}. The plan uses defaults where \
                 the config is unclear.",
                bucket.name
            ));
        }
        Ok(mapping)
    }

    /// Prints explicit paths. They are never collapsed, so there is nothing to plan.
    fn print_named(&self, items: &[Item], left_out: usize) -> anyhow::Result<()> {
        let wildcards = items.iter().filter(|item| item.is_wildcard()).count();
        if self.json {
            let invalidations = vec![JsonInvalidation::new(items, 0, wildcards, None)];
            return JsonPlan { ok: true, urls_uncertain: None, invalidations, urls: None, failures: Vec::new() }
                .print();
        }
        let mut rows = table(&["PATH"]);
        for item in items.iter().take(MAX_ROWS) {
            rows.add_row([item.to_string()]);
        }
        keep_on_one_line(&mut rows, &[0]);
        print(rows);
        more(items.len(), "path");
        if left_out > 0 {
            say(format_args!("{} left out, because these cover them", counted(left_out, "other path")));
        }
        let (paths, wildcards) = (counted(items.len(), "path"), counted(wildcards, "wildcard"));
        say(format_args!("\n{paths}, including {wildcards}: {}", price(items.len())));
        Ok(())
    }

    /// Reads the bucket listing and returns its unchanged URLs, which wildcards may evict; `None` if no listing is
    /// given.
    fn unchanged_urls<'m>(
        &self,
        mapping: &'m Mapping,
        required: &[InvalidationPath],
    ) -> anyhow::Result<Option<Counted<ListedUrls<'m>>>> {
        let Some(file) = &self.listing else { return Ok(None) };
        let name = || input::name(file);
        let list = keys::read(&input::read(file)?, false, &LineOptions::default());
        let list = list.map_err(InputError::without_lines).with_context(name)?;
        owner(&list, self.bucket.as_ref()).with_context(name)?;
        if list.entries.is_empty() {
            bail!("{} lists no objects; omit --listing if no bucket listing is available", name());
        }
        let complete = is_complete(&list);
        let keys: Vec<_> = list.entries.into_iter().map(|entry| entry.key).collect();
        let listed =
            ListedUrls { mapping, listed_prefix: complete.then(|| self.listing_prefix.clone().unwrap_or_default()) };
        Ok(Some(Counted::new(keys.iter().flat_map(|key| mapping.served_urls(key)).collect(), listed, required)))
    }
}

/// The URLs whose keys are all in the bucket listing. Other origins are ignored.
struct ListedUrls<'m> {
    mapping: &'m Mapping,
    /// The prefix with which every key of the bucket is listed; `None` if the listing has only some keys.
    listed_prefix: Option<String>,
}

impl Coverage for ListedUrls<'_> {
    fn includes(&self, prefix: &str) -> bool {
        let Some(listed) = &self.listed_prefix else { return false };
        // Keys that no origin serves are assumed to be at the root, so all of them must be listed.
        if self.mapping.config.is_some() && !self.mapping.is_conclusive() && !listed.is_empty() {
            return false;
        }
        let is_listed = |relative: &str| {
            let mut key_prefixes = self.mapping.origin_matches.iter().map(|it| it.path.key_prefix());
            key_prefixes.all(|key_prefix| format!("{key_prefix}{relative}").starts_with(listed))
        };
        self.mapping.all_keys_below(prefix, is_listed)
    }
}

/// The JSON object of a plan.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonPlan<'a, P> {
    /// Whether the plan has all changes of the input.
    ok: bool,
    /// The number of changed keys that viewers may also request at other URLs, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    urls_uncertain: Option<usize>,
    /// One invalidation, or none if there is nothing to invalidate.
    invalidations: Vec<JsonInvalidation<'a, P>>,
    /// The URLs of the keys, with `--explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    urls: Option<Vec<explain::Row>>,
    /// Why the plan does not have all changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonInvalidation<'a, P> {
    status: &'static str,
    /// The number of changed keys that the invalidation is for.
    changes: usize,
    path_count: usize,
    wildcard_count: usize,
    /// `None` if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    unchanged_evicted: Option<u64>,
    cost_usd: f64,
    paths: &'a [P],
}

impl<'a, P> JsonInvalidation<'a, P> {
    fn new(paths: &'a [P], changes: usize, wildcard_count: usize, unchanged_evicted: Option<u64>) -> Self {
        Self {
            status: "planned",
            changes,
            path_count: paths.len(),
            wildcard_count,
            unchanged_evicted,
            cost_usd: price_usd(paths.len()),
            paths,
        }
    }
}

impl<P: Serialize> JsonPlan<'_, P> {
    fn print(mut self) -> anyhow::Result<()> {
        self.invalidations.retain(|it| !it.paths.is_empty());
        say_json(&self)
    }
}

fn wildcards(set: &Collapsed) -> usize {
    set.items.iter().filter(|item| item.wildcard_prefix().is_some()).count()
}

fn print_tables(
    set: &Collapsed,
    changed: &[(&ObjectKey, Vec<InvalidationPath>)],
    unchanged_urls: Option<&Counted<ListedUrls<'_>>>,
    not_served: usize,
) {
    if not_served > 0 {
        let keys = counted(not_served, "changed key");
        say(format_args!("{keys} skipped: outside the origin path, served by other origins, or not cached.\n"));
    }
    if set.items.is_empty() {
        say("Nothing to invalidate.");
        return;
    }
    let mut rows = table(&["PATH", "CHANGED KEYS", "EXAMPLE", "UNCHANGED URLS EVICTED"]);
    for item in set.items.iter().take(MAX_ROWS) {
        let matched = || changed.iter().filter(|(_, paths)| paths.iter().any(|path| item.covers(path)));
        let evicted = match (item.wildcard_prefix(), unchanged_urls) {
            (None, _) => Some(0),
            (Some(prefix), unchanged_urls) => unchanged_urls.and_then(|it| it.count(prefix)),
        };
        rows.add_row([
            item.to_string(),
            matched().count().to_string(),
            matched().next().map_or_else(String::new, |(key, _)| shorten(&one_line(key.as_str()))),
            evicted.map_or_else(|| "unknown".to_owned(), |urls| urls.to_string()),
        ]);
    }
    keep_on_one_line(&mut rows, &[0, 2]);
    right(&mut rows, &[1, 3]);
    print(rows);
    more(set.items.len(), "path");

    let mut costs = table(&["METHOD", "PATHS", "WILDCARDS", "PRICE", "UNCHANGED URLS EVICTED"]);
    let count_or_unknown = |urls: Option<u64>| urls.map_or_else(|| "unknown".to_owned(), |urls| urls.to_string());
    let mut row = |name: &str, paths: usize, wildcards: usize, evicted: Option<u64>| {
        costs.add_row([name, &paths.to_string(), &wildcards.to_string(), &price(paths), &count_or_unknown(evicted)]);
    };
    row("this plan", set.items.len(), wildcards(set), set.unchanged_evicted);
    row("one path per object", changed.len(), 0, Some(0));
    row("\"/*\"", 1, 1, unchanged_urls.and_then(|it| it.count("/")));
    right(&mut costs, &[1, 2, 3, 4]);
    say("");
    print(costs);
}
