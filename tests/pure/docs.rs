//! What the documents name is there.

use std::collections::BTreeSet;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn every_promise_names_a_proof_that_is_there() {
    let reliability = read("docs/reliability.md");
    let rows: Vec<_> = reliability.lines().filter(|line| line.ends_with(" |") && line.contains('`')).collect();
    let mut proofs = BTreeSet::new();
    for row in rows {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        proofs.extend(last.split('`').skip(1).step_by(2).filter(|name| name.contains('/')));
    }
    assert!(proofs.len() > 10, "{proofs:?}");
    for proof in proofs {
        let place = if proof.starts_with("src/") { root().join(proof) } else { root().join("tests").join(proof) };
        assert!(place.exists(), "{proof}");
    }
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let documents = [
        "README.md",
        "CHANGELOG.md",
        "docs/collapse.md",
        "docs/distributions.md",
        "docs/operations.md",
        "docs/reliability.md",
        "docs/sources.md",
        "infra/cdk/README.md",
        "infra/terraform/README.md",
    ];
    let mut links = 0;
    for document in documents {
        let text = read(document);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let place = if file.is_empty() {
                root().join(document)
            } else {
                root().join(document).parent().unwrap().join(file)
            };
            assert!(place.exists(), "{document} links to {target}");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&place).unwrap();
                let slug = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                assert!(
                    text.lines().any(|line| line.starts_with('#') && slug(line) == heading),
                    "{document}: {target}"
                );
            }
        }
    }
    assert!(links > 8, "{links}");
}
