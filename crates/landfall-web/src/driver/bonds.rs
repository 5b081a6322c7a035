//! What ties an open database to the page around it and to the other tabs.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use landfall_core::client::{Client, Input};
use landfall_core::code::Code;
use landfall_core::drain::Nudge;

use super::{Driver, take};
use crate::boundary::{Error, to_json};
use crate::platform::{self, Leadership, Listener, STATE, Said, Siblings};
use crate::store::Cut;

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
    /// Something to call that makes this driver do something. Weak, so that a database that was closed is not
    /// kept by those who would wake it.
    fn when(self: &Rc<Driver>, act: fn(&Rc<Driver>)) -> impl Fn() + use<> {
        let driver = Rc::downgrade(self);
        move || {
            if let Some(driver) = driver.upgrade() {
                act(&driver);
            }
        }
    }

    pub(super) fn bind(self: &Rc<Driver>) {
        let woke: fn(&Rc<Driver>) = |driver| driver.feed(Input::Nudge(Nudge::Woke));
        let document = platform::document();
        let listeners = vec![
            Listener::new("online", self.when(woke)),
            Listener::new(
                "visibilitychange",
                self.when(|driver| {
                    driver.feed(Input::Seen(platform::is_visible()));
                    if platform::is_visible() {
                        // A tab that nobody saw may have been deaf to the others.
                        driver.feed(Input::Refresh);
                        driver.feed(Input::Nudge(Nudge::Woke));
                    }
                }),
            ),
            // Which of these come first, and which at all, differs from browser to browser.
            Listener::new("pagehide", self.when(Driver::part)),
            Listener::on(&document, "freeze", self.when(Driver::part)),
            Listener::on(&document, "resume", self.when(Driver::wake)),
            Listener::new("pageshow", self.when(Driver::wake)),
            Listener::on(
                &platform::connection(),
                "change",
                self.when(|driver| driver.feed(Input::Metered(platform::is_metered()))),
            ),
        ];
        *self.listeners.borrow_mut() = Some(listeners);
        self.feed(Input::Metered(platform::is_metered()));
        self.feed(Input::Seen(platform::is_visible()));
        let driver = Rc::downgrade(self);
        self.store.watch(move |cut| {
            let Some(driver) = driver.upgrade() else { return };
            match cut {
                Cut::Lost => driver.feed(Input::Refresh),
                Cut::Deleted => driver.end(Code::SignedOut),
            }
        });
        self.join();
    }

    /// Listens to the other tabs, and waits to be the one that drains.
    fn join(self: &Rc<Driver>) {
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
            let leadership = Leadership::seek(&self.name, self.when(|driver| driver.feed(Input::Lead(true))));
            *self.bonds.borrow_mut() = Some(Bonds { siblings, leadership });
        }
    }

    /// A page that slept has missed what the others said.
    fn wake(self: &Rc<Driver>) {
        self.join();
        self.say_unsaid();
        self.feed(Input::Refresh);
    }

    /// Steps back: a page that is put to sleep must not keep the lock, with which it can do nothing, and what
    /// it is told then takes it out of the cache that makes going back fast.
    fn part(self: &Rc<Driver>) {
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
            self.events.hear_leader(word);
            self.tell_soon();
        } else {
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
        let inputs = match name {
            "now" => vec![Input::Nudge(Nudge::Asked)],
            "pause" => vec![Input::Pause(true)],
            "resume" => vec![Input::Pause(false), Input::Nudge(Nudge::Asked)],
            other => return Err(Error::invalid(format!("no such command: {other}"))),
        };
        inputs.into_iter().for_each(|input| self.feed(input));
        Ok(())
    }

    pub(super) fn loosen(&self) {
        if let Some(bonds) = take(&self.bonds) {
            bonds.siblings.close();
            bonds.leadership.resign();
        }
    }
}
