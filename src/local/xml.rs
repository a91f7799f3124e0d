//! CloudFront's XML documents, generated from the JSON that the AWS CLI prints.
//!
//! Both have the same content under the same names, except that list items have element names in XML only. The names
//! here are all that the API model (2020-05-31) has below `DistributionConfig` and `CachePolicyConfig`, and those of a
//! `DistributionTenant` that a response of the fake AWS has.

use quick_xml::escape::escape;
use serde_json::Value;

/// The XML namespace of the API version.
const NAMESPACE: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";

/// The element name of the items of a list. `list` is the name of the element that holds `Quantity` and `Items`.
fn item_name(list: &str) -> Option<&'static str> {
    Some(match list {
        "Aliases" => "CNAME",
        "AllowedMethods" | "CachedMethods" => "Method",
        "CacheBehaviors" => "CacheBehavior",
        "Cookies" | "Headers" | "QueryStringCacheKeys" | "QueryStrings" | "WhitelistedNames" => "Name",
        "CustomErrorResponses" => "CustomErrorResponse",
        "CustomHeaders" => "OriginCustomHeader",
        "FunctionAssociations" => "FunctionAssociation",
        "GeoRestriction" => "Location",
        "LambdaFunctionAssociations" => "LambdaFunctionAssociation",
        "Members" => "OriginGroupMember",
        "OriginGroups" => "OriginGroup",
        "OriginSslProtocols" => "SslProtocol",
        "Origins" => "Origin",
        // Only in multi-tenant distributions and their tenants, and the only lists without `Quantity` and `Items`.
        "Domains" | "ParameterDefinitions" | "Parameters" => "member",
        "StatusCodes" => "StatusCode",
        "TrustedKeyGroups" => "KeyGroup",
        "TrustedSigners" => "AwsAccountNumber",
        _ => return None,
    })
}

/// Returns a complete document. A list may omit its `Quantity`, and any element may be absent.
///
/// # Errors
/// An array where CloudFront has no list; the message names it.
pub(super) fn document(root: &str, value: &Value) -> Result<String, String> {
    let mut xml = format!("<?xml version=\"1.0\"?>\n<{root} xmlns=\"{NAMESPACE}\">");
    content(&mut xml, root, value)?;
    close(&mut xml, root);
    Ok(xml)
}

/// Writes the content of an element. `name` is the name of the element, or of the list if the element is its `Items`.
fn content(xml: &mut String, name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => xml.push_str(&value.to_string()),
        Value::String(text) => xml.push_str(&escape(text)),
        Value::Array(items) => {
            let item_name = item_name(name).ok_or_else(|| format!("there is no list \"{name}\""))?;
            for item in items {
                element(xml, item_name, item_name, item)?;
            }
        }
        Value::Object(members) => {
            if let (Some(Value::Array(items)), None) = (members.get("Items"), members.get("Quantity")) {
                element(xml, "Quantity", "Quantity", &items.len().into())?;
            }
            for (member, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                element(xml, member, if member == "Items" { name } else { member }, value)?;
            }
        }
    }
    Ok(())
}

fn element(xml: &mut String, tag: &str, name: &str, value: &Value) -> Result<(), String> {
    xml.extend(["<", tag, ">"]);
    content(xml, name, value)?;
    close(xml, tag);
    Ok(())
}

fn close(xml: &mut String, tag: &str) {
    xml.extend(["</", tag, ">"]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_flags_numbers_and_marks_are_written_as_cloudfront_does() {
        let value = json!({
            "Aliases": { "Quantity": 2, "Items": ["a.example", "b.example"] },
            "CacheBehaviors": { "Quantity": 0 },
            "Comment": "<a & \"b\">",
            "Enabled": true,
            "OriginGroups": { "Items": [{ "FailoverCriteria": { "StatusCodes": { "Quantity": 1, "Items": [503] } } }] },
            "WebACLId": null,
        });
        let expected = "<?xml version=\"1.0\"?>\n\
            <DistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">\
            <Aliases><Items><CNAME>a.example</CNAME><CNAME>b.example</CNAME></Items><Quantity>2</Quantity></Aliases>\
            <CacheBehaviors><Quantity>0</Quantity></CacheBehaviors>\
            <Comment>&lt;a &amp; &quot;b&quot;&gt;</Comment>\
            <Enabled>true</Enabled>\
            <OriginGroups><Quantity>1</Quantity><Items><OriginGroup><FailoverCriteria><StatusCodes>\
            <Items><StatusCode>503</StatusCode></Items><Quantity>1</Quantity>\
            </StatusCodes></FailoverCriteria></OriginGroup></Items></OriginGroups>\
            </DistributionConfig>";
        assert_eq!(document("DistributionConfig", &value).as_deref(), Ok(expected));
    }

    #[test]
    fn a_list_that_cloudfront_does_not_have_is_named() {
        let value = json!({ "Origin": { "Quantity": 1, "Items": ["a"] } });
        assert_eq!(document("DistributionConfig", &value), Err("there is no list \"Origin\"".to_owned()));
    }
}
