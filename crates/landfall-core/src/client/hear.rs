//! The client's ear: whether there is a stream of hints, and what is done about what it says.

use super::{Client, Heard, Output};
use crate::code::Class;
use crate::live::Act;
use crate::time::WallTime;

impl Client {
    /// Whether hints are of use: whoever could not pull has no use for them, and a network that is gone has none.
    fn may_listen(&self) -> bool {
        self.may_sync() && self.offset.is_known() && self.online && !self.drain.needs_token()
    }

    /// Begins or ends the stream, if it is time.
    pub(super) fn listen(&mut self, now: WallTime) {
        match self.live.next(self.may_listen(), now) {
            Some(Act::Listen) => self.outputs.push_back(Output::Listen),
            Some(Act::Mute) => {
                self.drain.listen(false, now);
                self.outputs.push_back(Output::Mute);
            }
            None => {}
        }
    }

    /// When [`Client::listen`] is worth another call.
    pub(super) fn hear_at(&self) -> Option<WallTime> {
        self.live.wake_at().filter(|_| self.may_listen())
    }

    /// Something was heard.
    pub(super) fn heard(&mut self, heard: &Heard, now: WallTime) {
        match heard {
            Heard::Open => {
                self.live.opened(now);
                self.drain.listen(true, now);
                // What was committed before there was a stream is announced on none.
                self.drain.hint();
            }
            Heard::Hint => self.drain.hint(),
            Heard::End(failure) => {
                self.live.ended(failure.retry_after(), now);
                self.drain.listen(false, now);
                let about_the_token = failure.known().is_some_and(|code| code.class() == Class::Auth);
                // An exchange that is under way or planned finds out by itself.
                if about_the_token && self.drain.is_idle() {
                    self.drain.refuse_token(now);
                }
            }
        }
    }
}
