//! What `link` and `unlink` change, and what they refuse.

use s3_cloudfront_invalidator::change::BucketName;
use s3_cloudfront_invalidator::cli::link::{
    Destination, EVENTS, KeyFilter, LinkError, ManagedBy, NotificationRule, OperatorApi, Via, serving,
};

use super::fake_account::{Account, Eventual, FUNCTION, QUEUE, policy, statement};
use super::{configuration, configured_account, ids, link, request, rule, run, unlink};

const ALL_VIAS: [Via; 3] = [Via::Queue, Via::Function, Via::EventBridge];

#[test]
fn a_configured_bucket_is_linked_once_and_unlink_restores_it() {
    for via in ALL_VIAS {
        for is_bound in [true, false] {
            let account = configured_account();
            if !is_bound {
                account.statements.borrow_mut().clear();
            }
            let before = configuration(&account);
            let linked = link(&account, &request(via)).unwrap().unwrap();
            assert_eq!(
                ((linked.unchanged_tags, linked.unchanged_rules), linked.managed_by),
                ((12, 4), Some(ManagedBy::CloudFormation("site".into())))
            );
            assert_eq!(linked.origin_paths, [(ids(&["E1"]).remove(0), vec!["/".to_owned()])]);
            let (tags, notifications, statements) = configuration(&account);
            assert_eq!(tags["distributionId"], "E1");
            assert_eq!(tags.len(), 14);
            assert!(before.1.rules.is_subset(&notifications.rules));
            assert_eq!(notifications.rules.len(), if via == Via::EventBridge { 4 } else { 5 });
            assert_eq!(notifications.event_bridge, via == Via::EventBridge);
            // A statement is added only where none allows the bucket to invoke the function.
            let added = usize::from(via == Via::Function && !is_bound);
            assert_eq!(statements.len(), before.2.len() + added);

            let again = link(&account, &request(via)).unwrap().unwrap();
            assert_eq!(again.change_set.steps, [], "a second link changes nothing");
            unlink(&account, &[]).unwrap();
            assert_eq!(configuration(&account), before);
            assert_eq!(unlink(&account, &[]), Ok(0));
        }
    }
}

#[test]
fn the_rule_sends_all_changes_of_content_to_its_destination() {
    for (via, destination) in
        [(Via::Queue, Destination::Queue(QUEUE.into())), (Via::Function, Destination::Function(FUNCTION.into()))]
    {
        let account = Account::new();
        let filter = KeyFilter { prefix: "web/".into(), suffix: ".html".into() };
        link(&account, &super::LinkRequest { filter: filter.clone(), ..request(via) }).unwrap().unwrap();
        let expected = rule("cloudfront-invalidator", destination, &EVENTS, "web/", ".html");
        assert_eq!(configuration(&account).1.rules, [expected].into());
    }
}

#[test]
fn another_via_replaces_the_first() {
    for first in ALL_VIAS {
        for second in ALL_VIAS {
            let account = configured_account();
            let before = configuration(&account);
            link(&account, &request(first)).unwrap().unwrap();
            link(&account, &request(second)).unwrap().unwrap();
            let own: Vec<_> =
                configuration(&account).1.rules.into_iter().filter(NotificationRule::has_link_id).collect();
            assert_eq!(own.len(), usize::from(second != Via::EventBridge), "{first:?} {second:?}");
            unlink(&account, &[]).unwrap();
            assert_eq!(configuration(&account), before, "{first:?} {second:?}");
        }
    }
}

#[test]
fn existing_configuration_stays_after_unlink() {
    let account = configured_account();
    account.tags.borrow_mut().newest.insert("distributionId".into(), "E2".into());
    account.notifications.borrow_mut().newest.event_bridge = true;
    let before = configuration(&account);
    link(&account, &request(Via::EventBridge)).unwrap().unwrap();
    assert_eq!(configuration(&account).0["distributionId"], "E2 E1");
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account), before);
}

#[test]
fn existing_rules_for_the_function_are_enough() {
    let account = Account::new();
    // One event in each rule, as CloudFormation templates have it.
    for (number, event) in EVENTS.iter().enumerate() {
        let made = rule(&format!("manual {number}"), Destination::Queue(QUEUE.into()), &[event], "", "");
        account.notifications.borrow_mut().newest.rules.insert(made);
    }
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    assert_eq!(configuration(&account).1.rules.len(), 3);
    // A missing event is added.
    account.notifications.borrow_mut().newest.rules.pop_first();
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    let own: Vec<_> = configuration(&account).1.rules.into_iter().filter(NotificationRule::has_link_id).collect();
    assert_eq!(own[0].events, [EVENTS[0].to_owned()].into());
}

#[test]
fn an_overlapping_rule_of_others_is_shown_and_stays() {
    let others = Destination::Queue("arn:aws:sqs:eu-central-1:123456789012:others".into());
    for (events, prefix, suffix, filter, is_free) in [
        (&["s3:ObjectCreated:Put"][..], "", "", KeyFilter::default(), false),
        (&["s3:ObjectCreated:*"], "img/", ".jpg", KeyFilter::default(), false),
        (&["s3:ObjectRemoved:*"], "img/", "", KeyFilter { prefix: "img/2024/".into(), suffix: String::new() }, false),
        (&["s3:ObjectRemoved:*"], "img/", "", KeyFilter { prefix: "css/".into(), suffix: String::new() }, true),
        (&["s3:ObjectRemoved:*"], "", ".jpg", KeyFilter { prefix: String::new(), suffix: ".css".into() }, true),
        (&["s3:ObjectRemoved:*"], "a", ".jpg", KeyFilter { prefix: "b".into(), suffix: "g".into() }, true),
        (&["s3:ObjectTagging:*", "s3:ObjectRestore:*"], "", "", KeyFilter::default(), true),
    ] {
        let account = Account::new();
        let foreign = rule("theirs", others.clone(), events, prefix, suffix);
        account.notifications.borrow_mut().newest.rules.insert(foreign.clone());
        let before = configuration(&account);
        match link(&account, &super::LinkRequest { filter: filter.clone(), ..request(Via::Queue) }) {
            Ok(linked) => assert!(linked.is_ok() && is_free, "{events:?} {filter:?}"),
            Err(error) => {
                assert!(error.to_string().contains(&foreign.to_string()), "{error}");
                assert_eq!((is_free, configuration(&account)), (false, before), "{events:?} {filter:?}");
            }
        }
    }
}

#[test]
fn what_cannot_work_is_refused_with_the_remedy() {
    type Breakage = fn(&Account);
    let cases: [(Via, Breakage, &str); 9] = [
        (
            Via::Function,
            |it| *it.owner.borrow_mut() = Some("222222222222".into()),
            "accepts only buckets of account 222222222222",
        ),
        (Via::Queue, |it| *it.region.borrow_mut() = "eu-west-1".into(), "link with --region eu-west-1"),
        (Via::Queue, |it| drop(it.origins.borrow_mut().remove("E1")), "distribution E1 does not exist"),
        (
            Via::Queue,
            |it| it.origins.borrow_mut().get_mut("E1").unwrap()[0].0 = "my-site-2.s3.amazonaws.com".into(),
            "(its origins: my-site-2.s3.amazonaws.com)",
        ),
        (
            Via::Queue,
            |it| *it.queue_url.borrow_mut() = None,
            "the function has no queue (QUEUE_URL, or an event source",
        ),
        (Via::Queue, |it| it.queue.borrow_mut().policy = None, "\"Action\":\"sqs:SendMessage\""),
        (Via::Queue, |it| it.queue.borrow_mut().kms_key = Some("alias/aws/sqs".into()), "which S3 cannot use"),
        (Via::EventBridge, |it| it.rules.borrow_mut()[0].is_enabled = false, "EventBridgeBuckets"),
        (
            Via::EventBridge,
            |it| {
                let s3_only = statement("s3.amazonaws.com", "sqs:SendMessage", QUEUE, "arn:aws:s3:::*");
                it.queue.borrow_mut().policy = Some(policy(&[s3_only]));
            },
            "EventBridgeBuckets",
        ),
    ];
    for (via, breakage, expected) in cases {
        let account = configured_account();
        breakage(&account);
        let before = configuration(&account);
        let error = link(&account, &request(via)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(configuration(&account), before);
    }
    let account = Account::new();
    *account.tags.borrow_mut() = Eventual::of([("distributionId".to_owned(), "nonsense".to_owned())].into());
    assert!(matches!(link(&account, &request(Via::Queue)), Err(LinkError::Tags(_))));
    let filter = KeyFilter { prefix: "a".into(), suffix: String::new() };
    let filtered = super::LinkRequest { filter, ..request(Via::EventBridge) };
    assert_eq!(link(&Account::new(), &filtered), Err(LinkError::FilterInEventBridge));
}

#[test]
fn the_origin_check_can_be_skipped_but_not_the_distribution_check() {
    let account = Account::new();
    account.origins.borrow_mut().get_mut("E1").unwrap()[0].0 = "proxy.example.com".into();
    link(&account, &super::LinkRequest { skip_origin_check: true, ..request(Via::Queue) }).unwrap().unwrap();
    let gone = super::LinkRequest { skip_origin_check: true, distributions: ids(&["E9"]), ..request(Via::Queue) };
    assert!(matches!(link(&account, &gone), Err(LinkError::NoDistribution { .. })));
}

#[test]
fn a_tenant_is_looked_up_by_its_distribution() {
    let account = Account::new();
    link(&account, &super::LinkRequest { distributions: ids(&["dt_1", "E2"]), ..request(Via::Queue) })
        .unwrap()
        .unwrap();
    assert_eq!(configuration(&account).0["distributionId"], "E2 dt_1");
    assert_eq!(configuration(&account).0["invalidation:link:invalidator"], "E2 dt_1");
    let gone = super::LinkRequest { distributions: ids(&["dt_9"]), ..request(Via::Queue) };
    assert!(matches!(link(&account, &gone), Err(LinkError::NoDistribution { .. })));
}

#[test]
fn a_tenants_origin_path_has_the_values_of_its_parameters() {
    let account = Account::new();
    account.add_multi_tenant_distribution();
    let tenants = super::LinkRequest { distributions: ids(&["dt_5", "dt_6"]), ..request(Via::Queue) };
    let plan = link(&account, &tenants).unwrap().unwrap();
    let paths: Vec<_> = plan.origin_paths.iter().map(|(id, paths)| (id.as_str(), paths.join(" "))).collect();
    assert_eq!(paths, [("dt_5", "/blue".to_owned()), ("dt_6", "unknown".to_owned())]);
}

#[test]
fn a_multi_tenant_distributions_own_id_is_refused() {
    let account = Account::new();
    account.add_multi_tenant_distribution();
    let before = configuration(&account);
    for skip_origin_check in [false, true] {
        let own = super::LinkRequest { distributions: ids(&["E5"]), skip_origin_check, ..request(Via::Queue) };
        let error = link(&account, &own).unwrap_err();
        let message = "E5 is a multi-tenant distribution, whose cache is invalidated per tenant; name the IDs of its \
                       tenants instead (dt_…)";
        assert_eq!(error.to_string(), message);
        assert_eq!(configuration(&account), before);
    }
}

#[test]
fn one_distribution_of_two_can_be_unlinked() {
    let account = configured_account();
    let before = configuration(&account);
    link(&account, &super::LinkRequest { distributions: ids(&["E1", "E2"]), ..request(Via::Function) })
        .unwrap()
        .unwrap();
    unlink(&account, &["E1"]).unwrap();
    assert_eq!(configuration(&account).0["distributionId"], "E2");
    assert_eq!(configuration(&account).1.rules.len(), 5);
    unlink(&account, &["E2"]).unwrap();
    assert_eq!(configuration(&account), before);
}

/// The tag and the rules that `site.yaml` gives a bucket, whose stack was deleted. S3 makes up the rules' IDs.
#[test]
fn what_a_template_added_is_removed_with_everything() {
    let account = configured_account();
    let before = configuration(&account);
    account.tags.borrow_mut().newest.insert("distributionId".into(), "E1".into());
    for (number, event) in EVENTS.iter().enumerate() {
        let rule = rule(&format!("made up {number}"), Destination::Queue(QUEUE.into()), &[event], "", "");
        account.notifications.borrow_mut().newest.rules.insert(rule);
    }
    let linked = configuration(&account);
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account), linked);
    super::unlink_what(&account, &[], true).unwrap();
    assert_eq!(configuration(&account), before);
}

#[test]
fn a_queue_that_the_function_does_not_read_is_linked_with_a_warning() {
    type Change = fn(&Account);
    let cases: [(Via, Change, Option<&str>); 7] = [
        (Via::Queue, |_| {}, None),
        (Via::Queue, |it| it.schedules.borrow_mut().clear(), Some("schedule-missing")),
        (Via::Queue, |it| it.schedules.borrow_mut()[0].is_enabled = false, Some("schedule-disabled")),
        (Via::Function, |it| it.schedules.borrow_mut().clear(), None),
        (Via::EventBridge, |it| it.schedules.borrow_mut().clear(), None),
        (Via::Queue, Account::use_mapping, None),
        (
            Via::Queue,
            |it| {
                it.use_mapping();
                it.sources.borrow_mut()[0].state = "Disabled".into();
            },
            Some("event-source-disabled"),
        ),
    ];
    for (via, change, code) in cases {
        let account = Account::new();
        change(&account);
        let linked = link(&account, &request(via)).unwrap().unwrap();
        assert_eq!(linked.unread_queue.map(|problem| problem.code), code, "{via:?}");
    }
}

#[test]
fn the_distributions_of_a_bucket_are_found_by_their_origins() {
    let account = Account::new();
    account.add_multi_tenant_distribution();
    let of_staging = account.origins.borrow()["E1"].clone();
    account.origins.borrow_mut().insert("E4".to_owned(), of_staging);
    let other = vec![("other.s3.eu-central-1.amazonaws.com".to_owned(), String::new())];
    account.origins.borrow_mut().insert("E3".to_owned(), other);
    let listed = run(account.distributions()).unwrap();
    let serves = |bucket| {
        let found = run(serving(&account, &listed, &BucketName::new(bucket).unwrap())).unwrap();
        found.into_iter().map(|it| it.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        serves("my-site"),
        ["E1", "E2"],
        "neither E4, a staging distribution, nor E5, whose cache is invalidated per tenant"
    );
    assert_eq!(serves("other"), ["E3"]);
    assert_eq!(serves("another"), [""; 0]);
    let named: Vec<_> = listed.iter().filter(|it| it.has_domain_name("E2.CloudFront.net")).map(|it| &it.id).collect();
    assert_eq!(named, [&ids(&["E2"])[0]]);
}

#[test]
fn a_distribution_in_the_tag_that_does_not_serve_the_bucket_is_reported() {
    let account = Account::new();
    let other = vec![("other.s3.eu-central-1.amazonaws.com".to_owned(), String::new())];
    account.origins.borrow_mut().insert("E3".to_owned(), other);
    *account.tags.borrow_mut() = Eventual::of([("distributionId".to_owned(), "E2 E3 E9".to_owned())].into());
    let linked = link(&account, &request(Via::Queue)).unwrap().unwrap();
    assert_eq!(linked.wrong_distributions, ids(&["E3", "E9"]));
    let skipping = super::LinkRequest { skip_origin_check: true, via: Via::Function, ..request(Via::Queue) };
    let linked = link(&account, &skipping).unwrap().unwrap();
    assert_eq!(linked.wrong_distributions, ids(&["E9"]));
}
