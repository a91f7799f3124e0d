//! Distributions, their tenants, and what they got last.

use aws_sdk_cloudfront::types::InvalidationSummary;

use super::OperatorClients;
use crate::aws::CallError;
use crate::aws::error::{call_error, invalid_response};
use crate::change::DistributionId;
use crate::cli::link::LastInvalidation;

impl OperatorClients {
    pub(super) async fn parent_of(&self, tenant: &DistributionId) -> Result<DistributionId, CallError> {
        let output = self.cloud_front.client.get_distribution_tenant().identifier(tenant.as_str()).send().await;
        let output = output.map_err(|error| call_error("GetDistributionTenant", &error))?.distribution_tenant;
        let id = output.and_then(|it| it.distribution_id).and_then(|id| DistributionId::new(&id).ok());
        id.ok_or_else(|| invalid_response("GetDistributionTenant", "it names no distribution"))
    }

    pub(super) async fn newest_invalidation(
        &self,
        distribution: &DistributionId,
    ) -> Result<Option<LastInvalidation>, CallError> {
        let client = &self.cloud_front.client;
        // The list starts with the newest. Source: CloudFront API reference, ListInvalidations.
        let list = if distribution.is_tenant() {
            let call = client.list_invalidations_for_distribution_tenant().id(distribution.as_str()).max_items(1);
            let output = call.send().await;
            output.map_err(|error| call_error("ListInvalidationsForDistributionTenant", &error))?.invalidation_list
        } else {
            let call = client.list_invalidations().distribution_id(distribution.as_str()).max_items(1);
            call.send().await.map_err(|error| call_error("ListInvalidations", &error))?.invalidation_list
        };
        let read = |it: InvalidationSummary| LastInvalidation { created: it.create_time.secs(), status: it.status };
        Ok(list.and_then(|it| it.items.unwrap_or_default().into_iter().next()).map(read))
    }
}
