//! The other tabs with the same database: which of them drains, and what a page owes them when it is put to sleep.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use landfall_core::client::{Input, Remote};
use landfall_core::code::Code;

use super::{Driver, take};
use crate::platform::{self, Leadership, Said, Siblings};

/// A write of this tab that has not got anywhere after so long makes it doubt that whoever drains is alive.
const DOUBT_MILLIS: u32 = 3_000;

/// What ties an open database to other tabs, while this one is awake.
pub(super) struct Bonds {
    pub(super) siblings: Siblings,
    leadership: Leadership,
}

impl Driver {
    /// Listens to the other tabs, and waits to be the one that drains.
    pub(super) fn join(self: &Rc<Driver>) {
        if self.bonds.borrow().is_none() && !self.closed.get() {
            let (changed, gone) = (
                self.when(|driver| driver.feed(Input::Refresh)),
                self.when(|driver| driver.end(Code::SignedOut)),
            );
            let siblings = Siblings::new(&self.name, move |said| match said {
                Said::Changed => changed(),
                Said::Gone => gone(),
            });
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

    /// What was just written is news to the others even if nobody is left here to say so later.
    pub(super) fn say_unsaid(&self) {
        if self.unsaid.take() {
            self.hint();
        }
    }

    pub(super) fn loosen(&self) {
        if let Some(bonds) = take(&self.bonds) {
            bonds.siblings.close();
            bonds.leadership.resign();
        }
    }
}
