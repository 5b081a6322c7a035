//! When to hold a stream of hints open, and what its bytes say.
//!
//! ```text
//!          wanted, and due           it stands
//!   Off ─────────────────▶ Opening ────────────▶ On
//!    ▲                        │                   │
//!    └────── it has ended, or is not wanted ──────┘
//! ```
//!
//! Nothing rests on a hint, so a stream that fails costs nothing but its hints: polling goes on, and the
//! stream is asked for again.

use crate::backoff::{Backoff, Random, SPREAD};
use crate::drain::is_due;
use crate::time::{Millis, WallTime};

/// A page that nobody has looked at for so long gets no hints.
pub const UNSEEN_MAX: Millis = Millis::seconds(120);
/// A stream that has stood for so long was a good one; when it ends, so do those of many others.
const STEADY: Millis = Millis::seconds(30);

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Ask for a stream.
    Listen,
    /// End the one there is.
    Mute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is none, and none is asked for before `from`.
    Off { from: WallTime },
    /// It is asked for.
    Opening,
    /// It stands.
    On { since: WallTime },
}

/// The stream of hints, as far as anything has to be decided about it.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    state: State,
    backoff: Backoff,
    random: Random,
    /// Since when nobody looks.
    unseen: Option<WallTime>,
}

impl Live {
    pub(crate) fn new(random: Random) -> Live {
        Live { state: State::Off { from: WallTime(0) }, backoff: Backoff::default(), random, unseen: None }
    }

    /// Whether somebody looks.
    pub(crate) fn see(&mut self, seen: bool, now: WallTime) {
        self.unseen = if seen { None } else { Some(self.unseen.unwrap_or(now)) };
    }

    /// What to do now; `wanted` says whether there is anybody to listen to.
    pub(crate) fn next(&mut self, wanted: bool, now: WallTime) -> Option<Act> {
        let deaf_from = self.unseen.map(|since| since.after(UNSEEN_MAX)).filter(|from| *from <= now);
        let wanted = wanted && deaf_from.is_none();
        if let (State::Off { from }, Some(deaf_from)) = (self.state, deaf_from) {
            // Nothing is to be done until somebody looks, so there is nothing to be woken for.
            self.state = State::Off { from: from.max(deaf_from) };
        }
        match self.state {
            State::Off { from } if wanted && is_due(from, now) => {
                self.state = State::Opening;
                Some(Act::Listen)
            }
            State::Opening | State::On { .. } if !wanted => {
                self.state = State::Off { from: now };
                Some(Act::Mute)
            }
            State::Off { .. } | State::Opening | State::On { .. } => None,
        }
    }

    /// When [`Live::next`] is worth asking again, where a stream is wanted.
    pub(crate) fn wake_at(&self) -> Option<WallTime> {
        let unseen = self.unseen.map(|since| since.after(UNSEEN_MAX));
        match self.state {
            State::Off { from } => unseen.is_none_or(|at| from < at).then_some(from),
            State::Opening | State::On { .. } => unseen,
        }
    }

    /// The stream stands.
    pub(crate) fn opened(&mut self, now: WallTime) {
        self.state = State::On { since: now };
    }

    /// The stream has ended, or could not be had.
    pub(crate) fn ended(&mut self, retry_after: Option<Millis>, now: WallTime) {
        let steady = matches!(self.state, State::On { since } if now >= since.after(STEADY));
        let from = if steady {
            self.backoff.succeed();
            now.after(self.random.within(SPREAD))
        } else {
            self.backoff.fail(now, retry_after, &mut self.random)
        };
        self.state = State::Off { from };
    }
}

/// Finds hints in the bytes of a stream, wherever it is cut.
#[derive(Debug, Default)]
pub struct Hints {
    /// What there is of a line that is not complete.
    line: Vec<u8>,
}

/// The line of an event that says that it is a hint.
const HINT: &[u8] = b"event:hint";

impl Hints {
    /// Takes in what came. Says whether there was a hint in it.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let mut hint = false;
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => {
                    hint |= self.line == HINT;
                    self.line.clear();
                }
                // What is longer than what is looked for is something else, however it goes on.
                b' ' => {}
                _ if self.line.len() > HINT.len() => {}
                byte => self.line.push(*byte),
            }
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backoff::DELAY_MAX;

    const NOW: WallTime = WallTime(1_800_000_000_000);
    const MINUTE: Millis = Millis::seconds(60);

    fn standing() -> Live {
        let mut live = Live::new(Random(1));
        assert_eq!(live.next(true, NOW), Some(Act::Listen));
        assert_eq!(live.next(true, NOW), None, "one is enough");
        live.opened(NOW);
        live
    }

    #[test]
    fn there_is_a_stream_exactly_while_it_is_wanted() {
        let mut live = Live::new(Random(1));
        assert_eq!(live.next(false, NOW), None);
        let mut live = standing();
        assert_eq!(live.next(true, NOW.after(MINUTE)), None);
        assert_eq!(live.next(false, NOW), Some(Act::Mute));
        assert_eq!(live.next(false, NOW), None);
        assert_eq!(live.next(true, NOW), Some(Act::Listen), "what was ended on purpose is no failure");
        assert_eq!(live.next(false, NOW), Some(Act::Mute), "also before it stands");
    }

    #[test]
    fn nobody_who_does_not_look_gets_hints_for_long() {
        let mut live = standing();
        live.see(false, NOW);
        live.see(false, NOW.after(MINUTE));
        assert_eq!(live.wake_at(), Some(NOW.after(UNSEEN_MAX)));
        assert_eq!(live.next(true, NOW.after(MINUTE)), None);
        assert_eq!(live.next(true, NOW.after(UNSEEN_MAX)), Some(Act::Mute));
        assert_eq!(live.wake_at(), None);
        assert_eq!(live.next(true, NOW.after(UNSEEN_MAX)), None);
        live.see(true, NOW.after(UNSEEN_MAX));
        assert_eq!(live.next(true, NOW.after(UNSEEN_MAX)), Some(Act::Listen));
    }

    #[test]
    fn a_page_that_was_offline_until_nobody_looked_any_more_is_not_woken_for_a_stream() {
        let mut live = Live::new(Random(1));
        live.see(false, NOW);
        assert_eq!(live.next(false, NOW), None);
        assert_eq!(live.next(true, NOW.after(UNSEEN_MAX)), None);
        assert_eq!(live.wake_at(), None);
        live.see(true, NOW.after(UNSEEN_MAX));
        assert_eq!(live.next(true, NOW.after(UNSEEN_MAX)), Some(Act::Listen));
    }

    #[test]
    fn a_stream_that_is_cut_again_and_again_is_asked_for_less_and_less() {
        let mut live = standing();
        let (mut now, mut waits) = (NOW, vec![]);
        for _ in 0..40 {
            live.ended(None, now);
            let next = live.wake_at().expect("it is asked for again");
            waits.push(next.since(now));
            now = next;
            assert_eq!(live.next(true, now), Some(Act::Listen));
            live.opened(now);
        }
        assert!(waits.iter().all(|wait| *wait <= DELAY_MAX));
        assert!(waits.iter().any(|wait| *wait > MINUTE), "{waits:?}");
    }

    #[test]
    fn the_end_of_a_good_stream_is_no_failure_and_what_the_server_asks_for_is_kept() {
        let mut live = standing();
        for _ in 0..20 {
            let now = NOW.after(MINUTE);
            live.ended(None, now);
            assert!(live.wake_at().expect("it is asked for again") <= now.after(SPREAD));
            live.opened(NOW);
        }
        live.opened(NOW);
        live.ended(Some(MINUTE), NOW);
        assert!(live.wake_at() >= Some(NOW.after(MINUTE)));
    }

    #[test]
    fn a_clock_set_back_puts_a_stream_off_by_nothing() {
        let mut live = standing();
        live.ended(None, NOW.after(Millis::seconds(365 * 86_400)));
        assert_eq!(live.next(true, NOW), Some(Act::Listen));
    }

    #[test]
    fn a_hint_is_found_wherever_the_bytes_are_cut_and_nothing_else_is_one() {
        for text in ["event: hint\ndata: {}\n\n", "event:hint\r\ndata: {}\r\n\r\n", ":\n\nevent: hint\n"] {
            for cut in 0..text.len() {
                let mut hints = Hints::default();
                let (before, after) = text.as_bytes().split_at(cut);
                assert!(hints.feed(before) ^ hints.feed(after), "{text:?} cut at {cut}");
                assert!(!hints.feed(b":\n\n"));
            }
        }
        let long = "x".repeat(1 << 20);
        for text in [":\n\n", "event: hints\n", "event: other\ndata: event: hint\n", "data: hint\n", &long] {
            assert!(!Hints::default().feed(text.as_bytes()), "{text:.40}");
        }
        let mut hints = Hints::default();
        hints.feed(long.as_bytes());
        assert!(hints.line.len() <= HINT.len() + 1);
    }
}
