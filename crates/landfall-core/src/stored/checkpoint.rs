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

/// Of the commits that answers to pushes have named, so much is kept.
const HEADS_BYTES: usize = 2 << 10;

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
    /// The commits that answers to pushes have named since the last pull, with `~` between.
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
    /// Where earlier pulls have ended, oldest first, at distances that double: position, `~`, cursor.
    #[serde(default, skip_serializing_if = "is_default")]
    pub milestones: Vec<String>,
    /// Bytes of what the server has taken in that were ever kept here.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kept: u64,
    /// How many writes of these were let go though nobody has said that they are in a backup.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dropped: u64,
}

impl Checkpoint {
    /// What has to be the same for an answer to what was asked with this to be stored.
    pub fn mark(&self) -> (Option<&String>, u64) {
        (self.staged.as_ref().or(self.cursor.as_ref()), self.folds)
    }

    /// An answer to a push has named a commit. A server may be set back between any two, so all are kept; of more than
    /// there is room for, the newest takes the place of the one before it.
    pub fn saw(&mut self, head: &str) {
        let seen = self.head.get_or_insert_with(|| head.to_owned());
        if !seen.ends_with(head) {
            let last = seen.rfind('~').filter(|_| seen.len() > HEADS_BYTES);
            seen.truncate(last.unwrap_or(seen.len()));
            seen.push('~');
            seen.push_str(head);
        }
    }

    /// Forgets where pulls have ended from there on.
    pub fn forget_milestones(&mut self, from: Position) {
        self.milestones.retain(|one| place(one) < from.0);
    }

    /// A pull has ended. Of the milestones about as far away as each other only the oldest stays: it will be that for
    /// twice the distance, when those in front of it have come as far.
    pub fn set_milestone(&mut self, position: Position, cursor: &str) {
        let mut last = None;
        self.milestones.retain(|one| {
            // None where it is no earlier end than this one.
            let distance = position.0.saturating_sub(place(one)).checked_ilog2();
            distance.is_some() && std::mem::replace(&mut last, distance) != distance
        });
        self.milestones.push(format!("{}~{cursor}", position.0));
    }

    /// Whether verdicts are of the history that there is now. They may have come before its first page did; and where
    /// a backup is restored twice its name comes again.
    pub fn is_of(&self, record: &SettledRecord) -> bool {
        record.epoch == self.epoch && record.resets + 1 >= self.resets
    }
}

fn place(milestone: &str) -> u64 {
    milestone.split_once('~').and_then(|(position, _)| position.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the first and the newest alone, seed 762 of the simulator lost what only a commit in between had.
    #[test]
    fn all_commits_that_answers_name_are_shown_and_beyond_two_kibibytes_the_newest() {
        let mut checkpoint = Checkpoint::default();
        for head in ["one", "one", "two", "two", "three"] {
            checkpoint.saw(head);
        }
        assert_eq!(checkpoint.head.as_deref(), Some("one~two~three"));
        for n in 0..1_000 {
            checkpoint.saw(&format!("{n:064}"));
        }
        let head = checkpoint.head.unwrap_or_default();
        let heads: Vec<_> = head.split('~').collect();
        assert_eq!((&heads[..4], heads.len()), (&["one", "two", "three", &format!("{:064}", 0)][..], 35));
        assert_eq!(heads[34], format!("{:064}", 999));
    }

    #[test]
    fn however_far_back_there_is_a_milestone_less_than_twice_as_far() {
        let mut checkpoint = Checkpoint::default();
        for position in 1..5_000 {
            checkpoint.set_milestone(Position(position), "cursor");
            let places: Vec<u64> = checkpoint.milestones.iter().map(|one| place(one)).collect();
            assert!(places.len() <= 14 && places.is_sorted(), "{places:?}");
            for back in (0..14).map(|n| 1 << n).filter(|back| 4 * back < position) {
                let wanted = position - 4 * back..=position - back;
                assert!(
                    places.iter().any(|place| wanted.contains(place)),
                    "{back} before {position}: {places:?}"
                );
            }
        }
        // A history that goes on elsewhere.
        checkpoint.forget_milestones(Position(3_001));
        checkpoint.set_milestone(Position(3_002), "other");
        checkpoint.set_milestone(Position(3_002), "third");
        let places: Vec<u64> = checkpoint.milestones.iter().map(|one| place(one)).collect();
        assert!(
            places.is_sorted() && places.iter().filter(|place| **place > 3_000).eq([&3_002]),
            "{places:?}"
        );
        assert_eq!(checkpoint.milestones.last().map(String::as_str), Some("3002~third"));
    }
}
