//! The connection to IndexedDB: made within a time that a person waits, with all stores there.
//!
//! The version of a database counts how often stores were added to it and means nothing else, so older
//! code opens what newer code has made. rexie makes the stores. Transactions run on a connection of our own: rexie cannot ask for a durability,
//! reports quota errors as success and loses the reason of an abort.

use std::cell::Cell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Promise, Reflect};
use landfall_core::code::Code;
use landfall_core::stored::Store as StoreName;
use rexie::{ObjectStore, Rexie};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{DomException, IdbDatabase, IdbFactory, IdbOpenDbRequest, IdbTransaction};

use crate::platform::within;

/// Safari has been seen to answer only the second of two requests to open, and some never.
const TRIES: u32 = 2;
/// How long one try may take.
const PATIENCE_MILLIS: u32 = 10_000;
/// After so long, somebody else is in the way of an upgrade or a deletion.
const BLOCKED_MILLIS: u32 = 1_000;

#[wasm_bindgen]
extern "C" {
    /// web-sys has the durability only behind an unstable flag.
    #[wasm_bindgen(extends = IdbDatabase)]
    pub(crate) type Connection;

    #[wasm_bindgen(method, catch, js_name = transaction)]
    pub(crate) fn begin(
        this: &Connection,
        stores: &JsValue,
        mode: &str,
        options: &JsValue,
    ) -> Result<IdbTransaction, JsValue>;
}

/// Opens the database, making what is missing of it.
pub(crate) async fn open(name: &str) -> Result<Connection, Code> {
    let trouble = Rc::new(Cell::new(Code::StorageUnavailable));
    for _ in 0..TRIES {
        let (name, told) = (name.to_owned(), trouble.clone());
        let given_up = Rc::new(Cell::new(false));
        let late = given_up.clone();
        let opened = future_to_promise(async move {
            let connection = connect(&name, told).await?;
            // What comes too late must not stay open: it would be in the way of upgrades and deletion.
            if late.get() {
                connection.close();
            }
            Ok(connection.into())
        });
        match within(PATIENCE_MILLIS, &opened).await {
            Some(Ok(connection)) => return Ok(connection.unchecked_into()),
            Some(Err(reason)) => trouble.set(code(&reason)),
            None => given_up.set(true),
        }
    }
    Err(trouble.get())
}

/// Deletes the database, once every tab has let go of it; also after it has said here that one does not.
pub(crate) async fn delete(name: &str) -> Result<(), Code> {
    let request = factory().and_then(|factory| factory.delete_database(name));
    let request = request.map_err(|reason| code(&reason))?;
    match within(BLOCKED_MILLIS, &settled(&request)).await {
        Some(deleted) => deleted.map(drop).map_err(|reason| code(&reason)),
        None => Err(Code::StorageBlocked),
    }
}

/// What a failure of IndexedDB means.
pub(crate) fn code(reason: &JsValue) -> Code {
    match reason.dyn_ref::<DomException>().map(DomException::name).as_deref() {
        Some("QuotaExceededError") => Code::StorageFull,
        // No key is left, or another one would be twice: the journal is sealed.
        Some("ConstraintError") => Code::SignedOut,
        Some(_) | None => Code::StorageUnavailable,
    }
}

async fn connect(name: &str, trouble: Rc<Cell<Code>>) -> Result<Connection, JsValue> {
    let connection = reach(name).await?;
    let there = connection.object_store_names();
    let missing = |store: &&StoreName| !there.contains(store.name());
    if !StoreName::ALL.iter().any(|store| missing(&store)) {
        return Ok(connection);
    }
    // rexie does away with what it is not told of, and a later version of this code may have made that.
    let ours = StoreName::ALL.iter().map(|store| (store.name().to_owned(), store.is_counted()));
    let others = (0..there.length()).filter_map(|at| Some((there.get(at)?, false)));
    let builder = Rexie::builder(name).version(connection.version() as u32 + 1);
    let builder = others.chain(ours).fold(builder, |builder, (name, counted)| {
        builder.add_object_store(ObjectStore::new(&name).auto_increment(counted))
    });
    connection.close();
    let blocked = Timeout::new(BLOCKED_MILLIS, move || {
        trouble.set(Code::StorageBlocked);
        web_sys::console::warn_1(&"landfall: another tab keeps an older version of the database open".into());
    });
    // Another tab may have been faster; what counts is what is there afterwards.
    let made = builder.build().await;
    drop(blocked);
    let connection = reach(name).await;
    if let Ok(made) = made {
        made.close();
    }
    connection
}

async fn reach(name: &str) -> Result<Connection, JsValue> {
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
