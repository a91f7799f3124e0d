//! What `invalidate` prints if it could not invalidate all changes of a list: the command that makes up for it.
//!
//! A deploy script pipes the output of `aws s3 sync` into the command. The upload is done by then, and a second run of it
//! prints nothing, so the keys would be lost with the error.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, anyhow, bail};

use super::keys::{Entry, Owner, json};
use super::link::quoted;
use super::terminal::note;
use crate::change::text::{counted, json_line, one_line};
use crate::change::{BucketName, ObjectKey};

/// The longest list of keys that is printed, in bytes. A terminal and a CI log show no more in a usable way.
const MAX_PRINTED_BYTES: usize = 16 * 1024;

/// The input that invalidates everything.
const EVERYTHING: &str = "--paths '/*'";

/// The changes of a list that were not invalidated yet.
#[derive(Default)]
pub(super) struct Unsent {
    /// The keys that were read.
    pub(super) entries: Vec<Entry>,
    /// The keys of lines that are not certain, as far as they can be read.
    pub(super) uncertain: Vec<Entry>,
    /// Whether the list could not be read.
    pub(super) is_unreadable: bool,
    /// The buckets that an unreadable list names.
    pub(super) buckets: Vec<BucketName>,
}

/// Saves or prints what was not invalidated. `command` returns the command for a bucket with an input.
pub(super) fn advise(unsent: &Unsent, command: impl Fn(Option<&BucketName>, &str) -> String, save: Option<&Path>) {
    if unsent.is_unreadable {
        note(
            "Nothing of the input was invalidated. After an upload, this invalidates everything, for the price of one path:",
        );
        if unsent.buckets.is_empty() {
            note(command(None, EVERYTHING));
        }
        for bucket in &unsent.buckets {
            note(command(Some(bucket), EVERYTHING));
        }
        return;
    }
    let mut keys: BTreeMap<Option<&Owner>, Vec<&ObjectKey>> = BTreeMap::new();
    for entry in unsent.entries.iter().chain(&unsent.uncertain) {
        keys.entry(entry.owner.as_ref()).or_default().push(&entry.key);
    }
    let is_one = keys.len() == 1;
    for (owner, mut keys) in keys {
        keys.sort();
        keys.dedup();
        let bucket = match owner {
            Some(Owner::Bucket(name)) => BucketName::new(name).ok(),
            _ => None,
        };
        let command = |input: &str| command(bucket.as_ref(), input);
        let count = counted(keys.len(), "key");
        if let Some(file) = save {
            let saved = if is_one { add_to(file, &keys) } else { Err(anyhow!("they are of several buckets")) };
            match saved {
                Ok(()) => {
                    let name = one_line(&quoted(&file.to_string_lossy()));
                    let command = command(&format!("--keys {name}"));
                    note(format_args!("Saved {count} in {name}. See the error below, then run:\n{command}"));
                    continue;
                }
                Err(error) => note(format_args!("Cannot save the keys: {}", one_line(&format!("{error:#}")))),
            }
        }
        let list = json_line(&serde_json::to_string(&keys).unwrap_or_default());
        if list.len() > MAX_PRINTED_BYTES {
            note(format_args!(
                "{count} not invalidated. See the error below; this invalidates everything, for the price of one path (with \
                 --save FILE, the command keeps the keys):\n{}",
                command(EVERYTHING)
            ));
        } else {
            note(format_args!(
                "{count} not invalidated. See the error below, then run:\n{} <<'KEYS'\n{list}\nKEYS",
                command("--keys -")
            ));
        }
    }
}

/// Adds keys to the JSON array in a file. Those of an earlier run stay, since they were not invalidated either.
fn add_to(file: &Path, keys: &[&ObjectKey]) -> anyhow::Result<()> {
    let name = || file.display().to_string();
    let earlier = match fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => Vec::new(),
        Ok(text) => match json::read(&text) {
            Some(Ok(list)) => list.entries,
            _ => bail!("{} has other content than a JSON array of keys; name another file with --save", name()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", name())),
    };
    let mut all: Vec<_> = earlier.iter().map(|entry| &entry.key).chain(keys.iter().copied()).collect();
    all.sort();
    all.dedup();
    let list = json_line(&serde_json::to_string(&all)?);
    fs::write(file, list + "\n").with_context(|| format!("cannot write {}", name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_added_to_those_of_an_earlier_run() {
        let file = std::env::temp_dir().join(format!("saved-{}.json", std::process::id()));
        let keys = ["a\nb", "ü", "z"].map(|key| ObjectKey::new(key).unwrap());
        let [first, second, third] = &keys;
        add_to(&file, &[third, first]).unwrap();
        add_to(&file, &[second, first]).unwrap();
        let read = json::read(&fs::read_to_string(&file).unwrap()).unwrap().unwrap();
        assert_eq!(
            read.entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>(),
            [first.clone(), third.clone(), second.clone()]
        );
        fs::write(&file, "notes").unwrap();
        assert!(add_to(&file, &[first]).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "notes");
        fs::remove_file(&file).unwrap();
    }
}
