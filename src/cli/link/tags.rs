//! The bucket tags that `link` and `unlink` write, and which tool manages the bucket according to its tags.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{DistributionId, NameError};
use crate::path::{LINK_TAG_PREFIX, Tags};

/// The entry of an ownership tag for a bucket whose EventBridge events `link` enabled.
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

/// The key of a function's ownership tag.
#[must_use]
pub fn ownership_tag(function: &str) -> String {
    format!("{LINK_TAG_PREFIX}{function}")
}

/// The names of the functions that have an ownership tag.
pub(super) fn linking_functions(tags: &Tags) -> impl Iterator<Item = &str> {
    tags.keys().filter_map(|key| key.strip_prefix(LINK_TAG_PREFIX))
}

/// Whose ownership tags a command may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owners {
    /// The name of the deployment's function; `None` if it no longer exists.
    pub(super) own: Option<String>,
    /// The names of functions that have an ownership tag and no longer exist.
    pub(super) deleted: BTreeSet<String>,
}

impl Owners {
    fn includes(&self, function: &str) -> bool {
        self.own.as_deref() == Some(function) || self.deleted.contains(function)
    }

    /// The names of the other functions that have an ownership tag.
    pub(super) fn others<'t>(&self, tags: &'t Tags) -> Vec<&'t str> {
        linking_functions(tags).filter(|name| !self.includes(name)).collect()
    }

    /// Whether one of these functions has an ownership tag.
    pub(super) fn have_linked(&self, tags: &Tags) -> bool {
        linking_functions(tags).any(|name| self.includes(name))
    }
}

/// Returns the tags with these distributions added. `sets_event_bridge` is the new record of whether `link` enabled
/// EventBridge events; `None` keeps the current one. `replace`: without the distributions that `link` added before.
pub(super) fn linked_tags(
    before: &Tags,
    tag: &str,
    distributions: &[DistributionId],
    owners: &Owners,
    sets_event_bridge: Option<bool>,
    replace: bool,
) -> Result<Tags, TagsError> {
    let named = named(before, tag)?;
    let Ownership { mut added, others, .. } = Ownership::of(before, &named, owners);
    let requested: BTreeSet<_> = distributions.iter().cloned().collect();
    let mut value = before.get(tag).cloned().unwrap_or_default();
    if replace {
        let replaced: Vec<_> = added.iter().filter(|id| !requested.contains(*id)).cloned().collect();
        for id in replaced {
            added.remove(&id);
            if !others.contains_key(&id) {
                value = without_word(&value, id.as_str());
            }
        }
    }
    let new: Vec<_> = requested.iter().filter(|id| !named.contains(*id)).map(ToString::to_string).collect();
    // What another deployment's `link` added belongs to both, so that it stays until both have been unlinked.
    added.extend(requested.into_iter().filter(|id| !named.contains(id) || others.contains_key(id)));
    if !new.is_empty() {
        // Appended, so that the existing value stays exactly as it is.
        let words = Some(value).filter(|it| !it.is_empty()).into_iter().chain(new);
        value = words.collect::<Vec<_>>().join(" ");
    }
    let mut after = before.clone();
    set_or_remove(&mut after, tag, value);
    let enabled_event_bridge = sets_event_bridge.unwrap_or_else(|| enabled_event_bridge(before, owners));
    for name in &owners.deleted {
        after.remove(&ownership_tag(name));
    }
    let own = owners.own.as_deref().map(ownership_tag).unwrap_or_default();
    set_or_remove(&mut after, &own, ownership_value(&added, enabled_event_bridge));
    let user_tag_count = |tags: &Tags| tags.keys().filter(|key| !key.starts_with(SYSTEM_PREFIX)).count();
    if user_tag_count(&after) > MAX_TAGS && user_tag_count(&after) > user_tag_count(before) {
        return Err(TagsError::TooMany);
    }
    match [tag, &own].into_iter().find(|key| after.get(*key).is_some_and(|it| it.chars().count() > MAX_VALUE_LENGTH)) {
        Some(tag) => Err(TagsError::TooLong(tag.to_owned())),
        None => Ok(after),
    }
}

/// Whether `link` enabled the bucket's EventBridge events for one of these owners.
pub(super) fn enabled_event_bridge(tags: &Tags, owners: &Owners) -> bool {
    linking_functions(tags).filter(|name| owners.includes(name)).any(|name| has_event_bridge(tags, name))
}

/// Whether `link` enabled the bucket's EventBridge events for another deployment, which needs them still.
pub(super) fn others_enabled_event_bridge(tags: &Tags, owners: &Owners) -> bool {
    owners.others(tags).into_iter().any(|name| has_event_bridge(tags, name))
}

fn has_event_bridge(tags: &Tags, function: &str) -> bool {
    words(tags, function).any(|word| word == EVENT_BRIDGE_WORD)
}

/// The tags that remain after an unlink, and what else it removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemainingTags {
    /// The remaining tags.
    pub(super) tags: Tags,
    /// Distributions to remove that the tag names and that `link` did not add. They stay.
    pub(super) foreign: Vec<DistributionId>,
    /// Distributions to remove that `link` added for the function of this name. They stay.
    pub(super) of_others: Vec<(DistributionId, String)>,
    /// Whether nothing that `link` added remains, so that its notification rules and permission are removed too.
    pub(super) removes_last: bool,
    /// Whether `link` had enabled EventBridge events, and no other deployment needs them.
    pub(super) disables_event_bridge: bool,
}

/// Removes those of these distributions that `link` added; all that it added if none are given. `everything`: also those
/// that no `link` added.
pub(super) fn unlinked_tags(
    before: &Tags,
    tag: &str,
    distributions: &[DistributionId],
    owners: &Owners,
    everything: bool,
) -> Result<RemainingTags, TagsError> {
    let named = named(before, tag)?;
    let Ownership { added, others } = Ownership::of(before, &named, owners);
    let requested: BTreeSet<_> =
        if distributions.is_empty() { named.clone() } else { distributions.iter().cloned().collect() };
    let (of_others, alone): (Vec<_>, Vec<_>) =
        requested.iter().filter(|id| named.contains(*id)).partition(|id| others.contains_key(*id));
    let (removed, foreign): (Vec<_>, Vec<_>) = alone.into_iter().partition(|id| everything || added.contains(*id));
    let mut left = added.clone();
    left.retain(|id| !requested.contains(id));
    let is_changed = !removed.is_empty() || left != added;
    let removes_last = distributions.is_empty() || (is_changed && left.is_empty());
    let disables_event_bridge =
        removes_last && enabled_event_bridge(before, owners) && !others_enabled_event_bridge(before, owners);
    let mut tags = before.clone();
    if !removed.is_empty() {
        let value = before.get(tag).cloned().unwrap_or_default();
        let rest = removed.iter().fold(value, |value, id| without_word(&value, id.as_str()));
        set_or_remove(&mut tags, tag, rest);
    }
    for name in linking_functions(before).filter(|name| (is_changed || removes_last) && owners.includes(name)) {
        let left: BTreeSet<_> = added_ids(before, name).filter(|id| left.contains(id)).collect();
        let event_bridge = has_event_bridge(before, name);
        let value = if removes_last { String::new() } else { ownership_value(&left, event_bridge) };
        set_or_remove(&mut tags, &ownership_tag(name), value);
    }
    let of_others = of_others.into_iter().filter_map(|id| Some((id.clone(), others.get(id)?.clone()))).collect();
    let foreign = foreign.into_iter().cloned().collect();
    Ok(RemainingTags { tags, foreign, of_others, removes_last, disables_event_bridge })
}

/// Sets a tag. A value without words removes it.
fn set_or_remove(tags: &mut Tags, key: &str, value: String) {
    if value.trim().is_empty() {
        tags.remove(key);
    } else {
        tags.insert(key.to_owned(), value);
    }
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

/// The words of a function's ownership tag.
fn words<'t>(tags: &'t Tags, function: &str) -> impl Iterator<Item = &'t str> {
    tags.get(&ownership_tag(function)).map(String::as_str).unwrap_or_default().split_whitespace()
}

/// The distributions in a function's ownership tag.
pub(super) fn added_ids(tags: &Tags, function: &str) -> impl Iterator<Item = DistributionId> {
    words(tags, function).filter_map(|word| DistributionId::new(word).ok())
}

fn ownership_value(added: &BTreeSet<DistributionId>, enabled_event_bridge: bool) -> String {
    let bridge = enabled_event_bridge.then(|| EVENT_BRIDGE_WORD.to_owned());
    added.iter().map(ToString::to_string).chain(bridge).collect::<Vec<_>>().join(" ")
}

/// The distributions that ownership tags list and that the bucket's tag names.
struct Ownership {
    /// Those of the owners.
    added: BTreeSet<DistributionId>,
    /// Those of other deployments, each with the name of a function.
    others: BTreeMap<DistributionId, String>,
}

impl Ownership {
    fn of(tags: &Tags, named: &BTreeSet<DistributionId>, owners: &Owners) -> Self {
        let (mut added, mut others) = (BTreeSet::new(), BTreeMap::new());
        for name in linking_functions(tags) {
            for id in added_ids(tags, name).filter(|id| named.contains(id)) {
                if owners.includes(name) {
                    added.insert(id);
                } else {
                    others.insert(id, name.to_owned());
                }
            }
        }
        Self { added, others }
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

    /// The owner is `f`.
    fn owners() -> Owners {
        Owners { own: Some("f".to_owned()), deleted: BTreeSet::new() }
    }

    fn link(before: &Tags, distributions: &[&str], sets_event_bridge: Option<bool>) -> Tags {
        linked_tags(before, "distributionId", &ids(distributions), &owners(), sets_event_bridge, false).unwrap()
    }

    fn unlink(before: &Tags, distributions: &[&str], everything: bool) -> RemainingTags {
        unlinked_tags(before, "distributionId", &ids(distributions), &owners(), everything).unwrap()
    }

    #[test]
    fn unlink_removes_what_link_added() {
        for before in [
            tags(&[]),
            tags(&[("team", "web"), ("aws:cloudformation:stack-name", "site")]),
            tags(&[("distributionId", "E9  E7"), ("team", "web")]),
        ] {
            for sets_event_bridge in [false, true] {
                let once = link(&before, &["E2", "E1"], sets_event_bridge.then_some(true));
                assert_eq!(link(&once, &["E1", "E2"], None), once);
                let unlinked = unlink(&once, &[], false);
                assert_eq!(
                    (unlinked.tags, unlinked.removes_last, unlinked.disables_event_bridge),
                    (before.clone(), true, sets_event_bridge)
                );
            }
        }
    }

    #[test]
    fn one_of_several_distributions_can_be_unlinked() {
        let before = tags(&[("distributionId", "E7")]);
        let both = link(&before, &["E1", "E2"], Some(true));
        assert_eq!(both["distributionId"], "E7 E1 E2");
        assert_eq!(both["invalidation:link:f"], "E1 E2 EventBridge");
        let one = unlink(&both, &["E1"], false);
        assert_eq!((one.tags["distributionId"].as_str(), one.removes_last), ("E7 E2", false));
        assert_eq!(one.tags["invalidation:link:f"], "E2 EventBridge");
        let last = unlink(&one.tags, &["E2"], false);
        assert_eq!((&last.tags, last.removes_last, last.disables_event_bridge), (&before, true, true));
        let foreign = unlink(&one.tags, &["E7", "E8"], false);
        assert_eq!((foreign.tags, foreign.foreign, foreign.removes_last), (one.tags, ids(&["E7"]), false));
    }

    #[test]
    fn unlinking_what_link_did_not_add_removes_nothing() {
        let manually_tagged = tags(&[("distributionId", "E1")]);
        for id in ["E1", "E9"] {
            let rest = unlink(&manually_tagged, &[id], false);
            assert_eq!((rest.tags, rest.removes_last), (manually_tagged.clone(), false));
        }
        // E1 was removed from the tag manually after `link` added it.
        let edited = tags(&[("distributionId", "E2"), ("invalidation:link:f", "E1 E2")]);
        let rest = unlink(&edited, &["E2"], false);
        assert_eq!((rest.tags, rest.removes_last), (Tags::new(), true));
    }

    #[test]
    fn what_link_did_not_add_is_removed_on_request() {
        let of_a_template = tags(&[("distributionId", "E1 E2"), ("team", "web")]);
        let rest = unlink(&of_a_template, &["E1"], true);
        assert_eq!((rest.tags, rest.foreign), (tags(&[("distributionId", "E2"), ("team", "web")]), Vec::new()));
        let rest = unlink(&of_a_template, &[], true);
        assert_eq!((rest.tags, rest.removes_last), (tags(&[("team", "web")]), true));
    }

    #[test]
    fn each_deployment_owns_what_it_linked() {
        let other = Owners { own: Some("g".to_owned()), deleted: BTreeSet::new() };
        let first = link(&tags(&[]), &["E1", "E2"], Some(true));
        let both = linked_tags(&first, "distributionId", &ids(&["E2", "E3"]), &other, Some(true), false).unwrap();
        assert_eq!(both["distributionId"], "E1 E2 E3");
        assert_eq!(both["invalidation:link:f"], "E1 E2 EventBridge");
        assert_eq!(both["invalidation:link:g"], "E2 E3 EventBridge");
        let rest = unlink(&both, &[], false);
        let expected = tags(&[("distributionId", "E2 E3"), ("invalidation:link:g", "E2 E3 EventBridge")]);
        assert_eq!((&rest.tags, rest.removes_last, rest.disables_event_bridge), (&expected, true, false));
        assert_eq!((unlink(&both, &[], true).tags, unlink(&expected, &[], true).tags), (expected.clone(), expected));
        let of_others = ids(&["E2", "E3"]).into_iter().map(|id| (id, "g".to_owned())).collect::<Vec<_>>();
        assert_eq!((rest.of_others, rest.foreign), (of_others, vec![]));
        let last = unlinked_tags(&rest.tags, "distributionId", &[], &other, false).unwrap();
        assert_eq!((last.tags, last.disables_event_bridge), (Tags::new(), true));
    }

    #[test]
    fn the_ownership_of_a_deleted_function_is_taken_over() {
        let owners = Owners { own: Some("g".to_owned()), deleted: ["f".to_owned()].into() };
        let first = link(&tags(&[]), &["E1"], Some(true));
        let second = linked_tags(&first, "distributionId", &ids(&["E2"]), &owners, None, false).unwrap();
        assert_eq!(second, tags(&[("distributionId", "E1 E2"), ("invalidation:link:g", "E1 E2 EventBridge")]));
        let without_function = Owners { own: None, ..owners };
        let both = link(&first, &["E2"], None);
        let rest = unlinked_tags(&both, "distributionId", &ids(&["E1"]), &without_function, false).unwrap();
        assert_eq!(rest.tags, tags(&[("distributionId", "E2"), ("invalidation:link:f", "E2 EventBridge")]));
        let rest = unlinked_tags(&both, "distributionId", &[], &without_function, false).unwrap();
        assert_eq!((rest.tags, rest.disables_event_bridge), (Tags::new(), true));
    }

    #[test]
    fn replacing_removes_the_distributions_that_link_added_before() {
        let before = link(&tags(&[("distributionId", "E7")]), &["E1", "E2"], None);
        let replace =
            |ids: &[DistributionId]| linked_tags(&before, "distributionId", ids, &owners(), None, true).unwrap();
        let after = replace(&ids(&["E2", "E3"]));
        assert_eq!(after, tags(&[("distributionId", "E7 E2 E3"), ("invalidation:link:f", "E2 E3")]));
        assert_eq!(replace(&ids(&["E7"])), tags(&[("distributionId", "E7")]));
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
        let error = |before: &Tags, distributions: &[DistributionId]| {
            linked_tags(before, "distributionId", distributions, &owners(), None, false).unwrap_err()
        };
        assert!(error(&bad, &ids(&["E1"])).to_string().contains("\"nonsense\""));
        let mut many: Tags = (0..49).map(|n| (format!("key{n}"), String::new())).collect();
        many.insert("aws:cloudformation:stack-name".into(), "site".into());
        assert_eq!(error(&many, &ids(&["E1"])), TagsError::TooMany);
        let long: Vec<_> = (100..130).map(|n| format!("E{n}000000000")).collect();
        let long = ids(&long.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(error(&tags(&[]), &long), TagsError::TooLong("distributionId".into()));
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
