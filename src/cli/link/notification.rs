//! A bucket's notification configuration: its rules, whether two of them overlap, and adding one.
//!
//! S3 replaces the whole configuration on each write, and rejects two rules that could match the same event.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::change::text::one_line;

/// The event types of a content change. `ObjectRemoved:*` does not include expirations by a lifecycle rule. Source: S3
/// user guide, "Supported event types for SQS, SNS, and Lambda".
pub const EVENTS: [&str; 3] = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"];

/// The ID of a rule that `link` makes. Further ones have a number appended: `cloudfront-invalidator-2`.
pub const RULE_ID: &str = "cloudfront-invalidator";

/// The destination of a notification rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// A Lambda function, by its ARN.
    Function(String),
    /// An SQS queue, by its ARN.
    Queue(String),
    /// An SNS topic, by its ARN.
    Topic(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, arn) = match self {
            Self::Function(arn) => ("function", arn),
            Self::Queue(arn) => ("queue", arn),
            Self::Topic(arn) => ("topic", arn),
        };
        // An alias that follows a function's name is kept.
        let name = arn.split_once(":function:").map_or_else(|| name_of_arn(arn), |(_, name)| name);
        write!(f, "{kind} {}", one_line(name))
    }
}

/// The last part of an ARN, such as a queue's name.
#[must_use]
pub fn name_of_arn(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// The filter of a rule: which keys it matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFilter {
    /// The prefix of the keys; empty for any.
    pub prefix: String,
    /// The suffix of the keys; empty for any.
    pub suffix: String,
}

impl KeyFilter {
    /// Whether this filter matches every key that `other` matches.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.prefix.starts_with(&self.prefix) && other.suffix.ends_with(&self.suffix)
    }

    /// Whether S3 considers the filters overlapping. It compares prefixes and suffixes independently of each other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        (self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix))
            && (self.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&self.suffix))
    }
}

/// A rule: events of these types and keys are sent to one destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotificationRule {
    /// The ID. S3 assigns one if there is none.
    pub id: Option<String>,
    /// The destination.
    pub destination: Destination,
    /// The event types, such as `s3:ObjectCreated:*`.
    pub events: BTreeSet<String>,
    /// The key filter.
    pub filter: KeyFilter,
}

impl NotificationRule {
    /// Whether the ID is one that `link` gives its rules.
    #[must_use]
    pub fn has_link_id(&self) -> bool {
        let is_number_or_empty =
            |rest: &str| rest.is_empty() || rest.strip_prefix('-').is_some_and(|it| it.parse::<u32>().is_ok());
        self.id.as_deref().and_then(|id| id.strip_prefix(RULE_ID)).is_some_and(is_number_or_empty)
    }

    /// Whether the rule matches all events of this type or family of types.
    #[must_use]
    pub fn includes(&self, event: &str) -> bool {
        self.events.iter().any(|own| is_within(event, own))
    }

    /// Whether S3 would reject the two rules in one configuration.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.filter.overlaps(&other.filter) && self.events.iter().any(|event| other.includes_some(event))
    }

    /// Whether the rule matches some event of this type or family of types.
    #[must_use]
    pub fn includes_some(&self, event: &str) -> bool {
        self.events.iter().any(|own| is_within(own, event) || is_within(event, own))
    }
}

/// Whether an event type belongs to a family such as `s3:ObjectCreated:*`, or equals it.
fn is_within(event: &str, family: &str) -> bool {
    event == family || family.strip_suffix('*').is_some_and(|start| event.starts_with(start))
}

impl fmt::Display for NotificationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: Vec<_> = self.events.iter().map(|it| it.strip_prefix("s3:").unwrap_or(it)).collect();
        let id = one_line(self.id.as_deref().unwrap_or_default());
        write!(f, "\"{id}\": {} → {}", events.join(", "), self.destination)?;
        for (name, value) in [("prefix", &self.filter.prefix), ("suffix", &self.filter.suffix)] {
            if !value.is_empty() {
                write!(f, ", {name} \"{}\"", one_line(value))?;
            }
        }
        Ok(())
    }
}

/// The whole notification configuration of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// The rules. Their order has no meaning.
    pub rules: BTreeSet<NotificationRule>,
    /// Whether all events are sent to EventBridge as well.
    pub event_bridge: bool,
}

/// The rules that `link` did not make and that already match some of the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap(pub Vec<NotificationRule>);

impl Notifications {
    /// Returns those of [`EVENTS`] that no rule sends to the destination for all keys of the filter.
    #[must_use]
    pub fn missing(&self, destination: &Destination, filter: &KeyFilter) -> Vec<&'static str> {
        let reaches = |event: &str| {
            let is_match = |rule: &&NotificationRule| rule.destination == *destination && rule.filter.contains(filter);
            self.rules.iter().filter(is_match).any(|rule| rule.includes(event))
        };
        EVENTS.into_iter().filter(|event| !reaches(event)).collect()
    }

    /// Returns the configuration with all [`EVENTS`] on these keys sent to the destination. Of `own`, the rules that
    /// `link` made before, those that overlap are replaced.
    ///
    /// # Errors
    /// [`Overlap`] if other rules match some of the events.
    pub fn with(
        &self,
        destination: &Destination,
        filter: &KeyFilter,
        own: &BTreeSet<NotificationRule>,
    ) -> Result<Self, Overlap> {
        let mut after = self.without(own);
        let mut events = after.missing(destination, filter);
        let all = NotificationRule {
            id: None,
            destination: destination.clone(),
            events: EVENTS.map(ToOwned::to_owned).into(),
            filter: filter.clone(),
        };
        // The rules of `link` for other keys stay.
        after.rules.extend(own.iter().filter(|rule| !rule.overlaps(&all)).cloned());
        if events.is_empty() {
            return Ok(after);
        }
        let events: BTreeSet<_> = events.drain(..).map(ToOwned::to_owned).collect();
        let same = |rule: &&NotificationRule| {
            rule.destination == all.destination && rule.filter == all.filter && rule.events == events
        };
        let id = own.iter().find(same).map_or_else(|| Some(after.free_id()), |rule| rule.id.clone());
        let added = NotificationRule { id, events, ..all };
        let overlap: Vec<_> = after.rules.iter().filter(|rule| rule.overlaps(&added)).cloned().collect();
        if !overlap.is_empty() {
            return Err(Overlap(overlap));
        }
        after.rules.insert(added);
        Ok(after)
    }

    /// Returns the configuration without these rules.
    #[must_use]
    pub fn without(&self, rules: &BTreeSet<NotificationRule>) -> Self {
        Self { rules: self.rules.difference(rules).cloned().collect(), ..*self }
    }

    /// Returns an ID for a rule of `link` that no rule has.
    fn free_id(&self) -> String {
        let is_free = |id: &String| self.rules.iter().all(|rule| rule.id.as_ref() != Some(id));
        let further = (2..).map(|number: u32| format!("{RULE_ID}-{number}"));
        std::iter::once(RULE_ID.to_owned()).chain(further).find(is_free).unwrap_or_default()
    }

    /// The differences between two configurations, one line each: `-` removed, `+` added.
    #[must_use]
    pub fn difference(&self, after: &Self) -> Vec<String> {
        let removed = self.rules.difference(&after.rules).map(|rule| format!("- {rule}"));
        let added = after.rules.difference(&self.rules).map(|rule| format!("+ {rule}"));
        let bridge = match (self.event_bridge, after.event_bridge) {
            (false, true) => Some("+ all events to EventBridge".to_owned()),
            (true, false) => Some("- all events to EventBridge".to_owned()),
            _ => None,
        };
        removed.chain(added).chain(bridge).collect()
    }
}

/// The differences between two tag sets, one line each: `-` removed, `+` added, `~` changed.
pub(super) fn tag_difference(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let line = |key: &String| match (before.get(key), after.get(key)) {
        (None, Some(value)) => Some(format!("+ {key} = {value}")),
        (Some(value), None) => Some(format!("- {key} = {value}")),
        (Some(old), Some(new)) if old != new => Some(format!("~ {key} = {new} (was {old})")),
        _ => None,
    };
    keys.into_iter().filter_map(line).map(|line| one_line(&line)).collect()
}
