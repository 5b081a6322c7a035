//! All that the server keeps: what each tenant has, and whose the writers and clients are.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::code::Code;
use landfall_core::id::{Client, DocumentKey, MutationId, Position, Writer};
use landfall_core::mutation::Mutation;
use landfall_core::wire::{Batch, PROTOCOL, SETTLED_MAX};

use super::store::Store;
use crate::person::{Person, PersonId};
use crate::planted::{self, Bug};

/// What is in one database, and in each of its backups.
#[derive(Clone, Debug)]
pub struct Database {
    /// What each tenant has.
    pub stores: Vec<Store>,
    /// Whose the writers are.
    pub owners: BTreeMap<Writer, PersonId>,
    /// Whose the installations are.
    pub clients: BTreeMap<Client, PersonId>,
}

impl Database {
    /// Nothing, in a history of this name.
    pub fn new(tenants: usize, epoch: u64) -> Database {
        let stores = (0..tenants).map(|_| Store::new(epoch)).collect();
        Database { stores, owners: BTreeMap::new(), clients: BTreeMap::new() }
    }

    /// The history gets another name, for everybody.
    pub fn rename(&mut self, epoch: u64) {
        self.stores.iter_mut().for_each(|store| store.epoch = epoch);
    }

    /// Whether somebody has changed a document since a commit.
    pub(super) fn has_changed(
        &self,
        caller: &Person,
        tenant: usize,
        key: &DocumentKey,
        floor: Position,
    ) -> bool {
        let since = self.stores[tenant].log.iter().rev().take_while(|applied| applied.position > floor);
        let own = |writer| self.owners.get(&writer) == Some(&caller.id);
        let mut own = since.filter(|applied| own(applied.mutation.id.writer));
        own.any(|applied| applied.mutation.key() == *key)
    }

    /// Makes the writers of a batch the caller's, or refuses all of it.
    pub(super) fn claim(
        &mut self,
        caller: &Person,
        batch: &Batch,
        mutations: &[Option<&Mutation>],
    ) -> Result<(), Code> {
        let mut writers: BTreeSet<Writer> = BTreeSet::new();
        if !planted::is(Bug::WritersNotOwned) {
            writers.extend(mutations.iter().flatten().map(|mutation| mutation.id.writer));
        }
        if !planted::is(Bug::NeedsNotOwned) {
            let ids = mutations.iter().flatten().flat_map(|one| one.needs.iter().copied().chain(one.after));
            writers.extend(ids.map(|id| id.writer));
        }
        if !planted::is(Bug::SettledNotOwned) {
            writers.extend(batch.settled.keys());
        }
        if !planted::is(Bug::VoidNotOwned) {
            writers.extend(batch.void.iter().map(|id: &MutationId| id.writer));
        }
        let is_foreign = |owner: Option<&PersonId>| owner.is_some_and(|owner| *owner != caller.id);
        if is_foreign(self.clients.get(&batch.client))
            || writers.iter().any(|writer| is_foreign(self.owners.get(writer)))
        {
            return Err(Code::WriterMismatch);
        }
        self.clients.insert(batch.client.clone(), caller.id);
        self.owners.extend(writers.into_iter().map(|writer| (writer, caller.id)));
        Ok(())
    }
}

/// Refuses what no batch may be.
pub(super) fn checked(batch: &Batch, most: usize) -> Result<(), Code> {
    if batch.protocol != PROTOCOL {
        return Err(Code::UnsupportedProtocol);
    }
    let ranges = || batch.settled.values().flatten();
    if batch.mutations.len() > most || batch.void.len() > most || ranges().count() > SETTLED_MAX {
        return Err(Code::BatchTooLarge);
    }
    if !ranges().all(|(first, last)| (1..=*last).contains(first) && *last < 1 << 53) {
        return Err(Code::InvalidRequest);
    }
    Ok(())
}
