//! The state after a fault between two calls: all of a command's changes or none, and nothing that others configured is
//! lost.

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
            account.fault.set(Some((at, Fault::Refused)));
            let error = link(&account, &request(via)).unwrap().unwrap_err();
            assert_eq!(error.to_string(), "refused; no changes remain");
            assert_eq!(configuration(&account), before, "{via:?} {at}");
        }
        for at in 0..unlinking {
            let account = account();
            link(&account, &request(via)).unwrap().unwrap();
            let before = configuration(&account);
            account.restart();
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
    let account = account();
    let change_set = super::run(async {
        let deployment = super::deployment(&account).await;
        super::plan_link(&account, &deployment, &request(Via::Queue)).await.unwrap().change_set
    });
    account.tags.borrow_mut().newest.insert("new".into(), "tag".into());
    let before = configuration(&account);
    let error = super::run(super::apply(&account, &change_set, std::time::Duration::ZERO)).unwrap_err();
    assert!(error.to_string().contains("another process or user has changed"), "{error}");
    assert_eq!((configuration(&account), account.writes.get()), (before, 0));
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
