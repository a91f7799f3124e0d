//! The commands in remedies: they find the same function and account, and succeed.

use std::collections::{BTreeMap, BTreeSet};

use s3_cloudfront_invalidator::cli::link::{
    CachedApi, Deployment, Destination, EVENTS, FunctionLocator, GivenOptions, KeyFilter, OperatorApi, Via,
    check_bucket, check_deployment, find,
};

use super::fake_account::{Account, DEAD, FUNCTION, QUEUE, QUEUE_URL, REGION, now};
use super::status::status;
use super::{LinkRequest, bucket, deployment, link, request, rule, run};

fn given() -> GivenOptions {
    let aws = [("--profile", "my team".to_owned()), ("--region", "eu-central-1".to_owned())].into();
    GivenOptions { function: vec![("--stack", "two".to_owned())], aws, bucket: None }
}

/// The remedies of a bucket and of the function.
fn remedies(account: &Account, skip_origin_check: bool) -> Vec<String> {
    run(async {
        let deployment = Deployment { given: given(), ..deployment(account).await };
        let of_bucket = check_bucket(account, &deployment, &bucket(), skip_origin_check).await;
        let of_function = check_deployment(account, &deployment, Some(now())).await;
        let of_bucket = of_bucket.checks().filter_map(|(_, check)| check.problem.clone()).collect::<Vec<_>>();
        let of_function = of_function.problems().map(|(_, problem)| problem.clone()).collect::<Vec<_>>();
        of_bucket.into_iter().chain(of_function).map(|problem| problem.message).collect()
    })
}

#[test]
fn a_bucket_is_linked_again_in_the_same_way() {
    let filter = KeyFilter { prefix: "a b/".into(), suffix: ".html".into() };
    let options = "--stack two --profile 'my team' --region eu-central-1";
    for (via, filter, words) in [
        (Via::Queue, KeyFilter::default(), ""),
        (Via::Queue, filter.clone(), "--prefix 'a b/' --suffix .html "),
        (Via::Function, filter, "--via function --prefix 'a b/' --suffix .html "),
        (Via::EventBridge, KeyFilter::default(), "--via eventbridge "),
    ] {
        for (skip_origin_check, skip) in [(false, ["", ""]), (true, ["DISTRIBUTION ", "--skip-origin-check "])] {
            let account = Account::new();
            link(&account, &LinkRequest { filter: filter.clone(), ..request(via) }).unwrap().unwrap();
            account.tags.borrow_mut().newest.clear();
            let [id, skip] = skip;
            let expected = format!("run `invalidator link my-site {id}{words}{skip}{options}`");
            let [remedy] = &remedies(&account, skip_origin_check)[..] else { panic!() };
            assert!(remedy.ends_with(&expected), "{remedy}\n{expected}");
        }
    }
    let account = Account::new();
    *account.queue_url.borrow_mut() = None;
    let found = remedies(&account, false);
    assert!(found[0].contains("run `invalidator link my-site --via function --stack two"), "{found:?}");
}

/// `link` would refuse the bucket because of the rules that it did not make.
#[test]
fn what_would_prevent_the_link_is_to_be_removed_first() {
    let account = Account::new();
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    let queue = Destination::Queue(QUEUE.into());
    let [created, others] = [("a", &EVENTS[..1], ""), ("b", &EVENTS[1..], "logs/")]
        .map(|(id, events, prefix)| rule(id, queue.clone(), events, prefix, ""));
    account.notifications.borrow_mut().newest.rules = [created, others.clone()].into();
    let [remedy] = &remedies(&account, false)[..] else { panic!() };
    assert!(
        remedy.contains(&format!(
            "remove or narrow these event notifications: {others}; then run `invalidator link my-site E1 --stack two"
        )),
        "{remedy}"
    );
    account.notifications.borrow_mut().newest.rules.remove(&others);
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    assert_eq!(remedies(&account, false), Vec::<String>::new());
}

#[test]
fn an_alias_is_allowed_with_the_aws_cli_since_link_does_not() {
    let account = Account::new();
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    let alias = rule("live", Destination::Function(format!("{FUNCTION}:live")), &EVENTS, "", "");
    account.notifications.borrow_mut().newest.rules = [alias].into();
    account.statements.borrow_mut().clear();
    let found = remedies(&account, false);
    let expected = format!("run `aws lambda add-permission --function-name {FUNCTION}:live ");
    assert!(
        found[0].contains(&expected) && found[0].ends_with("--profile 'my team' --region eu-central-1`"),
        "{found:?}"
    );
}

#[test]
fn messages_are_moved_only_where_sqs_takes_the_task() {
    let remedy = |breakage: &dyn Fn(&Account)| {
        let account = Account::new();
        link(&account, &request(Via::Queue)).unwrap().unwrap();
        account.dead.borrow_mut().available = 2;
        breakage(&account);
        remedies(&account, false).into_iter().find(|it| it.contains("the dead-letter queue has")).unwrap()
    };
    let moved = format!(
        "the dead-letter queue has 2 messages; correct the cause of the failures, then run `aws sqs \
         start-message-move-task --source-arn {DEAD} --destination-arn {QUEUE} --profile 'my team' --region eu-central-1`"
    );
    assert_eq!(remedy(&|_| {}), moved);
    // The dead-letter queue of the function alone, and one that is the destination of its failed invocations.
    let by_hand = "then handle the body of each message with `invalidator invalidate --event FILE --profile 'my team' \
                   --region eu-central-1`, and delete the message";
    let of_function_only: [&dyn Fn(&Account); 2] = [&|it| it.queue.borrow_mut().dead_letter_queue = None, &|it| {
        *it.queue_url.borrow_mut() = None;
    }];
    for breakage in of_function_only {
        let remedy = remedy(breakage);
        assert!(remedy.ends_with(by_hand), "{remedy}");
    }
    let fifo = remedy(&|it| {
        let fifo = format!("{DEAD}.fifo");
        it.queue.borrow_mut().dead_letter_queue = Some(fifo.clone());
        *it.function_dead.borrow_mut() = Some(fifo);
    });
    assert!(fifo.ends_with(by_hand), "{fifo}");
}

#[test]
fn a_stack_that_does_not_exist_can_have_been_deleted() {
    let account = Account::new();
    let error = run(find(&account, &FunctionLocator::Stack("two".into()), REGION, &given())).unwrap_err().to_string();
    let command = "run `invalidator unlink BUCKET --force --profile 'my team' --region eu-central-1`";
    assert!(error.ends_with(command), "{error}");
    assert!(error.contains("does not exist in account 123456789012, Region eu-central-1"), "{error}");
    let given = GivenOptions { bucket: Some(bucket()), ..given() };
    let error = run(find(&account, &FunctionLocator::Stack("two".into()), REGION, &given)).unwrap_err().to_string();
    assert!(error.contains("`invalidator unlink my-site --force "), "{error}");
}

#[test]
fn a_deleted_function_and_a_deleted_queue_have_a_remedy() {
    let account = Account::new();
    account.is_deleted.set(true);
    let given = GivenOptions { bucket: Some(bucket()), ..given() };
    let stack = FunctionLocator::Stack("cloudfront-invalidator".into());
    let error = run(find(&account, &stack, REGION, &given)).unwrap_err();
    assert_eq!(error.code(), "function-not-found");
    let error = error.to_string();
    assert!(
        error.contains("delete the stack, then deploy it again") && error.contains("unlink my-site --force"),
        "{error}"
    );
    let by_name = run(find(&account, &FunctionLocator::Function("invalidator".into()), REGION, &given)).unwrap_err();
    assert!(by_name.to_string().contains("correct --function"), "{by_name}");

    let queue_is_deleted = |it: &Account| *it.queue_url.borrow_mut() = Some(QUEUE_URL.replace("/changes", "/gone"));
    let (_, of_function) = status(Via::Function, queue_is_deleted, false);
    let problems: Vec<_> = of_function.problems().map(|(queue, problem)| (queue, problem.code)).collect();
    assert_eq!(problems, [(Some("gone"), "queue-not-found")]);
}

/// `status --all` reads the tags of all buckets, and then checks those that have the tag.
#[test]
fn each_thing_is_asked_once() {
    for via in [Via::Queue, Via::Function, Via::EventBridge] {
        let account = Account::new();
        link(&account, &request(via)).unwrap().unwrap();
        run(async {
            let deployment = deployment(&account).await;
            account.calls.borrow_mut().clear();
            let api = CachedApi::new(&account);
            let of_function = check_deployment(&api, &deployment, Some(now())).await;
            assert_eq!(of_function.problems().count(), 0);
            for name in ["my-site", "second-site", "third-site"] {
                let name = s3_cloudfront_invalidator::change::BucketName::new(name).unwrap();
                api.tags(&name).await.unwrap();
                check_bucket(&api, &deployment, &name, true).await;
            }
        });
        let mut counts = BTreeMap::<String, usize>::new();
        for call in account.calls.borrow().iter() {
            *counts.entry(call.clone()).or_default() += 1;
        }
        assert!(counts.values().all(|count| *count == 1), "{via:?}: {counts:?}");
        let operations: BTreeSet<_> = counts.keys().filter_map(|call| call.split(' ').next()).collect();
        assert!(operations.contains("tags") && operations.contains("distribution_config"), "{operations:?}");
        assert_eq!(counts.keys().filter(|call| call.starts_with("tags ")).count(), 3);
    }
}
