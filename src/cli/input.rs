//! Reads the files that options name, and standard input for `-`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};

use super::keys::InputError;
use crate::change::{BucketName, NameError};

/// A combination of options that cannot work. The exit status is then 2, as for options that clap rejects.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// Parses a bucket's name, or its address as in the AWS CLI, such as `s3://my-site`.
///
/// # Errors
/// [`NameError`] if it is neither.
pub(super) fn bucket(text: &str) -> Result<BucketName, NameError> {
    let name = text.strip_prefix("s3://").map(|name| name.strip_suffix('/').unwrap_or(name));
    BucketName::new(name.unwrap_or(text))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_name_or_an_address() {
        let name = |text| bucket(text).map(|it| it.to_string()).ok();
        for text in ["my-site", "s3://my-site", "s3://my-site/"] {
            assert_eq!(name(text).as_deref(), Some("my-site"), "{text}");
        }
        for text in ["my-site/", "s3://", "s3://my-site/web", "s3:my-site"] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
