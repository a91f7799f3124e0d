//! A point in time, as events and log lines contain it. This module does not read the clock.

use std::fmt;
use std::num::NonZeroU64;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time after the Unix epoch, in milliseconds. The epoch itself is rejected: the event template of the
/// Lambda console contains it as a placeholder.
///
/// ```
/// use s3_cloudfront_invalidator::change::Timestamp;
///
/// let time = Timestamp::parse("2026-01-02T03:04:05.006Z").unwrap();
/// assert_eq!(time, Timestamp::parse("2026-01-02T05:04:05.006+02:00").unwrap());
/// assert_eq!((time.milliseconds(), time.to_string().as_str()), (1_767_323_045_006, "2026-01-02T03:04:05.006Z"));
/// assert_eq!(Timestamp::parse("1970-01-01T00:00:00.000Z"), None);
/// assert_eq!(Timestamp::parse("yesterday"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// Returns the time `milliseconds` after the Unix epoch. Returns `None` for the epoch itself and after the year
    /// 9999.
    #[must_use]
    pub fn new(milliseconds: u64) -> Option<Self> {
        date(milliseconds)?;
        NonZeroU64::new(milliseconds).map(Self)
    }

    /// Parses an RFC 3339 time, the format of S3 and EventBridge, truncated to milliseconds. Returns `None` for any
    /// other text and for a time that [`Timestamp::new`] rejects.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let milliseconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos() / 1_000_000;
        Self::new(u64::try_from(milliseconds).ok()?)
    }

    /// Converts a system time. Returns `None` before 1970 and for a time that [`Timestamp::new`] rejects.
    #[must_use]
    pub fn from_system_time(time: SystemTime) -> Option<Self> {
        let passed = time.duration_since(UNIX_EPOCH).ok()?;
        Self::new(u64::try_from(passed.as_millis()).ok()?)
    }

    /// Returns the time in milliseconds since the Unix epoch.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        self.0.get()
    }

    /// Returns the milliseconds from `earlier` to this time. Returns 0 if `earlier` is later, since clocks differ.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.milliseconds().saturating_sub(earlier.milliseconds())
    }
}

fn date(milliseconds: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
}

/// RFC 3339 in UTC, with milliseconds.
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
    fn elapsed_time_is_never_negative() {
        let [earlier, later] = [1, 5].map(|it| Timestamp::new(it).unwrap());
        assert_eq!((later.since(earlier), earlier.since(later)), (4, 0));
    }
}
