//! `invalidator plan`: computes the invalidation paths of changes, and what they cost. Nothing is sent.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::changes::{ChangedKeys, ChangesArgs};
use super::config::ConfigArgs;
use super::explain;
use super::key_lists::{self, KeyList};
use super::terminal::{MAX_ROWS, counted, more, note, right, say, shorten, table};
use crate::change::text::json_line;
use crate::change::{Bucket, BucketName, ObjectKey, Region};
use crate::collapse::{Budget, Collapsed, CostModel, Counted, Heuristic, Objective, collapse};
use crate::config::Config;
use crate::local::bill::Bill;
use crate::path::{BucketOptions, DirectoryUrls, IndexDocuments, InvalidationPath, Item, Mapping, OriginPath};

/// What changed, and what is known beside it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  invalidator plan --event event.json
  aws s3 sync --dryrun --delete site s3://my-site | invalidator plan --sync -
  aws s3 ls --recursive s3://my-site > before.txt
  git diff --name-only HEAD~ | invalidator plan --keys - --inventory before.txt
  invalidator plan --keys changed.txt --bucket my-site \\
    --distribution E2EXAMPLE1ABCD --explain")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    changes: ChangesArgs,
    /// What the bucket holds, all of it: the output of `aws s3 ls --recursive`, or keys one per line. The output of
    /// `aws s3 sync` is taken as well; it shows only a part, so what a wildcard evicts stays unknown
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// The inventory holds only the keys that start with this
    #[arg(long, value_name = "PREFIX", requires = "inventory")]
    inventory_prefix: Option<String>,
    /// The bucket: only its changes of an event count, and the distribution's origins are compared with it
    #[arg(long, value_name = "NAME", value_parser = BucketName::new)]
    bucket: Option<BucketName>,
    /// The bucket's Region; without it any will do
    #[arg(long, value_name = "REGION", value_parser = Region::new)]
    region: Option<Region>,
    #[command(flatten)]
    source: ConfigArgs,
    /// Show each key's URLs, and why requests for them get to the bucket or not
    #[arg(long)]
    explain: bool,
    /// The most paths of the invalidation
    #[arg(long, value_name = "N", default_value_t = Config::DEFAULT_MAX_PATHS, value_parser = at_most(Budget::MAX_PATHS))]
    max_paths: NonZeroUsize,
    /// The most wildcards among them
    #[arg(long, value_name = "N", default_value_t = Config::DEFAULT_MAX_WILDCARDS, value_parser = at_most(Budget::MAX_WILDCARDS))]
    max_wildcards: NonZeroUsize,
    /// How many needlessly evicted URLs one path less is worth, where an inventory tells them
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = weight)]
    path_weight: u32,
    /// The folder of the bucket that CloudFront puts in front of a viewer's path, such as /web; by default the
    /// distribution's, if it is known
    #[arg(long, value_name = "PATH", value_parser = OriginPath::parse)]
    origin_path: Option<OriginPath>,
    /// Names of files that are also served as their directory, separated by spaces; index.html where a directory can be
    /// served
    #[arg(long, value_name = "NAMES")]
    index_documents: Option<String>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
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

/// Parses a path weight.
fn weight(text: &str) -> Result<u32, String> {
    let fits = |number: &u32| *number <= Config::MAX_EVICTIONS_PER_PATH;
    text.parse().ok().filter(fits).ok_or(format!("not a number from 0 to {}", Config::MAX_EVICTIONS_PER_PATH))
}

impl PlanArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let inputs = self.changes.files().chain(self.inventory.as_deref()).chain(self.source.file());
        if inputs.filter(|file| *file == Path::new("-")).count() > 1 {
            bail!("standard input can be read once only: give - for one of the inputs, and files for the others");
        }
        let bucket = self.bucket.as_ref().map(BucketName::as_str);
        let ChangedKeys { mut keys, items, unreadable } = self.changes.read(bucket)?;
        if let Some(items) = items {
            self.print_named(&items);
            return Ok(());
        }
        keys.sort();
        keys.dedup();
        let mapping = self.mapping().await?;
        let changed: Vec<_> = keys.iter().filter_map(|key| Some((key, mapping.paths(key).ok()?))).collect();
        let required: Vec<_> = changed.iter().flat_map(|(_, paths)| paths).cloned().collect();
        let unchanged_urls = self.unchanged_urls(&mapping, &required)?;
        let budget = Budget { max_paths: self.max_paths, max_wildcards: self.max_wildcards };
        let objective = Objective { budget, evictions_per_path: self.path_weight };
        let set = match &unchanged_urls {
            Some(unchanged_urls) => collapse(required, objective, unchanged_urls),
            None => collapse(required, objective, &Heuristic),
        };
        if self.json {
            let explained = self.explain.then(|| explain::json(&mapping, &keys));
            print_json(&set.items, changed.len(), set.unchanged_evicted, wildcards(&set), explained);
        } else {
            if self.explain {
                explain::print(&mapping, &keys);
            }
            print_tables(&set, &changed, unchanged_urls.as_ref(), keys.len() - changed.len());
        }
        unreadable.refuse().context("the plan is not of all that the event holds")
    }

    /// Returns how the distribution maps the bucket's keys to URLs. Defaults apply where that is not known.
    async fn mapping(&self) -> anyhow::Result<Mapping> {
        let config = self.source.read().await?.map(Arc::new);
        let default_names = || IndexDocuments::Default(vec![Config::DEFAULT_INDEX_DOCUMENT.to_owned()]);
        let split = |names: &String| names.split_whitespace().map(ToOwned::to_owned).collect();
        let options = BucketOptions {
            distributions: Vec::new(),
            origin_path: self.origin_path.clone(),
            index_documents: self
                .index_documents
                .as_ref()
                .map(split)
                .map_or_else(default_names, IndexDocuments::FromTag),
            directory_urls: DirectoryUrls::default(),
            query_strings: None,
            max_paths: None,
            ignored_suffixes: Vec::new(),
        };
        let bucket = self.bucket.clone().map(|name| Bucket { name, region: self.region.clone() });
        let Some(bucket) = bucket else { return Ok(Mapping::without_config(&options)) };
        let mapping = Mapping::new(&bucket, &options, config.as_ref());
        if config.is_some() && !mapping.is_conclusive() {
            note(format_args!(
                "It cannot be told which origins of the distribution are the bucket {}: planned by defaults where its settings do not tell.",
                bucket.name
            ));
        }
        Ok(mapping)
    }

    /// Prints items that a person named. They are never collapsed, so there is nothing to plan.
    fn print_named(&self, items: &[Item]) {
        let wildcards = items.iter().filter(|item| item.is_wildcard()).count();
        let bill = Bill::of([items.len()]);
        if self.json {
            print_json(items, 0, None, wildcards, None);
            return;
        }
        let mut rows = table(&["item, as it was named"]);
        for item in items.iter().take(MAX_ROWS) {
            rows.add_row([item.to_string()]);
        }
        say(rows.trim_fmt());
        more(items.len(), "items");
        say(format_args!("\n{}, {wildcards} of them wildcards: {}", counted(bill.paths, "path"), bill.price()));
    }

    /// Reads the bucket listing and returns its unchanged URLs, which wildcards may evict; `None` if no listing is
    /// given.
    fn unchanged_urls(&self, mapping: &Mapping, required: &[InvalidationPath]) -> anyhow::Result<Option<Counted>> {
        let Some(file) = &self.inventory else { return Ok(None) };
        let list = KeyList::read(&key_lists::read(file)?).with_context(|| key_lists::name(file))?;
        let (keys, complete) = match list {
            KeyList::Listing(keys) | KeyList::Keys(keys) => (keys, true),
            KeyList::Sync(keys) => (keys, false),
        };
        if keys.is_empty() {
            bail!(
                "{} names no objects; leave --inventory out if nothing is known of the bucket",
                key_lists::name(file)
            );
        }
        let urls = |key: &ObjectKey| mapping.served_urls(key).collect::<Vec<_>>();
        let listed = match &self.inventory_prefix {
            _ if !complete => Vec::new(),
            None => vec!["/".to_owned()],
            Some(prefix) => urls(&ObjectKey::new(prefix.as_str())?),
        };
        Ok(Some(Counted::new(keys.iter().flat_map(urls).collect(), listed, required)))
    }
}

fn print_json(
    paths: &[impl serde::Serialize],
    covered: usize,
    unchanged_evicted: Option<u64>,
    wildcards: usize,
    explained: Option<Value>,
) {
    let mut plan = json!({
        "paths": paths,
        "covered": covered,
        "needlessEvictions": unchanged_evicted,
        "wildcards": wildcards,
        "costUsd": Bill::of([paths.len()]).dollars(),
    });
    if let (Some(explained), Some(plan)) = (explained, plan.as_object_mut()) {
        plan.insert("explained".into(), explained);
    }
    say(json_line(&plan.to_string()));
}

fn wildcards(set: &Collapsed) -> usize {
    set.items.iter().filter(|item| item.wildcard_prefix().is_some()).count()
}

fn print_tables(
    set: &Collapsed,
    changed: &[(&ObjectKey, Vec<InvalidationPath>)],
    unchanged_urls: Option<&Counted>,
    not_served: usize,
) {
    if not_served > 0 {
        let keys = counted(not_served, "changed key");
        say(format_args!("Not served, outside the origin path or from other origins: {keys}.\n"));
    }
    if set.items.is_empty() {
        say("There is nothing to invalidate.");
        return;
    }
    let mut rows = table(&["path", "covers", "such as", "evicts needlessly"]);
    for item in set.items.iter().take(MAX_ROWS) {
        let covered = || changed.iter().filter(|(_, paths)| paths.iter().any(|path| item.covers(path)));
        let evicted = match (item.wildcard_prefix(), unchanged_urls) {
            (None, _) => Some(0),
            (Some(prefix), unchanged_urls) => unchanged_urls.and_then(|it| it.count(prefix)),
        };
        rows.add_row([
            item.to_string(),
            covered().count().to_string(),
            covered().next().map_or_else(String::new, |(key, _)| shorten(&crate::change::text::one_line(key.as_str()))),
            evicted.map_or_else(|| "unknown".to_owned(), |urls| urls.to_string()),
        ]);
    }
    right(&mut rows, &[1, 3]);
    say(rows.trim_fmt());
    more(set.items.len(), "paths");

    let mut costs = table(&["these changes", "paths", "wildcards", "price", "evicts needlessly"]);
    let count_or_unknown = |urls: Option<u64>| urls.map_or_else(|| "unknown".to_owned(), |urls| urls.to_string());
    let mut row = |name: &str, paths: usize, wildcards: usize, evicted: Option<u64>| {
        let price = Bill::of([paths]).price();
        costs.add_row([name, &paths.to_string(), &wildcards.to_string(), &price, &count_or_unknown(evicted)]);
    };
    row("this plan", set.items.len(), wildcards(set), set.unchanged_evicted);
    row("one path per object", changed.len(), 0, Some(0));
    row("\"/*\"", 1, 1, unchanged_urls.and_then(|it| it.count("/")));
    right(&mut costs, &[1, 2, 3, 4]);
    say("");
    say(costs.trim_fmt());
}
