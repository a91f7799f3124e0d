//! Reads the files that options name, and standard input for `-`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};

use super::keys::InputError;

/// A combination of options that cannot work. The exit status is then 2, as for options that clap rejects.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// Reads a file, or standard input for `-`.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    if file == Path::new("-") {
        io::stdin().read_to_end(&mut content).context("cannot read standard input")?;
    } else {
        content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(content)
}

/// Reads a UTF-8 file, without a byte order mark.
pub(super) fn read_text(file: &Path) -> anyhow::Result<String> {
    let content = read(file)?;
    match super::keys::text(&content) {
        Ok(text) => Ok(text.to_owned()),
        Err(InputError { problem, remedy, .. }) => bail!("{}: {problem}; {remedy}", name(file)),
    }
}

/// The name of a file in messages.
pub(super) fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}
