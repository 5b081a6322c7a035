//! What the process writes down of what it is asked, and what it does not.

use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::database::Database;
use crate::harness::{Device, with};
use crate::process::Running;

const SECRET: &str = "q7zXw-what-somebody-wrote";

#[tokio::test]
async fn a_log_names_requests_and_holds_nothing_of_what_somebody_wrote() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let log = directory.path().join("log");
    let (server, _) = Running::with(&database.url(), directory.path(), |command| {
        command.args(["--log", "json"]).env("LANDFALL_LOG", "trace");
        command.stderr(Stdio::from(std::fs::File::create(&log).unwrap()));
    });
    let ada = Device::of("ada", 1);
    let create = ada.create(1, SECRET, &json!({ "notes": SECRET }));
    let other = ada.create(3, SECRET, &json!({ "notes": SECRET }));
    let batch = ada.batch(&[
        create.clone(),
        // A rule that it breaks, a collection that there is not, no mutation at all.
        ada.create(2, "done", &json!({ "status": "done", "title": SECRET })),
        with(other, "collection", json!(SECRET)),
        // One on which the rule fails, which is logged.
        ada.create(4, "failing", &json!({ "status": "done", "notes": [SECRET] })),
        json!(SECRET),
    ]);
    let batch = batch.to_string();
    let taken = server.call("POST /api/v1/sync/batch", &batch);
    assert_eq!(taken["results"][0]["verdict"], "applied");
    let mut ids = vec![];
    for (head, body) in [
        ("POST /api/v1/sync/batch", batch.strip_suffix('}').unwrap()),
        ("POST /api/v1/sync/batch", &batch.replace("\"ada\"", &format!("\"{SECRET}\""))),
        ("POST /api/v1/sync/resolve", &json!({ "id": SECRET, "choice": "won" }).to_string()),
        (&format!("GET /api/v1/sync/pull?cursor={SECRET}"), ""),
        (&format!("GET /{SECRET}?{SECRET}"), ""),
        (&format!("{} /api/v1/sync/pull", SECRET.to_uppercase()), ""),
    ] {
        let mut text = String::new();
        server.connect(head, body).read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 4"), "{text}");
        let id = text.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
        ids.push(id.to_owned());
    }
    assert_eq!(server.end(), 0);

    let log = std::fs::read_to_string(log).unwrap();
    assert!(!log.to_lowercase().contains(&SECRET.to_lowercase()), "{log}");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(lines.iter().any(|line| line["message"] == "failed, which counts as a no"), "{log}");
    let refused: Vec<&Value> = lines.iter().filter(|line| line["message"] == "refused").collect();
    let logged: Vec<&str> = refused.iter().map(|line| line["span"]["id"].as_str().unwrap()).collect();
    assert_eq!(logged, ids);
    assert_eq!(refused[0]["code"], "malformed_json");
    assert_eq!([&refused[0]["span"]["route"], &refused[4]["span"]["route"]], ["/api/v1/sync/batch", "other"]);
}
