//! The event with which CodePipeline invokes a function as a pipeline action.

use serde_json::json;

use super::with;
use crate::local::{ACCOUNT, REGION};

/// The made-up artifact credentials in every [`job`]: access key id, secret access key and session token. None of them
/// may appear in any output of the function.
pub const ARTIFACT_CREDENTIALS: [&str; 3] =
    ["codepipeline-access-key-id", "codepipeline-secret-key", "codepipeline-session-token"];

/// A job event. `UserParameters` is absent if `user_parameters` is `None`; only the event of a continued job has a
/// continuation token.
///
/// Source: CodePipeline user guide, "Invoke an AWS Lambda function in a pipeline in CodePipeline".
#[must_use]
pub fn job(id: &str, user_parameters: Option<&str>, continuation_token: Option<&str>) -> String {
    let [access_key_id, secret_access_key, session_token] = ARTIFACT_CREDENTIALS;
    let parameters = user_parameters.map_or_else(|| json!({}), |text| json!({ "UserParameters": text }));
    let continuation = continuation_token.map_or_else(|| json!({}), |token| json!({ "continuationToken": token }));
    let location = json!({
        "type": "S3",
        "s3Location": { "bucketName": format!("codepipeline-{REGION}-1234567890"), "objectKey": "site/build/EXAMPLE.zip" },
    });
    let data = json!({
        "actionConfiguration": { "configuration": with(json!({ "FunctionName": "invalidator" }), parameters) },
        "inputArtifacts": [{ "name": "build", "revision": null, "location": location }],
        "outputArtifacts": [],
        "artifactCredentials": {
            "accessKeyId": access_key_id,
            "secretAccessKey": secret_access_key,
            "sessionToken": session_token,
        },
    });
    json!({ "CodePipeline.job": { "id": id, "accountId": ACCOUNT, "data": with(data, continuation) } }).to_string()
}
