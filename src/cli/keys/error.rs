//! The error of every reader of key lists: what is wrong, where, and what to do instead.

/// Why a list of keys cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}; {remedy}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct InputError {
    /// The line, from 1; `None` for the whole input.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do, with the command to type where there is one.
    pub remedy: String,
}

impl InputError {
    /// An error about the whole input.
    pub(crate) fn whole(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { line: None, problem: problem.into(), remedy: remedy.into() }
    }

    /// An error about one line, from 1.
    pub(crate) fn at(line: usize, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::whole(problem, remedy).in_line(line)
    }

    /// The error, in a line, from 1.
    pub(crate) fn in_line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    /// The error, in a name that ends with a NUL character, from 1. Such a name may have line breaks.
    pub(crate) fn in_name(self, number: usize) -> Self {
        Self { problem: format!("name {number}: {}", self.problem), ..self }
    }
}

impl InputError {
    /// The error where the option `--lines` does not exist.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        if let Some(remedy) = self.remedy.strip_suffix(IF_A_KEY) {
            self.remedy = remedy.trim_end_matches("; ").to_owned();
        }
        if self.remedy.is_empty() {
            "use a JSON array of the keys".clone_into(&mut self.remedy);
        }
        self
    }
}

/// The remedy for a line that has another meaning than that of a key, if it is a key nevertheless.
pub(crate) const IF_A_KEY: &str = "if it is a key, add --lines";

/// The command whose output has only keys.
pub(crate) const KEYS_COMMAND: &str =
    "aws s3api list-objects-v2 --bucket my-site --query 'Contents[].Key' --output json";

/// The remedy for output of s5cmd. Its JSON has all names.
pub(crate) const KEYS_OF_S5CMD: &str = "make a JSON array of its keys: `s5cmd --json sync site/ s3://my-site/ | jq -s \
    '[.[] | (.destination // .source) | sub(\"^s3://[^/]+/\"; \"\")]' | invalidator invalidate --bucket my-site --keys -`";
