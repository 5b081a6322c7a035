//! Lives of a device, as they are written down: what its app did, what a server answered, and what came of it.
//!
//! The files in `golden/transcripts` are lived through by the core here, and by the product's module in a browser
//! (`browser/transcripts.spec.mjs`), on the same readings of the clock and the same random bits. What a device asks,
//! shows and stores has to be the same to the byte. `LANDFALL_BLESS=1` writes down what comes of them now; then the
//! difference is what to look at.

mod device;
mod transcript;

use std::fs;
use std::path::PathBuf;

use crate::device::Device;
use crate::transcript::{Answer, Asked, Exchange, Step, Transcript};

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "golden", name].iter().collect()
}

/// The one text in a vector.
fn vector(name: &str) -> String {
    let text = fs::read_to_string(golden(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    text.trim_end().to_owned()
}

fn transcripts() -> Vec<(PathBuf, Transcript)> {
    let files = fs::read_dir(golden("transcripts")).expect("transcripts");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a text");
        let transcript = serde_json::from_str(&text);
        let transcript = transcript.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, transcript)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn a_device_asks_shows_and_stores_what_is_written_down() {
    for (path, transcript) in transcripts() {
        let now = Device::live(&transcript);
        let text = serde_json::to_string_pretty(&now).expect("JSON") + "\n";
        if std::env::var_os("LANDFALL_BLESS").is_some() {
            fs::write(&path, text).expect("a file that can be written");
            continue;
        }
        let before = fs::read_to_string(&path).expect("a text");
        let differs = before.lines().zip(text.lines()).find(|(before, now)| before != now);
        assert!(before == text, "{}: {} is another: {differs:#?}", path.display(), transcript.name);
    }
}

/// The vectors of the wire are said in these lives, so the module reads and writes them too.
#[test]
fn every_message_of_the_wire_is_said_in_some_life() {
    let lives = transcripts();
    let steps = lives.iter().flat_map(|(_, transcript)| &transcript.steps);
    let exchanges: Vec<&Exchange> = steps.flat_map(|Step { exchanges, .. }| exchanges).collect();
    let answered =
        |name: &str| exchanges.iter().any(|one| matches!(&one.answer, Answer::Golden(n) if n == name));
    let asked =
        |name: &str| exchanges.iter().any(|one| matches!(&one.asks, Some(Asked::Golden(n)) if n == name));
    for name in ["batch_reply.json", "pull_first.json", "pull_reply.json", "pull_reset.json"] {
        assert!(answered(name), "nobody is answered with {name}");
    }
    assert!(asked("batch.json"), "nobody sends batch.json");
}

#[test]
fn of_all_stamps_the_greater_one_is_shown() {
    let text = vector("transcripts/stamps.json");
    let stamps: Vec<String> = serde_json::from_str(&vector("stamps.json")).expect("stamps");
    assert!(stamps.iter().all(|stamp| text.contains(stamp)), "a stamp that no device compares");
    let transcript: Transcript = serde_json::from_str(&text).expect("a transcript");
    let shows = transcript.steps[0].shows.as_ref().expect("what is shown");
    let pairs = shows.documents.values().flatten();
    for (document, data) in pairs {
        let pending = document.as_str().ends_with("later");
        assert_eq!(data.text().contains("pending"), pending, "{document}");
    }
}
