//! A minimal handler with the same libraries: the baseline for measurements of the function.
//!
//! It uses the defaults of the SDK and the runtime, reads only the first record of an event, and sends the raw key as
//! the path. It has no limits and no report.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_config::BehaviorVersion;
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let s3 = &aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    let cloudfront = &aws_sdk_cloudfront::Client::new(&config);
    let distributions = &Mutex::new(HashMap::<String, String>::new());

    let handle = async move |event: LambdaEvent<Value>| -> Result<Value, Error> {
        let record = event.payload.pointer("/Records/0/s3").ok_or("no record")?;
        let text = |pointer| record.pointer(pointer).and_then(Value::as_str).ok_or("no name");
        let (bucket, key) = (text("/bucket/name")?, text("/object/key")?);
        let known = distributions.lock().map_err(|_| "poisoned")?.get(bucket).cloned();
        let distribution = if let Some(id) = known {
            id
        } else {
            let tags = s3.get_bucket_tagging().bucket(bucket).send().await?.tag_set;
            let id = tags.into_iter().find(|tag| tag.key == "distributionId").ok_or("no tag")?.value;
            distributions.lock().map_err(|_| "poisoned")?.insert(bucket.to_owned(), id.clone());
            id
        };
        let paths = Paths::builder().quantity(1).items(format!("/{key}")).build()?;
        let batch = InvalidationBatch::builder().paths(paths).caller_reference(event.context.request_id).build()?;
        cloudfront.create_invalidation().distribution_id(distribution).invalidation_batch(batch).send().await?;
        Ok(Value::Null)
    };
    lambda_runtime::run(service_fn(handle)).await
}
