//! What only PostgreSQL can do to a server, and all other tests once more on it.

use std::process::Command;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::{join, join_all};
use landfall_server::{Config, Store};
use serde_json::json;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::cluster;
use crate::database::{Database, connect};
use crate::harness::{Device, Server, verdicts};
use crate::live::{HINT, Live};
use crate::migration::{FIFTH, SECOND};

/// For what comes at once, or never.
const PATIENCE: Duration = Duration::from_secs(20);

async fn server() -> (Server, Client) {
    let database = Database::postgres().await;
    let Database::Postgres(name) = &database else { unreachable!() };
    let client = connect(name).await;
    (Server::on(database, Config::demo()).await, client)
}

/// Waits until as many of the server's statements wait for a lock.
async fn until_waiting(client: &Client, many: i64) {
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND application_name = 'landfall' AND wait_event_type = 'Lock'";
    while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < many {}
}

/// Ends every connection that the server has.
async fn cut(client: &Client) {
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'landfall'";
    client.query(cut, &[]).await.unwrap();
}

#[test]
fn everything_that_holds_on_sqlite_holds_on_postgresql() {
    let mut all = Command::new(std::env::current_exe().unwrap());
    all.env(cluster::VARIABLE, cluster::socket()).args(["--skip", "postgres::", "--skip", "conformance::"]);
    let output = all.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn servers_that_start_at_once_on_an_empty_database_make_its_tables_once() {
    let database = Database::postgres().await;
    let url = database.url();
    let stores = join_all((0..6).map(|_| Store::open(&url))).await;
    let keys: Vec<_> = stores.iter().map(|store| store.as_ref().unwrap().cursor_key().to_vec()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "cursors of one are no cursors of another");
}

#[tokio::test]
async fn a_server_that_is_lost_in_the_middle_of_a_migration_leaves_it_to_the_next_one() {
    let (server, client) = server().await;
    let Database::Postgres(name) = &*server.database else { unreachable!() };
    server.app.store.close().await;
    server.database.change(&[FIFTH, SECOND].concat()).await;
    server.database.mark(2).await;
    let mut other = connect(name).await;
    // The last step changes this table; the one before it is done by then.
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE history IN ACCESS SHARE MODE").await.unwrap();
    let url = server.database.url();
    let lose = async {
        until_waiting(&client, 1).await;
        cut(&client).await;
    };
    let (opened, ()) = join(Store::open(&url), lose).await;
    assert!(opened.is_err());
    assert!(!server.database.has("earlier").await, "half a migration is in");
    tx.rollback().await.unwrap();
    let server = server.restart().await;
    assert!(server.database.has("earlier").await && server.database.has("settled").await);
}

#[tokio::test]
async fn text_is_compared_byte_by_byte_whatever_the_language_of_the_database() {
    let (server, _) = server().await;
    let others = "SELECT table_name, column_name FROM information_schema.columns \
        WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'";
    let others = others.replace("table_name, column_name", "table_name::text, column_name::text");
    assert!(server.database.read(&others).await.is_empty());
}

#[tokio::test]
async fn a_database_that_forgets_is_refused() {
    let database = Database::postgres().await;
    let Database::Postgres(name) = &database else { unreachable!() };
    database.change(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    let refused = Store::open(&database.url()).await.unwrap_err().to_string();
    assert!(refused.contains("synchronous_commit is `off` instead of `on`"), "{refused}");
}

#[tokio::test]
async fn a_push_in_the_way_of_another_is_tried_again_and_not_for_ever() {
    let (server, client) = server().await;
    let fail = "CREATE SEQUENCE tries; \
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; \
        RETURN NEW; END $$; \
        CREATE TRIGGER fail BEFORE INSERT ON documents FOR EACH ROW EXECUTE FUNCTION fail()";
    client.batch_execute(fail).await.unwrap();
    let ada = Device::of("ada", 1);
    let create = [ada.create(1, "d", &json!({}))];
    let reply = server.push(&ada, &create).await.batch();
    assert_eq!(verdicts(&reply), ["applied"]);
    assert_eq!(reply.results[0].position.0, 1, "attempts that failed left nothing");

    client.batch_execute("ALTER SEQUENCE tries MAXVALUE 2 CYCLE RESTART WITH 1").await.unwrap();
    let answer = server.push(&ada, &[ada.create(2, "e", &json!({}))]).await;
    assert_eq!(
        (answer.status, answer.refused_with().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    );
    assert!(answer.headers.contains_key("retry-after"));
    client.batch_execute("DROP TRIGGER fail ON documents").await.unwrap();
    let reply = server.push(&ada, &[ada.create(2, "e", &json!({}))]).await.batch();
    assert_eq!((verdicts(&reply), reply.results[0].duplicate), (vec!["applied".to_owned()], false));
}

#[tokio::test]
async fn a_deadlock_costs_nobody_anything() {
    let database = Database::postgres().await;
    let Database::Postgres(name) = &database else { unreachable!() };
    // Time enough for both to wait for each other.
    database.change(&format!("ALTER DATABASE {name} SET deadlock_timeout = '3s'")).await;
    let (mut other, watcher) = (connect(name).await, connect(name).await);
    let server = Server::on(Database::Postgres(name.clone()), Config::demo()).await;
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    // Who waits first finds out first, and is the one to give way: never this one.
    other.batch_execute("SET deadlock_timeout = '1h'").await.unwrap();
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("UPDATE clients SET last_seen = last_seen WHERE client = 'client-1'").await.unwrap();
    let push = async { server.push(&ada, &[ada.create(2, "e", &json!({}))]).await };
    let cross = async {
        until_waiting(&watcher, 1).await;
        tx.batch_execute("UPDATE tenants SET position = position").await.unwrap();
        tx.commit().await.unwrap();
    };
    let (answer, ()) = join(push, cross).await;
    assert_eq!(verdicts(&answer.batch()), ["applied"]);
    assert_eq!(verdicts(&server.push(&ben, &[ben.create(1, "f", &json!({}))]).await.batch()), ["applied"]);
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_commit_leaves_nothing_and_the_next_push_has_another() {
    let (server, mut other) = server().await;
    let ada = Device::of("ada", 1);
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    let Database::Postgres(name) = &*server.database else { unreachable!() };
    let watcher = connect(name).await;
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("UPDATE clients SET last_seen = last_seen WHERE client = 'client-1'").await.unwrap();
    let create = [ada.create(2, "e", &json!({}))];
    let push = async { server.push(&ada, &create).await };
    let cut = async {
        until_waiting(&watcher, 1).await;
        cut(&watcher).await;
    };
    let (answer, ()) = join(push, cut).await;
    assert_eq!(
        (answer.status, answer.refused_with().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    );
    assert!(answer.headers.contains_key("retry-after"));
    tx.rollback().await.unwrap();
    let reply = server.push(&ada, &create).await.batch();
    assert_eq!((verdicts(&reply), reply.results[0].duplicate), (vec!["applied".to_owned()], false));
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 2);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_answered_by_the_resend() {
    let database = Database::postgres().await;
    let Database::Postgres(name) = &database else { unreachable!() };
    // A commit waits for this inside PostgreSQL, right before it would be done.
    let wait = "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$";
    let (watcher, mut other) = (connect(name).await, connect(name).await);
    let server = Server::on(Database::Postgres(name.clone()), Config::demo()).await;
    watcher.batch_execute(wait).await.unwrap();
    let trigger = "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON documents DEFERRABLE INITIALLY DEFERRED \
        FOR EACH ROW EXECUTE FUNCTION wait()";
    watcher.batch_execute(trigger).await.unwrap();
    let ada = Device::of("ada", 1);
    let create = [ada.create(1, "d", &json!({}))];
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("SELECT pg_advisory_xact_lock(1)").await.unwrap();
    let push = async { server.push(&ada, &create).await };
    let lose = async {
        until_waiting(&watcher, 1).await;
        cut(&watcher).await;
    };
    let (answer, ()) = join(push, lose).await;
    assert_eq!(
        answer.refused_with(),
        "unavailable",
        "whether it is in, nobody can say: so there is no verdict"
    );
    tx.rollback().await.unwrap();
    for duplicate in [false, true] {
        let reply = server.push(&ada, &create).await.batch();
        assert_eq!((verdicts(&reply), reply.results[0].duplicate), (vec!["applied".to_owned()], duplicate));
    }
    assert_eq!(server.rows("SELECT COUNT(*) FROM history").await, 1);
}

#[tokio::test]
async fn a_commit_on_one_server_is_a_hint_on_another() {
    let (server, _) = server().await;
    let other = server.beside(Config::demo()).await;
    let ada = Device::of("ada", 1);
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    let mut live = Live::of(&other, &ada).await;
    server.push(&ada, &[ada.create(2, "e", &json!({}))]).await.batch();
    assert_eq!(live.next().await.as_deref(), Some(HINT));
}

/// Holds the counter of the tenant, so that whoever pushes waits, until `many` requests are on their way.
async fn at_once<T>(server: &Server, client: &mut Client, requests: Vec<impl Future<Output = T>>) -> Vec<T> {
    let Database::Postgres(name) = &*server.database else { unreachable!() };
    let watcher = connect(name).await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("UPDATE tenants SET position = position").await.unwrap();
    let release = async {
        until_waiting(&watcher, 1).await;
        tx.commit().await.unwrap();
    };
    join(join_all(requests), release).await.0
}

#[tokio::test]
async fn pushes_that_would_wait_for_each_other_are_one_commit() {
    let (server, mut client) = server().await;
    let ada = Device::of("ada", 1);
    server.push(&ada, &[ada.create(1, "d1", &json!({}))]).await.batch();
    let creates: Vec<_> = (2..22).map(|n| [ada.create(n, &format!("d{n}"), &json!({}))]).collect();
    let answers =
        at_once(&server, &mut client, creates.iter().map(|create| server.push(&ada, create)).collect());
    let mut positions: Vec<_> =
        answers.await.iter().map(|answer| answer.batch().results[0].position.0).collect();
    positions.sort_unstable();
    assert_eq!(positions, (2..22).collect::<Vec<_>>(), "each has a position of its own");
    assert_eq!(server.rows("SELECT COUNT(DISTINCT xmin::text) FROM commits WHERE position > 1").await, 1);
    assert_eq!(server.pull_all(&ada, "", 3).await.iter().flat_map(|page| &page.changes).count(), 21);
}

#[tokio::test]
async fn a_push_that_fails_takes_nobody_with_it() {
    let (server, mut client) = server().await;
    let (ada, mut eve) = (Device::of("ada", 1), Device::of("eve", 2));
    // What is hers is refused, and what is his the database does not take.
    eve.writer.clone_from(&ada.writer);
    let fail = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        IF NEW.document = 'bad' THEN RAISE EXCEPTION 'no' USING ERRCODE = '22000'; END IF; \
        RETURN NEW; END $$; \
        CREATE TRIGGER fail BEFORE INSERT ON documents FOR EACH ROW EXECUTE FUNCTION fail()";
    client.batch_execute(fail).await.unwrap();
    server.push(&ada, &[ada.create(1, "d1", &json!({}))]).await.batch();
    let creates: Vec<_> = (2..22)
        .map(|n| match n {
            7 => (&eve, [eve.create(n, "d7", &json!({}))]),
            14 => (&ada, [ada.create(n, "bad", &json!({}))]),
            _ => (&ada, [ada.create(n, &format!("d{n}"), &json!({}))]),
        })
        .collect();
    let answers = at_once(
        &server,
        &mut client,
        creates.iter().map(|(device, create)| server.push(device, create)).collect(),
    );
    let answers = answers.await;
    for (n, answer) in (2..).zip(&answers) {
        match n {
            7 => assert_eq!(answer.refused_with(), "writer_mismatch"),
            14 => assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR),
            _ => assert_eq!(
                (verdicts(&answer.batch()), answer.batch().results[0].duplicate),
                (vec!["applied".to_owned()], false)
            ),
        }
    }
    assert_eq!(server.rows("SELECT position FROM tenants").await, 19, "what failed took no position");
    assert_eq!(server.pull(&ada, "").await.page().changes.len(), 19);
}

#[tokio::test]
async fn a_push_comes_to_its_end_though_whoever_sent_it_has_gone() {
    let (server, mut client) = server().await;
    let ada = Device::of("ada", 1);
    server.push(&ada, &[ada.create(1, "d1", &json!({}))]).await.batch();
    let creates: Vec<_> = (2..6).map(|n| [ada.create(n, &format!("d{n}"), &json!({}))]).collect();
    let gone = creates.iter().map(|create| async {
        tokio::select! {
            biased;
            answer = server.push(&ada, create) => Some(answer),
            () = tokio::task::yield_now() => None,
        }
    });
    let answers = at_once(&server, &mut client, gone.collect()).await;
    assert!(answers.iter().all(Option::is_none));
    for (n, create) in (2..).zip(&creates) {
        let reply = server.push(&ada, create).await.batch();
        assert_eq!((n, reply.results[0].duplicate), (n, true));
    }
}

#[tokio::test]
async fn what_a_server_commits_it_says_and_what_others_say_it_hears() {
    let (server, client) = server().await;
    let Database::Postgres(name) = &*server.database else { unreachable!() };
    let ada = Device::of("ada", 1);
    // Nothing is committed at this position, so no look at the database can find it.
    let mut live = Live::of(&server, &ada).await;
    client.batch_execute("NOTIFY landfall, '7 default'").await.unwrap();
    let hint = tokio::time::timeout(PATIENCE, live.next()).await;
    assert_eq!(hint.expect("nothing is heard").as_deref(), Some(HINT));

    let (client, mut connection) = tokio_postgres::connect(&cluster::address(name), NoTls).await.unwrap();
    let (tell, mut said) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(message) = message {
                tell.send(message.payload().to_owned()).unwrap();
            }
        }
    });
    client.batch_execute("LISTEN landfall").await.unwrap();
    server.push(&ada, &[ada.create(1, "d", &json!({}))]).await.batch();
    let first = tokio::time::timeout(PATIENCE, said.recv()).await;
    assert_eq!(first.expect("nothing is said").as_deref(), Some("1 default"));
}
