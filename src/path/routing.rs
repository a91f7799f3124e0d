//! Whether requests for a URL reach the bucket.

use std::fmt;

use super::{Behavior, ViewerUrl};
use crate::change::text::excerpt;

/// Why a distribution does not serve an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotServed {
    /// The key is outside every origin path under which the distribution serves the bucket.
    OutsideOriginPath,
    /// Requests for the object's URLs go to other origins.
    OtherOrigin,
}

/// A URL of an object, and where requests for it go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedUrl<'v> {
    /// The URL.
    pub url: ViewerUrl,
    /// Where requests for it go.
    pub routing: Routing<'v>,
}

/// Where requests for a URL go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing<'v> {
    /// Unknown, since the mapping is not derived from a distribution config. The bucket is assumed.
    ConfigUnknown,
    /// No behavior sends them to the bucket, but an edge function may.
    EdgeFunction,
    /// This cache behavior sends them to the bucket.
    ToBucket(&'v Behavior),
    /// This cache behavior, the first that matches, sends them to another origin.
    OtherOrigin(&'v Behavior),
    /// No cache behavior matches.
    NoBehavior,
}

/// Removes empty and dot segments from a path; `None` if it has none.
///
/// CloudFront compares the normalized path with path patterns, but sends the path to the origin as received.
///
/// Source: CloudFront developer guide, "Path normalization".
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
    /// Whether the distribution may serve the object at this URL.
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
            Self::OtherOrigin(behavior) => {
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
            Self::OtherOrigin => "requests for it go to other origins",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_dot_segments_are_removed() {
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
