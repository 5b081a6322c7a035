//! Where a pull goes on, and how far it has come.

use serde::{Deserialize, Serialize};

use super::{SettledRecord, is_default};
use crate::id::Position;
use crate::time::WallTime;

/// How far something that takes time has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Writes sent, or documents fetched.
    pub done: u64,
    /// Of how many, about; 0 where that is not known.
    pub total: u64,
    /// Bytes of JSON sent or fetched for that.
    pub bytes: u64,
}

/// How far pulling has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Identity of the server's history.
    pub epoch: Option<String>,
    /// How often another history has taken the place of the one before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resets: u64,
    /// What to ask with next; none before the first page.
    pub cursor: Option<String>,
    /// Where a pull goes on of which some pages are in `staged` and not visible yet. None: whatever is in
    /// `staged` is visible, and newer than the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<String>,
    /// The first and the newest commit that answers to pushes have named since the last pull, with `~` between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Everything up to here is visible.
    pub position: Position,
    /// Counts answers folded into the base. A page asked for before the latest of them may lack its
    /// effect, so it is not applied.
    pub folds: u64,
    /// Whether the first sync has ended.
    pub complete: bool,
    /// How far the first sync has come.
    #[serde(default)]
    pub progress: Progress,
    /// The device's clock when everything was last pulled.
    pub synced_at: Option<WallTime>,
    /// Deletes up to here were forgotten by the server, and looked for in the base: they are not in it any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub swept: Position,
}

impl Checkpoint {
    /// What has to be the same for an answer to what was asked with this to be stored.
    pub fn mark(&self) -> (Option<&String>, u64) {
        (self.staged.as_ref().or(self.cursor.as_ref()), self.folds)
    }

    /// Whether verdicts are of the history that there is now. They may have come before its first page did; and where
    /// a backup is restored twice its name comes again.
    pub fn is_of(&self, record: &SettledRecord) -> bool {
        record.epoch == self.epoch && record.resets + 1 >= self.resets
    }
}
