//! Reading variables, and gathering all that is wrong with them.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::text::excerpt;

/// The longest life a remembered answer may be given, in seconds: a day.
const MAX_TTL_SECONDS: u64 = 86_400;

/// A variable whose value is no good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    variable: &'static str,
    value: String,
    expected: String,
}

/// All that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(super) Vec<Defect>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Defect { variable, value, expected }) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{variable}=\"{value}\" is not {expected}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Reads variables and gathers what is wrong with them.
pub(super) struct Reader<F> {
    pub(super) lookup: F,
    pub(super) defects: Vec<Defect>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// The value of `variable` as `parse` understands it; `default` where it is absent, and where it is bad.
    pub(super) fn read<T>(
        &mut self,
        variable: &'static str,
        default: T,
        expected: impl fmt::Display,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let Some(value) = (self.lookup)(variable) else { return default };
        parse(value.trim()).unwrap_or_else(|| {
            self.defects.push(Defect { variable, value: excerpt(&value), expected: expected.to_string() });
            default
        })
    }

    pub(super) fn number(&mut self, variable: &'static str, default: u64, least: u64, most: u64, unit: &str) -> u64 {
        let expected = format_args!("a number of {unit} from {least} to {most}");
        self.read(variable, default, expected, |value| value.parse().ok().filter(|it| (least..=most).contains(it)))
    }

    pub(super) fn seconds(&mut self, variable: &'static str, default: u64) -> Duration {
        Duration::from_secs(self.number(variable, default, 0, MAX_TTL_SECONDS, "seconds"))
    }

    /// What is read from AWS if it helps and may be.
    pub(super) fn switch(&mut self, variable: &'static str) -> bool {
        self.read(variable, true, "\"auto\" or \"off\"", |value| match value {
            "auto" => Some(true),
            "off" => Some(false),
            _ => None,
        })
    }

    /// A number that fits in 32 bits, as its bounds do.
    pub(super) fn small_number(
        &mut self,
        variable: &'static str,
        default: u32,
        least: u32,
        most: u32,
        unit: &str,
    ) -> u32 {
        let number = self.number(variable, default.into(), least.into(), most.into(), unit);
        u32::try_from(number).unwrap_or(default)
    }

    pub(super) fn limit(&mut self, variable: &'static str, default: NonZeroUsize, most: NonZeroUsize) -> NonZeroUsize {
        let expected = format_args!("a number from 1 to {most}");
        self.read(variable, default, expected, |value| value.parse().ok().filter(|&number| number <= most))
    }
}
