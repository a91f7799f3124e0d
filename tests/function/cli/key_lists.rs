//! Lists of keys on the command line: the commands in the help lose no change, and what cannot be sent is not lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::cli::plan::{NO_CREDENTIALS, invalidator};

/// An empty directory for one test.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Runs a shell command in a directory, with git and `invalidator` on the path, and returns its output.
fn shell(directory: &Path, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_invalidator")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(directory)
        .env_clear()
        .envs([("PATH", path.as_str()), ("HOME", directory.to_str().unwrap()), ("GIT_CONFIG_NOSYSTEM", "1")])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands of a help's examples that contain `word`, each in one line.
fn examples(command: &str, word: &str) -> Vec<String> {
    let (success, help, _) = invalidator(&[command, "--help"], &[], b"");
    assert!(success);
    let examples = help.split("Examples:\n").nth(1).unwrap().replace("\\\n", " ");
    examples.lines().map(str::trim).filter(|line| line.contains(word)).map(str::to_owned).collect()
}

/// A repository with a commit that changes files of all kinds of names; and their names, relative to `site`.
fn repository() -> (PathBuf, BTreeSet<String>) {
    let directory = directory("repository");
    let git = |arguments: &str| shell(&directory, &format!("git -c user.name=a -c user.email=a@b {arguments}"));
    git("init -q");
    let kept = ["kept.html", "a to b.txt"];
    let renamed = [("old name.html", "new name.html"), ("menú/café.html", "menú/tea.html"), ("r1", "sub/r1")];
    let changed = [
        "index.html",
        "tab\there",
        "line\nbreak",
        "quote\"s",
        "back\\slash",
        " lead",
        "trail ",
        "日本/🎉.png",
        "[id].html",
    ];
    let (removed, added) = (["gone é.html"], ["added\u{1}.txt", "-dash", "#x"]);
    let write = |name: &str, text: &str| {
        let file = directory.join("site").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    for name in kept.iter().chain(&changed).chain(&removed).chain(renamed.iter().map(|(old, _)| old)) {
        write(name, &format!("the content of {name}\n").repeat(20));
    }
    // Outside the directory, though two names begin like it.
    let outside = ["README.md", "site-old/x.html", "sitemap.xml"].map(|name| directory.join(name));
    fs::create_dir(directory.join("site-old")).unwrap();
    let write_outside = |text: &str| outside.iter().try_for_each(|file| fs::write(file, text)).unwrap();
    write_outside("1");
    git("add -A");
    git("commit -q -m first");
    for (old, new) in renamed {
        let file = directory.join("site").join(new);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::rename(directory.join("site").join(old), file).unwrap();
    }
    changed.iter().chain(&added).for_each(|name| write(name, "new"));
    for name in removed {
        fs::remove_file(directory.join("site").join(name)).unwrap();
    }
    write_outside("2");
    git("add -A");
    git("commit -q -m second");
    let names = changed.iter().chain(&added).chain(&removed).copied();
    let names = names.chain(renamed.iter().flat_map(|(old, new)| [*old, *new])).map(str::to_owned).collect();
    (directory, names)
}

/// The keys of a plan in JSON with `--explain`.
fn keys(printed: &str) -> BTreeSet<String> {
    let plan: Value = serde_json::from_str(printed).unwrap();
    plan["urls"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_helps_examples_with_git_name_every_changed_file() {
    let (directory, names) = repository();
    fs::write(directory.join("before.txt"), "2026-01-02 03:04:05         12 index.html\n").unwrap();
    let with_plan = examples("plan", "git diff");
    let with_invalidate = examples("invalidate", "git diff");
    assert!(with_plan.len() == 1 && with_invalidate.len() == 1, "{with_plan:?} {with_invalidate:?}");
    for example in with_plan.iter().chain(&with_invalidate) {
        // `invalidate` would call AWS. Its options for the input are those of `plan`.
        let plan = example.replace("invalidator invalidate", "invalidator plan") + " --json --explain";
        assert_eq!(keys(&shell(&directory, &plan)), names, "{example}");
    }
    // The names of the whole repository, quoted.
    let whole =
        "git diff --name-only --no-renames HEAD~ | invalidator plan --keys - --strip-prefix site/ --json --explain";
    assert_eq!(keys(&shell(&directory, whole)), names);
    fs::remove_dir_all(directory).unwrap();
}

/// What the help showed before: a rename's old name was missing, and a line break in a name made two keys.
#[test]
fn no_help_shows_a_command_that_loses_names() {
    for command in ["plan", "invalidate"] {
        let (_, help, _) = invalidator(&[command, "--help"], &[], b"");
        for line in examples(command, "git diff") {
            assert!(line.contains(" -z ") && line.contains("--no-renames --relative=site/ "), "{line}");
        }
        assert!(!help.contains("tr '\\0'") && !help.contains("git diff --name-only HEAD~ |"), "{help}");
    }
}

/// Runs a command without credentials, and returns its exit status and its error output.
fn status(arguments: &[&str], input: &[u8]) -> (i32, String) {
    status_in(&NO_CREDENTIALS, arguments, input)
}

fn status_in(environment: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> (i32, String) {
    let directory = directory(&format!("input-{}", fastrand::u64(..)));
    let file = directory.join("input");
    fs::write(&file, input).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_invalidator"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    fs::remove_dir_all(directory).unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_exit_status_tells_done_from_failed_and_from_wrong_options() {
    let sync = b"upload: a to s3://my-site/a\n";
    let wait = ["--distribution", "E1", "--bucket", "b-b", "--keys"];
    for (expected, arguments, input) in [
        (0, &["plan", "--sync", "-"][..], &sync[..]),
        (0, &["invalidate", "--sync", "-"], b""),
        (0, &["plan", "--keys", "-", "--bucket", "b-b", "--distribution", "E1", "--offline"], b"a\n"),
        (0, &["plan", "--keys", "-", "-z", "--lines"], b"./a\0"),
        (0, &["--help"], b""),
        (1, &["invalidate", "--sync", "-"], sync),
        (1, &["plan", "--sync", "-"], b"a.html\n"),
        (1, &["plan", "--sync", "-"], b"upload failed: a to s3://my-site/a An error occurred (AccessDenied)\n"),
        (1, &["plan", "--keys", "-", "-z"], b"./a\0"),
        (1, &["plan", "--keys", "/nowhere"], b""),
        (1, &["plan", "--keys", "-", "--bucket", "b-b", "--distribution", "E1"], b"a\n"),
        (1, &["status", "my-site"], b""),
        (2, &["plan", "--keys", "-", "--listing", "-"], b"a\n"),
        (2, &["plan", "--keys", "-", "--sync", "-"], b""),
        (2, &["plan", "--keys", "-", "--strip-prefix", "site"], b""),
        (2, &["plan", "--sync", "-", "-z"], b""),
        (2, &["invalidate", "--paths", "/a"], b""),
        (2, &["invalidate", "--paths", "/a", "--distribution", "E1", "--save", "f"], b""),
        (2, &["plan", "--keys", "-", "--max-paths", "0"], b""),
        (2, &["unknown"], b""),
    ] {
        let (code, errors) = status(arguments, input);
        assert_eq!(code, expected, "{arguments:?}: {errors}");
    }
    let (_, errors) = status(&[&["plan"], &wait[..], &["-"]].concat(), b"a\n");
    assert!(errors.contains("unable to locate credentials") && errors.contains("--offline"), "{errors}");
}

/// The JSON array of keys in a printed command, which is a shell's here document.
fn printed_keys(errors: &str) -> Value {
    let list =
        errors.split("<<'KEYS'\n").nth(1).unwrap_or_else(|| panic!("{errors}")).split("\nKEYS\n").next().unwrap();
    serde_json::from_str(list).unwrap()
}

#[test]
fn what_a_deploy_script_could_not_send_is_printed_as_a_command() {
    let sync = "upload: site/a b.html to s3://my-site/a b.html\nmove: s3://my-site/it's \u{1b}old to s3://my-site/é\n";
    let expected = json!(["a b.html", "it's \u{1b}old", "é"]);
    let no_region = [("AWS_EC2_METADATA_DISABLED", "true")];
    for environment in [&NO_CREDENTIALS[..], &no_region] {
        let (code, errors) = status_in(environment, &["invalidate", "--sync", "-"], sync.as_bytes());
        assert_eq!((code, printed_keys(&errors)), (1, expected.clone()), "{errors}");
        assert!(errors.contains("invalidator invalidate --bucket my-site --keys - <<'KEYS'\n"), "{errors}");
        assert!(!errors.contains('\u{1b}'), "{errors}");
    }
    let options = ["--distribution", "E1", "--tag", "my tag", "--region", "eu-west-1", "--sync", "-"];
    let (_, errors) = status(&[&["invalidate"], &options[..]].concat(), sync.as_bytes());
    let command =
        "invalidator invalidate --bucket my-site --distribution E1 --tag 'my tag' --region eu-west-1 --keys - <<";
    assert!(errors.contains(command), "{errors}");
    // The list knows its bucket better than the option does.
    let (code, errors) = status(&["invalidate", "--sync", "-", "--bucket", "other-site"], sync.as_bytes());
    assert!(
        code == 1 && errors.contains("the list is of bucket my-site, not other-site; correct --bucket"),
        "{errors}"
    );
    assert!(
        errors.contains("invalidator invalidate --bucket my-site --keys - <<") && !errors.contains("other-site --"),
        "{errors}"
    );
    let (_, errors) = status(&["invalidate", "--distribution", "E1", "--keys", "-"], b"a.html\n");
    assert!(errors.contains("invalidator invalidate --bucket BUCKET --distribution E1 --keys - <<"), "{errors}");
    // Nothing is to be made up for after a dry run.
    let (code, errors) = status(&["invalidate", "--dry-run", "--sync", "-"], sync.as_bytes());
    assert!(code == 1 && !errors.contains("KEYS"), "{errors}");
    let (code, errors) = status(&["invalidate", "--keys", "-"], b"a.html\n");
    assert!(code == 1 && errors.contains("specify --bucket") && printed_keys(&errors) == json!(["a.html"]), "{errors}");
}

#[test]
fn the_documented_output_without_credentials_is_the_commands() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/command-line.md")).unwrap();
    let block = page.split("<!-- output: invalidate without credentials -->\n```\n").nth(1).unwrap();
    let sync = b"upload: site/index.html to s3://my-site/index.html\nupload: site/a b.html to s3://my-site/a b.html\n";
    let (_, errors) = status(&["invalidate", "--sync", "-"], sync);
    assert_eq!(errors, block.split("```").next().unwrap());
}

#[test]
fn saved_keys_are_a_list_for_a_later_run() {
    let directory = directory("saved");
    let file = directory.join("left over.json");
    let save = file.to_str().unwrap();
    for (input, expected) in [
        ("upload: b to s3://my-site/b\n", json!(["b"])),
        ("upload: a\u{9}x to s3://my-site/a\u{9}x\n", json!(["a\u{9}x", "b"])),
    ] {
        let (code, errors) = status(&["invalidate", "--sync", "-", "--save", save], input.as_bytes());
        assert!(code == 1 && errors.contains(&format!("--bucket my-site --keys '{save}'")), "{errors}");
        assert_eq!(serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap(), expected);
    }
    let (success, printed, errors) = invalidator(&["plan", "--json", "--explain", "--keys", save], &[], b"");
    assert!(success, "{errors}");
    assert_eq!(keys(&printed), BTreeSet::from(["a\tx".to_owned(), "b".to_owned()]));
    let (code, errors) =
        status(&["invalidate", "--sync", "-", "--save", "/nowhere/x"], b"upload: a to s3://my-site/a\n");
    assert!(code == 1 && errors.contains("Cannot save") && printed_keys(&errors) == json!(["a"]), "{errors}");
    fs::remove_dir_all(directory).unwrap();
}

/// After a good deploy there is no file. Keys that cannot be invalidated again stay in it.
#[test]
fn the_documented_command_for_saved_keys_fails_only_with_keys_left() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/command-line.md")).unwrap();
    let command = page.lines().find(|line| line.contains("--keys left.json && rm")).unwrap();
    let directory = directory("left");
    assert_eq!(shell(&directory, command), "");
    fs::write(directory.join("left.json"), "").unwrap();
    assert_eq!(shell(&directory, command), "");
    assert!(!directory.join("left.json").exists());
    fs::write(directory.join("left.json"), "[\"a\"]\n").unwrap();
    shell(&directory, &format!("export AWS_EC2_METADATA_DISABLED=true; if {command}; then false; fi"));
    assert!(directory.join("left.json").exists());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_list_of_two_buckets_is_refused_with_a_command_for_each() {
    let sync = b"upload: a to s3://my-site/a\nmove: s3://my-site/b to s3://my-docs/b\n";
    for command in ["plan", "invalidate"] {
        let (code, errors) = status(&[command, "--sync", "-"], sync);
        assert!(code == 1 && errors.contains("of bucket my-docs and of bucket my-site"), "{errors}");
        let commands =
            ["my-site", "my-docs"].map(|name| errors.contains(&format!("--bucket {name} --keys - <<'KEYS'")));
        assert_eq!(commands, [command == "invalidate"; 2], "{errors}");
        let (code, errors) = status(&[command, "--bucket", "other", "--sync", "-"], b"upload: a to s3://my-site/a\n");
        assert!(code == 1 && errors.contains("of bucket my-site, not other; correct --bucket"), "{errors}");
    }
}

#[test]
fn an_unreadable_list_leads_to_the_command_for_everything() {
    let (code, errors) = status(&["invalidate", "--sync", "-"], b"upload: a to s3://my-site/a\nBuild succeeded\n");
    assert!(code == 1 && errors.contains("line 2: \"Build succeeded\""), "{errors}");
    assert!(errors.contains("invalidator invalidate --bucket my-site --paths '/*'\n"), "{errors}");
    let (_, errors) = status(&["invalidate", "--sync", "-", "--distribution", "E1"], b"cp a s3://my-site/a\n");
    assert!(errors.contains("invalidator invalidate --distribution E1 --paths '/*'\n"), "{errors}");
}

#[test]
fn a_padded_deletion_is_not_sent_and_not_lost() {
    let progress = "Completed 582 Bytes/582 Bytes (46.0 KiB/s) with 1 file(s) remaining";
    let width = progress.len();
    let sync = format!("{progress}\r{:<width$}\n", "delete: s3://my-site/old.html");
    for command in ["plan", "invalidate"] {
        let (code, errors) = status(&[command, "--sync", "-"], sync.as_bytes());
        assert!(code == 1 && errors.contains("cannot read 1 line of the list: line 1: spaces follow"), "{errors}");
        assert!(errors.contains("--no-progress"), "{errors}");
        assert!(command == "plan" || printed_keys(&errors) == json!(["old.html"]), "{errors}");
    }
}

#[test]
fn the_bucket_of_an_access_point_is_the_operators() {
    let sync = b"upload: a to s3://arn:aws:s3:us-west-2:123456789012:accesspoint/ap/web/a\n";
    let (success, printed, errors) = invalidator(&["plan", "--json", "--explain", "--sync", "-"], &[], sync);
    assert!(success, "{errors}");
    assert_eq!(keys(&printed), BTreeSet::from(["web/a".to_owned()]));
    let (code, errors) = status(&["invalidate", "--sync", "-"], sync);
    assert!(code == 1 && errors.contains("specify --bucket") && errors.contains("--bucket BUCKET"), "{errors}");
    let (_, errors) = status(&["invalidate", "--sync", "-", "--bucket", "my-site"], sync);
    assert!(
        errors.contains("unable to locate credentials") && errors.contains("--bucket my-site --keys -"),
        "{errors}"
    );
}

#[test]
fn a_listing_in_json_counts_what_is_evicted() {
    let directory = directory("listing");
    let file = directory.join("listing.json");
    let plan = |listing: &str| {
        fs::write(&file, listing).unwrap();
        let options = ["plan", "--json", "--keys", "-", "--max-paths", "1", "--listing", file.to_str().unwrap()];
        invalidator(&options, &[], b"img/a1.png\nimg/a2.png\n")
    };
    let (success, printed, errors) = plan("[\n \"img/a1.png\",\n \"img/a2.png\",\n \"img/a3.png\"\n]\n");
    assert!(success, "{errors}");
    let planned: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(planned["invalidations"][0]["unchangedEvicted"], 1, "{printed}");
    for (listing, expected) in [
        ("[\n \"img/a1.png\",\n \"img/a", "begins a JSON document that does not end"),
        ("img/a1.png\timg/a2.png\timg/a3.png\n", "--output text"),
        ("{\"Contents\":[{\"Key\":\"img/a3.png\"}]}", "--query 'Contents[].Key'"),
        ("\"my-site\",\"img/a1.png\"\n", "S3 Inventory"),
    ] {
        let (success, _, errors) = plan(listing);
        assert!(!success && errors.contains(expected), "{errors}");
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn names_outside_the_stripped_directory_are_counted() {
    let arguments = ["plan", "--keys", "-", "--strip-prefix", "site/"];
    let (success, printed, errors) = invalidator(&arguments, &[], b"site/a.html\nREADME.md\n");
    assert!(success && printed.contains("/a.html") && !printed.contains("README"), "{printed}");
    assert_eq!(errors, "1 name skipped: outside site/\n");
}

/// Distribution configs as people have them.
#[test]
fn other_forms_of_a_config_are_refused_with_the_command_for_the_right_one() {
    let cases = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config-forms.json")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let directory = directory("config");
    let file = directory.join("config");
    for case in cases.as_array().unwrap() {
        let [name, input] = ["name", "input"].map(|field| case[field].as_str().unwrap());
        fs::write(&file, input).unwrap();
        let arguments = ["plan", "--json", "--keys", "-", "--bucket", "site", "--config", file.to_str().unwrap()];
        let (success, printed, errors) = invalidator(&arguments, &[], b"index.html\n");
        if let Some(paths) = case.get("paths") {
            assert!(success, "{name}: {errors}");
            let planned: Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(planned["invalidations"][0]["paths"], *paths, "{name}");
        } else {
            assert!(!success && errors.contains(case["error"].as_str().unwrap()), "{name}: {errors}");
            assert!(errors.contains("`aws cloudfront get-distribution-config --id E"), "{name}: {errors}");
        }
    }
    fs::remove_dir_all(directory).unwrap();
}
