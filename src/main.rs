//! The Lambda function's binary: reads the configuration, creates the `App` and runs the event loop.

use std::env;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, bail};
use lambda_runtime::service_fn;
use s3_cloudfront_invalidator::aws;
use s3_cloudfront_invalidator::config::Config;
use s3_cloudfront_invalidator::handler::deadline::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT};
use s3_cloudfront_invalidator::handler::{self, App};
use s3_cloudfront_invalidator::report::{Metrics, logging};

/// The environment variables that Lambda sets for every function and that its runtime requires.
const RUNTIME_VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // A value that is not UTF-8 still counts as set, so that it is validated instead of replaced by the default.
    let variable = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    tracing::subscriber::set_global_default(logging::subscriber(variable, std::io::stdout, aws::SILENT_CRATES))?;
    if let Some(missing) = RUNTIME_VARIABLES.iter().find(|name| variable(name).is_none()) {
        bail!(
            "{missing} is not set: this program runs only in AWS Lambda; run scripts/demo to try the function locally"
        );
    }
    let init = async {
        anyhow::Ok((
            Config::from_lookup(variable)?,
            aws::config_loader(CONNECT_TIMEOUT, ATTEMPT_TIMEOUT)?.0.load().await,
        ))
    };
    let (config, sdk) = match init.await {
        Ok(init) => init,
        Err(error) => {
            if let Err(report_error) =
                handler::report_init_error(handler::CONFIGURATION_ERROR, &error.to_string()).await
            {
                tracing::error!(
                    error = format!("{report_error:#}"),
                    "the initialization error could not be reported to Lambda"
                );
            }
            return Err(error).context(handler::CONFIGURATION_ERROR);
        }
    };
    let metrics = config.metrics.then(|| Metrics::new(variable));
    let app = App::new(config, &sdk, Arc::new(SystemTime::now));
    let (app, metrics) = (&app, metrics.as_ref());
    lambda_runtime::run(service_fn(move |event| handler::handle(app, metrics, event)))
        .await
        .map_err(anyhow::Error::from_boxed)
}
