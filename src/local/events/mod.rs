//! Events as AWS writes them, with every field that the services send.
//!
//! Times, signatures, checksums and ids that nobody gave are made up: nothing that takes events may depend on them.

mod codepipeline;
mod lambda;
mod messages;
mod s3;

use serde_json::Value;

pub use self::codepipeline::{ARTIFACT_CREDENTIALS, job};
pub use self::lambda::invocation_record;
pub use self::messages::{sns, sns_notification, sqs};
pub use self::s3::{encode_key, event_bridge, notification, record};

/// An object with the fields of another added.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}
