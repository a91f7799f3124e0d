//! The command `invalidator demo`.

use std::fs;
use std::process::Command;

fn demo(arguments: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_invalidator"));
    let output = command.arg("demo").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// The cells of the row with this name.
fn row<'o>(shown: &'o str, name: &str) -> Vec<&'o str> {
    let row = shown.lines().find_map(|line| line.trim_start().strip_prefix(name)).unwrap_or_else(|| panic!("{shown}"));
    row.split_whitespace().collect()
}

#[test]
fn the_example_shows_where_each_method_wins_within_80_columns() {
    let (success, shown, errors) = demo(&[]);
    assert!(success && errors.is_empty(), "{errors}");
    assert_eq!(row(&shown, "/docs/api/*"), ["13"]);
    // Paths, price, stale URLs, unchanged objects evicted.
    assert_eq!(row(&shown, "this function"), ["29", "$0.145", "0", "0"]);
    assert_eq!(row(&shown, "one path per object"), ["38", "$0.190", "26", "0"]);
    assert_eq!(row(&shown, "directories, if over 30"), ["18", "$0.090", "1", "140"]);
    assert_eq!(row(&shown, "\"/*\""), ["1", "$0.005", "0", "495"]);
    // Invocations, invalidations, paths, price.
    assert_eq!(row(&shown, "through the queue"), ["1", "1", "29", "$0.145"]);
    assert_eq!(row(&shown, "S3 invokes the function"), ["38", "38", "64", "$0.320"]);
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\u{1b}'), "no colors where there is no terminal: {line}");
    }
}

/// A path for each key with a special character, and one that stands for everything if everything changed.
#[test]
fn a_directory_is_the_bucket_and_a_list_names_what_changed() {
    let site = "tests/fixtures/sample-site";
    let (success, shown, errors) = demo(&[site]);
    assert!(success, "{errors}");
    assert_eq!(row(&shown, "/*"), ["26"]);
    assert_eq!(row(&shown, "this function"), ["1", "$0.005", "0", "0"]);
    assert_eq!(row(&shown, "\"/*\""), ["1", "$0.005", "0", "0"]);
    let list = std::env::temp_dir().join(format!("demo-{}.txt", std::process::id()));
    fs::write(&list, "menu/café/carte du jour.html\nabout/index.html\nabout/old.html\n").unwrap();
    let (success, shown, errors) = demo(&[site, "--changed", list.to_str().unwrap()]);
    fs::remove_file(&list).unwrap();
    assert!(success, "{errors}");
    assert!(shown.contains("A deploy changed 2 of them, and deleted 1 more."), "{shown}");
    assert_eq!(row(&shown, "/menu/caf%C3%A9/carte%20du%20jour.html"), ["1"]);
    assert_eq!(row(&shown, "this function"), ["5", "$0.025", "0", "0"]);
    assert_eq!(row(&shown, "one path per object"), ["3", "$0.015", "2", "0"]);
}

#[test]
fn many_changes_are_not_sent_one_by_one() {
    let directory = std::env::temp_dir().join(format!("demo-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    (0..301).for_each(|number| fs::write(directory.join(number.to_string()), "").unwrap());
    let (success, shown, errors) = demo(&[directory.to_str().unwrap()]);
    fs::remove_dir_all(&directory).unwrap();
    assert!(success, "{errors}");
    assert_eq!(row(&shown, "through the queue"), ["1", "1", "1", "$0.005"]);
    assert!(!shown.contains("S3 invokes the function"), "{shown}");
}

/// Times differ from run to run and are not compared. A line of `…` in the README stands for several lines.
#[test]
fn the_readme_shows_the_demos_output() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let block = readme.split("<!-- demo").nth(1).unwrap().split("```").nth(1).unwrap();
    let (_, output, _) = demo(&[]);
    let mut shown = without_times(&output).into_iter();
    let mut skipping = false;
    for line in without_times(block) {
        let found = if skipping { shown.find(|it| *it == line) } else { shown.next() };
        skipping = line == "…";
        assert!(skipping || found == Some(line), "{line:?} is not in its place in:\n{output}");
    }
    assert_eq!(shown.next(), None, "the README ends too early");
}

fn without_times(shown: &str) -> Vec<&str> {
    let end = |line: &str| line.find(" started in ").unwrap_or(line.len());
    shown.trim().lines().map(|line| line[..end(line)].trim_end()).collect()
}

#[test]
fn an_unusable_input_is_an_error_with_the_remedy() {
    for (arguments, expected) in [
        (&["/nowhere/at/all"][..], "cannot read the directory /nowhere/at/all"),
        (&["/dev/null"], "cannot read"),
        (&["tests/fixtures/sample-site", "--changed", "/nowhere"], "cannot read /nowhere"),
        (&["tests/fixtures/sample-site", "--changed", "/dev/null"], "the list names no keys; leave out --changed"),
        (&["--changed", "list"], "<DIR>"),
    ] {
        let (success, _, errors) = demo(arguments);
        assert!(!success && errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn the_end_of_the_function_is_an_error_at_once() {
    let started = std::time::Instant::now();
    let (success, _, errors) = demo(&["--bootstrap", "/bin/false"]);
    assert!(!success && errors.contains("/bin/false: the process ended with exit status: 1"), "{errors}");
    // It does not wait for the timeout of the start.
    assert!(started.elapsed().as_secs() < 10);
}
