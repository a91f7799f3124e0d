//! How other tools choose the paths of an invalidation, according to the published descriptions of their rules.

use std::collections::{BTreeMap, BTreeSet};

fn slashes(path: &str) -> usize {
    path.bytes().filter(|&byte| byte == b'/').count()
}

/// "Threshold": while there are more than `threshold` paths, from the deepest level up, every path with more than `k`
/// slashes becomes a wildcard for the directory one level above its own. Paths that such a wildcard covers are dropped.
/// If too many paths remain at the end, the result is `/*`.
pub(crate) fn threshold(paths: &BTreeSet<String>, threshold: usize) -> BTreeSet<String> {
    let mut paths = paths.clone();
    let deepest = paths.iter().map(|path| slashes(path)).max().unwrap_or(0);
    for k in (1..deepest).rev() {
        if paths.len() <= threshold {
            return paths;
        }
        paths = paths.into_iter().map(|path| if slashes(&path) > k { one_level_up(&path) } else { path }).collect();
        let wildcards: Vec<_> = paths.iter().filter_map(|path| path.strip_suffix('*').map(str::to_owned)).collect();
        paths.retain(|path| !wildcards.iter().any(|prefix| path.starts_with(prefix) && path[prefix.len()..] != *"*"));
    }
    if paths.len() <= threshold { paths } else { BTreeSet::from(["/*".to_owned()]) }
}

/// `/a/b/c` becomes `/a/*`. A shallower path becomes `/*`.
fn one_level_up(path: &str) -> String {
    let directory = path.rfind('/').map_or("", |slash| &path[..slash]);
    let above = directory.rfind('/').map_or("", |slash| &directory[..slash]);
    format!("{above}/*")
}

/// "Balanced": while there are more than `limit` paths, the deepest directory that two or more paths share replaces
/// them by its wildcard. Of directories of the same depth, the first in sort order is chosen.
pub(crate) fn balanced(paths: &BTreeSet<String>, limit: usize) -> BTreeSet<String> {
    let mut paths = paths.clone();
    while paths.len() > limit {
        let mut members: BTreeMap<&str, usize> = BTreeMap::new();
        for path in &paths {
            // A wildcard stands for its directory, so it shares only directories further up.
            let name = path.strip_suffix("/*").unwrap_or(path);
            for (slash, _) in name.match_indices('/') {
                *members.entry(&name[..slash]).or_default() += 1;
            }
        }
        let shared = members.into_iter().filter(|(_, paths)| *paths > 1).map(|(directory, _)| directory);
        let Some(deepest) = shared.min_by_key(|it| (std::cmp::Reverse(slashes(it)), *it)) else { break };
        let below = format!("{deepest}/");
        paths = paths.iter().filter(|path| !path.starts_with(&below)).cloned().collect();
        paths.insert(format!("{below}*"));
    }
    paths
}
