//! The operator's commands, run against an in-memory account.

mod api;
mod fake_account;
mod faults;
mod linking;
mod others;
mod remedies;
mod schedule;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use s3_cloudfront_invalidator::change::{BucketName, DistributionId};
use s3_cloudfront_invalidator::cli::link::{
    ApplyError, Deployment, Destination, FunctionLocator, GivenOptions, KeyFilter, LinkError, LinkPlan, LinkRequest,
    NotificationRule, Notifications, Via, apply, find, plan_link, plan_unlink,
};
use s3_cloudfront_invalidator::path::Tags;

use self::fake_account::{Account, Eventual, REGION};

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn bucket() -> BucketName {
    BucketName::new("my-site").unwrap()
}

fn ids(ids: &[&str]) -> Vec<DistributionId> {
    ids.iter().map(|id| DistributionId::new(id).unwrap()).collect()
}

fn request(via: Via) -> LinkRequest {
    LinkRequest {
        bucket: bucket(),
        distributions: ids(&["E1"]),
        via,
        filter: KeyFilter::default(),
        skip_origin_check: false,
        replace: false,
    }
}

async fn deployment(account: &Account) -> Deployment {
    find(account, &FunctionLocator::Stack("cloudfront-invalidator".into()), REGION, &GivenOptions::default())
        .await
        .unwrap()
}

/// Plans a link and applies it.
fn link(account: &Account, request: &LinkRequest) -> Result<Result<LinkPlan, ApplyError>, LinkError> {
    run(async {
        let deployment = deployment(account).await;
        let linked = plan_link(account, &deployment, request).await?;
        Ok(apply(account, &linked.change_set, Duration::ZERO).await.map(|()| linked))
    })
}

fn unlink(account: &Account, distributions: &[&str]) -> Result<usize, ApplyError> {
    unlink_what(account, distributions, false)
}

/// Unlinks, with `everything` also what link did not add.
fn unlink_what(account: &Account, distributions: &[&str], everything: bool) -> Result<usize, ApplyError> {
    run(async {
        let (deployment, ids) = (deployment(account).await, ids(distributions));
        let unlinked = plan_unlink(account, &deployment, deployment.tag(), &bucket(), &ids, everything).await.unwrap();
        apply(account, &unlinked.change_set, Duration::ZERO).await.map(|()| unlinked.change_set.steps.len())
    })
}

/// All that the commands write: the bucket's tags and notifications, and the statements of the function's policy.
type Configuration = (Tags, Notifications, BTreeMap<String, String>);

fn configuration(account: &Account) -> Configuration {
    let (tags, notifications) = (account.tags.borrow(), account.notifications.borrow());
    (tags.newest.clone(), notifications.newest.clone(), account.statements.borrow().clone())
}

fn rule(id: &str, destination: Destination, events: &[&str], prefix: &str, suffix: &str) -> NotificationRule {
    NotificationRule {
        id: Some(id.into()),
        destination,
        events: events.iter().map(|&it| it.to_owned()).collect(),
        filter: KeyFilter { prefix: prefix.into(), suffix: suffix.into() },
    }
}

/// An account whose bucket has 12 tags, two of them AWS's own, and 4 notification rules of others.
fn configured_account() -> Account {
    let account = Account::new();
    let mut tags: Tags = (0..10).map(|number| (format!("key {number}"), format!("välue/{number}"))).collect();
    tags.insert("aws:cloudformation:stack-name".into(), "site".into());
    tags.insert("aws:cloudformation:logical-id".into(), "Bucket".into());
    *account.tags.borrow_mut() = Eventual::of(tags);
    let queue = |name: &str| Destination::Queue(format!("arn:aws:sqs:eu-central-1:123456789012:{name}"));
    let function = Destination::Function("arn:aws:lambda:eu-central-1:123456789012:function:thumbs".into());
    let rules = [
        rule("restores", queue("archive"), &["s3:ObjectRestore:*"], "", ""),
        rule(
            "tags",
            Destination::Topic("arn:aws:sns:eu-central-1:123456789012:t".into()),
            &["s3:ObjectTagging:Put"],
            "",
            "",
        ),
        rule("acls", function.clone(), &["s3:ObjectAcl:Put"], "in/", ".jpg"),
        rule("losses", function, &["s3:ReducedRedundancyLostObject"], "", ""),
    ];
    account.notifications.borrow_mut().newest.rules = rules.into();
    account
}
