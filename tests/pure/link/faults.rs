//! The state after a fault between two calls: all of a command's changes or none, and nothing that others configured is
//! lost.

use std::time::Duration;

use s3_cloudfront_invalidator::cli::link::{KeyFilter, NotificationRule, Via};

use super::fake_account::{Account, Fault};
use super::{configuration, configured_account, link, request, unlink};

const ALL_VIAS: [Via; 3] = [Via::Queue, Via::Function, Via::EventBridge];

fn account() -> Account {
    let account = configured_account();
    // Without a statement, linking needs every kind of step.
    account.statements.borrow_mut().clear();
    account
}

/// The number of writing calls of a link and of an unlink without faults.
fn writes(via: Via) -> (usize, usize) {
    let account = account();
    link(&account, &request(via)).unwrap().unwrap();
    let linking = account.writes.get();
    account.restart();
    unlink(&account, &[]).unwrap();
    (linking, account.writes.get())
}

#[test]
fn a_failed_step_rolls_back_the_others() {
    for via in ALL_VIAS {
        let (linking, unlinking) = writes(via);
        assert_eq!((linking, unlinking), if via == Via::Function { (3, 3) } else { (2, 2) });
        for at in 0..linking {
            let account = account();
            let before = configuration(&account);
            // All tags cannot be replaced instead.
            account.abac.set(true);
            account.fault.set(Some((at, Fault::Refused)));
            let error = link(&account, &request(via)).unwrap().unwrap_err().to_string();
            assert!(error.starts_with("refused; ") && error.ends_with("; no changes remain"), "{error}");
            assert_eq!(configuration(&account), before, "{via:?} {at}");
        }
        for at in 0..unlinking {
            let account = account();
            link(&account, &request(via)).unwrap().unwrap();
            let before = configuration(&account);
            account.restart();
            account.abac.set(true);
            account.fault.set(Some((at, Fault::Refused)));
            unlink(&account, &[]).unwrap_err();
            assert_eq!(configuration(&account), before, "{via:?} {at}");
        }
    }
}

#[test]
fn a_lost_response_is_verified() {
    for via in ALL_VIAS {
        let expected = {
            let account = account();
            link(&account, &request(via)).unwrap().unwrap();
            configuration(&account)
        };
        for at in 0..writes(via).0 {
            let account = account();
            let before = configuration(&account);
            account.fault.set(Some((at, Fault::AnswerLost)));
            link(&account, &request(via)).unwrap().unwrap();
            assert_eq!(configuration(&account), expected, "{via:?} {at}");

            // A write that may still take effect is reported, and the steps before it are rolled back.
            account.restart();
            unlink(&account, &[]).unwrap();
            account.restart();
            account.fault.set(Some((at, Fault::Late)));
            let error = link(&account, &request(via)).unwrap().unwrap_err();
            assert!(
                error.to_string().contains("the change may still take effect") && !error.left.is_empty(),
                "{error}"
            );
            assert_eq!(configuration(&account), before, "{via:?} {at}");
        }
    }
}

#[test]
fn a_link_that_was_killed_can_be_repeated_and_undone() {
    for via in ALL_VIAS {
        for at in 0..writes(via).0 {
            for fault in [Fault::Killed, Fault::KilledAfter] {
                for goes_on in [true, false] {
                    let account = account();
                    let before = configuration(&account);
                    account.fault.set(Some((at, fault)));
                    let outcome = link(&account, &request(via)).unwrap();
                    assert!(outcome.is_err(), "{via:?} {at} {fault:?}");
                    account.restart();
                    if goes_on {
                        link(&account, &request(via)).unwrap().unwrap();
                        assert!(configuration(&account).0.contains_key("distributionId"));
                    }
                    unlink(&account, &[]).unwrap();
                    assert_eq!(configuration(&account), before, "{via:?} {at} {fault:?} {goes_on}");
                }
            }
        }
    }
}

#[test]
fn eventual_consistency_is_awaited() {
    for via in ALL_VIAS {
        for late in 1..=4 {
            let account = account();
            let before = configuration(&account);
            account.late.set(late);
            link(&account, &request(via)).unwrap().unwrap();
            unlink(&account, &[]).unwrap();
            assert_eq!(configuration(&account), before, "{via:?} {late}");
        }
    }
}

#[test]
fn concurrent_changes_by_others_stay() {
    for via in ALL_VIAS {
        for at in 0..writes(via).0 {
            let account = account();
            account.fault.set(Some((at, Fault::Interference)));
            let outcome = link(&account, &request(via)).unwrap();
            assert_eq!(configuration(&account).0.get("another").map(String::as_str), Some("process"), "{via:?} {at}");
            if let Err(error) = outcome {
                // What could not be rolled back is reported, and the command can be run again.
                account.restart();
                link(&account, &request(via)).unwrap().unwrap();
                assert!(error.to_string().contains("another process or user") || error.left.is_empty(), "{error}");
            }
            account.restart();
            unlink(&account, &[]).unwrap();
            let (tags, notifications, statements) = configuration(&account);
            assert_eq!((tags.len(), notifications.rules.len(), statements.len()), (13, 4, 0));
        }
    }
}

#[test]
fn a_bucket_changed_since_planning_is_not_touched() {
    let changes: [fn(&Account); 2] = [
        |it| drop(it.tags.borrow_mut().newest.insert("distributionId".into(), "E7".into())),
        |it| it.notifications.borrow_mut().newest.event_bridge = true,
    ];
    for change in changes {
        let account = account();
        let change_set = super::run(async {
            let deployment = super::deployment(&account).await;
            super::plan_link(&account, &deployment, &request(Via::Queue)).await.unwrap().change_set
        });
        change(&account);
        let before = configuration(&account);
        let error = super::run(super::apply(&account, &change_set, Duration::ZERO)).unwrap_err();
        assert!(error.to_string().contains("another process or user has changed"), "{error}");
        assert_eq!((configuration(&account), account.writes.get()), (before, 0));
    }
}

#[test]
fn a_tag_that_another_process_sets_meanwhile_is_not_lost() {
    for via in ALL_VIAS {
        for at in 0..writes(via).0 {
            for fault in [Fault::InterferenceBefore, Fault::Interference] {
                let account = account();
                account.fault.set(Some((at, fault)));
                link(&account, &request(via)).unwrap().unwrap();
                let tags = configuration(&account).0;
                assert_eq!((tags["another"].as_str(), tags["distributionId"].as_str()), ("process", "E1"));
            }
        }
    }
}

#[test]
fn a_bucket_with_attribute_based_access_control_is_linked_and_unlinked() {
    let account = account();
    account.abac.set(true);
    let before = configuration(&account);
    let both = super::LinkRequest { distributions: super::ids(&["E1", "E2"]), ..request(Via::Queue) };
    link(&account, &both).unwrap().unwrap();
    unlink(&account, &["E1"]).unwrap();
    assert_eq!(configuration(&account).0["distributionId"], "E2");
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account), before);
    account.no_single_tags.set(Some("TagResource"));
    let error = link(&account, &both).unwrap().unwrap_err().to_string();
    let refused = "PutBucketTagging: refused because of attribute-based access control";
    assert_eq!(error, format!("TagResource; {refused}; no changes remain"));
    assert_eq!(configuration(&account), before);
}

/// Where single tags are refused, all are read, merged and replaced.
#[test]
fn a_bucket_is_linked_without_the_permission_for_single_tags() {
    for refused in ["TagResource", "UntagResource"] {
        let account = account();
        account.no_single_tags.set(Some(refused));
        // A tag of the distribution that link did not add, so that the last unlink changes one tag and removes another.
        account.tags.borrow_mut().newest.insert("distributionId".into(), "E2".into());
        let before = configuration(&account);
        link(&account, &request(Via::Queue)).unwrap().unwrap();
        assert_eq!(configuration(&account).0["distributionId"], "E2 E1");
        unlink(&account, &[]).unwrap();
        assert_eq!(configuration(&account), before, "{refused}");
    }
}

/// `TagResource` takes effect, and then neither `UntagResource` nor `PutBucketTagging` does.
#[test]
fn a_change_of_tags_that_stops_halfway_is_rolled_back() {
    let account = account();
    account.tags.borrow_mut().newest.insert("distributionId".into(), "E2".into());
    link(&account, &request(Via::Queue)).unwrap().unwrap();
    let before = configuration(&account);
    account.abac.set(true);
    account.no_single_tags.set(Some("UntagResource"));
    let error = unlink(&account, &[]).unwrap_err();
    assert_eq!((configuration(&account), error.left), (before, Vec::<String>::new()));
}

#[test]
fn a_wider_filter_replaces_narrower_ones() {
    let account = account();
    let before = configuration(&account);
    for prefix in ["a/", "b/", ""] {
        let filter = KeyFilter { prefix: prefix.into(), suffix: String::new() };
        link(&account, &super::LinkRequest { filter, ..request(Via::Queue) }).unwrap().unwrap();
    }
    let own: Vec<_> = configuration(&account).1.rules.into_iter().filter(NotificationRule::has_link_id).collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].filter, KeyFilter::default());
    unlink(&account, &[]).unwrap();
    assert_eq!(configuration(&account), before);
}
