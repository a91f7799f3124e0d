//! The bucket tags that `link` and `unlink` write, and which tool manages the bucket according to its tags.

use std::collections::BTreeSet;

use crate::change::{DistributionId, NameError};
use crate::path::Tags;

pub use crate::path::LINK_TAG;

/// The entry of [`LINK_TAG`] for a bucket whose EventBridge events `link` enabled.
const EVENT_BRIDGE_WORD: &str = "EventBridge";

/// The key prefix of AWS's system tags, which do not count toward [`MAX_TAGS`].
const SYSTEM_PREFIX: &str = "aws:";

/// The most tags of a bucket. Source: S3 user guide, "Using cost allocation S3 bucket tags".
const MAX_TAGS: usize = 50;
/// The longest value of a tag, in characters. Source: as above.
const MAX_VALUE_LENGTH: usize = 256;

/// Why a bucket's tags cannot be read or changed as requested.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagsError {
    /// The tag that names the distributions has a value that is not a distribution ID.
    #[error("the bucket's tag \"{tag}\" is invalid: {error}; correct the tag")]
    InvalidDistributionId {
        /// The key of the tag.
        tag: String,
        /// What is wrong with the value.
        error: NameError,
    },
    /// The bucket would have more tags than S3 allows.
    #[error("the bucket would have more than {MAX_TAGS} tags; remove some")]
    TooMany,
    /// The value of the tag with this key would be longer than S3 allows.
    #[error("the value of tag \"{0}\" would have more than {MAX_VALUE_LENGTH} characters; name fewer distributions")]
    TooLong(String),
}

/// Returns the tags with these distributions added. `sets_event_bridge` is the new record of whether `link` enabled
/// EventBridge events; `None` keeps the current one.
pub(super) fn linked_tags(
    before: &Tags,
    tag: &str,
    distributions: &[DistributionId],
    sets_event_bridge: Option<bool>,
) -> Result<Tags, TagsError> {
    let named = named(before, tag)?;
    let added: BTreeSet<_> = distributions.iter().filter(|id| !named.contains(*id)).cloned().collect();
    let mut ownership = OwnershipTag::of(before, &named);
    ownership.added.extend(added.iter().map(ToString::to_string));
    ownership.enabled_event_bridge = sets_event_bridge.unwrap_or(ownership.enabled_event_bridge);
    let mut after = before.clone();
    if !added.is_empty() {
        // Appended, so that the existing value stays exactly as it is.
        let words = before.get(tag).cloned().into_iter().chain(added.iter().map(ToString::to_string));
        after.insert(tag.to_owned(), words.collect::<Vec<_>>().join(" "));
    }
    ownership.write(&mut after);
    let user_tag_count = |tags: &Tags| tags.keys().filter(|key| !key.starts_with(SYSTEM_PREFIX)).count();
    if user_tag_count(&after) > MAX_TAGS && user_tag_count(&after) > user_tag_count(before) {
        return Err(TagsError::TooMany);
    }
    match [tag, LINK_TAG]
        .into_iter()
        .find(|key| after.get(*key).is_some_and(|it| it.chars().count() > MAX_VALUE_LENGTH))
    {
        Some(tag) => Err(TagsError::TooLong(tag.to_owned())),
        None => Ok(after),
    }
}

/// Whether `link` enabled the bucket's EventBridge events.
pub(super) fn enabled_event_bridge(tags: &Tags) -> bool {
    OwnershipTag::of(tags, &BTreeSet::new()).enabled_event_bridge
}

/// The tags that remain after an unlink, and what else it removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemainingTags {
    /// The remaining tags.
    pub(super) tags: Tags,
    /// Distributions to remove that the tag names and that `link` did not add. They stay.
    pub(super) foreign: Vec<DistributionId>,
    /// Whether nothing that `link` added remains, so that its notification rules and permission are removed too.
    pub(super) removes_last: bool,
    /// Whether the bucket did not have the tag [`LINK_TAG`].
    pub(super) has_no_ownership_tag: bool,
    /// Whether `link` had enabled EventBridge events.
    pub(super) enabled_event_bridge: bool,
}

/// Removes those of these distributions that `link` added; all that it added if none are given. `everything`: also those
/// that it did not add.
pub(super) fn unlinked_tags(
    before: &Tags,
    tag: &str,
    distributions: &[DistributionId],
    everything: bool,
) -> Result<RemainingTags, TagsError> {
    let named = named(before, tag)?;
    let mut ownership = OwnershipTag::of(before, &named);
    let requested: BTreeSet<_> = if distributions.is_empty() {
        named.iter().cloned().collect()
    } else {
        distributions.iter().cloned().collect()
    };
    let (own, foreign): (Vec<_>, Vec<_>) = requested
        .into_iter()
        .filter(|id| named.contains(id))
        .partition(|id| everything || ownership.added.contains(id.as_str()));
    for id in &own {
        ownership.added.remove(id.as_str());
    }
    let removes_last = distributions.is_empty() || (!own.is_empty() && ownership.added.is_empty());
    let enabled_event_bridge = ownership.enabled_event_bridge;
    if removes_last {
        ownership = OwnershipTag::default();
    }
    let mut tags = before.clone();
    if let Some(value) = before.get(tag).filter(|_| !own.is_empty()) {
        let rest = own.iter().fold(value.clone(), |value, id| without_word(&value, id.as_str()));
        if rest.trim().is_empty() {
            tags.remove(tag);
        } else {
            tags.insert(tag.to_owned(), rest);
        }
    }
    ownership.write(&mut tags);
    let has_no_ownership_tag = !before.contains_key(LINK_TAG);
    Ok(RemainingTags { tags, foreign, removes_last, has_no_ownership_tag, enabled_event_bridge })
}

/// Returns the text without this word and the whitespace character before it, or after it if the word is the first.
/// Everything else stays exactly as it is.
fn without_word(text: &str, word: &str) -> String {
    let is_whole = |at: usize| {
        let (before, after) = (text.get(..at), text.get(at + word.len()..));
        before.is_none_or(|it| it.is_empty() || it.ends_with(char::is_whitespace))
            && after.is_none_or(|it| it.is_empty() || it.starts_with(char::is_whitespace))
    };
    let Some(at) = text.match_indices(word).map(|(at, _)| at).find(|at| is_whole(*at)) else { return text.to_owned() };
    let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + word.len()..).unwrap_or_default());
    match before.strip_suffix(char::is_whitespace) {
        Some(before) => format!("{before}{after}"),
        None => after.strip_prefix(char::is_whitespace).unwrap_or(after).to_owned(),
    }
}

fn named(tags: &Tags, tag: &str) -> Result<BTreeSet<DistributionId>, TagsError> {
    let Some(value) = tags.get(tag) else { return Ok(BTreeSet::new()) };
    let ids = DistributionId::parse_tag(value)
        .map_err(|error| TagsError::InvalidDistributionId { tag: tag.to_owned(), error })?;
    Ok(ids.into_iter().collect())
}

fn joined<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(" ")
}

/// The parsed value of [`LINK_TAG`].
#[derive(Default)]
struct OwnershipTag {
    added: BTreeSet<String>,
    enabled_event_bridge: bool,
}

impl OwnershipTag {
    /// Parses the tag. Distributions that the bucket's tag no longer names are dropped.
    fn of(tags: &Tags, named: &BTreeSet<DistributionId>) -> Self {
        let mut added: BTreeSet<_> =
            tags.get(LINK_TAG).map(|it| it.split_whitespace().map(ToOwned::to_owned).collect()).unwrap_or_default();
        let enabled_event_bridge = added.remove(EVENT_BRIDGE_WORD);
        added.retain(|id| named.iter().any(|it| it.as_str() == id));
        Self { added, enabled_event_bridge }
    }

    fn write(self, tags: &mut Tags) {
        let bridge = self.enabled_event_bridge.then(|| EVENT_BRIDGE_WORD.to_owned());
        let value = joined(self.added.into_iter().chain(bridge));
        if value.is_empty() {
            tags.remove(LINK_TAG);
        } else {
            tags.insert(LINK_TAG.to_owned(), value);
        }
    }
}

/// The tool that manages a bucket's configuration and may overwrite what `link` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagedBy {
    /// A CloudFormation stack, by its name.
    CloudFormation(String),
    /// Terraform or `OpenTofu`, according to a tag that a person set; neither sets one itself.
    Terraform,
}

impl ManagedBy {
    pub(super) fn of(tags: &Tags) -> Option<Self> {
        if let Some(stack) = tags.get("aws:cloudformation:stack-name") {
            return Some(Self::CloudFormation(stack.clone()));
        }
        let says = |text: &str| ["terraform", "opentofu"].iter().any(|tool| text.to_ascii_lowercase().contains(tool));
        tags.iter().any(|(key, value)| says(key) && value != "false" || says(value)).then_some(Self::Terraform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[(&str, &str)]) -> Tags {
        tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn ids(ids: &[&str]) -> Vec<DistributionId> {
        ids.iter().map(|id| DistributionId::new(id).unwrap()).collect()
    }

    #[test]
    fn unlink_removes_what_link_added() {
        for before in [
            tags(&[]),
            tags(&[("team", "web"), ("aws:cloudformation:stack-name", "site")]),
            tags(&[("distributionId", "E9  E7"), ("team", "web")]),
        ] {
            for sets_event_bridge in [false, true] {
                let once =
                    linked_tags(&before, "distributionId", &ids(&["E2", "E1"]), sets_event_bridge.then_some(true))
                        .unwrap();
                assert_eq!(linked_tags(&once, "distributionId", &ids(&["E1", "E2"]), None).unwrap(), once);
                let unlinked = unlinked_tags(&once, "distributionId", &[], false).unwrap();
                assert_eq!(
                    (unlinked.tags, unlinked.removes_last, unlinked.enabled_event_bridge),
                    (before.clone(), true, sets_event_bridge)
                );
            }
        }
    }

    #[test]
    fn one_of_several_distributions_can_be_unlinked() {
        let before = tags(&[("distributionId", "E7")]);
        let both = linked_tags(&before, "distributionId", &ids(&["E1", "E2"]), Some(true)).unwrap();
        assert_eq!(both["distributionId"], "E7 E1 E2");
        assert_eq!(both[LINK_TAG], "E1 E2 EventBridge");
        let one = unlinked_tags(&both, "distributionId", &ids(&["E1"]), false).unwrap();
        assert_eq!((one.tags["distributionId"].as_str(), one.removes_last), ("E7 E2", false));
        assert_eq!(one.tags[LINK_TAG], "E2 EventBridge");
        let last = unlinked_tags(&one.tags, "distributionId", &ids(&["E2"]), false).unwrap();
        assert_eq!((&last.tags, last.removes_last, last.enabled_event_bridge), (&before, true, true));
        let foreign = unlinked_tags(&one.tags, "distributionId", &ids(&["E7", "E8"]), false).unwrap();
        assert_eq!((foreign.tags, foreign.foreign, foreign.removes_last), (one.tags, ids(&["E7"]), false));
    }

    #[test]
    fn unlinking_what_link_did_not_add_removes_nothing() {
        let manually_tagged = tags(&[("distributionId", "E1")]);
        for id in ["E1", "E9"] {
            let rest = unlinked_tags(&manually_tagged, "distributionId", &ids(&[id]), false).unwrap();
            assert_eq!(
                (rest.tags, rest.removes_last, rest.has_no_ownership_tag),
                (manually_tagged.clone(), false, true)
            );
        }
        // E1 was removed from the tag manually after `link` added it.
        let edited = tags(&[("distributionId", "E2"), (LINK_TAG, "E1 E2")]);
        let rest = unlinked_tags(&edited, "distributionId", &ids(&["E2"]), false).unwrap();
        assert_eq!((rest.tags, rest.removes_last), (Tags::new(), true));
    }

    #[test]
    fn what_link_did_not_add_is_removed_on_request() {
        let of_a_template = tags(&[("distributionId", "E1 E2"), ("team", "web")]);
        let rest = unlinked_tags(&of_a_template, "distributionId", &ids(&["E1"]), true).unwrap();
        assert_eq!((rest.tags, rest.foreign), (tags(&[("distributionId", "E2"), ("team", "web")]), Vec::new()));
        let rest = unlinked_tags(&of_a_template, "distributionId", &[], true).unwrap();
        assert_eq!((rest.tags, rest.removes_last), (tags(&[("team", "web")]), true));
    }

    #[test]
    fn only_whole_words_are_removed() {
        for (text, word, expected) in [
            ("E1", "E1", ""),
            ("E1 E12", "E1", "E12"),
            ("E12 E1", "E1", "E12"),
            ("E9  E7 E1 ", "E1", "E9  E7 "),
            ("E12", "E1", "E12"),
        ] {
            assert_eq!(without_word(text, word), expected, "{text}");
        }
    }

    #[test]
    fn invalid_too_many_and_too_long_tags_are_errors() {
        let bad = tags(&[("distributionId", "nonsense")]);
        assert!(
            linked_tags(&bad, "distributionId", &ids(&["E1"]), None).unwrap_err().to_string().contains("\"nonsense\"")
        );
        let mut many: Tags = (0..49).map(|n| (format!("key{n}"), String::new())).collect();
        many.insert("aws:cloudformation:stack-name".into(), "site".into());
        assert_eq!(linked_tags(&many, "distributionId", &ids(&["E1"]), None), Err(TagsError::TooMany));
        let long: Vec<_> = (100..130).map(|n| format!("E{n}000000000")).collect();
        let long = ids(&long.iter().map(String::as_str).collect::<Vec<_>>());
        let error = linked_tags(&tags(&[]), "distributionId", &long, None);
        assert_eq!(error, Err(TagsError::TooLong("distributionId".into())));
    }

    #[test]
    fn the_managing_tool_is_read_from_tags() {
        let stack = tags(&[("aws:cloudformation:stack-name", "site"), ("ManagedBy", "Terraform")]);
        assert_eq!(ManagedBy::of(&stack), Some(ManagedBy::CloudFormation("site".into())));
        assert_eq!(ManagedBy::of(&tags(&[("managed-by", "terraform-cloud")])), Some(ManagedBy::Terraform));
        assert_eq!(ManagedBy::of(&tags(&[("Terraform", "true")])), Some(ManagedBy::Terraform));
        assert_eq!(ManagedBy::of(&tags(&[("Terraform", "false"), ("team", "web")])), None);
    }
}
