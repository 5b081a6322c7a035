//! What the page is told: everything of one turn in one JSON text to one listener.

use std::cell::{Cell, RefCell};

use js_sys::Function;
use landfall_core::client::{Client, Older, Settled};
use landfall_core::code::Code;
use landfall_core::id::MutationId;
use landfall_core::json::{self, Json};
use serde::Serialize;
use wasm_bindgen::JsValue;

use crate::boundary::{WireRow, to_json};

/// `WireEvents`.
#[derive(Serialize)]
struct WireEvents<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<WireRow<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stale: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    outbox: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settled: Vec<Settled>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<(MutationId, MutationId)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<Json>,
}

/// `WireEvents` of a database whose end the page did not ask for.
#[derive(Serialize)]
pub(crate) struct End<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crashed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<Code>,
}

/// `WireEvents` that the page is to answer.
#[derive(Serialize)]
struct Question<'a> {
    migrate: &'a [Older],
}

/// Gathers what happened until the turn is over.
pub(crate) struct Events {
    listener: Function,
    state: RefCell<Option<Json>>,
    revision: Cell<(u64, bool, usize)>,
    stale: Cell<bool>,
    settled: RefCell<Vec<Settled>>,
    replaced: RefCell<Vec<(MutationId, MutationId)>>,
    leader: RefCell<Option<Json>>,
    state_news: Cell<bool>,
}

impl Events {
    pub(crate) fn new(listener: Function) -> Events {
        Events {
            listener,
            state: RefCell::default(),
            revision: Cell::default(),
            stale: Cell::new(false),
            settled: RefCell::default(),
            replaced: RefCell::default(),
            leader: RefCell::default(),
            state_news: Cell::default(),
        }
    }

    /// How draining goes, as the tab says that does it.
    pub(crate) fn hear_leader(&self, state: &str) {
        *self.leader.borrow_mut() = Json::parse(state).ok();
    }

    /// Whether the state has changed since this was last asked.
    pub(crate) fn is_state_news(&self) -> bool {
        self.state_news.take()
    }

    pub(crate) fn stale(&self) {
        self.stale.set(true);
    }

    pub(crate) fn settled(&self, settled: Vec<Settled>) {
        self.settled.borrow_mut().extend(settled);
    }

    pub(crate) fn replaced(&self, pairs: Vec<(MutationId, MutationId)>) {
        self.replaced.borrow_mut().extend(pairs);
    }

    /// What there is to tell, if there is anything. Rows are taken from the client.
    pub(crate) fn take(&self, client: &mut Client) -> Option<String> {
        let changes = client.changes();
        let rows: Vec<_> = changes
            .iter()
            .map(|(key, data)| WireRow {
                collection: &key.collection,
                id: &key.document,
                data: data.as_ref(),
            })
            .collect();
        let state = Json::parse(&to_json(&client.state()))
            .unwrap_or_else(|_| unreachable!("BUG: a state that is not JSON"));
        let news = self.state.borrow().as_ref() != Some(&state);
        let outbox = self.revision.replace(client.outbox_revision()) != client.outbox_revision();
        let (stale, settled, replaced) = (self.stale.take(), self.settled.take(), self.replaced.take());
        let leader = self.leader.take();
        let quiet = rows.is_empty() && settled.is_empty() && replaced.is_empty() && leader.is_none();
        if quiet && !news && !outbox && !stale {
            return None;
        }
        let state_news = news.then_some(&state);
        let text = to_json(&WireEvents { rows, stale, outbox, state: state_news, settled, replaced, leader });
        self.state_news.set(news);
        *self.state.borrow_mut() = Some(state);
        Some(text)
    }

    /// Has the page bring documents to the version that it declares.
    pub(crate) fn ask(&self, older: &[Older]) -> Vec<Json> {
        let question = JsValue::from_str(&to_json(&Question { migrate: older }));
        let answer = self.listener.call1(&JsValue::NULL, &question);
        let answer = answer.ok().and_then(|answer| answer.as_string());
        answer.and_then(|text| json::read(&text).ok()).unwrap_or_default()
    }

    /// Calls the listener. What it throws is the page's own affair.
    pub(crate) fn tell(&self, text: &str) {
        if let Err(thrown) = self.listener.call1(&JsValue::NULL, &JsValue::from_str(text)) {
            web_sys::console::error_1(&thrown);
        }
    }
}
