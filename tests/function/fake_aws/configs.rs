//! The distribution configs and cache policies of the fake AWS, read through the SDK.

use aws_sdk_cloudfront::error::ProvideErrorMetadata;
use aws_sdk_cloudfront::types::{
    CacheBehavior, CachePolicyQueryStringBehavior, EventType, ItemSelection, OriginGroupMember,
};
use s3_cloudfront_invalidator::local::{FakeAws, FakeDistribution, State};
use serde_json::{Value, json};

use crate::fake_aws::sdk::{calls, cloudfront};
use crate::harness::state;

async fn with_config(config: Value) -> FakeAws {
    let mut state = State::default();
    state.distributions.insert("E1".into(), FakeDistribution { config: Some(config), ..FakeDistribution::default() });
    FakeAws::start(state).await.unwrap()
}

/// The config of the user guide's examples, with one of everything that the function could read.
fn config() -> Value {
    let behavior = |pattern: &str, origin: &str| {
        json!({
            "PathPattern": pattern,
            "TargetOriginId": origin,
            "ViewerProtocolPolicy": "redirect-to-https",
            "AllowedMethods": {
                "Quantity": 2,
                "Items": ["GET", "HEAD"],
                "CachedMethods": { "Quantity": 2, "Items": ["HEAD", "GET"] },
            },
            "FunctionAssociations": {
                "Quantity": 1,
                "Items": [{
                    "FunctionARN": "arn:aws:cloudfront::123456789012:function/rewrite",
                    "EventType": "viewer-request",
                }],
            },
            "LambdaFunctionAssociations": {
                "Quantity": 1,
                "Items": [{
                    "LambdaFunctionARN": "arn:aws:lambda:us-east-1:123456789012:function:f:1",
                    "EventType": "origin-request",
                    "IncludeBody": false,
                }],
            },
            "TrustedSigners": { "Enabled": true, "Quantity": 1, "Items": ["self"] },
            "TrustedKeyGroups": { "Enabled": true, "Quantity": 1, "Items": ["key-group"] },
            "ForwardedValues": {
                "QueryString": true,
                "QueryStringCacheKeys": { "Quantity": 2, "Items": ["a&b", "v"] },
                "Cookies": { "Forward": "whitelist", "WhitelistedNames": { "Quantity": 1, "Items": ["session"] } },
                "Headers": { "Quantity": 1, "Items": ["Origin"] },
            },
            "MinTTL": 60,
        })
    };
    let mut default_behavior = behavior("", "group");
    default_behavior.as_object_mut().unwrap().remove("PathPattern");
    json!({
        "CallerReference": "r1",
        "Aliases": { "Quantity": 2, "Items": ["www.example.com", "example.com"] },
        "DefaultRootObject": "index.html",
        "Origins": {
            "Quantity": 2,
            "Items": [
                {
                    "Id": "s3",
                    "DomainName": "site.s3.eu-central-1.amazonaws.com",
                    "OriginPath": "/live & well",
                    "CustomHeaders": { "Quantity": 1, "Items": [{ "HeaderName": "X-A", "HeaderValue": "<1>" }] },
                    "S3OriginConfig": { "OriginAccessIdentity": "" },
                    "ConnectionAttempts": 3,
                },
                {
                    "Id": "website",
                    "DomainName": "site.s3-website.eu-central-1.amazonaws.com",
                    "OriginPath": "",
                    "CustomHeaders": { "Quantity": 0 },
                    "CustomOriginConfig": {
                        "HTTPPort": 80,
                        "HTTPSPort": 443,
                        "OriginProtocolPolicy": "http-only",
                        "OriginSslProtocols": { "Quantity": 2, "Items": ["TLSv1.1", "TLSv1.2"] },
                    },
                },
            ],
        },
        "OriginGroups": {
            "Quantity": 1,
            "Items": [{
                "Id": "group",
                "FailoverCriteria": { "StatusCodes": { "Quantity": 2, "Items": [500, 503] } },
                "Members": { "Quantity": 2, "Items": [{ "OriginId": "s3" }, { "OriginId": "website" }] },
            }],
        },
        "DefaultCacheBehavior": default_behavior,
        "CacheBehaviors": { "Quantity": 2, "Items": [behavior("/assets/*", "s3"), behavior("*.html", "website")] },
        "CustomErrorResponses": {
            "Quantity": 1,
            "Items": [{ "ErrorCode": 404, "ResponsePagePath": "/404.html", "ResponseCode": "404" }],
        },
        "Comment": "a \"comment\" <&> é",
        "Restrictions": { "GeoRestriction": { "RestrictionType": "blacklist", "Quantity": 1, "Items": ["XX"] } },
        "TenantConfig": {
            "ParameterDefinitions": [{ "Name": "site", "Definition": { "StringSchema": { "Required": true } } }],
        },
        "Staging": false,
        "Enabled": true,
    })
}

#[tokio::test]
async fn a_config_is_read_by_the_sdk_as_the_cli_prints_it() {
    let aws = with_config(config()).await;
    let answer = cloudfront(&aws).get_distribution_config().id("E1").send().await.unwrap();
    assert!(answer.e_tag().unwrap().starts_with('E'));
    let config = answer.distribution_config().unwrap();
    assert_eq!(config.caller_reference(), "r1");
    assert_eq!(config.aliases().unwrap().items(), ["www.example.com", "example.com"]);
    assert_eq!(config.default_root_object(), Some("index.html"));
    assert_eq!((config.comment(), config.enabled(), config.staging()), ("a \"comment\" <&> é", true, Some(false)));
    let origins = config.origins().unwrap();
    let [s3, website] = origins.items() else { panic!("{origins:?}") };
    assert_eq!((origins.quantity(), s3.id(), s3.origin_path()), (2, "s3", Some("/live & well")));
    let header = &s3.custom_headers().unwrap().items()[0];
    assert_eq!((header.header_name(), header.header_value()), ("X-A", "<1>"));
    assert_eq!((website.origin_path(), website.s3_origin_config().is_none()), (Some(""), true));
    let custom = website.custom_origin_config().unwrap();
    assert_eq!((custom.http_port(), custom.origin_ssl_protocols().unwrap().items().len()), (80, 2));
    let group = &config.origin_groups().unwrap().items()[0];
    assert_eq!(group.failover_criteria().unwrap().status_codes().unwrap().items(), [500, 503]);
    let members: Vec<_> = group.members().unwrap().items().iter().map(OriginGroupMember::origin_id).collect();
    assert_eq!(members, ["s3", "website"]);
    let behaviors: Vec<_> = config.cache_behaviors().unwrap().items().iter().map(CacheBehavior::path_pattern).collect();
    assert_eq!(behaviors, ["/assets/*", "*.html"]);
    let behavior = config.default_cache_behavior().unwrap();
    assert_eq!((behavior.target_origin_id(), behavior.cache_policy_id()), ("group", None));
    let methods = behavior.allowed_methods().unwrap();
    assert_eq!((methods.items().len(), methods.cached_methods().unwrap().items().len()), (2, 2));
    let function = &behavior.function_associations().unwrap().items()[0];
    assert_eq!(function.event_type(), &EventType::ViewerRequest);
    let function = &behavior.lambda_function_associations().unwrap().items()[0];
    assert_eq!((function.event_type(), function.include_body()), (&EventType::OriginRequest, Some(false)));
    assert_eq!(behavior.trusted_signers().unwrap().items(), ["self"]);
    assert_eq!(behavior.trusted_key_groups().unwrap().items(), ["key-group"]);
    #[expect(deprecated, reason = "configs of before cache policies have them")]
    let (forwarded, least) = (behavior.forwarded_values().unwrap(), behavior.min_ttl());
    assert_eq!((forwarded.query_string(), least), (true, Some(60)));
    assert_eq!(forwarded.query_string_cache_keys().unwrap().items(), ["a&b", "v"]);
    let cookies = forwarded.cookies().unwrap();
    assert_eq!((cookies.forward(), cookies.whitelisted_names().unwrap().items().len()), (&ItemSelection::Whitelist, 1));
    assert_eq!(forwarded.headers().unwrap().items(), ["Origin"]);
    assert_eq!(config.custom_error_responses().unwrap().items()[0].response_page_path(), Some("/404.html"));
    assert_eq!(config.restrictions().unwrap().geo_restriction().unwrap().items(), ["XX"]);
    let definitions = config.tenant_config().unwrap().parameter_definitions();
    assert_eq!(definitions[0].name(), "site");
    assert_eq!(calls(&aws, "GetDistributionConfig"), [("E1".into(), 200)]);
}

#[tokio::test]
async fn a_config_may_leave_out_what_a_test_has_no_use_for() {
    let minimal = json!({
        "CallerReference": "r1",
        "Comment": "",
        "DefaultCacheBehavior": { "TargetOriginId": "s3" },
        "Enabled": true,
        "Origins": { "Items": [{ "Id": "s3", "DomainName": "site.s3.amazonaws.com" }] },
    });
    let aws = with_config(minimal).await;
    let answer = cloudfront(&aws).get_distribution_config().id("E1").send().await.unwrap();
    let config = answer.distribution_config().unwrap();
    assert_eq!((config.origins().unwrap().quantity(), config.origins().unwrap().items().len()), (1, 1));
    assert_eq!(config.default_cache_behavior().unwrap().target_origin_id(), "s3");
    assert!(config.cache_behaviors().is_none());
}

#[tokio::test]
async fn a_config_is_denied_where_there_is_none_and_only_distributions_have_one() {
    let aws = FakeAws::start(state(&[("site", "E1 dt_1")])).await.unwrap();
    for (id, status, code) in
        [("E1", 403, "AccessDenied"), ("E2", 404, "NoSuchDistribution"), ("dt_1", 404, "NoSuchDistribution")]
    {
        let error = cloudfront(&aws).get_distribution_config().id(id).send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status, "{id}");
        assert_eq!(error.code(), Some(code), "{id}");
        if status == 403 {
            let message = error.message().unwrap();
            assert!(message.contains("is not authorized to perform: cloudfront:GetDistributionConfig"), "{message}");
            assert!(message.contains("arn:aws:cloudfront::123456789012:distribution/E1"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_cache_policy_is_read_by_the_sdk_as_the_cli_prints_it() {
    let mut state = State::default();
    let policy = json!({
        "Name": "versions",
        "MinTTL": 1,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": true,
            "HeadersConfig": { "HeaderBehavior": "whitelist", "Headers": { "Quantity": 1, "Items": ["Origin"] } },
            "CookiesConfig": { "CookieBehavior": "whitelist", "Cookies": { "Quantity": 1, "Items": ["session"] } },
            "QueryStringsConfig": {
                "QueryStringBehavior": "whitelist",
                "QueryStrings": { "Quantity": 2, "Items": ["v", "w"] },
            },
        },
    });
    state.cache_policies.insert("658327ea-f89d-4fab-a63d-7e88639e58f6".into(), policy);
    let aws = FakeAws::start(state).await.unwrap();
    let get = |id| cloudfront(&aws).get_cache_policy().id(id).send();
    let answer = get("658327ea-f89d-4fab-a63d-7e88639e58f6").await.unwrap();
    let policy = answer.cache_policy().unwrap();
    assert_eq!(policy.id(), "658327ea-f89d-4fab-a63d-7e88639e58f6");
    let config = policy.cache_policy_config().unwrap();
    assert_eq!((config.name(), config.min_ttl()), ("versions", 1));
    let parameters = config.parameters_in_cache_key_and_forwarded_to_origin().unwrap();
    assert_eq!(parameters.headers_config().unwrap().headers().unwrap().items(), ["Origin"]);
    assert_eq!(parameters.cookies_config().unwrap().cookies().unwrap().items(), ["session"]);
    let strings = parameters.query_strings_config().unwrap();
    assert_eq!(strings.query_string_behavior(), &CachePolicyQueryStringBehavior::Whitelist);
    assert_eq!(strings.query_strings().unwrap().items(), ["v", "w"]);
    let error = get("other").await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchCachePolicy"));
    assert_eq!(
        calls(&aws, "GetCachePolicy"),
        [("658327ea-f89d-4fab-a63d-7e88639e58f6".into(), 200), ("other".into(), 404)]
    );
}
