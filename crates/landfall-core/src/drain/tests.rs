//! When something goes out, and when nothing does.

use super::*;

const NOW: WallTime = WallTime(1_800_000_000_000);
const YEAR: Millis = Millis::seconds(365 * 86_400);

#[test]
fn a_clock_set_back_puts_the_next_try_off_by_nothing() {
    let ahead = NOW.after(YEAR);
    for asked in [None, Some(Millis::seconds(300))] {
        let mut drain = Drain::new(Random(1));
        drain.fail(asked, ahead);
        let at = drain.next_try_at().expect("resting after a failure");
        assert_eq!(drain.next(true, at), Some(Next::Push));
        assert_eq!(drain.next(true, NOW), Some(Next::Push), "planned for a year from now");
    }
    let mut drain = Drain::new(Random(1));
    drain.fail(Some(Millis::seconds(300)), NOW);
    assert_eq!(drain.next(true, NOW.after(Millis::seconds(299))), None, "what was asked for is kept");
}

#[test]
fn a_token_that_is_refused_again_is_asked_for_no_more_than_the_backoff_says() {
    let mut drain = Drain::new(Random(1));
    drain.refuse_token(NOW);
    assert_eq!(drain.next(true, NOW), Some(Next::Ask), "at once, the first time");
    drain.token(true, NOW);
    assert_eq!(drain.next(true, NOW), Some(Next::Push));
    drain.refuse_token(NOW);
    assert!(drain.next_try_at().is_some() && drain.needs_token());
}

#[test]
fn a_push_without_a_verdict_is_followed_by_a_pull_and_tried_again_more_and_more_seldom() {
    let mut drain = Drain::new(Random(1));
    let mut now = NOW;
    let mut waited = Millis(0);
    for _ in 0..12 {
        assert_eq!(drain.next(true, now), Some(Next::Push));
        drain.begin(Step::Pushing);
        drain.stall(now);
        let at = drain.next_try_at().expect("resting");
        waited = Millis(waited.0 + at.since(now).0);
        now = at;
        assert_eq!(drain.next(true, now), Some(Next::Pull));
        drain.begin(Step::Pulling);
        drain.arrive();
        drain.pulled(false, now);
    }
    assert!(waited > Millis::seconds(120), "{waited:?} for twelve tries");
    drain.succeed();
    drain.begin(Step::Pushing);
    drain.fail(None, now);
    let at = drain.next_try_at().expect("resting");
    assert!(at <= now.after(Millis::seconds(1)), "what has brought verdicts is no longer in doubt");
}

/// When the next pull is, after one that brought everything.
fn next_pull(drain: &mut Drain) -> WallTime {
    drain.begin(Step::Pulling);
    drain.pulled(false, NOW);
    drain.wake_at().expect("a quiet device pulls now and then")
}

#[test]
fn a_device_that_is_told_polls_seldom_and_often_again_once_it_is_not() {
    let mut drain = Drain::new(Random(1));
    assert!(next_pull(&mut drain) <= NOW.after(Millis::seconds(15)));
    drain.listen(true, NOW);
    assert!(next_pull(&mut drain) >= NOW.after(Millis::seconds(30)));
    drain.listen(false, NOW);
    assert!(drain.wake_at() <= Some(NOW.after(Millis::seconds(15))));
}

#[test]
fn a_hint_is_followed_at_once_and_one_that_comes_during_a_pull_after_it() {
    let mut drain = Drain::new(Random(1));
    next_pull(&mut drain);
    assert_eq!(drain.next(false, NOW), None);
    drain.hint();
    assert_eq!(drain.next(false, NOW), Some(Next::Pull));
    drain.begin(Step::Pulling);
    drain.hint();
    drain.begin(Step::Storing);
    drain.pulled(false, NOW);
    assert_eq!(drain.next(false, NOW), Some(Next::Pull), "that page may be older than the hint");
    next_pull(&mut drain);
    assert_eq!(drain.next(false, NOW), None);
}

/// An idle device that has pulled everything, and when it pulls next.
fn idle(seed: u64) -> (Drain, WallTime) {
    let mut drain = Drain::new(Random(seed));
    let at = next_pull(&mut drain);
    (drain, at)
}

#[test]
fn a_quiet_device_pulls_about_as_often_as_is_said_and_no_two_at_the_same_moment() {
    let (mut often, mut seldom) = (vec![], vec![]);
    for seed in 0..200 {
        let (mut drain, at) = idle(seed);
        often.push(at.since(NOW).0);
        assert_eq!(drain.next(false, WallTime(at.0 - 1)), None);
        assert_eq!(drain.next(false, at), Some(Next::Pull));
        drain.listen(true, NOW);
        assert_eq!(drain.wake_at(), Some(at), "what was planned stays");
        seldom.push(next_pull(&mut drain).since(NOW).0);
    }
    for (waits, poll) in [(&mut often, POLL.0), (&mut seldom, POLL_LISTENING.0)] {
        waits.sort_unstable();
        assert!(waits[0] >= poll / 2 && waits[0] < poll * 6 / 10, "{waits:?}");
        assert!(waits[199] <= poll * 3 / 2 && waits[199] > poll * 14 / 10, "{waits:?}");
    }
}

#[test]
fn a_stream_of_hints_that_ends_puts_no_pull_off() {
    let (mut drain, at) = idle(1);
    drain.listen(false, at);
    assert_eq!(drain.wake_at(), Some(at));
    drain.fail(None, NOW);
    let rests = drain.wake_at();
    drain.listen(false, NOW);
    assert_eq!(drain.wake_at(), rests, "nor does it end a rest");
}

#[test]
fn while_something_is_under_way_nothing_else_begins() {
    let (mut drain, _) = idle(1);
    drain.begin(Step::Pushing);
    for nudge in [Nudge::Asked, Nudge::Woke, Nudge::Wrote] {
        drain.nudge(nudge, NOW);
        assert_eq!((drain.step(), drain.is_idle()), (Some(Step::Pushing), false));
        assert_eq!((drain.next(true, NOW), drain.wake_at(), drain.next_try_at()), (None, None, None));
    }
    drain.settled(NOW);
    assert_eq!((drain.step(), drain.is_idle(), drain.next_try_at()), (None, true, None));
    assert_eq!(drain.next(false, NOW), Some(Next::Pull), "the effects of what was taken in");
}

#[test]
fn whoever_asks_has_it_at_once_and_devices_that_wake_together_come_one_by_one() {
    let (mut drain, _) = idle(1);
    drain.nudge(Nudge::Asked, NOW);
    assert_eq!(drain.next(false, NOW), Some(Next::Pull));
    let wakes = (0..200).map(|seed| {
        let (mut drain, at) = idle(seed);
        drain.nudge(Nudge::Wrote, NOW);
        assert_eq!(drain.wake_at(), Some(at), "a write is pushed, and says nothing of what there is to pull");
        drain.nudge(Nudge::Woke, NOW);
        let soon = drain.wake_at().expect("idle");
        assert!(soon <= at && soon <= NOW.after(SPREAD));
        assert_eq!((drain.next(false, NOW).is_none(), drain.is_idle()), (soon > NOW, true));
        soon
    });
    let wakes: std::collections::BTreeSet<_> = wakes.collect();
    assert!(wakes.len() > 150);
}

#[test]
fn a_rest_is_cut_short_by_whoever_asks_but_never_below_what_the_server_wants() {
    let mut drain = Drain::new(Random(1));
    drain.fail(None, NOW);
    assert!(!drain.is_idle() && drain.step().is_none());
    assert_eq!(drain.wake_at(), drain.next_try_at());
    drain.nudge(Nudge::Asked, NOW);
    assert_eq!(drain.next(true, NOW), Some(Next::Push));
    let asked = Millis::seconds(60);
    for nudge in [Nudge::Asked, Nudge::Woke, Nudge::Wrote] {
        let mut drain = Drain::new(Random(1));
        drain.fail(Some(asked), NOW);
        let until = drain.next_try_at().expect("resting");
        drain.nudge(nudge, NOW);
        let at = drain.next_try_at().expect("resting");
        assert_eq!(at, NOW.after(asked).min(until), "{nudge:?}");
        let later = NOW.after(asked).after(Millis(1));
        drain.nudge(Nudge::Asked, later);
        assert_eq!(drain.next_try_at(), Some(later));
    }
    for _ in 0..9 {
        drain.fail(None, NOW);
    }
    let until = drain.next_try_at().expect("resting");
    drain.nudge(Nudge::Woke, NOW);
    assert!(drain.next_try_at() <= Some(until.min(NOW.after(SPREAD))));
}

#[test]
fn probes_alone_go_out_after_some_failures_and_all_again_after_a_success() {
    let mut drain = Drain::new(Random(1));
    let open: Vec<_> = (0..4)
        .map(|_| {
            drain.fail(None, NOW);
            drain.is_open()
        })
        .collect();
    assert_eq!(open, [false, false, true, true]);
    drain.stall(NOW);
    assert!(drain.is_stalled());
    drain.arrive();
    assert!(drain.is_stalled() && drain.is_open(), "a page is no verdict");
    drain.succeed();
    assert!(!drain.is_stalled() && !drain.is_open());
}

#[test]
fn without_a_token_the_app_is_asked_as_seldom_as_the_backoff_says_and_nothing_else_goes_out() {
    let (mut drain, _) = idle(1);
    assert!(!drain.needs_token());
    drain.refuse_token(NOW);
    drain.token(false, NOW);
    let at = drain.next_try_at().expect("resting");
    assert!(drain.needs_token());
    assert_eq!(drain.next(true, at), Some(Next::Ask));
    drain.token(true, at);
    assert_eq!((drain.needs_token(), drain.next(true, at)), (false, Some(Next::Push)));
    drain.succeed();
    drain.refuse_token(at);
    assert_eq!(drain.next(true, at), Some(Next::Ask), "at once, as it had been good");
}

#[test]
fn more_pages_are_pulled_one_after_the_other_and_writes_go_between_them() {
    let (mut drain, _) = idle(1);
    drain.begin(Step::Storing);
    drain.pulled(true, NOW);
    assert_eq!((drain.next(false, NOW), drain.next(true, NOW)), (Some(Next::Pull), Some(Next::Push)));
    drain.begin(Step::Storing);
    drain.stale(NOW);
    assert_eq!(drain.next(false, NOW), Some(Next::Pull));
}

#[test]
fn whoever_asks_while_a_page_is_on_its_way_gets_another_one_after_it() {
    for (nudge, next) in [(Nudge::Asked, Some(Next::Pull)), (Nudge::Woke, None), (Nudge::Wrote, None)] {
        let (mut drain, _) = idle(1);
        drain.begin(Step::Pulling);
        drain.nudge(nudge, NOW);
        drain.begin(Step::Storing);
        drain.pulled(false, NOW);
        assert_eq!(drain.next(false, NOW), next, "{nudge:?}");
    }
}

#[test]
fn nothing_is_put_off_for_longer_than_a_server_may_want() {
    assert!(is_due(NOW, NOW) && !is_due(NOW.after(Millis(1)), NOW));
    let last = NOW.after(REST_MAX);
    assert!(!is_due(last, NOW) && is_due(last.after(Millis(1)), NOW));
}

#[test]
fn a_page_that_comes_is_a_success_where_pushes_are_not_in_doubt() {
    let mut drain = Drain::new(Random(1));
    (0..4).for_each(|_| drain.fail(None, NOW));
    assert!(drain.is_open());
    drain.arrive();
    assert!(!drain.is_open());
}
