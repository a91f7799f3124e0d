//! Distribution tenants: the config of a multi-tenant distribution with a tenant's values of its parameters.
//!
//! The domain names and the origin paths of a multi-tenant distribution's origins may contain parameters, such as
//! `/{{tenant}}`. The values are read elsewhere. All other customizations of a tenant (web ACL, geographic
//! restrictions, certificate, domain names) determine no URL path.
//!
//! Source: CloudFront developer guide, "Distribution tenant customizations".

use super::{DistributionConfig, DistributionConfigError, Origin, Parameters};
use crate::change::DistributionId;

/// A distribution tenant, as far as invalidation depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The multi-tenant distribution, whose config the tenant has.
    pub distribution: DistributionId,
    /// The tenant's values of the parameters. A parameter that is absent has its default value.
    pub parameters: Parameters,
}

impl DistributionConfig {
    /// Returns the config of a tenant of this multi-tenant distribution: with each parameter replaced by the tenant's
    /// value, or by its default value. A parameter that has neither stays as it is, so that the origin path with it is
    /// still unknown.
    ///
    /// ```
    /// use s3_cloudfront_invalidator::path::{DistributionConfig, Origin};
    ///
    /// let origin = Origin::new("site", "site.s3.amazonaws.com", "/{{tenant}}").unwrap();
    /// let config = DistributionConfig { origins: vec![origin], ..DistributionConfig::default() };
    /// let config = config.for_tenant(&[("tenant".to_owned(), "blue".to_owned())].into());
    /// assert_eq!(config.origins[0].path.as_ref().unwrap().to_string(), "/blue");
    /// ```
    #[must_use]
    pub fn for_tenant(&self, parameters: &Parameters) -> Self {
        let value = |name: &str| parameters.get(name).or_else(|| self.parameter_defaults.get(name)).map(String::as_str);
        let origin = |it: &Origin| {
            let resolved = Origin::new(&it.id, &resolved(&it.domain, value), &resolved(&it.path_text, value));
            // A domain name cannot become empty, unless a value is.
            resolved.unwrap_or_else(|_| it.clone())
        };
        Self {
            origins: self.origins.iter().map(origin).collect(),
            is_multi_tenant: false,
            parameter_defaults: Parameters::new(),
            ..self.clone()
        }
    }
}

/// Returns the default values of parameters, from the name of each and its default value, if it has one.
///
/// # Errors
/// [`DistributionConfigError::Parameter`] if a name is empty.
pub fn parameter_defaults<'p>(
    definitions: impl IntoIterator<Item = (&'p str, Option<&'p str>)>,
) -> Result<Parameters, DistributionConfigError> {
    let mut defaults = Parameters::new();
    for (name, default) in definitions {
        if name.is_empty() {
            return Err(DistributionConfigError::Parameter);
        }
        defaults.extend(default.filter(|it| !it.is_empty()).map(|it| (name.to_owned(), it.to_owned())));
    }
    Ok(defaults)
}

/// Replaces each parameter that has a value. A value is not searched for parameters again.
fn resolved<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let (mut resolved, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("{{")
        && let Some((name, end)) = after.split_once("}}")
    {
        resolved.push_str(before);
        match value(name.trim()) {
            Some(value) => resolved.push_str(value),
            None => resolved.extend(["{{", name, "}}"]),
        }
        rest = end;
    }
    resolved + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Bucket, BucketName};
    use crate::path::distribution_config::has_parameter;

    const S3: &str = "site.s3.amazonaws.com";

    fn parameters(values: &[(&str, &str)]) -> Parameters {
        values.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn config(origins: &[(&str, &str)]) -> DistributionConfig {
        let origin = |(domain, path): &(&str, &str)| Origin::new("o", domain, path).unwrap();
        DistributionConfig {
            origins: origins.iter().map(origin).collect(),
            is_multi_tenant: true,
            parameter_defaults: parameters(&[("stage", "live")]),
            ..DistributionConfig::default()
        }
    }

    #[test]
    fn parameters_are_replaced_in_origin_paths() {
        for (path, expected) in [
            ("/{{tenant}}", Some("/a")),
            ("/sites/{{tenant}}/web", Some("/sites/a/web")),
            ("/{{tenant}}-{{stage}}", Some("/a-live")),
            ("/{{ tenant }}/", Some("/a")),
            ("/{{folder}}", Some("/web/2024")),
            ("/{{escaped}}", Some("/a b")),
            ("/web", Some("/web")),
            ("", Some("")),
            ("/{{unknown}}", None),
            ("/{{Tenant}}", None),
            ("/{{tenant}}/{{unknown}}", None),
            ("/{{tenant", None),
            ("/{{{{tenant}}}}", None),
            ("/{{nested}}", None),
            ("{{tenant}}", None),
            ("/{{}}", None),
            ("}}{{", None),
        ] {
            let values =
                [("tenant", "a"), ("folder", "web/2024"), ("escaped", "a%20b"), ("nested", "{{tenant}}"), ("é", "")];
            let resolved = config(&[(S3, path)]).for_tenant(&parameters(&values));
            let path_of = resolved.origins[0].path.as_ref().map(ToString::to_string);
            assert_eq!(path_of.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_value_of_the_tenant_replaces_the_default() {
        let config = config(&[(S3, "/{{stage}}")]);
        for (values, expected) in [(&[][..], "/live"), (&[("stage", "test")][..], "/test")] {
            let tenant = config.for_tenant(&parameters(values));
            assert_eq!(tenant.origins[0].path.as_ref().unwrap().to_string(), expected);
            assert!(!tenant.is_multi_tenant);
        }
        assert_eq!(config.origins[0].path, None);
    }

    #[test]
    fn parameters_are_replaced_in_domain_names() {
        let config = config(&[("{{bucket}}.s3.amazonaws.com", "/web"), ("{{host}}", "/{{stage}}"), ("{{other}}", "")]);
        let tenant = config.for_tenant(&parameters(&[("bucket", "site"), ("host", S3), ("other", "")]));
        let bucket = Bucket { name: BucketName::new("site").unwrap(), region: None };
        let paths: Vec<_> = tenant.origins_of(&bucket).map(|it| it.path.unwrap().to_string()).collect();
        assert_eq!(paths, ["/web", "/live"]);
        let unresolved: Vec<_> = tenant.origins.iter().map(|it| has_parameter(&it.domain)).collect();
        assert_eq!(unresolved, [false, false, true], "a value that is empty resolves no domain name");
    }

    #[test]
    fn a_definition_has_a_name_and_may_have_a_default() {
        let definitions = [("a", Some("1")), ("b", None), ("c", Some(""))];
        assert_eq!(parameter_defaults(definitions), Ok(parameters(&[("a", "1")])));
        assert_eq!(parameter_defaults([("", Some("1"))]), Err(DistributionConfigError::Parameter));
    }
}
