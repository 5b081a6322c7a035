//! Records of many writes of which few are left are made shorter, when there is nothing better to do.
//!
//! What has ended and what has not may have come together in one commit: of an import of a thousand, three wait for
//! another network. The record stays under its key, and what is left in it where it stood, so nobody has to hear of it.

use super::{Client, Purpose, Transaction};

impl Client {
    /// Has the next record made shorter that is less than half needed, if there is one.
    pub(super) fn compact(&mut self) -> bool {
        let Some((record, ended)) = self.ledger.sparse() else { return false };
        self.transact(Purpose::Compact(record, ended.clone()), Transaction::Compact { record, ended });
        true
    }
}
