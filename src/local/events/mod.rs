//! Events as AWS writes them, with every field that the services send.
//!
//! Timestamps, signatures, checksums and ids that no caller gave are made up; no consumer of events may depend on them.

mod codepipeline;
mod lambda;
mod messages;
mod s3;

use serde_json::Value;

pub use self::codepipeline::{ARTIFACT_CREDENTIALS, job};
pub use self::lambda::invocation_record;
pub use self::messages::{sns, sns_notification, sqs};
pub use self::s3::{encode_key, event_bridge, notification, record};

/// Returns `object` with the members of `more` added.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}
