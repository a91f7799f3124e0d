//! Reads keys that are separated: one on each line, or with a NUL character after each.

use super::error::InputError;
use super::foreign;
use super::list::{Entry, Format, KeyList};
use super::text::{is_utf16, lines, utf16};
use crate::change::ObjectKey;

/// How to read the lines.
#[derive(Clone, Debug, Default)]
pub struct LineOptions {
    /// Whether each name is a key, whatever it looks like.
    pub literal: bool,
    /// The prefix of the names that are keys without it. Names outside it are not in the bucket.
    pub strip_prefix: Option<String>,
}

impl LineOptions {
    /// A name without the prefix, if it has it.
    fn stripped<'n>(&self, name: &'n str) -> &'n str {
        self.strip_prefix.as_deref().and_then(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
    }
}

/// Reads a key on each line, which git may have quoted.
///
/// # Errors
/// [`InputError`] for a line that is not certainly a key.
pub fn read_lines(text: &str, options: &LineOptions) -> Result<KeyList, InputError> {
    if is_utf16(text) {
        return Err(utf16());
    }
    if text.contains('\0') {
        return Err(InputError::whole("the input has NUL characters between its names", "add -z"));
    }
    let mut list = KeyList::new(Format::Lines, Vec::new());
    for (number, line) in lines(text) {
        let unquoted;
        let mut name = line;
        if !options.literal {
            if line.starts_with('"') {
                unquoted = foreign::quoted(line).map_err(|error| error.in_line(number))?;
                name = &unquoted;
            } else {
                foreign::refuse_line(options.stripped(line)).map_err(|error| error.in_line(number))?;
            }
        }
        add(&mut list, name, options, |error| {
            InputError::at(number, error, "an empty line separates nothing, and a key is at most 1,024 bytes long")
        })?;
    }
    Ok(list)
}

/// Reads names with a NUL character after each, as `git diff -z`, `find -print0` and `find -printf '%P\0'` write them.
///
/// # Errors
/// [`InputError`] if the last name may be cut off, or a name is not certainly a key.
pub fn read_null_separated(text: &str, options: &LineOptions) -> Result<KeyList, InputError> {
    let mut list = KeyList::new(Format::Null, Vec::new());
    if text.is_empty() {
        return Ok(list);
    }
    if !options.literal && is_utf16(text) {
        let error = utf16();
        let remedy = format!("{}; if its names are keys of one character, add --lines", error.remedy);
        return Err(InputError { remedy, ..error });
    }
    let Some(names) = text.strip_suffix('\0') else {
        let problem = if text.contains('\0') {
            "the last name has no NUL character after it, so it may be cut off"
        } else {
            "there is no NUL character in the input"
        };
        let remedy = "remove -z if the names are on lines, or use the whole output of a command such as `git diff -z`";
        return Err(InputError::whole(problem, remedy));
    };
    for (number, name) in (1..).zip(names.split('\0')) {
        if !options.literal {
            let first = if number == 1 { foreign::refuse_first(name) } else { Ok(()) };
            first.and_then(|()| foreign::refuse(options.stripped(name))).map_err(|error| error.in_name(number))?;
        }
        add(&mut list, name, options, |error| {
            InputError::whole(error, "end each name with one NUL character").in_name(number)
        })?;
    }
    Ok(list)
}

/// Adds a key, or counts a name that is outside the prefix.
fn add(
    list: &mut KeyList,
    name: &str,
    options: &LineOptions,
    error: impl Fn(String) -> InputError,
) -> Result<(), InputError> {
    let Some(key) = name.strip_prefix(options.strip_prefix.as_deref().unwrap_or_default()) else {
        list.outside += 1;
        return Ok(());
    };
    list.entries.push(Entry::from(ObjectKey::new(key).map_err(|it| error(it.to_string()))?));
    Ok(())
}
