//! CodePipeline jobs. Source: CodePipeline user guide, "JSON event example" of the Lambda invoke action.
//!
//! The event contains live credentials for the pipeline's artifacts. They are never deserialized.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{JsonObject, JsonText};
use super::{EventError, Request};
use crate::change::{FieldError, MAX_ID_LENGTH, checked_name};

checked_name! {
    /// The ID of a job: letters, digits and `-`.
    JobId(1..=MAX_ID_LENGTH),
    |id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        => "is not a job ID (letters, digits and hyphens)",
}

/// A job. Exactly one result must be put for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    /// The ID to put the result for.
    pub id: JobId,
    /// The request in the action's `UserParameters`, or the default request if there are none. An error is reported in
    /// the job's result.
    pub request: Result<Request, FieldError>,
    /// The token of the previous result, if that continued the job.
    pub continuation_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct JobJson<'a> {
    id: Option<JsonText<'a>>,
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct JobData<'a> {
    action_configuration: Option<JsonObject<JobAction<'a>>>,
    continuation_token: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct JobAction<'a> {
    #[serde(borrow)]
    configuration: Option<JsonObject<JobConfiguration<'a>>>,
}

#[derive(Deserialize)]
struct JobConfiguration<'a> {
    #[serde(borrow, rename = "UserParameters")]
    user_parameters: Option<JsonText<'a>>,
}

/// Decodes a job. Only a missing or invalid ID is an error of the event: any other defect is reported in the job's
/// result.
pub(super) fn decode(job: &RawValue) -> Result<Job, EventError> {
    let JsonObject(fields): JsonObject<JobJson<'_>> =
        serde_json::from_str(job.get()).map_err(|_| EventError::JobWithoutId)?;
    let id = fields.id.and_then(|JsonText(id)| JobId::new(&id).ok()).ok_or(EventError::JobWithoutId)?;
    let data = fields.data.and_then(|data| serde_json::from_str(data.get()).ok());
    let Some(JsonObject(data)): Option<JsonObject<JobData<'_>>> = data else {
        // The parser's message is not quoted, as it could contain credentials.
        let request = Err(FieldError::new("", "the job's \"data\" could not be decoded"));
        return Ok(Job { id, request, continuation_token: None });
    };
    let configuration = data.action_configuration.and_then(|it| it.0.configuration);
    let parameters = configuration.and_then(|it| it.0.user_parameters);
    Ok(Job {
        id,
        request: parameters.map_or(Ok(Request::default()), |JsonText(text)| {
            Request::parse_parameters(&text).map_err(|error| error.within("UserParameters"))
        }),
        continuation_token: data.continuation_token.map(|token| {
            // A token that is not a string is kept as JSON, for `ContinuationToken::parse` to validate.
            serde_json::from_str(token.get()).unwrap_or_else(|_| token.get().to_owned())
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, decode};

    fn job(data: &str) -> Job {
        let event = format!(r#"{{"CodePipeline.job":{{"id":"11111111-abcd-1111-abcd-111111abcdef","data":{data}}}}}"#);
        match decode(event.as_bytes()) {
            Ok(Event::Job(job)) => job,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_parameters_everything_is_invalidated() {
        for data in [
            "{}",
            r#"{"actionConfiguration":{"configuration":{"FunctionName":"f"}}}"#,
            r#"{"actionConfiguration":{"configuration":{"UserParameters":"  "}}}"#,
            r#"{"actionConfiguration":{"configuration":{"UserParameters":null}},"continuationToken":null}"#,
        ] {
            let Job { request, continuation_token, .. } = job(data);
            assert_eq!((request, continuation_token), (Ok(Request::default()), None), "{data}");
        }
    }

    #[test]
    fn defects_are_reported_in_the_result_without_credentials() {
        for (data, part) in [
            (r#""hunter2""#, "could not be decoded"),
            (
                r#"{"artifactCredentials":{"secretAccessKey":"hunter2"},"actionConfiguration":"hunter2"}"#,
                "could not be decoded",
            ),
            (r#"{"actionConfiguration":{"configuration":{"UserParameters":5}}}"#, "could not be decoded"),
            (r#"{"actionConfiguration":{"configuration":{"UserParameters":"e1"}}}"#, "UserParameters"),
        ] {
            let message = job(data).request.unwrap_err().to_string();
            assert!(message.contains(part) && !message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn any_continuation_token_is_kept() {
        assert_eq!(job(r#"{"continuationToken":"t"}"#).continuation_token.as_deref(), Some("t"));
        assert_eq!(job(r#"{"continuationToken":""}"#).continuation_token.as_deref(), Some(""));
        assert_eq!(job(r#"{"continuationToken":[5]}"#).continuation_token.as_deref(), Some("[5]"));
    }

    #[test]
    fn a_job_without_an_id_is_an_error() {
        for event in [
            r#"{"CodePipeline.job":null}"#,
            r#"{"CodePipeline.job":"hunter2"}"#,
            r#"{"CodePipeline.job":{"data":{}}}"#,
            r#"{"CodePipeline.job":{"id":"","data":{}}}"#,
            r#"{"CodePipeline.job":{"id":"../hunter2","data":{}}}"#,
        ] {
            assert_eq!(decode(event.as_bytes()), Err(EventError::JobWithoutId), "{event}");
        }
    }
}
