//! A bucket's notification configuration: rules, what two of them have in common, and one more among them.
//!
//! S3 replaces the whole of it at each write, and refuses two rules that could both take the same event.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::change::text::one_line;

/// The event types of a change of content. `ObjectRemoved:*` does not include what a lifecycle rule expires. Source: S3 user
/// guide, "Supported event types for SQS, SNS, and Lambda".
pub const EVENTS: [&str; 3] = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"];

/// What the rules are called that `link` makes; a second one has a number behind.
pub const OWN_RULE: &str = "cloudfront-invalidator";

/// Where a rule sends events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// A function, by its ARN.
    Function(String),
    /// A queue, by its ARN.
    Queue(String),
    /// A topic, by its ARN.
    Topic(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, arn) = match self {
            Self::Function(arn) => ("function", arn),
            Self::Queue(arn) => ("queue", arn),
            Self::Topic(arn) => ("topic", arn),
        };
        // Behind it there may be an alias.
        let name = arn.split_once(":function:").map_or_else(|| name_in(arn), |(_, name)| name);
        write!(f, "{kind} {}", one_line(name))
    }
}

/// The name at the end of an ARN.
#[must_use]
pub fn name_in(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// Which keys a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFilter {
    /// How the keys start; empty for any.
    pub prefix: String,
    /// How the keys end; empty for any.
    pub suffix: String,
}

impl KeyFilter {
    /// Whether every key of the other is one of this.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.prefix.starts_with(&self.prefix) && other.suffix.ends_with(&self.suffix)
    }

    /// Whether there may be a key of both, as S3 sees it: it looks at the starts and the ends apart.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        (self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix))
            && (self.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&self.suffix))
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotificationRule {
    /// Its name; S3 gives it one where there is none.
    pub id: Option<String>,
    /// Where it sends events.
    pub target: Destination,
    /// The types of events, such as `s3:ObjectCreated:*`.
    pub events: BTreeSet<String>,
    /// Which keys it is for.
    pub filter: KeyFilter,
}

impl NotificationRule {
    /// Whether it is called as those that `link` makes.
    #[must_use]
    pub fn has_link_name(&self) -> bool {
        let number = |rest: &str| rest.is_empty() || rest.strip_prefix('-').is_some_and(|it| it.parse::<u32>().is_ok());
        self.id.as_deref().and_then(|id| id.strip_prefix(OWN_RULE)).is_some_and(number)
    }

    /// Whether it takes all events of this type or family.
    #[must_use]
    pub fn covers(&self, event: &str) -> bool {
        self.events.iter().any(|own| is_within(event, own))
    }

    /// Whether S3 would refuse the two beside each other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let is_shared = |event: &String| other.events.iter().any(|it| is_within(it, event) || is_within(event, it));
        self.filter.overlaps(&other.filter) && self.events.iter().any(is_shared)
    }
}

/// Whether an event type is one of a family, such as `s3:ObjectCreated:*`.
fn is_within(event: &str, family: &str) -> bool {
    event == family || family.strip_suffix('*').is_some_and(|start| event.starts_with(start))
}

impl fmt::Display for NotificationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: Vec<_> = self.events.iter().map(|it| it.strip_prefix("s3:").unwrap_or(it)).collect();
        let id = one_line(self.id.as_deref().unwrap_or_default());
        write!(f, "\"{id}\": {} → {}", events.join(", "), self.target)?;
        for (name, value) in [("prefix", &self.filter.prefix), ("suffix", &self.filter.suffix)] {
            if !value.is_empty() {
                write!(f, ", {name} \"{}\"", one_line(value))?;
            }
        }
        Ok(())
    }
}

/// All of a bucket's notification configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// The rules; their order means nothing.
    pub rules: BTreeSet<NotificationRule>,
    /// Whether all events go to EventBridge too.
    pub event_bridge: bool,
}

/// Rules of somebody else's that already take some of the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap(pub Vec<NotificationRule>);

impl Notifications {
    /// Which of the [`EVENTS`] on these keys do not reach the target yet.
    #[must_use]
    pub fn missing(&self, target: &Destination, filter: &KeyFilter) -> Vec<&'static str> {
        let reaches = |event: &str| {
            let match_statement = |rule: &&NotificationRule| rule.target == *target && rule.filter.contains(filter);
            self.rules.iter().filter(match_statement).any(|rule| rule.covers(event))
        };
        EVENTS.into_iter().filter(|event| !reaches(event)).collect()
    }

    /// The same with all events on these keys going to the target. Of the rules that `link` made before, `own`, those that
    /// have some of these keys give way.
    ///
    /// # Errors
    /// [`Overlap`] if rules of others take some of them.
    pub fn with(
        &self,
        target: &Destination,
        filter: &KeyFilter,
        own: &BTreeSet<NotificationRule>,
    ) -> Result<Self, Overlap> {
        let mut after = self.without(own);
        let mut events = after.missing(target, filter);
        let all = NotificationRule {
            id: None,
            target: target.clone(),
            events: EVENTS.map(ToOwned::to_owned).into(),
            filter: filter.clone(),
        };
        // Those for other keys stay.
        after.rules.extend(own.iter().filter(|rule| !rule.overlaps(&all)).cloned());
        if events.is_empty() {
            return Ok(after);
        }
        let events: BTreeSet<_> = events.drain(..).map(ToOwned::to_owned).collect();
        let same =
            |rule: &&NotificationRule| rule.target == all.target && rule.filter == all.filter && rule.events == events;
        let id = own.iter().find(same).map_or_else(|| Some(after.free_id()), |rule| rule.id.clone());
        let added = NotificationRule { id, events, ..all };
        let overlap: Vec<_> = after.rules.iter().filter(|rule| rule.overlaps(&added)).cloned().collect();
        if !overlap.is_empty() {
            return Err(Overlap(overlap));
        }
        after.rules.insert(added);
        Ok(after)
    }

    /// The same without these rules.
    #[must_use]
    pub fn without(&self, rules: &BTreeSet<NotificationRule>) -> Self {
        Self { rules: self.rules.difference(rules).cloned().collect(), ..*self }
    }

    /// An id that no rule has.
    fn free_id(&self) -> String {
        let is_free = |id: &String| self.rules.iter().all(|rule| rule.id.as_ref() != Some(id));
        let further = (2..).map(|number: u32| format!("{OWN_RULE}-{number}"));
        std::iter::once(OWN_RULE.to_owned()).chain(further).find(is_free).unwrap_or_default()
    }

    /// What is in one and not in the other, each as a line: removed with `-`, added with `+`.
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

/// What is in one set of tags and not in the other, each as a line.
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
