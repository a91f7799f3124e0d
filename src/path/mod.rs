//! Invalidation paths: from an object's key to the paths that invalidate it in one distribution.
//!
//! [`InvalidationPath`] enforces the rules that CloudFront documents for a path. A path that breaks them either makes
//! CloudFront reject the whole request, or is accepted and matches nothing, which is worse. `invalidation_path`
//! percent-encodes a key as viewers' requests do, `url_forms` makes of a key the URLs that viewers request, and `routing`
//! derives from `bucket_options` and `distribution_config` which of them a distribution serves.
//!
//! Sources: CloudFront developer guide, "What you need to know when invalidating files"; RFC 1738 for the characters.

mod bucket_options;
mod distribution_config;
mod endpoint;
mod invalidation_path;
mod origin_path;
mod routing;
mod tenant;
mod url_forms;
mod viewer_url;

use std::num::NonZeroUsize;

pub use self::bucket_options::{
    BucketDefaults, BucketOptions, DIRECTORY_URLS_TAG, IGNORE_TAG, INDEX_DOCUMENTS_TAG, IndexDocuments, MAX_PATHS_TAG,
    ORIGIN_PATH_TAG, QUERY_STRINGS_TAG, TagError, Tags, URLS_REWRITTEN, URLS_TAG, URLS_UNCERTAIN, misnamed_tag_message,
};
#[cfg(feature = "cli")]
pub(crate) use self::distribution_config::matches_glob;
pub use self::distribution_config::{
    Behavior, BucketOrigin, DistributionConfig, DistributionConfigError, EdgeFunctions, Origin, OriginGroup,
    Parameters, PathPattern, QueryStrings,
};
pub use self::endpoint::Endpoint;
pub use self::invalidation_path::{
    CacheTag, InvalidationPath, Item, ItemError, PathError, named_items, without_covered,
};
pub use self::origin_path::{OriginPath, OriginPathError, RelativeKey};
pub use self::routing::{Mapping, NotServed, OriginMatch, RoutedUrl, Routing};
pub use self::tenant::{Tenant, parameter_defaults};
pub use self::url_forms::{FormProblem, UrlFormError, UrlForms, viewer_paths, viewer_urls};
pub use self::viewer_url::{DirectoryUrls, UrlKind, ViewerUrl};

/// The start of the key of an ownership tag; the name of the deployment's function follows. The tag lists what
/// `invalidator link` added for this function, which `unlink` removes: distribution IDs, and `EventBridge` if `link`
/// enabled the bucket's EventBridge events, separated by spaces. The function does not read it.
pub const LINK_TAG_PREFIX: &str = "invalidation:link:";

/// The longest path that CloudFront accepts, in characters.
///
/// Source: CloudFront developer guide, "What you need to know when invalidating files".
pub const MAX_PATH_LENGTH: usize = 4000;

/// The most items of an invalidation: CloudFront's quota of paths in progress per distribution.
///
/// Source: CloudFront developer guide, "Quotas".
pub const MAX_ITEMS: NonZeroUsize = NonZeroUsize::new(3000).unwrap();

/// The most wildcards of an invalidation: CloudFront's quota of wildcard paths in progress per distribution.
///
/// Source: CloudFront developer guide, "Quotas".
pub const MAX_WILDCARDS: NonZeroUsize = NonZeroUsize::new(15).unwrap();
