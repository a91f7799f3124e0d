//! Compares the paths that this function sends with those of other tools, for the same deployments and within the same
//! limits. A model of an edge cache counts the evictions.

mod lists;
pub(crate) mod picture;
mod rules;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::num::NonZeroUsize;

use s3_cloudfront_invalidator::change::ObjectKey;
use s3_cloudfront_invalidator::collapse::{Budget, Counted, Heuristic, Objective, collapse};
use s3_cloudfront_invalidator::config::Config;
use s3_cloudfront_invalidator::path::{BucketDefaults, InvalidationPath, Mapping, Tags, URLS_TAG};
use s3_cloudfront_invalidator::plan::price_usd;

pub(crate) use lists::{Deploy, KEY, deploys};

/// The paths that one tool sends for one deployment, and their effect.
pub(crate) struct Outcome {
    pub(crate) tool: String,
    pub(crate) items: usize,
    pub(crate) wildcards: usize,
    /// The number of unchanged URLs evicted.
    pub(crate) unchanged_evicted: usize,
    /// The number of changed URLs that are not evicted.
    pub(crate) stale: usize,
}

/// The URLs of a deployment.
pub(crate) struct Urls {
    pub(crate) required: Vec<InvalidationPath>,
    pub(crate) unchanged: BTreeSet<String>,
    /// The one path of each changed object that other tools send.
    objects: BTreeSet<String>,
    /// Whether the keys below a URL are known, so that the function lists the bucket.
    is_invertible: bool,
}

/// How keys map to URLs of these forms.
fn mapping(forms: &str) -> Mapping {
    let tag = "distributionId".to_owned();
    let defaults = BucketDefaults { distribution_tag: tag.clone(), index_documents: vec!["index.html".to_owned()] };
    let tags = Tags::from([(tag, "E2EXAMPLE1ABCD".to_owned()), (URLS_TAG.to_owned(), forms.to_owned())]);
    Mapping::without_config(&defaults.parse(&tags).expect("valid tags").expect("a distribution"))
}

fn paths(forms: &str, keys: &[String]) -> Vec<InvalidationPath> {
    let mapping = mapping(forms);
    let keys = keys.iter().map(|key| ObjectKey::new(key.as_str()).expect("a key"));
    keys.flat_map(|key| mapping.paths(&key).expect("the whole bucket is served")).collect()
}

fn objects(keys: &[String]) -> BTreeSet<String> {
    let own =
        |key: &String| paths(KEY, std::slice::from_ref(key)).iter().map(ToString::to_string).max_by_key(String::len);
    keys.iter().filter_map(own).collect()
}

impl Urls {
    pub(crate) fn of(deploy: &Deploy) -> Self {
        let forms = deploy.forms;
        Self {
            required: paths(forms, &deploy.changed),
            unchanged: paths(forms, &deploy.unchanged).iter().map(ToString::to_string).collect(),
            objects: objects(&deploy.changed),
            is_invertible: mapping(forms).is_invertible(),
        }
    }

    /// One path for each URL, or nothing if this is one path per object.
    fn each(&self) -> Option<Outcome> {
        let urls = self.required.iter().map(ToString::to_string).collect();
        (urls != self.objects).then(|| self.evaluate("one path per URL", &urls))
    }

    /// What the function sends.
    pub(crate) fn ours(&self, tool: &str, items: usize, wildcards: usize) -> Outcome {
        if self.is_invertible {
            self.with_listing(tool, items, wildcards)
        } else {
            self.with_heuristic(tool, items, wildcards)
        }
    }

    /// Counts the unchanged URLs that a set of paths evicts, and the changed ones that it does not evict.
    pub(crate) fn evaluate(&self, tool: &str, items: &BTreeSet<String>) -> Outcome {
        let matches =
            |item: &String, url: &str| item.strip_suffix('*').map_or(item == url, |prefix| url.starts_with(prefix));
        let evicted = |url: &str| items.iter().any(|item| matches(item, url));
        Outcome {
            tool: tool.to_owned(),
            items: items.len(),
            wildcards: items.iter().filter(|item| item.ends_with('*')).count(),
            unchanged_evicted: self.unchanged.iter().filter(|url| evicted(url)).count(),
            stale: self.required.iter().filter(|path| !evicted(path.as_str())).count(),
        }
    }

    pub(crate) fn with_heuristic(&self, tool: &str, items: usize, wildcards: usize) -> Outcome {
        let set = collapse(self.required.clone(), objective(items, wildcards), &Heuristic);
        self.evaluate(tool, &set.items.iter().map(ToString::to_string).collect())
    }

    pub(crate) fn with_listing(&self, tool: &str, items: usize, wildcards: usize) -> Outcome {
        let urls = self.unchanged.iter().cloned().chain(self.required.iter().map(ToString::to_string)).collect();
        let model = Counted::new(urls, vec!["/".to_owned()], &self.required);
        let set = collapse(self.required.clone(), objective(items, wildcards), &model);
        let outcome = self.evaluate(tool, &set.items.iter().map(ToString::to_string).collect());
        assert_eq!(set.unchanged_evicted, Some(outcome.unchanged_evicted as u64), "{tool}");
        outcome
    }

    /// The outcomes of other tools' rules.
    pub(crate) fn others(&self) -> Vec<Outcome> {
        let required = self.required.iter().map(ToString::to_string).collect();
        vec![
            self.evaluate("threshold 8", &rules::threshold(&required, 8)),
            self.evaluate("balanced 30", &rules::balanced(&required, 30)),
        ]
    }
}

fn objective(items: usize, wildcards: usize) -> Objective {
    let number = |n: usize| NonZeroUsize::new(n.max(1)).expect("at least one");
    Objective { budget: Budget { max_paths: number(items), max_wildcards: number(wildcards) }, evictions_per_path: 0 }
}

/// The whole comparison as a Markdown table.
pub(crate) fn table() -> String {
    let mut table = String::from(
        "| deployment | tool | paths | wildcards | unchanged URLs evicted | price |\n|---|---|--:|--:|--:|--:|\n",
    );
    for deploy in deploys() {
        let urls = Urls::of(&deploy);
        let others = urls.others();
        let everything = BTreeSet::from(["/*".to_owned()]);
        let (items, wildcards) = (Config::DEFAULT_MAX_PATHS.get(), Config::DEFAULT_MAX_WILDCARDS.get());
        let mut outcomes = vec![urls.evaluate("`/*`", &everything)];
        outcomes.push(urls.evaluate("one path per object", &urls.objects));
        outcomes.extend(urls.each());
        for other in others {
            let (items, wildcards) = (other.items, other.wildcards);
            let tool = format!("**estimated**, within {items}/{wildcards}");
            outcomes.push(other);
            outcomes.push(urls.with_heuristic(&tool, items, wildcards));
        }
        outcomes.push(urls.with_heuristic(&format!("**estimated**, within {items}/{wildcards}"), items, wildcards));
        for (items, wildcards) in [(8, 8), (items, wildcards), (30, 15)] {
            if urls.is_invertible {
                let tool = format!("**with listing**, within {items}/{wildcards}");
                outcomes.push(urls.with_listing(&tool, items, wildcards));
            }
        }
        for (index, it) in outcomes.iter().enumerate() {
            let size = format!("{} ({} changed, {} not)", deploy.name, deploy.changed.len(), deploy.unchanged.len());
            let name = if index == 0 { size } else { String::new() };
            let stale = if it.stale > 0 { format!("; URLs missed: {}", it.stale) } else { String::new() };
            // Writing to a String cannot fail.
            let _ = writeln!(
                table,
                "| {name} | {} | {} | {} | {}{stale} | ${:.3} |",
                it.tool,
                it.items,
                it.wildcards,
                it.unchanged_evicted,
                price_usd(it.items)
            );
        }
    }
    table
}
