//! Whether a key that was read from a list occurs whole in it, in one of the forms that lists have. Independent of the
//! readers.

/// The key in C's double quotes as git writes it, with or without escapes of what is not ASCII.
fn git_quoted(key: &str, is_ascii_only: bool) -> String {
    let mut quoted = Vec::from(*b"\"");
    for byte in key.bytes() {
        match byte {
            7 => quoted.extend(*b"\\a"),
            8 => quoted.extend(*b"\\b"),
            9 => quoted.extend(*b"\\t"),
            10 => quoted.extend(*b"\\n"),
            11 => quoted.extend(*b"\\v"),
            12 => quoted.extend(*b"\\f"),
            13 => quoted.extend(*b"\\r"),
            b'"' | b'\\' => quoted.extend([b'\\', byte]),
            0..0x20 | 0x7f => quoted.extend(format!("\\{byte:03o}").bytes()),
            0x80.. if is_ascii_only => quoted.extend(format!("\\{byte:03o}").bytes()),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'"');
    String::from_utf8(quoted).unwrap()
}

/// Whether `key` occurs whole in the list: between line breaks, NUL characters, or the words and spaces that the AWS CLI
/// writes around it; as git quotes it; or as a string of JSON.
pub(crate) fn occurs_whole(input: &str, key: &str) -> bool {
    let is_before = |before: &str| before.is_empty() || before.ends_with(['\n', '\0', '\u{feff}', '/', ' ']);
    let is_after = |after: &str| {
        let after = after.trim_start_matches(' ');
        after.is_empty() || after.starts_with(['\n', '\r', '\0']) || after.starts_with("to ")
    };
    // Occurrences may overlap.
    let mut from = 0;
    let mut is_raw = false;
    while let Some(at) = input[from..].find(key).map(|at| from + at).filter(|_| !is_raw) {
        is_raw = is_before(&input[..at]) && is_after(&input[at + key.len()..]);
        from = at + input[at..].chars().next().map_or(1, char::len_utf8);
    }
    let is_quoted = || [true, false].map(|it| git_quoted(key, it)).iter().any(|quoted| input.contains(quoted));
    is_raw || is_quoted() || in_json(input.trim_start_matches('\u{feff}'), key)
}

/// Whether the document is JSON and has the key as a string.
fn in_json(input: &str, key: &str) -> bool {
    fn has(value: &serde_json::Value, key: &str) -> bool {
        match value {
            serde_json::Value::String(text) => text == key,
            serde_json::Value::Array(items) => items.iter().any(|item| has(item, key)),
            _ => false,
        }
    }
    serde_json::from_str(input).is_ok_and(|document| has(&document, key))
}
