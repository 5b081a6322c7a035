//! Processes and devices of several versions behind one address, as while they are upgraded one after the other.
//!
//! What a later version says within version 1 of the protocol is made here of what ours says: by everything that
//! PROTOCOL.md lets a version add, which whoever does not know it has to leave alone.

use landfall_core::json::Json;
use landfall_core::wire::{Batch, BatchReply, PullChange, PullReply};

use crate::chance::Chance;

/// What a server process makes of the version that devices speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// It is of these sources.
    Ours,
    /// It is later, and speaks ours too.
    Later,
    /// It does not speak ours.
    Foreign,
}

impl Version {
    /// All of them.
    pub const ALL: [Version; 3] = [Version::Ours, Version::Later, Version::Foreign];
}

/// A code that no version has today.
pub const LATER_CODE: &str = "tide_too_low";
/// Members that nobody knows.
const LATER: &str = r#""later":{"id":null,"verdict":["rejected"],"n":1e400}"#;

/// What a later device sends, as ours reads it: `protocol` may be missing in version 1.
pub fn later_batch(batch: &Batch) -> Batch {
    let text = spelled(batch);
    let known = r#""protocol":1,"#;
    assert!(text.contains(known), "BUG: a batch without a version");
    let text = within(&text.replacen(known, "", 1));
    serde_json::from_str(&text).expect("BUG: a batch that cannot be read")
}

/// What a later server answers to a push, as ours reads it.
pub fn later_reply(reply: &BatchReply) -> BatchReply {
    let results: Vec<_> = reply.results.iter().map(|result| within(&spelled(result))).collect();
    let bare = BatchReply { results: vec![], ..reply.clone() };
    let text = within(&spelled(&bare)).replacen(
        r#""results":[]"#,
        &format!(r#""results":[{}]"#, results.join(",")),
        1,
    );
    let read: BatchReply = landfall_core::json::read(&text).expect("BUG: a reply that cannot be read");
    assert_eq!(&read, reply, "BUG: what is added changes what is known");
    read
}

/// What a later server answers to a pull: beside each change there may be something of a kind that nobody knows. Says
/// whether there is.
pub fn later_page(page: &PullReply, chance: &mut Chance) -> (PullReply, bool) {
    let mut changes = vec![];
    let mut told = false;
    for change in page.read().expect("BUG: a page that cannot be read") {
        changes.push(within(&spelled(&change)));
        if chance.one_in(3) {
            told = true;
            let data = Some(Json::parse(r#"{"a":"of a kind that nobody knows"}"#).expect("BUG: no JSON"));
            let rumour = PullChange { kind: "rumour".to_owned(), data, ..change };
            changes.push(within(&spelled(&rumour)));
        }
    }
    let bare = PullReply { changes: Json::array([].into_iter()), ..page.clone() };
    let text = within(&spelled(&bare)).replacen(
        r#""changes":[]"#,
        &format!(r#""changes":[{}]"#, changes.join(",")),
        1,
    );
    (landfall_core::json::read(&text).expect("BUG: a page that cannot be read"), told)
}

fn spelled(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("BUG: what is not JSON")
}

/// An object with members that nobody knows, in front and behind.
fn within(object: &str) -> String {
    let inner = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).expect("BUG: no object");
    format!("{{{LATER},{inner},\"much\":[{{}}]}}")
}
