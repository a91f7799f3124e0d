//! Retries of one call to AWS.

use tokio::time::{Instant, sleep, timeout_at};

use super::{CallLimits, stats};
use crate::aws::CallError;

/// Makes a call until it succeeds or fails permanently, within the limits. It is not made after `deadline`. `operation`
/// is AWS's name of the call.
///
/// # Errors
/// The last error, or a timeout.
pub async fn retry<T>(
    operation: &str,
    limits: &CallLimits,
    deadline: Instant,
    call: impl AsyncFn() -> Result<T, CallError>,
) -> Result<T, CallError> {
    let mut failures = 0;
    loop {
        let now = Instant::now();
        // A lookup may get its permit only after the deadline. Even a call that is given up at once would cost the
        // time to build and sign the request.
        if now >= deadline {
            return Err(CallError::timed_out(operation));
        }
        let answer = timeout_at(limits.attempt_end(now, deadline), call()).await;
        let delay = limits.delay(failures);
        failures += 1;
        match answer.unwrap_or_else(|_| Err(CallError::timed_out(operation))) {
            Err(error)
                if error.class.is_transient() && failures < limits.attempts && Instant::now() + delay < deadline =>
            {
                sleep(delay).await;
                stats::count(|stats| stats.retries += 1);
            }
            answer => return answer,
        }
    }
}
