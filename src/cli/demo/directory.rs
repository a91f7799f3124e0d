//! A local directory as the content of a bucket.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::change::ObjectKey;

/// The maximum number of files. More would only make the demo slower.
const MAX_FILES: usize = 100_000;

/// The objects that an upload of a directory creates.
#[derive(Debug, Default)]
pub(super) struct SiteDirectory {
    /// Their keys, sorted.
    pub(super) keys: Vec<ObjectKey>,
    /// Files whose names are not valid keys.
    pub(super) skipped: Vec<PathBuf>,
}

impl SiteDirectory {
    /// Reads the names of all files below `directory`. Symbolic links are not followed.
    ///
    /// # Errors
    /// If a directory cannot be read, or if there are no files or more than [`MAX_FILES`].
    pub(super) fn read(directory: &Path) -> anyhow::Result<Self> {
        let mut site = Self::default();
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
        site.keys.sort();
        Ok(site)
    }

    fn add(&mut self, directory: &Path, file: PathBuf) {
        let name = file.strip_prefix(directory).ok().and_then(Path::to_str);
        let key = name.map(|name| name.replace(std::path::MAIN_SEPARATOR, "/"));
        match key.as_deref().map(ObjectKey::new) {
            Some(Ok(key)) => self.keys.push(key),
            _ => self.skipped.push(file),
        }
    }
}
