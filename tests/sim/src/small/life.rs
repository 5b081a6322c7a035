//! What may happen next in a small world, and what comes of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use landfall_core::client::{Failure, Input};
use landfall_core::conflict::Policy;
use landfall_core::stored::{CHECKPOINT, Checkpoint, Key, Store as Records, read};
use landfall_core::transaction::{Outcome, Transaction};
use landfall_core::wire::Batch;

use super::seat::{Leg, Seat};
use super::{Mishaps, NOW, Plan, check};
use crate::chance::Chance;
use crate::disk::Disk;
use crate::mark::Marks;
use crate::person::Person;
use crate::planted;
use crate::server::{Server, Store};

/// Something that happens; the number is the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The user does the next thing.
    Write(usize),
    /// The disk runs a transaction, and the tab is told.
    Run(usize),
    /// The request comes to the server.
    Arrive(usize),
    /// The answer comes to the tab.
    Answer(usize),
    /// The request or the answer is lost, and the tab waits no longer.
    Lose(usize),
    /// The timer goes off.
    Tick(usize),
    /// The tab hears that another one has stored something.
    Hear(usize),
    /// The push that is on its way is doubled.
    Double(usize),
    /// The tab dies; a push on its way goes on without it, or is lost.
    Die(usize, bool),
    /// The device loses its power, with so many transactions that were not synced.
    PowerCut(usize, usize),
    /// A push whose tab does not wait for the answer comes to the server.
    Stray(usize),
}

impl Step {
    /// Whose step it is.
    pub fn seat(self) -> Option<usize> {
        match self {
            Step::Write(n)
            | Step::Run(n)
            | Step::Arrive(n)
            | Step::Answer(n)
            | Step::Lose(n)
            | Step::Tick(n)
            | Step::Hear(n)
            | Step::Double(n)
            | Step::Die(n, _)
            | Step::PowerCut(n, _) => Some(n),
            Step::Stray(_) => None,
        }
    }

    /// Whether it happens by itself, in a world in which nothing goes wrong and nobody writes.
    pub fn is_bound_to(self) -> bool {
        match self {
            Step::Run(_)
            | Step::Arrive(_)
            | Step::Answer(_)
            | Step::Tick(_)
            | Step::Hear(_)
            | Step::Stray(_) => true,
            Step::Write(_) | Step::Lose(_) | Step::Double(_) | Step::Die(..) | Step::PowerCut(..) => false,
        }
    }
}

/// What a step changes: one seat, its device's disk, and the server.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) seat: Seat,
    pub(super) disk: Disk,
    pub(super) server: Store,
}

/// Whether a seat can take a step.
pub(super) fn may(seat: &Seat, step: Step, plan: &Plan) -> bool {
    let pushes = matches!(seat.leg, Some(Leg::Push(_)));
    let Mishaps { losses, doubles, deaths } = seat.left;
    match step {
        Step::Write(n) => seat.can_write(&plan.seats[n].1),
        Step::Run(_) => !seat.waiting.is_empty(),
        Step::Arrive(_) => seat.asks(),
        Step::Answer(_) => seat.leg.is_some() && !seat.asks(),
        Step::Lose(_) => seat.leg.is_some() && losses > 0,
        Step::Tick(_) => seat.tab.client.wake_at().is_some(),
        Step::Double(_) => pushes && doubles > 0,
        Step::Die(_, orphan) => deaths > 0 && (pushes || !orphan),
        Step::PowerCut(..) => deaths > 0,
        Step::Hear(_) | Step::Stray(_) => true,
    }
}

/// Takes a step of a seat's own, or says what must not be.
pub(super) fn take(mut place: Place, step: Step, plan: &Plan) -> Result<Place, String> {
    let took = catch_unwind(AssertUnwindSafe(|| happen(&mut place, step, plan).map(|()| place)));
    took.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panics: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
    })
}

fn happen(place: &mut Place, step: Step, plan: &Plan) -> Result<(), String> {
    let Place { seat, disk, server } = place;
    match step {
        Step::Write(n) => seat.write(n, &plan.seats[n].1),
        Step::Run(_) => return run(seat, disk),
        Step::Arrive(_) => {
            seat.leg = match seat.leg.take() {
                Some(Leg::Push(batch)) => Some(Leg::Pushed(push(server, &batch, plan)?)),
                Some(Leg::Pull(cursor)) => Some(Leg::Pulled(pull(server, cursor.as_deref(), plan))),
                Some(Leg::Pushed(_) | Leg::Pulled(_)) | None => unreachable!("BUG: nothing is on its way"),
            };
        }
        Step::Answer(_) => match seat.leg.take() {
            Some(Leg::Pushed(reply)) => seat.feed(Input::Pushed(reply, NOW), NOW),
            Some(Leg::Pulled(reply)) => seat.feed(Input::Pulled(reply, NOW), NOW),
            Some(Leg::Push(_) | Leg::Pull(_)) | None => unreachable!("BUG: there is no answer"),
        },
        Step::Lose(_) => {
            seat.left.losses -= 1;
            lose(seat);
        }
        Step::Double(_) => seat.left.doubles -= 1,
        Step::Tick(_) => {
            let at = seat.tab.client.wake_at().expect("BUG: a timer that is not armed");
            seat.feed(Input::Tick, at.max(NOW));
        }
        Step::Hear(_) => seat.feed(Input::Refresh, NOW),
        Step::Die(n, _) => *seat = seat.reborn(n),
        Step::PowerCut(n, lost) => {
            *seat = seat.reborn(n);
            disk.power_cut(lost);
        }
        Step::Stray(_) => unreachable!("BUG: no step of a seat"),
    }
    Ok(())
}

fn lose(seat: &mut Seat) {
    match seat.leg.take() {
        Some(Leg::Push(_) | Leg::Pushed(_)) => {
            seat.feed(Input::Pushed(Err(Failure::Unreachable), NOW), NOW);
        }
        Some(Leg::Pull(_) | Leg::Pulled(_)) => {
            seat.feed(Input::Pulled(Err(Failure::Unreachable), NOW), NOW);
        }
        None => unreachable!("BUG: nothing to lose"),
    }
}

/// Does what a driver does: read, decide, write, all in one transaction; and tells the tab.
fn run(seat: &mut Seat, disk: &mut Disk) -> Result<(), String> {
    let (id, transaction) = seat.waiting.pop_front().expect("BUG: no transaction waits");
    let before = checkpoint(disk);
    let (stores, durability) = (transaction.stores(), transaction.durability());
    let durability = planted::durability(durability, &transaction);
    let (writes, outcome) = transaction.clone().decide(disk.read(&transaction.reads(), &stores));
    if let (Transaction::Amend(amendment), Outcome::Amended) = (&transaction, &outcome) {
        let pairs = amendment.record.entries.iter().filter_map(|entry| Some((entry.replaces?, entry.id)));
        seat.replaced.extend(pairs);
    }
    let done = disk.write(writes, outcome, &stores, durability);
    let after = checkpoint(disk);
    if after.epoch == before.epoch && after.position < before.position {
        return Err(format!("goes back from {before:?} to {after:?}"));
    }
    seat.feed(Input::Transacted(id, done), NOW);
    Ok(())
}

fn checkpoint(disk: &Disk) -> Checkpoint {
    let text = disk.records(Records::Meta).get(&Key::Text(CHECKPOINT.into()));
    text.and_then(|text| read(text)).unwrap_or_default()
}

/// A push comes to the server.
pub(super) fn push(
    store: &mut Store,
    batch: &Batch,
    plan: &Plan,
) -> Result<Result<landfall_core::wire::BatchReply, Failure>, String> {
    let mut server = opened(store, plan);
    let reply = server.push(&Person::alone(), batch, NOW, &mut Marks::default());
    *store = server.data.stores.remove(0);
    check::answered(&reply, store).map_or(Ok(reply), Err)
}

fn pull(
    store: &mut Store,
    cursor: Option<&str>,
    plan: &Plan,
) -> Result<landfall_core::wire::PullReply, Failure> {
    let mut server = opened(store, plan);
    let caller = Person::alone();
    let reply = server.pull(&caller, &caller.user, cursor, NOW, &mut Marks::default());
    *store = server.data.stores.remove(0);
    reply
}

/// A server process over what is stored. The nonce of a commit is a matter of its position.
fn opened(store: &Store, plan: &Plan) -> Server {
    let chance = Chance::new(store.position.0, 2);
    let mut server = Server::new(1, 1, plan.page, Policy::LastWriteWins, chance);
    server.data.stores = vec![store.clone()];
    server
}
