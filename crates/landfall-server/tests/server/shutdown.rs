//! A server that is asked to end while everybody is writing.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::database::Database;
use crate::harness::Device;
use crate::process::Running;

/// Writes until the server is gone. Gives what was acknowledged; only the last write may be of unknown fate.
fn write_until_it_is_gone(server: &Running, device: &Device, told: &mpsc::Sender<()>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 1.. {
        let document = format!("{}-{n}", device.client);
        let batch = device.batch(&[device.create(n, &document, &json!({}))]).to_string();
        let Some(mut connection) = server.try_connect("POST /api/v1/sync/batch", &batch) else { break };
        let mut text = String::new();
        if connection.read_to_string(&mut text).is_err() || text.is_empty() {
            break;
        }
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "an accepted push is answered: {text}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["results"][0]["verdict"], "applied");
        acknowledged.push(document);
        told.send(()).ok();
    }
    acknowledged
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_answers_what_it_has_begun_and_loses_nothing() {
    let (directory, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let server = Running::on(&database.url(), directory.path());
    let (told, hears) = mpsc::channel();
    let devices: Vec<_> = (1..=8).map(|number| Device::of("ada", number)).collect();
    let acknowledged: BTreeSet<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = devices
            .iter()
            .map(|device| {
                let (server, told) = (&server, told.clone());
                scope.spawn(move || write_until_it_is_gone(server, device, &told))
            })
            .collect();
        hears.iter().take(40).for_each(drop);
        server.terminate();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(server.ended(), 0);
    assert!(acknowledged.len() >= 40);
    let server = Running::on(&database.url(), directory.path());
    let page = server.call("GET /api/v1/sync/pull", "");
    let found = page["changes"].as_array().unwrap().iter();
    let found: BTreeSet<String> =
        found.map(|change| change["document"].as_str().unwrap().to_owned()).collect();
    assert!(found.is_superset(&acknowledged), "{:?}", acknowledged.difference(&found));
    assert!(found.len() <= acknowledged.len() + devices.len());
}
