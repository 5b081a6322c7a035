//! What is measured, each beside the floor that the same machine sets in the same minute.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use landfall_tests::http::{Ask, Connection};
use serde::Deserialize;
use tokio::time::timeout;

use crate::hand::Hand;
use crate::site::{Author, Kind, Site, median, percentile, push, rate};

/// Ours and the floor take turns, so that whatever else the machine does is shared by both.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(800);
const SIZES: [usize; 3] = [1, 10, 100];
const WRITERS: [usize; 2] = [1, 16];
/// Documents that a new device pulls.
const DOCUMENTS: usize = 100_000;
const PULLS: usize = 5;
const LONE_PUSHES: usize = 400;
const LIVE: usize = 5_000;

/// Mutations pushed a second, beside the same rows written by hand.
pub(crate) async fn pushes(program: &Path, kind: Kind) {
    for writers in WRITERS {
        let site = Site::open(program, kind).await;
        let mut authors = Vec::new();
        for number in 0..writers as u64 {
            authors.push((Author::new(number), site.connect().await));
        }
        push(&mut authors[0].1, &site.token, Author::new(99).batch(10)).await;
        let mut hand = Hand::beside(&site, writers).await;
        for size in SIZES {
            let (mut ours, mut floor, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..TURNS {
                let ours_now = write(&site, &mut authors, size).await;
                let floor_now = hand.write(size, TURN).await;
                ratios.push(ours_now / floor_now);
                ours.push(ours_now);
                floor.push(floor_now);
            }
            println!(
                "server {} push writers={writers} batch={size} ours={:.0}/s floor={:.0}/s ratio={:.2}",
                kind.name(),
                median(ours),
                median(floor),
                median(ratios)
            );
        }
    }
}

async fn write(site: &Site, authors: &mut [(Author, Connection)], size: usize) -> f64 {
    let begun = Instant::now();
    let writing = authors.iter_mut().map(async |(author, connection)| {
        let mut count = 0;
        while begun.elapsed() < TURN {
            push(connection, &site.token, author.batch(size)).await;
            count += size;
        }
        count
    });
    let counts = join_all(writing).await;
    rate(counts.into_iter().sum(), begun)
}

/// How long a push of one mutation takes, beside a bare durable commit.
pub(crate) async fn latency(program: &Path, kind: Kind) {
    let site = Site::open(program, kind).await;
    let (mut author, mut connection) = (Author::new(1), site.connect().await);
    push(&mut connection, &site.token, author.batch(10)).await;
    let hand = Hand::beside(&site, 1).await;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..LONE_PUSHES {
        let body = author.batch(1);
        let begun = Instant::now();
        push(&mut connection, &site.token, body).await;
        ours.push(begun.elapsed());
        floor.push(hand.commit().await);
    }
    let [p50, p99] = [50, 99].map(|of| (percentile(&ours, of), percentile(&floor, of)));
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    println!(
        "server {} lone push p50 ours={:.2}ms floor={:.2}ms ratio={:.2}, p99 ours={:.2}ms floor={:.2}ms",
        kind.name(),
        millis(p50.0),
        millis(p50.1),
        p50.0.as_secs_f64() / p50.1.as_secs_f64(),
        millis(p99.0),
        millis(p99.1)
    );
}

/// Documents pulled a second by a device that has nothing, and what that costs the server in memory.
pub(crate) async fn pulls(program: &Path, kind: Kind) {
    #[derive(Deserialize)]
    struct Page {
        cursor: String,
        more: bool,
        #[serde(default)]
        changes: Vec<serde::de::IgnoredAny>,
    }
    let site = Site::open(program, kind).await;
    let (mut author, mut connection) = (Author::new(1), site.connect().await);
    for _ in 0..DOCUMENTS / 1_000 {
        push(&mut connection, &site.token, author.batch(1_000)).await;
    }
    let before = site.memory("VmRSS:");
    site.forget_peak();
    let mut rates = Vec::new();
    for _ in 0..PULLS {
        let (begun, mut count, mut cursor) = (Instant::now(), 0, String::new());
        loop {
            let path = format!("/api/v1/sync/pull?cursor={cursor}");
            let answer = connection.ask(&Ask::get(&path, &site.token)).await.expect("an answer");
            let page: Page = serde_json::from_slice(&answer.body).expect("a page");
            count += page.changes.len();
            if !page.more {
                break;
            }
            cursor = page.cursor;
        }
        assert_eq!(count, DOCUMENTS, "each once");
        rates.push(rate(count, begun));
    }
    println!(
        "server {} pull documents={DOCUMENTS} ours={:.0}/s; server's memory before {} MiB, at most {} MiB",
        kind.name(),
        median(rates),
        before >> 10,
        site.memory("VmHWM:") >> 10
    );
}

/// What the server needs for so many streams of hints, and how long it takes until all of them have one.
pub(crate) async fn live(program: &Path, kind: Kind) {
    let site = Site::open(program, kind).await;
    let (mut author, mut connection) = (Author::new(1), site.connect().await);
    push(&mut connection, &site.token, author.batch(1)).await;
    let before = site.memory("VmRSS:");
    let begun = Instant::now();
    let mut streams: Vec<(Connection, Incoming)> = Vec::with_capacity(LIVE);
    while streams.len() < LIVE {
        let mut stream = site.connect().await;
        let answer = stream.begin(&Ask::get("/api/v1/sync/live", &site.token)).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "a stream of hints");
        streams.push((stream, answer.into_body()));
    }
    let (opened, standing) = (begun.elapsed(), site.memory("VmRSS:"));
    let begun = Instant::now();
    push(&mut connection, &site.token, author.batch(1)).await;
    let heard = join_all(streams.iter_mut().map(async |(_, stream)| {
        let frame = timeout(Duration::from_secs(60), stream.frame()).await;
        frame.expect("a hint in time").expect("the stream goes on").expect("no error");
        begun.elapsed()
    }));
    let heard = heard.await;
    println!(
        "server {} live streams={LIVE} memory before {} MiB, with them {} MiB, after a hint to each {} MiB; opened in \
         {:.1} s, the last of them heard after {:.0} ms",
        kind.name(),
        before >> 10,
        standing >> 10,
        site.memory("VmRSS:") >> 10,
        opened.as_secs_f64(),
        heard.iter().max().map_or(0.0, |last| last.as_secs_f64() * 1_000.0)
    );
}
