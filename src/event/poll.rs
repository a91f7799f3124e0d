//! The request to poll the function's own queue, which a schedule sends.

use super::fields::{EventFields, JsonText, POLL_QUEUE, read};
use crate::change::text::excerpt;
use crate::change::{FieldError, Timestamp};

/// The name of the field with the time for which the poll was scheduled.
const SCHEDULED_TIME: &str = "scheduledTime";

/// The name of the field with the schedule's interval in minutes.
const INTERVAL_MINUTES: &str = "intervalMinutes";

/// What EventBridge Scheduler replaces by the scheduled time. A person who copies the schedule's input sends it as it
/// is. Source: EventBridge Scheduler user guide, "Adding context attributes".
const SCHEDULED_TIME_ATTRIBUTE: &str = "<aws.scheduler.scheduled-time>";

/// The longest interval of a schedule, in minutes: one day.
const MAX_INTERVAL_MINUTES: u64 = 24 * 60;

/// A request to poll the function's own queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The time for which the poll was scheduled; `None` if a person sent the request.
    scheduled: Option<Timestamp>,
    /// The interval of the schedule. By default it is one minute, the shortest that EventBridge Scheduler has.
    interval_minutes: u64,
}

impl Poll {
    /// Returns whether the poll is older than the schedule's interval, so that the next one is already due: Lambda may
    /// deliver an event long after it was sent, if the function is throttled. A schedule fires less than a minute, the
    /// shortest interval, after the scheduled time (EventBridge Scheduler user guide, "Schedule types").
    #[must_use]
    pub fn is_outdated(&self, now: Option<Timestamp>) -> bool {
        let age = self.scheduled.zip(now).map(|(scheduled, now)| now.since(scheduled));
        age.is_some_and(|milliseconds| milliseconds > self.interval_minutes * 60_000)
    }

    /// The interval of the schedule, in minutes.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn interval_minutes(&self) -> u64 {
        self.interval_minutes
    }

    pub(super) fn from_fields(fields: &EventFields<'_>) -> Result<Self, FieldError> {
        let mut poll = Self { scheduled: None, interval_minutes: 1 };
        for (name, value) in &fields.kept {
            match &**name {
                POLL_QUEUE => {
                    if !read::<bool>(value, name)? {
                        return Err(FieldError::new(POLL_QUEUE, "must be true"));
                    }
                }
                SCHEDULED_TIME => {
                    let JsonText(time) = read(value, name)?;
                    if time != SCHEDULED_TIME_ATTRIBUTE {
                        let invalid = || FieldError::new(SCHEDULED_TIME, "is not a time such as 2026-01-02T03:04:00Z");
                        poll.scheduled = Some(Timestamp::parse(&time).ok_or_else(invalid)?);
                    }
                }
                INTERVAL_MINUTES => {
                    let minutes = read(value, name)?;
                    if !(1..=MAX_INTERVAL_MINUTES).contains(&minutes) {
                        let reason = format!("is not a number from 1 to {MAX_INTERVAL_MINUTES}");
                        return Err(FieldError::new(INTERVAL_MINUTES, &reason));
                    }
                    poll.interval_minutes = minutes;
                }
                other => {
                    let reason =
                        format!("is unknown; the fields are {POLL_QUEUE}, {SCHEDULED_TIME} and {INTERVAL_MINUTES}");
                    return Err(FieldError::new(excerpt(other), &reason));
                }
            }
        }
        Ok(poll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventError, decode};

    fn poll(json: &str) -> Poll {
        match decode(json.as_bytes()) {
            Ok(Event::Poll(poll)) => poll,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_poll_is_outdated_once_the_next_one_is_due() {
        let at = |time: &str| Timestamp::parse(time);
        let minutely = poll(r#"{"pollQueue":true,"scheduledTime":"2026-01-02T03:04:00Z"}"#);
        assert!(!minutely.is_outdated(at("2026-01-02T03:05:00Z")));
        assert!(minutely.is_outdated(at("2026-01-02T03:05:00.001Z")));
        assert!(!minutely.is_outdated(at("2026-01-02T03:03:00Z")), "clocks differ");
        assert!(!minutely.is_outdated(None));
        let slower = poll(r#"{"pollQueue":true,"scheduledTime":"2026-01-02T03:04:00Z","intervalMinutes":5}"#);
        assert!(!slower.is_outdated(at("2026-01-02T03:09:00Z")) && slower.is_outdated(at("2026-01-02T03:09:01Z")));
    }

    /// `aws lambda invoke` with the input as the schedule has it.
    #[test]
    fn the_input_of_the_schedule_is_accepted_as_it_is() {
        let by_hand =
            poll(r#"{"pollQueue":true,"scheduledTime":"<aws.scheduler.scheduled-time>","intervalMinutes":1}"#);
        assert_eq!(by_hand, poll(r#"{"pollQueue":true}"#));
        assert!(!by_hand.is_outdated(Timestamp::parse("9999-01-01T00:00:00Z")));
    }

    #[test]
    fn errors_name_the_field() {
        for (json, expected) in [
            (r#"{"pollQueue":false}"#, "pollQueue: must be true"),
            (r#"{"pollQueue":"true"}"#, "pollQueue: invalid type"),
            (r#"{"pollQueue":true,"scheduledTime":"soon"}"#, "scheduledTime: is not a time"),
            (r#"{"pollQueue":true,"intervalMinutes":0}"#, "intervalMinutes: is not a number from 1 to 1440"),
            (r#"{"pollQueue":true,"queueUrl":"https://x"}"#, "queueUrl: is unknown; the fields are pollQueue,"),
        ] {
            let Err(EventError::Request(error)) = decode(json.as_bytes()) else { panic!("{json}") };
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        for ambiguous in [r#"{"pollQueue":true,"pollQueue":true}"#, r#"{"pollQueue":true,"Records":[]}"#] {
            assert_eq!(decode(ambiguous.as_bytes()), Err(EventError::UnknownKind), "{ambiguous}");
        }
    }
}
