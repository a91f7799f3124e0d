//! Writes JSON text with the freedom that JSON leaves: any order of fields, unknown fields, whitespace and escapes.

use std::fmt::Write;

/// Field names that do not identify a kind of event; one is listed twice. Those of a direct invocation do not count
/// where another kind is identified.
const UNKNOWN_NAMES: [&str; 9] =
    ["inventedLater", "inventedLater", "version", "records", "key1", "items", "waitSeconds", "é \"\n", ""];

/// Values that are never read, so that none can be wrong.
const UNKNOWN_VALUES: [&str; 10] = [
    "null",
    "-0",
    "1e999",
    "\"\\ud800\"",
    "\"aws:sqs\"",
    "[[[[{}]]]]",
    "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"EventSource\":\"aws:sns\"}]}",
    "{\"Type\":\"Notification\",\"Message\":\"{}\"}",
    "{\"a\":1,\"a\":2}",
    "\"{\\\"Event\\\":\\\"s3:TestEvent\\\"}\"",
];

/// Writes as plainly as possible, or with random variations.
pub(super) struct Writer {
    chance: Option<u64>,
}

impl Writer {
    pub(super) fn plain() -> Self {
        Self { chance: None }
    }

    pub(super) fn by_chance(seed: u64) -> Self {
        Self { chance: Some(seed) }
    }

    /// A random number below `bound`; 0 for a plain writer. Source: Steele, Lea, Flood, "Fast splittable pseudorandom
    /// number generators".
    fn below(&mut self, bound: usize) -> usize {
        let Some(state) = &mut self.chance else { return 0 };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// True once in `bound` times on average; never for a plain writer.
    fn one_in(&mut self, bound: usize) -> bool {
        self.chance.is_some() && self.below(bound) == 0
    }

    fn space(&mut self) -> &'static str {
        [" ", "\n", "\t\r\n", "", "", "", "", ""][if self.chance.is_some() { self.below(8) } else { 7 }]
    }

    pub(super) fn string(&mut self, text: &str) -> String {
        let mut written = String::from("\"");
        for character in text.chars() {
            if self.one_in(50) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(written, "\\u{unit:04x}").unwrap();
                }
            } else {
                let quoted = serde_json::to_string(&character).unwrap();
                written += &quoted[1..quoted.len() - 1];
            }
        }
        written + "\""
    }

    pub(super) fn array(&mut self, items: &[String]) -> String {
        let items: Vec<_> = items.iter().map(|item| format!("{}{item}{}", self.space(), self.space())).collect();
        format!("[{}]", items.join(","))
    }

    /// An object with these fields. Their values are JSON text already.
    pub(super) fn object(&mut self, fields: &[(&str, String)]) -> String {
        let mut fields = fields.to_vec();
        while self.one_in(2) {
            let name = UNKNOWN_NAMES[self.below(UNKNOWN_NAMES.len())];
            fields.push((name, UNKNOWN_VALUES[self.below(UNKNOWN_VALUES.len())].to_owned()));
        }
        if self.chance.is_some() {
            for last in (1..fields.len()).rev() {
                fields.swap(last, self.below(last + 1));
            }
        }
        let field = |(name, value): &(&str, String)| {
            format!("{}{}{}:{}{value}{}", self.space(), self.string(name), self.space(), self.space(), self.space())
        };
        let fields: Vec<_> = fields.iter().map(field).collect();
        format!("{{{}}}", fields.join(","))
    }
}
