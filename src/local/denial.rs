//! The responses to a caller whose role lacks the permission for a call.

use super::request::{ApiRequest, ApiResponse, Service};
use super::{ACCOUNT, REGION};

/// The response, which names caller, action and resource. Source: IAM user guide, "Troubleshoot access denied error
/// messages".
pub(super) fn denied(request: &ApiRequest) -> ApiResponse {
    let action = match (request.service, request.operation) {
        // Listing objects is a permission on the bucket. Source: S3 user guide, "Required permissions for Amazon S3 API
        // operations".
        (Service::S3, "ListObjectsV2") => "s3:ListBucket".to_owned(),
        (Service::S3 | Service::S3Control, operation) => format!("s3:{operation}"),
        (Service::Sts, operation) => format!("sts:{operation}"),
        (Service::CloudFront, operation) => format!("cloudfront:{operation}"),
        (Service::CodePipeline, operation) => format!("codepipeline:{operation}"),
        // SQS writes its actions in lower case. The permission for a batch is that for a single message. Source:
        // service authorization reference, "Actions, resources, and condition keys for Amazon SQS".
        (Service::Sqs, operation) => format!("sqs:{}", operation.trim_end_matches("Batch").to_ascii_lowercase()),
    };
    let target = &request.target;
    let cloudfront_arn = |kind: &str| format!("arn:aws:cloudfront::{ACCOUNT}:{kind}/{target}");
    let resource = match (request.service, request.operation) {
        (Service::S3 | Service::S3Control, _) => format!("arn:aws:s3:::{target}"),
        (Service::CloudFront, "GetCachePolicy") => cloudfront_arn("cache-policy"),
        (Service::CloudFront, operation) if operation.ends_with("DistributionTenant") => {
            cloudfront_arn("distribution-tenant")
        }
        (Service::CloudFront, _) => cloudfront_arn("distribution"),
        // `PutJobSuccessResult` and `PutJobFailureResult` have no resource-level permissions.
        (Service::CodePipeline | Service::Sts, _) => "*".to_owned(),
        (Service::Sqs, _) => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{target}"),
    };
    let message = format!(
        "User: arn:aws:sts::{ACCOUNT}:assumed-role/invalidator/invalidator is not authorized to perform: {action} on \
         resource: {resource} because no identity-based policy allows the {action} action"
    );
    // Services that speak AWS JSON have another code, and status 400 as for any client error (aws/aws-cdk#15235). SQS
    // has kept those of its query protocol (aws/aws-sdk-net#1059).
    let (status, code) = match request.service {
        Service::S3 | Service::S3Control | Service::CloudFront | Service::Sqs | Service::Sts => (403, "AccessDenied"),
        Service::CodePipeline => (400, "AccessDeniedException"),
    };
    request.service.error(status, code, &message)
}
