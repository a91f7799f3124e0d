//! Supply-chain tests: the licenses and sources of the dependencies, which of them the function contains, and that no
//! code of this package runs at build time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The output of `cargo metadata --locked`, which fails if `Cargo.lock` does not match `Cargo.toml`.
fn metadata() -> Value {
    let arguments = ["metadata", "--format-version", "1", "--locked", "--all-features"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Licenses that require no more than that their text is passed on. Of `BlueOak-1.0.0`, which the Open Source Initiative
/// approved, a link is enough. It is the license of the CBOR decoder that `aws-sdk-cloudwatch` depends on.
const LICENCES: [&str; 12] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "ISC",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether a license expression can be satisfied with `LICENCES`. `A/B` is an old form of `A OR B`.
fn is_permissive(expression: &str) -> bool {
    let expression = expression.replace(['(', ')'], "").replace(" / ", "/").replace('/', " OR ");
    expression.split(" AND ").all(|group| group.split(" OR ").any(|licence| LICENCES.contains(&licence)))
}

#[test]
fn dependencies_come_from_the_registry_under_permissive_licences() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let name = &package["name"];
        if name == env!("CARGO_PKG_NAME") {
            continue;
        }
        let source = package["source"].as_str().unwrap_or_default();
        assert!(source.starts_with("registry+"), "{name} comes from {source:?}");
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_permissive(licence), "{name} is under {licence:?}");
    }
}

#[test]
fn the_function_has_no_dependency_that_only_tests_or_the_command_line_need() {
    let arguments = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("lambda_runtime"));
    let unwanted =
        ["aws-sdk-cloudwatch", "aws-sdk-s3control", "clap", "comfy-table", "indicatif", "minicbor", "quick-xml"];
    for unwanted in unwanted.into_iter().chain(["openssl-sys", "native-tls", "regex", "ring"]) {
        assert!(!names.contains(unwanted), "{unwanted}");
    }
}

#[test]
fn the_package_has_no_build_script_and_no_macro() {
    assert!(!root().join("build.rs").exists());
    let metadata = metadata();
    let ours = metadata["packages"].as_array().unwrap().iter().find(|it| it["name"] == env!("CARGO_PKG_NAME")).unwrap();
    for target in ours["targets"].as_array().unwrap() {
        for kind in target["kind"].as_array().unwrap() {
            assert!(kind != "custom-build" && kind != "proc-macro", "{target}");
        }
    }
}

/// Git may be missing, and a tarball has no repository, so the test reads the `.gitignore` that would keep the file
/// out.
#[test]
fn the_lock_file_is_part_of_the_sources() {
    assert!(root().join("Cargo.lock").is_file());
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    assert!(!ignored.lines().any(|line| line.contains("lock")), "{ignored}");
    let checksums = fs::read_to_string(root().join("Cargo.lock")).unwrap().matches("\nchecksum = ").count();
    // All packages but this one have a checksum.
    assert_eq!(checksums + 1, metadata()["packages"].as_array().unwrap().len());
}
