//! When to push, when to pull and when to rest: the pulse of synchronisation.
//!
//! ```text
//!            ready, something to push             verdicts
//!     ┌────▶ Fixing ─────▶ Pushing ─────▶ Settling ──┐
//!     │        ▲                                     │ more to push
//!   Idle       └─────────────────────────────────────┤
//!     │                                              ▼ nothing left
//!     └────────────────────────────▶ Pulling ─▶ Storing ─▶ Idle
//!        time to pull                  ▲           │ more, or asked too early
//!                                      └───────────┘
//!   any step, on failure ─▶ Resting ─▶ as from Idle      on 401 ─▶ Asking (for a token) ─▶ as from Idle
//! ```
//!
//! Invariant: every state has an answer under way or a time at which it moves on by itself, so the
//! queue drains without another write.

use crate::backoff::{Backoff, REST_MAX, Random, SPREAD};
use crate::planted::{self, Bug};
use crate::time::{Millis, WallTime};

/// How long a quiet device waits between two pulls, give or take half.
const POLL: Millis = Millis::seconds(10);
/// The same while the server says when there is something.
const POLL_LISTENING: Millis = Millis::seconds(60);

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The bytes of a batch are being made final.
    Fixing,
    /// A batch is on its way.
    Pushing,
    /// Verdicts are being stored.
    Settling,
    /// A page is on its way.
    Pulling,
    /// A page is being stored.
    Storing,
    /// The app is being asked for a token.
    Asking,
}

/// Where synchronisation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing to do before `pull_at`, unless something is written.
    Idle { pull_at: WallTime },
    /// Something failed. Next try at `until`, and not before `floor` whoever asks.
    Resting { until: WallTime, floor: WallTime },
    /// An answer is awaited.
    Busy(Step),
}

/// Something that may make it worth going on sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// There is a new write.
    Wrote,
    /// The user asked for it.
    Asked,
    /// The network seems to be back, or the page is visible again.
    Woke,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Push, and pull when nothing is left.
    Push,
    /// Pull.
    Pull,
    /// Ask the app for a token.
    Ask,
}

/// The pulse.
#[derive(Clone, Debug)]
pub struct Drain {
    state: State,
    backoff: Backoff,
    random: Random,
    /// There is something new to pull, or may be.
    pull_due: bool,
    /// The server says when there is something.
    listening: bool,
    /// The server does not accept the token; the app must be asked before anything else.
    token_refused: bool,
    /// The app has given a token since the last success; if that is refused too, there is no hurry.
    token_renewed: bool,
    /// Pushes are answered, and bring no verdict.
    stalled: bool,
    /// A pull comes before the next push.
    pull_first: bool,
}

impl Drain {
    /// A pulse that starts at once.
    pub fn new(random: Random) -> Drain {
        let state = State::Idle { pull_at: WallTime(0) };
        let backoff = Backoff::default();
        Drain {
            state,
            backoff,
            random,
            pull_due: true,
            listening: false,
            token_refused: false,
            token_renewed: false,
            stalled: false,
            pull_first: false,
        }
    }

    /// What is under way, if anything is.
    pub fn step(&self) -> Option<Step> {
        match self.state {
            State::Busy(step) => Some(step),
            State::Idle { .. } | State::Resting { .. } => None,
        }
    }

    /// What to do now, if it is time to do something. `ready` says whether there is something to push.
    pub fn next(&self, ready: bool, now: WallTime) -> Option<Next> {
        let due = match self.state {
            State::Idle { pull_at } => ready || self.pull_due || is_due(pull_at, now),
            State::Resting { until, .. } => is_due(until, now),
            State::Busy(_) => false,
        };
        match (due, self.token_refused, ready) {
            (false, _, _) => None,
            (true, true, _) => Some(Next::Ask),
            (true, false, true) if !self.pull_first => Some(Next::Push),
            (true, false, _) => Some(Next::Pull),
        }
    }

    /// Whether nothing is under way and nothing has gone wrong.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle { .. })
    }

    /// When [`Drain::next`] is worth asking again, if nothing happens until then.
    pub fn wake_at(&self) -> Option<WallTime> {
        match self.state {
            State::Idle { pull_at } => Some(pull_at),
            State::Resting { .. } if planted::is(Bug::RestsForEver) => None,
            State::Resting { until, .. } => Some(until),
            State::Busy(_) => None,
        }
    }

    /// When the next try is, while resting.
    pub fn next_try_at(&self) -> Option<WallTime> {
        match self.state {
            State::Resting { until, .. } => Some(until),
            State::Idle { .. } | State::Busy(_) => None,
        }
    }

    /// A step has begun.
    pub fn begin(&mut self, step: Step) {
        // What there is to pull by now is on the page that is asked for; what comes later may not be.
        self.pull_due &= step != Step::Pulling;
        self.pull_first &= step != Step::Pulling;
        self.state = State::Busy(step);
    }

    /// Something may make it worth going on sooner.
    pub fn nudge(&mut self, nudge: Nudge, now: WallTime) {
        let soon = now.after(self.random.within(SPREAD));
        self.state = match (self.state, nudge) {
            (State::Idle { .. }, Nudge::Asked) => State::Idle { pull_at: now },
            // Many devices wake at the same moment: the network of a building, a server that is back.
            (State::Idle { pull_at }, Nudge::Woke) => State::Idle { pull_at: pull_at.min(soon) },
            (state @ State::Idle { .. }, Nudge::Wrote) => state,
            (State::Resting { floor, .. }, Nudge::Asked) => State::Resting { until: now.max(floor), floor },
            (State::Resting { until, floor }, Nudge::Woke | Nudge::Wrote) => {
                State::Resting { until: until.min(soon.max(floor)), floor }
            }
            (state @ State::Busy(_), Nudge::Asked | Nudge::Woke | Nudge::Wrote) => state,
        };
        self.pull_due |= nudge == Nudge::Asked;
    }

    /// Whether the server says when there is something to pull.
    pub fn listen(&mut self, listening: bool, now: WallTime) {
        self.listening = listening;
        if let (false, State::Idle { pull_at }) = (listening, self.state) {
            self.state = State::Idle { pull_at: pull_at.min(self.poll_at(now)) };
        }
    }

    /// There may be something to pull.
    pub fn hint(&mut self) {
        self.pull_due = true;
    }

    fn poll_at(&mut self, now: WallTime) -> WallTime {
        let poll = if self.listening { POLL_LISTENING } else { POLL };
        now.after(poll.half()).after(self.random.within(poll))
    }

    /// An exchange with the server succeeded.
    pub fn succeed(&mut self) {
        self.backoff.succeed();
        self.token_refused = false;
        self.token_renewed = false;
        self.stalled = false;
    }

    /// A page has come. While pushes bring no verdict, that is no success yet.
    pub fn arrive(&mut self) {
        if !self.stalled {
            self.succeed();
        }
    }

    /// A push was answered without a verdict. Asking the same again at once brings the same; a pull may bring why, such
    /// as another history of the server's.
    pub fn stall(&mut self, now: WallTime) {
        self.stalled = true;
        self.pull_first = true;
        self.fail(None, now);
    }

    /// Verdicts are stored: their effects are to be pulled once nothing is left to push.
    pub fn settled(&mut self, now: WallTime) {
        self.pull_due = true;
        self.state = State::Idle { pull_at: now };
    }

    /// A page is stored.
    pub fn pulled(&mut self, more: bool, now: WallTime) {
        self.pull_due |= more;
        let pull_at = if more { now } else { self.poll_at(now) };
        self.state = State::Idle { pull_at };
    }

    /// A page was asked for too early, or something else moved the checkpoint: ask again.
    pub fn stale(&mut self, now: WallTime) {
        self.pulled(true, now);
    }

    /// What is under way has failed.
    pub fn fail(&mut self, retry_after: Option<Millis>, now: WallTime) {
        let retry_after = retry_after.filter(|_| !planted::is(Bug::RetryAfterIgnored));
        let until = self.backoff.fail(now, retry_after, &mut self.random);
        let floor = retry_after.map_or(now, |asked| now.after(asked).min(until));
        self.state = State::Resting { until, floor };
    }

    /// The server does not accept the token. The app is asked at once, and after that as the backoff says.
    pub fn refuse_token(&mut self, now: WallTime) {
        self.token_refused = true;
        if self.token_renewed {
            self.fail(None, now);
        } else {
            self.state = State::Idle { pull_at: now };
        }
    }

    /// The app has given a token, or said that it has none.
    pub fn token(&mut self, given: bool, now: WallTime) {
        if given {
            self.token_refused = false;
            self.token_renewed = true;
            self.state = State::Idle { pull_at: now };
        } else {
            self.fail(None, now);
        }
    }

    /// Whether pushes are answered, and bring no verdict.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Whether nothing goes out until there is another token.
    pub fn needs_token(&self) -> bool {
        self.token_refused
    }

    /// Whether only probes go out.
    pub fn is_open(&self) -> bool {
        self.backoff.is_open()
    }
}

/// Whether it is time. What lies further ahead than anything is ever put off was planned before the
/// device's clock was set back, and waiting for it could take years.
pub(crate) fn is_due(at: WallTime, now: WallTime) -> bool {
    at <= now || at > now.after(REST_MAX)
}

impl Millis {
    /// Half of it.
    const fn half(self) -> Millis {
        Millis(self.0 / 2)
    }
}

#[cfg(test)]
mod tests;
