//! What was deleted so long ago that the server has forgotten it is forgotten here too, when there is nothing better to
//! do.
//!
//! A delete stays in the base as long as the server knows of it, so that a creation of the same id says that its writer
//! knew. Behind the horizon nothing is left that could come back, and the document goes as if it were evicted.

use super::{Client, Purpose, Transaction, pull};
use crate::clock::Stamp;
use crate::id::{DocumentKey, Position};
use crate::map::Map;
use crate::planted::{self, Bug};
use crate::stored::BaseRow;
use crate::time::WallTime;
use crate::wire::PullChange;

/// Behind every key of the base.
const END: &str = "\u{ffff}";

impl Client {
    /// Looks through the next part of the base, if the horizon has moved since all of it was looked through.
    pub(super) fn sweep(&mut self) -> bool {
        let due = self.checkpoint.complete
            && self.checkpoint.swept < self.horizon
            && self.staged.is_empty()
            && !planted::is(Bug::NothingSwept);
        if due {
            let transaction = Transaction::LoadPart(self.sweeping.clone(), END.to_owned());
            self.transact(Purpose::Sweep(self.horizon), transaction);
        }
        due
    }

    /// A part of the base is here. A page that is stored since, or a verdict, goes before what is found in it.
    pub(super) fn swept(
        &mut self,
        rows: Vec<(DocumentKey, BaseRow)>,
        next: Option<String>,
        horizon: Position,
        now: WallTime,
    ) {
        if self.is_reading() {
            return;
        }
        let forgotten = rows.into_iter().filter(|(_, row)| row.deleted.is_some() && row.position <= horizon);
        let eviction = |(key, row): (DocumentKey, BaseRow)| PullChange {
            kind: "eviction".to_owned(),
            collection: key.collection,
            document: key.document,
            version: row.version,
            position: row.position,
            data: None,
            stamp: Stamp::ZERO,
            stamps: Map::new(),
        };
        let changes = forgotten.map(eviction).collect();
        let mut reached = self.checkpoint.clone();
        if next.is_none() {
            reached.swept = horizon;
        }
        self.sweeping = next.unwrap_or_default();
        self.store(pull::Page::between(reached, changes, horizon, self.backed_up), now);
    }
}
