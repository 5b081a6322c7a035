//! The tables of PROTOCOL.md say what the code says.

use std::num::NonZeroU32;

use landfall_core::authority::FUTURE_MAX;
use landfall_core::backoff::{DELAY_MAX, FAST_ATTEMPTS, RETRY_AFTER_MAX, SPREAD};
use landfall_core::client::KEPT_BYTES_MAX;
use landfall_core::code::Code;
use landfall_core::id::NAME_BYTES_MAX;
use landfall_core::json::{DEPTH_MAX, KEYS_MAX};
use landfall_core::mutation::STEP_MAX;
use landfall_core::transaction::KEPT_MAX;
use landfall_core::wire::{
    BATCH_MUTATIONS_MAX, BODY_BYTES_MAX, CURSORS_BYTES, CURSORS_MAX, DOCUMENT_BYTES_MAX, GROUP_BYTES_MAX,
    GROUP_MUTATIONS_MAX, PAGE_CHANGES_MAX,
};
use landfall_server::error::status;
use landfall_server::limits::{FRAME_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX, Limits, Pace, Rate, Rates};
use landfall_server::payload;

const PROTOCOL: &str = include_str!("../../../PROTOCOL.md");

/// The rows of the table below a head, by cells.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let lines = PROTOCOL.lines().skip_while(|line| *line != head).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn every_code_is_listed_with_its_class_and_status() {
    let listed: Vec<[String; 3]> = table("| code | class | HTTP | meaning |")
        .iter()
        .map(|row| [row[0].trim_matches('`').to_owned(), row[1].to_owned(), row[2].to_owned()])
        .collect();
    let ours: Vec<[String; 3]> = Code::ALL
        .iter()
        .map(|code| {
            let status = status(*code).map_or("–".to_owned(), |status| status.as_u16().to_string());
            [code.to_string(), format!("{:?}", code.class()).to_lowercase(), status]
        })
        .collect();
    assert_eq!(listed, ours);
}

#[test]
fn every_limit_is_listed_as_it_is() {
    let count = |n: u64| match n {
        n if n < 1_000 => n.to_string(),
        n => format!("{},{:03}", n / 1_000, n % 1_000),
    };
    let bytes = |n: usize| match n {
        n if n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    };
    let seconds = |millis: u64| format!("{} s", millis / 1_000);
    assert_eq!(STEP_MAX, (1 << 53) - 1);
    let limits = Limits::default();
    let Rates { client, user, tenant } = limits.rates;
    let rates = |what: fn(Rate) -> NonZeroU32| {
        let [client, user, tenant] = [client, user, tenant].map(|rate| count(what(rate).get().into()));
        format!("{client} of a device, {user} of a user, {tenant} of a tenant")
    };
    let ours = [
        ("bytes of a request body", bytes(BODY_BYTES_MAX)),
        ("bytes of a request body, unpacked", bytes(limits.inflated_bytes)),
        ("nesting of a request body", count(payload::DEPTH_MAX as u64)),
        ("bytes of a request's head", bytes(HEAD_BYTES_MAX)),
        ("headers of a request", count(HEADERS_MAX as u64)),
        (
            "time in which a request's head arrives, and of silence between two requests",
            seconds(limits.head_millis),
        ),
        ("time in which a request body arrives", seconds(limits.body_millis)),
        ("pushes a second, in the mean of a minute", rates(|rate| rate.pushes)),
        ("mutations a second, ids in `void` included, in the mean of a minute", rates(|rate| rate.mutations)),
        ("pushes that are answered at once", count(limits.pushes_at_once as u64)),
        ("pulls, and other questions, that are answered at once", count(limits.reads_at_once as u64)),
        ("mutations in a batch, and ids in `void`", count(BATCH_MUTATIONS_MAX as u64)),
        ("mutations in a group", count(GROUP_MUTATIONS_MAX as u64)),
        ("bytes of the mutations in a group", bytes(GROUP_BYTES_MAX)),
        ("bytes of a document", bytes(DOCUMENT_BYTES_MAX)),
        ("nesting of a document", count(DEPTH_MAX as u64)),
        (
            "keys of a document, and elements that were added to its sets or removed from them one by one",
            count(KEYS_MAX as u64),
        ),
        ("bytes of a name: client, user, collection, document, group", format!("{NAME_BYTES_MAX} bytes")),
        ("keys in a path", count(DEPTH_MAX as u64)),
        ("bytes of a key in a path", format!("{NAME_BYTES_MAX} bytes")),
        ("a step of a counter, and its sum, either way", "2^53 − 1".to_owned()),
        ("changes on a page", count(PAGE_CHANGES_MAX as u64)),
        ("bytes of a frame to the server", bytes(FRAME_BYTES_MAX)),
        ("time until a socket's first frame", format!("{} s", Pace::default().handshake.as_secs())),
        ("sockets that wait for their first frame", count(limits.unsigned_sockets as u64)),
        ("how far a stamp may lie ahead of the server", seconds(FUTURE_MAX.0)),
        ("`Retry-After` that a device believes", seconds(RETRY_AFTER_MAX.0)),
        ("delay between two tries without it", seconds(DELAY_MAX.0)),
        (
            "accepted mutations that a device keeps, as far as they are in no backup",
            format!("{} days, {}", KEPT_MAX.0 / 86_400_000, bytes(KEPT_BYTES_MAX as usize)),
        ),
        ("bytes of cursors that a device shows", bytes(CURSORS_BYTES)),
        ("cursors of one pull that are looked at", count(CURSORS_MAX as u64)),
        ("failures in a row before only probes are sent", count(u64::from(FAST_ATTEMPTS))),
        ("time over which shared wake-ups are spread", seconds(SPREAD.0)),
    ];
    let ours: Vec<[String; 2]> = ours.map(|(name, limit)| [name.to_owned(), limit]).into();
    let listed = table("| what | limit | beyond it |");
    let listed: Vec<[String; 2]> = listed.iter().map(|row| [row[0].to_owned(), row[1].to_owned()]).collect();
    assert_eq!(listed, ours);
}
