//! Reads what a client starts from, and later what is new of it.

use super::index::indexes;
use super::{Outcome, Read, Rows, Write, base, checkpoint};
use crate::id::{Client, Collection, DocumentKey, MutationId};
use crate::map::Set;
use crate::planted::{self, Bug};
use crate::stored::{
    self, BaseRow, CHECKPOINT, CLIENT, Checkpoint, INDEXES, Indexed, JournalRecord, Key, MIGRATIONS, Parked,
    SEAL, SentRecord, SettledRecord, Store, VOIDS,
};
use crate::wire::PullChange;

/// The newest record of each counted store up to which a tab knows all that there is; 0 where it knows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Of [`Store::Journal`].
    pub journal: u64,
    /// Of [`Store::Sent`].
    pub sent: u64,
    /// Of [`Store::Settled`].
    pub settled: u64,
    /// Of [`Store::Changes`].
    pub changes: u64,
}

/// What is stored on the device behind what is known of it, the base aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Whether nothing was there, not even the installation's name.
    pub made: bool,
    /// The installation's name.
    pub client: Option<Client>,
    /// How far pulling has come.
    pub checkpoint: Checkpoint,
    /// What is indexed.
    pub indexes: Vec<(Collection, Indexed)>,
    /// Writes, by record.
    pub journal: Vec<(u64, JournalRecord)>,
    /// Final bytes, by record.
    pub sent: Vec<(u64, SentRecord)>,
    /// Verdicts, by record.
    pub settled: Vec<(u64, SettledRecord)>,
    /// Refused writes.
    pub parked: Vec<Parked>,
    /// Writes that are discarded and that the server has not answered for.
    pub voids: Vec<MutationId>,
    /// What was pulled and is not in the base yet, by record; none if one of them could not be read.
    pub staged: Option<Vec<(u64, Vec<PullChange>)>>,
    /// Records that could not be read. They stay where they are.
    pub damaged: Vec<String>,
    /// Whether the database is given up, and only waits to be deleted.
    pub sealed: bool,
    /// Which documents have changed since, by record; none where that could be any.
    pub changes: Vec<(u64, Vec<DocumentKey>)>,
    /// How often anything was brought to a newer version of the app's schema.
    pub migrations: u64,
    /// The documents that were asked for, as far as they are there.
    pub rows: Vec<(DocumentKey, BaseRow)>,
}

impl Opened {
    /// What is not to be brought to another form.
    pub(crate) fn closed(&self) -> Set<MutationId> {
        if planted::is(Bug::MigratesSent) { Set::new() } else { self.touched() }
    }

    /// What may have been sent, has ended, or is no longer wanted.
    fn touched(&self) -> Set<MutationId> {
        let mut closed: Set<MutationId> = self.voids.iter().copied().collect();
        for (_, record) in &self.sent {
            closed.extend(record.sent.iter().map(|sent| sent.mutation.id));
        }
        for (_, record) in &self.settled {
            closed.extend(record.settled.iter().map(|settled| settled.id));
        }
        closed.extend(self.parked.iter().map(|parked| parked.entry.id));
        closed
    }
}

/// What has to be read to go on from there.
pub(super) fn reads(known: Known) -> Vec<Read> {
    let one = |name: &str| Read::One(Store::Meta, Key::Text(name.to_owned()));
    let named = |(from, to): (&str, &str)| {
        Read::Range(Store::Meta, Key::Text(from.to_owned()), Key::Text(to.to_owned()), u32::MAX)
    };
    let behind = |store, last| Read::Range(store, Key::Counted(last + 1), SEAL, u32::MAX);
    vec![
        one(CLIENT),
        one(CHECKPOINT),
        behind(Store::Journal, known.journal),
        Read::One(Store::Journal, SEAL),
        behind(Store::Sent, known.sent),
        behind(Store::Settled, known.settled),
        Read::All(Store::Parked),
        named(VOIDS),
        Read::All(Store::Staged),
        behind(Store::Changes, known.changes),
        named(INDEXES),
        one(MIGRATIONS),
    ]
}

pub(super) fn open(
    client: &Client,
    read: Vec<Rows>,
    rows: &Set<DocumentKey>,
    tail: usize,
) -> (Vec<Write>, Outcome) {
    let mut opened = opened(read, rows, tail);
    let write = (opened.made && !opened.sealed)
        .then(|| Write::Put(Store::Meta, Key::Text(CLIENT.into()), client.to_string()));
    opened.client.get_or_insert_with(|| client.clone());
    (write.into_iter().collect(), Outcome::Opened(Box::new(opened)))
}

/// What is there, without a name where there is none yet. What waits to be sent for the first time is whole in the first
/// part of the journal, of the length of `tail`, and where it was written to `whole`.
pub(super) fn opened(mut read: Vec<Rows>, whole: &Set<DocumentKey>, mut tail: usize) -> Opened {
    fn records<T: serde::de::DeserializeOwned>(rows: Rows, damaged: &mut Vec<String>) -> Vec<(u64, T)> {
        let read = rows.into_iter().filter_map(|(key, text)| match (key, stored::read(&text)) {
            (Key::Counted(key), Some(record)) => Some((key, record)),
            (Key::Counted(_) | Key::Text(_), _) => {
                damaged.push(text);
                None
            }
        });
        read.collect()
    }
    let mut next = || std::mem::take(&mut read.remove(0));
    let client: Option<Client> = next().first().and_then(|(_, text)| text.parse().ok());
    let mut damaged = Vec::new();
    let checkpoint = checkpoint(&next());
    let journal = next();
    let sealed = !next().is_empty();
    let sent = records(next(), &mut damaged);
    let settled = records(next(), &mut damaged);
    let mut parked: Vec<Parked> = Vec::new();
    for (_, text) in next() {
        match stored::read(&text) {
            Some(whole) => parked.push(whole),
            None => damaged.push(text),
        }
    }
    let voids = next().iter().filter_map(|(key, _)| stored::voided(key)).collect();
    let mut lost = Vec::new();
    let staged = Some(records(next(), &mut lost)).filter(|_| lost.is_empty());
    let changes = next().iter().filter_map(changed).collect();
    let indexes = indexes(&next());
    let migrations = migrations(&next());
    // What cannot be read looks as if it were not there; whoever loads it notices.
    let rows = read.iter().flatten().filter_map(base::row).collect();
    let mut opened = Opened {
        made: client.is_none(),
        client,
        checkpoint,
        indexes,
        journal: vec![],
        sent,
        settled,
        parked,
        voids,
        staged,
        damaged,
        sealed,
        changes,
        migrations,
        rows,
    };
    let touched = opened.touched();
    // One after the other, so that not all of it is in memory as a whole for a moment.
    for (key, text) in journal {
        let length = text.len();
        let (Key::Counted(key), Some(mut record)) = (key, stored::read_journal(&text)) else {
            opened.damaged.push(text);
            continue;
        };
        let fits = length <= tail;
        tail = if fits { tail - length } else { 0 };
        for entry in record.entries.iter_mut().filter(|_| !fits) {
            if !touched.contains(&entry.id) && !whole.contains(&entry.key()) {
                entry.fields.forget();
            }
        }
        opened.journal.push((key, record));
    }
    opened
}

/// How often writes were brought to a newer version.
pub(super) fn migrations(rows: &Rows) -> u64 {
    rows.first().and_then(|(_, text)| text.parse().ok()).unwrap_or(0)
}

/// A record of changed documents: none where that could be any, as with one that cannot be read.
fn changed((key, text): &(Key, String)) -> Option<(u64, Vec<DocumentKey>)> {
    let keys: Vec<String> = stored::read(text).unwrap_or_default();
    let documents = keys.iter().map(|key| stored::base_document(key)).collect::<Option<_>>();
    match key {
        Key::Counted(key) => Some((*key, documents.unwrap_or_default())),
        Key::Text(_) => None,
    }
}
