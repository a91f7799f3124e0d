//! What others have configured: `link` neither takes it for its own nor removes it.

use std::collections::BTreeSet;
use std::time::Duration;

use s3_cloudfront_invalidator::cli::link::{
    Deployment, Destination, EVENTS, FindError, FunctionInfo, FunctionLocator, GivenOptions, KeyFilter, LinkRequest,
    Via, apply, find, plan_link, plan_unlink,
};

use super::fake_account::{Account, Eventual, FUNCTION, OTHER_FUNCTION, OTHER_QUEUE, QUEUE, REGION, policy, statement};
use super::{
    Configuration, bucket, configuration, configured_account, deployment, ids, link, request, rule, run, unlink,
};

/// A linked bucket that already had the distribution's ID in its tag, so that `link` added the rule only.
fn manually_tagged(via: Via) -> Account {
    let account = configured_account();
    account.tags.borrow_mut().newest.insert("distributionId".into(), "E1".into());
    link(&account, &request(via)).unwrap().unwrap();
    account
}

#[test]
fn unlinking_a_distribution_that_link_did_not_add_changes_nothing() {
    for via in [Via::Queue, Via::Function] {
        let account = manually_tagged(via);
        let before = configuration(&account);
        for id in ["E1", "E9"] {
            assert_eq!(unlink(&account, &[id]), Ok(0), "{via:?} {id}");
            assert_eq!(configuration(&account), before);
        }
        unlink(&account, &[]).unwrap();
        assert_eq!(configuration(&account).0["distributionId"], "E1");
        assert_eq!(configuration(&account).1.rules.len(), 4);
    }
}

#[test]
fn rules_with_an_id_like_links_are_not_its_own() {
    let account = configured_account();
    let queue = Destination::Queue(QUEUE.into());
    let topic = Destination::Topic("arn:aws:sns:eu-central-1:123456789012:audit".into());
    for other in [
        rule("cloudfront-invalidator-audit", queue, &["s3:IntelligentTiering"], "", ""),
        rule("cloudfront-invalidator", topic, &["s3:Replication:*"], "", ""),
    ] {
        account.notifications.borrow_mut().newest.rules.insert(other);
    }
    let before = configuration(&account);
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account), before);
}

#[test]
fn links_rule_for_a_deleted_queue_is_replaced() {
    let account = configured_account();
    let gone = Destination::Queue("arn:aws:sqs:eu-central-1:123456789012:gone".into());
    let old = rule("cloudfront-invalidator", gone, &EVENTS, "", "");
    account.notifications.borrow_mut().newest.rules.insert(old.clone());
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    let rules = configuration(&account).1.rules;
    assert!(!rules.contains(&old) && rules.len() == 5);
}

#[test]
fn a_statement_with_links_id_for_another_bucket_is_no_permission() {
    let id = "cloudfront-invalidator-my-site".to_owned();
    let other = statement("s3.amazonaws.com", "lambda:InvokeFunction", FUNCTION, "arn:aws:s3:::other");
    let account = configured_account();
    *account.statements.borrow_mut() = [(id, other)].into();
    let before = configuration(&account);
    let error = link(&account, &request(Via::Function)).unwrap().unwrap_err();
    assert!(
        error.to_string().contains("does not allow S3 to invoke the function for the bucket; remove the statement"),
        "{error}"
    );
    assert_eq!(configuration(&account), before);
}

#[test]
fn a_permission_that_a_rule_of_others_needs_stays() {
    let account = configured_account();
    account.statements.borrow_mut().clear();
    link(&account, &request(Via::Function)).unwrap().unwrap();
    let filtered = rule("manual", Destination::Function(FUNCTION.into()), &["s3:ObjectTagging:Delete"], "", "");
    account.notifications.borrow_mut().newest.rules.insert(filtered);
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account).2.len(), 1);
}

#[test]
fn bucket_names_that_no_statement_id_can_hold_are_hashed() {
    let mut seen = BTreeSet::new();
    for name in ["a.b", "a_b", "a-b", &"n".repeat(200)] {
        let account = Account::new();
        account.statements.borrow_mut().clear();
        let domain = format!("{name}.s3.amazonaws.com");
        account.origins.borrow_mut().get_mut("E1").unwrap()[0].0 = domain;
        let bucket = s3_cloudfront_invalidator::change::BucketName::new(name).unwrap();
        link(&account, &LinkRequest { bucket, ..request(Via::Function) }).unwrap().unwrap();
        let id = account.statements.borrow().keys().next().unwrap().clone();
        assert!(id.len() <= 100 && id.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it)), "{id}");
        assert!(seen.insert(id));
    }
}

#[test]
fn another_via_turns_off_eventbridge_that_link_enabled() {
    let account = Account::new();
    link(&account, &request(Via::EventBridge)).unwrap().unwrap();
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    assert!(!configuration(&account).1.event_bridge, "every change would be delivered twice");
    let account = Account::new();
    account.notifications.borrow_mut().newest.event_bridge = true;
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    assert!(configuration(&account).1.event_bridge, "another process or user enabled it");
}

#[test]
fn a_narrower_filter_replaces_the_wider_one() {
    let account = Account::new();
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    let filter = KeyFilter { prefix: "a/".into(), suffix: String::new() };
    let narrowed = LinkRequest { filter: filter.clone(), ..request(Via::Queue) };
    link(&account, &narrowed).unwrap().unwrap();
    let rules: Vec<_> = configuration(&account).1.rules.into_iter().map(|rule| rule.filter).collect();
    assert_eq!(rules, [filter]);
    assert_eq!(link(&account, &narrowed).unwrap().unwrap().change_set.steps, []);
}

#[test]
fn the_function_of_another_account_is_refused_and_so_is_an_invalid_configuration() {
    let account = Account::new();
    *account.caller.borrow_mut() = "999999999999".into();
    let locator = FunctionLocator::Function("invalidator".into());
    assert!(matches!(run(find(&account, &locator, REGION, &GivenOptions::default())), Err(FindError::OtherAccount(_))));
    let account = Account::new();
    *account.tag.borrow_mut() = Some(String::new());
    assert!(matches!(run(find(&account, &locator, REGION, &GivenOptions::default())), Err(FindError::Config(_))));
}

#[test]
fn a_policy_that_may_deny_does_not_allow() {
    let account = Account::new();
    let allowed = statement("s3.amazonaws.com", "SQS:SendMessage", QUEUE, "arn:aws:s3:::*");
    account.queue.borrow_mut().policy = Some(policy(std::slice::from_ref(&allowed)));
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    let perimeter = r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"v"}}}"#;
    *account.tags.borrow_mut() = Eventual::default();
    account.notifications.borrow_mut().newest.rules.clear();
    account.queue.borrow_mut().policy = Some(policy(&[allowed, perimeter.to_owned()]));
    assert!(link(&account, &request(Via::Queue)).unwrap_err().to_string().contains("does not allow S3 to send"));
}

#[test]
fn an_unreadable_queue_does_not_prevent_unlink() {
    let account = configured_account();
    let before = configuration(&account);
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    account.add_mapping("arn:aws:sqs:eu-central-1:123456789012:denied");
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account), before);
}

/// The deployment of another stack: its function polls `OTHER_QUEUE`.
fn second(first: &Deployment) -> Deployment {
    let function = FunctionInfo { arn: OTHER_FUNCTION.into(), ..first.function.clone() };
    Deployment { function, polled_queue: Some(OTHER_QUEUE.into()), ..first.clone() }
}

/// Links the bucket to the second deployment, for keys that the first does not have.
fn link_to_second(account: &Account, distributions: &[&str]) {
    run(async {
        let second = second(&deployment(account).await);
        let filter = KeyFilter { prefix: "second/".into(), suffix: String::new() };
        let request = LinkRequest { distributions: ids(distributions), filter, ..request(Via::Queue) };
        let linked = plan_link(account, &second, &request).await.unwrap();
        apply(account, &linked.change_set, Duration::ZERO).await.unwrap();
    });
}

/// Links the bucket to the first deployment, and returns its configuration.
fn link_to_first(account: &Account) -> Configuration {
    let filter = KeyFilter { prefix: "first/".into(), suffix: String::new() };
    link(account, &LinkRequest { filter, ..request(Via::Queue) }).unwrap().unwrap();
    configuration(account)
}

#[test]
fn two_deployments_on_one_bucket_each_own_what_is_theirs() {
    let account = configured_account();
    let policy = account.queue.borrow().policy.clone().unwrap().replace(QUEUE, "*");
    account.queue.borrow_mut().policy = Some(policy);
    let before = configuration(&account);
    let of_first = link_to_first(&account);
    link_to_second(&account, &["E1", "E2"]);
    let (tags, notifications, _) = configuration(&account);
    assert_eq!((tags["distributionId"].as_str(), notifications.rules.len()), ("E1 E2", 6));
    unlink(&account, &[]).unwrap();
    let (tags, notifications, _) = configuration(&account);
    assert_eq!((tags["distributionId"].as_str(), notifications.rules.len()), ("E1 E2", 5), "the second's");
    assert_eq!(tags["invalidation:link:second"], "E1 E2");
    link_to_first(&account);
    run(async {
        let second = second(&deployment(&account).await);
        let unlinked = plan_unlink(&account, &second, "distributionId", &bucket(), &[], true).await.unwrap();
        assert_eq!(unlinked.of_others, [(ids(&["E1"]).remove(0), "invalidator".to_owned())]);
        apply(&account, &unlinked.change_set, Duration::ZERO).await.unwrap();
    });
    assert_eq!(configuration(&account), of_first);
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account), before);
}

#[test]
fn unlink_through_another_stack_than_the_one_that_linked_is_refused() {
    for (everything, force) in [(false, false), (true, false), (false, true)] {
        let account = configured_account();
        link(&account, &request(Via::Queue)).unwrap().unwrap();
        let before = configuration(&account);
        let error = run(async {
            let first = Deployment { given: given(), ..deployment(&account).await };
            let other = if force {
                Deployment::without_function(&account, "eu-central-1", given()).await.unwrap()
            } else {
                second(&first)
            };
            plan_unlink(&account, &other, "distributionId", &bucket(), &ids(&["E1"]), everything).await.unwrap_err()
        });
        let option = if everything { " --everything" } else { "" };
        assert_eq!(
            error.to_string(),
            format!(
                "this deployment has not linked the bucket; it was linked to invalidator; run `invalidator unlink my-site \
                 E1{option} --function invalidator --profile prod --region eu-central-1`"
            )
        );
        assert_eq!(configuration(&account), before);
    }
}

fn given() -> GivenOptions {
    let aws = [("--profile", "prod".to_owned()), ("--region", "eu-central-1".to_owned())].into();
    GivenOptions { function: vec![("--stack", "two".to_owned())], aws, bucket: None }
}

#[test]
fn a_deleted_deployments_link_is_unlinked_by_its_successor_and_by_force() {
    for force in [false, true] {
        let account = configured_account();
        let before = configuration(&account);
        let policy = account.queue.borrow().policy.clone().unwrap().replace(QUEUE, "*");
        account.queue.borrow_mut().policy = Some(policy);
        link_to_second(&account, &["E1"]);
        account.second_is_deleted.set(true);
        if force {
            run(async {
                let none = Deployment::without_function(&account, "eu-central-1", given()).await.unwrap();
                let unlinked = plan_unlink(&account, &none, "distributionId", &bucket(), &[], false).await.unwrap();
                apply(&account, &unlinked.change_set, Duration::ZERO).await.unwrap();
            });
        } else {
            unlink(&account, &[]).unwrap();
        }
        assert_eq!(configuration(&account), before, "{force}");
    }
}

/// SQS answers as for a queue that does not exist.
#[test]
fn a_rule_to_a_queue_of_another_account_is_kept_by_force() {
    let account = configured_account();
    for (id, arn) in
        [("audit", "arn:aws:sqs:eu-central-1:222222222222:audit"), ("gone", &QUEUE.replace("changes", "gone"))]
    {
        let rule = rule(id, Destination::Queue(arn.to_owned()), &["s3:ObjectAcl:Put"], "", "");
        account.notifications.borrow_mut().newest.rules.insert(rule);
    }
    let of = |account: &Account| {
        let rules = configuration(account).1.rules;
        rules
            .iter()
            .filter_map(|rule| rule.id.clone())
            .filter(|id| ["audit", "gone"].contains(&id.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&account), ["audit", "gone"]);
    run(async {
        let none = Deployment::without_function(&account, "eu-central-1", given()).await.unwrap();
        let unlinked = plan_unlink(&account, &none, "distributionId", &bucket(), &[], true).await.unwrap();
        apply(&account, &unlinked.change_set, Duration::ZERO).await.unwrap();
    });
    assert_eq!(of(&account), ["audit"]);
}

/// The tag was replaced after the link. What `link` recorded stays until its own distribution is unlinked.
#[test]
fn unlinking_a_distribution_that_link_did_not_add_keeps_its_record_of_others() {
    let account = configured_account();
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    account.tags.borrow_mut().newest.insert("distributionId".into(), "E9".into());
    let before = configuration(&account);
    assert_eq!(unlink(&account, &["E9"]), Ok(0));
    assert_eq!(configuration(&account), before);
}

#[test]
fn unlinking_one_of_two_distributions_is_not_the_last() {
    let account = configured_account();
    link(&account, &LinkRequest { distributions: ids(&["E1", "E2"]), ..request(Via::Queue) }).unwrap().unwrap();
    account.queue.borrow_mut().available = 5;
    let of = |distributions: &[&str]| {
        run(async {
            let deployment = deployment(&account).await;
            let ids = ids(distributions);
            plan_unlink(&account, &deployment, "distributionId", &bucket(), &ids, false).await.unwrap()
        })
    };
    let (one, both) = (of(&["E1"]), of(&["E1", "E2"]));
    assert_eq!((one.removes_last, one.queued_messages), (false, 0));
    assert_eq!((both.removes_last, both.queued_messages), (true, 5));
}

#[test]
fn replacing_removes_what_link_added_before() {
    let account = configured_account();
    let before = configuration(&account);
    for (id, prefix) in [("E1", "a/"), ("E1", "b/")] {
        let filter = KeyFilter { prefix: prefix.into(), suffix: String::new() };
        link(&account, &LinkRequest { distributions: ids(&[id]), filter, ..request(Via::Queue) }).unwrap().unwrap();
    }
    assert_eq!(configuration(&account).1.rules.len(), 6);
    let filter = KeyFilter { prefix: "b/".into(), suffix: String::new() };
    let replacing = LinkRequest { distributions: ids(&["E2"]), filter, replace: true, ..request(Via::Queue) };
    link(&account, &replacing).unwrap().unwrap();
    let (tags, notifications, _) = configuration(&account);
    assert_eq!((tags["distributionId"].as_str(), notifications.rules.len()), ("E2", 5));
    assert_eq!(link(&account, &replacing).unwrap().unwrap().change_set.steps, []);
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account), before);
}

#[test]
fn arns_are_those_of_the_functions_partition() {
    let account = Account::new();
    let function = FunctionInfo { arn: FUNCTION.replace("arn:aws:", "arn:aws-cn:"), ..FunctionInfo::default() };
    let deployment = Deployment { function, ..run(deployment(&account)) };
    assert_eq!(deployment.bucket_arn(&bucket()), "arn:aws-cn:s3:::my-site");
}

#[test]
fn an_unreachable_cloud_front_may_not_exist_in_the_partition() {
    let account = Account::new();
    account.no_cloud_front.set(true);
    for (partition, has_hint) in [("aws", false), ("aws-cn", false), ("aws-us-gov", true)] {
        let arn = FUNCTION.replace("arn:aws:", &format!("arn:{partition}:"));
        let first = run(deployment(&account));
        let deployment = Deployment { function: FunctionInfo { arn, ..first.function.clone() }, ..first };
        let error = run(plan_link(&account, &deployment, &request(Via::Function))).unwrap_err().to_string();
        assert_eq!(error.contains("partition aws-us-gov may have no CloudFront"), has_hint, "{error}");
    }
}
