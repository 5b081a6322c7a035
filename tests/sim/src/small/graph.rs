//! Goes through every state of a small world, and looks from where everything can come to rest.

use std::collections::{BTreeMap, VecDeque};

use landfall_core::wire::Batch;

use super::life::{self, Place, Step};
use super::pool::{Id, Pool};
use super::seat::Seat;
use super::{Plan, check};
use crate::disk::Disk;
use crate::server::Store;

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// States, and steps from one to another.
    pub states: usize,
    /// Steps from one to another.
    pub steps: usize,
    /// States in which nothing is left to do.
    pub resting: usize,
    /// Different tabs, disks and servers that these are made of.
    pub parts: [usize; 3],
    /// What must not be, and a short way there.
    pub fault: Option<(String, Vec<String>)>,
}

/// Everything there is, by the names of its parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    seats: Vec<Id>,
    disks: Vec<Id>,
    server: Id,
    /// Pushes whose tabs do not wait for the answers.
    strays: Vec<Id>,
    /// Seats that another tab has told that something was stored.
    hinted: u8,
}

/// What comes of a step: a seat, whether it hints, its disk, and the server.
type Effect = (Id, bool, Id, Id);

struct Graph<'a> {
    plan: &'a Plan,
    seats: Pool<Seat>,
    disks: Pool<Disk>,
    servers: Pool<Store>,
    batches: Pool<Batch>,
    /// What happens to the same parts is always the same.
    effects: BTreeMap<(Step, [Id; 3]), Effect>,
    /// Whether a tab rests.
    quiet: BTreeMap<[Id; 3], bool>,
    /// Whether these rest; only what is as it should be is in here.
    rests: BTreeMap<(Vec<Id>, Id, Id), bool>,
    states: Vec<State>,
    ids: BTreeMap<State, Id>,
    /// The step by which each state was found.
    found: Vec<(Id, Step)>,
    /// Steps that are bound to happen, backwards.
    back: Vec<(Id, Id)>,
    steps: usize,
}

/// Goes through every state, up to the first that must not be.
pub fn explore(plan: &Plan) -> Report {
    let mut graph = Graph {
        plan,
        seats: Pool::default(),
        disks: Pool::default(),
        servers: Pool::default(),
        batches: Pool::default(),
        effects: BTreeMap::new(),
        quiet: BTreeMap::new(),
        rests: BTreeMap::new(),
        states: vec![],
        ids: BTreeMap::new(),
        found: vec![],
        back: vec![],
        steps: 0,
    };
    let (resting, fault) = match graph.visit_all() {
        Ok(resting) => (resting.len(), graph.stuck(&resting)),
        Err((what, path)) => (0, Some((what, path))),
    };
    let fault = fault.map(|(what, path)| (what, graph.tell(&path)));
    let Graph { states, steps, seats, disks, servers, .. } = graph;
    let parts = [seats.len(), disks.len(), servers.len()];
    Report { states: states.len(), steps, resting, parts, fault }
}

impl Graph<'_> {
    /// Visits all states; gives those that rest.
    fn visit_all(&mut self) -> Result<Vec<Id>, (String, Vec<Step>)> {
        let first = self.beginning().map_err(|what| (what, vec![]))?;
        self.enter(first, (0, Step::Tick(0)));
        let (mut queue, mut resting) = (VecDeque::from([0]), vec![]);
        while let Some(id) = queue.pop_front() {
            let state = self.states[id as usize].clone();
            match self.judge(&state) {
                Ok(true) => resting.push(id),
                Ok(false) => {}
                Err(what) => return Err((what, self.path(id))),
            }
            for (step, next) in self
                .steps_from(&state)
                .map_err(|(what, step)| (what, [self.path(id), vec![step]].concat()))?
            {
                let known = self.states.len();
                let next = self.enter(next, (id, step));
                if next as usize == known {
                    queue.push_back(next);
                }
                self.steps += 1;
                if step.is_bound_to() && next != id {
                    self.back.push((next, id));
                }
            }
        }
        Ok(resting)
    }

    fn first(&mut self) -> State {
        let devices = self.plan.seats.iter().map(|(device, _)| device + 1).max().unwrap_or(0);
        let seats = self
            .plan
            .seats
            .iter()
            .enumerate()
            .map(|(n, (device, _))| Seat::open(n, *device, n < self.plan.drain, 0, self.plan.mishaps));
        State {
            seats: seats.map(|seat| name_seat(&mut self.seats, seat).0).collect(),
            disks: (0..devices).map(|_| name(&mut self.disks, Disk::default())).collect(),
            server: name(&mut self.servers, Store::new(1)),
            strays: vec![],
            hinted: 0,
        }
    }

    /// Where the story begins: all tabs have just been opened, or have come to rest since.
    fn beginning(&mut self) -> Result<State, String> {
        let mut state = self.first();
        while self.plan.opened && !self.judge(&state)? {
            let mut steps = (0..state.seats.len()).flat_map(|n| self.possible(&state, n).into_iter());
            let step = steps.find(|step| step.is_bound_to()).ok_or("nothing happens")?;
            state = self.next(&state, step)?;
        }
        Ok(state)
    }

    fn enter(&mut self, state: State, found: (Id, Step)) -> Id {
        if let Some(id) = self.ids.get(&state) {
            return *id;
        }
        let id = self.states.len() as Id;
        self.ids.insert(state.clone(), id);
        self.states.push(state);
        self.found.push(found);
        id
    }

    /// The steps by which a state was found.
    fn path(&self, mut id: Id) -> Vec<Step> {
        let mut path = vec![];
        while id != 0 {
            let (before, step) = self.found[id as usize];
            path.push(step);
            id = before;
        }
        path.reverse();
        path
    }

    /// The story of a path.
    fn tell(&mut self, path: &[Step]) -> Vec<String> {
        let Ok(mut state) = self.beginning() else { return vec![] };
        let mut story = vec![];
        for step in path {
            story.push(format!(
                "{step:?} {}",
                step.seat().map_or(String::new(), |n| self.seats.get(state.seats[n]).subject(*step))
            ));
            match self.next(&state, *step) {
                Ok(next) => state = next,
                Err(_) => break,
            }
        }
        story
    }

    /// The steps that are taken from a state. Where there is a tab of which nobody can notice anything now, its steps
    /// do, if one of them that is bound to happen leads to something new: all others can be taken after them, and come
    /// to the same.
    fn steps_from(&mut self, state: &State) -> Result<Vec<(Step, State)>, (String, Step)> {
        let private = |n: &usize| {
            let alone = self.others(self.plan.seats[*n].0, *n).is_empty();
            alone && !self.seats.get(state.seats[*n]).asks()
        };
        for n in (0..state.seats.len()).filter(private).collect::<Vec<_>>() {
            let steps = self.possible(state, n);
            let steps = self.lead(state, steps)?;
            let leads_on = |(step, next): &(Step, State)| step.is_bound_to() && !self.ids.contains_key(next);
            if steps.iter().any(leads_on) {
                return Ok(steps);
            }
        }
        let mut all: Vec<Step> = (0..state.strays.len()).map(Step::Stray).collect();
        for n in 0..state.seats.len() {
            all.extend(self.possible(state, n));
        }
        self.lead(state, all)
    }

    fn lead(&mut self, state: &State, steps: Vec<Step>) -> Result<Vec<(Step, State)>, (String, Step)> {
        let lead = |step| self.next(state, step).map(|next| (step, next)).map_err(|what| (what, step));
        steps.into_iter().map(lead).collect()
    }

    /// What may happen to a seat next.
    fn possible(&mut self, state: &State, n: usize) -> Vec<Step> {
        let disk = state.disks[self.plan.seats[n].0];
        let quiet = self.is_quiet(state.seats[n], disk, state.server);
        let seat = self.seats.get(state.seats[n]);
        let pending = self.disks.get(disk).pending();
        let mut steps = vec![
            Step::Write(n),
            Step::Run(n),
            Step::Arrive(n),
            Step::Answer(n),
            Step::Lose(n),
            Step::Double(n),
            Step::Die(n, false),
            Step::Die(n, true),
        ];
        // What a poll brings of which nothing is new changes nothing.
        steps.extend((!quiet).then_some(Step::Tick(n)));
        steps.extend((state.hinted >> n & 1 == 1).then_some(Step::Hear(n)));
        steps.extend((1..=pending).map(|lost| Step::PowerCut(n, lost)));
        steps.retain(|step| life::may(seat, *step, self.plan));
        steps
    }

    /// The state that a step leads to, or what must not be.
    fn next(&mut self, state: &State, step: Step) -> Result<State, String> {
        let mut next = state.clone();
        match step {
            Step::Stray(at) => {
                let batch = next.strays.remove(at);
                next.server = self.stray(batch, state.server)?;
            }
            Step::Double(n) | Step::Die(n, true) => {
                self.orphan(&mut next, n);
                self.seat_step(&mut next, step, n)?;
            }
            Step::PowerCut(n, lost) => {
                for other in self.others(self.plan.seats[n].0, n) {
                    self.seat_step(&mut next, Step::PowerCut(other, 0), other)?;
                }
                self.seat_step(&mut next, Step::PowerCut(n, lost), n)?;
            }
            Step::Hear(n) => {
                next.hinted &= !(1 << n);
                self.seat_step(&mut next, step, n)?;
            }
            Step::Write(n)
            | Step::Run(n)
            | Step::Arrive(n)
            | Step::Answer(n)
            | Step::Lose(n)
            | Step::Tick(n)
            | Step::Die(n, false) => self.seat_step(&mut next, step, n)?,
        }
        for (device, disk) in next.disks.iter_mut().enumerate() {
            let seats = self.plan.seats.iter().zip(&next.seats).filter(|((on, _), _)| *on == device);
            // There will be no other power cut, so it makes no difference what is synced.
            if seats.map(|(_, seat)| self.seats.get(*seat)).all(|seat| seat.left.deaths == 0) {
                *disk = synced(&mut self.disks, *disk);
            }
        }
        Ok(next)
    }

    fn others(&self, device: usize, n: usize) -> Vec<usize> {
        let seats = 0..self.plan.seats.len();
        seats.filter(|other| *other != n && self.plan.seats[*other].0 == device).collect()
    }

    /// The push on its way arrives whatever becomes of its tab.
    fn orphan(&mut self, state: &mut State, n: usize) {
        let Some(super::seat::Leg::Push(batch)) = &self.seats.get(state.seats[n]).leg else { return };
        let batch = batch.clone();
        state.strays.push(name(&mut self.batches, batch));
        state.strays.sort_unstable();
    }

    fn stray(&mut self, batch: Id, server: Id) -> Result<Id, String> {
        let key = (Step::Stray(0), [batch, 0, server]);
        if let Some((_, _, _, server)) = self.effects.get(&key) {
            return Ok(*server);
        }
        let mut store = self.servers.get(server).clone();
        life::push(&mut store, self.batches.get(batch), self.plan)?
            .map_err(|failure| format!("{failure:?}"))?;
        let after = name(&mut self.servers, store);
        self.effects.insert(key, (0, false, 0, after));
        Ok(after)
    }

    fn seat_step(&mut self, state: &mut State, step: Step, n: usize) -> Result<(), String> {
        let device = self.plan.seats[n].0;
        // Whatever does not come into it is left out, so that it is found again.
        let touches_disk = matches!(step, Step::Run(_) | Step::PowerCut(..));
        let disk = if touches_disk { state.disks[device] } else { Id::MAX };
        let server = if matches!(step, Step::Arrive(_)) { state.server } else { Id::MAX };
        let key = (step, [state.seats[n], disk, server]);
        let (seat, hints, disk, server) = match self.effects.get(&key) {
            Some(effect) => *effect,
            None => {
                let place = Place {
                    seat: self.seats.get(state.seats[n]).clone(),
                    disk: self.disks.get(state.disks[device]).clone(),
                    server: self.servers.get(state.server).clone(),
                };
                let Place { seat, disk: new_disk, server: new_server } = life::take(place, step, self.plan)?;
                let (seat, hints) = name_seat(&mut self.seats, seat);
                let disk = if touches_disk { name(&mut self.disks, new_disk) } else { Id::MAX };
                let server = if server == Id::MAX { Id::MAX } else { name(&mut self.servers, new_server) };
                self.effects.insert(key, (seat, hints, disk, server));
                (seat, hints, disk, server)
            }
        };
        state.seats[n] = seat;
        if disk != Id::MAX {
            state.disks[device] = disk;
        }
        if server != Id::MAX {
            state.server = server;
        }
        if hints {
            self.others(device, n).iter().for_each(|other| state.hinted |= 1 << other);
        }
        Ok(())
    }

    /// Whether nothing is left to do, or what must not be.
    fn judge(&mut self, state: &State) -> Result<bool, String> {
        let mut rests = state.hinted == 0;
        for (device, disk) in state.disks.iter().enumerate() {
            let on = |(_, (at, _)): &(&Id, &(usize, _))| *at == device;
            let seats: Vec<Id> =
                state.seats.iter().zip(&self.plan.seats).filter(on).map(|(id, _)| *id).collect();
            let key = (seats, *disk, state.server);
            rests &= match self.rests.get(&key) {
                Some(rest) => *rest,
                None => {
                    let seats: Vec<&Seat> = key.0.iter().map(|seat| self.seats.get(*seat)).collect();
                    let (disk, store) = (self.disks.get(*disk), self.servers.get(state.server));
                    let wrong = check::server(store).or_else(|| check::disk(disk, store));
                    if let Some(what) = wrong.or_else(|| check::seats(&seats, disk, store)) {
                        return Err(format!("device {device}: {what}"));
                    }
                    let mut ids = key.0.iter();
                    let rest = ids.all(|seat| self.is_quiet(*seat, key.1, state.server));
                    self.rests.insert(key, rest);
                    rest
                }
            };
        }
        Ok(rests)
    }

    /// Whether a tab has nothing to do and shows what the server has.
    fn is_quiet(&mut self, seat: Id, disk: Id, server: Id) -> bool {
        let look = || check::rests(self.seats.get(seat), self.disks.get(disk), self.servers.get(server));
        *self.quiet.entry([seat, disk, server]).or_insert_with(look)
    }

    /// The first state from which nothing that is bound to happen leads to rest.
    fn stuck(&mut self, resting: &[Id]) -> Option<(String, Vec<Step>)> {
        self.back.sort_unstable();
        let mut reaches = vec![false; self.states.len()];
        let mut next = resting.to_vec();
        while let Some(id) = next.pop() {
            if std::mem::replace(&mut reaches[id as usize], true) {
                continue;
            }
            let from = self.back.partition_point(|(to, _)| *to < id);
            next.extend(self.back[from..].iter().take_while(|(to, _)| *to == id).map(|(_, from)| *from));
        }
        let stuck = reaches.iter().position(|reaches| !reaches)? as Id;
        let state = &self.states[stuck as usize];
        let clients =
            state.seats.iter().map(|seat| format!("{:?}", self.seats.get(*seat).tab.client.state()));
        let what = format!("nothing leads to rest from {}", clients.collect::<Vec<_>>().join("\n"));
        Some((what, self.path(stuck)))
    }
}

fn name<T: std::fmt::Debug>(pool: &mut Pool<T>, part: T) -> Id {
    let looks = format!("{part:?}");
    pool.name(part, &looks)
}

/// A seat's name, and whether it has just said that something was stored.
fn name_seat(pool: &mut Pool<Seat>, mut seat: Seat) -> (Id, bool) {
    let hints = std::mem::take(&mut seat.hints);
    let looks = seat.looks();
    (pool.name(seat, &looks), hints)
}

fn synced(pool: &mut Pool<Disk>, disk: Id) -> Id {
    if pool.get(disk).pending() == 0 {
        return disk;
    }
    let mut disk = pool.get(disk).clone();
    disk.sync();
    name(pool, disk)
}
