//! The other tabs with the same database: which of them drains, and what a page owes them when it is put to sleep.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use landfall_core::client::{Client, Input, Remote};
use landfall_core::code::Code;
use landfall_core::drain::Nudge;

use super::{Driver, take};
use crate::boundary::{Error, to_json};
use crate::platform::{self, Leadership, PAUSED, STATE, Said, Siblings};

/// A write of this tab that has not got anywhere after so long makes it doubt that whoever drains is alive.
const DOUBT_MILLIS: u32 = 3_000;

/// A message to the other tabs costs a fifth of a commit, so a run of writes shares one; people notice
/// nothing below a tenth of a second.
const HINT_MILLIS: u32 = 50;

/// What the other tabs have not been told.
#[derive(Clone, Copy, Default)]
pub(super) struct Unsaid {
    /// What is stored has changed.
    pub(super) changed: bool,
    /// Draining has come further.
    pub(super) state: bool,
}

/// What ties an open database to other tabs, while this one is awake.
pub(super) struct Bonds {
    pub(super) siblings: Siblings,
    leadership: Leadership,
}

impl Driver {
    /// Listens to the other tabs, and waits to be the one that drains.
    pub(super) fn join(self: &Rc<Driver>) {
        if self.bonds.borrow().is_none() && !self.closed.get() {
            let driver = Rc::downgrade(self);
            let siblings = Siblings::new(&self.name, move |said| {
                let Some(driver) = driver.upgrade() else { return };
                match said {
                    Said::Changed => driver.feed(Input::Refresh),
                    Said::Gone => driver.end(Code::SignedOut),
                    Said::Word(word) => driver.hear_sibling(&word),
                }
            });
            siblings.say(Said::Word(STATE.to_owned()));
            let leadership = self.seek(false);
            *self.bonds.borrow_mut() = Some(Bonds { siblings, leadership });
            self.doubt();
        }
    }

    fn seek(self: &Rc<Driver>, steal: bool) -> Leadership {
        let (lead, lose) = (self.when(|driver| driver.feed(Input::Lead(true))), self.when(Driver::lose));
        Leadership::seek(&self.name, steal, Rc::new(move |leads| if leads { lead() } else { lose() }))
    }

    /// Another tab drains now; this one is ready to do it again.
    fn lose(self: &Rc<Driver>) {
        self.lead_again(false);
        self.feed(Input::Lead(false));
    }

    fn lead_again(self: &Rc<Driver>, steal: bool) {
        if let Some(bonds) = &mut *self.bonds.borrow_mut() {
            bonds.leadership.resign();
            bonds.leadership = self.seek(steal);
        }
    }

    fn leads(&self) -> bool {
        self.bonds.borrow().as_ref().is_some_and(|bonds| bonds.leadership.is_held())
    }

    /// The lock stays with a tab that hangs, and some browsers suspend pages without a word to them. So a tab that
    /// somebody looks at takes the lock when what was written in it lies about. If the other one lives, no harm is
    /// done: both may drain.
    pub(super) fn doubt(self: &Rc<Driver>) {
        if self.remote != Remote::Present || self.leads() || self.doubting.borrow().is_some() {
            return;
        }
        let stuck = |driver: &Rc<Driver>| {
            driver.doubting.take();
            let pending = driver.client.borrow().state().pending > 0;
            if pending && platform::is_visible() && !driver.leads() {
                driver.lead_again(true);
            }
        };
        *self.doubting.borrow_mut() = Some(Timeout::new(DOUBT_MILLIS, self.when(stuck)));
    }

    /// A page that slept has missed what the others said.
    pub(super) fn wake(self: &Rc<Driver>) {
        self.join();
        self.say_unsaid();
        self.feed(Input::Refresh);
    }

    /// Steps back: a page that is put to sleep must not keep the lock, with which it can do nothing, and what
    /// it is told then takes it out of the cache that makes going back fast.
    pub(super) fn part(self: &Rc<Driver>) {
        self.say_unsaid();
        self.loosen();
        self.feed(Input::Lead(false));
    }

    /// Tells the other tabs at once, should this one not live to say it later. What follows within a
    /// moment shares one message.
    pub(super) fn say_soon(self: &Rc<Driver>, news: Unsaid) {
        let Unsaid { changed, state } = self.unsaid.get();
        self.unsaid.set(Unsaid { changed: changed || news.changed, state: state || news.state });
        // A page put to sleep says it when it wakes.
        if self.hinting.borrow().is_some() || self.bonds.borrow().is_none() {
            return;
        }
        self.say_unsaid();
        let driver = Rc::downgrade(self);
        let timeout = Timeout::new(HINT_MILLIS, move || {
            let Some(driver) = driver.upgrade() else { return };
            driver.hinting.take();
            let unsaid = driver.unsaid.take();
            if unsaid.changed || unsaid.state {
                driver.say_soon(unsaid);
            }
        });
        *self.hinting.borrow_mut() = Some(timeout);
    }

    /// What was just written is news to the others even if nobody is left here to say so later.
    pub(super) fn say_unsaid(&self) {
        let Unsaid { changed, state } = self.unsaid.take();
        if changed {
            self.say(Said::Changed);
        }
        // How draining goes is the word of the tab that does it.
        let state = state.then(|| self.with(Client::state)).filter(|state| state.leads);
        if let Some(state) = state {
            self.say(Said::Word(to_json(&state)));
        }
    }

    pub(super) fn say(&self, said: Said) {
        if let Some(bonds) = &*self.bonds.borrow() {
            bonds.siblings.say(said);
        }
    }

    fn hear_sibling(self: &Rc<Driver>, word: &str) {
        if word.starts_with('{') {
            // Whoever drains is alive.
            take(&self.doubting);
            self.events.hear_leader(word);
            self.tell_soon();
        } else if word == PAUSED {
            // Who has heard of a pause or its end since it was opened knows better.
            if self.paused.get().is_none() {
                self.feed_pause(true);
            }
        } else {
            if word == STATE && self.paused.get() == Some(true) {
                self.say(Said::Word(PAUSED.to_owned()));
            }
            // Whatever it asks for, it wants to know what came of it.
            let _ = self.command(word);
            self.say_soon(Unsaid { changed: false, state: true });
        }
    }

    /// Does what the page wants, here and in the other tabs.
    pub(crate) fn command_all(self: &Rc<Driver>, name: &str) -> Result<(), Error> {
        self.command(name)?;
        self.say(Said::Word(name.to_owned()));
        Ok(())
    }

    fn command(self: &Rc<Driver>, name: &str) -> Result<(), Error> {
        match name {
            "now" => {}
            "pause" => {
                self.feed_pause(true);
                return Ok(());
            }
            "resume" => self.feed_pause(false),
            other => return Err(Error::invalid(format!("no such command: {other}"))),
        }
        self.feed(Input::Nudge(Nudge::Asked));
        Ok(())
    }

    fn feed_pause(self: &Rc<Driver>, paused: bool) {
        self.paused.set(Some(paused));
        self.feed(Input::Pause(paused));
    }

    pub(super) fn loosen(&self) {
        if let Some(bonds) = take(&self.bonds) {
            bonds.siblings.close();
            bonds.leadership.resign();
        }
    }
}
