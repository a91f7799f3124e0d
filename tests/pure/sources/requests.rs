//! What requests are decoded to, from CodePipeline jobs and from direct invocations.

use super::Expected;

/// CodePipeline jobs.
pub(super) const CODEPIPELINE: &[Expected] = &[
    (
        "parameters-with-paths-in-one-string",
        &[
            "job 11111111-abcd-1111-abcd-000000000025",
            r#"refused UserParameters.paths: "/a.html /b.html" is not a list of strings, such as ["/*"]"#,
        ],
    ),
    ("distribution-id-alone", &["job 11111111-abcd-1111-abcd-000000000024", "paths of E2EXAMPLE1ABCD: /*"]),
    (
        "parameters-with-a-single-path",
        &["job 11111111-abcd-1111-abcd-000000000023", "paths of E2EXAMPLE1ABCD: /news/*"],
    ),
    ("parameters-in-capitals", &["job 11111111-abcd-1111-abcd-000000000022", "paths of E2EXAMPLE1ABCD: /*"]),
    ("parameters-with-object-paths", &["job 11111111-abcd-1111-abcd-000000000021", "paths of E2EXAMPLE1ABCD: /*"]),
    (
        "continuation-token-of-another-function",
        &["job 11111111-abcd-1111-abcd-000000000007", "paths of E2EXAMPLE1ABCD: /*", "token EXAMPLE-token"],
    ),
    (
        "continuation-token",
        &[
            "job 11111111-abcd-1111-abcd-000000000006",
            "paths of E2EXAMPLE1ABCD: /pipeline/*; wait 900",
            r#"token {"version":1,"invalidations":[["E2EXAMPLE1ABCD","I0000000000001"]],"started":1767323045,"wait":900,"paths":"/pipeline/*"}"#,
        ],
    ),
    (
        "parameters-that-are-not-json",
        &[
            "job 11111111-abcd-1111-abcd-000000000003",
            r#"refused UserParameters: "E2EXAMPLE1ABCD /pipeline/*" is neither a distribution ID nor an object such as {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
        ],
    ),
    (
        "parameters-that-wait",
        &["job 11111111-abcd-1111-abcd-000000000005", "keys of example-site anywhere: pipeline/index.html; wait 60"],
    ),
    (
        "parameters-with-an-unknown-field",
        &[
            "job 11111111-abcd-1111-abcd-000000000004",
            r#"refused UserParameters.path: is unknown ("paths"?); the fields are distributionId, bucket, paths, keys, key, wait, waitSeconds, dryRun; for example {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
        ],
    ),
    (
        "with-parameters",
        &["job 11111111-abcd-1111-abcd-000000000001", "paths of E2EXAMPLE1ABCD: /a%20b.html /pipeline/*"],
    ),
    (
        "without-id",
        &[
            r#"error the CodePipeline job has no valid ID ("CodePipeline.job"."id"), so the function cannot report a job result"#,
        ],
    ),
    ("without-parameters", &["job 11111111-abcd-1111-abcd-000000000002", "paths of own: /*"]),
];

/// Direct invocations.
pub(super) const DIRECT: &[Expected] = &[
    ("bucket-and-key", &["keys of example-site anywhere: direct/a+b c.html"]),
    ("names-of-published-functions", &["paths of E2EXAMPLE1ABCD: /direct/one.html"]),
    (
        "misspelled-distribution",
        &[
            r#"error distribution: is unknown ("distributionId"?); the fields are distributionId, bucket, paths, keys, key, wait, waitSeconds, dryRun; for example {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
        ],
    ),
    (
        "http-request-that-names-paths",
        &[
            r#"error the event may name what to invalidate in "body.paths", where that is not read; send {"distributionId": …, "paths": […]} or {"bucket": …, "keys": […]} as the whole event: in a rule by the InputPath "$.detail", and to Lambda's API instead of a function URL"#,
        ],
    ),
    ("http-request", &["paths of own: /*"]),
    ("string", &["paths of own: /*"]),
    ("flush", &["paths of own: /*"]),
    ("bucket-and-paths", &["paths of example-site anywhere: /direct/manual.html"]),
    ("bucket-of-another-region", &["paths of example-docs anywhere: /direct/manual.html"]),
    ("cache-tag", &["paths of E2EXAMPLE1ABCD: #news"]),
    ("bucket-and-keys", &["keys of example-site anywhere: direct/index.html direct/a+b%20c.html"]),
    ("distribution-alone", &["paths of E2EXAMPLE1ABCD: /*"]),
    ("distribution-and-paths", &["paths of E2EXAMPLE1ABCD: /direct%20page.html /direct/*"]),
    ("empty-object", &["paths of own: /*"]),
    ("hello-world", &["paths of own: /*"]),
    ("items-alone", &["paths of own: /direct/own.html"]),
    (
        "keys-with-distribution",
        &[
            r#"error keys: are invalidated in the distributions that the bucket's tags name; remove "paths" and "distributionId""#,
        ],
    ),
    ("null", &["paths of own: /*"]),
    (
        "unknown-field",
        &[
            r#"error path: is unknown ("paths"?); the fields are distributionId, bucket, paths, keys, key, wait, waitSeconds, dryRun; for example {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
        ],
    ),
    ("wait", &["paths of E2EXAMPLE1ABCD: /direct/wait.html; wait 30"]),
];
