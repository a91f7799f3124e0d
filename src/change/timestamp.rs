//! A point in time, as events tell it and lines of the log carry it. It asks no clock.

use std::fmt;
use std::num::NonZeroU64;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time after the start of 1970, to the millisecond. That start itself is none: the console's template of an event
/// names it, and means no time.
///
/// ```
/// use s3_cloudfront_invalidator::change::Timestamp;
///
/// let moment = Timestamp::parse("2026-01-02T03:04:05.006Z").unwrap();
/// assert_eq!(moment, Timestamp::parse("2026-01-02T05:04:05.006+02:00").unwrap());
/// assert_eq!((moment.milliseconds(), moment.to_string().as_str()), (1_767_323_045_006, "2026-01-02T03:04:05.006Z"));
/// assert_eq!(Timestamp::parse("1970-01-01T00:00:00.000Z"), None);
/// assert_eq!(Timestamp::parse("yesterday"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// So many milliseconds after the start of 1970; `None` for that start, and beyond the year 9999.
    #[must_use]
    pub fn new(milliseconds: u64) -> Option<Self> {
        date(milliseconds)?;
        NonZeroU64::new(milliseconds).map(Self)
    }

    /// Reads a time as S3 and EventBridge write it; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let milliseconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos() / 1_000_000;
        Self::new(u64::try_from(milliseconds).ok()?)
    }

    /// What a clock says; `None` before 1970.
    #[must_use]
    pub fn of(time: SystemTime) -> Option<Self> {
        let passed = time.duration_since(UNIX_EPOCH).ok()?;
        Self::new(u64::try_from(passed.as_millis()).ok()?)
    }

    /// How many milliseconds after the start of 1970.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        self.0.get()
    }

    /// How many milliseconds have passed from `earlier` to this; none if it is not earlier, as clocks differ.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.milliseconds().saturating_sub(earlier.milliseconds())
    }
}

fn date(milliseconds: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
}

/// As RFC 3339 has it, in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(date) = date(self.milliseconds()) else { return Ok(()) };
        let (year, month, day) = date.to_calendar_date();
        let (hour, minute, second, millisecond) = date.to_hms_milli();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z", u8::from(month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_services_write_them() {
        for (text, milliseconds) in [
            ("1970-01-01T00:00:00.001Z", 1),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000),
            ("2026-01-02T03:04:05.0067Z", 1_767_323_045_006),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(Timestamp::parse(text).map(Timestamp::milliseconds), Some(milliseconds), "{text}");
        }
        for text in ["", "2026-01-02", "2026-13-02T03:04:05Z", "1969-12-31T23:59:59Z", "1767323045006", "\u{0}"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp::new(u64::MAX), None);
    }

    #[test]
    fn no_time_has_passed_since_the_future() {
        let [one, two] = [1, 5].map(|it| Timestamp::new(it).unwrap());
        assert_eq!((two.since(one), one.since(two)), (4, 0));
    }
}
