//! Sorting the changes of a batch: what is to become of each, and which distributions are to be told the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assignment::{Gathered, Gathering, Group};
use super::bucket_changes::{Sight, Strand};
use super::{Destination, Destinations, Plan};
use crate::change::{Batch, Bucket, DistributionId};
use crate::path::{Route, View};

/// A distribution's strands, and the numbers of its views of all buckets.
#[derive(Default)]
struct Shown {
    strands: Vec<usize>,
    views: Vec<usize>,
    /// The changes of which it is not known how it shows them.
    unsettled: Vec<Arc<[usize]>>,
}

/// A bucket's route, its distributions, and its changes by their place in the batch.
struct Changed<'d> {
    route: &'d Route,
    views: &'d [(DistributionId, Option<View>)],
    places: Vec<usize>,
}

/// A view of a bucket: the place of the strand that it shows, if any, and the changes of which it does not tell.
struct Known<'d> {
    view: &'d Option<View>,
    strand: Option<usize>,
    unsettled: Arc<[usize]>,
}

/// Finds out what is to become of each change.
#[must_use]
pub fn gather<'d>(batch: &Batch, destinations: &'d Destinations) -> Gathering<'d> {
    let mut plan = Plan::default();
    let mut strands: Vec<Strand<'d>> = Vec::new();
    let mut shown: BTreeMap<&'d DistributionId, Shown> = BTreeMap::new();
    let mut views_before = 0;
    for (bucket, Changed { route, views, places }) in sort(batch, destinations, &mut plan) {
        let places: Arc<[usize]> = places.into();
        let mut sights = vec![Sight::default(); places.len()];
        let strands_before = strands.len();
        let mut known: Vec<Known<'_>> = Vec::new();
        for (distribution, view) in views {
            let number = known.iter().position(|it| it.view == view).unwrap_or_else(|| {
                let (strand, unsettled) = if let Some(view) = view {
                    let (strand, unsettled) = Strand::new((bucket, route, view), batch, &places, &mut sights);
                    let is_any = !strand.changes.is_empty();
                    (is_any.then(|| place_of(strand, strands_before, &mut strands)), unsettled)
                } else {
                    for sight in &mut sights {
                        sight.is_seen = true;
                    }
                    (None, Arc::clone(&places))
                };
                known.push(Known { view, strand, unsettled });
                known.len() - 1
            });
            let shown = shown.entry(distribution).or_default();
            shown.views.push(views_before + number);
            if let Some(known) = known.get(number) {
                shown.strands.extend(known.strand);
                shown.unsettled.extend((!known.unsettled.is_empty()).then(|| Arc::clone(&known.unsettled)));
            }
        }
        views_before += known.len();
        for reason in sights.iter().filter(|sight| !sight.is_seen).filter_map(|sight| sight.unseen) {
            *plan.unseen.entry((bucket.clone(), reason)).or_default() += 1;
        }
    }
    let mut groups: BTreeMap<Vec<usize>, BTreeMap<Vec<usize>, Vec<&DistributionId>>> = BTreeMap::new();
    for (distribution, Shown { strands, views, unsettled }) in shown {
        if !unsettled.is_empty() {
            plan.unsettled.insert(distribution.clone(), joined(&unsettled));
        }
        if !strands.is_empty() {
            groups.entry(strands).or_default().entry(views).or_default().push(distribution);
        }
    }
    let group = |(numbers, distributions): (Vec<usize>, _)| {
        let strands = || numbers.iter().filter_map(|&number| strands.get(number));
        let gathered = Gathered {
            paths: strands().map(|strand| strand.paths).sum(),
            changes: joined(strands().map(|strand| &strand.changes)),
            buckets: strands().map(|strand| strand.bucket.name.clone()).collect(),
            max_paths: strands().filter_map(|strand| strand.max_paths).min(),
        };
        Group { gathered, strands: numbers, distributions }
    };
    let groups = groups.into_iter().map(group).collect();
    Gathering { plan, strands, groups }
}

/// The buckets that are shown, each with its changes; what becomes of all others is noted in the plan.
fn sort<'d>(batch: &Batch, destinations: &'d Destinations, plan: &mut Plan) -> BTreeMap<&'d Bucket, Changed<'d>> {
    let mut shown: BTreeMap<&'d Bucket, Changed<'d>> = BTreeMap::new();
    for (place, change) in batch.changes.iter().enumerate() {
        let (bucket, route, views) = match destinations.get_key_value(&change.bucket) {
            Some((bucket, Destination::Shown { route, views })) => (bucket, route, views),
            Some((_, Destination::Untagged)) => {
                *plan.untagged.entry(change.bucket.clone()).or_default() += 1;
                continue;
            }
            Some((_, Destination::Unknown)) | None => {
                plan.unrouted.entry(change.bucket.clone()).or_default().push(place);
                continue;
            }
        };
        if let Some(suffix) = route.ignored_suffix(&change.key) {
            *plan.ignored_suffix.entry((change.bucket.clone(), suffix.to_owned())).or_default() += 1;
            continue;
        }
        shown.entry(bucket).or_insert_with(|| Changed { route, views, places: Vec::new() }).places.push(place);
    }
    shown
}

/// The place of a strand among all of them, or of one like it that is there from `first` on.
fn place_of<'d>(strand: Strand<'d>, first: usize, strands: &mut Vec<Strand<'d>>) -> usize {
    if let Some(like) = strands.iter().skip(first).position(|it| it.is_like(&strand)) {
        return first + like;
    }
    strands.push(strand);
    strands.len() - 1
}

/// Places of several lists in one, ascending. A list that is the only one is shared.
fn joined<'l>(lists: impl IntoIterator<Item = &'l Arc<[usize]>>) -> Arc<[usize]> {
    let lists: Vec<_> = lists.into_iter().filter(|list| !list.is_empty()).collect();
    if let [list] = lists.as_slice() {
        return Arc::clone(list);
    }
    let mut places: Vec<_> = lists.into_iter().flat_map(|list| list.iter().copied()).collect();
    places.sort_unstable();
    places.into()
}
