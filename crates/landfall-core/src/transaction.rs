//! What the core wants done to the device's stores, as values.
//!
//! Every transaction has one shape: read, decide, write in one burst. The driver runs the reads, hands
//! the texts to [`Transaction::decide`] without awaiting anything else, and performs the writes in the
//! same transaction. So atomicity is decided here, once, for browsers and for the simulator.

mod access;
mod base;
mod index;
mod load;
mod migrate;
mod open;
mod outbox;
mod reset;
mod seal;

use crate::clock::Stamp;
use crate::id::{Client, Collection, DocumentKey, MutationId, Position, Version};
use crate::map::Set;
use crate::mutation::Mutation;
use crate::planted::{self, Bug};
use crate::stored::{
    self, BaseRow, CHECKPOINT, CLIENT, Checkpoint, Entry, INDEXES, Indexed, JournalRecord, KEPT, Key, Legacy,
    MIGRATIONS, Parked, SEAL, Sent, SettledMutation, Store, VOIDS,
};

pub use access::{Durability, Read, Rows, Write};
pub use open::{Known, Opened};
pub use reset::{ELSEWHERE, KEPT_MAX, Kept};

/// Most documents that are read at once: a few milliseconds of a slow phone.
pub const PART: u32 = 400;
/// Most documents that are indexed at once. Each is some records to write, which take longer than to read it.
const INDEXED_PART: u32 = 100;

/// A document whose confirmed state is to be taken further by verdicts of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The version that the base must have.
    pub previous: Version,
    /// The version that it has afterwards.
    pub version: Version,
    /// The commit that made it.
    pub position: Position,
    /// What was done.
    pub mutation: Mutation,
    /// The stamp that the server used.
    pub stamp: Stamp,
}

/// What a person, or what happened to another write, changes about writes that are waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// New writes, if there are any.
    pub record: JournalRecord,
    /// Refused writes to take out of `parked`.
    pub unpark: Vec<MutationId>,
    /// Writes that are discarded and that the server may have.
    pub voids: Vec<MutationId>,
    /// Writes that end without a verdict of the server.
    pub ended: Vec<SettledMutation>,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// Reads everything but the base, and of that some documents; names the installation where it has no name yet.
    Open {
        /// The name to take, where there is none.
        client: Client,
        /// What need not be read.
        known: Known,
        /// Documents to read again. What was written to them is read whole, too.
        rows: Set<DocumentKey>,
        /// Of what else waits to be sent for the first time, so many bytes of the journal, from the oldest on, are read
        /// whole, and the rest without what it says.
        tail: usize,
    },
    /// Reads the confirmed state of some documents, and what is written to them in some records of the journal.
    Load(Set<DocumentKey>, Set<u64>),
    /// Reads the confirmed state of some documents, from a key on, up to and without another one.
    LoadPart(String, String),
    /// Reads which documents an index names.
    Seek {
        /// Of this collection.
        collection: Collection,
        /// The field that is indexed.
        field: String,
        /// From this key on.
        from: String,
        /// Up to and without this one.
        to: String,
        /// No more than so many.
        count: u32,
        /// From the end on.
        descending: bool,
    },
    /// Indexes a part of a collection, if its index is as it is expected to be.
    Index {
        /// The collection.
        collection: Collection,
        /// What is known of its index.
        expected: Option<Indexed>,
        /// The app's schema version.
        version: u32,
        /// What is to be indexed: from the start, where that is something else than before.
        fields: Vec<String>,
    },
    /// Appends writes to the journal, and puts aside once more what had been refused before everything was deleted.
    Commit(JournalRecord, Vec<Parked>),
    /// Gives writes that were never sent, and those that were refused, the form that a newer version of the app has for
    /// them: each as if it were parked, without a code where it need not be.
    Migrate(Vec<Parked>),
    /// Makes the bytes of mutations final, unless they are so already; none, if writes were brought to another form
    /// since these were read. Not in the database of another installation, which has nothing of them in its journal.
    Fix {
        /// The installation that they are of.
        of: Client,
        /// What is to be sent.
        sent: Vec<Sent>,
        /// How often that had happened.
        migrations: u64,
    },
    /// Changes what becomes of writes, if all that are parked still are.
    Amend(Amendment),
    /// Appends the writes of another database to the journal, those aside that are in it or have been.
    Adopt(Legacy),
    /// Deletes everything, and sees to it that nothing can be written any more. Not if there is something in the
    /// journal that whoever decided this did not know of.
    Seal {
        /// The installation that is given up.
        of: Client,
        /// The last record of the journal that nothing is lost with.
        through: u64,
        /// The records that are known; other tabs may have written others in between.
        known: Set<u64>,
    },
    /// Stores the server's verdicts.
    Settle {
        /// The installation whose writes these are of.
        of: Client,
        /// The server's history that they are of.
        epoch: String,
        /// How far that history had come.
        head: Option<String>,
        /// How each mutation ended, as far as that does not depend on the base.
        settled: Vec<SettledMutation>,
        /// What may be folded into the base: where it can, the mutation ends [`End::Folded`].
        folds: Vec<Fold>,
        /// What was refused.
        parked: Vec<Parked>,
        /// What was taken in.
        kept: Kept,
        /// Records that nothing needs any more.
        garbage: Vec<(Store, Key)>,
    },
    /// Stores what was pulled, if it was asked for with what is stored now.
    Store {
        /// The checkpoint that the pull was asked with.
        asked: Box<Checkpoint>,
        /// The checkpoint afterwards.
        reached: Box<Checkpoint>,
        /// Confirmed documents; `None` is one that is no longer there.
        rows: Vec<(DocumentKey, Option<BaseRow>)>,
        /// Changes that go into the base later, packed.
        staged: Vec<String>,
        /// Whether what was there before goes first, and up to which commit it need not.
        reset: Option<Position>,
        /// Up to here nothing has to be kept that the server has taken in.
        backed_up: Position,
        /// Those of the documents that may be indexed.
        indexed: Vec<DocumentKey>,
        /// Records that nothing needs any more.
        garbage: Vec<(Store, Key)>,
    },
    /// Takes out of a record of the journal, which stays where it is, what has ended; what is left keeps its place.
    Compact {
        /// The record.
        record: u64,
        /// What is to go.
        ended: Vec<MutationId>,
    },
    /// Puts what a staged record holds into the base, unless that was done already.
    Unpack {
        /// The installation that has staged it.
        of: Client,
        /// The record.
        key: u64,
        /// What it makes of the documents.
        rows: Vec<(DocumentKey, Option<BaseRow>)>,
        /// Those of the documents that may be indexed.
        indexed: Vec<DocumentKey>,
    },
}

/// What a transaction has brought to light or done, valid once it is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All that is stored, the base aside.
    Opened(Box<Opened>),
    /// Confirmed state of what was asked for; documents that are not there are not listed.
    Loaded {
        /// By document.
        rows: Vec<(DocumentKey, BaseRow)>,
        /// Whether something could not be read. The server has it.
        damaged: bool,
        /// The key to go on with, if there may be more of the collection.
        next: Option<String>,
        /// Writes to them, as far as they were looked for.
        entries: Vec<Entry>,
    },
    /// Keys of the index in the order asked for, if the index is there as a whole and has an order for them.
    Sought(Option<Rows>),
    /// What is indexed now, and whether some of the documents could not be read. The server has them.
    Indexed(Option<Indexed>, bool),
    /// The journal holds the record, under the key that the device gave if it is a new one.
    Committed,
    /// The bytes to send, in the order asked for. New ones are stored under the key that the device gave.
    Fixed {
        /// What to send.
        sent: Vec<Sent>,
        /// Those that were made final only now.
        added: Vec<MutationId>,
        /// Whether something was left out because it has been discarded, or has another form by now.
        outdated: bool,
    },
    /// What could be is in its new form, or parked.
    Migrated,
    /// Done: the new writes and the ends are stored, in this order, each under the key that the device gave.
    Amended,
    /// Somebody else has been faster: has decided about one of the parked writes, unpacked a staged record, indexed
    /// what is in it, or written something that must not be lost. Or everything was deleted, and made anew by another tab:
    /// what is known of records is not true of these. Nothing was done.
    Missed,
    /// These are in the journal now, under the key that the device gave if there are any.
    Adopted(Vec<Entry>),
    /// The database is given up.
    Sealed,
    /// The verdicts are stored, under the first key that the device gave.
    Settled {
        /// How each mutation ended.
        settled: Vec<SettledMutation>,
        /// Documents as they are confirmed now.
        rows: Vec<(DocumentKey, Option<BaseRow>)>,
        /// The checkpoint, one fold further.
        checkpoint: Checkpoint,
    },
    /// What was pulled is stored, each staged record under the key that the device gave. Where documents have
    /// changed, the last key names that change.
    Stored,
    /// The page was asked for with something else than what is stored now, or more is indexed than was thought.
    /// Nothing was done.
    Stale(Checkpoint),
}

impl Transaction {
    /// What a power cut may undo of it.
    pub fn durability(&self) -> Durability {
        match self {
            Transaction::Load(..) | Transaction::LoadPart(..) | Transaction::Seek { .. } => {
                Durability::ReadOnly
            }
            Transaction::Commit(..) if cfg!(feature = "planted") => Durability::Relaxed,
            Transaction::Migrate(_) if planted::is(Bug::MigratesRelaxed) => Durability::Relaxed,
            Transaction::Open { .. }
            | Transaction::Commit(..)
            | Transaction::Migrate(_)
            | Transaction::Fix { .. }
            | Transaction::Amend(_)
            | Transaction::Adopt(_)
            | Transaction::Compact { .. }
            | Transaction::Seal { .. }
            | Transaction::Settle { .. } => Durability::Strict,
            Transaction::Store { .. } | Transaction::Unpack { .. } | Transaction::Index { .. } => {
                Durability::Relaxed
            }
        }
    }

    /// The stores it touches.
    pub fn stores(&self) -> Vec<Store> {
        match self {
            Transaction::Open { .. } | Transaction::Migrate(_) => {
                let read = |store: &Store| match store {
                    Store::Base => matches!(self, Transaction::Open { rows, .. } if !rows.is_empty()),
                    Store::Index => false,
                    Store::Journal | Store::Sent | Store::Settled | Store::Parked => true,
                    Store::Staged | Store::Changes | Store::Meta => true,
                };
                Store::ALL.into_iter().filter(read).collect()
            }
            Transaction::Load(_, records) if !records.is_empty() => vec![Store::Base, Store::Journal],
            Transaction::Load(..) | Transaction::LoadPart(..) => vec![Store::Base],
            Transaction::Seek { .. } => vec![Store::Index, Store::Meta],
            Transaction::Index { .. } => vec![Store::Base, Store::Index, Store::Meta],
            Transaction::Commit(_, parked) if !parked.is_empty() => vec![Store::Journal, Store::Parked],
            Transaction::Commit(..) | Transaction::Compact { .. } => vec![Store::Journal],
            Transaction::Fix { .. } => vec![Store::Sent, Store::Meta],
            Transaction::Amend(_) => vec![Store::Journal, Store::Settled, Store::Parked, Store::Meta],
            Transaction::Adopt(_) => vec![Store::Journal, Store::Meta],
            Transaction::Seal { .. } | Transaction::Settle { .. } | Transaction::Store { .. } => {
                Store::ALL.to_vec()
            }
            Transaction::Unpack { .. } => {
                vec![Store::Base, Store::Staged, Store::Changes, Store::Index, Store::Meta]
            }
        }
    }

    /// What it has to know.
    pub fn reads(&self) -> Vec<Read> {
        let text = |text: &str| Key::Text(text.to_owned());
        let installation = || Read::One(Store::Meta, text(CLIENT));
        let checkpoint = || Read::One(Store::Meta, text(CHECKPOINT));
        let voids = || Read::Range(Store::Meta, text(VOIDS.0), text(VOIDS.1), u32::MAX);
        let indexes = || Read::Range(Store::Meta, text(INDEXES.0), text(INDEXES.1), u32::MAX);
        let migrations = || Read::One(Store::Meta, text(MIGRATIONS));
        let one = |key: &DocumentKey| Read::One(Store::Base, stored::base_key(key));
        let and = |mut reads: Vec<Read>, rows: &[DocumentKey]| {
            reads.extend(rows.iter().map(one));
            reads
        };
        let and_all = |mut reads: Vec<Read>, rows: &Set<DocumentKey>| {
            for key in rows.iter() {
                reads.push(one(key));
            }
            reads
        };
        match self {
            Transaction::Open { known, rows, .. } => and_all(open::reads(*known), rows),
            Transaction::Load(keys, records) => {
                let mut reads = and_all(vec![], keys);
                load::read_journal(&mut reads, records);
                reads
            }
            Transaction::LoadPart(from, to) => {
                vec![Read::Range(Store::Base, text(from), text(to), PART)]
            }
            Transaction::Seek { collection, from, to, count, descending, .. } => vec![
                Read::One(Store::Meta, stored::index_key(collection)),
                Read::Keys(Store::Index, text(from), text(to), *count, *descending),
            ],
            Transaction::Index { collection, expected, fields, .. } => {
                let (from, to) = index::part(collection, expected.as_ref(), fields);
                vec![
                    Read::One(Store::Meta, stored::index_key(collection)),
                    Read::Range(Store::Base, Key::Text(from), Key::Text(to), INDEXED_PART),
                ]
            }
            Transaction::Commit(..) => vec![],
            Transaction::Migrate(_) => open::reads(Known::default()),
            Transaction::Fix { .. } => vec![installation(), Read::All(Store::Sent), voids(), migrations()],
            Transaction::Amend(Amendment { unpark, .. }) => {
                unpark.iter().map(|id| Read::One(Store::Parked, Key::Text(id.to_string()))).collect()
            }
            Transaction::Adopt(Legacy { from, .. }) => {
                vec![Read::One(Store::Meta, stored::adopted_key(from))]
            }
            Transaction::Seal { .. } => vec![installation(), Read::All(Store::Journal)],
            Transaction::Compact { record, .. } => vec![Read::One(Store::Journal, Key::Counted(*record))],
            Transaction::Settle { folds, .. } => {
                let mut reads = vec![installation(), checkpoint(), indexes()];
                reads.extend(folds.iter().map(|fold| one(&fold.mutation.key())));
                reads.push(Read::Keys(Store::Meta, text(KEPT.0), text(KEPT.1), reset::LOOKED_AT, false));
                reads.push(Read::Keys(Store::Staged, Key::Counted(0), SEAL, 1, false));
                reads
            }
            Transaction::Store { asked, reached, reset, indexed, .. } => {
                let mut reads = and(vec![checkpoint(), indexes()], indexed);
                let through = reset.unwrap_or_default();
                if through > Position(0) {
                    reads.push(Read::Range(Store::Base, text(""), text("\u{ffff}"), reset::ROWS_MAX));
                }
                if asked.resets != reached.resets {
                    let from = Key::Text(stored::kept_from(through.next()));
                    reads.push(Read::Range(Store::Meta, from, text(KEPT.1), u32::MAX));
                }
                reads
            }
            Transaction::Unpack { key, indexed, .. } => {
                let staged = Read::One(Store::Staged, Key::Counted(*key));
                and(vec![installation(), staged, indexes()], indexed)
            }
        }
    }

    /// What to write, from what was read; and what that means, once the transaction is complete. May be asked again:
    /// whoever runs it has it run once more where the first try came to nothing.
    pub fn decide(&self, mut read: Vec<Rows>) -> (Vec<Write>, Outcome) {
        match self {
            Transaction::Open { client, rows, tail, .. } => open::open(client, read, rows, *tail),
            Transaction::Load(keys, _) => {
                let (rows, journal) = read.split_at(keys.iter().count());
                (vec![], load::loaded(rows, None, load::written(keys, journal)))
            }
            Transaction::Seek { field, .. } => (vec![], index::sought(field, read)),
            Transaction::Index { collection, expected, version, fields } => {
                let next = Indexed { version: *version, fields: fields.clone(), through: None };
                index::index(collection, expected.as_ref(), next, &read)
            }
            Transaction::LoadPart(..) => (vec![], load::loaded(&read, load::next(&read[0]), vec![])),
            Transaction::Commit(record, parked) => {
                let mut writes = vec![Write::Add(Store::Journal, stored::write(record))];
                let parked: &[Parked] = if planted::is(Bug::ParkedOnce) { &[] } else { parked };
                writes.extend(parked.iter().map(park));
                (writes, Outcome::Committed)
            }
            Transaction::Migrate(migrated) => {
                migrate::migrate(migrated, open::opened(read, &Set::new(), usize::MAX))
            }
            Transaction::Amend(amendment) => outbox::amend(amendment, &read),
            Transaction::Adopt(legacy) => outbox::adopt(legacy, &read[0]),
            Transaction::Compact { record, ended } => outbox::compact(*record, ended, &read[0]),
            Transaction::Fix { of, .. }
            | Transaction::Seal { of, .. }
            | Transaction::Settle { of, .. }
            | Transaction::Unpack { of, .. }
                if !is_of(&read[0], of) =>
            {
                (vec![], Outcome::Missed)
            }
            Transaction::Fix { sent, migrations, .. } => outbox::fix(sent, *migrations, &read[1..]),
            Transaction::Seal { through, known, .. } => seal::seal(*through, known, &read[1]),
            Transaction::Settle { epoch, head, settled, folds, parked, kept, garbage, .. } => {
                let read = &read[1..];
                let (mut writes, outcome) =
                    base::settle(epoch, head.as_ref(), settled.clone(), folds, kept, read);
                let parked: &[Parked] = if planted::is(Bug::ParkedNotStored) { &[] } else { parked };
                writes.extend(parked.iter().map(park));
                writes.extend(garbage.iter().map(delete));
                (base::announced(writes), outcome)
            }
            Transaction::Store { asked, reached, rows, staged, reset, backed_up, indexed, garbage } => {
                let current = checkpoint(&read[0]);
                let through = reset.unwrap_or_default();
                let kept = if asked.resets == reached.resets { None } else { read.pop() };
                let rest = if through > Position(0) { read.pop() } else { None };
                let mut writes = reset.map_or(vec![], |through| reset::start_over(through, rest));
                writes.extend(rows.iter().map(base::put));
                let is_asked = current.mark() == asked.mark() || planted::is(Bug::PageNotCompared);
                if !is_asked || !index::keep(&mut writes, indexed, &read[1..]) {
                    return (vec![], Outcome::Stale(current));
                }
                writes.extend(staged.iter().map(|record| Write::Add(Store::Staged, record.clone())));
                writes.push(put_checkpoint(reached));
                writes.extend(garbage.iter().map(delete));
                writes = base::announced(writes);
                writes.extend(kept.map(reset::put_back).unwrap_or_default());
                writes.push(reset::backed_up(*backed_up));
                (writes, Outcome::Stored)
            }
            Transaction::Unpack { key, rows, indexed, .. } => {
                let rows: &[_] = if planted::is(Bug::UnpackedNowhere) { &[] } else { rows };
                let mut writes: Vec<_> = rows.iter().map(base::put).collect();
                if read[1].is_empty() || !index::keep(&mut writes, indexed, &read[2..]) {
                    return (vec![], Outcome::Missed);
                }
                writes.push(Write::Delete(Store::Staged, Key::Counted(*key)));
                (base::announced(writes), Outcome::Stored)
            }
        }
    }
}

/// Whether the database is that of an installation, and no other one that was made since.
fn is_of(read: &Rows, of: &Client) -> bool {
    read.first().is_some_and(|(_, name)| name == of.as_str()) || planted::is(Bug::AnyInstallation)
}

fn delete((store, key): &(Store, Key)) -> Write {
    Write::Delete(*store, key.clone())
}

fn park(parked: &Parked) -> Write {
    Write::Put(Store::Parked, Key::Text(parked.entry.id.to_string()), stored::write(parked))
}

fn put_checkpoint(checkpoint: &Checkpoint) -> Write {
    Write::Put(Store::Meta, Key::Text(CHECKPOINT.into()), stored::write(checkpoint))
}

fn checkpoint(rows: &Rows) -> Checkpoint {
    rows.first().and_then(|(_, text)| stored::read(text)).unwrap_or_default()
}
