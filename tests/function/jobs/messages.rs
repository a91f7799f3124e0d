//! The summary and output variables of a successful job: the paths of each distribution, as many as fit.

use s3_cloudfront_invalidator::local::PutResult;
use s3_cloudfront_invalidator::local::events::job;
use serde_json::json;

use crate::config::distribution_config::{config, set};
use crate::harness::Harness;
use crate::jobs::results::{ID, results, with_job};

#[tokio::test]
async fn each_distribution_is_listed_with_its_own_paths() {
    let mut state = with_job(&[("site", "E1 E2")]);
    set(&mut state, "E1", config(""));
    set(&mut state, "E2", config("/web"));
    let harness = Harness::start(state, &[]).await;
    harness.report("r1", job(ID, Some(r#"{"bucket":"site","keys":["web/a","web/b"]}"#), None)).await;
    let [PutResult::Success { summary: Some(summary), output_variables, .. }] = &results(&harness)[..] else {
        panic!("{:?}", results(&harness))
    };
    assert_eq!(summary, "E1: invalidated /web/a /web/b; E2: invalidated /a /b");
    assert_eq!(output_variables["paths"], "/a /b /web/a /web/b");
}

#[tokio::test]
async fn no_distribution_is_left_out_for_anothers_paths() {
    let harness = Harness::start(with_job(&[("site", "E1 E2 E3")]), &[]).await;
    let items: Vec<_> = (0..40).map(|it| format!("/some/longer/path/object-{it:03}.html")).collect();
    let parameters = json!({ "bucket": "site", "paths": items }).to_string();
    harness.report("r1", job(ID, Some(&parameters), None)).await;
    let [PutResult::Success { summary: Some(summary), .. }] = &results(&harness)[..] else {
        panic!("{:?}", results(&harness))
    };
    for id in ["E1", "E2", "E3"] {
        assert!(summary.contains(&format!("{id}: invalidated /some/longer/path/object-000.html ")), "{summary}");
    }
    assert_eq!(summary.matches(" more").count(), 3, "{summary}");
}

#[tokio::test]
async fn omitted_paths_are_counted() {
    let items: Vec<_> = (0..1000).map(|it| format!("/some/longer/path/number-{it:04}.html")).collect();
    let long = format!("/{}", "x".repeat(2000));
    for (items, start, end) in
        [(items, "/some/longer/path/number-0000.html /some", " more"), (vec![long], "/xxx", "x…")]
    {
        let harness = Harness::start(with_job(&[("site", "E1")]), &[]).await;
        let parameters = json!({ "distributionId": "E1", "paths": items }).to_string();
        harness.report("r1", job(ID, Some(&parameters), None)).await;
        let [PutResult::Success { output_variables, .. }] = &results(&harness)[..] else {
            panic!("{:?}", results(&harness))
        };
        let paths = &output_variables["paths"];
        assert!(paths.starts_with(start) && paths.ends_with(end), "{paths}");
        if let Some((listed, more)) = paths.strip_suffix(" more").and_then(|it| it.rsplit_once(" and ")) {
            assert_eq!(listed.split(' ').count() + more.parse::<usize>().unwrap(), items.len(), "{paths}");
        }
    }
}

#[tokio::test]
async fn paths_that_fit_are_listed_for_as_many_distributions_as_a_tag_can_name() {
    let ids: Vec<_> = (0..17).map(|it| format!("E{it:013}")).collect();
    let harness = Harness::start(with_job(&[("site", &ids.join(" "))]), &[]).await;
    let parameters = json!({ "bucket": "site", "paths": ["/index.html"] }).to_string();
    harness.report("r1", job(ID, Some(&parameters), None)).await;
    let [PutResult::Success { summary: Some(summary), .. }] = &results(&harness)[..] else {
        panic!("{:?}", results(&harness))
    };
    let whole: Vec<_> = ids.iter().map(|id| format!("{id}: invalidated /index.html")).collect();
    assert_eq!(*summary, whole.join("; "));
    // Paths that do not fit are counted.
    let many: Vec<_> = (0..20).map(|it| format!("/some/longer/path/object-{it:03}.html")).collect();
    let harness = Harness::start(with_job(&[("site", &ids.join(" "))]), &[]).await;
    harness.report("r1", job(ID, Some(&json!({ "bucket": "site", "paths": many }).to_string()), None)).await;
    let [PutResult::Success { summary: Some(summary), .. }] = &results(&harness)[..] else {
        panic!("{:?}", results(&harness))
    };
    let each = ids.iter().all(|id| summary.contains(&format!("{id}: invalidated ")));
    assert!(each && summary.matches("20 paths").count() == 17, "{summary}");
}
