//! Parses a distribution config as the AWS CLI prints it, and refuses its other forms by name.
//!
//! `aws cloudfront list-distributions` lacks the default root object, and CloudFormation and Terraform write other names
//! and lists, so none of them is taken for a config.

use anyhow::{anyhow, bail};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::change::DistributionId;
use crate::change::text::{excerpt_of_message, one_line};
use crate::path::{Behavior, DistributionConfig, Origin, OriginGroup, parameter_defaults};

/// Parses a distribution config: the output of `aws cloudfront get-distribution` or `get-distribution-config`, or the
/// config alone, as `--query` prints it.
///
/// # Errors
/// What the text is instead, or what is missing in it, with the command that prints a config.
pub fn parse(text: &str) -> anyhow::Result<DistributionConfig> {
    let Ok(document) = serde_json::from_str::<Value>(text) else { bail!("{}; {}", form_of_text(text), remedy(None)) };
    let config =
        ["Distribution", "DistributionConfig"].into_iter().fold(&document, |it, name| it.get(name).unwrap_or(it));
    if let Some(form) = form_of_json(&document, config) {
        bail!("{form}; {}", remedy(id(&document)));
    }
    let config: ConfigJson = serde_path_to_error::deserialize(config).map_err(|error| {
        let (path, error) = (one_line(&error.path().to_string()), excerpt_of_message(error.inner()));
        anyhow!(
            "not the output of `aws cloudfront get-distribution-config`: {path}: {error}; {}",
            remedy(id(&document))
        )
    })?;
    config.into_config().map_err(|error| anyhow!("{error}; {}", remedy(id(&document))))
}

/// The command that prints a config.
fn remedy(id: Option<DistributionId>) -> String {
    let id = id.map_or_else(|| "E2EXAMPLE1ABCD".to_owned(), |id| id.to_string());
    format!("use the output of `aws cloudfront get-distribution-config --id {id} --output json`")
}

/// The ID of the distribution that a document is about.
fn id(document: &Value) -> Option<DistributionId> {
    let document = document.get("Distribution").unwrap_or(document);
    document.get("Id").and_then(Value::as_str).and_then(|id| DistributionId::new(id).ok())
}

/// What a text is that is no JSON.
fn form_of_text(text: &str) -> &'static str {
    let begins = |begin: &str| text.lines().any(|line| line.trim_start().starts_with(begin));
    if text.trim().is_empty() {
        "the file is empty"
    } else if ["resource \"", "data \"", "module \"", "provider \"", "terraform {"].into_iter().any(begins)
        || text.contains("aws_cloudfront_distribution")
    {
        "this is Terraform's configuration, which is not a distribution config"
    } else if text.contains("AWS::CloudFront::Distribution") || begins("AWSTemplateFormatVersion:") {
        "this is a CloudFormation template, whose form of a distribution config is another one"
    } else if text.trim_start().starts_with("---") && text.contains('|') {
        "this is the output of the AWS CLI with --output table"
    } else if begins("DistributionList:") {
        "this is the output of `aws cloudfront list-distributions`, which has no whole config"
    } else if text.trim_start().starts_with('<') {
        "this is XML and not JSON"
    } else if text.trim_start().starts_with(['{', '[']) {
        "this is not whole JSON, so it may be cut off"
    } else if ["DistributionConfig:", "Distribution:", "Origins:", "ETag:", "CallerReference:", "---"]
        .into_iter()
        .any(begins)
    {
        "this is YAML and not JSON"
    } else if text.contains('\t') {
        "this is the output of the AWS CLI with --output text, which lacks the names of fields"
    } else {
        "this is not JSON"
    }
}

/// What a JSON document is that is no distribution config. `config` is the part of it that would be.
fn form_of_json(document: &Value, config: &Value) -> Option<&'static str> {
    let has = |name: &str| config.get(name).is_some();
    let all_have =
        |name: &str| document.as_array().is_some_and(|items| items.iter().all(|item| item.get(name).is_some()));
    if document.is_null() {
        return Some("this is null, which --query prints where it finds nothing");
    }
    if document.as_array().is_some_and(Vec::is_empty) || all_have("Origins") || all_have("Status") {
        return Some("this is a list of distributions and not one distribution config");
    }
    if ["AWSTemplateFormatVersion", "Resources", "TemplateBody", "Type", "Properties"].into_iter().any(has) {
        return Some("this is a CloudFormation template, whose form of a distribution config is another one");
    }
    if ["terraform_version", "format_version", "resource", "default_cache_behavior", "origin"].into_iter().any(has) {
        return Some("this is Terraform's configuration or state, which is not a distribution config");
    }
    if has("DistributionList") || (has("Items") && !has("Origins")) {
        return Some("this is the output of `aws cloudfront list-distributions`, which has no whole config");
    }
    // A member of the list has origins and behaviors as a config has them, and no default root object.
    if ["ARN", "Status", "LastModifiedTime"].into_iter().any(has) {
        return Some("this is a distribution of `aws cloudfront list-distributions`, whose config is not whole");
    }
    if !config.is_object() || has("DomainName") || has("TargetOriginId") {
        return Some("this is a part that --query took out of a distribution config");
    }
    let lists = ["Origins", "CacheBehaviors", "OriginGroups"];
    let is_list = |name: &str| config.get(name).is_some_and(Value::is_array);
    if lists.into_iter().any(is_list) {
        return Some("this is CloudFormation's form of a distribution config, or a part that --query took out of one");
    }
    None
}

/// Reads null, which `--query` writes for what is absent, as the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigJson {
    origins: ListJson<OriginJson>,
    #[serde(default, deserialize_with = "or_default")]
    origin_groups: ListJson<OriginGroupJson>,
    default_cache_behavior: BehaviorJson,
    #[serde(default, deserialize_with = "or_default")]
    cache_behaviors: ListJson<BehaviorJson>,
    #[serde(default)]
    default_root_object: Option<String>,
    connection_mode: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    tenant_config: TenantConfigJson,
}

/// What only a multi-tenant distribution has.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TenantConfigJson {
    #[serde(default, deserialize_with = "or_default")]
    parameter_definitions: Vec<DefinitionJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DefinitionJson {
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    definition: SchemaJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SchemaJson {
    #[serde(default, deserialize_with = "or_default")]
    string_schema: StringSchemaJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StringSchemaJson {
    default_value: Option<String>,
}

/// A list in a distribution config. Without `Items` it is empty.
#[derive(Deserialize)]
#[serde(try_from = "RawListJson<T>", bound(deserialize = "T: Deserialize<'de>"))]
struct ListJson<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound(deserialize = "T: Deserialize<'de>"))]
struct RawListJson<T> {
    #[serde(default)]
    quantity: Option<usize>,
    #[serde(default)]
    items: Option<Vec<T>>,
}

impl<T> TryFrom<RawListJson<T>> for ListJson<T> {
    type Error = String;

    fn try_from(raw: RawListJson<T>) -> Result<Self, String> {
        let items = raw.items.unwrap_or_default();
        match raw.quantity {
            // A part of the list would be taken for the whole.
            Some(quantity) if quantity != items.len() => {
                Err(format!("Quantity is {quantity}, and Items has {}", items.len()))
            }
            _ => Ok(Self { items }),
        }
    }
}

impl<T> Default for ListJson<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OriginJson {
    id: String,
    domain_name: String,
    #[serde(default, deserialize_with = "or_default")]
    origin_path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OriginGroupJson {
    id: String,
    members: ListJson<MemberJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MemberJson {
    origin_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BehaviorJson {
    path_pattern: Option<String>,
    target_origin_id: String,
    cache_policy_id: Option<String>,
    forwarded_values: Option<ForwardedJson>,
    #[serde(default, deserialize_with = "or_default")]
    function_associations: ListJson<AssociationJson>,
    #[serde(default, deserialize_with = "or_default")]
    lambda_function_associations: ListJson<AssociationJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ForwardedJson {
    #[serde(default, deserialize_with = "or_default")]
    query_string: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssociationJson {
    event_type: String,
}

impl ConfigJson {
    fn into_config(self) -> anyhow::Result<DistributionConfig> {
        let behavior = |it: &BehaviorJson, pattern: Option<&str>| {
            let events = it.function_associations.items.iter().chain(&it.lambda_function_associations.items);
            let forwards = it.forwarded_values.as_ref().is_some_and(|it| it.query_string);
            let events = events.map(|it| it.event_type.as_str());
            Behavior::new(pattern, &it.target_origin_id, it.cache_policy_id.as_deref(), forwards, events)
        };
        let group = |it: OriginGroupJson| {
            OriginGroup::new(&it.id, it.members.items.into_iter().map(|it| it.origin_id).collect())
        };
        if let Some(index) = self.cache_behaviors.items.iter().position(|it| it.path_pattern.is_none()) {
            bail!("CacheBehaviors.Items[{index}] has no PathPattern");
        }
        let definitions = self.tenant_config.parameter_definitions.iter();
        let definitions = definitions.map(|it| (&*it.name, it.definition.string_schema.default_value.as_deref()));
        let ordered = self.cache_behaviors.items.iter().map(|it| behavior(it, it.path_pattern.as_deref()));
        Ok(DistributionConfig {
            behaviors: ordered.chain([behavior(&self.default_cache_behavior, None)]).collect::<Result<_, _>>()?,
            origins: self
                .origins
                .items
                .iter()
                .map(|it| Origin::new(&it.id, &it.domain_name, &it.origin_path))
                .collect::<Result<_, _>>()?,
            origin_groups: self.origin_groups.items.into_iter().map(group).collect::<Result<_, _>>()?,
            default_root_object: DistributionConfig::root_object(self.default_root_object.as_deref()),
            is_multi_tenant: self.connection_mode.as_deref() == Some("tenant-only"),
            parameter_defaults: parameter_defaults(definitions)?,
        })
    }
}
