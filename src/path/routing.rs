//! Whether requests for a URL get to the bucket.

use std::fmt;

use super::{Behavior, ViewerUrl};
use crate::change::text::excerpt;

/// Why a distribution does not show an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotServed {
    /// It lies outside of every folder that the distribution looks into.
    OutsideOriginPath,
    /// Requests for its URLs go to other origins.
    Elsewhere,
}

/// One URL of an object, and whether requests for it get to the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedUrl<'v> {
    /// The URL.
    pub url: ViewerUrl,
    /// Whether they do.
    pub routing: Routing<'v>,
}

/// Whether requests for a URL get to the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing<'v> {
    /// The distribution's settings are not known.
    ConfigUnknown,
    /// A function at the edge may send them there.
    EdgeFunction,
    /// This behaviour sends them there.
    ToBucket(&'v Behavior),
    /// This behaviour, the first that matches, sends them elsewhere.
    Elsewhere(&'v Behavior),
    /// No behaviour matches.
    NoBehavior,
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

impl Routing<'_> {
    /// Whether a viewer may see the object at this URL.
    #[must_use]
    pub fn is_served(self) -> bool {
        matches!(self, Self::ConfigUnknown | Self::EdgeFunction | Self::ToBucket(_))
    }
}

impl fmt::Display for Routing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |behavior: &Behavior| (excerpt(&behavior.pattern.to_string()), excerpt(&behavior.target));
        match self {
            Self::ConfigUnknown => f.write_str("the distribution's settings are not known"),
            Self::EdgeFunction => f.write_str("a function at the edge may send requests to the bucket"),
            Self::ToBucket(behavior) => {
                let (pattern, target) = name(behavior);
                write!(f, "behavior {pattern} sends requests to origin \"{target}\"")
            }
            Self::Elsewhere(behavior) => {
                let (pattern, target) = name(behavior);
                write!(f, "not served: behavior {pattern} sends requests to origin \"{target}\"")
            }
            Self::NoBehavior => f.write_str("not served: no behavior matches"),
        }
    }
}

impl fmt::Display for NotServed {
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
