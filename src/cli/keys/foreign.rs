//! What people take for a list of keys and is none: outputs of other programs, each refused by name and with the command
//! whose output is one.
//!
//! The list of meanings is fixed. A key may look so too, which is what `--lines` is for.

use super::error::{IF_A_KEY, InputError, KEYS_COMMAND, KEYS_OF_S5CMD};
use super::{address, aws_cli, git};
use crate::change::text::excerpt;

/// Another meaning of a name than that of a key.
struct Meaning {
    fits: fn(&str) -> bool,
    problem: &'static str,
    remedy: &'static str,
}

const NAMES_OF_GIT: &str = "use `git diff -z --name-only --no-renames --relative=site/ HEAD~` with -z";
const NAMES_OF_FIND: &str = "use `find site -type f -printf '%P\\0'` with -z";
const JSON_OF_AWS: &str = "print JSON with --output json";

const NAME_STATUS: Meaning = Meaning {
    fits: |name| name.split_once('\t').is_some_and(|(status, _)| is_status(status)),
    problem: "is output of `git diff --name-status`",
    remedy: "use --name-only in place of --name-status",
};

/// The meanings of a name, with a line break or a NUL character after it. The first that fits counts.
const MEANINGS: &[Meaning] = &[
    Meaning { fits: |name| !name.is_empty() && name.trim().is_empty(), problem: "is blank", remedy: "remove it" },
    Meaning {
        fits: |name| name.starts_with('\u{feff}'),
        problem: "begins with a byte order mark, as a file does that was appended to another",
        remedy: "save the files without byte order marks before you join them",
    },
    Meaning {
        fits: |name| begins(name, &["cp ", "mv ", "rm ", "sync ", "ERROR \""]) && name.contains("s3://"),
        problem: "is output of s5cmd",
        remedy: KEYS_OF_S5CMD,
    },
    Meaning {
        fits: |name| {
            let action = name.split_once(": '").is_some_and(|(action, _)| S3CMD_ACTIONS.contains(&action));
            let logs = ["File s3://", "File '", "INFO: ", "WARNING: ", "ERROR: ", "DEBUG: ", "Done. Uploaded "];
            action || begins(name, &logs)
        },
        problem: "is output of s3cmd",
        remedy: "upload with `aws s3 sync site s3://my-site | invalidator invalidate --sync -`, or list the changed keys \
                 yourself",
    },
    Meaning {
        fits: |name| {
            let actions = ["upload: ", "copy: ", "move: ", "delete: ", "download: ", "(dryrun) ", "Completed "];
            begins(name, &actions) || name.starts_with("An error occurred (") || aws_cli::is_failure(name)
        },
        problem: "is output of the AWS CLI",
        remedy: "use the whole output of `aws s3 sync`, `cp`, `mv` or `rm`, without lines of other programs",
    },
    Meaning { fits: is_url, problem: "is a URL and not a key", remedy: "name the paths of URLs with --paths" },
    Meaning {
        fits: |name| name.starts_with("arn:aws"),
        problem: "is the ARN of an object and not a key",
        remedy: "remove all but the key from each line, and name the bucket with --bucket",
    },
    Meaning {
        fits: |name| name.starts_with("./"),
        problem: "begins with ./, as the output of `find` does",
        remedy: "use `find site -type f -printf '%P\\0'` with -z, or add --strip-prefix ./",
    },
    NAME_STATUS,
    Meaning { fits: is_git_numstat, problem: "is output of `git diff --numstat`", remedy: NAMES_OF_GIT },
    Meaning { fits: is_git_stat, problem: "is output of `git diff --stat`", remedy: NAMES_OF_GIT },
    Meaning {
        fits: is_git_status,
        problem: "is output of `git status`, which has more than names",
        remedy: NAMES_OF_GIT,
    },
    Meaning {
        fits: |name| {
            let diff = ["diff --git ", "--- a/", "+++ b/", "@@ -", ":100", ":000", ":120", ":160"];
            let modes = ["100644 ", "100755 ", "120000 ", "040000 "];
            let messages = ["Author: ", "fatal: ", "error: ", "warning: ", "hint: "];
            begins(name, &diff) || begins(name, &modes) || begins(name, &messages) || is_git_commit(name)
        },
        problem: "is output of git other than names",
        remedy: NAMES_OF_GIT,
    },
    Meaning {
        fits: |name| ["[", "{"].contains(&name.trim()),
        problem: "begins a JSON document that does not end",
        remedy: "use the whole output of the command that printed it",
    },
    Meaning {
        fits: |name| ["]", "}", "],", "},", "[]", "{}"].contains(&name.trim()),
        problem: "is a line of a JSON document, and the input is not one JSON document",
        remedy: "use the whole output of the command that printed it",
    },
    Meaning {
        fits: |name| begins(name, &["[\"", "[{", "{\"", "[ \"", "{ \"", "[ {"]),
        problem: "begins like JSON, and the input is not one JSON document",
        remedy: "use the whole output of the command that printed it",
    },
    Meaning {
        fits: |name| ["None", "null"].contains(&name),
        problem: "is what the AWS CLI prints if there are no objects",
        remedy: "use the keys of a bucket that has some",
    },
    Meaning {
        fits: |name| begins(name, &["|  ", "+--", "---"]),
        problem: "is a table or YAML and not a key",
        remedy: JSON_OF_AWS,
    },
    Meaning {
        fits: |name| name.starts_with("- "),
        problem: "begins like YAML, or like a report of rclone",
        remedy: JSON_OF_AWS,
    },
    Meaning {
        fits: |name| begins(name, &["<?xml", "<ListBucket"]),
        problem: "is XML and not a key",
        remedy: "use the AWS CLI with --output json",
    },
    Meaning {
        fits: |name| name.starts_with("PRE "),
        problem: "is output of `aws s3 ls` without --recursive",
        remedy: "add --recursive",
    },
    // Taken for a key, `/index.html` would be invalidated as `//index.html`, which nobody requests.
    Meaning {
        fits: |name| name.starts_with('/'),
        problem: "begins with a slash, as the paths of URLs do and hardly any key does",
        remedy: "remove the slash, or name paths with --paths",
    },
    Meaning {
        fits: |name| name.starts_with("total ") || name.split_whitespace().take(3).any(is_file_mode),
        problem: "is output of `ls -l` or `find -ls`",
        remedy: NAMES_OF_FIND,
    },
    Meaning {
        fits: |name| begins(name, &["sending incremental file list", ">f", "<f", "*deleting "]),
        problem: "is output of rsync",
        remedy: NAMES_OF_FIND,
    },
    Meaning {
        fits: |name| {
            let logs = ["INFO  : ", "NOTICE: ", "ERROR : ", "DEBUG : ", "<5>NOTICE: ", "<6>INFO "];
            let reports = ["Transferred: ", "+ ", "* ", "= ", "! "];
            begins(after_rclone_time(name).unwrap_or(name), &logs) || begins(name, &reports)
        },
        problem: "is output of rclone",
        remedy: "have rclone write the names: `rclone sync --missing-on-src gone.txt --missing-on-dst new.txt --differ \
                 changed.txt site remote:my-site`, then `cat gone.txt new.txt changed.txt | invalidator invalidate \
                 --bucket my-site --keys -`",
    },
    Meaning {
        fits: is_listing,
        problem: "is a line of a listing",
        remedy: "use the whole output of `aws s3 ls --recursive s3://my-site`",
    },
    // Logs of a CI system, s3cmd and s5cmd.
    Meaning {
        fits: |name| name.contains(" s3://"),
        problem: "has the address of an object after other text, as a log does",
        remedy: "use the unchanged output of `aws s3 sync` with --sync, or only the keys",
    },
];

/// The first words of lines of s3cmd, before a name in single quotes.
const S3CMD_ACTIONS: [&str; 6] = ["upload", "copy", "remote copy", "move", "delete", "download"];

/// Refuses a name that has another meaning than that of a key.
pub(crate) fn refuse(name: &str) -> Result<(), InputError> {
    if let Some(remedy) = without_bucket(name) {
        return Err(error(name, "is the address of an object and not a key", &remedy));
    }
    let meaning = MEANINGS.iter().find(|it| (it.fits)(name));
    meaning.map_or(Ok(()), |it| Err(error(name, it.problem, it.remedy)))
}

/// Refuses a name on a line that has another meaning than that of a key. With a NUL character after it, it may have
/// tabs, carriage returns and double quotes.
pub(crate) fn refuse_line(line: &str) -> Result<(), InputError> {
    refuse(line)?;
    if line.starts_with(' ') && line.trim_start().starts_with('"') {
        let problem = "is a line of a JSON document, and the input is not one JSON document";
        return Err(error(line, problem, "use the whole output of the command that printed it"));
    }
    if line.contains('\r') {
        let remedy = "end each line in the same way, or each name with a NUL character and add -z";
        return Err(error(line, "has a carriage return, which may be a line break", remedy));
    }
    if line.contains('\t') {
        let problem = "has a tab, which the AWS CLI's --output text writes between values";
        return Err(error(line, problem, &format!("print JSON: `{KEYS_COMMAND}`")));
    }
    Ok(())
}

/// Refuses the first of names with NUL characters after them, if it is a status: `git diff -z --name-status` has a NUL
/// character instead of the tab.
pub(crate) fn refuse_first(name: &str) -> Result<(), InputError> {
    if is_status(name) { Err(error(name, NAME_STATUS.problem, NAME_STATUS.remedy)) } else { Ok(()) }
}

/// The name in a line that begins with a double quote: git's, or else refused.
pub(crate) fn quoted(line: &str) -> Result<String, InputError> {
    git::unquote(line).map_err(|problem| {
        if line.contains("\",\"") {
            let remedy = format!("its keys are encoded, so list them with `{KEYS_COMMAND}`");
            return error(line, "is a line of an S3 Inventory report in CSV", &remedy);
        }
        error(line, problem, &format!("for names of git {NAMES_OF_GIT}"))
    })
}

fn error(name: &str, problem: &str, remedy: &str) -> InputError {
    InputError::whole(format!("\"{}\" {problem}", excerpt(name)), format!("{remedy}; {IF_A_KEY}"))
}

fn begins(name: &str, with: &[&str]) -> bool {
    with.iter().any(|begin| name.starts_with(begin))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a name begins with such a date and time, where each 0 stands for a digit.
fn has_shape(name: &str, shape: &str) -> bool {
    let fits = |(byte, of): (u8, u8)| if of == b'0' { byte.is_ascii_digit() } else { byte == of };
    name.len() >= shape.len() && name.bytes().zip(shape.bytes()).all(fits)
}

/// What follows the time in a line of rclone's log, such as `2024/05/01 10:00:00 ` or `2024/05/01 10:00:00.123456 `.
fn after_rclone_time(line: &str) -> Option<&str> {
    let shape = "0000/00/00 00:00:00";
    let rest = line.get(shape.len()..).filter(|_| has_shape(line, shape))?;
    rest.trim_start_matches(|it: char| it == '.' || it.is_ascii_digit()).strip_prefix(' ')
}

/// The scheme of a URL, and what is after `://`.
fn scheme(name: &str) -> Option<(&str, &str)> {
    let is_scheme = |text: &str| {
        text.starts_with(|it: char| it.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
    };
    name.split_once("://").filter(|(scheme, _)| is_scheme(scheme))
}

fn is_url(name: &str) -> bool {
    scheme(name).is_some()
}

/// How to make a key of the address of an object, such as `s3://my-site/a.html`; `None` if it is none. Hadoop's schemes
/// for S3 are `s3a` and `s3n`.
fn without_bucket(name: &str) -> Option<String> {
    let (scheme, rest) = scheme(name).filter(|(it, _)| ["s3", "s3a", "s3n"].contains(&&*it.to_ascii_lowercase()))?;
    // The ARN of an access point has slashes.
    let entry = address::parse(&format!("s3://{rest}")).ok();
    let bucket = entry.as_ref().and_then(|it| rest.strip_suffix(it.key.as_str()));
    let parts = "[^/]*/".repeat(bucket.map_or(1, |it| it.matches('/').count()));
    Some(format!(
        "remove the bucket from each line with `sed 's,^{scheme}://{parts},,'` (with -z, `sed -z`), and name it with \
         --bucket"
    ))
}

/// Whether a text is the status before a name in `git diff --name-status`, such as `M` and `R100`.
fn is_status(text: &str) -> bool {
    let similarity = text.strip_prefix(['A', 'B', 'C', 'D', 'M', 'R', 'T', 'U', 'X']);
    similarity.is_some_and(|rest| [0, 3].contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a line is one of `git diff --numstat`: two numbers, or dashes for a binary file, and a name.
fn is_git_numstat(line: &str) -> bool {
    let fields: Vec<_> = line.splitn(3, '\t').collect();
    matches!(fields.as_slice(), [added, removed, _] if [added, removed].iter().all(|it| **it == "-" || is_number(it)))
}

/// Whether a line is one of `git diff --stat`: ` site/a.html | 12 ++--`, or its last ` 1 file changed, 2 insertions(+)`.
fn is_git_stat(line: &str) -> bool {
    let is_count = |text: &str| {
        let rest = text.trim_start().trim_start_matches(|it: char| it.is_ascii_digit());
        rest.len() < text.trim_start().len() && rest.bytes().all(|byte| b" +-".contains(&byte)) || text == " Bin"
    };
    let summary = ["file changed, ", "files changed, "];
    line.starts_with(' ')
        && (line.rsplit_once(" |").is_some_and(|(_, count)| is_count(count))
            || summary.iter().any(|it| line.contains(it)))
}

/// Whether a line is one of `git status`: two letters and a name in the short form, ` M site/a.html`; an entry of
/// `--porcelain=v2`, `1 .M N... 100644 100644 100644 1f7a7a4 1f7a7a4 site/a.html`; or `modified:   site/a.html`.
fn is_git_status(line: &str) -> bool {
    let is_short = match line.as_bytes() {
        [b' ', b' ', ..] => false,
        [index, tree, b' ', ..] => [index, tree].iter().all(|it| b" MTADRCU".contains(it)),
        _ => false,
    };
    let others = ["?? ", "!! ", "? ", "## ", "# branch.", "On branch ", "HEAD detached "];
    let long = ["modified:   ", "new file:   ", "deleted:    ", "renamed:    ", "typechange: ", "both modified: "];
    is_short || line.get(4..9) == Some(" N...") || begins(line, &others) || begins(line.trim_start(), &long)
}

/// Whether a line is the first of a commit in `git log` and `git show`.
fn is_git_commit(line: &str) -> bool {
    let hash = line.strip_prefix("commit ").and_then(|rest| rest.split(' ').next());
    hash.is_some_and(|it| it.len() >= 40 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a word is the type and the permissions of a file, such as `-rw-r--r--`.
fn is_file_mode(word: &str) -> bool {
    let (kind, permissions) = word.split_at(word.floor_char_boundary(1));
    ["-", "d", "l"].contains(&kind)
        && permissions.len() == 9
        && permissions.bytes().all(|byte| b"rwxst-".contains(&byte))
}

/// Whether a line is one of a listing: it begins with a time, or with spaces and a size, or names a directory.
fn is_listing(line: &str) -> bool {
    let times = ["0000-00-00 00:00:00 ", "0000-00-00 00:00 "];
    let first = line.trim_start_matches(' ').split_once(' ').map(|(word, _)| word);
    after_rclone_time(line).is_some()
        || times.iter().any(|it| has_shape(line, it))
        || line.starts_with(' ') && first.is_some_and(|word| is_number(word) || word == "DIR")
}
