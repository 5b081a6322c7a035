//! What lies between a tab and the server: delay, loss, doubles, and answers that are not the ones.

use std::collections::BTreeMap;
use std::rc::Rc;

use landfall_core::client::{Failure, Heard, Input, Output};
use landfall_core::code::Code;
use landfall_core::id::User;
use landfall_core::json::Json;
use landfall_core::mutation::Mutation;
use landfall_core::time::{Millis, WallTime};
use landfall_core::wire::{Batch, BatchReply, PullReply};

use crate::chance::Chance;
use crate::check::{self, Invariant};
use crate::device::Device;
use crate::mark::Mark;
use crate::person::{PersonId, Rights};
use crate::queue::{Event, TabId};
use crate::version::{self, Version};
use crate::world::World;

/// A tab does not wait for an answer for longer.
const PATIENCE: Millis = Millis(30_000);
/// Longest that a stream takes to stand.
const HANDSHAKE: Millis = Millis(300);

/// What is asked of the server.
#[derive(Clone, Debug)]
enum Call {
    Push(Rc<Batch>),
    Pull(User, Option<String>),
}

/// An answer as the network has it.
#[derive(Clone, Debug)]
enum Reply {
    Push(Result<BatchReply, Failure>),
    Pull(Result<(PullReply, Rights), Failure>),
    Token(bool),
}

#[derive(Debug)]
struct Request {
    /// Nobody waits for the second copy of one that arrives twice.
    tab: Option<TabId>,
    device: usize,
    /// Whose token comes with it.
    person: PersonId,
    call: Option<Call>,
    /// When it was sent, by the true time and by the device's clock.
    at: WallTime,
    sent: WallTime,
    reply: Option<Reply>,
}

/// What a pull asks: whose token it comes with, from which device, into whose database, behind which cursor.
type Question = (PersonId, usize, User, Option<String>);

/// Requests on their way, and answers that may come again.
#[derive(Debug)]
pub struct Network {
    chance: Chance,
    requests: BTreeMap<u64, Request>,
    count: u64,
    pulled: BTreeMap<Question, (PullReply, Rights)>,
    pushed: BTreeMap<(PersonId, usize), BatchReply>,
}

impl Network {
    /// A network without anything on its way.
    pub fn new(chance: Chance) -> Network {
        let (requests, pulled, pushed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Network { chance, requests, count: 0, pulled, pushed }
    }

    /// Who waits for an answer.
    pub fn asker(&self, request: u64) -> Option<TabId> {
        self.requests.get(&request).and_then(|request| request.tab)
    }

    fn add(&mut self, request: Request) -> u64 {
        self.count += 1;
        self.requests.insert(self.count, request);
        self.count
    }
}

impl World {
    /// A tab sends something.
    pub fn send(&mut self, tab: TabId, output: Output) {
        let now = self.queue.now;
        let Some(subject) = self.tab(tab) else { return };
        let (device, busy, early) = (subject.device, subject.request.is_some(), now < subject.not_before);
        let user = self.people[subject.person].user.clone();
        let Device { person, mistaken, .. } = self.devices[device];
        let person = mistaken.unwrap_or(person);
        if busy {
            return self.violate(Invariant::I15, format!("tab {tab} has two requests at once"));
        }
        let sent = self.devices[device].clock.read(now);
        if early && !self.devices[device].clock.unsteady && !matches!(output, Output::Ask) {
            return self.violate(Invariant::I16, format!("tab {tab} comes sooner than it was asked to"));
        }
        self.trace.say(now, || format!("  tab {tab} sends {}", line(&output)));
        let call = match output {
            Output::Push(batch) => {
                check::sending::sent(self, device, &read(&batch));
                Some(Call::Push(Rc::new(batch)))
            }
            Output::Pull(cursor) => Some(Call::Pull(user, cursor)),
            _ => None,
        };
        let asks = call.is_none();
        let request = Request { tab: Some(tab), device, person, call, at: now, sent, reply: None };
        let id = self.network.add(request);
        if let Some(subject) = self.tab_mut(tab) {
            subject.request = Some(id);
        }
        let delay = self.network.chance.delay(self.swarm.delay);
        if asks {
            let given = self.devices[device].signed_in;
            self.marks.hit_if(!given, Mark::TokenWithheld);
            self.network.requests.get_mut(&id).expect("BUG: no such request").reply =
                Some(Reply::Token(given));
            return self.queue.after(delay, Event::Answer(id));
        }
        if self.network.chance.per_mille(self.swarm.loss) || self.devices[device].cut_out {
            self.marks.hit(Mark::RequestLost);
            // Some networks say at once that they are none.
            let wait = if self.network.chance.one_in(2) { delay } else { PATIENCE };
            return self.queue.after(wait, Event::GiveUp(id));
        }
        self.queue.after(delay, Event::Arrive(id));
        if self.network.chance.per_mille(self.swarm.double) {
            self.marks.hit(Mark::RequestDoubled);
            let call = self.network.requests[&id].call.clone();
            let request = Request { tab: None, device, person, call, at: now, sent, reply: None };
            let copy = self.network.add(request);
            let delay = Millis(2 * self.network.chance.delay(self.swarm.delay).0);
            self.queue.after(delay, Event::Arrive(copy));
        }
    }

    /// A request is at the server.
    pub fn arrive(&mut self, id: u64) {
        let Some(request) = self.network.requests.get(&id) else { return };
        let (tab, device, person) = (request.tab, request.device, request.person);
        let Some(call) = request.call.clone() else { return };
        self.marks.hit_if(tab.is_some_and(|tab| self.tab(tab).is_none()), Mark::OrphanArrived);
        let failure = self.refusal();
        let answered = failure.is_none();
        let pushes = matches!(call, Call::Push(_));
        let reply = match (failure, call) {
            (Some(failure), Call::Push(_)) => Reply::Push(Err(failure)),
            (Some(failure), Call::Pull(..)) => Reply::Pull(Err(failure)),
            (None, Call::Push(batch)) => Reply::Push(self.push(device, person, &batch)),
            (None, Call::Pull(user, cursor)) => Reply::Pull(self.pull(device, person, &user, cursor)),
        };
        let Some(tab) = tab else {
            self.network.requests.remove(&id);
            return;
        };
        let late = self.queue.now.since(self.network.requests[&id].at);
        if self.network.chance.per_mille(self.swarm.silence) || self.devices[device].cut_in {
            self.marks.hit_if(answered && pushes, Mark::ReplyLostAfterCommit);
            let wait = Millis(PATIENCE.0.saturating_sub(late.0));
            return self.queue.after(wait, Event::GiveUp(id));
        }
        let delay = self.network.chance.delay(self.swarm.delay);
        if let Some(request) = self.network.requests.get_mut(&id) {
            request.reply = Some(reply);
        }
        if late.0 + delay.0 > PATIENCE.0 {
            self.queue.after(Millis(PATIENCE.0.saturating_sub(late.0)), Event::GiveUp(id));
            return self.marks.hit(Mark::AnswerTooLate);
        }
        let _ = tab;
        self.queue.after(delay, Event::Answer(id));
    }

    /// What comes in the place of an answer of ours.
    fn refusal(&mut self) -> Option<Failure> {
        let chance = &mut self.network.chance;
        if chance.per_mille(self.swarm.portal) {
            self.marks.hit(Mark::Portal);
            return Some(Failure::NotOurs);
        }
        if chance.per_mille(self.swarm.busy) {
            self.marks.hit(Mark::Busy);
            let retry_after = chance.one_in(2).then(|| Millis(chance.between(0, 60_000)));
            self.marks.hit_if(retry_after.is_some(), Mark::RetryAfter);
            return Some(Failure::Refused { code: Code::Unavailable.to_string(), retry_after });
        }
        if chance.per_mille(self.swarm.token) {
            self.marks.hit(Mark::TokenRefused);
            let code = chance.of(&[Code::InvalidToken, Code::TokenExpired]);
            return Some(Failure::Refused { code: code.to_string(), retry_after: None });
        }
        None
    }

    /// Some process's time and version, should it be ready to answer.
    fn node(&mut self) -> Result<(WallTime, Version), Failure> {
        let node = self.network.chance.below(self.server.nodes.len());
        self.marks.hit_if(self.server.nodes[node] != 0, Mark::NodeSkewed);
        let refused = |code: &str| Failure::Refused { code: code.to_owned(), retry_after: None };
        match self.server.versions[node] {
            Version::Ours => {}
            Version::Later if self.swarm.busy > 0 && self.network.chance.one_in(10) => {
                self.marks.hit(Mark::LaterCode);
                return Err(refused(version::LATER_CODE));
            }
            Version::Later => self.marks.hit(Mark::LaterServer),
            Version::Foreign => {
                self.marks.hit(Mark::NotSpoken);
                return Err(refused(Code::UnsupportedProtocol.as_str()));
            }
        }
        Ok((self.server.clock(node, self.queue.now), self.server.versions[node]))
    }

    /// Whether there is more than one version about.
    fn is_mixed(&self) -> bool {
        self.server.versions.iter().any(|version| *version != Version::Ours)
    }

    fn push(&mut self, device: usize, person: PersonId, batch: &Batch) -> Result<BatchReply, Failure> {
        let (now, version) = self.node()?;
        let tenant = self.people[person].tenant;
        let later = self.is_mixed() && self.network.chance.one_in(2);
        self.marks.hit_if(later, Mark::LaterDevice);
        let spelled = match (later, self.swarm.spelled) {
            (true, _) => Some(version::later_batch(batch)),
            (false, true) => {
                let text = serde_json::to_string(batch).expect("BUG: a batch is JSON");
                Some(serde_json::from_str(&text).expect("BUG: a batch that cannot be read"))
            }
            (false, false) => None,
        };
        let mutations = read(batch);
        let (reply, commits) = self.judge(person, spelled.as_ref().unwrap_or(batch), now);
        let mut reply = reply?;
        if self.swarm.spelled {
            let text = serde_json::to_string(&reply).expect("BUG: a reply is JSON");
            reply = landfall_core::json::read(&text).expect("BUG: a reply that cannot be read");
        }
        if version == Version::Later {
            reply = version::later_reply(&reply);
        }
        self.trace.say(self.queue.now, || {
            let results = reply.results.iter().map(|result| {
                let id = result.id.map(|id| id.to_string()).unwrap_or_default();
                format!(" {id}={:?} v{} p{}", result.verdict, result.version.0, result.position.0)
            });
            format!("  judged{}", results.collect::<String>())
        });
        check::migration::arrived(self, device, &mutations);
        check::verdict::judged(self, tenant, batch, &reply);
        check::receipts::kept(self, tenant, batch, &reply);
        if commits {
            self.announce(tenant);
        }
        if let Some(hostile) = &mut self.hostile {
            hostile.overhears(batch);
        }
        if self.network.chance.per_mille(self.swarm.stale)
            && let Some(old) = self.network.pushed.get(&(person, device))
        {
            self.marks.hit(Mark::StaleReply);
            return Ok(old.clone());
        }
        if self.swarm.stale > 0 {
            self.network.pushed.insert((person, device), reply.clone());
        }
        Ok(reply)
    }

    /// The server judges a batch, and it is looked at whether everybody may know what becomes of it. Says, too,
    /// whether there is a new commit.
    pub fn judge(
        &mut self,
        person: PersonId,
        batch: &Batch,
        now: WallTime,
    ) -> (Result<BatchReply, Failure>, bool) {
        let caller = self.people[person].clone();
        let looked = self.has_secrets().then(|| check::sight::before(self, &caller, batch));
        let before = self.server.store(caller.tenant).position;
        let reply = self.server.push(&caller, batch, now, &mut self.marks);
        if let Some(looked) = looked {
            check::sight::judged(self, person, batch, &looked, &reply);
        }
        let commits = self.server.store(caller.tenant).position > before;
        if commits {
            check::cause::committed(self, caller.tenant);
        }
        (reply, commits)
    }

    fn pull(
        &mut self,
        device: usize,
        person: PersonId,
        user: &User,
        cursor: Option<String>,
    ) -> Result<(PullReply, Rights), Failure> {
        let (now, version) = self.node()?;
        // Whoever is between them may know an earlier answer to the same request.
        let question = (person, device, user.clone(), cursor);
        if self.network.chance.per_mille(self.swarm.stale)
            && let Some(old) = self.network.pulled.get(&question)
        {
            self.marks.hit(Mark::StaleReply);
            return Ok(old.clone());
        }
        let caller = self.people[person].clone();
        let mut reply = self.server.pull(&caller, user, question.3.as_deref(), now, &mut self.marks)?;
        if self.has_secrets() {
            check::sight::delivered(self, person, &reply);
        }
        if self.swarm.spelled {
            let text = serde_json::to_string(&reply).expect("BUG: a page is JSON");
            reply = landfall_core::json::read(&text).expect("BUG: a page that cannot be read");
        }
        if version == Version::Later {
            let (page, told) = version::later_page(&reply, &mut self.network.chance);
            reply = page;
            self.marks.hit_if(told, Mark::LaterKind);
        }
        self.trace.say(self.queue.now, || {
            let PullReply { position, changes, more, reset, cursor, .. } = &reply;
            format!("  page through {} cursor {cursor} more {more} reset {reset:?}: {changes:?}", position.0)
        });
        if self.swarm.stale > 0 {
            self.network.pulled.insert(question, (reply.clone(), caller.rights.clone()));
        }
        Ok((reply, caller.rights))
    }

    /// An answer has come.
    pub fn answer(&mut self, id: u64) {
        let Some(request) = self.network.requests.remove(&id) else { return };
        let (Some(tab), Some(reply)) = (request.tab, request.reply) else { return };
        if self.crashes(tab) {
            return;
        }
        let now = self.queue.now;
        let Some(subject) = self.tab_mut(tab) else { return };
        subject.request = None;
        let failure = match &reply {
            Reply::Push(Err(failure)) | Reply::Pull(Err(failure)) => Some(failure.clone()),
            Reply::Push(Ok(_)) | Reply::Pull(Ok(_)) | Reply::Token(_) => None,
        };
        if let Reply::Pull(Ok((_, rights))) = &reply {
            subject.rights = rights.clone();
        }
        if let Some(Failure::Refused { retry_after: Some(asked), .. }) = &failure {
            subject.not_before = now.after(*asked);
        }
        if let Some(failure) = failure {
            self.in_peace(tab, &failure);
        }
        let input = match reply {
            Reply::Push(reply) => Input::Pushed(reply, request.sent),
            Reply::Pull(reply) => Input::Pulled(reply.map(|(reply, _)| reply), request.sent),
            Reply::Token(given) => Input::Token(given),
        };
        self.feed(tab, input);
    }

    /// Nobody waits for the answer any more.
    pub fn give_up(&mut self, id: u64) {
        let Some(request) = self.network.requests.remove(&id) else { return };
        let Some(tab) = request.tab else { return };
        let Some(subject) = self.tab_mut(tab) else { return };
        subject.request = None;
        let failure = Failure::Unreachable;
        self.in_peace(tab, &failure);
        let input = match request.call {
            Some(Call::Push(_)) | None => Input::Pushed(Err(failure), request.sent),
            Some(Call::Pull(..)) => Input::Pulled(Err(failure), request.sent),
        };
        self.feed(tab, input);
    }

    /// Where nothing goes wrong, nothing may fail.
    fn in_peace(&mut self, tab: TabId, failure: &Failure) {
        if self.swarm.is_peaceful() && !self.healed {
            self.violate(Invariant::I16, format!("tab {tab} was refused something in peace: {failure:?}"));
        }
    }

    /// A tab wants a stream of hints.
    pub fn listen(&mut self, tab: TabId) {
        let now = self.queue.now;
        let lost = self.network.chance.per_mille(self.swarm.loss);
        let delay = self.network.chance.delay(HANDSHAKE);
        let Some(subject) = self.tab_mut(tab) else { return };
        if subject.stream.is_some() {
            return self.violate(Invariant::Answers, format!("tab {tab} has two streams"));
        }
        let stream = now.0;
        subject.stream = Some((stream, false));
        let device = subject.device;
        let lost = lost || self.devices[device].cut_out || self.devices[device].cut_in;
        let heard = if lost { Heard::End(Failure::Unreachable) } else { Heard::Open };
        self.queue.after(delay, Event::Heard(tab, stream, heard));
    }

    /// Something is heard of a stream.
    pub fn hear(&mut self, tab: TabId, stream: u64, heard: Heard) {
        let Some(subject) = self.tab_mut(tab) else { return };
        if subject.stream.is_none_or(|(current, _)| current != stream) {
            return;
        }
        match heard {
            Heard::Open => subject.stream = Some((stream, true)),
            Heard::Hint => subject.hinted = false,
            Heard::End(_) => subject.stream = None,
        }
        self.marks.hit(match heard {
            Heard::Open | Heard::Hint => Mark::StreamOpen,
            Heard::End(_) => Mark::StreamCut,
        });
        self.feed(tab, Input::Heard(heard));
    }

    /// A commit is announced on the streams that stand.
    pub fn announce(&mut self, tenant: usize) {
        for tab in 0..self.tabs.len() {
            let Some(subject) = self.tab(tab) else { continue };
            if self.people[subject.person].tenant != tenant {
                continue;
            }
            let Some((stream, true)) = subject.stream else { continue };
            let (hinted, device) = (subject.hinted, subject.device);
            if hinted || self.devices[device].cut_in {
                continue;
            }
            if self.network.chance.per_mille(self.swarm.deaf) {
                continue;
            }
            if self.network.chance.per_mille(self.swarm.silence) {
                let delay = self.network.chance.delay(self.swarm.delay);
                self.queue.after(delay, Event::Heard(tab, stream, Heard::End(Failure::Unreachable)));
                continue;
            }
            if let Some(subject) = self.tab_mut(tab) {
                subject.hinted = true;
            }
            let delay = self.network.chance.delay(Millis(300 + self.swarm.delay.0));
            self.queue.after(delay, Event::Heard(tab, stream, Heard::Hint));
        }
    }
}

fn line(output: &Output) -> String {
    match output {
        Output::Push(batch) => {
            let mutations = batch.mutations.iter().map(|text| format!("\n              {}", text.text()));
            format!(
                "{} mutations, settled {:?}, void {:?}{}",
                batch.mutations.len(),
                batch.settled,
                batch.void,
                mutations.collect::<String>()
            )
        }
        Output::Pull(cursor) => format!("pull {cursor:?}"),
        _ => "a question to the app".to_owned(),
    }
}

/// What a device has put into a batch.
fn read(batch: &Batch) -> Vec<Mutation> {
    let mutation = |text: &Json| serde_json::from_str(text.text()).expect("BUG: a device sends nonsense");
    batch.mutations.iter().map(mutation).collect()
}
