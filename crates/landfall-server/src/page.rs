//! A page of changes, written as text: stored JSON goes out as it came in, and is never parsed on the way.
//!
//! The form is `landfall_core::wire::PullReply`.

use std::fmt::Write;

use landfall_core::time::WallTime;
use landfall_core::wire::Reset;
use serde::Serialize;

use crate::store::{Change, Snapshot};

/// A page that is being written.
pub struct Page {
    text: String,
    changes: usize,
}

impl Page {
    /// Begins a page of what a snapshot holds.
    pub fn begin(now: WallTime, snapshot: &Snapshot, reset: Option<Reset>) -> Page {
        let mut page = Page { text: String::new(), changes: 0 };
        page.put(format_args!(
            r#"{{"serverTime":{},"epoch":"{}","reset":{},"backedUpThrough":{},"position":{},"changes":["#,
            now.0,
            snapshot.epoch(),
            json(&reset),
            snapshot.backed_up().0,
            snapshot.head().0,
        ));
        page
    }

    /// Changes on it so far.
    pub fn len(&self) -> usize {
        self.changes
    }

    /// Whether there is no change on it.
    pub fn is_empty(&self) -> bool {
        self.changes == 0
    }

    /// Adds a document as it is now.
    pub fn document(&mut self, change: &Change) {
        self.open("document", change);
        self.put(format_args!(r#","data":{},"stamp":"{}""#, change.data, change.stamp));
        if change.stamps != "{}" {
            self.put(format_args!(r#","stamps":{}"#, change.stamps));
        }
        self.text.push('}');
    }

    /// Adds that a document was deleted.
    pub fn tombstone(&mut self, change: &Change, stamp: &str) {
        self.open("tombstone", change);
        self.put(format_args!(r#","data":null,"stamp":"{stamp}"}}"#));
    }

    /// Adds that the caller may no longer see a document.
    pub fn eviction(&mut self, change: &Change) {
        self.open("eviction", change);
        self.put(format_args!(r#","data":null}}"#));
    }

    /// Ends the page with the cursor behind it, and what is known of how much is there.
    pub fn end(mut self, cursor: &str, more: bool, remaining: Option<u64>) -> String {
        self.put(format_args!(r#"],"cursor":"{cursor}","more":{more}"#));
        if let Some(remaining) = remaining {
            self.put(format_args!(r#","remaining":{remaining}"#));
        }
        self.text.push('}');
        self.text
    }

    fn open(&mut self, kind: &str, change: &Change) {
        if self.changes > 0 {
            self.text.push(',');
        }
        self.changes += 1;
        self.put(format_args!(
            r#"{{"kind":"{kind}","collection":{},"document":{},"version":{},"position":{}"#,
            json(&change.collection),
            json(&change.document),
            change.version.0,
            change.position.0,
        ));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("BUG: a string takes any text");
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("BUG: names and reasons are always JSON")
}
