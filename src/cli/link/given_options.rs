//! The options that a command was given, for the commands in its remedies.

use crate::change::BucketName;

/// The options that select the function, the credentials, the Region and the endpoint, as they were given. A remedy that
/// names a command repeats them, so that the command finds the same function and the same account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenOptions {
    /// `--stack` or `--function`, which only `invalidator` has.
    pub function: Vec<(&'static str, String)>,
    /// `--profile`, `--region` and `--endpoint-url`, which the AWS CLI has too.
    pub aws: Vec<(&'static str, String)>,
    /// The bucket, if the command was given one.
    pub bucket: Option<BucketName>,
}

impl GivenOptions {
    /// Returns the command that unlinks the bucket from a function that no longer exists.
    pub(super) fn forced_unlink(&self) -> String {
        let bucket = self.bucket.as_ref().map_or("BUCKET", BucketName::as_str);
        self.invalidator_for(&["unlink", bucket, "--force"])
    }

    /// Returns the command of `invalidator` with these words and the options, in backticks.
    #[must_use]
    pub fn invalidator(&self, words: &[&str]) -> String {
        command("invalidator", words, self.function.iter().chain(&self.aws))
    }

    /// Returns the same for another function than the given one, which the words select.
    pub(super) fn invalidator_for(&self, words: &[&str]) -> String {
        command("invalidator", words, self.aws.iter())
    }

    /// Returns the command of the AWS CLI for an operation, such as `sqs list-queues`, with these words and the options,
    /// in backticks.
    pub(super) fn aws(&self, operation: &str, words: &[&str]) -> String {
        command(&format!("aws {operation}"), words, self.aws.iter())
    }
}

fn command<'a>(program: &str, words: &[&str], options: impl Iterator<Item = &'a (&'static str, String)>) -> String {
    let words = words.iter().map(|word| quoted(word));
    let options = options.map(|(option, value)| format!("{option} {}", quoted(value)));
    let all: Vec<_> = std::iter::once(program.to_owned()).chain(words).chain(options).collect();
    format!("`{}`", all.join(" "))
}

/// A word of a command for a POSIX shell.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && word.bytes().all(|it| it.is_ascii_alphanumeric() || b"_./:=@%+,-".contains(&it));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        assert_eq!(quoted("my-site.example.com"), "my-site.example.com");
        assert_eq!(quoted("a b'c$(d)"), r"'a b'\''c$(d)'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_command_repeats_the_options() {
        let given = GivenOptions {
            function: vec![("--stack", "two".to_owned())],
            aws: vec![("--profile", "my team".to_owned()), ("--region", "eu-west-1".to_owned())],
            bucket: None,
        };
        assert_eq!(
            given.invalidator(&["unlink", "my-site"]),
            "`invalidator unlink my-site --stack two --profile 'my team' --region eu-west-1`"
        );
        assert_eq!(given.aws("s3 ls", &[]), "`aws s3 ls --profile 'my team' --region eu-west-1`");
        assert_eq!(GivenOptions::default().invalidator(&["status"]), "`invalidator status`");
    }
}
