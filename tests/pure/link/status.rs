//! What `status` reports of a bucket and of the function, with the remedies.

use s3_cloudfront_invalidator::cli::link::{Destination, EVENTS, Via, check_bucket, check_deployment};

use super::fake_account::{Account, QUEUE};
use super::{bucket, deployment, link, request, rule, run};

/// The problems of a linked bucket, and those of the function, after something was broken.
fn problems(via: Via, breakage: impl Fn(&Account)) -> (Vec<String>, Vec<String>) {
    let account = Account::new();
    link(&account, &request(via)).unwrap().unwrap();
    breakage(&account);
    run(async {
        let deployment = deployment(&account).await;
        let status = check_bucket(&account, &account, &deployment, &bucket()).await;
        let of_bucket = status.checks().filter_map(|(what, cell)| Some(format!("{what}: {}", cell.remedy.as_ref()?)));
        (of_bucket.collect(), check_deployment(&account, &deployment).await.problems().collect())
    })
}

#[test]
fn a_linked_bucket_has_no_problems() {
    for via in [Via::Queue, Via::Function, Via::EventBridge] {
        assert_eq!(problems(via, |_| {}), (vec![], vec![]), "{via:?}");
    }
}

#[test]
fn each_problem_of_a_bucket_is_reported_with_its_remedy() {
    type Breakage = fn(&Account);
    let cases: [(Via, Breakage, &str, &str); 14] = [
        (
            Via::Queue,
            |it| *it.owner.borrow_mut() = Some("222222222222".into()),
            "tag",
            "takes buckets of the account 222222222222 only (EXPECTED_BUCKET_OWNER)",
        ),
        (Via::Queue, |it| it.tags.borrow_mut().newest.clear(), "tag", "invalidator link my-site DISTRIBUTION`"),
        (
            Via::Queue,
            |it| drop(it.tags.borrow_mut().newest.insert("distributionId".into(), "nonsense".into())),
            "tag",
            "correct the tag",
        ),
        (Via::Queue, |it| *it.region.borrow_mut() = "eu-west-1".into(), "tag", "--region eu-west-1"),
        (Via::Queue, |it| it.origins.borrow_mut().clear(), "distribution", "take it out of the bucket's tag"),
        (
            Via::Queue,
            |it| it.origins.borrow_mut().get_mut("E1").unwrap()[0].0 = "other.example.com".into(),
            "origin",
            "other.example.com",
        ),
        (
            Via::Queue,
            |it| it.notifications.borrow_mut().newest.rules.clear(),
            "notification",
            "`invalidator link my-site E1",
        ),
        (
            Via::Queue,
            |it| {
                let part = rule("part", Destination::Queue(QUEUE.into()), &EVENTS[..1], "", "");
                it.notifications.borrow_mut().newest.rules = [part].into();
            },
            "notification",
            "no rule takes ObjectRemoved:*, LifecycleExpiration:*: `invalidator link my-site E1",
        ),
        (
            Via::Queue,
            |it| {
                let kinds = [("a", &EVENTS[..1], ""), ("b", &EVENTS[1..], "logs/")];
                let rules =
                    kinds.map(|(id, events, prefix)| rule(id, Destination::Queue(QUEUE.into()), events, prefix, ""));
                it.notifications.borrow_mut().newest.rules = rules.into();
            },
            "notification",
            "other keys for one kind of event",
        ),
        (
            Via::Queue,
            |it| {
                let topic = Destination::Topic("arn:aws:sns:eu-central-1:123456789012:audit".into());
                it.notifications.borrow_mut().newest.rules = [rule("a", topic, &["s3:ObjectTagging:*"], "", "")].into();
            },
            "notification",
            "not told",
        ),
        (
            Via::Queue,
            |it| it.queue.borrow_mut().policy = None,
            "permission",
            "does not let the bucket in; add {\"Effect\"",
        ),
        (Via::Queue, |it| it.queue.borrow_mut().kms_key = Some("alias/aws/sqs".into()), "permission", "S3 cannot use"),
        (Via::Function, |it| it.statements.borrow_mut().clear(), "permission", "--via function`"),
        (Via::EventBridge, |it| it.rules.borrow_mut().clear(), "notification", "EventBridgeBuckets"),
    ];
    for (via, breakage, what, remedy) in cases {
        let (found, _) = problems(via, breakage);
        let fits = |fault: &String| fault.starts_with(&format!("{what}: ")) && fault.contains(remedy);
        assert!(found.iter().any(fits), "{what} {remedy}: {found:?}");
    }
}

#[test]
fn each_problem_of_the_function_is_reported_with_its_remedy() {
    type Breakage = fn(&Account);
    let (_, found) = problems(Via::Queue, |it| *it.owner.borrow_mut() = Some("222222222222".into()));
    assert!(found.is_empty(), "it is right for buckets of that account: {found:?}");
    let cases: [(Breakage, &str); 6] = [
        (|it| it.is_dry_run.set(true), "the function sends nothing (DRY_RUN)"),
        (|it| it.dead.borrow_mut().waiting = 3, "start-message-move-task"),
        (|it| it.sources.borrow_mut()[0].state = "Disabled".into(), "enable its event source mapping"),
        (|it| it.sources.borrow_mut()[0].reports_batch_item_failures = false, "ReportBatchItemFailures"),
        (|it| it.queue.borrow_mut().dead_letters = None, "give it a dead-letter queue"),
        (
            |it| {
                it.queue.borrow_mut().dead_letters = None;
                *it.function_dead.borrow_mut() = None;
            },
            "what fails for good is lost",
        ),
    ];
    for (breakage, remedy) in cases {
        let (_, found) = problems(Via::Queue, breakage);
        assert!(found.iter().any(|fault| fault.contains(remedy)), "{remedy}: {found:?}");
    }
}

#[test]
fn a_function_is_found_by_its_stack_or_by_its_name() {
    use s3_cloudfront_invalidator::cli::link::{FunctionLocator, find};
    let account = Account::new();
    let found = |locator| run(find(&account, &locator));
    let by_stack = found(FunctionLocator::Stack("cloudfront-invalidator".into())).unwrap();
    assert_eq!(found(FunctionLocator::Function("invalidator".into())).unwrap(), by_stack);
    assert_eq!(by_stack.queues().collect::<Vec<_>>(), [QUEUE]);
    let error = found(FunctionLocator::Stack("other".into())).unwrap_err().to_string();
    assert!(error.contains("there is no stack \"other\"") && error.contains("--stack"), "{error}");
    assert!(
        found(FunctionLocator::Function("other".into())).unwrap_err().to_string().contains("no function \"other\"")
    );
}
