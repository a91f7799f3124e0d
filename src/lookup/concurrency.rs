//! Bounded concurrency in which calls that hang do not block the others.
//!
//! A call holds a permit. One that has been in flight for long no longer does, unless there are very many such calls:
//! waiting for it costs next to nothing, while the calls behind it may be answered at once.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

/// The longest time for which a call holds a permit.
const MAX_HOLD: Duration = Duration::from_secs(1);
/// A call holds a permit for at most the time that there is for all calls, divided by this.
const HOLD_DIVISOR: u32 = 4;

/// The most calls in flight, as a multiple of the permits. Each call holds a connection, and a Lambda process has at
/// most 1,024 file descriptors (Lambda quotas).
const MAX_CALLS_PER_PERMIT: usize = 4;

/// Permits for concurrent calls. The caller tracks its calls with [`acquire`](Self::acquire) and
/// [`release`](Self::release).
pub struct Permits {
    count: usize,
    max_hold: Duration,
    /// When each call in flight started.
    starts: Vec<Instant>,
}

impl Permits {
    /// Creates `count` permits, at least one, for calls between `now` and `deadline`.
    #[must_use]
    pub fn new(count: usize, now: Instant, deadline: Instant) -> Self {
        let max_hold = MAX_HOLD.min(deadline.saturating_duration_since(now) / HOLD_DIVISOR);
        Self { count: count.max(1), max_hold, starts: Vec::new() }
    }

    /// Returns when a permit for another call is available: `now` or later. `None` if a call must end first.
    #[must_use]
    pub fn available_from(&self, now: Instant) -> Option<Instant> {
        if self.starts.len() >= self.count * MAX_CALLS_PER_PERMIT {
            return None;
        }
        let ends = self.starts.iter().map(|start| *start + self.max_hold).filter(|end| *end > now);
        if ends.clone().count() < self.count { Some(now) } else { ends.min() }
    }

    /// Records that a call starts.
    pub fn acquire(&mut self, now: Instant) {
        self.starts.push(now);
    }

    /// Records the end of a call that started at `start`.
    pub fn release(&mut self, start: Instant) {
        if let Some(index) = self.starts.iter().position(|it| *it == start) {
            self.starts.swap_remove(index);
        }
    }
}

/// Runs all calls with at most `count` permits and returns their outputs in the order in which they end. Calls are not
/// cancelled at `deadline`: each must observe it by itself.
pub async fn run<C>(calls: impl IntoIterator<Item = C>, count: usize, deadline: Instant) -> Vec<C::Output>
where
    C: Future,
{
    let mut calls = calls.into_iter().peekable();
    let mut permits = Permits::new(count, Instant::now(), deadline);
    let mut in_flight = FuturesUnordered::new();
    let mut outputs = Vec::new();
    loop {
        let now = Instant::now();
        let available = permits.available_from(now);
        if available == Some(now)
            && let Some(call) = calls.next()
        {
            permits.acquire(now);
            in_flight.push(async move { (now, call.await) });
            continue;
        }
        let next = available.filter(|_| calls.peek().is_some());
        tokio::select! {
            ended = in_flight.next() => {
                let Some((start, output)) = ended else { return outputs };
                permits.release(start);
                outputs.push(output);
            }
            () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::sleep;

    use super::*;

    #[test]
    fn a_call_that_hangs_gives_up_its_permit() {
        let now = Instant::now();
        let after = |milliseconds| now + Duration::from_millis(milliseconds);
        let mut permits = Permits::new(2, now, after(60_000));
        permits.acquire(now);
        assert_eq!(permits.available_from(now), Some(now));
        permits.acquire(after(300));
        assert_eq!(permits.available_from(after(400)), Some(after(1000)));
        assert_eq!(permits.available_from(after(1000)), Some(after(1000)));
        permits.acquire(after(1000));
        assert_eq!(permits.available_from(after(1100)), Some(after(1300)));
        permits.release(after(300));
        assert_eq!(permits.available_from(after(1100)), Some(after(1100)));
        for second in 2..8 {
            permits.acquire(after(second * 1000));
        }
        assert_eq!(permits.available_from(after(100_000)), None, "each of them costs a connection");
        assert_eq!(Permits::new(2, now, after(800)).max_hold, Duration::from_millis(200));
    }

    #[tokio::test]
    async fn at_most_count_calls_run_and_all_finish() {
        let (running, most_running) = (Cell::new(0), Cell::new(0));
        let (running, most_running) = (&running, &most_running);
        let calls = (0..20).map(|number| async move {
            running.set(running.get() + 1);
            most_running.set(running.get().max(most_running.get()));
            sleep(Duration::from_millis(5)).await;
            running.set(running.get() - 1);
            number
        });
        let mut outputs = run(calls, 4, Instant::now() + Duration::from_secs(8)).await;
        outputs.sort_unstable();
        assert_eq!(outputs, (0..20).collect::<Vec<_>>());
        assert_eq!(most_running.get(), 4);
    }

    #[tokio::test]
    async fn hanging_calls_delay_no_others() {
        let answered = Cell::new(0);
        let answered = &answered;
        let calls = (0..12).map(|number| async move {
            sleep(if number < 8 { Duration::from_mins(1) } else { Duration::ZERO }).await;
            answered.set(answered.get() + 1);
        });
        let deadline = Instant::now() + Duration::from_millis(100);
        let ended = tokio::time::timeout_at(deadline, run(calls, 4, deadline)).await;
        assert!(ended.is_err());
        assert_eq!(answered.get(), 4);
    }
}
