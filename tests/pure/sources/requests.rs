//! What requests are decoded to, from CodePipeline jobs and from direct invocations.

use super::Expected;

/// CodePipeline jobs.
pub(super) const CODEPIPELINE: &[Expected] = &[
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
            "refused UserParameters: not a JSON object: expected value at line 1 column 1",
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
            "refused UserParameters.path: is unknown; the fields are distributionId, bucket, paths, keys, wait, waitSeconds",
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
        &["error path: is unknown; the fields are distributionId, bucket, paths, keys, wait, waitSeconds"],
    ),
    ("wait", &["paths of E2EXAMPLE1ABCD: /direct/wait.html; wait 30"]),
];
