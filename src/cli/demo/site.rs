//! The content of the bucket and what a deploy changed in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::change::ObjectKey;
use crate::cli::input;
use crate::cli::keys::{self, LineOptions};

/// The bucket.
pub(super) const BUCKET: &str = "demo-site";

/// The distribution that its tag names.
pub(super) const DISTRIBUTION: &str = "E2DEMOEXAMPLE";

/// The function's queue.
pub(super) const QUEUE: &str = "changes";

/// The maximum number of files. More would only make the demo slower.
const MAX_FILES: usize = 100_000;

/// A bucket after a deploy.
#[derive(Debug, Default)]
pub(super) struct Site {
    /// What it is, for the heading.
    pub(super) name: String,
    /// The keys of its objects.
    pub(super) keys: BTreeSet<ObjectKey>,
    /// The keys that the deploy created, overwrote or deleted. Deleted ones are not in `keys`.
    pub(super) changed: BTreeSet<ObjectKey>,
    /// Files whose names are not valid keys.
    pub(super) skipped: Vec<PathBuf>,
}

impl Site {
    /// Reads the names of all files below `directory`. Symbolic links are not followed. Without a list of keys in
    /// `changed`, all of them changed.
    ///
    /// # Errors
    /// If a directory or the list cannot be read, or if there are no files, no changed keys, or more than [`MAX_FILES`].
    pub(super) fn read(directory: &Path, changed: Option<&Path>) -> anyhow::Result<Self> {
        let mut site = Self { name: directory.display().to_string(), ..Self::default() };
        let mut directories = vec![directory.to_owned()];
        while let Some(next) = directories.pop() {
            for entry in next.read_dir().with_context(|| format!("cannot read the directory {}", next.display()))? {
                let entry = entry.with_context(|| format!("cannot read the directory {}", next.display()))?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    directories.push(entry.path());
                } else if kind.is_file() {
                    site.add(directory, entry.path());
                }
            }
            if site.keys.len() > MAX_FILES {
                bail!("{} has more than {MAX_FILES} files; choose a smaller directory", directory.display());
            }
        }
        if site.keys.is_empty() {
            bail!("{} has no files; choose another directory", directory.display());
        }
        site.changed = match changed {
            Some(file) => read_changed(file)?,
            None => site.keys.clone(),
        };
        Ok(site)
    }

    fn add(&mut self, directory: &Path, file: PathBuf) {
        let name = file.strip_prefix(directory).ok().and_then(Path::to_str);
        let key = name.map(|name| name.replace(std::path::MAIN_SEPARATOR, "/"));
        match key.as_deref().map(ObjectKey::new) {
            Some(Ok(key)) => drop(self.keys.insert(key)),
            _ => self.skipped.push(file),
        }
    }

    /// The keys of the objects that the deploy left alone.
    pub(super) fn unchanged(&self) -> impl Iterator<Item = &ObjectKey> {
        self.keys.difference(&self.changed)
    }

    /// Returns a site of documentation pages, blog posts, images and assets, and what a release of it changes: a
    /// section, one page of each other section, a post with its images, assets and downloads.
    ///
    /// # Errors
    /// None: the keys are valid.
    pub(super) fn example() -> anyhow::Result<Self> {
        const SECTIONS: [&str; 10] =
            ["api", "caching", "cli", "concepts", "deploy", "faq", "guides", "install", "security", "upgrade"];
        const PAGES: [&str; 12] = [
            "alarms", "errors", "events", "examples", "limits", "logging", "metrics", "overview", "policies",
            "retries", "roles", "settings",
        ];
        let (mut kept, mut changed, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
        let text = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        changed.extend(text(&["index.html", "feed.xml", "sitemap.xml", "blog/index.html"]));
        kept.extend(text(&["404.html", "favicon.ico", "robots.txt", "über/index.html"]));
        for section in SECTIONS {
            let list = if section == "api" { &mut changed } else { &mut kept };
            list.push(format!("docs/{section}/index.html"));
            for page in PAGES {
                let list = if section == "api" || page == "settings" { &mut changed } else { &mut kept };
                list.push(format!("docs/{section}/{page}/index.html"));
            }
        }
        for (year, month) in (2021..=2026).flat_map(|year| (1..=12).map(move |month| (year, month))) {
            let list = if (year, month) == (2026, 12) { &mut changed } else { &mut kept };
            list.push(format!("blog/{year}/{month:02}/index.html"));
            list.extend((1..=4).map(|number| format!("images/{year}/{month:02}-{number}.jpg")));
        }
        for name in ["app", "search"] {
            changed.push(format!("assets/{name}.3f9c1a.js"));
            deleted.push(format!("assets/{name}.91b02e.js"));
        }
        kept.extend(["regular", "bold", "italic"].map(|it| format!("fonts/{it}.woff2")));
        for minor in 0..=9 {
            let list = if minor == 9 { &mut changed } else { &mut kept };
            list.extend(["linux", "macos"].map(|system| format!("downloads/tool-1.{minor}.0+{system}.zip")));
        }
        for number in 1..=8 {
            let list = if number == 3 { &mut changed } else { &mut kept };
            list.push(format!("press/red flower {number}.jpg"));
        }
        let keys = |names: &[&[String]]| names.concat().iter().map(|it| ObjectKey::new(it)).collect::<Result<_, _>>();
        Ok(Self {
            name: "a generated example".to_owned(),
            keys: keys(&[&kept, &changed])?,
            changed: keys(&[&changed, &deleted])?,
            skipped: Vec::new(),
        })
    }
}

/// Reads a list of changed keys, in the formats that `plan --keys` reads.
fn read_changed(file: &Path) -> anyhow::Result<BTreeSet<ObjectKey>> {
    let read = || {
        let list = keys::read(&input::read(file)?, false, &LineOptions::default())?;
        if let Some(line) = list.uncertain.first() {
            bail!("line {}: {}", line.line, line.reason);
        }
        let keys: BTreeSet<_> = list.entries.into_iter().map(|entry| entry.key).collect();
        if keys.is_empty() {
            bail!("the list names no keys; leave out --changed if every file changed");
        }
        Ok(keys)
    };
    read().with_context(|| input::name(file))
}
