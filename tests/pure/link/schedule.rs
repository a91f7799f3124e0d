//! How `status` finds and checks the schedule that makes the function poll its queue.

use s3_cloudfront_invalidator::aws::CallError;
use s3_cloudfront_invalidator::change::Timestamp;
use s3_cloudfront_invalidator::cli::link::{Check, FindError, FunctionLocator, GivenOptions, Problem, Via, find};

use super::fake_account::{Account, FUNCTION, OTHER_QUEUE, POLL, QUEUE, REGION, denied, failed, minutes_ago, schedule};
use super::run;
use super::status::status;

/// The problems of the schedule, each as the state and the code of the queue, and the message.
fn schedule_problem(breakage: impl Fn(&Account)) -> Option<(String, &'static str, String)> {
    let (of_bucket, mut of_function) = status(Via::Queue, breakage, false);
    assert!(of_bucket.checks().all(|(_, check)| check.is_ok()), "{of_bucket:?}");
    assert!(of_function.problems().count() < 2, "{of_function:?}");
    let Check { state, problem } = of_function.queues.remove(0).state;
    problem.map(|Problem { code, message }| (state, code, message))
}

#[test]
fn each_problem_of_the_schedule_is_reported_with_its_remedy() {
    type Breakage = fn(&Account);
    let cases: [(Breakage, &str, &str, &str); 9] = [
        (
            |it| it.schedules.borrow_mut().clear(),
            "no schedule",
            "schedule-missing",
            "create it as in step 5 of docs/manual-setup.md",
        ),
        (
            |it| it.schedules.borrow_mut()[0].is_enabled = false,
            "disabled",
            "schedule-disabled",
            "schedule \"poll\", which polls the queue, is disabled; enable it",
        ),
        (
            |it| it.schedules.borrow_mut()[0].target = format!("{FUNCTION}-2"),
            "other target",
            "schedule-target",
            "function:invalidator-2; set its target to the function, arn:aws:lambda:eu-central-1:123456789012:function:invalidator",
        ),
        (
            |it| it.schedules.borrow_mut()[0].input = Some(r#"{"distributionId":"E1","paths":["/*"]}"#.into()),
            "other input",
            "schedule-input",
            "does not poll the queue (its input is another event); set its input to {\"pollQueue\":true,\"scheduledTime\":\"<aws.",
        ),
        (
            |it| it.schedules.borrow_mut()[0].input = Some(r#"{"pollQueue":true,"queueUrl":"x"}"#.into()),
            "other input",
            "schedule-input",
            "(its input: queueUrl: is unknown;",
        ),
        (
            |it| it.schedules.borrow_mut()[0].input = Some("{}".into()),
            "other input",
            "schedule-input",
            "(its input is another event)",
        ),
        (|it| it.schedules.borrow_mut()[0].input = None, "other input", "schedule-input", "(its input: not JSON: "),
        // Whether there is a schedule is then unknown.
        (
            |it| it.schedules_denied.set(true),
            "unknown",
            "access-denied",
            "scheduler:GetSchedule; grant your user or role the permissions in docs/operator-policy.json",
        ),
        (|it| it.add_mapping(QUEUE), "enabled", "two-pollers", "delete the event source mapping"),
    ];
    for (breakage, state, code, remedy) in cases {
        let (found_state, found_code, message) = schedule_problem(breakage).unwrap();
        assert_eq!((found_state.as_str(), found_code), (state, code), "{message}");
        assert!(message.contains(remedy), "{message}");
    }
}

#[test]
fn a_schedule_that_the_stack_does_not_name_is_found_by_its_target() {
    type Change = fn(&Account);
    let nightly = || schedule("nightly", FUNCTION, r#"{"distributionId":"E1","paths":["/*"]}"#);
    let found = |change: &dyn Fn(&Account)| schedule_problem(change).map(|(_, code, _)| code);
    // A function that was found by its name, and a stack whose schedule was deleted.
    let changes: [Change; 2] =
        [|it| *it.schedule_name.borrow_mut() = None, |it| *it.schedule_name.borrow_mut() = Some("deleted".into())];
    for change in changes {
        assert_eq!(found(&change), None);
        let beside = |it: &Account| {
            change(it);
            it.schedules.borrow_mut().insert(0, nightly());
            it.schedules.borrow_mut().push(schedule("other", &format!("{FUNCTION}-2"), POLL));
        };
        assert_eq!(found(&beside), None);
        let disabled = |it: &Account| {
            beside(it);
            it.schedules.borrow_mut()[1].is_enabled = false;
        };
        assert_eq!(found(&disabled), Some("schedule-disabled"));
        let only_others = |it: &Account| {
            beside(it);
            it.schedules.borrow_mut().remove(1);
        };
        assert_eq!(found(&only_others), Some("schedule-input"));
        let none = |it: &Account| {
            change(it);
            it.schedules.borrow_mut().clear();
        };
        assert_eq!(found(&none), Some("schedule-missing"));
        let denied = |it: &Account| {
            change(it);
            it.schedules_denied.set(true);
        };
        assert_eq!(found(&denied), Some("access-denied"));
        let by_alias = |it: &Account| {
            change(it);
            it.schedules.borrow_mut()[0].target = format!("{FUNCTION}:live");
        };
        assert_eq!(found(&by_alias), None);
    }
}

#[test]
fn mappings_of_other_queues_are_checked_beside_the_schedule() {
    let disable_mapping = |it: &Account| it.sources.borrow_mut()[0].state = "Disabled".into();
    let (_, of_function) = status(Via::Queue, |it| it.add_mapping(OTHER_QUEUE), false);
    let queues: Vec<_> = of_function.queues.iter().map(|it| (it.arn.as_str(), it.state.is_ok())).collect();
    assert_eq!(queues, [(QUEUE, true), (OTHER_QUEUE, true)]);
    let disabled = |it: &Account| {
        it.add_mapping(OTHER_QUEUE);
        disable_mapping(it);
    };
    let (_, of_function) = status(Via::Queue, disabled, false);
    let found: Vec<_> = of_function.problems().map(|(queue, problem)| (queue, problem.code)).collect();
    assert_eq!(found, [(Some("others"), "event-source-disabled")]);
    // A disabled mapping of the same queue does not poll it.
    let same_queue = |it: &Account| {
        it.add_mapping(QUEUE);
        disable_mapping(it);
    };
    let (_, of_function) = status(Via::Queue, same_queue, false);
    assert_eq!((of_function.queues.len(), of_function.problems().count()), (1, 0));
}

/// The check of the last poll, as its state and its problem.
fn last_poll(last: &Result<Option<Timestamp>, CallError>, breakage: impl Fn(&Account)) -> (String, Option<Problem>) {
    let breakage = |it: &Account| {
        it.last_poll.borrow_mut().clone_from(last);
        breakage(it);
    };
    let (_, mut of_function) = status(Via::Queue, breakage, false);
    let Check { state, problem } = of_function.queues.remove(0).last_poll.unwrap();
    (state, problem)
}

/// The schedule's interval is 5 minutes, so the queue must have been polled within the last 35.
#[test]
fn a_schedule_that_does_not_make_the_function_poll_is_a_problem() {
    let modified = |minutes| move |it: &Account| it.schedules.borrow_mut()[0].modified_at = Some(minutes_ago(minutes));
    let never = "not in the last 3 hours";
    let unknown = "unknown: CloudWatch has no metrics of the queue yet";
    for (last, modified_before, state, is_ok) in [
        (Some(2), 100_000, "2026-01-02 03:02 UTC", true),
        (Some(35), 100_000, "2026-01-02 02:29 UTC", true),
        (Some(36), 100_000, "2026-01-02 02:28 UTC", false),
        (None, 100_000, never, false),
        // It was created, enabled or corrected a short time ago.
        (Some(170), 30, "2026-01-02 00:14 UTC", true),
        (None, 35, unknown, true),
        (None, 36, never, false),
    ] {
        let (found, problem) = last_poll(&Ok(last.map(minutes_ago)), modified(modified_before));
        assert_eq!((found.as_str(), problem.is_none()), (state, is_ok), "{last:?} {modified_before} {problem:?}");
        if let Some(Problem { code, message }) = problem {
            let since = if last.is_some() { format!("since {state}") } else { state.to_owned() };
            let what = format!("schedule \"poll\" is enabled, but the queue was not polled {since}; find the reason");
            assert!(code == "not-polled" && message.starts_with(&what), "{code} {message}");
        }
    }
}

/// The metrics of the last hours do not show whether a schedule with an interval of hours makes the function poll.
#[test]
fn a_long_interval_explains_a_long_time_without_a_poll() {
    let every = |minutes: u64| {
        move |it: &Account| {
            let input = POLL.replace(":5}", &format!(":{minutes}}}"));
            it.schedules.borrow_mut()[0].input = Some(input);
        }
    };
    for (interval, last, is_ok) in
        [(60, Some(90), true), (60, Some(91), false), (60, None, false), (149, None, false), (150, None, true)]
    {
        let (state, problem) = last_poll(&Ok(last.map(minutes_ago)), every(interval));
        assert_eq!(problem.is_none(), is_ok, "{interval} {last:?} {state}");
    }
}

#[test]
fn a_last_poll_that_cannot_be_read_is_no_problem() {
    let (state, problem) = last_poll(&Err(denied("GetMetricData: AccessDenied")), |_| {});
    let reason =
        "unknown: GetMetricData: AccessDenied; grant your user or role the permissions in docs/operator-policy.json";
    assert_eq!((state.as_str(), problem), (reason, None));
    assert_eq!(last_poll(&Err(failed("none")), |_| {}), ("unknown: none".to_owned(), None));
}

/// The schedule has the problem then, and the time of the last poll says since when.
#[test]
fn the_last_poll_is_no_problem_of_its_own_if_the_schedule_has_one() {
    for breakage in [
        |it: &Account| it.schedules.borrow_mut()[0].is_enabled = false,
        |it: &Account| {
            it.schedules_denied.set(true);
        },
    ] {
        for (last, state) in [(Some(150), "2026-01-02 00:34 UTC"), (None, "not in the last 3 hours")] {
            let found = last_poll(&Ok(last.map(minutes_ago)), breakage);
            assert_eq!(found, (state.to_owned(), None));
        }
    }
    // A queue with a mapping is not polled by the function.
    let (_, of_function) = status(Via::Queue, Account::use_mapping, false);
    assert_eq!(of_function.queues[0].last_poll, None);
}

/// The URL names the queue's account and name. Its host may be a proxy's.
#[test]
fn the_polled_queue_is_found_by_its_url() {
    let account = Account::new();
    let found =
        || run(find(&account, &FunctionLocator::Function("invalidator".into()), REGION, &GivenOptions::default()));
    for (url, expected) in [
        (Some("https://sqs.eu-central-1.amazonaws.com/222222222222/a-b_c"), Some("222222222222:a-b_c")),
        (Some(" http://127.0.0.1:4566/queue/123456789012/changes "), Some("123456789012:changes")),
        (None, None),
    ] {
        *account.queue_url.borrow_mut() = url.map(Into::into);
        let expected = expected.map(|end| format!("arn:aws:sqs:eu-central-1:{end}"));
        assert_eq!(found().unwrap().queues().next(), expected.as_deref());
    }
    *account.queue_url.borrow_mut() = Some("https://sqs.eu-central-1.amazonaws.com/123456789012/changes.fifo".into());
    let error = found().unwrap_err();
    assert!(matches!(&error, FindError::Config(reason) if reason.contains("QUEUE_URL=")), "{error}");
}
