//! What drivers do with the disks: transactions are run, one after the other, and their tabs told.

use landfall_core::code::Code;
use landfall_core::transaction::{Durability, Outcome, Transaction};

use super::World;
use crate::check;
use crate::mark::Mark;
use crate::planted;
use crate::queue::{Event, TabId};

impl World {
    /// A disk runs one of the transactions that wait for it.
    pub(super) fn disk_step(&mut self, device: usize) {
        let runnable = self.devices[device].runnable();
        if runnable.is_empty() {
            return;
        }
        let at = self.chances.disk.of(&runnable);
        let (tab, id, transaction) =
            self.devices[device].waiting.remove(at).expect("BUG: no transaction there");
        if self.crashes(tab) {
            match &transaction {
                Transaction::Fix { .. } => self.marks.hit(Mark::CrashBeforePush),
                Transaction::Settle { .. } => self.marks.hit(Mark::CrashBeforeSettle),
                Transaction::Migrate(_) => self.marks.hit(Mark::MigrationCrashed),
                _ => {}
            }
            return;
        }
        let migrates = matches!(transaction, Transaction::Migrate(_));
        let result = self.transact(device, tab, transaction);
        if migrates && result.is_ok() && self.goes_dark(device) {
            return;
        }
        if self.crashes(tab) {
            return self.marks.hit(Mark::CrashUntold);
        }
        let Some(subject) = self.tab_mut(tab) else { return };
        subject.answers.push_back((id, result));
        let delay = self.chances.disk.delay(self.swarm.disk);
        self.queue.after(delay, Event::Told(tab));
    }

    /// Does what a driver does: read, decide, write, all in one transaction.
    fn transact(
        &mut self,
        device: usize,
        tab: TabId,
        transaction: Transaction,
    ) -> Result<landfall_core::client::Done, Code> {
        let durability = transaction.durability();
        let quota = self.chances.fault.per_mille(self.swarm.quota);
        let disk = &self.devices[device].disk;
        let fails = disk.broken || durability != Durability::ReadOnly && (quota || disk.full);
        if fails {
            match &transaction {
                Transaction::Commit(..) => self.marks.hit(Mark::QuotaOnWrite),
                Transaction::Store { .. } => self.marks.hit(Mark::QuotaOnPull),
                Transaction::Settle { .. } => self.marks.hit(Mark::QuotaOnSettle),
                _ => {}
            }
            // Opening writes at most a name; where there is no room for that there is no database.
            let opens = matches!(transaction, Transaction::Open { .. });
            if let Transaction::Commit(record, _) = &transaction {
                let values = record.entries.iter().flat_map(|entry| crate::witness::values(&entry.fields));
                self.witness.fickle.extend(values);
            }
            let broken = opens || self.devices[device].disk.broken;
            return Err(if broken { Code::StorageUnavailable } else { Code::StorageFull });
        }
        let stores = transaction.stores();
        let accepted =
            if matches!(transaction, Transaction::Seal { .. }) { self.all_kept(device) } else { vec![] };
        let disk = &self.devices[device].disk;
        let read = disk.read(&transaction.reads(), &stores);
        let seen = transaction.clone();
        let before = check::base::through(self, device, &seen);
        let closed = check::migration::before(self, device, &seen);
        let (writes, outcome) = transaction.decide(read);
        let durability = planted::durability(durability, &seen);
        let disk = &self.devices[device].disk;
        let (leaving, dropped) = (check::shelf::leaving(disk, &writes), check::shelf::dropped(disk));
        let done = self.devices[device].disk.write(writes, outcome, &stores, durability)?;
        self.marks.transacted(&seen, &done.outcome);
        let incarnation = self.devices[device].disk.incarnation;
        self.trace.say(self.queue.now, || format!("  device {device} {}", check::base::line(&seen, &done)));
        self.witness.transacted(device, incarnation, &seen, &done.outcome, &done.added);
        check::base::forward(self, device, before, &done.outcome);
        check::base::transacted(self, device, &seen, &done.outcome);
        check::shelf::transacted(self, device, &seen, &done.outcome, leaving, dropped);
        check::migration::transacted(self, device, &closed, &seen);
        if let (Transaction::Store { reached, reset, .. }, Outcome::Stored) = (&seen, &done.outcome) {
            if reset.is_some() {
                check::view::reset(self, device);
            }
            check::sight::stored(self, tab, reached);
        }
        if done.outcome == Outcome::Sealed {
            self.excuse_taken_back(accepted);
        }
        Ok(done)
    }
}
