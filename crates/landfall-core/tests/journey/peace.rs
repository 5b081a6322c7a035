//! What must be true once everything has healed, nobody writes and time has passed.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::client::Status;
use landfall_core::id::MutationId;
use landfall_core::mutation::Op;
use landfall_core::stored::{JournalRecord, Store, read};

use crate::world::{World, key};

impl World {
    /// Whatever can go wrong has stopped going wrong, nobody writes, and time passes: now the queues
    /// drain, everybody sees what the server has, nothing is lost or doubled, and nothing is left over.
    pub(crate) fn rest(&mut self) {
        for _ in 0..200 {
            for tab in 0..self.tabs.len() {
                self.run(tab);
            }
            if self.unrest().is_none() {
                return self.check_writes();
            }
            self.sleep();
            self.tabs.iter_mut().for_each(|tab| tab.hinted |= self.watched);
        }
        panic!("{}", self.unrest().unwrap_or_default());
    }

    /// What is still to be done, if anything is.
    fn unrest(&self) -> Option<String> {
        let server = self.server.visible();
        for (i, tab) in self.tabs.iter().enumerate() {
            let entries = tab.client.entries();
            let (held, open): (Vec<_>, Vec<_>) = entries
                .iter()
                .filter(|entry| entry.status != Status::NeedsAttention)
                .partition(|entry| entry.status == Status::Waiting);
            if !open.is_empty() {
                return Some(format!("tab {i} has pending writes: {open:?}"));
            }
            // What waits is seen here and not there yet; of what was refused, that is so for creations.
            let is_draft = |status, kind| match (status, kind) {
                (Status::NeedsAttention, kind) => kind == Op::Create,
                (status, _) => status == Status::Waiting,
            };
            let drafts = entries.iter().filter(|entry| is_draft(entry.status, entry.kind));
            let drafts: BTreeSet<_> = drafts.map(|entry| key(entry.document.as_str())).collect();
            let (mut view, mut expected) = (tab.view(), server.clone());
            for draft in drafts {
                view.remove(&draft);
                expected.remove(&draft);
            }
            if !tab.frugal && view != expected {
                return Some(format!("tab {i} shows {view:?}, the server {expected:?}"));
            }
            for store in [Store::Journal, Store::Sent, Store::Settled, Store::Staged] {
                let disk = tab.disk.borrow();
                // What was decided about writes is remembered for tabs that have slept.
                let decided =
                    |text: &&String| ["\"discarded\"", "\"replaced\""].iter().any(|end| text.contains(end));
                // So are the newest verdicts.
                let newest = if store == Store::Settled { 4 } else { 0 };
                let all = disk.texts(store).count();
                let older = disk.texts(store).take(all.saturating_sub(newest));
                let count = older.filter(|text| !decided(text)).count();
                if held.is_empty() && count > 0 {
                    return Some(format!("{count} records are left in {store:?} of tab {i}"));
                }
            }
        }
        None
    }

    fn check_writes(&self) {
        let mut times: BTreeMap<MutationId, usize> = BTreeMap::new();
        self.server.applied.iter().for_each(|id| *times.entry(*id).or_default() += 1);
        assert!(times.values().all(|times| *times == 1), "applied twice: {times:?}");
        for (device, id) in &self.saved {
            let kept = self.tabs.iter().filter(|tab| tab.device == *device).any(|tab| {
                let exported = tab.client.export().items.into_iter().map(|item| item.entry.clone());
                let disk = tab.disk.borrow();
                let records = disk.texts(Store::Journal).filter_map(|text| read::<JournalRecord>(text));
                let listed =
                    tab.client.entries().into_iter().filter(|entry| entry.status != Status::Accepted);
                let listed: Vec<_> = listed.map(|entry| entry.id).collect();
                // Of what is in the journal alone nothing is exported.
                let mut entries = exported.chain(records.flat_map(|record| record.entries));
                entries.any(|entry| {
                    listed.contains(&entry.id) && (entry.id == *id || entry.replaces == Some(*id))
                })
            });
            let kept = kept || self.server.replaced.contains(id) || self.given_up.contains(id);
            assert!(kept || times.contains_key(id), "{id} was saved on device {device} and is nowhere");
        }
    }
}
