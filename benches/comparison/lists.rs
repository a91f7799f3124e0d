//! The deployments of the comparison: which keys changed, and which did not. Two are real. The others are generated,
//! and are the same in every run.

use serde::Deserialize;

/// The effect of a deployment on a bucket.
pub(crate) struct Deploy {
    pub(crate) name: &'static str,
    /// The forms of the URLs that viewers request.
    pub(crate) forms: &'static str,
    /// The keys that were created, overwritten or removed.
    pub(crate) changed: Vec<String>,
    /// The keys that did not change.
    pub(crate) unchanged: Vec<String>,
}

#[derive(Deserialize)]
struct Release {
    created: Vec<String>,
    removed: Vec<String>,
    unchanged: Vec<String>,
}

fn release(name: &'static str, json: &str) -> Deploy {
    let release: Release = serde_json::from_str(json).expect("a list of a release");
    let changed = release.created.into_iter().chain(release.removed).collect();
    Deploy { name, forms: KEY, changed, unchanged: release.unchanged }
}

/// The form without a tag.
pub(crate) const KEY: &str = "/:key";

/// All deployments of the comparison.
pub(crate) fn deploys() -> Vec<Deploy> {
    vec![
        release("icon font release", include_str!("../../tests/data/trees/icon-font-release.json")),
        release("math renderer release", include_str!("../../tests/data/trees/math-renderer-release.json")),
        blog(),
        Deploy { name: "the same blog with `/:page`", forms: "/:page", ..blog() },
        assets(),
        photos(),
        folders(),
    ]
}

/// Eight hex digits that look like a hash of `seed`.
fn hash(seed: usize) -> String {
    format!("{:08x}", (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32)
}

/// A blog where every page is a directory: this year's posts and all list pages are rewritten.
fn blog() -> Deploy {
    let mut changed = vec!["index.html".to_owned(), "index.xml".to_owned(), "sitemap.xml".to_owned()];
    let mut unchanged = vec!["about/index.html".to_owned(), "404.html".to_owned(), "css/site.css".to_owned()];
    for year in 2016..=2026 {
        for post in 0..40 {
            let page = format!("posts/{year}/{}-{post}/index.html", ["on", "why", "how", "notes"][post % 4]);
            if year == 2026 { changed.push(page) } else { unchanged.push(page) }
        }
    }
    changed.extend((1..=44).map(|page| format!("posts/page/{page}/index.html")));
    changed.extend((0..60).map(|tag| format!("tags/tag-{tag}/index.html")));
    unchanged.extend((0..200).map(|image| format!("images/{}/{image}.jpg", 2016 + image % 11)));
    Deploy { name: "blog, this year's posts", forms: KEY, changed, unchanged }
}

/// A web application with hashes in its file names: half of the chunks are new, and their old files are removed.
fn assets() -> Deploy {
    let mut changed = vec!["index.html".to_owned(), "asset-manifest.json".to_owned()];
    let mut unchanged: Vec<_> = (0..60).map(|n| format!("static/media/icon-{n}.{}.svg", hash(n + 5000))).collect();
    for chunk in 0..120 {
        for (kind, seed) in [("js", 0), ("css", 1000)] {
            let name = |seed| format!("static/{kind}/{chunk}.{}.chunk.{kind}", hash(seed));
            if chunk % 2 == 0 {
                changed.extend([name(chunk + seed), name(chunk + seed + 500)]);
            } else {
                unchanged.push(name(chunk + seed));
            }
        }
    }
    Deploy { name: "hashed assets, half new", forms: KEY, changed, unchanged }
}

/// A photo archive by date: two months were edited again, and some days of another month.
fn photos() -> Deploy {
    let mut changed = Vec::new();
    let mut unchanged = Vec::new();
    for year in 2022..=2025 {
        for month in 1..=12 {
            for day in 1..=28 {
                let again =
                    (year == 2024 && (month == 5 || month == 6)) || (year == 2025 && month == 3 && day % 9 == 0);
                for photo in 0..3 {
                    let key = format!("photos/{year}/{month:02}/{day:02}/IMG_{:04}.jpg", day * 31 + photo * 7);
                    if again { changed.push(key) } else { unchanged.push(key) }
                }
            }
        }
    }
    Deploy { name: "photos by date, two months", forms: KEY, changed, unchanged }
}

/// 1,000 changed files in 40 top-level folders, with as many unchanged files beside them.
fn folders() -> Deploy {
    let key = |n: usize, what: &str| {
        format!(
            "{}/{what}-{}.html",
            ["north", "south", "east", "west"][n % 4].to_owned() + &(n % 40).to_string(),
            n / 40
        )
    };
    Deploy {
        name: "1,000 files in 40 folders",
        forms: KEY,
        changed: (0..1000).map(|n| key(n, "changed")).collect(),
        unchanged: (0..1000).map(|n| key(n, "kept")).collect(),
    }
}
