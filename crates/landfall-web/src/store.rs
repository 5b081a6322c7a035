//! The device's stores in IndexedDB: runs the core's [`Transaction`]s as they are.
//!
//! rexie opens the database and makes its schema. Transactions run beside it, on a second connection:
//! rexie cannot ask for a durability, reports quota errors as success and loses the reason of an abort.
//! One IndexedDB transaction does one core transaction: all reads are issued at once, the decision
//! falls in the callback of the last of them, and the writes follow in that same callback, so nothing
//! foreign is ever awaited while the transaction is open.

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Object, Promise, Reflect};
use landfall_core::client::Done;
use landfall_core::code::Code;
use landfall_core::stored::{Key, Store as StoreName};
use landfall_core::transaction::{Durability, Outcome, Read, Rows, Transaction, Write};
use rexie::{ObjectStore, Rexie};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DomException, IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbOpenDbRequest, IdbRequest,
    IdbTransaction,
};

use crate::crash;

/// The version of the schema of stores, which is ours; the app's schema is data.
const SCHEMA: u32 = 1;

/// How long other tabs may take to let go.
const PATIENCE_MILLIS: u32 = 10_000;

#[wasm_bindgen]
extern "C" {
    /// web-sys has the durability only behind an unstable flag.
    #[wasm_bindgen(extends = IdbDatabase)]
    type Connection;

    #[wasm_bindgen(method, catch, js_name = transaction)]
    fn begin(
        this: &Connection,
        stores: &JsValue,
        mode: &str,
        options: &JsValue,
    ) -> Result<IdbTransaction, JsValue>;

    #[wasm_bindgen(extends = IdbTransaction)]
    type Commit;

    /// web-sys calls it deprecated, which the standard does not.
    #[wasm_bindgen(method, catch)]
    fn commit(this: &Commit) -> Result<(), JsValue>;
}

/// The open database.
pub(crate) struct Store {
    name: String,
    connection: Connection,
}

impl Store {
    /// Opens the database, making its stores where they are missing.
    pub(crate) async fn open(name: &str) -> Result<Store, Code> {
        let stores = StoreName::ALL.map(|store| {
            let made = ObjectStore::new(store.name());
            if store.is_counted() { made.auto_increment(true) } else { made }
        });
        let builder =
            stores.into_iter().fold(Rexie::builder(name).version(SCHEMA), |b, s| b.add_object_store(s));
        let schema = builder.build().await.map_err(|_| Code::StorageUnavailable)?;
        let connection = connect(name).await.map_err(|reason| code(&reason))?;
        schema.close();
        // Another version of the code wants to change the schema: get out of its way.
        let closing = connection.clone();
        let close = Closure::<dyn FnMut()>::new(move || closing.close());
        connection.set_onversionchange(Some(close.into_js_value().unchecked_ref()));
        Ok(Store { name: name.to_owned(), connection })
    }

    /// Lets go of the database once what is under way has come to its end.
    pub(crate) fn close(&self) {
        self.connection.close();
    }

    /// Deletes the database, once every tab has let go of it.
    pub(crate) async fn delete(&self) -> Result<(), Code> {
        let request = factory().and_then(|factory| factory.delete_database(&self.name));
        let request = request.map_err(|reason| code(&reason))?;
        match select(JsFuture::from(settled(&request)), TimeoutFuture::new(PATIENCE_MILLIS)).await {
            Either::Left((deleted, _)) => deleted.map(drop).map_err(|reason| code(&reason)),
            Either::Right(_) => Err(Code::StorageUnavailable),
        }
    }

    /// Runs a transaction. It has begun when this returns, so transactions over the same stores take
    /// effect in the order of the calls.
    pub(crate) fn run(&self, transaction: Transaction) -> impl Future<Output = Result<Done, Code>> + use<> {
        let started = Run::start(&self.connection, transaction);
        async move {
            let run = started.map_err(|reason| code(&reason))?;
            JsFuture::from(run.complete.clone()).await.map_err(|event| code(&reason_of_abort(&event)))?;
            let (outcome, added) = run.decided.take().expect("BUG: a transaction that completed undecided");
            let key = |request: IdbRequest| {
                request.result().ok().and_then(|key| key.as_f64()).map(|key| key as u64)
            };
            Ok(Done { outcome, added: added.into_iter().filter_map(key).collect() })
        }
    }
}

impl Clone for Connection {
    fn clone(&self) -> Connection {
        JsValue::clone(self).unchecked_into()
    }
}

async fn connect(name: &str) -> Result<Connection, JsValue> {
    let request = factory()?.open(name)?;
    JsFuture::from(settled(&request)).await?;
    Ok(request.result()?.unchecked_into())
}

fn factory() -> Result<IdbFactory, JsValue> {
    Reflect::get(&js_sys::global(), &"indexedDB".into())?.dyn_into()
}

fn settled(request: &IdbOpenDbRequest) -> Promise {
    Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    })
}

/// What was decided, and the requests whose results are the keys of added records.
type Decided = Rc<RefCell<Option<(Outcome, Vec<IdbRequest>)>>>;

/// A transaction under way.
struct Run {
    complete: Promise,
    decided: Decided,
    /// Kept until the transaction is over: the browser calls it.
    _last_read: Option<Closure<dyn FnMut() -> Result<(), JsValue>>>,
}

impl Run {
    fn start(connection: &Connection, transaction: Transaction) -> Result<Run, JsValue> {
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
        let complete = Promise::new(&mut |resolve, reject| {
            idb.set_oncomplete(Some(&resolve));
            idb.set_onabort(Some(&reject));
        });
        let decided = Decided::default();
        let reads = transaction.reads();
        let mut run = Run { complete, decided: decided.clone(), _last_read: None };
        if reads.is_empty() {
            decide(&idb, transaction, &[], &decided)?;
            return Ok(run);
        }
        let requests: Vec<Pending> =
            reads.iter().map(|read| Pending::issue(&idb, read)).collect::<Result<_, _>>()?;
        let last = requests.last().expect("BUG: no request for a read").values.clone();
        let mut transaction = Some(transaction);
        let last_read = Closure::<dyn FnMut() -> Result<(), JsValue>>::new(move || {
            let transaction = transaction.take().expect("BUG: one request succeeded twice");
            let result = decide(&idb, transaction, &requests, &decided);
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

/// Hands what was read to the core and asks for the writes it wants.
fn decide(
    idb: &IdbTransaction,
    transaction: Transaction,
    requests: &[Pending],
    decided: &Decided,
) -> Result<(), JsValue> {
    crash::point();
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
}

impl Pending {
    fn issue(idb: &IdbTransaction, read: &Read) -> Result<Pending, JsValue> {
        match read {
            Read::One(store, key) => {
                let values = object_store(idb, *store)?.get(&to_js(key))?;
                Ok(Pending { key: Some(key.clone()), keys: None, values })
            }
            Read::All(store) => Pending::list(&object_store(idb, *store)?, &JsValue::UNDEFINED),
            Read::Range(store, from, to) => {
                let range =
                    IdbKeyRange::bound_with_lower_open_and_upper_open(&from.into(), &to.into(), false, true)?;
                Pending::list(&object_store(idb, *store)?, &range)
            }
        }
    }

    fn list(store: &IdbObjectStore, range: &JsValue) -> Result<Pending, JsValue> {
        let keys = store.get_all_keys_with_key(range)?;
        Ok(Pending { key: None, keys: Some(keys), values: store.get_all_with_key(range)? })
    }

    fn rows(&self) -> Result<Rows, JsValue> {
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
            (None, None) => unreachable!("BUG: a read of neither one nor many"),
        }
    }
}

fn object_store(idb: &IdbTransaction, store: StoreName) -> Result<IdbObjectStore, JsValue> {
    idb.object_store(store.name())
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

/// Chromium reports a full disk by the abort alone, so the reason is the transaction's.
fn reason_of_abort(event: &JsValue) -> JsValue {
    let target = Reflect::get(event, &"target".into()).unwrap_or(JsValue::UNDEFINED);
    target
        .dyn_into::<IdbTransaction>()
        .ok()
        .and_then(|idb| idb.error())
        .map_or(JsValue::UNDEFINED, JsValue::from)
}

fn code(reason: &JsValue) -> Code {
    match reason.dyn_ref::<DomException>().map(DomException::name).as_deref() {
        Some("QuotaExceededError") => Code::StorageFull,
        Some(_) | None => Code::StorageUnavailable,
    }
}
