//! The command `invalidator demo`.

use std::process::Command;

fn demo(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_invalidator")).arg("demo").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_demo_shows_batches_paths_and_costs_within_80_columns() {
    let site = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sample-site");
    let (success, shown, errors) = demo(&[site, "--batch", "20"]);
    assert!(success, "{errors}");
    let row = |cells: &[&str]| shown.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().starts_with(cells));
    assert!(row(&["1", "20", "20"]) && row(&["2", "6", "6"]), "two events, all changes invalidated: {shown}");
    assert!(row(&["/menu/caf%C3%A9/carte%20du%20jour.html", "1"]), "{shown}");
    assert!(row(&["one", "path", "per", "object", "26", "26", "$0.130"]), "{shown}");
    assert!(row(&["\"/*\"", "per", "event", "2", "2", "$0.010"]), "{shown}");
    for line in shown.lines() {
        assert!(line.chars().count() <= 80 || line.starts_with("Bucket demo-site has"), "{line}");
        assert!(!line.contains('\u{1b}'), "no colors where there is no terminal: {line}");
    }
}

/// Times differ from run to run and are not compared. A line of `…` in the README stands for several lines.
#[test]
fn the_readme_shows_the_demos_output() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let block = readme.split("<!-- demo").nth(1).unwrap().split("```").nth(1).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_invalidator"))
        .args(["demo", "tests/fixtures/sample-site"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let mut shown = without_times(&output).into_iter();
    let mut skipping = false;
    for line in without_times(block) {
        let found = if skipping { shown.find(|it| *it == line) } else { shown.next() };
        skipping = line == "  …";
        assert!(skipping || found == Some(line), "{line:?} is not in its place in:\n{output}");
    }
    assert_eq!(shown.next(), None, "the README ends too early");
}

fn without_times(shown: &str) -> Vec<&str> {
    let end = |line: &str| {
        let time = if line.contains(" I0000") { line.rfind(' ') } else { line.find(" started in ") };
        time.unwrap_or(line.len())
    };
    shown.trim().lines().map(|line| line[..end(line)].trim_end()).collect()
}

#[test]
fn an_unusable_directory_is_an_error_with_the_remedy() {
    for (directory, expected) in
        [("/nowhere/at/all", "cannot read the directory /nowhere/at/all"), ("/dev/null", "cannot read")]
    {
        let (success, _, errors) = demo(&[directory]);
        assert!(!success && errors.contains(expected), "{errors}");
    }
}
