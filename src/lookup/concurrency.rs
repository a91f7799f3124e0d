//! Bounded concurrency in which calls that hang do not block the others.
//!
//! A call holds a permit. One that has been in flight for long no longer does, unless there are very many such calls:
//! waiting for it costs next to nothing, while the calls behind it may be answered at once.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The most calls in flight, as a multiple of the permits. Each call holds a connection, and a Lambda process has at
/// most 1,024 file descriptors (Lambda quotas).
pub const MAX_CALLS_PER_PERMIT: usize = 4;

/// Makes a call for each of the items, with at most `count` permits, and collects the outputs in the order in which the
/// calls end. Calls are not cancelled after `max_hold`, when they lose their permit: each must observe its deadline by
/// itself.
pub async fn run<T, O, R: Default + Extend<O>>(
    mut items: Vec<T>,
    count: usize,
    max_hold: Duration,
    call: impl AsyncFn(T) -> O,
) -> R {
    // If there is not enough time for all, it should not always be the same ones that fail.
    fastrand::shuffle(&mut items);
    let permits = Semaphore::new(count);
    let with_permit = |item| async { hold(permits.acquire().await, max_hold, call(item)).await };
    stream::iter(items).map(with_permit).buffer_unordered(count * MAX_CALLS_PER_PERMIT).collect().await
}

/// Returns the output of a call. Its `permit` is dropped with its end, or once it has been in flight for `max_hold`.
pub async fn hold<P, C: Future>(permit: P, max_hold: Duration, call: C) -> C::Output {
    let mut call = pin!(call);
    let ended = timeout(max_hold, &mut call).await;
    drop(permit);
    match ended {
        Ok(output) => output,
        Err(_) => call.await,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test]
    async fn a_call_that_hangs_gives_up_its_permit() {
        let (start, max_hold) = (Instant::now(), Duration::from_millis(100));
        let starts = RefCell::new(Vec::new());
        let call = async |_| {
            starts.borrow_mut().push(start.elapsed());
            // The second call ends before it loses its permit.
            let is_second = starts.borrow().len() == 2;
            sleep(if is_second { max_hold / 4 } else { Duration::from_mins(1) }).await;
        };
        let calls = run::<_, _, Vec<_>>((0..20).collect(), 2, max_hold, call);
        assert!(timeout(max_hold * 20, calls).await.is_err());
        let starts = starts.take();
        let quarters: Vec<_> = starts.iter().map(|start| start.as_millis() / (max_hold.as_millis() / 4)).collect();
        assert_eq!(quarters.len(), 1 + 2 * MAX_CALLS_PER_PERMIT, "each of them costs a connection: {quarters:?}");
        for (quarter, earliest) in quarters.iter().zip([0, 0, 1, 4, 5, 8, 9, 12, 13]) {
            assert!(*quarter >= earliest, "{quarters:?}");
        }
    }

    #[tokio::test]
    async fn at_most_count_calls_run_and_all_finish() {
        let (running, most_running) = (Cell::new(0), Cell::new(0));
        let call = async |number| {
            running.set(running.get() + 1);
            most_running.set(running.get().max(most_running.get()));
            sleep(Duration::from_millis(5)).await;
            running.set(running.get() - 1);
            number
        };
        let mut outputs: Vec<_> = run((0..20).collect(), 4, Duration::from_secs(1), call).await;
        outputs.sort_unstable();
        assert_eq!(outputs, (0..20).collect::<Vec<_>>());
        assert_eq!(most_running.get(), 4);
    }

    #[tokio::test]
    async fn hanging_calls_delay_no_others() {
        let answered = Cell::new(0);
        let call = async |number| {
            sleep(if number < 8 { Duration::from_mins(1) } else { Duration::ZERO }).await;
            answered.set(answered.get() + 1);
        };
        let deadline = Instant::now() + Duration::from_millis(100);
        let calls = run::<_, _, Vec<_>>((0..12).collect(), 4, Duration::from_millis(25), call);
        let ended = tokio::time::timeout_at(deadline, calls).await;
        assert!(ended.is_err());
        assert_eq!(answered.get(), 4);
    }
}
