//! What `status` reports of a bucket and of the function, with the remedies.

use std::collections::BTreeSet;

use s3_cloudfront_invalidator::aws::CallError;
use s3_cloudfront_invalidator::cli::link::{
    BucketStatus, Check, DeploymentStatus, Destination, DryRun, EVENTS, FailedInvocation, FailedInvocations, Problem,
    Via, check_bucket, check_deployment,
};
use serde_json::{Value, json};

use super::fake_account::{Account, FUNCTION, QUEUE, REGION, denied, now};
use super::{bucket, deployment, link, request, rule, run};
use crate::document_links::read;

/// The status of a linked bucket, and that of the function, after something was broken.
pub(super) fn status(
    via: Via,
    breakage: impl Fn(&Account),
    skip_origin_check: bool,
) -> (BucketStatus, DeploymentStatus) {
    let account = Account::new();
    link(&account, &request(via)).unwrap().unwrap();
    breakage(&account);
    run(async {
        let deployment = deployment(&account).await;
        let of_bucket = check_bucket(&account, &deployment, &bucket(), skip_origin_check).await;
        (of_bucket, check_deployment(&account, &deployment, Some(now())).await)
    })
}

/// The problems of the same, each as `column: code: message`; those of the function without the column.
fn problems(via: Via, breakage: impl Fn(&Account)) -> (Vec<String>, Vec<String>) {
    let (of_bucket, of_function) = status(via, breakage, false);
    let text = |problem: &Problem| format!("{}: {}", problem.code, problem.message);
    let located = |(what, check): (_, &Check)| Some(format!("{what}: {}", text(check.problem.as_ref()?)));
    (
        of_bucket.checks().filter_map(located).collect(),
        of_function.problems().map(|(_, problem)| text(problem)).collect(),
    )
}

#[test]
fn a_linked_bucket_has_no_problems() {
    for via in [Via::Queue, Via::Function, Via::EventBridge] {
        assert_eq!(problems(via, |_| {}), (vec![], vec![]), "{via:?}");
        assert_eq!(problems(via, Account::use_mapping), (vec![], vec![]), "{via:?}");
    }
}

#[test]
fn unknown_urls_are_a_problem_with_the_tag_that_names_them() {
    let (found, _) = problems(Via::Queue, |it| it.function_at.set(Some("origin-request")));
    assert_eq!(
        found,
        ["URLs: urls-uncertain: distribution E1: a function at origin-request is in front of this bucket, so viewers \
             may request other URLs than those that are invalidated; name the forms of these URLs in the tag \
             invalidation:urls (\"/:key\" if they are the keys)"]
    );
    let (found, _) = problems(Via::Queue, |it| {
        it.reads_configs.set(false);
        it.origins.borrow_mut().get_mut("E1").unwrap()[0].1 = "/web".into();
    });
    assert_eq!(
        found,
        ["origin path: origin-path-unknown: the function does not read distribution configs \
             (DISTRIBUTION_CONFIG=off), so it does not know the origin path /web; name it in the tag \
             invalidation:originPath of the bucket, or deploy the function with DistributionConfig=auto"]
    );
}

/// Only the function knows what its role may read.
#[test]
fn a_dry_run_of_the_function_shows_what_its_role_may_not_read() {
    let dry_run = |answer: Result<DryRun, CallError>| {
        let (found, _) = problems(Via::Queue, |it| *it.dry_run.borrow_mut() = answer.clone());
        found
    };
    assert_eq!(
        dry_run(Ok(DryRun::Planned { urls_uncertain: true })),
        ["dry run: config-unreadable: the function does not know an origin path, because its role may not read the \
             distribution config; allow the CloudFront actions in policy.json for the role, or name the origin path in \
             the tag invalidation:originPath of the bucket (\"/\" if there is none)"]
    );
    let message = "bucket my-site: GetBucketTagging: AccessDenied\nremedy";
    assert_eq!(
        dry_run(Ok(DryRun::Failed(message.to_owned()))),
        ["dry run: dry-run-failed: the function fails: bucket my-site: GetBucketTagging: AccessDenied\\nremedy"]
    );
    assert_eq!(
        dry_run(Err(denied("lambda:InvokeFunction"))),
        ["dry run: access-denied: lambda:InvokeFunction; grant your user or role the permissions in \
             docs/operator-policy.json"]
    );
    // It would only repeat what is reported already.
    let (found, _) = problems(Via::Queue, |it| {
        it.function_at.set(Some("origin-request"));
        *it.dry_run.borrow_mut() = Ok(DryRun::Planned { urls_uncertain: true });
    });
    assert!(matches!(found.as_slice(), [one] if one.starts_with("URLs: urls-uncertain: ")), "{found:?}");
}

#[test]
fn a_multi_tenant_distributions_own_id_is_a_problem() {
    let breakage = |it: &Account| it.origins.borrow_mut().get_mut("E1").unwrap()[0].1 = "/{{tenant}}".into();
    let (found, _) = problems(Via::Queue, breakage);
    let [problem] = found.as_slice() else { panic!("{found:?}") };
    assert!(problem.starts_with("origin path: multi-tenant-distribution: "), "{problem}");
    assert!(problem.contains("name the IDs of its tenants instead (dt_…)"), "{problem}");
}

/// What the URLs are is a note, or the operator has said it.
#[test]
fn known_urls_are_no_problem() {
    let tag = |it: &Account, tag: &str, value: &str| {
        it.tags.borrow_mut().newest.insert(tag.into(), value.into());
    };
    let urls = |breakage: &dyn Fn(&Account)| {
        let (of_bucket, _) = status(Via::Queue, breakage, false);
        assert!(of_bucket.checks().all(|(_, check)| check.is_ok()), "{of_bucket:?}");
        let of_distribution = &of_bucket.distributions[0];
        (of_distribution.urls.state.clone(), of_distribution.note.clone())
    };
    assert_eq!(urls(&|_| {}), ("/:key".to_owned(), None));
    let (state, note) = urls(&|it| it.function_at.set(Some("viewer-request")));
    assert_eq!(state, "/:key");
    assert!(note.unwrap().starts_with("distribution E1: a function at viewer-request is in front of this bucket"));
    for event_type in ["viewer-request", "origin-request"] {
        let (state, note) = urls(&|it| {
            it.function_at.set(Some(event_type));
            tag(it, "invalidation:urls", "/:key  /:page");
        });
        assert_eq!((state.as_str(), note), ("/:key /:page", None), "{event_type}");
    }
    let (_, note) = urls(&|it| {
        it.reads_configs.set(false);
        it.origins.borrow_mut().get_mut("E1").unwrap()[0].1 = "/web".into();
        tag(it, "invalidation:originPath", "/web");
    });
    assert_eq!(note, None);
}

#[test]
fn each_problem_of_a_bucket_is_reported_with_its_remedy() {
    type Breakage = fn(&Account);
    let cases: [(Via, Breakage, &str, &str); 15] = [
        (
            Via::Queue,
            |it| *it.owner.borrow_mut() = Some("222222222222".into()),
            "tag: other-owner",
            "accepts only buckets of account 222222222222 (EXPECTED_BUCKET_OWNER)",
        ),
        (Via::Queue, |it| it.tags.borrow_mut().newest.clear(), "tag: tag-missing", "invalidator link my-site`"),
        (
            Via::Queue,
            |it| drop(it.tags.borrow_mut().newest.insert("distributionId".into(), "nonsense".into())),
            "tag: tag-invalid",
            "correct the tag",
        ),
        (Via::Queue, |it| *it.region.borrow_mut() = "eu-west-1".into(), "tag: other-region", "--region eu-west-1"),
        (
            Via::Queue,
            |it| it.origins.borrow_mut().clear(),
            "distribution: distribution-not-found",
            "remove its ID from the bucket's tag",
        ),
        (
            Via::Queue,
            |it| it.origins.borrow_mut().get_mut("E1").unwrap()[0].0 = "other.example.com".into(),
            "origin path: origin-missing",
            "other.example.com",
        ),
        (
            Via::Queue,
            |it| it.notifications.borrow_mut().newest.rules.clear(),
            "events via: notifications-missing",
            "`invalidator link my-site E1",
        ),
        (
            Via::Queue,
            |it| {
                let other =
                    Destination::Function("arn:aws:lambda:eu-central-1:123456789012:function:thumbnails".into());
                let taken = rule("thumbnails", other, &["s3:ObjectCreated:Put"], "img/", "");
                it.notifications.borrow_mut().newest.rules = [taken].into();
            },
            "events via: notifications-missing",
            "remove or narrow these event notifications: \"thumbnails\": ObjectCreated:Put → function thumbnails, prefix \"img/\"; then run `invalidator link my-site E1`",
        ),
        (
            Via::Queue,
            |it| {
                let part = rule("part", Destination::Queue(QUEUE.into()), &EVENTS[..1], "", "");
                it.notifications.borrow_mut().newest.rules = [part].into();
            },
            "events via: events-missing",
            "no event notification matches ObjectRemoved:*, LifecycleExpiration:*; run `invalidator link my-site E1",
        ),
        (
            Via::Queue,
            |it| {
                let kinds = [("a", &EVENTS[..1], ""), ("b", &EVENTS[1..], "logs/")];
                let rules =
                    kinds.map(|(id, events, prefix)| rule(id, Destination::Queue(QUEUE.into()), events, prefix, ""));
                it.notifications.borrow_mut().newest.rules = rules.into();
            },
            "events via: filters-differ",
            "different prefix or suffix filters for different event types",
        ),
        (
            Via::Queue,
            |it| {
                let topic = Destination::Topic("arn:aws:sns:eu-central-1:123456789012:audit".into());
                it.notifications.borrow_mut().newest.rules = [rule("a", topic, &["s3:ObjectTagging:*"], "", "")].into();
            },
            "events via: notifications-missing",
            "sends no event notifications to the function",
        ),
        (
            Via::Queue,
            |it| it.queue.borrow_mut().policy = None,
            "policy: policy-missing",
            "does not allow S3 to send the bucket's events; add {\"Effect\"",
        ),
        (
            Via::Queue,
            |it| it.queue.borrow_mut().kms_key = Some("alias/aws/sqs".into()),
            "policy: queue-key",
            "S3 cannot use",
        ),
        (Via::Function, |it| it.statements.borrow_mut().clear(), "policy: policy-missing", "--via function`"),
        (Via::EventBridge, |it| it.rules.borrow_mut().clear(), "events via: event-rule-missing", "EventBridgeBuckets"),
    ];
    for (via, breakage, problem, remedy) in cases {
        let (found, _) = problems(via, breakage);
        let fits = |it: &String| it.starts_with(&format!("{problem}: ")) && it.contains(remedy);
        assert!(found.iter().any(fits), "{problem} {remedy}: {found:?}");
    }
}

#[test]
fn each_problem_of_the_function_is_reported_with_its_remedy() {
    type Breakage = fn(&Account);
    let (_, found) = problems(Via::Queue, |it| *it.owner.borrow_mut() = Some("222222222222".into()));
    assert!(found.is_empty(), "it is right for buckets of that account: {found:?}");
    let cases: [(Breakage, &str, &str); 6] = [
        (|it| it.is_dry_run.set(true), "dry-run", "the function sends no invalidations (DRY_RUN)"),
        (|it| it.dead.borrow_mut().available = 3, "dead-letter-queue-not-empty", "start-message-move-task"),
        (
            |it| {
                it.use_mapping();
                it.sources.borrow_mut()[0].state = "Disabled".into();
            },
            "event-source-disabled",
            "enable its event source mapping",
        ),
        (
            |it| {
                it.use_mapping();
                it.sources.borrow_mut()[0].reports_batch_item_failures = false;
            },
            "batch-item-failures-off",
            "ReportBatchItemFailures",
        ),
        (
            |it| it.queue.borrow_mut().dead_letter_queue = None,
            "dead-letter-queue-missing",
            "add a redrive policy with a dead-letter queue",
        ),
        (
            |it| {
                it.queue.borrow_mut().dead_letter_queue = None;
                *it.function_dead.borrow_mut() = None;
            },
            "dead-letter-queue-missing",
            "events that fail permanently are lost",
        ),
    ];
    for (breakage, code, remedy) in cases {
        let (_, found) = problems(Via::Queue, breakage);
        let fits = |problem: &String| problem.starts_with(&format!("{code}: ")) && problem.contains(remedy);
        assert!(found.iter().any(fits), "{code} {remedy}: {found:?}");
    }
}

#[test]
fn failed_invocations_are_reported_with_what_becomes_of_their_messages() {
    let failed = |messages_left, attempt| FailedInvocation {
        time: now(),
        failure: Some(("tags-access-denied".to_owned(), "GetBucketTagging: AccessDenied".to_owned())),
        messages_left,
        attempt,
    };
    let status_with = |last: FailedInvocation| {
        let failed = FailedInvocations { count: 2, last };
        let set = |it: &Account| *it.failed_invocations.borrow_mut() = Ok(Some(failed.clone()));
        status(Via::Queue, set, false).1.invocations
    };
    let what = "something failed in 2 invocations of the last 15 minutes, the last time at 2026-01-02 03:04 UTC: \
                tags-access-denied: GetBucketTagging: AccessDenied";
    for (last, rest) in [
        (
            failed(1, Some(2)),
            "; 1 message not done, the oldest after attempt 2 of 5, received again by the first poll after 2026-01-02 03:07 UTC",
        ),
        (
            failed(3, Some(5)),
            "; 3 messages not done, the oldest after attempt 5 of 5, the last before the dead-letter queue",
        ),
        (failed(0, None), ""),
    ] {
        let Problem { code, message } = status_with(last).problem.unwrap();
        assert_eq!((code, message), ("invocations-failed", format!("{what}{rest}; correct the cause")));
    }
    // That the log cannot be read is no problem.
    let check = |breakage: fn(&Account)| status(Via::Queue, breakage, false).1.invocations;
    let denied = check(|it| *it.failed_invocations.borrow_mut() = Err(denied("FilterLogEvents: AccessDenied")));
    assert!(denied.is_ok() && denied.state.contains("operator-policy.json"), "{denied:?}");
    let as_text = check(|it| *it.log_group.borrow_mut() = None);
    assert!(as_text.is_ok() && as_text.state.starts_with("unknown: "), "{as_text:?}");
}

/// A failure of a function that only a pipeline or a person invokes is seen where it is invoked.
#[test]
fn a_function_that_receives_no_events_needs_no_dead_letter_queue() {
    let without_queues = |it: &Account| {
        it.use_mapping();
        it.sources.borrow_mut().clear();
        *it.function_dead.borrow_mut() = None;
    };
    let (_, found) = problems(Via::Function, without_queues);
    assert!(found.iter().any(|it| it.starts_with("dead-letter-queue-missing: ")), "{found:?}");
    let (_, found) = problems(Via::Function, |it| {
        without_queues(it);
        it.statements.borrow_mut().clear();
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_queue_that_does_not_exist_is_a_problem() {
    let unreadable = |it: &Account| it.add_mapping(&format!("{QUEUE}-2"));
    let (_, of_function) = status(Via::Queue, unreadable, false);
    let (queue, problem) = of_function.problems().next().unwrap();
    assert_eq!((queue, problem.code), (Some("changes-2"), "queue-not-found"));
}

/// The check cannot distinguish a proxy between the distribution and the bucket from a wrong tag.
#[test]
fn the_origin_check_can_be_skipped() {
    let proxy = |it: &Account| it.origins.borrow_mut().get_mut("E1").unwrap()[0].0 = "proxy.example.com".into();
    for (skip_origin_check, state, is_ok) in [(false, "none", false), (true, "not checked", true)] {
        let (of_bucket, _) = status(Via::Queue, proxy, skip_origin_check);
        let origin_path = &of_bucket.distributions[0].origin_path;
        assert_eq!((origin_path.state.as_str(), origin_path.is_ok()), (state, is_ok));
        assert_eq!(of_bucket.checks().filter(|(_, check)| !check.is_ok()).count(), usize::from(!is_ok));
    }
    // An origin that is the bucket is shown, and a distribution that does not exist is a problem all the same.
    let (of_bucket, _) = status(Via::Queue, |_| {}, true);
    assert_eq!(of_bucket.distributions[0].origin_path.state, "/");
    let (of_bucket, _) = status(Via::Queue, |it| it.origins.borrow_mut().clear(), true);
    assert_eq!(of_bucket.distributions[0].exists.problem.as_ref().unwrap().code, "distribution-not-found");
}

#[test]
fn the_json_of_a_status_names_every_field() {
    let (of_bucket, of_function) = status(Via::Queue, |it| it.queue.borrow_mut().policy = None, false);
    let mut shown = json!(of_bucket);
    let message = shown["policy"]["message"].take();
    assert!(message.as_str().unwrap().contains("does not allow S3"), "{message}");
    let ok = |state: &str| json!({ "ok": true, "state": state });
    assert_eq!(
        shown,
        json!({
            "name": "my-site",
            "tag": ok("ok"),
            "eventsVia": ok("queue"),
            "dryRun": ok("ok"),
            "policy": { "ok": false, "state": "missing", "code": "policy-missing", "message": null },
            "distributions": [{
                "id": "E1",
                "exists": ok("yes"),
                "originPath": ok("/"),
                "urls": ok("/:key"),
                "invalidationsListed": true,
                "lastInvalidation": { "createdAt": "1970-01-01T00:16:40.000Z", "status": "Completed" },
            }],
        })
    );
    let queue = |name: &str, state: &str| {
        let arn = format!("arn:aws:sqs:eu-central-1:123456789012:{name}");
        json!({ "name": name, "arn": arn, "state": ok(state), "available": 0, "inFlight": 0 })
    };
    let mut polled = queue("changes", "enabled");
    polled["lastPoll"] = ok("2026-01-02 03:02 UTC");
    assert_eq!(
        json!(of_function),
        json!({
            "arn": FUNCTION,
            "version": "0.1.0",
            "ok": true,
            "invocations": ok("no failures in the last 15 minutes"),
            "queues": [polled],
            "deadLetterQueues": [queue("dead", "empty")],
        })
    );
    let (_, of_function) = status(Via::Queue, |it| it.is_dry_run.set(true), false);
    assert_eq!(json!(of_function)["ok"], false);
}

/// What `status --json` prints of one bucket and the function: `src/cli/status.rs` adds the problems with their places.
fn printed(of_bucket: &BucketStatus, of_function: &DeploymentStatus) -> Value {
    let mut problems = Vec::new();
    for problem in of_bucket.checks().filter_map(|(_, check)| check.problem.as_ref()) {
        let mut shown = json!(problem);
        shown["bucket"] = json!(of_bucket.name);
        problems.push(shown);
    }
    for (queue, problem) in of_function.problems() {
        let mut shown = json!(problem);
        if let Some(queue) = queue {
            shown["queue"] = json!(queue);
        }
        problems.push(shown);
    }
    json!({ "ok": problems.is_empty(), "function": of_function, "buckets": [of_bucket], "problems": problems })
}

/// The section of `docs/json.md` about `status`.
fn documented() -> String {
    let page = read("docs/json.md");
    page.split("\n## Status\n").nth(1).unwrap().split("\n## ").next().unwrap().to_owned()
}

/// Collects the names of the fields, those inside lists as `list[].field`. A check counts as one field.
fn collect_fields(value: &Value, name: &str, found: &mut BTreeSet<String>) {
    let is_check = value.get("state").is_some_and(Value::is_string);
    match value {
        Value::Object(members) if !is_check => {
            for (member, value) in members {
                let dot = if name.is_empty() { "" } else { "." };
                collect_fields(value, &format!("{name}{dot}{member}"), found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_fields(value, &format!("{name}[]"), found)),
        _ => {
            found.insert(name.to_owned());
        }
    }
}

#[test]
fn the_documented_fields_are_exactly_those_of_a_status() {
    let breakage = |it: &Account| {
        it.queue.borrow_mut().policy = None;
        it.schedules.borrow_mut()[0].is_enabled = false;
        it.function_at.set(Some("viewer-request"));
    };
    let (of_bucket, of_function) = status(Via::Queue, breakage, false);
    let mut fields = BTreeSet::new();
    collect_fields(&printed(&of_bucket, &of_function), "", &mut fields);
    let section = documented();
    let rows = section.split("\n### ").next().unwrap().lines().filter(|line| line.starts_with("| `"));
    let documented_fields: BTreeSet<_> = rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    assert_eq!(documented_fields, fields);
}

/// The names, the account and the time of the document's example replace those of the fake account.
#[test]
fn the_documented_example_is_a_status() {
    let only_created = |it: &Account| {
        let part = rule("part", Destination::Queue(QUEUE.into()), &EVENTS[..1], "", "");
        it.notifications.borrow_mut().newest.rules = [part].into();
    };
    let (of_bucket, of_function) = status(Via::Queue, only_created, false);
    let mut expected = printed(&of_bucket, &of_function).to_string();
    for (fake, example) in [
        ("123456789012", "111122223333"),
        ("function:invalidator\"", "function:cloudfront-invalidator\""),
        ("changes\"", "cloudfront-invalidator-Queue-6BB05B5F75285\""),
        ("dead\"", "cloudfront-invalidator-DeadLetterQueue-42E4C03ED2987\""),
        ("E1", "E2EXAMPLE1ABCD"),
        ("1970-01-01T00:16:40.000Z", "2026-01-02T03:04:05.006Z"),
    ] {
        assert!(expected.contains(fake), "{fake}: {expected}");
        expected = expected.replace(fake, example);
    }
    let section = documented();
    let example = section.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    assert_eq!(example, serde_json::from_str::<Value>(&expected).unwrap());
}

#[test]
fn a_function_is_found_by_its_stack_or_by_its_name() {
    use s3_cloudfront_invalidator::cli::link::{Deployment, FunctionLocator, GivenOptions, find};
    let account = Account::new();
    let found = |locator| run(find(&account, &locator, REGION, &GivenOptions::default()));
    let by_stack = found(FunctionLocator::Stack("cloudfront-invalidator".into())).unwrap();
    let by_name = found(FunctionLocator::Function("invalidator".into())).unwrap();
    assert_eq!(by_name, Deployment { schedule: None, ..by_stack.clone() });
    assert_eq!(by_stack.queues().collect::<Vec<_>>(), [QUEUE]);
    let error = found(FunctionLocator::Stack("other".into())).unwrap_err().to_string();
    assert!(error.contains("stack \"other\" does not exist") && error.contains("--stack"), "{error}");
    assert!(
        found(FunctionLocator::Function("other".into()))
            .unwrap_err()
            .to_string()
            .contains("function \"other\" does not exist")
    );
}
