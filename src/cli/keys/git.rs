//! Reads names as git quotes them: in double quotes, with C's escapes.
//!
//! Git quotes a name only if a character in it needs an escape: a control character, a double quote, a backslash, or,
//! unless `core.quotePath` is off, a byte of a character that is not ASCII. Source: git's `quote.c` and
//! <https://git-scm.com/docs/git-config#Documentation/git-config.txt-corequotePath>.

/// Returns the name that git quoted as `quoted`.
///
/// # Errors
/// What is wrong. A text in double quotes that git would not have quoted is refused, because it is the name itself or of
/// another program.
pub fn unquote(quoted: &str) -> Result<String, &'static str> {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(UNCLOSED)?;
    let mut name = Vec::new();
    let mut has_escape = false;
    let (mut has_plain, mut has_octal) = (false, false);
    let mut bytes = inner.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return Err("has a double quote inside a quoted name"),
            0..0x20 | 0x7f => return Err("has a control character inside a quoted name"),
            b'\\' => {
                has_escape = true;
                let byte = escaped(&mut bytes).ok_or("has an escape that git does not write")?;
                has_octal |= !byte.is_ascii();
                name.push(byte);
            }
            _ => {
                has_plain |= !byte.is_ascii();
                name.push(byte);
            }
        }
    }
    if has_plain && has_octal {
        return Err("escapes some characters that are not ASCII and others not, which git does not do");
    }
    if !has_escape {
        return Err("has double quotes around it, which git writes only around names with escapes");
    }
    String::from_utf8(name).map_err(|_| "quotes a name that is not UTF-8, which keys in S3 are")
}

const UNCLOSED: &str = "begins with a double quote and does not end with one";

/// The byte that an escape stands for, after its backslash. A byte has one escape: the short one if there is one.
fn escaped(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    Some(match bytes.next()? {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        b'"' => b'"',
        b'\\' => b'\\',
        first @ b'0'..=b'3' => {
            let octal = |byte: u8| (b'0'..=b'7').contains(&byte).then(|| byte - b'0');
            let (second, third) = (octal(bytes.next()?)?, octal(bytes.next()?)?);
            let byte = (first - b'0') * 64 + second * 8 + third;
            let needs_octal = matches!(byte, 0..7 | 14..0x20 | 0x7f..);
            return needs_octal.then_some(byte);
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_names_are_those_that_git_quoted() {
        for (quoted, name) in [
            (r#""men\303\272/caf\303\251.html""#, "menú/café.html"),
            (r#""docs/\303\274.md""#, "docs/ü.md"),
            (r#""\351\203\221/index.md""#, "郑/index.md"),
            (r#""my_other_file_\342\230\240""#, "my_other_file_☠"),
            (r#""a\tb\n\"c\"\\d""#, "a\tb\n\"c\"\\d"),
            (r#""ü\t""#, "ü\t"),
            (r#""\001\177""#, "\u{1}\u{7f}"),
        ] {
            assert_eq!(unquote(quoted).as_deref(), Ok(name), "{quoted}");
        }
    }

    #[test]
    fn what_git_does_not_write_is_refused() {
        for quoted in [
            r#""a.html""#,
            r#""a b.html""#,
            r#"""#,
            r#""""#,
            r#""a\303"#,
            r#""a\303""#,
            r#""\u00e9.html""#,
            r#""\11""#,
            r#""\011""#,
            r#""\141""#,
            r#""\400""#,
            r#""a\""#,
            r#""é\303\251""#,
            r#""my-site","a\\b","12""#,
            "\"a\u{1}\\n\"",
        ] {
            assert!(unquote(quoted).is_err(), "{quoted}");
        }
    }
}
