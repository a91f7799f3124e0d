//! Whether requests for a URL get to the bucket.

use std::fmt;

use super::{Behavior, ViewerUrl};
use crate::change::text::excerpt;

/// Why a distribution does not show an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// It lies outside of every folder that the distribution looks into.
    OutsideOriginPath,
    /// Requests for its URLs go to other origins.
    Elsewhere,
}

/// One URL of an object, and whether requests for it get to the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting<'v> {
    /// The URL.
    pub url: ViewerUrl,
    /// Whether they do.
    pub seen: Seen<'v>,
}

/// Whether requests for a URL get to the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'v> {
    /// The distribution's settings are not known.
    Perhaps,
    /// A function at the edge may send them there.
    MayBeSent,
    /// This behaviour sends them there.
    By(&'v Behavior),
    /// This behaviour, the first that matches, sends them elsewhere.
    Elsewhere(&'v Behavior),
    /// No behaviour matches.
    Never,
}

/// A path without empty and dot segments, if it has any: so CloudFront compares it with patterns, and still asks the origin
/// for it as it came. Source: CloudFront developer guide, "Path normalization".
pub(super) fn normalized(path: &str) -> Option<String> {
    if !path.contains("//") && !path.contains("/.") {
        return None;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let is_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && !segments.is_empty();
    Some(format!("/{}{}", segments.join("/"), if is_folder { "/" } else { "" }))
}

impl Seen<'_> {
    /// Whether a viewer may see the object at this URL.
    #[must_use]
    pub fn is_seen(self) -> bool {
        matches!(self, Self::Perhaps | Self::MayBeSent | Self::By(_))
    }
}

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |behavior: &Behavior| (excerpt(&behavior.pattern.to_string()), excerpt(&behavior.target));
        match self {
            Self::Perhaps => f.write_str("the distribution's settings are not known"),
            Self::MayBeSent => f.write_str("a function at the edge may send requests to the bucket"),
            Self::By(behavior) => {
                let (pattern, target) = name(behavior);
                write!(f, "behavior {pattern} sends requests to origin \"{target}\"")
            }
            Self::Elsewhere(behavior) => {
                let (pattern, target) = name(behavior);
                write!(f, "not served: behavior {pattern} sends requests to origin \"{target}\"")
            }
            Self::Never => f.write_str("not served: no behavior matches"),
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutsideOriginPath => "outside of the origin path",
            Self::Elsewhere => "requests for it go to other origins",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_dot_segments_go() {
        for (path, normal) in [
            ("//assets/a", Some("/assets/a")),
            ("/./assets/a", Some("/assets/a")),
            ("/x/../assets/a", Some("/assets/a")),
            ("/../../a", Some("/a")),
            ("/a//", Some("/a/")),
            ("/a/..", Some("/")),
            ("/a/b/.", Some("/a/b/")),
            ("//", Some("/")),
            ("/.well-known/a", Some("/.well-known/a")),
            ("/a/b", None),
            ("/", None),
        ] {
            assert_eq!(normalized(path).as_deref(), normal, "{path}");
        }
    }
}
