//! The client of S3 Control, which writes single tags of a bucket.

use aws_config::SdkConfig;
use aws_sdk_s3control::config::endpoint::{DefaultResolver, EndpointFuture, Params, ResolveEndpoint};

/// Creates the client. No connection is opened yet.
pub(super) fn client(config: &SdkConfig) -> aws_sdk_s3control::Client {
    let resolver = EndpointResolver(DefaultResolver::new());
    let builder = aws_sdk_s3control::config::Builder::from(config).endpoint_resolver(resolver);
    aws_sdk_s3control::Client::from_conf(builder.build())
}

/// Resolves AWS's endpoints, whose host begins with the account, as the SDK does. A custom endpoint is used as it is: the
/// SDK would put the account before its host too, and a host such as `123456789012.127.0.0.1` does not exist. The account
/// is in the header `x-amz-account-id` as well.
#[derive(Debug)]
struct EndpointResolver(DefaultResolver);

impl ResolveEndpoint for EndpointResolver {
    fn resolve_endpoint<'a>(&'a self, params: &'a Params) -> EndpointFuture<'a> {
        let Some(endpoint) = params.endpoint() else { return self.0.resolve_endpoint(params) };
        let without_account = Params::builder()
            .endpoint(endpoint)
            .set_region(params.region().map(ToOwned::to_owned))
            .set_resource_arn(params.resource_arn().map(ToOwned::to_owned))
            .requires_account_id(false)
            .build();
        EndpointFuture::new(async move { self.0.resolve_endpoint(&without_account?).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn url(region: &str, endpoint: Option<&str>) -> String {
        let params = Params::builder()
            .region(region)
            .account_id("123456789012")
            .requires_account_id(true)
            .resource_arn("arn:aws:s3:::my-site")
            .set_endpoint(endpoint.map(ToOwned::to_owned))
            .build()
            .unwrap();
        EndpointResolver(DefaultResolver::new()).resolve_endpoint(&params).await.unwrap().url().to_owned()
    }

    #[tokio::test]
    async fn a_custom_endpoint_is_used_as_it_is() {
        assert_eq!(url("eu-central-1", Some("http://127.0.0.1:4566")).await, "http://127.0.0.1:4566");
    }

    #[tokio::test]
    async fn the_endpoint_is_that_of_the_partition() {
        for (region, domain) in [
            ("eu-central-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("us-gov-west-1", "amazonaws.com"),
            ("eusc-de-east-1", "amazonaws.eu"),
        ] {
            assert_eq!(url(region, None).await, format!("https://123456789012.s3-control.{region}.{domain}"));
        }
    }
}
