//! The least that judging costs: the real decision over maps, fed without devices, disks, network or checkers.

use landfall_core::clock::Stamp;
use landfall_core::conflict::Policy;
use landfall_core::id::{MutationId, Version, Writer};
use landfall_core::json::Json;
use landfall_core::mutation::{Change, Field, Mutation, Op};
use landfall_core::stored;
use landfall_core::time::Millis;
use landfall_core::wire::{Batch, PROTOCOL};
use landfall_sim::chance::Chance;
use landfall_sim::mark::Marks;
use landfall_sim::person::Person;
use landfall_sim::server::Server;
use landfall_sim::tab::key;
use landfall_sim::world::START;

use crate::busy::Busy;

/// As many as a device sends at once.
const BATCH: u64 = 100;

/// Mutations in a second, of one writer who writes to as many documents as a batch has.
pub(crate) fn rate(batches: u64) -> f64 {
    let (mut server, mut marks) =
        (Server::new(1, 1, 1_000, Policy::LastWriteWins, Chance::new(0, 0)), Marks::default());
    let (caller, begun) = (Person::alone(), Busy::now());
    for at in 0..batches {
        let now = START.after(Millis(at));
        let mutations = (1..=BATCH).map(|place| {
            let mutation = mutation(at, place, Stamp::at(now, Writer(1)));
            Json::parse(&stored::write(&mutation)).expect("BUG: a mutation that is not JSON")
        });
        let batch = Batch {
            protocol: PROTOCOL,
            client: "floor".parse().expect("BUG: a name that is none"),
            user: caller.user.clone(),
            sent_at: now,
            // As a device does that has stored its verdicts: without that, a writer has to wait.
            settled: (at > 0).then_some((Writer(1), vec![(1, at * BATCH)])).into_iter().collect(),
            void: vec![],
            device: None,
            mutations: mutations.collect(),
        };
        server.push(&caller, &batch, now, &mut marks).expect("BUG: a server without faults refuses a batch");
    }
    server.judged as f64 / begun.seconds().max(1e-9)
}

fn mutation(at: u64, place: u64, stamp: Stamp) -> Mutation {
    let key = key(&format!("d{place}"));
    let id = |at: u64| MutationId { writer: Writer(1), n: at * BATCH + place };
    let value = Json::parse(&id(at).n.to_string()).expect("BUG: a number is JSON");
    Mutation {
        id: id(at),
        group: None,
        replaces: None,
        needs: vec![],
        first_sent_at: None,
        collection: key.collection,
        document: key.document,
        op: if at == 0 { Op::Create } else { Op::Patch },
        fields: vec![Field { path: "/f".parse().expect("BUG: a path"), change: Change::Set(value) }],
        base: Version(at),
        after: at.checked_sub(1).map(id),
        stamp,
        schema: 1,
    }
}
