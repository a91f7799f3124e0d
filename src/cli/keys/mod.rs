//! Lists of keys, in the formats that git, the AWS CLI and people write them. Every other format is refused by name, with
//! the command to type; nothing is taken for something else.
//!
//! Each reader is a function from text to keys, without files and AWS. [`read`] finds the one for an input.

mod address;
pub mod aws_cli;
mod error;
mod foreign;
pub mod git;
pub mod json;
pub mod lines;
mod list;
pub mod listing;
mod text;

pub use error::InputError;
pub use lines::LineOptions;
pub use list::{Entry, Format, KeyList, Owner, UncertainLine};
pub(super) use text::text;

/// Reads a list of keys. Only a whole document is of another format than lines. With `null_separated` or
/// [`LineOptions::literal`] no format is looked for.
///
/// # Errors
/// [`InputError`] if the input is not certainly a list of keys.
pub fn read(input: &[u8], null_separated: bool, options: &LineOptions) -> Result<KeyList, InputError> {
    let text = text(input)?;
    if null_separated {
        return lines::read_null_separated(text, options);
    }
    if options.literal {
        return lines::read_lines(text, options);
    }
    let document = json::read(text).or_else(|| aws_cli::read(text)).or_else(|| listing::read(text));
    match (document, &options.strip_prefix) {
        (Some(Ok(_)), Some(_)) => Err(InputError::whole(
            "the input has keys already, and --strip-prefix is for the names of files",
            "remove --strip-prefix",
        )),
        (Some(list), _) => list,
        (None, _) => lines::read_lines(text, options),
    }
}

/// Reads the output of `aws s3 sync`, `cp`, `mv`, `rm`, or of `aws s3 ls --recursive`. An empty input names no keys.
///
/// # Errors
/// [`InputError`] for everything else, by name.
pub fn read_aws_output(input: &[u8]) -> Result<KeyList, InputError> {
    let list = read(input, false, &LineOptions::default());
    let not = |error: InputError| {
        let error = error.without_lines();
        InputError { problem: format!("not the output of `aws s3 sync`: {}", error.problem), ..error }
    };
    match list {
        Ok(list) if matches!(list.format, Format::AwsOutput | Format::Listing) || list.entries.is_empty() => Ok(list),
        Ok(_) => Err(InputError::whole(
            "not the output of `aws s3 sync`, `cp`, `mv` or `rm`, or of `aws s3 ls --recursive`",
            "name a list of keys with --keys",
        )),
        Err(error) if text(input).is_ok_and(|text| aws_cli::read(text).or_else(|| listing::read(text)).is_none()) => {
            Err(not(error))
        }
        Err(error) => Err(error),
    }
}
