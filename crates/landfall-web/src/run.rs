//! One IndexedDB transaction does one core [`Transaction`]: all reads are issued at once, the decision falls
//! in the callback of the last of them, and the writes follow in that same callback, so nothing foreign is
//! ever awaited while the transaction is open.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect};
use landfall_core::client::Done;
use landfall_core::stored::{Key, Store as StoreName};
use landfall_core::transaction::{Durability, Outcome, Read, Rows, Transaction, Write};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

use crate::connection::Connection;
use crate::crash;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = IdbTransaction)]
    type Commit;

    /// web-sys calls it deprecated, which the standard does not.
    #[wasm_bindgen(method, catch)]
    fn commit(this: &Commit) -> Result<(), JsValue>;

    /// web-sys would bring enums of which one word is used.
    #[wasm_bindgen(extends = IdbObjectStore)]
    type Walkable;

    #[wasm_bindgen(method, catch, js_name = openKeyCursor)]
    fn walk(this: &Walkable, range: &JsValue, direction: &str) -> Result<IdbRequest, JsValue>;

    type Cursor;

    #[wasm_bindgen(method, getter)]
    fn key(this: &Cursor) -> JsValue;

    #[wasm_bindgen(method, catch, js_name = "continue")]
    fn go_on(this: &Cursor) -> Result<(), JsValue>;
}

/// What was decided, and the requests whose results are the keys of added records.
type Decided = Rc<RefCell<Option<(Outcome, Vec<IdbRequest>)>>>;

/// A connection's transactions under way.
#[derive(Clone, Default)]
pub(crate) struct Running(Rc<RefCell<Vec<(IdbTransaction, Function)>>>);

impl Running {
    /// Gives up what is still under way, as if it had come to nothing. While the connection is not known to be dead,
    /// what cannot be aborted any more is left: it comes to an end by itself.
    pub(crate) fn give_up(&self, dead: bool) {
        self.0.borrow().iter().for_each(|(idb, give_up)| {
            if idb.abort().is_ok() || dead {
                let _ = give_up.call0(&JsValue::NULL);
            }
        });
    }
}

/// A transaction under way.
pub(crate) struct Run {
    complete: Promise,
    give_up: Function,
    running: Running,
    decided: Decided,
    /// Kept until the transaction is over: the browser calls it.
    _last_read: Option<Closure<dyn FnMut() -> Result<(), JsValue>>>,
}

impl Run {
    pub(crate) fn start(
        connection: &Connection,
        running: &Running,
        transaction: Rc<Transaction>,
    ) -> Result<Run, JsValue> {
        let stores: Array =
            transaction.stores().iter().map(|store| JsValue::from_str(store.name())).collect();
        let (mode, durability) = match transaction.durability() {
            Durability::Strict => ("readwrite", "strict"),
            Durability::Relaxed => ("readwrite", "relaxed"),
            Durability::ReadOnly => ("readonly", "default"),
        };
        let options = Object::new();
        Reflect::set(&options, &"durability".into(), &durability.into())?;
        let idb = connection.begin(&stores, mode, &options)?;
        let mut give_up: Function = JsValue::UNDEFINED.unchecked_into();
        let complete = Promise::new(&mut |resolve, reject| {
            idb.set_oncomplete(Some(&resolve));
            idb.set_onabort(Some(&reject));
            give_up = resolve;
        });
        let decided = Decided::default();
        let reads = transaction.reads();
        running.0.borrow_mut().push((idb.clone(), give_up.clone()));
        let running = running.clone();
        let mut run = Run { complete, give_up, running, decided: decided.clone(), _last_read: None };
        if reads.is_empty() {
            decide(&idb, &transaction, &[], &decided)?;
            return Ok(run);
        }
        let requests: Vec<Pending> =
            reads.iter().map(|read| Pending::issue(&idb, read)).collect::<Result<_, _>>()?;
        let last = requests.last().expect("BUG: no request for a read").values.clone();
        let last_read = Closure::<dyn FnMut() -> Result<(), JsValue>>::new(move || {
            if requests.last().expect("BUG: no request for a read").walks_on()? {
                return Ok(());
            }
            let result = decide(&idb, &transaction, &requests, &decided);
            if result.is_err() {
                // All or nothing, also where a write could not even be asked for.
                idb.abort()?;
            }
            result
        });
        last.set_onsuccess(Some(last_read.as_ref().unchecked_ref()));
        run._last_read = Some(last_read);
        Ok(run)
    }
}

impl Run {
    /// Waits for the end.
    ///
    /// # Errors
    /// Why nothing was done: Chromium reports a full disk by the abort alone, so the reason is the transaction's.
    pub(crate) async fn finish(self) -> Result<Done, JsValue> {
        let end = JsFuture::from(self.complete).await;
        self.running.0.borrow_mut().retain(|(_, other)| *other != self.give_up);
        let end = end.map_err(|event| {
            let target = Reflect::get(&event, &"target".into()).unwrap_or(JsValue::UNDEFINED);
            let error = target.dyn_into::<IdbTransaction>().ok().and_then(|idb| idb.error());
            error.map_or(JsValue::UNDEFINED, JsValue::from)
        })?;
        // Given up, and no event.
        if end.is_undefined() {
            return Err(end);
        }
        let (outcome, added) = self.decided.take().expect("BUG: a transaction that completed undecided");
        let key =
            |request: IdbRequest| request.result().ok().and_then(|key| key.as_f64()).map(|key| key as u64);
        Ok(Done { outcome, added: added.into_iter().filter_map(key).collect() })
    }
}

/// Hands what was read to the core and asks for the writes it wants.
fn decide(
    idb: &IdbTransaction,
    transaction: &Transaction,
    requests: &[Pending],
    decided: &Decided,
) -> Result<(), JsValue> {
    crash::point();
    assert!(decided.borrow().is_none(), "BUG: one request succeeded twice");
    let read = requests.iter().map(Pending::rows).collect::<Result<_, _>>()?;
    let (writes, outcome) = transaction.decide(read);
    let mut added = Vec::new();
    for write in &writes {
        match write {
            Write::Add(store, text) => added.push(object_store(idb, *store)?.add(&text.into())?),
            Write::Put(store, key, text) => {
                object_store(idb, *store)?.put_with_key(&text.into(), &to_js(key))?;
            }
            Write::Delete(store, key) => {
                object_store(idb, *store)?.delete(&to_js(key))?;
            }
            Write::DeleteRange(store, from, to) => {
                object_store(idb, *store)?.delete(&range(from, to)?)?;
            }
            Write::Clear(store) => {
                object_store(idb, *store)?.clear()?;
            }
        }
    }
    *decided.borrow_mut() = Some((outcome, added));
    // Saves the browser the wait for more requests.
    idb.unchecked_ref::<Commit>().commit()
}

/// A read that was asked for. Requests are answered in their order, so all are when the last one is.
struct Pending {
    key: Option<Key>,
    keys: Option<IdbRequest>,
    values: IdbRequest,
    walk: Option<RefCell<Walk>>,
}

/// Keys that are read from the end of a range on, one by one: not every browser gives a list in that order.
struct Walk {
    left: u32,
    keys: Rows,
}

impl Pending {
    fn issue(idb: &IdbTransaction, read: &Read) -> Result<Pending, JsValue> {
        match read {
            Read::One(store, key) => {
                let values = object_store(idb, *store)?.get(&to_js(key))?;
                Ok(Pending { key: Some(key.clone()), keys: None, values, walk: None })
            }
            Read::All(store) => Pending::list(&object_store(idb, *store)?, &JsValue::UNDEFINED, u32::MAX),
            Read::Range(store, from, to, count) => {
                Pending::list(&object_store(idb, *store)?, &range(from, to)?, *count)
            }
            Read::Keys(store, from, to, count, false) => {
                let store = object_store(idb, *store)?;
                let keys = store.get_all_keys_with_key_and_limit(&range(from, to)?, *count)?;
                Ok(Pending { key: None, keys: None, values: keys, walk: None })
            }
            Read::Keys(store, from, to, count, true) => {
                let store: Walkable = object_store(idb, *store)?.unchecked_into();
                let walk = Some(RefCell::new(Walk { left: *count, keys: vec![] }));
                Ok(Pending { key: None, keys: None, values: store.walk(&range(from, to)?, "prev")?, walk })
            }
        }
    }

    /// Takes the key that was just read, where they are read one by one, and asks for the next.
    fn walks_on(&self) -> Result<bool, JsValue> {
        let Some(walk) = &self.walk else { return Ok(false) };
        let cursor = self.values.result()?;
        if cursor.is_null() {
            return Ok(false);
        }
        let (cursor, mut walk): (Cursor, _) = (cursor.unchecked_into(), walk.borrow_mut());
        walk.keys.extend(from_js(&cursor.key()).map(|key| (key, String::new())));
        walk.left -= 1;
        if walk.left > 0 {
            cursor.go_on()?;
        }
        Ok(walk.left > 0)
    }

    fn list(store: &IdbObjectStore, range: &JsValue, count: u32) -> Result<Pending, JsValue> {
        let keys = store.get_all_keys_with_key_and_limit(range, count)?;
        let values = store.get_all_with_key_and_limit(range, count)?;
        Ok(Pending { key: None, keys: Some(keys), values, walk: None })
    }

    fn rows(&self) -> Result<Rows, JsValue> {
        if let Some(walk) = &self.walk {
            return Ok(std::mem::take(&mut walk.borrow_mut().keys));
        }
        let values = self.values.result()?;
        match (&self.key, &self.keys) {
            (Some(key), _) => Ok(values.as_string().map(|text| (key.clone(), text)).into_iter().collect()),
            (None, Some(keys)) => {
                let (keys, values): (Array, Array) =
                    (keys.result()?.unchecked_into(), values.unchecked_into());
                // A value that is no text is not ours; a record that cannot be read is the core's to judge.
                let text = |value: JsValue| value.as_string().unwrap_or_default();
                Ok(keys
                    .iter()
                    .zip(values.iter())
                    .filter_map(|(k, v)| Some((from_js(&k)?, text(v))))
                    .collect())
            }
            (None, None) => {
                let keys: Array = values.unchecked_into();
                Ok(keys.iter().filter_map(|key| Some((from_js(&key)?, String::new()))).collect())
            }
        }
    }
}

fn object_store(idb: &IdbTransaction, store: StoreName) -> Result<IdbObjectStore, JsValue> {
    idb.object_store(store.name())
}

/// From the first key up to and without the second.
fn range(from: &Key, to: &Key) -> Result<JsValue, JsValue> {
    let range = IdbKeyRange::bound_with_lower_open_and_upper_open(&to_js(from), &to_js(to), false, true);
    range.map(JsValue::from)
}

fn to_js(key: &Key) -> JsValue {
    match key {
        Key::Counted(n) => JsValue::from_f64(*n as f64),
        Key::Text(text) => JsValue::from_str(text),
    }
}

fn from_js(key: &JsValue) -> Option<Key> {
    let counted = key.as_f64().map(|n| Key::Counted(n as u64));
    counted.or_else(|| key.as_string().map(Key::Text))
}
