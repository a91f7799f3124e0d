//! From bytes to text and lines, for all readers.

use super::error::InputError;

/// The text of an input, without a byte order mark. Some editors write one, and it is not part of a key.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, InputError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(_) if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => Err(utf16()),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            Err(InputError::at(line, "the input is not UTF-8, which keys in S3 are", "save it as UTF-8"))
        }
    }
}

/// The error for UTF-16.
pub(crate) fn utf16() -> InputError {
    InputError::whole(
        "the input is UTF-16 and not UTF-8, as written by > in Windows PowerShell",
        "save it as UTF-8, in PowerShell with `| Out-File -Encoding utf8`",
    )
}

/// Whether a text without a byte order mark is UTF-16, in which a byte of each ASCII character is NUL. Only names of one
/// character with a NUL character after each look so too.
pub(crate) fn is_utf16(text: &str) -> bool {
    let all_null = |from: usize| text.bytes().skip(from).step_by(2).all(|byte| byte == 0);
    text.len() >= 4 && text.len().is_multiple_of(2) && (all_null(0) || all_null(1) || text.contains("\0\n\0"))
}

/// The non-empty lines with their numbers, from 1. A key may start or end with a space, so nothing is trimmed.
///
/// A carriage return belongs to the line break only if every line break has one, as on Windows. Otherwise it may be part
/// of a key, or of the AWS CLI's progress.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    let breaks = text.matches('\n').count();
    let is_windows = breaks > 0 && breaks == text.matches("\r\n").count();
    let line = move |line: &'_ str| -> usize { line.len() - usize::from(is_windows && line.ends_with('\r')) };
    (1..)
        .zip(text.split('\n'))
        .map(move |(number, it)| (number, it.get(..line(it)).unwrap_or(it)))
        .filter(|(_, it)| !it.is_empty())
}
