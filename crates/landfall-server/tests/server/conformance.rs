//! One history on every database: the same answers, and the same rows in the end.

use landfall_core::id::DocumentKey;
use landfall_core::time::WallTime;
use landfall_server::Config;
use landfall_server::store::Erasure;
use serde_json::{Value, json};

use crate::database::Database;
use crate::harness::{Answer, Device, Server, with};

const RULES: &str = r#"
auditors: '"coordinator" in user.roles'
collections:
  visits:
    fields: { photos: counter, tags: set }
    read: '"coordinator" in user.roles || user.id == "ben" || document.inspector == user.id'
    create: 'true'
    update: 'true'
    delete: 'true'
    rules:
      - { name: named, check: 'has(document.inspector)', field: /inspector, message: Whose is it? }
  forms: { policy: document-last-write-wins, fields: { photos: counter }, read: 'true', create: 'true', update: 'true', delete: 'true' }
  notes: { policy: manual, read: 'true', create: 'true', update: 'true', delete: 'true' }
"#;

/// All tables but `meta`, and each with what orders it. Nonces are random.
const TABLES: [&str; 12] = [
    "SELECT tenant, position, entries FROM tenants ORDER BY tenant",
    "SELECT tenant, position, at FROM commits ORDER BY tenant, position",
    "SELECT * FROM documents ORDER BY tenant, collection, document",
    "SELECT * FROM receipts ORDER BY tenant, writer, n",
    "SELECT * FROM clients ORDER BY tenant, client",
    "SELECT * FROM writers ORDER BY tenant, writer",
    "SELECT * FROM history ORDER BY tenant, collection, document, version",
    "SELECT * FROM conflicts ORDER BY tenant, position, ordinal",
    "SELECT * FROM earlier ORDER BY tenant, collection, document, version",
    "SELECT * FROM settled ORDER BY tenant, writer, first",
    "SELECT * FROM erasures ORDER BY tenant, entry",
    "SELECT * FROM audit ORDER BY tenant, position, ordinal",
];

fn name(query: &'static str) -> &'static str {
    query.split(" FROM ").nth(1).unwrap().split(' ').next().unwrap()
}

/// A moment after all stamps.
fn clock() -> WallTime {
    WallTime(0x0192_f0c1_a2b3 + 60_000)
}

/// What was said so far, without what is random.
struct Heard(Vec<String>);

impl Heard {
    fn hear(&mut self, answer: &Answer) -> Value {
        let value = answer.json();
        let mut shown = value.clone();
        blur(&mut shown);
        self.0.push(format!("{} {shown}", answer.status));
        value
    }
}

/// Blots out what no two runs have alike: epochs, cursors, nonces, ids of requests and writers made by the server.
fn blur(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => *text = blurred(text),
        Value::Array(values) => values.iter_mut().for_each(blur),
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "epoch" | "cursor" | "head" | "requestId" if !value.is_null() => *value = "random".into(),
                    _ => blur(value),
                }
            }
        }
    }
}

/// A text with every run of 16 or 32 hex digits that is no device's writer blotted out.
fn blurred(text: &str) -> String {
    let mut parts = Vec::new();
    for part in text.split_inclusive(|letter: char| !letter.is_ascii_hexdigit()) {
        let digits = part.trim_end_matches(|letter: char| !letter.is_ascii_hexdigit());
        let random = (digits.len() == 16 || digits.len() == 32) && !digits.starts_with("0000");
        parts.push(if random { part.replace(digits, "random") } else { part.to_owned() });
    }
    parts.concat()
}

/// Lives through the history; gives what was said and what is left.
async fn live_through(database: Database) -> (Vec<String>, Vec<String>) {
    let mut server = Server::on(database, Config::parse(RULES, "landfall.yaml").unwrap()).await;
    server.app.clock = clock;
    server.pace(|_| ());
    let mut heard = Heard(Vec::new());
    let (ada, ben) = (Device::of("ada", 1), Device::of("ben", 2));
    let cora = Device::of("cora", 3).role("coordinator");
    let north = Device::of("nora", 4).tenant("north").role("coordinator");

    // Names that languages sort in other ways, and text that not every database takes.
    let ids = ["b", "B", "a", "Ä", "ä", "z", "Z", "_", "10", "9", "é", "e\u{301}", "🏠"];
    let texts = ["plain", "nul \u{0} inside", "'; DROP TABLE documents; --", "\u{fffe}\u{10ffff}", "\\u0000"];
    let creates: Vec<Value> = (1..)
        .zip(ids)
        .map(|(n, id)| {
            ada.create(n, id, &json!({ "inspector": "ada", "notes": texts[n as usize % 5], "photos": 1 }))
        })
        .collect();
    heard.hear(&server.push(&ada, &creates).await);
    heard.hear(&server.push(&ada, &creates[..4]).await);
    heard.hear(&server.push(&north, &[north.create(1, "b", &json!({ "inspector": "nora" }))]).await);
    heard.hear(
        &server.push(&north, &[with(creates[0].clone(), "id", json!(format!("{}:2", ada.writer)))]).await,
    );
    let before = heard.hear(&server.pull(&ada, "").await);

    // Merges, conflicts, a counter, a set, a key with a NUL in it, a refusal, a group, a delete and what revives it.
    let fields = vec![
        json!({ "path": "/photos", "op": "increment", "value": 2 }),
        json!({ "path": "/tags", "op": "add", "value": "nul \u{0} inside" }),
        json!({ "path": "/odd \u{0} key", "op": "set", "value": 1 }),
    ];
    heard.hear(&server.push(&ben, &[ben.mutation("visits", 1, "a", "patch", fields, 1)]).await);
    heard.hear(&server.push(&ada, &[ada.patch(20, "a", 1, "/odd \u{0} key", &json!("x"))]).await);
    heard.hear(&server.push(&ada, &[ada.patch(21, "a", 3, "/notes", &json!("roof ok"))]).await);
    heard.hear(&server.push(&ben, &[ben.patch(2, "a", 1, "/notes", &json!("leaks"))]).await);
    let lone = vec![json!({ "path": "/inspector", "op": "unset" })];
    let group = [
        ben.patch(3, "b", 1, "/notes", &json!("in a group")),
        ben.mutation("visits", 4, "B", "patch", lone, 1),
    ];
    heard.hear(&server.push(&ben, &group.map(|one| with(one, "group", json!("g")))).await);
    heard.hear(
        &server.push(&ben, &[ben.patch(5, "nowhere", 0, "/notes", &json!(1)), ben.delete(6, "z", 1)]).await,
    );
    heard.hear(
        &server
            .push(
                &ada,
                &[with(
                    ada.patch(22, "z", 1, "/notes", &json!("late")),
                    "stamp",
                    json!(format!("0192f0c1a2b4-0000-{}", ada.writer)),
                )],
            )
            .await,
    );
    heard.hear(
        &server.void(&ada, &[json!(format!("{}:30", ada.writer)), json!(format!("{}:1", ada.writer))]).await,
    );

    // Documents that are decided as wholes, and those that a person decides.
    for collection in ["forms", "notes"] {
        let form = json!({ "status": "planned", "notes": "", "photos": 1 });
        let n = if collection == "forms" { 40 } else { 50 };
        heard.hear(&server.push(&ada, &[ada.create_in(collection, n, "f", &form)]).await);
        for (device, n, notes) in [(&ada, n + 1, "roof ok"), (&ben, n + 2, "leaks"), (&ada, n + 3, "both")] {
            let fields = vec![json!({ "path": "/notes", "op": "set", "value": notes })];
            heard
                .hear(&server.push(device, &[device.mutation(collection, n, "f", "patch", fields, 1)]).await);
        }
    }
    heard.hear(&server.push(&ben, &[ben.delete_in("forms", 60, "f", 1)]).await);

    // What is settled: in two steps, across a gap, and again.
    for settled in [json!([[1, 3]]), json!([[5, 9], [20, 20]]), json!([[4, 4], [1, 22]])] {
        let mut batch = ada.batch(&creates[..2]);
        batch["settled"] = json!({ (ada.writer.clone()): settled });
        heard.hear(&server.post(&ada, batch.to_string()).await);
    }

    // Documents that others lose sight of; pages of every size; conflicts, and how they are settled.
    heard.hear(&server.push(&ada, &[ada.patch(70, "Z", 1, "/inspector", &json!("ben"))]).await);
    for device in [&ada, &ben, &cora, &north] {
        for limit in [1, 2, 3, 1_000] {
            let mut cursor = if limit == 2 {
                before["cursor"].as_str().unwrap_or_default().to_owned()
            } else {
                String::new()
            };
            if device.caller.tenant != ada.caller.tenant {
                cursor.clear();
            }
            loop {
                let page = heard.hear(&server.pull(device, &format!("cursor={cursor}&limit={limit}")).await);
                cursor = page["cursor"].as_str().unwrap().to_owned();
                if page["more"] == json!(false) {
                    break;
                }
            }
        }
    }
    let list = heard.hear(&server.get(&cora, "conflicts?limit=2").await);
    heard.hear(
        &server.get(&cora, &format!("conflicts?limit=100&cursor={}", list["cursor"].as_str().unwrap())).await,
    );
    let choices = [json!({ "choice": "lost" }), json!({ "choice": "won" }), json!({ "choice": "lost" })];
    for (conflict, choice) in server.conflicts(&cora).await.iter().zip(choices) {
        for _ in 0..2 {
            heard.hear(&server.resolve(&cora, with(choice.clone(), "id", conflict["id"].clone())).await);
        }
    }
    heard.hear(&server.get(&cora, "conflicts").await);
    heard.hear(&server.get(&ben, "status?client=client-2").await);
    let documents = ["a", "Z"].map(|id| {
        let (collection, document) = ("visits".parse().unwrap(), id.parse().unwrap());
        DocumentKey { collection, document }
    });
    let erasure = Erasure { user: Some(ben.caller.user.clone()), documents: documents.into() };
    let by = "operator".parse().unwrap();
    let erased = server.app.store.erase(&ben.caller.tenant, &by, &erasure, clock()).await.unwrap();
    assert_eq!((erased.documents, erased.unknown), (2, vec![]));
    heard.hear(&server.push(&ada, &[ada.patch(80, "a", 9, "/notes", &json!("late"))]).await);
    heard.hear(&server.push(&ben, &[ben.patch(80, "b", 9, "/notes", &json!("late"))]).await);
    heard.hear(&server.pull(&ada, &format!("cursor={}", before["cursor"].as_str().unwrap())).await);
    heard.hear(&server.get(&cora, "conflicts").await);
    for query in ["", "limit=1", "limit=1&cursor=3"] {
        heard.hear(&server.get_at(&cora, &format!("/api/v1/audit?{query}")).await);
    }
    for document in ["visits/a", "visits/z", "visits/%C3%A4", "forms/f", "notes/f", "visits/nowhere"] {
        for device in [&ada, &cora, &north] {
            heard.hear(&server.history(device, document, "").await);
            heard.hear(&server.history(device, document, "limit=2&cursor=4").await);
        }
    }

    let mut rows = Vec::new();
    let report = server.app.store.check(clock()).await.unwrap();
    assert!(report.findings.is_empty() && report.documents > 0, "{report:#?}");
    for table in TABLES {
        for row in server.database.read(table).await {
            let mut row = Value::from(row);
            blur(&mut row);
            if name(table) == "receipts" && row[1] == "random" {
                row[3] = "of a random id".into();
            }
            rows.push(format!("{} {row}", name(table)));
        }
    }
    // What the server wrote for a person has a random writer, which orders it.
    rows.sort();
    server.app.store.close().await;
    (heard.0, rows)
}

#[tokio::test]
async fn one_history_gives_the_same_answers_and_the_same_rows_on_sqlite_and_on_postgresql() {
    let (said, left) = live_through(Database::file()).await;
    let (said_there, left_there) = live_through(Database::postgres().await).await;
    for (one, other) in said.iter().zip(&said_there).chain(left.iter().zip(&left_there)) {
        assert_eq!(one, other);
    }
    assert_eq!((said.len(), left.len()), (said_there.len(), left_there.len()));
    // What the history is for has happened in it.
    for happened in [
        "\"settles\":\"",
        "conflict_settled",
        "person_erased",
        "document_erased",
        "\"gone\"",
        "\"conflict\"",
        "\"merged\"",
        "eviction",
        "tombstone",
        "group_refused",
        "validation_failed",
        "discarded",
        "writer_mismatch",
        "duplicate\":true",
        "not_found",
    ] {
        assert!(said.iter().any(|said| said.contains(happened)), "{happened} never happened");
    }
    for table in TABLES.map(name) {
        assert!(left.iter().any(|row| row.starts_with(table)), "{table} is empty");
    }
    assert!(said.iter().all(|said| !said.starts_with('5')), "{said:?}");
}
