//! Somebody with a token of their own and no core of ours, who wants to know or break what they should not.
//!
//! They are told more than anybody could find out: names of documents, mutations, writers and installations, cursors and
//! whole batches of others. All the same they get the codes of PROTOCOL.md, and nothing that others have changes.

use landfall_core::client::Failure;
use landfall_core::clock::Stamp;
use landfall_core::code::{Class, Code};
use landfall_core::id::{Client, DocumentKey, MutationId, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field, Mutation, Op};
use landfall_core::stored;
use landfall_core::time::{Millis, WallTime};
use landfall_core::wire::{Batch, BatchReply, PROTOCOL, PullReply, PushResult, SETTLED_MAX, Verdict};

use crate::chance::Chance;
use crate::check::{Invariant, sight};
use crate::mark::Mark;
use crate::person::PersonId;
use crate::queue::Event;
use crate::tab::job;
use crate::world::World;

/// As large as an `n` can be.
const LAST: u64 = (1 << 53) - 1;
/// What is no mutation.
const NONSENSE: [&str; 8] = [
    "null",
    "[]",
    "{}",
    r#""text""#,
    r#"{"id":"x:1"}"#,
    r#"{"id":null,"op":"patch"}"#,
    r#"{"id":"00000000000000000000000000000bad:0","op":"create","fields":[]}"#,
    r#"{"id":"00000000000000000000000000000bad:1","op":"explode","collection":"notes","document":"d0","fields":[],"stamp":"soon"}"#,
];

/// Somebody hostile.
#[derive(Debug)]
pub struct Hostile {
    person: PersonId,
    writer: Writer,
    client: Client,
    n: u64,
    chance: Chance,
    /// The last batch that somebody else had judged.
    overheard: Option<Batch>,
}

impl Hostile {
    /// Somebody who has not tried anything yet.
    pub fn new(person: PersonId, chance: Chance) -> Hostile {
        let client = "hostile".parse().expect("BUG: a name that is none");
        Hostile { person, writer: Writer(0xbad), client, n: 0, chance, overheard: None }
    }

    /// A batch of somebody else has been judged.
    pub fn overhears(&mut self, batch: &Batch) {
        self.overheard = Some(batch.clone());
    }

    fn id(&mut self) -> MutationId {
        self.n += 1;
        MutationId { writer: self.writer, n: self.n }
    }
}

/// What a refusal is called, where it is one.
fn code(reply: &Result<BatchReply, Failure>) -> Option<&str> {
    reply.as_ref().err().map(Failure::code)
}

impl World {
    /// They try something, and will try something else.
    pub fn attack(&mut self) {
        let Some(mut hostile) = self.hostile.take().filter(|_| !self.healed) else { return };
        let tenant = self.people[hostile.person].tenant;
        let ids = self.server.store(tenant).receipts.keys().filter(|id| id.writer != hostile.writer);
        let ids: Vec<MutationId> = ids.copied().collect();
        let id = (!ids.is_empty()).then(|| hostile.chance.of(&ids));
        match (hostile.chance.below(10), id) {
            (0, Some(id)) => self.use_writer(&mut hostile, id),
            (1, Some(id)) => self.settle_of(&mut hostile, id),
            (2, Some(id)) => self.void_of(&mut hostile, id),
            (3, Some(id)) => self.build_on(&mut hostile, id),
            (4, _) => self.use_client(&mut hostile),
            (5, _) => self.replay(&mut hostile),
            (6, _) => self.talk_nonsense(&mut hostile),
            (7, _) => self.write_in_future(&mut hostile),
            (8, _) => self.use_cursors(&mut hostile),
            (_, _) => self.guess(&mut hostile),
        }
        let pace = Millis(hostile.chance.between(20, 3_000));
        self.hostile = Some(hostile);
        self.queue.after(pace, Event::Hostile);
    }

    fn batch_of(&mut self, hostile: &Hostile, mutations: &[Mutation]) -> Batch {
        let text =
            |mutation| Json::parse(&stored::write(mutation)).expect("BUG: a mutation that is not JSON");
        Batch {
            protocol: PROTOCOL,
            client: hostile.client.clone(),
            user: self.people[hostile.person].user.clone(),
            sent_at: self.queue.now,
            settled: Default::default(),
            void: vec![],
            device: None,
            mutations: mutations.iter().map(text).collect(),
        }
    }

    fn send_as(&mut self, hostile: &Hostile, batch: &Batch) -> Result<BatchReply, Failure> {
        let now = self.server.clock(0, self.queue.now);
        let (reply, commits) = self.judge(hostile.person, batch, now);
        if commits {
            self.announce(self.people[hostile.person].tenant);
        }
        reply
    }

    /// All of a batch is refused with this code, and nothing has changed.
    fn refused(&mut self, mark: Mark, hostile: &Hostile, batch: &Batch, wanted: Code) {
        let before = self.kept_by_server();
        let reply = self.send_as(hostile, batch);
        self.marks.hit(mark);
        if code(&reply) != Some(wanted.as_str()) || before != self.kept_by_server() {
            let what = format!("{mark:?} got {reply:?} and not {wanted}, or has changed something");
            self.violate(Invariant::I12, what);
        }
    }

    fn kept_by_server(&self) -> Vec<[usize; 4]> {
        let stores = self.server.data.stores.iter();
        let counts = stores.map(|store| {
            [store.position.0 as usize, store.receipts.len(), store.open.len(), store.runs.len()]
        });
        counts.collect()
    }

    /// A write of theirs, of a value that others know once they see it.
    fn write_of(&mut self, hostile: &mut Hostile, key: DocumentKey, op: Op) -> Mutation {
        let value = self.fresh();
        let person = &self.people[hostile.person];
        self.witness.known.entry(person.id).or_default().insert(value);
        self.witness.fickle.insert(value);
        let set = |path: &str, text: &str| Field {
            path: path.parse().expect("BUG: a path"),
            change: Change::Set(Json::parse(text).expect("BUG: JSON")),
        };
        let mut fields = vec![];
        if op != Op::Delete {
            fields.push(set("/f", &value.to_string()));
            fields.push(set("/owner", &format!("\"{}\"", person.user)));
        }
        Mutation {
            id: hostile.id(),
            group: None,
            replaces: None,
            needs: vec![],
            first_sent_at: None,
            collection: key.collection,
            document: key.document,
            op,
            fields,
            base: Version(0),
            after: None,
            stamp: Stamp::at(self.queue.now, hostile.writer),
            schema: 1,
        }
    }

    fn own_job(&mut self, hostile: &mut Hostile) -> Mutation {
        let key = job(&format!("h-{}", hostile.n));
        self.write_of(hostile, key, Op::Create)
    }

    /// A document of somebody else, and one that is not there, are asked for in the same way.
    fn guess(&mut self, hostile: &mut Hostile) {
        let person = self.people[hostile.person].clone();
        let documents = self.server.store(person.tenant).documents.iter();
        let unseen = documents.filter(|(key, row)| !sight::may_see(&person, key, &row.data));
        let unseen: Vec<DocumentKey> = unseen.map(|(key, _)| key.clone()).collect();
        if unseen.is_empty() {
            return;
        }
        let key = unseen[hostile.chance.below(unseen.len())].clone();
        let op = hostile.chance.of(&[Op::Patch, Op::Patch, Op::Delete]);
        let mut ours = self.write_of(hostile, key, op);
        ours.base = Version(hostile.chance.of(&[0, 1, 1 << 50]));
        let ago = Millis(hostile.chance.of(&[0, 0, 1_000, 60_000, 3_600_000]));
        ours.stamp = Stamp::at(WallTime(self.queue.now.0 - ago.0), hostile.writer);
        if hostile.chance.one_in(6) {
            ours.fields.iter_mut().for_each(|field| field.path = "/_f".parse().expect("BUG: a path"));
        }
        let nowhere = job(&format!("nowhere-{}", hostile.n)).document;
        let other = Mutation { id: hostile.id(), document: nowhere, ..ours.clone() };
        let batch = self.batch_of(hostile, &[ours, other]);
        self.marks.hit(Mark::HostileGuess);
        let Ok(reply) = self.send_as(hostile, &batch) else { return };
        let told = |result: &PushResult| PushResult { id: None, ..result.clone() };
        if told(&reply.results[0]) != told(&reply.results[1]) {
            self.violate(Invariant::I12, format!("what is there is told from what is not: {reply:?}"));
        }
    }

    fn use_writer(&mut self, hostile: &mut Hostile, id: MutationId) {
        let mut mutation = self.own_job(hostile);
        mutation.id = MutationId { writer: id.writer, n: LAST - hostile.n };
        let batch = self.batch_of(hostile, &[mutation]);
        self.refused(Mark::HostileWriter, hostile, &batch, Code::WriterMismatch);
    }

    fn use_client(&mut self, hostile: &mut Hostile) {
        let clients = &self.server.data.clients;
        let Some(client) = clients.keys().find(|client| **client != hostile.client).cloned() else { return };
        let batch = self.batch_of(hostile, &[]);
        self.refused(Mark::HostileClient, hostile, &Batch { client, ..batch }, Code::WriterMismatch);
    }

    /// What others have stored stays as it is; of their own writer nothing is there to be forgotten.
    fn settle_of(&mut self, hostile: &mut Hostile, id: MutationId) {
        let batch = self.batch_of(hostile, &[]);
        let of = |writer: Writer, ranges: Vec<(u64, u64)>| Batch {
            settled: [(writer, ranges)].into_iter().collect(),
            ..batch.clone()
        };
        let huge = of(hostile.writer, vec![(1, LAST)]);
        if self.send_as(hostile, &huge).is_err() {
            self.violate(Invariant::I12, "what is settled of one's own is refused".to_owned());
        }
        for (batch, code) in [
            (of(id.writer, vec![(1, LAST)]), Code::WriterMismatch),
            (of(hostile.writer, vec![(5, 1)]), Code::InvalidRequest),
            (of(hostile.writer, vec![(1, LAST + 1)]), Code::InvalidRequest),
            (of(hostile.writer, vec![(1, 1); SETTLED_MAX + 1]), Code::BatchTooLarge),
        ] {
            self.refused(Mark::HostileSettled, hostile, &batch, code);
        }
    }

    fn void_of(&mut self, hostile: &mut Hostile, id: MutationId) {
        let batch = self.batch_of(hostile, &[]);
        // One that is in, and one that may come yet.
        for n in [id.n, id.n + 1] {
            let void = vec![MutationId { n, ..id }];
            self.refused(Mark::HostileVoid, hostile, &Batch { void, ..batch.clone() }, Code::WriterMismatch);
        }
    }

    fn build_on(&mut self, hostile: &mut Hostile, id: MutationId) {
        let mut mutation = self.own_job(hostile);
        if hostile.chance.one_in(2) {
            mutation.needs = vec![id];
        } else {
            mutation.after = Some(id);
        }
        let batch = self.batch_of(hostile, &[mutation]);
        self.refused(Mark::HostileNeeds, hostile, &batch, Code::WriterMismatch);
    }

    /// Once as it was, and once in their own name. A backup may know nothing of whose it is.
    fn replay(&mut self, hostile: &mut Hostile) {
        let Some(batch) = hostile.overheard.clone() else { return };
        if !self.server.data.clients.contains_key(&batch.client) {
            return;
        }
        self.refused(Mark::HostileReplay, hostile, &batch, Code::UserMismatch);
        let user = self.people[hostile.person].user.clone();
        self.refused(
            Mark::HostileReplay,
            hostile,
            &Batch { user: user.clone(), ..batch.clone() },
            Code::WriterMismatch,
        );
        let read = |text: &Json| serde_json::from_str::<Mutation>(text.text()).ok();
        let writers = batch.mutations.iter().filter_map(read).map(|mutation| mutation.id.writer);
        let owners = &self.server.data.owners;
        if writers.clone().next().is_some() && writers.clone().all(|writer| owners.contains_key(&writer)) {
            let batch = Batch { user, client: hostile.client.clone(), ..batch };
            self.refused(Mark::HostileReplay, hostile, &batch, Code::WriterMismatch);
        }
    }

    fn talk_nonsense(&mut self, hostile: &mut Hostile) {
        let mut batch = self.batch_of(hostile, &[]);
        let of = |text: &&str| Json::parse(text).expect("BUG: JSON");
        batch.mutations = NONSENSE.iter().map(of).collect();
        let before = self.server.store(self.people[hostile.person].tenant).position;
        let reply = self.send_as(hostile, &batch);
        self.marks.hit(Mark::HostileNonsense);
        let is_refused = |result: &PushResult| {
            let known = Code::ALL.iter().find(|code| Some(code.as_str()) == result.code.as_deref());
            result.verdict == Verdict::Rejected && known.is_some_and(|code| code.class() == Class::Definite)
        };
        let after = self.server.store(self.people[hostile.person].tenant).position;
        let fine = reply
            .as_ref()
            .is_ok_and(|reply| reply.results.len() == NONSENSE.len() && reply.results.iter().all(is_refused));
        if !fine || before != after {
            self.violate(Invariant::I12, format!("nonsense is answered with {reply:?}"));
        }
    }

    fn write_in_future(&mut self, hostile: &mut Hostile) {
        let mut mutation = self.own_job(hostile);
        mutation.stamp = Stamp::at(WallTime(253_402_300_799_000), hostile.writer);
        let batch = self.batch_of(hostile, &[mutation]);
        let reply = self.send_as(hostile, &batch);
        self.marks.hit(Mark::HostileFuture);
        let bound = self.server.latest.after(landfall_core::authority::FUTURE_MAX).after(Millis(1));
        let ahead = |result: &PushResult| result.stamp.is_some_and(|stamp| stamp.wall() > bound);
        if reply.as_ref().is_ok_and(|reply| reply.results.iter().any(ahead)) {
            self.violate(Invariant::I7, format!("a stamp far ahead is taken: {reply:?}"));
        }
    }

    /// Cursors that are none, and those of others.
    fn use_cursors(&mut self, hostile: &mut Hostile) {
        let (now, me) = (self.server.clock(0, self.queue.now), self.people[hostile.person].clone());
        let other = self.people[hostile.chance.below(self.swarm.people)].clone();
        let marks = &mut self.marks;
        marks.hit(Mark::HostileCursor);
        let mut ask = |as_whom, user, cursor: &str| self.server.pull(as_whom, user, Some(cursor), now, marks);
        let Ok(PullReply { cursor: theirs, .. }) = ask(&other, &other.user, "") else { return };
        let wanted = |code: Code| Some(code.as_str().to_owned());
        let told = |reply: &Result<PullReply, Failure>| reply.as_ref().err().map(|one| one.code().to_owned());
        let forged = format!("1{theirs}");
        let answers = [
            (told(&ask(&me, &me.user, &forged)), wanted(Code::InvalidCursor)),
            (told(&ask(&me, &me.user, "nothing of the kind")), wanted(Code::InvalidCursor)),
            (told(&ask(&me, &other.user, &theirs)), wanted(Code::UserMismatch)),
        ];
        let reply = ask(&me, &me.user, &theirs);
        let crossed = other.tenant != me.tenant;
        let foreign = crossed.then(|| (told(&reply), wanted(Code::TenantMismatch)));
        let wrong = answers.into_iter().chain(foreign).find(|(told, wanted)| told != wanted);
        if let Ok(reply) = &reply {
            sight::delivered(self, me.id, reply);
        }
        if let Some(wrong) = wrong {
            self.violate(Invariant::I12, format!("a cursor is answered with {wrong:?}"));
        }
    }
}
