//! Several servers on one database: whoever reads, wherever, skips nothing and gets nothing twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use futures_util::future::{join, join_all};
use landfall_server::Config;
use serde_json::json;

use crate::database::{Database, connect};
use crate::harness::{Device, Server};

const NODES: usize = 4;
const WRITERS: u64 = 64;
const PUSHES: u64 = 4;
/// Half of all writers are of the first one.
const TENANTS: [&str; 4] = ["hot", "north", "south", "west"];

fn tenant(writer: u64) -> &'static str {
    TENANTS[if writer.is_multiple_of(2) { 0 } else { 1 + (writer / 2) as usize % 3 }]
}

/// Documents that one writer makes: in its `n`th push one or two, so that a page may cut a commit.
fn documents(writer: u64, n: u64) -> Vec<String> {
    (0..=n % 2).map(|part| format!("w{writer:02}-{n}-{part}")).collect()
}

/// Pushes until it is in; on another server each time.
async fn write(nodes: &[Server], writer: u64) {
    let device = Device::of("ada", 100 + writer).tenant(tenant(writer));
    let mut number = 0;
    for n in 0..PUSHES {
        let create = documents(writer, n).into_iter().map(|id| {
            number += 1;
            device.create(number, &id, &json!({}))
        });
        let create: Vec<_> = create.collect();
        let mut node = (writer + n) as usize;
        loop {
            let answer = nodes[node % NODES].push(&device, &create).await;
            match answer.status {
                StatusCode::SERVICE_UNAVAILABLE => node += 1,
                _ => break assert!(answer.batch().results.iter().all(|result| result.code.is_none())),
            }
        }
    }
}

/// Pulls small pages, each from another server, until nothing more will come. Gives what came, in order.
async fn read(nodes: &[Server], reader: usize, tenant: &str, writing: &AtomicUsize) -> Vec<String> {
    let device = Device::of("ada", 1_000 + reader as u64).tenant(tenant);
    let (mut seen, mut cursor, mut head) = (Vec::new(), String::new(), 0);
    for page in reader.. {
        let all_are_in = writing.load(Ordering::SeqCst) == 0;
        let limit = 1 + page % 5;
        let page = nodes[page % NODES].pull(&device, &format!("cursor={cursor}&limit={limit}")).await.page();
        assert_eq!(page.reset, None);
        assert!(page.position.0 >= head, "the head went back from {head} to {:?}", page.position);
        head = page.position.0;
        seen.extend(page.changes.iter().map(|change| change.document.to_string()));
        cursor.clone_from(&page.cursor);
        if all_are_in && !page.more {
            break;
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_on_four_servers_and_no_reader_skips_a_row_or_sees_one_twice() {
    let mut nodes = vec![Server::start().await];
    for _ in 1..NODES {
        nodes.push(nodes[0].beside(Config::demo()).await);
    }
    let mut open = Vec::new();
    if let Database::Postgres(name) = &*nodes[0].database {
        // Commits come through in another order than their transactions began, and take their time.
        let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
            PERFORM pg_sleep(random() * 0.02); RETURN NULL; END $$; \
            CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON commits DEFERRABLE INITIALLY DEFERRED \
            FOR EACH ROW EXECUTE FUNCTION slow()";
        nodes[0].database.change(slow).await;
        // A transaction that began before all of them and ends after them.
        let long = connect(name).await;
        long.batch_execute("BEGIN; CREATE TABLE beside (n BIGINT)").await.unwrap();
        open.push(long);
    }
    let first = TENANTS[0].parse().unwrap();
    let _long = nodes[1].app.store.snapshot(&first).await.unwrap();

    let writing = AtomicUsize::new(WRITERS as usize);
    let writers = (0..WRITERS).map(async |writer| {
        write(&nodes, writer).await;
        writing.fetch_sub(1, Ordering::SeqCst);
    });
    let readers = (0..TENANTS.len() * 3).map(async |reader| {
        let tenant = TENANTS[reader % TENANTS.len()];
        (tenant, read(&nodes, reader, tenant, &writing).await)
    });
    let (_, read) = join(join_all(writers), join_all(readers)).await;
    for (of, seen) in read {
        let mine = (0..WRITERS).filter(|writer| tenant(*writer) == of);
        let all: BTreeSet<_> =
            mine.flat_map(|writer| (0..PUSHES).flat_map(move |n| documents(writer, n))).collect();
        assert_eq!(seen.len(), all.len(), "of {of}, some came twice or not at all");
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_batches_over_the_same_documents_on_four_servers_are_all_answered() {
    let mut nodes = vec![Server::start().await];
    for _ in 1..NODES {
        nodes.push(nodes[0].beside(Config::demo()).await);
    }
    let batches = (0..100u64).map(async |number| {
        // Each tenant's batches name the same documents, in an order of their own; devices change their servers.
        let device = Device::of("ada", number).tenant(TENANTS[number as usize % 2]);
        let document = |n: u64| format!("d{}", (n * 7 + number) % 10);
        let creates: Vec<_> =
            (0..10).map(|n| device.create(n + 1, &document(n), &json!({ "n": number }))).collect();
        let replies = nodes.iter().map(|node| node.push(&device, &creates));
        for answer in join_all(replies).await {
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert!(answer.batch().results.iter().all(|result| result.code.is_none()));
        }
    });
    join_all(batches).await;
    let accepted = nodes[0].rows("SELECT COUNT(*) FROM history").await;
    assert_eq!(accepted, 1_000, "each was applied once");
}
