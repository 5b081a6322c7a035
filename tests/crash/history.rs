//! What devices have said and heard, line by line in a file: all that the checker knows of them.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use landfall_core::id::{DocumentId, MutationId, Position};
use landfall_core::wire::Verdict;
use serde::{Deserialize, Serialize};

/// What one write does to its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deed {
    /// A document of the device's own begins with this value.
    Create(u64),
    /// It has this value from now on.
    Set(u64),
    /// It goes.
    Delete,
    /// A document that all share begins, if it has not begun.
    Share,
    /// Its counter goes up.
    Count(i64),
    /// Its set has one more element.
    Tag(u64),
    /// Its last word, of which only the last one stays.
    Say(u64),
    /// What the rules of the server refuse.
    Offend,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wrote {
    pub(crate) id: MutationId,
    pub(crate) document: DocumentId,
    pub(crate) deed: Deed,
}

/// Something that a device has said or heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// The app was told that these are saved.
    Saved { device: usize, writes: Vec<Wrote> },
    /// The server has answered for one of them.
    Answered { device: usize, id: MutationId, verdict: Verdict, position: Position, duplicate: bool },
    /// The app was told that one of them is accepted, or why it is not.
    Settled { device: usize, id: MutationId, code: Option<String> },
}

/// The file while it is written. Cheap to clone.
#[derive(Clone)]
pub(crate) struct History(Arc<Mutex<BufWriter<File>>>);

impl History {
    pub(crate) fn create(path: &Path) -> History {
        let file = File::create(path).expect("the history can be written");
        History(Arc::new(Mutex::new(BufWriter::new(file))))
    }

    /// Adds a line.
    pub(crate) fn note(&self, event: &Event) {
        let mut file = self.0.lock().expect("BUG: a panic while the history was locked");
        serde_json::to_writer(&mut *file, event).expect("the history can be written");
        file.write_all(b"\n").expect("the history can be written");
    }

    /// Has all of it in the file.
    pub(crate) fn flush(&self) {
        let mut file = self.0.lock().expect("BUG: a panic while the history was locked");
        file.flush().expect("the history can be written");
    }
}

/// The file as it was left.
pub(crate) fn read(path: &Path) -> Vec<Event> {
    let file = BufReader::new(File::open(path).expect("there is a history"));
    let line =
        |line: std::io::Result<String>| serde_json::from_str(&line.expect("a line")).expect("an event");
    file.lines().map(line).collect()
}
